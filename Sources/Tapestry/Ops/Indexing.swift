// Subscripts: `x[0]`, `x[.., 1..<3]`, `x[.newAxis, .ellipsis, .slice(0, 8, 2)] = y`.

/// One entry of a subscript: an index, a range, or one of the special entries.
public protocol TensorIndex {
    /// What the entry means.
    var tensorIndex: IndexEntry { get }
}

/// What an entry of a subscript means.
public enum IndexEntry: TensorIndex, Sendable {
    /// One index; the dimension goes.
    case at(Int)
    /// Indices from the first before the second by the third.
    case range(Int?, Int?, Int)
    /// A new dimension of length 1.
    case axis
    /// As many whole dimensions as are needed.
    case rest

    public var tensorIndex: IndexEntry { self }
}

extension TensorIndex where Self == IndexEntry {
    /// The whole dimension.
    public static var all: IndexEntry { .range(nil, nil, 1) }
    /// Indices from `start` before `stop` by `step`; nil leaves a bound out, negative ones count from the end.
    public static func slice(_ start: Int?, _ stop: Int?, _ step: Int = 1) -> IndexEntry { .range(start, stop, step) }
    /// A new dimension of length 1.
    public static var newAxis: IndexEntry { .axis }
    /// As many whole dimensions as are needed.
    public static var ellipsis: IndexEntry { .rest }
}

extension Int: TensorIndex { public var tensorIndex: IndexEntry { .at(self) } }
extension Range<Int>: TensorIndex { public var tensorIndex: IndexEntry { .range(lowerBound, upperBound, 1) } }
extension ClosedRange<Int>: TensorIndex {
    public var tensorIndex: IndexEntry { .range(lowerBound, upperBound == -1 ? nil : upperBound + 1, 1) }
}
extension PartialRangeFrom<Int>: TensorIndex { public var tensorIndex: IndexEntry { .range(lowerBound, nil, 1) } }
extension PartialRangeUpTo<Int>: TensorIndex { public var tensorIndex: IndexEntry { .range(nil, upperBound, 1) } }
extension PartialRangeThrough<Int>: TensorIndex {
    public var tensorIndex: IndexEntry { .range(nil, upperBound == -1 ? nil : upperBound + 1, 1) }
}
/// `x[..]`, a whole dimension: Swift's unbounded range is a function type.
public typealias UnboundedIndex = (UnboundedRange_) -> Void

extension Tensor {
    // One overload a number of entries: leading dots (`.ellipsis`) need a type of its own for each, and parameter packs
    // crash the optimiser of Swift 6.3.

    /// Elements by index, range, `.all`, `.ellipsis` and `.newAxis`: a view. Assignment changes this tensor in place.
    public subscript(_ a: some TensorIndex) -> Tensor {
        get { indexed([a.tensorIndex]) }
        set { indexed([a.tensorIndex]).copy_(newValue) }
    }
    public subscript(_ a: some TensorIndex, _ b: some TensorIndex) -> Tensor {
        get { indexed([a.tensorIndex, b.tensorIndex]) }
        set { indexed([a.tensorIndex, b.tensorIndex]).copy_(newValue) }
    }
    public subscript(_ a: some TensorIndex, _ b: some TensorIndex, _ c: some TensorIndex) -> Tensor {
        get { indexed([a.tensorIndex, b.tensorIndex, c.tensorIndex]) }
        set { indexed([a.tensorIndex, b.tensorIndex, c.tensorIndex]).copy_(newValue) }
    }
    public subscript(_ a: some TensorIndex, _ b: some TensorIndex, _ c: some TensorIndex, _ d: some TensorIndex)
        -> Tensor
    {
        get { indexed([a.tensorIndex, b.tensorIndex, c.tensorIndex, d.tensorIndex]) }
        set { indexed([a.tensorIndex, b.tensorIndex, c.tensorIndex, d.tensorIndex]).copy_(newValue) }
    }
    public subscript(
        _ a: some TensorIndex, _ b: some TensorIndex, _ c: some TensorIndex, _ d: some TensorIndex,
        _ e: some TensorIndex
    ) -> Tensor {
        get { indexed([a.tensorIndex, b.tensorIndex, c.tensorIndex, d.tensorIndex, e.tensorIndex]) }
        set { indexed([a.tensorIndex, b.tensorIndex, c.tensorIndex, d.tensorIndex, e.tensorIndex]).copy_(newValue) }
    }
    /// The first entry is a whole dimension: `x[..., 1..<3]`.
    public subscript(_: UnboundedIndex, _ a: some TensorIndex) -> Tensor {
        get { indexed([.all, a.tensorIndex]) }
        set { indexed([.all, a.tensorIndex]).copy_(newValue) }
    }
    public subscript(_: UnboundedIndex, _ a: some TensorIndex, _ b: some TensorIndex) -> Tensor {
        get { indexed([.all, a.tensorIndex, b.tensorIndex]) }
        set { indexed([.all, a.tensorIndex, b.tensorIndex]).copy_(newValue) }
    }
    public subscript(_: UnboundedIndex, _ a: some TensorIndex, _ b: some TensorIndex, _ c: some TensorIndex) -> Tensor {
        get { indexed([.all, a.tensorIndex, b.tensorIndex, c.tensorIndex]) }
        set { indexed([.all, a.tensorIndex, b.tensorIndex, c.tensorIndex]).copy_(newValue) }
    }
    /// Rows by an index tensor or mask, see `index(_:)`; assignment changes this tensor in place.
    public subscript(_ index: Tensor) -> Tensor {
        get { self.index(index) }
        set { indexPut_(index, newValue) }
    }

    /// The view that a list of entries means.
    public func indexed(_ entries: [IndexEntry], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let consumed = entries.reduce(0) {
            switch $1 {
            case .at, .range: $0 + 1
            default: $0
            }
        }
        require(consumed <= rank, "subscript: \(consumed) entries for shape \(shape)", site)
        var x = self
        var dim = 0
        for entry in entries {
            switch entry {
            case .at(let index): x = x.select(dim: dim, index: index, file: file, line: line)
            case .range(let start, let stop, let step):
                if start != nil || stop != nil || step != 1 {
                    x = x.slice(dim: dim, start: start, end: stop, step: step, file: file, line: line)
                }
                dim += 1
            case .axis:
                x = x.unsqueeze(dim, file: file, line: line)
                dim += 1
            case .rest: dim += rank - consumed
            }
        }
        return x === self ? Reshape(shape: shape)(self, at: site) : x
    }

    /// Rows (by int64 index) or elements (by mask) overwritten with `value`, which broadcasts. Mirrors `index_put_`.
    @discardableResult
    public func indexPut_(_ index: Tensor, _ value: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor
    {
        let site = SourceSite(file, line)
        let places = self.places.index(index, file: file, line: line)
        changeInPlace("indexPut_", site) { x in
            x.placing(value.to(x.dtype).expand(places.shape, file: file, line: line), at: places, site)
        }
        return self
    }
}

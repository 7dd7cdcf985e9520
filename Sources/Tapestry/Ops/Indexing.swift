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
    /// Indices from `start` before `stop` by `step`; bounds may be left out, negative ones count from the end.
    case slice(Int?, Int?, Int = 1)
    /// A new dimension of length 1.
    case newAxis
    /// As many whole dimensions as are needed.
    case ellipsis

    /// The whole dimension.
    public static var all: IndexEntry { .slice(nil, nil) }
    public var tensorIndex: IndexEntry { self }
}

extension Int: TensorIndex { public var tensorIndex: IndexEntry { .at(self) } }
extension Range<Int>: TensorIndex { public var tensorIndex: IndexEntry { .slice(lowerBound, upperBound) } }
extension ClosedRange<Int>: TensorIndex {
    public var tensorIndex: IndexEntry { .slice(lowerBound, upperBound == -1 ? nil : upperBound + 1) }
}
extension PartialRangeFrom<Int>: TensorIndex { public var tensorIndex: IndexEntry { .slice(lowerBound, nil) } }
extension PartialRangeUpTo<Int>: TensorIndex { public var tensorIndex: IndexEntry { .slice(nil, upperBound) } }
extension PartialRangeThrough<Int>: TensorIndex {
    public var tensorIndex: IndexEntry { .slice(nil, upperBound == -1 ? nil : upperBound + 1) }
}
/// `x[..]`, a whole dimension: Swift's unbounded range is a function type.
public typealias UnboundedIndex = (UnboundedRange_) -> Void

extension Tensor {
    /// Elements by index, range, `.all`, `.ellipsis` and `.newAxis`: a view. Assignment changes this tensor in place.
    public subscript(_ entries: any TensorIndex...) -> Tensor {
        get { indexed(entries.map(\.tensorIndex)) }
        set { indexed(entries.map(\.tensorIndex)).copy_(newValue) }
    }
    /// The first entry is a whole dimension: `x[..., 1..<3]`.
    public subscript(_: UnboundedIndex, _ entries: any TensorIndex...) -> Tensor {
        get { indexed([.all] + entries.map(\.tensorIndex)) }
        set { indexed([.all] + entries.map(\.tensorIndex)).copy_(newValue) }
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
            case .at, .slice: $0 + 1
            default: $0
            }
        }
        require(consumed <= rank, "subscript: \(consumed) entries for shape \(shape)", site)
        var x = self
        var dim = 0
        for entry in entries {
            switch entry {
            case .at(let index): x = x.select(dim: dim, index: index, file: file, line: line)
            case .slice(let start, let stop, let step):
                if start != nil || stop != nil || step != 1 {
                    x = x.slice(dim: dim, start: start, end: stop, step: step, file: file, line: line)
                }
                dim += 1
            case .newAxis:
                x = x.unsqueeze(dim, file: file, line: line)
                dim += 1
            case .ellipsis: dim += rank - consumed
            }
        }
        return x === self ? Reshape(shape: shape)(self, at: site) : x
    }

    /// Rows (by int64 index) or elements (by mask) overwritten with `value`, which broadcasts. Mirrors `index_put_`.
    @discardableResult
    public func indexPut_(_ index: Tensor, _ value: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let places = self.places.index(index, file: file, line: line)
        changeInPlace("indexPut_", site) { x in
            x.placing(value.to(x.dtype).expand(places.shape, file: file, line: line), at: places, site)
        }
        return self
    }
}

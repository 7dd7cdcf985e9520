// Shape, strides and offset of a tensor over its storage: no memory of elements behind it.

/// How a tensor's elements lie in its storage: element `[i, j, …]` is at `offset + i·strides[0] + j·strides[1] + …`.
///
/// It never changes, so that tensors and the tape share one: a reference takes a third of the memory that its parts
/// would.
public final class Layout: Sendable {
    /// Length of each dimension; empty for a 0-d tensor.
    public let shape: [Int]
    /// Step of each dimension in elements; 0 where a dimension is expanded.
    public let strides: [Int]
    /// Position of the first element.
    public let offset: Int
    /// Whether the elements lie in row-major order without gaps (dimensions of length 1 may have any stride).
    public let isContiguous: Bool
    /// Whether this is how a new tensor lies: from the start, with the strides of dimensions of length 1 in row too.
    let isPlain: Bool

    /// A layout of these parts.
    public init(shape: [Int], strides: [Int], offset: Int = 0) {
        self.shape = shape
        self.strides = strides
        self.offset = offset
        isContiguous = Layout.isContiguous(shape, strides)
        isPlain = false
    }

    /// The row-major layout of a shape, without gaps.
    public init(contiguous shape: [Int]) {
        self.shape = shape
        strides = Layout.contiguousStrides(shape)
        offset = 0
        isContiguous = true
        isPlain = true
    }

    private static let unitStrides = [1]

    /// Row-major strides of a shape. Dimensions of length 0 count as 1, as in torch.
    static func contiguousStrides(_ shape: [Int]) -> [Int] {
        if shape.count == 1 { return unitStrides }
        var strides = shape
        var step = 1
        for dim in shape.indices.reversed() {
            strides[dim] = step
            step *= Swift.max(shape[dim], 1)
        }
        return strides
    }

    /// Number of dimensions.
    public var rank: Int { shape.count }
    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }

    private static func isContiguous(_ shape: [Int], _ strides: [Int]) -> Bool {
        var step = 1
        for dim in shape.indices.reversed() {
            let length = shape[dim]
            if length == 0 { return true }
            if length != 1 {
                if strides[dim] != step { return false }
                step *= length
            }
        }
        return true
    }

    /// The number of elements from the start of the storage that this layout needs.
    var extent: Int {
        var last = offset
        for (length, stride) in zip(shape, strides) {
            if length == 0 { return 0 }
            last += (length - 1) * stride
        }
        return last + 1
    }

    /// Whether two elements share a place (an expanded dimension).
    var overlaps: Bool {
        zip(shape, strides).contains { $0 > 1 && $1 == 0 }
    }

    /// A dimension given from the front or, if negative, from the back; nil if there is no such dimension.
    static func normalized(_ dim: Int, rank: Int) -> Int? {
        let rank = Swift.max(rank, 1)
        guard dim >= -rank, dim < rank else { return nil }
        return dim < 0 ? dim + rank : dim
    }

    /// The shape that `a` and `b` broadcast to, nil if they do not: dimensions are matched from the back, each pair
    /// equal or one of them 1.
    static func broadcast(_ a: [Int], _ b: [Int]) -> [Int]? {
        if a == b { return a }
        let (long, short) = a.count >= b.count ? (a, b) : (b, a)
        var shape = long
        let skip = long.count - short.count
        for dim in short.indices {
            let (x, y) = (long[dim + skip], short[dim])
            if x == y || y == 1 { continue }
            guard x == 1 else { return nil }
            shape[dim + skip] = y
        }
        return shape
    }

    /// This layout seen with a larger shape that it broadcasts to; nil if it does not.
    func expanded(to target: [Int]) -> Layout? {
        let skip = target.count - rank
        guard skip >= 0 else { return nil }
        var strides = [Int](repeating: 0, count: target.count)
        for dim in shape.indices {
            if shape[dim] == target[dim + skip] {
                strides[dim + skip] = self.strides[dim]
            } else if shape[dim] != 1 {
                return nil
            }
        }
        return Layout(shape: target, strides: strides, offset: offset)
    }

    /// The same elements with another shape without moving them; nil if that takes a copy.
    /// `target` must have the same number of elements.
    func reshaped(_ target: [Int]) -> Layout? {
        if isContiguous { return Layout(shape: target, strides: Layout.contiguousStrides(target), offset: offset) }
        var strides = [Int](repeating: 1, count: target.count)
        var dim = rank - 1
        var next = target.count - 1
        // Walk both shapes from the back, matching runs of dimensions that hold equally many elements.
        while dim >= 0 {
            if shape[dim] == 1 {
                dim -= 1
                continue
            }
            let step = self.strides[dim]
            var run = shape[dim]  // elements that lie `step` apart
            while dim > 0, shape[dim - 1] == 1 || self.strides[dim - 1] == run * step {
                dim -= 1
                run *= shape[dim]
            }
            dim -= 1
            var filled = 1
            while next >= 0, filled < run || target[next] == 1 {
                strides[next] = filled * step
                filled *= target[next]
                next -= 1
            }
            if filled != run { return nil }
        }
        return Layout(shape: target, strides: strides, offset: offset)
    }

    /// Dimension order changed: dimension `i` of the result is dimension `dims[i]` of this one.
    func permuted(_ dims: [Int]) -> Layout {
        Layout(shape: dims.map { shape[$0] }, strides: dims.map { strides[$0] }, offset: offset)
    }

    /// Every `step`-th index of `dim` from `start`, `length` of them.
    func sliced(dim: Int, start: Int, length: Int, step: Int = 1) -> Layout {
        var (shape, strides) = (shape, strides)
        shape[dim] = length
        strides[dim] *= step
        return Layout(
            shape: shape, strides: strides, offset: length > 0 ? offset + start * self.strides[dim] : offset)
    }

    /// Without `dim`, at `index` of it.
    func selected(dim: Int, index: Int) -> Layout {
        var (shape, strides) = (shape, strides)
        shape.remove(at: dim)
        let stride = strides.remove(at: dim)
        return Layout(shape: shape, strides: strides, offset: offset + index * stride)
    }

    /// With a dimension of length 1 put in before `dim`.
    func unsqueezed(_ dim: Int) -> Layout {
        var (shape, strides) = (shape, strides)
        strides.insert(dim < rank ? shape[dim] * strides[dim] : 1, at: dim)
        shape.insert(1, at: dim)
        return Layout(shape: shape, strides: strides, offset: offset)
    }

    /// The same, `distance` elements further on.
    func moved(by distance: Int) -> Layout { Layout(shape: shape, strides: strides, offset: offset + distance) }
}

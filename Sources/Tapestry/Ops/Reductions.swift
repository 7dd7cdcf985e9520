// Sums, means, extremes and products over dimensions.
import Kernels

/// Σ over dimensions (given sorted), each kept with length 1. dx = dy, expanded.
struct Sum: Primitive {
    let dims: [Int]
    func forward(_ x: [Tensor]) -> Tensor { reduced(.sum, x[0], dims) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [Expand(shape: saved.shape(0))(dy, at: nil)] }
}

/// The largest or smallest element over dimensions, each kept with length 1. The gradient is shared evenly among equals.
struct Extreme: Primitive {
    let op: ReduceOp
    let dims: [Int]
    var saves: Saves { [.input0, .output] }
    func forward(_ x: [Tensor]) -> Tensor { reduced(op, x[0], dims) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let x = saved.x.detach()
        let y = saved.y.detach()
        // NaN is an extreme too, and equals itself here.
        let mask = x.eq(y).logicalOr(x.ne(x).logicalAnd(y.ne(y))).to(dy.dtype)
        return [mask * (dy / mask.sum(dims: dims, keepdim: true))]
    }
}

/// `op` over dimensions (sorted), each kept with length 1: neighbouring dimensions together, one group after another.
func reduced(_ op: ReduceOp, _ x: Tensor, _ dims: [Int]) -> Tensor {
    var result = x.packed()
    var rest = dims
    while let last = rest.popLast() {
        var first = last
        while rest.last == first - 1 { first = rest.removeLast() }
        let shape = result.shape
        let outer = shape[..<first].reduce(1, *)
        let length = shape[first...last].reduce(1, *)
        let inner = shape[(last + 1)...].reduce(1, *)
        var target = shape
        for dim in first...last { target[dim] = 1 }
        let y = Tensor(uninitialized: target, x.dtype)
        if x.dtype.isFloatingPoint {
            Engine.kernels(x.dtype).reduce(op, outer, length, inner, UnsafeRawPointer(result.pointer), y.pointer)
        } else {
            integerReduce(op, outer, length, inner, result, y)
        }
        result = y
    }
    return result === x ? x.copied() : result
}

/// The same for int64 (sums and products wrap); other integers are widened by the caller.
private func integerReduce(_ op: ReduceOp, _ outer: Int, _ length: Int, _ inner: Int, _ x: Tensor, _ y: Tensor) {
    func run<T: FixedWidthInteger>(_: T.Type) {
        let from = x.pointer.assumingMemoryBound(to: T.self)
        let to = y.pointer.assumingMemoryBound(to: T.self)
        for row in 0..<outer {
            for column in 0..<inner {
                var result: T =
                    switch op {
                    case .sum, .sumSquares: 0
                    case .prod: 1
                    case .max: T.min
                    case .min: T.max
                    }
                for index in 0..<length {
                    let value = from[(row * length + index) * inner + column]
                    switch op {
                    case .sum: result = result &+ value
                    case .sumSquares: result = result &+ value &* value
                    case .prod: result = result &* value
                    case .max: result = Swift.max(result, value)
                    case .min: result = Swift.min(result, value)
                    }
                }
                to[row * inner + column] = result
            }
        }
    }
    switch x.dtype {
    case .int64: run(Int.self)
    case .int32: run(Int32.self)
    default: run(UInt8.self)
    }
}

extension Tensor {
    /// Dimensions counted from the front, sorted; all of them if none is given. Traps on doubles.
    func normalized(_ dims: [Int]?, _ op: StaticString, _ site: SourceSite?) -> [Int] {
        guard let dims, !dims.isEmpty else { return Array(0..<rank) }
        let result = dims.map { normalized($0, op, site) }.sorted()
        require(Set(result).count == result.count, "\(op): dimensions \(dims) name one twice", site)
        return rank == 0 ? [] : result
    }

    /// This shape without `dims`.
    func dropping(_ dims: [Int], _ y: Tensor, _ keepdim: Bool, _ site: SourceSite?) -> Tensor {
        if keepdim || dims.isEmpty { return y }
        return Reshape(shape: shape.indices.filter { !dims.contains($0) }.map { shape[$0] })(y, at: site)
    }

    /// Sum over all elements, or over `dims`. Integers and bools sum as int64. Mirrors `torch.sum`.
    ///
    /// A float32 sum of n elements is off by at most `γₖ · Σ|x|` with k = min(n, 4096) + 1 and γₖ = k·u / (1 − k·u),
    /// u = 2⁻²⁴, on every instruction set: blocks of 4096 are added in float64. (Higham, Accuracy and Stability, 2002.)
    public func sum(
        dims: [Int]? = nil, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let axes = normalized(dims, "sum", site)
        let x = dtype.isFloatingPoint ? self : to(.int64)
        return dropping(axes, Sum(dims: axes)(x, at: site), keepdim, site)
    }
    /// Sum over one dimension.
    public func sum(dim: Int, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        sum(dims: [dim], keepdim: keepdim, file: file, line: line)
    }

    /// Summed to a shape that broadcasts to this one: the inverse of `expand`. Mirrors `Tensor.sum_to_size`.
    public func sum(to target: [Int]) -> Tensor {
        let skip = rank - target.count
        let dims = (0..<rank).filter { $0 < skip || (target[$0 - skip] == 1 && shape[$0] != 1) }
        return Reshape(shape: target)(Sum(dims: dims)(self, at: nil), at: nil)
    }

    /// Mean over all elements, or over `dims`; floating point only. Mirrors `torch.mean`.
    public func mean(
        dims: [Int]? = nil, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(dtype.isFloatingPoint, "mean: the tensor is \(dtype), not floating point", site)
        let axes = normalized(dims, "mean", site)
        let total = sum(dims: axes, keepdim: keepdim, file: file, line: line)
        return DivNumber(number: .double(Double(axes.reduce(1) { $0 * shape[$1] })))(total, at: site)
    }
    /// Mean over one dimension.
    public func mean(dim: Int, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        mean(dims: [dim], keepdim: keepdim, file: file, line: line)
    }

    /// The largest element over all or over `dims`; equals share the gradient evenly. Mirrors `torch.amax`.
    public func amax(
        dims: [Int]? = nil, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { extreme(.max, "amax", dims, keepdim, SourceSite(file, line)) }
    /// The smallest element over all or over `dims`; equals share the gradient evenly. Mirrors `torch.amin`.
    public func amin(
        dims: [Int]? = nil, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { extreme(.min, "amin", dims, keepdim, SourceSite(file, line)) }

    private func extreme(
        _ op: ReduceOp, _ name: StaticString, _ dims: [Int]?, _ keepdim: Bool, _ site: SourceSite
    ) -> Tensor {
        let axes = normalized(dims, name, site)
        require(
            axes.allSatisfy { shape[$0] > 0 }, "\(name): shape \(shape) has no elements to choose from", site)
        return dropping(axes, Extreme(op: op, dims: axes)(self, at: site), keepdim, site)
    }

    /// The largest element of the whole tensor, 0-d. Mirrors `torch.max(input)`.
    public func max(file: StaticString = #fileID, line: UInt = #line) -> Tensor { amax(file: file, line: line) }
    /// The smallest element of the whole tensor, 0-d. Mirrors `torch.min(input)`.
    public func min(file: StaticString = #fileID, line: UInt = #line) -> Tensor { amin(file: file, line: line) }

    /// The largest elements along `dim` and where they are; the first of equals, which alone has the gradient.
    /// Mirrors `torch.max(input, dim)`.
    public func max(
        dim: Int, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> (values: Tensor, indices: Tensor) { extremes(true, dim, keepdim, SourceSite(file, line)) }
    /// The smallest elements along `dim` and where they are. Mirrors `torch.min(input, dim)`.
    public func min(
        dim: Int, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> (values: Tensor, indices: Tensor) { extremes(false, dim, keepdim, SourceSite(file, line)) }

    private func extremes(_ largest: Bool, _ dim: Int, _ keepdim: Bool, _ site: SourceSite) -> (Tensor, Tensor) {
        let axis = normalized(dim, largest ? "max" : "min", site)
        let indices = argExtreme(largest, axis, site)
        let values = Gather(dim: axis, index: indices)(rank == 0 ? reshape([1]) : self, at: site)
        if rank == 0 { return (values.reshape([]), indices.reshape([])) }
        return (dropping([axis], values, keepdim, site), dropping([axis], indices, keepdim, site))
    }

    /// Where the largest element is: in the flattened tensor, or along `dim`; the first of equals, int64.
    /// Mirrors `torch.argmax`.
    public func argmax(
        dim: Int? = nil, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { arg(true, dim, keepdim, SourceSite(file, line)) }
    /// Where the smallest element is. Mirrors `torch.argmin`.
    public func argmin(
        dim: Int? = nil, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { arg(false, dim, keepdim, SourceSite(file, line)) }

    private func arg(_ largest: Bool, _ dim: Int?, _ keepdim: Bool, _ site: SourceSite) -> Tensor {
        guard let dim else {
            let flat = detach().reshape([-1]).argExtreme(largest, 0, site)
            return flat.reshape(keepdim ? shape.map { _ in 1 } : [])
        }
        let axis = normalized(dim, largest ? "argmax" : "argmin", site)
        let indices = argExtreme(largest, axis, site)
        return rank == 0 ? indices.reshape([]) : dropping([axis], indices, keepdim, site)
    }

    /// Places of the extremes along `axis`, which is kept with length 1.
    private func argExtreme(_ largest: Bool, _ axis: Int, _ site: SourceSite) -> Tensor {
        var x = detach()
        if rank == 0 { x = x.reshape([1]) }
        require(x.shape[axis] > 0 || count > 0, "argmax: shape \(shape) has no elements to choose from", site)
        if !dtype.isFloatingPoint { x = x.to(.float64) }
        x = x.packed()
        var target = x.shape
        target[axis] = 1
        let indices = Tensor(uninitialized: target, .int64)
        Engine.kernels(x.dtype).argReduce(
            largest, x.shape[..<axis].reduce(1, *), x.shape[axis], x.shape[(axis + 1)...].reduce(1, *),
            UnsafeRawPointer(x.pointer), indices.pointer.assumingMemoryBound(to: Int64.self))
        return indices
    }
}

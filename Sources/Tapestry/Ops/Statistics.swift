// Products, variances, norms, cumulative sums, and reductions of bools.
import Foundation
import Kernels

/// Π over dimensions, each kept with length 1. dx = dy · the product of the others, right with zeros too.
struct Prod: Primitive {
    let dim: Int
    var saves: Saves { [.input0, .output] }
    func forward(_ x: [Tensor]) -> Tensor { reduced(.prod, x[0], [dim]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let x = saved.x
        if !GradMode.isEnabled, !x.eq(0).any().item(Bool.self) { return [dy * saved.y / x] }
        // Products of what is before and of what is behind each element.
        let parts = (0..<x.shape[dim]).map { x.narrow(dim: dim, start: $0, length: 1) }
        guard let first = parts.first else { return [Tensor.zeros(like: x)] }
        var (before, behind) = ([Tensor.ones(like: first)], [Tensor.ones(like: first)])
        for part in parts.dropLast() { before.append(before.last! * part) }
        for part in parts.dropFirst().reversed() { behind.append(behind.last! * part) }
        return [dy * Tensor.cat(zip(before, behind.reversed()).map { $0 * $1 }, dim: dim)]
    }
}

/// Running sums along a dimension. dx = the running sums of dy from the end.
struct CumSum: Primitive {
    let dim: Int
    let reverse: Bool
    func forward(_ x: [Tensor]) -> Tensor { scanned(x[0], dim, reverse) { $0 + $1 } }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [CumSum(dim: dim, reverse: !reverse)(dy, at: nil)] }
}

/// Running products along a dimension.
struct CumProd: Primitive {
    let dim: Int
    var saves: Saves { [.input0, .output] }
    func forward(_ x: [Tensor]) -> Tensor { scanned(x[0], dim, false) { $0 * $1 } }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let x = saved.x
        if !x.detach().eq(0).any().item(Bool.self) {
            return [CumSum(dim: dim, reverse: true)(dy * saved.y, at: nil) / x]
        }
        // With zeros nothing can be divided: dxᵢ = Π_{j<i} xⱼ · sᵢ, where sᵢ = dyᵢ + xᵢ₊₁ · sᵢ₊₁.
        func parts(_ tensor: Tensor) -> [Tensor] {
            (0..<x.shape[dim]).map { tensor.narrow(dim: dim, start: $0, length: 1) }
        }
        let (factors, gradients) = (parts(x), parts(dy))
        var (before, behind) = ([Tensor.ones(like: factors[0])], [gradients.last!])
        for factor in factors.dropLast() { before.append(before.last! * factor) }
        for (gradient, factor) in zip(gradients.dropLast(), factors.dropFirst()).reversed() {
            behind.append(gradient + factor * behind.last!)
        }
        return [Tensor.cat(zip(before, behind.reversed()).map { $0 * $1 }, dim: dim)]
    }
}

/// Each element combined with the result before it along a dimension (or behind it, if reversed).
private func scanned(_ x: Tensor, _ dim: Int, _ reverse: Bool, _ combine: (Double, Double) -> Double) -> Tensor {
    let source = x.packed()
    defer { withExtendedLifetime(source) {} }
    let y = Tensor(uninitialized: x.shape, x.dtype)
    let (outer, length, inner) = (x.shape[..<dim].reduce(1, *), x.shape[dim], x.shape[(dim + 1)...].reduce(1, *))
    func run<T: TensorElement>(_: T.Type, _ number: (T) -> Double, _ make: (Double) -> T) {
        let (from, to) = (source.pointer(as: T.self), y.pointer(as: T.self))
        for row in 0..<outer {
            for column in 0..<inner {
                var total: Double?
                for step in 0..<length {
                    let index = (row * length + (reverse ? length - 1 - step : step)) * inner + column
                    total = total.map { combine($0, number(from[index])) } ?? number(from[index])
                    to[index] = make(total!)
                }
            }
        }
    }
    switch x.dtype {
    case .float64: run(Double.self, { $0 }, { $0 })
    case .float32: run(Float.self, { Double($0) }, { Float($0) })
    default: run(Int.self, { Double($0) }, { Int($0) })
    }
    return y
}

/// √v with gradient 0 where v is 0: the square root in standard deviations and norms.
struct RootOfSquares: Primitive {
    var saves: Saves { .output }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.sqrt, x[0]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let y = saved.y
        let isZero = y.detach().eq(0)
        let safe = Tensor.where(isZero, .number(1, y.dtype), y)
        return [Tensor.where(isZero, .number(0, y.dtype), dy / (safe * 2))]
    }
}

extension Tensor {
    /// Product of all elements; integers as int64. Mirrors `torch.prod`.
    public func prod(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        reshape([-1]).prod(dim: 0, file: file, line: line)
    }
    /// Product along a dimension.
    public func prod(dim: Int, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        if rank == 0 { return self }
        let axis = normalized(dim, "prod", site)
        let y = Prod(dim: axis)(dtype.isFloatingPoint ? self : to(.int64), at: site)
        return keepdim ? y : y.squeeze(axis)
    }

    /// Running sums along a dimension; integers as int64. Mirrors `torch.cumsum`.
    public func cumsum(dim: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let x = dtype.isFloatingPoint ? self : to(.int64)
        if rank == 0 { return x }
        return CumSum(dim: normalized(dim, "cumsum", site), reverse: false)(x, at: site)
    }
    /// Running products along a dimension; integers as int64. Mirrors `torch.cumprod`.
    public func cumprod(dim: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let x = dtype.isFloatingPoint ? self : to(.int64)
        if rank == 0 { return x }
        return CumProd(dim: normalized(dim, "cumprod", site))(x, at: site)
    }

    /// Variance over all or some dimensions: Σ(x − mean)² / max(0, n − correction). Mirrors `torch.var`.
    public func variance(
        dims: [Int]? = nil, correction: Double = 1, keepdim: Bool = false, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        let axes = normalized(dims, "variance", SourceSite(file, line))
        let count = axes.reduce(1) { $0 * shape[$1] }
        // Taken off twice: far from zero the first mean is rounded, and a plain square would show by how much.
        let nearly = self - detach().mean(dims: axes, keepdim: true, file: file, line: line)
        let centred = nearly - nearly.mean(dims: axes, keepdim: true, file: file, line: line)
        return (centred * centred).sum(dims: axes, keepdim: keepdim) / Swift.max(0, Double(count) - correction)
    }
    /// Standard deviation: the root of the variance, with gradient 0 where it is 0. Mirrors `torch.std`.
    public func std(
        dims: [Int]? = nil, correction: Double = 1, keepdim: Bool = false, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        RootOfSquares()(
            variance(dims: dims, correction: correction, keepdim: keepdim, file: file, line: line),
            at: SourceSite(file, line))
    }

    /// ln Σ e^x over dimensions, stable for any input. Mirrors `torch.logsumexp`.
    public func logsumexp(
        dims: [Int], keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let x = real
        let axes = x.normalized(dims, "logsumexp", SourceSite(file, line))
        if axes.contains(where: { shape[$0] == 0 }) { return x.exp().sum(dims: axes, keepdim: keepdim).log() }
        let largest = x.detach().amax(dims: axes, keepdim: true)
        let shift = Tensor.where(largest.isFinite(), largest, .number(0, x.dtype))
        let y = (x - shift).exp().sum(dims: axes, keepdim: true).log() + shift
        return keepdim ? y : axes.reversed().reduce(y) { $0.squeeze($1) }
    }

    /// The p-norm `(Σ|x|^p)^(1/p)` over all or some dimensions; ±∞ for the extremes, 0 counts. The gradient at the zero
    /// vector is 0. Mirrors `torch.norm` and `torch.linalg.vector_norm`.
    public func norm(
        p: Double = 2, dims: [Int]? = nil, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let axes = normalized(dims, "norm", site)
        switch p {
        case 2: return RootOfSquares()((self * self).sum(dims: axes, keepdim: keepdim), at: site)
        case 1: return abs().sum(dims: axes, keepdim: keepdim)
        case 0: return ne(0).to(dtype).sum(dims: axes, keepdim: keepdim)
        case .infinity: return abs().amax(dims: axes, keepdim: keepdim)
        case -.infinity: return abs().amin(dims: axes, keepdim: keepdim)
        default:
            // Zeros have gradient 0, though |x|^(p−1) may be infinite there.
            let zero = detach().eq(0)
            let powers = Tensor.where(
                zero, .number(p < 0 ? .double(.infinity) : 0, dtype),
                Tensor.where(zero, .number(1, dtype), self).abs().pow(p))
            let total = powers.sum(dims: axes, keepdim: keepdim)
            let empty = total.detach().eq(0)
            let root = Tensor.where(empty, .number(1, dtype), total).pow(1 / p)
            return Tensor.where(empty, .number(0, dtype), root)
        }
    }

    /// x / max(‖x‖ₚ, ε) along a dimension. Mirrors `F.normalize`.
    public func normalize(p: Double = 2, dim: Int = 1, eps: Double = 1e-12) -> Tensor {
        self / norm(p: p, dims: [dim], keepdim: true).clamp(min: eps)
    }

    /// Whether any element is not zero, as bool, over all or one dimension. Mirrors `torch.any`.
    public func any(dim: Int? = nil, keepdim: Bool = false) -> Tensor {
        ne(0).to(.int64).sum(dims: dim.map { [$0] }, keepdim: keepdim).ne(0)
    }
    /// Whether all elements are not zero, as bool, over all or one dimension. Mirrors `torch.all`.
    public func all(dim: Int? = nil, keepdim: Bool = false) -> Tensor {
        eq(0).to(.int64).sum(dims: dim.map { [$0] }, keepdim: keepdim).eq(0)
    }
    /// How many elements are not zero, int64. Mirrors `torch.count_nonzero`.
    public func countNonzero(dim: Int? = nil) -> Tensor { ne(0).to(.int64).sum(dims: dim.map { [$0] }) }
}

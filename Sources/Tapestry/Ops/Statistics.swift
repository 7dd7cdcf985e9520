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
    let y = Tensor(uninitializedLike: x)
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

/// (Σ|x|^p)^(1/p) over dimensions (sorted), each kept with length 1; p is not 0. dx = dy · sign(x) · (|x| / y)^(p−1), for
/// p = 2 dy · x / y; 0 where x or y is 0.
struct VectorNorm: Primitive {
    let p: Double
    let dims: [Int]
    var saves: Saves { [.input0, .output] }

    func forward(_ x: [Tensor]) -> Tensor {
        let total = powerSum(x[0])
        if p < 0 || total.isPowerSumExact { return root(total) }
        // Powers beyond the type's range: a power of two is taken out first.
        let scale = x[0].binades(dims)
        return root(powerSum(x[0] / scale)) * scale
    }
    private func powerSum(_ x: Tensor) -> Tensor { reduced(.sum, p == 2 ? x * x : x.abs().pow(p), dims) }
    private func root(_ x: Tensor) -> Tensor { p == 2 ? elementwise(.sqrt, x) : x.pow(1 / p) }

    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        var (x, y) = (saved.x, saved.y)
        if y.hasDenormals {
            // Such a norm has few digits: that of larger numbers has all of them and the same gradient.
            x = x / x.binades(dims)
            y = VectorNorm(p: p, dims: dims)(x, at: nil)
        }
        let isZero = y.detach().eq(0)
        let dy = Tensor.where(isZero, .number(0, y.dtype), dy)
        // The quotient comes first: neither 1 / y nor dy · x need be within range.
        let ratio = x / Tensor.where(isZero, .number(1, y.dtype), y)
        if p == 2 { return [dy * ratio] }
        let isNone = ratio.detach().eq(0)
        let slope = Tensor.where(isNone, .number(1, y.dtype), ratio).abs().pow(p - 1) * ratio.detach().sign()
        return [dy * Tensor.where(isNone, .number(0, y.dtype), slope)]
    }
}

extension Tensor {
    /// Whether sums of squares, or of other powers, are neither infinite nor so small that terms below the smallest
    /// normal number, which lose digits, could count among 2²⁶ of them.
    fileprivate var isPowerSumExact: Bool {
        switch dtype {
        case .float64: withElements(as: Double.self) { $0.allSatisfy { $0 >= 0x1p-960 && $0 < .infinity } }
        default: withElements(as: Float.self) { $0.allSatisfy { $0 >= 0x1p-100 && $0 < .infinity } }
        }
    }

    /// Whether an element is below the smallest normal number, but not 0.
    fileprivate var hasDenormals: Bool {
        switch dtype {
        case .float64: withElements(as: Double.self) { $0.contains(where: \.isSubnormal) }
        default: withElements(as: Float.self) { $0.contains(where: \.isSubnormal) }
        }
    }

    /// Whether no element is infinite or NaN; floating point only.
    package var isAllFinite: Bool {
        switch dtype {
        case .float64: withElements(as: Double.self) { $0.allSatisfy(\.isFinite) }
        default: withElements(as: Float.self) { $0.allSatisfy(\.isFinite) }
        }
    }

    /// For each group of elements over `dims` (kept with length 1) the power of two that the largest of them is once or
    /// nearly twice, to divide by without rounding; 1 if all are zero or one is infinite or NaN. Off the tape.
    package func binades(_ dims: [Int]) -> Tensor {
        noGrad {
            guard count > 0 else {
                return Tensor.ones(shape.enumerated().map { dims.contains($0) ? 1 : $1 }, dtype: dtype)
            }
            let scale = detach().abs().amax(dims: dims, keepdim: true).contiguous()
            func round<T: TensorElement & BinaryFloatingPoint>(_: T.Type) {
                scale.withElements(as: T.self) { values in
                    for index in values.indices {
                        values[index] = values[index].isFinite && values[index] > 0 ? values[index].binade : 1
                    }
                }
            }
            if dtype == .float64 { round(Double.self) } else { round(Float.self) }
            return scale
        }
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
        let centred = centred(axes, file: file, line: line)
        return (centred * centred).sum(dims: axes, keepdim: keepdim) / degreesOfFreedom(axes, correction)
    }
    /// Standard deviation: √(Σ(x − mean)² / max(0, n − correction)), with gradient 0 where it is 0. Squares need not be
    /// within the dtype's range. Mirrors `torch.std`.
    public func std(
        dims: [Int]? = nil, correction: Double = 1, keepdim: Bool = false, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        let axes = normalized(dims, "std", SourceSite(file, line))
        return centred(axes, file: file, line: line).norm(dims: axes, keepdim: keepdim, file: file, line: line)
            / degreesOfFreedom(axes, correction).squareRoot()
    }
    /// x − mean, taken off twice: far from zero the first mean is rounded, and a plain square would show by how much.
    private func centred(_ axes: [Int], file: StaticString, line: UInt) -> Tensor {
        let nearly = self - detach().mean(dims: axes, keepdim: true, file: file, line: line)
        return nearly - nearly.mean(dims: axes, keepdim: true, file: file, line: line)
    }
    private func degreesOfFreedom(_ axes: [Int], _ correction: Double) -> Double {
        Swift.max(0, Double(axes.reduce(1) { $0 * shape[$1] }) - correction)
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
    /// vector is 0. For p > 0 the powers need not be within the dtype's range, the norm itself does: a vector of 1e30 or
    /// of denormal numbers has its norm (torch's is infinite or 0). Mirrors `torch.norm` and `torch.linalg.vector_norm`.
    public func norm(
        p: Double = 2, dims: [Int]? = nil, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let axes = normalized(dims, "norm", site)
        switch p {
        case 1: return abs().sum(dims: axes, keepdim: keepdim)
        case 0: return ne(0).to(dtype).sum(dims: axes, keepdim: keepdim)
        case .infinity: return abs().amax(dims: axes, keepdim: keepdim)
        case -.infinity: return abs().amin(dims: axes, keepdim: keepdim)
        default: return dropping(axes, VectorNorm(p: p, dims: axes)(real, at: site), keepdim, site)
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

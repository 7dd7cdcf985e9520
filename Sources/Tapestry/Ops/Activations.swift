// Activation functions, written in other ops; the few whose formula would overflow or has a corner of its own are
// primitives. Names and defaults are those of torch.nn.functional.
import Foundation
import Kernels

/// x between bounds, the bounds outside. dx = dy strictly inside, 0 at and beyond the bounds.
struct Clamp: Primitive {
    let least, most: Double?
    /// Where the gradient passes: torch's functions differ in what they do at the bounds themselves.
    var saves: Saves { .input0 }
    func forward(_ x: [Tensor]) -> Tensor {
        var y = x[0]
        if let least { y = elementwise(.maximum, y, .number(.double(least), y.dtype)) }
        if let most { y = elementwise(.minimum, y, .number(.double(most), y.dtype)) }
        return y === x[0] ? x[0].copied() : y
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let x = saved.x.detach()
        var inside = least.map { x.gt($0) }
        if let most { inside = inside.map { $0.logicalAnd(x.lt(most)) } ?? x.lt(most) }
        guard let inside else { return [dy] }
        return [Tensor.where(inside, dy, .number(0, dy.dtype))]
    }
}

/// ln(1 + e^βx) / β, x itself where βx > threshold. dx = dy · sigmoid(βx).
struct Softplus: Primitive {
    let beta, threshold: Double
    var saves: Saves { .input0 }
    func forward(_ x: [Tensor]) -> Tensor {
        let scaled = x[0] * beta
        return Tensor.where(scaled.gt(threshold), x[0], scaled.exp().log1p() / beta)
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let scaled = saved.x * beta
        let one = Tensor.number(1, dy.dtype)
        return [dy * Tensor.where(scaled.detach().gt(threshold), one, scaled.sigmoid())]
    }
}

/// ln sigmoid(x) = min(x, 0) − ln(1 + e^−|x|). dx = dy · sigmoid(−x).
struct LogSigmoid: Primitive {
    var saves: Saves { .input0 }
    func forward(_ x: [Tensor]) -> Tensor {
        elementwise(.minimum, x[0], .number(0, x[0].dtype)) - (-x[0].abs()).exp().log1p()
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [dy * (-saved.x).sigmoid()] }
}

/// max(0, x) + min(0, α(e^(x/α) − 1)). dx = dy where x > 0, else dy · αq · e^(qx), q = 1/α with α rounded to Float as torch
/// has it in this gradient.
struct Celu: Primitive {
    let alpha: Double
    var saves: Saves { .input0 }
    func forward(_ x: [Tensor]) -> Tensor {
        let negative = elementwise(.minimum, x[0], .number(0, x[0].dtype))
        return Tensor.where(x[0].gt(0), x[0], (negative / alpha).expm1() * alpha)
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let x = saved.x
        let q = 1 / Double(Float(alpha))
        let isPositive = x.detach().gt(0)
        let negative = Tensor.where(isPositive, .number(0, x.dtype), x)
        return [dy * Tensor.where(isPositive, .number(1, x.dtype), (negative * q).exp() * (alpha * q))]
    }
}

/// min(max(x + 3, 0), 6) / 6. dx = dy / 6 strictly inside, the sixth rounded to Float as torch has it in this gradient.
struct Hardsigmoid: Primitive {
    var saves: Saves { .input0 }
    func forward(_ x: [Tensor]) -> Tensor { (x[0] + 3).clamp(min: 0, max: 6) / 6 }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let x = saved.x.detach()
        return [Tensor.where(x.gt(-3).logicalAnd(x.lt(3)), dy * Double(Float(1) / 6), .number(0, dy.dtype))]
    }
}

extension Tensor {
    /// Between `min` and `max`; a bound may be left out. Mirrors `torch.clamp` with numbers.
    public func clamp(
        min: Double? = nil, max: Double? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(min != nil || max != nil, "clamp: neither bound is given", site)
        guard dtype.isFloatingPoint else {
            var y = self
            if let min { y = elementwise(.maximum, y, .number(.int(Int(min)), dtype)) }
            if let max { y = elementwise(.minimum, y, .number(.int(Int(max)), dtype)) }
            return y
        }
        return Clamp(least: min, most: max)(self, at: site)
    }

    /// Between the elements of two tensors. Mirrors `torch.clamp` with tensors.
    public func clamp(
        min: Tensor?, max: Tensor?, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(min != nil || max != nil, "clamp: neither bound is given", site)
        var y = self
        // The gradient goes to the tensor where it equals its bound, to the bound where it decides.
        if let min { y = Tensor.where(y.detach().lt(min.detach()), min, y) }
        if let max { y = Tensor.where(y.detach().gt(max.detach()), max, y) }
        return y
    }

    /// max(0, x) + min(0, α(e^x − 1)). Mirrors `F.elu` (Clevert et al., 2016).
    public func elu(alpha: Double = 1) -> Tensor {
        Tensor.where(detach().gt(0), self, negativePart.expm1() * alpha)
    }
    /// max(0, x) + min(0, α(e^(x/α) − 1)). Mirrors `F.celu` (Barron, 2017).
    public func celu(alpha: Double = 1, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Celu(alpha: alpha)(self, at: SourceSite(file, line))
    }
    /// Scaled ELU that keeps mean 0 and variance 1. Mirrors `F.selu` (Klambauer et al., 2017).
    public func selu() -> Tensor { elu(alpha: 1.6732632423543772) * 1.0507009873554805 }
    /// x where it is not positive, 0 elsewhere: keeps e^x from overflowing in a branch that is not taken.
    private var negativePart: Tensor { Tensor.where(detach().gt(0), .number(0, dtype), self) }

    /// x · Φ(x), Φ the normal distribution function; `tanh` for the approximation. Mirrors `F.gelu` (Hendrycks, 2016).
    public func gelu(tanh: Bool = false) -> Tensor {
        if tanh {
            let inner = (self + pow(3) * 0.044715) * (2 / Double.pi).squareRoot()
            return self * ((inner.tanh() + 1) * 0.5)
        }
        return self * (((self * 0.5.squareRoot()).erf() + 1) * 0.5)
    }
    /// x · sigmoid(x). Mirrors `F.silu`.
    public func silu() -> Tensor { self * sigmoid() }
    /// x · tanh(softplus(x)). Mirrors `F.mish` (Misra, 2019).
    public func mish() -> Tensor { self * softplus().tanh() }
    /// ln(1 + e^βx) / β, linear above the threshold. Mirrors `F.softplus`.
    public func softplus(
        beta: Double = 1, threshold: Double = 20, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { Softplus(beta: beta, threshold: threshold)(self, at: SourceSite(file, line)) }
    /// x / (1 + |x|). Mirrors `F.softsign`.
    public func softsign() -> Tensor { self / (abs() + 1) }
    /// ln sigmoid(x). Mirrors `F.logsigmoid`.
    public func logSigmoid(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        LogSigmoid()(self, at: SourceSite(file, line))
    }
    /// x where positive, `negativeSlope` · x elsewhere. Mirrors `F.leaky_relu`.
    public func leakyRelu(negativeSlope: Double = 0.01) -> Tensor {
        Tensor.where(detach().gt(0), self, self * negativeSlope)
    }
    /// x where positive, weight · x elsewhere; one weight, or one for each channel (dimension 1). Mirrors `F.prelu`.
    public func prelu(_ weight: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        var w = weight
        if weight.count > 1 {
            require(
                rank > 1 && shape[1] == weight.count,
                "prelu: \(weight.count) weights do not fit the channels of \(shape)", SourceSite(file, line))
            w = weight.reshape([weight.count] + [Int](repeating: 1, count: rank - 2))
        } else {
            w = weight.reshape([])
        }
        return Tensor.where(detach().gt(0), self, w * self)
    }
    /// min(max(x, 0), 6). Mirrors `F.relu6`.
    public func relu6() -> Tensor { clamp(min: 0, max: 6) }
    /// Between two bounds. Mirrors `F.hardtanh`.
    public func hardtanh(minVal: Double = -1, maxVal: Double = 1) -> Tensor { clamp(min: minVal, max: maxVal) }
    /// min(max(x + 3, 0), 6) / 6. Mirrors `F.hardsigmoid`.
    public func hardsigmoid(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Hardsigmoid()(self, at: SourceSite(file, line))
    }
    /// x · min(max(x + 3, 0), 6) / 6. Mirrors `F.hardswish` (Howard et al., 2019).
    public func hardswish() -> Tensor {
        let (x, zero) = (detach(), Tensor.number(0, dtype))
        return Tensor.where(x.le(-3), zero, Tensor.where(x.ge(3), self, self * (self + 3) / 6))
    }
    /// a · sigmoid(b) for the two halves along `dim`. Mirrors `F.glu` (Dauphin et al., 2017).
    public func glu(dim: Int = -1, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let axis = normalized(dim, "glu", site)
        require(rank > 0 && shape[axis] % 2 == 0, "glu: dimension \(dim) of shape \(shape) is odd", site)
        let half = shape[axis] / 2
        return narrow(dim: axis, start: 0, length: half) * narrow(dim: axis, start: half, length: half).sigmoid()
    }
}

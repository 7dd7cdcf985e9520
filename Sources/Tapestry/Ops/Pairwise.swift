// Maxima, minima, remainders and rounded quotients of pairs; tests of numbers and bools.
import Kernels

/// The larger (or smaller) of each pair. The gradient goes to it, half to each of equals.
struct PairExtreme: Primitive {
    let op: BinaryOp
    var saves: Saves { [.input0, .input1] }
    var name: String { op == .maximum ? "Maximum" : "Minimum" }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(op, x[0], x[1]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let (a, b) = (saved.input(0).detach(), saved.input(1).detach())
        let tie = a.eq(b).to(dy.dtype) * 0.5
        let first = (op == .maximum ? a.gt(b) : a.lt(b)).to(dy.dtype) + tie
        let second = (op == .maximum ? a.lt(b) : a.gt(b)).to(dy.dtype) + tie
        return [saved.needs(0) ? dy * first : nil, saved.needs(1) ? dy * second : nil]
    }
}

/// `a − b · q` with a rounded quotient q: the remainder. da = dy, db = −dy · q.
struct Remainder: Primitive {
    let op: BinaryOp
    var saves: Saves { [.input0, .input1] }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(op, x[0], x[1]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let (a, b) = (saved.input(0).detach(), saved.input(1).detach())
        return [dy, saved.needs(1) ? -dy * elementwise(op == .fmod ? .truncDiv : .floorDiv, a, b) : nil]
    }
}

/// A quotient rounded to an integer; no gradient flows through the step.
struct RoundedDiv: Primitive {
    let op: BinaryOp
    func forward(_ x: [Tensor]) -> Tensor { elementwise(op, x[0], x[1]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        [Tensor.zeros(like: dy), saved.needs(1) ? Tensor.zeros(like: dy) : nil]
    }
}

/// The angle of (x, y). dy, dx = dy · (x, −y) / (x² + y²).
struct Atan2: Primitive {
    var saves: Saves { [.input0, .input1] }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.atan2, x[0], x[1]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let (a, b) = (saved.input(0), saved.input(1))
        let scaled = dy / (a * a + b * b)
        return [saved.needs(0) ? scaled * b : nil, saved.needs(1) ? -scaled * a : nil]
    }
}

extension Tensor {
    /// How a quotient is rounded. Mirrors `rounding_mode`.
    public enum Rounding: String, Sendable { case trunc, floor }

    private func pair(_ other: Tensor, _ op: StaticString, _ site: SourceSite) -> (Tensor, Tensor) {
        Tapestry.promoted(self, other, op, site)
    }
    private func numberTensor(_ number: Scalar) -> Tensor { .number(number, DType.promoted(dtype, number)) }

    /// The larger of each pair, NaN if either is. Mirrors `torch.maximum`.
    public func maximum(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let (a, b) = pair(other, "maximum", site)
        return PairExtreme(op: .maximum)(a, b, at: site)
    }
    /// The smaller of each pair, NaN if either is. Mirrors `torch.minimum`.
    public func minimum(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let (a, b) = pair(other, "minimum", site)
        return PairExtreme(op: .minimum)(a, b, at: site)
    }

    /// The quotient rounded down or towards zero; integers stay integers. Mirrors `torch.div(rounding_mode:)`.
    public func div(
        _ other: Tensor, rounding: Rounding, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let (a, b) = pair(other, "div", site)
        return RoundedDiv(op: rounding == .floor ? .floorDiv : .truncDiv)(a, b, at: site)
    }
    /// The same with a number.
    public func div<S: TensorElement>(_ number: S, rounding: Rounding) -> Tensor {
        div(numberTensor(number.scalar), rounding: rounding)
    }

    /// The remainder with the divisor's sign. Mirrors `torch.remainder`.
    public func remainder(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let (a, b) = pair(other, "remainder", site)
        return Remainder(op: .remainder)(a, b, at: site)
    }
    public func remainder<S: TensorElement>(_ number: S) -> Tensor { remainder(numberTensor(number.scalar)) }

    /// The remainder with the dividend's sign. Mirrors `torch.fmod`.
    public func fmod(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let (a, b) = pair(other, "fmod", site)
        return Remainder(op: .fmod)(a, b, at: site)
    }
    public func fmod<S: TensorElement>(_ number: S) -> Tensor { fmod(numberTensor(number.scalar)) }

    /// The angle of the point (other, self) in radians. Mirrors `torch.atan2`.
    public func atan2(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let (a, b) = pair(other, "atan2", site)
        return Atan2()(a.real, b.real, at: site)
    }

    /// `base` to the power of each element. Mirrors `torch.pow(self, exponent)` with a number as base.
    public static func pow<S: TensorElement>(_ base: S, _ exponent: Tensor) -> Tensor {
        let dtype = DType.promoted(exponent.dtype, base.scalar)
        return Tensor.number(base.scalar, dtype).pow(exponent.to(dtype))
    }

    /// `self + weight · (end − self)`. Mirrors `torch.lerp`.
    public func lerp(_ end: Tensor, weight: Double) -> Tensor { self + (end - self) * weight }
    /// The same with a weight for each element.
    public func lerp(_ end: Tensor, weight: Tensor) -> Tensor { self + weight * (end - self) }

    /// ln(e^self + e^other), stable for any input. Mirrors `torch.logaddexp`.
    public func logaddexp(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let (a, b) = pair(other, "logaddexp", SourceSite(file, line))
        let pairs = Layout.broadcast(a.shape, b.shape)!
        return Tensor.stack([a.real.expand(pairs), b.real.expand(pairs)]).logsumexp(dims: [0], file: file, line: line)
    }

    /// True where zero (or false). Mirrors `torch.logical_not`.
    public func logicalNot() -> Tensor { eq(0) }
    /// Exactly one non-zero, as bool. Mirrors `torch.logical_xor`.
    public func logicalXor(_ other: Tensor) -> Tensor { detach().to(.bool).ne(other.detach().to(.bool)) }

    /// True where NaN. Mirrors `torch.isnan`.
    public func isNaN() -> Tensor { dtype.isFloatingPoint ? ne(self) : Tensor.zeros(shape, dtype: .bool) }
    /// True where infinite. Mirrors `torch.isinf`.
    public func isInf() -> Tensor {
        dtype.isFloatingPoint ? detach().abs().eq(Double.infinity) : Tensor.zeros(shape, dtype: .bool)
    }
    /// True where neither NaN nor infinite. Mirrors `torch.isfinite`.
    public func isFinite() -> Tensor { isNaN().logicalOr(isInf()).logicalNot() }
}

// Sums, products, quotients and powers of tensors and numbers, broadcast and promoted as in torch.
import Kernels

/// `a + b`. da = dy, db = dy.
struct Add: Primitive {
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.add, x[0], x[1]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [dy, dy] }
}

/// `a − b`. da = dy, db = −dy.
struct Sub: Primitive {
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.sub, x[0], x[1]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [dy, saved.needs(1) ? -dy : nil] }
}

/// `a · b`. da = dy · b, db = dy · a.
struct Mul: Primitive {
    var saves: Saves { .factors }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.mul, x[0], x[1]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        [saved.needs(0) ? dy * saved.input(1) : nil, saved.needs(1) ? dy * saved.input(0) : nil]
    }
}

/// `a / b`. da = dy / b, db = −dy · a / b².
struct Div: Primitive {
    var saves: Saves { [.input0, .input1] }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.div, x[0], x[1]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let b = saved.input(1)
        return [saved.needs(0) ? dy / b : nil, saved.needs(1) ? -dy * (saved.input(0) / b / b) : nil]
    }
}

/// `a + s`, `a · s`, `a / s` with a number: the gradient is dy, dy · s, dy / s.
struct AddNumber: Primitive {
    let number: Scalar
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.add, x[0], .number(number, x[0].dtype)) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [dy] }
}
struct MulNumber: Primitive {
    let number: Scalar
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.mul, x[0], .number(number, x[0].dtype)) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [MulNumber(number: number)(dy, at: nil)] }
}
struct DivNumber: Primitive {
    let number: Scalar
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.div, x[0], .number(number, x[0].dtype)) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [DivNumber(number: number)(dy, at: nil)] }
}

/// `s − a`: the gradient is −dy.
struct NumberSub: Primitive {
    let number: Scalar
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.sub, .number(number, x[0].dtype), x[0]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [-dy] }
}

/// `s / a`: the gradient is −dy · s / a².
struct NumberDiv: Primitive {
    let number: Scalar
    var saves: Saves { .input0 }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.div, .number(number, x[0].dtype), x[0]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let a = saved.x
        return [-dy * (NumberDiv(number: number)(a, at: nil) / a)]
    }
}

/// `−a`.
struct Neg: Primitive {
    func forward(_ x: [Tensor]) -> Tensor {
        x[0].dtype.isFloatingPoint
            ? elementwise(.neg, x[0]) : elementwise(.sub, .number(0, x[0].dtype), x[0])
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [-dy] }
}

/// `a` to the power of a number. da = dy · s · a^(s−1); 0 where s is 0.
struct PowNumber: Primitive {
    let exponent: Scalar
    var saves: Saves { .input0 }
    func forward(_ x: [Tensor]) -> Tensor {
        let a = x[0]
        guard a.dtype.isFloatingPoint else { return elementwise(.pow, a, .number(exponent, a.dtype)) }
        return switch exponent.double {
        case 1: a.copied()
        case 2: elementwise(.mul, a, a)
        case 0.5: elementwise(.sqrt, a)
        default: elementwise(.pow, a, .number(exponent, a.dtype))
        }
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let s = exponent.double
        if s == 0 { return [Tensor.zeros(like: dy)] }
        return [dy * (saved.x.pow(s - 1) * s)]
    }
}

/// `a` to the power of `b`. da = dy · b · a^(b−1), 0 where both are 0; db = dy · y · ln a, 0 where a is 0 and b ≥ 0.
struct Pow: Primitive {
    var saves: Saves { [.inputs, .output] }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.pow, x[0], x[1]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let (a, b) = (saved.input(0), saved.input(1))
        let zero = Tensor.number(0, dy.dtype)
        let da =
            saved.needs(0) ? dy * Tensor.where(a.eq(0).logicalAnd(b.eq(0)), zero, b * a.pow(b - 1)) : nil
        let db =
            saved.needs(1) ? dy * Tensor.where(a.eq(0).logicalAnd(b.ge(0)), zero, saved.y * a.log()) : nil
        return [da, db]
    }
}

/// Both operands in their common dtype. Traps if their shapes do not broadcast.
func promoted(_ a: Tensor, _ b: Tensor, _ op: StaticString, _ site: SourceSite?) -> (Tensor, Tensor) {
    require(
        a.shape == b.shape || Layout.broadcast(a.shape, b.shape) != nil,
        "\(op): shapes do not broadcast: \(a.shape) and \(b.shape)" + broadcastHint(a.shape, b.shape), site)
    if a.dtype == b.dtype { return (a, b) }
    let dtype = DType.promoted(a, b)
    return (a.to(dtype), b.to(dtype))
}

private func broadcastHint(_ a: [Int], _ b: [Int]) -> String {
    for (offset, (x, y)) in zip(a.reversed(), b.reversed()).enumerated() where x != y && x != 1 && y != 1 {
        return " (axis \(-1 - offset) is \(x) and \(y); each must be equal or 1)"
    }
    return ""
}

extension Tensor {
    /// This tensor in the dtype of `self op number`.
    func promoted(with number: Scalar) -> Tensor { to(DType.promoted(dtype, number)) }

    /// `self + alpha · other`. Mirrors `torch.add`.
    public func add(
        _ other: Tensor, alpha: some TensorElement = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let (a, b) = Tapestry.promoted(self, other, "add", site)
        return Add()(a, alpha.scalar.double == 1 ? b : b * alpha, at: site)
    }

    /// `self − alpha · other`. Mirrors `torch.sub`.
    public func sub(
        _ other: Tensor, alpha: some TensorElement = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let (a, b) = Tapestry.promoted(self, other, "sub", site)
        return Sub()(a, alpha.scalar.double == 1 ? b : b * alpha, at: site)
    }

    /// `self · other`, element by element. Mirrors `torch.mul`.
    public func mul(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let (a, b) = Tapestry.promoted(self, other, "mul", site)
        return Mul()(a, b, at: site)
    }

    /// `self / other`; integers are divided as float32. Mirrors `torch.div`.
    public func div(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        var (a, b) = Tapestry.promoted(self, other, "div", site)
        if !a.dtype.isFloatingPoint { (a, b) = (a.to(.float32), b.to(.float32)) }
        return Div()(a, b, at: site)
    }

    /// `−self`. Mirrors `torch.neg`.
    public func neg(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Neg()(self, at: SourceSite(file, line))
    }

    /// `self` to the power of a number. Mirrors `torch.pow`.
    public func pow(_ exponent: some TensorElement, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let number = exponent.scalar
        return PowNumber(exponent: number)(promoted(with: number), at: SourceSite(file, line))
    }

    /// `self` to the power of `exponent`, element by element. Mirrors `torch.pow`.
    public func pow(_ exponent: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let (a, b) = Tapestry.promoted(self, exponent, "pow", site)
        return Pow()(a, b, at: site)
    }

    public static func + (a: Tensor, b: Tensor) -> Tensor {
        let (a, b) = Tapestry.promoted(a, b, "add", nil)
        return Add()(a, b, at: nil)
    }
    public static func - (a: Tensor, b: Tensor) -> Tensor {
        let (a, b) = Tapestry.promoted(a, b, "sub", nil)
        return Sub()(a, b, at: nil)
    }
    public static func * (a: Tensor, b: Tensor) -> Tensor {
        let (a, b) = Tapestry.promoted(a, b, "mul", nil)
        return Mul()(a, b, at: nil)
    }
    public static func / (a: Tensor, b: Tensor) -> Tensor {
        var (a, b) = Tapestry.promoted(a, b, "div", nil)
        if !a.dtype.isFloatingPoint { (a, b) = (a.to(.float32), b.to(.float32)) }
        return Div()(a, b, at: nil)
    }
    public static prefix func - (a: Tensor) -> Tensor { Neg()(a, at: nil) }

    public static func + <S: TensorElement>(a: Tensor, s: S) -> Tensor {
        AddNumber(number: s.scalar)(a.promoted(with: s.scalar), at: nil)
    }
    public static func + <S: TensorElement>(s: S, a: Tensor) -> Tensor { a + s }
    public static func - <S: TensorElement>(a: Tensor, s: S) -> Tensor {
        let number: Scalar = if case .double(let value) = s.scalar { .double(-value) } else { .int(-s.scalar.int) }
        return AddNumber(number: number)(a.promoted(with: s.scalar), at: nil)
    }
    public static func - <S: TensorElement>(s: S, a: Tensor) -> Tensor {
        NumberSub(number: s.scalar)(a.promoted(with: s.scalar), at: nil)
    }
    public static func * <S: TensorElement>(a: Tensor, s: S) -> Tensor {
        MulNumber(number: s.scalar)(a.promoted(with: s.scalar), at: nil)
    }
    public static func * <S: TensorElement>(s: S, a: Tensor) -> Tensor { a * s }
    public static func / <S: TensorElement>(a: Tensor, s: S) -> Tensor {
        DivNumber(number: s.scalar)(a.dtype.isFloatingPoint ? a : a.to(.float32), at: nil)
    }
    public static func / <S: TensorElement>(s: S, a: Tensor) -> Tensor {
        NumberDiv(number: s.scalar)(a.dtype.isFloatingPoint ? a : a.to(.float32), at: nil)
    }
}

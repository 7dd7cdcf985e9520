// Elementwise functions of one tensor as primitives: floating point only; integers are taken as float32. Shape as the
// input. Each is mirrored from the torch function of its name; the gradient is in its comment.
import Foundation
import Kernels

/// A function with a kernel and a gradient dx = dy · f′(x, y).
///
/// `slope` gets input and output and is written in tensor ops, so that it can be differentiated again.
struct Function: Primitive {
    let op: UnaryOp
    let saves: Saves
    let slope: @Sendable (Saved, Tensor) -> Tensor

    var name: String { String(describing: op).prefix(1).uppercased() + String(describing: op).dropFirst() }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(op, x[0]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [slope(saved, dy)] }

    // dx = dy · y
    static let exp = Function(op: .exp, saves: .output) { $1 * $0.y }
    // dx = dy · (y + 1)
    static let expm1 = Function(op: .expm1, saves: .output) { $1 * ($0.y + 1) }
    // dx = dy · y · ln 2
    static let exp2 = Function(op: .exp2, saves: .output) { $1 * $0.y * Foundation.log(2.0) }
    // dx = dy / x
    static let log = Function(op: .log, saves: .input0) { $1 / $0.x }
    // dx = dy / (1 + x)
    static let log1p = Function(op: .log1p, saves: .input0) { $1 / ($0.x + 1) }
    // dx = dy / (x ln 2)
    static let log2 = Function(op: .log2, saves: .input0) { $1 / ($0.x * Foundation.log(2.0)) }
    // dx = dy / (x ln 10)
    static let log10 = Function(op: .log10, saves: .input0) { $1 / ($0.x * Foundation.log(10.0)) }
    // dx = dy / 2y
    static let sqrt = Function(op: .sqrt, saves: .output) { $1 / ($0.y * 2) }
    // dx = −dy · y³ / 2
    static let rsqrt = Function(op: .rsqrt, saves: .output) { $1 * ($0.y.pow(3) * -0.5) }
    // dx = −dy · y²
    static let reciprocal = Function(op: .reciprocal, saves: .output) { -$1 * ($0.y * $0.y) }
    // dx = 2 dy · x
    static let square = Function(op: .square, saves: .input0) { $1 * ($0.x * 2) }
    // dx = dy · sign x, 0 at 0
    static let abs = Function(op: .abs, saves: .input0) { $1 * $0.x.detach().sign() }
    // dx = dy · cos x
    static let sin = Function(op: .sin, saves: .input0) { $1 * $0.x.cos() }
    // dx = −dy · sin x
    static let cos = Function(op: .cos, saves: .input0) { -$1 * $0.x.sin() }
    // dx = dy · (1 + y²)
    static let tan = Function(op: .tan, saves: .output) { $1 * ($0.y * $0.y + 1) }
    // dx = dy / √(1 − x²)
    static let asin = Function(op: .asin, saves: .input0) { $1 * (1 - $0.x * $0.x).rsqrt() }
    // dx = −dy / √(1 − x²)
    static let acos = Function(op: .acos, saves: .input0) { -$1 * (1 - $0.x * $0.x).rsqrt() }
    // dx = dy / (1 + x²)
    static let atan = Function(op: .atan, saves: .input0) { $1 / ($0.x * $0.x + 1) }
    // dx = dy · cosh x
    static let sinh = Function(op: .sinh, saves: .input0) { $1 * $0.x.cosh() }
    // dx = dy · sinh x
    static let cosh = Function(op: .cosh, saves: .input0) { $1 * $0.x.sinh() }
    // dx = dy · (1 − y²)
    static let tanh = Function(op: .tanh, saves: .output) { saved, dy in
        let y = saved.y
        return GradMode.isEnabled ? dy * (1 - y * y) : elementwise(.tanhBackward, dy, y)
    }
    // dx = dy · y · (1 − y)
    static let sigmoid = Function(op: .sigmoid, saves: .output) { saved, dy in
        let y = saved.y
        return GradMode.isEnabled ? dy * (y * (1 - y)) : elementwise(.sigmoidBackward, dy, y)
    }
    // dx = dy · 2/√π · e^−x²
    static let erf = Function(op: .erf, saves: .input0) { $1 * ((-($0.x * $0.x)).exp() * (2 / Double.pi.squareRoot())) }
    // dx = −dy · 2/√π · e^−x²
    static let erfc = Function(op: .erfc, saves: .input0) {
        $1 * ((-($0.x * $0.x)).exp() * (-2 / Double.pi.squareRoot()))
    }
    // Steps have no slope.
    static let sign = Function(op: .sign, saves: .nothing) { Tensor.zeros(like: $1) }
    static let floor = Function(op: .floor, saves: .nothing) { Tensor.zeros(like: $1) }
    static let ceil = Function(op: .ceil, saves: .nothing) { Tensor.zeros(like: $1) }
    static let round = Function(op: .round, saves: .nothing) { Tensor.zeros(like: $1) }
    static let trunc = Function(op: .trunc, saves: .nothing) { Tensor.zeros(like: $1) }
}

/// max(x, 0). dx = dy where y > 0, else 0.
struct Relu: Primitive {
    var saves: Saves { .output }
    func forward(_ x: [Tensor]) -> Tensor {
        x[0].dtype.isFloatingPoint ? elementwise(.relu, x[0]) : elementwise(.maximum, x[0], .number(0, x[0].dtype))
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [ReluGradient()(dy, saved.y.detach(), at: nil)] }
}
/// The gradient of ReLU: linear in `dy`, no gradient for the output it looks at.
struct ReluGradient: Primitive {
    var saves: Saves { .input1 }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.reluBackward, x[0], x[1]) }
    func gradient(_ saved: Saved, _ ddx: Tensor) -> [Tensor?] { [ReluGradient()(ddx, saved.input(1), at: nil), nil] }
}

extension Tensor {
    /// This tensor if it is floating point, else as float32.
    var real: Tensor { dtype.isFloatingPoint ? self : to(.float32) }

    /// max(x, 0); the gradient at 0 is 0. Mirrors `torch.relu`.
    public func relu(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Relu()(self, at: SourceSite(file, line))
    }
    /// e^x; in float32 within two units in the last place, on every instruction set. Mirrors `torch.exp`.
    public func exp(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.exp(real, at: SourceSite(file, line))
    }
    /// e^x − 1, exact near 0. Mirrors `torch.expm1`.
    public func expm1(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.expm1(real, at: SourceSite(file, line))
    }
    /// 2^x. Mirrors `torch.exp2`.
    public func exp2(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.exp2(real, at: SourceSite(file, line))
    }
    /// Natural logarithm; in float32 within two units in the last place, on every instruction set. Mirrors `torch.log`.
    public func log(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.log(real, at: SourceSite(file, line))
    }
    /// ln(1 + x), exact near 0. Mirrors `torch.log1p`.
    public func log1p(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.log1p(real, at: SourceSite(file, line))
    }
    /// Logarithm to base 2. Mirrors `torch.log2`.
    public func log2(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.log2(real, at: SourceSite(file, line))
    }
    /// Logarithm to base 10. Mirrors `torch.log10`.
    public func log10(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.log10(real, at: SourceSite(file, line))
    }
    /// √x. Mirrors `torch.sqrt`.
    public func sqrt(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.sqrt(real, at: SourceSite(file, line))
    }
    /// 1 / √x. Mirrors `torch.rsqrt`.
    public func rsqrt(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.rsqrt(real, at: SourceSite(file, line))
    }
    /// 1 / x. Mirrors `torch.reciprocal`.
    public func reciprocal(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.reciprocal(real, at: SourceSite(file, line))
    }
    /// Sine of radians. Mirrors `torch.sin`.
    public func sin(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.sin(real, at: SourceSite(file, line))
    }
    /// Cosine of radians. Mirrors `torch.cos`.
    public func cos(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.cos(real, at: SourceSite(file, line))
    }
    /// Tangent of radians. Mirrors `torch.tan`.
    public func tan(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.tan(real, at: SourceSite(file, line))
    }
    /// Arc sine. Mirrors `torch.asin`.
    public func asin(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.asin(real, at: SourceSite(file, line))
    }
    /// Arc cosine. Mirrors `torch.acos`.
    public func acos(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.acos(real, at: SourceSite(file, line))
    }
    /// Arc tangent. Mirrors `torch.atan`.
    public func atan(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.atan(real, at: SourceSite(file, line))
    }
    /// Hyperbolic sine. Mirrors `torch.sinh`.
    public func sinh(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.sinh(real, at: SourceSite(file, line))
    }
    /// Hyperbolic cosine. Mirrors `torch.cosh`.
    public func cosh(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.cosh(real, at: SourceSite(file, line))
    }
    /// Hyperbolic tangent. Mirrors `torch.tanh`.
    public func tanh(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.tanh(real, at: SourceSite(file, line))
    }
    /// 1 / (1 + e^−x). Mirrors `torch.sigmoid`.
    public func sigmoid(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.sigmoid(real, at: SourceSite(file, line))
    }
    /// The error function. Mirrors `torch.erf`.
    public func erf(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.erf(real, at: SourceSite(file, line))
    }
    /// 1 − erf x. Mirrors `torch.erfc`.
    public func erfc(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Function.erfc(real, at: SourceSite(file, line))
    }
    /// x². Mirrors `torch.square`.
    public func square(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        dtype.isFloatingPoint ? Function.square(self, at: SourceSite(file, line)) : self * self
    }
    /// |x|; the gradient at 0 is 0. Mirrors `torch.abs`.
    public func abs(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        dtype.isFloatingPoint ? Function.abs(self, at: SourceSite(file, line)) : to(.float64).abs().to(dtype)
    }
    /// −1, 0 or 1; no gradient. Mirrors `torch.sign`.
    public func sign(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        dtype.isFloatingPoint ? Function.sign(self, at: SourceSite(file, line)) : to(.float64).sign().to(dtype)
    }
    /// The next integer below. Mirrors `torch.floor`.
    public func floor(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        dtype.isFloatingPoint ? Function.floor(self, at: SourceSite(file, line)) : self
    }
    /// The next integer above. Mirrors `torch.ceil`.
    public func ceil(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        dtype.isFloatingPoint ? Function.ceil(self, at: SourceSite(file, line)) : self
    }
    /// The nearest integer, halves to even. Mirrors `torch.round`.
    public func round(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        dtype.isFloatingPoint ? Function.round(self, at: SourceSite(file, line)) : self
    }
    /// Without the fraction. Mirrors `torch.trunc`.
    public func trunc(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        dtype.isFloatingPoint ? Function.trunc(self, at: SourceSite(file, line)) : self
    }
}

// Elementwise functions of one tensor: floating point only; integers are taken as float32. Shape as the input.
import Kernels

/// A function whose gradient is dy · f′, f′ written with the input or the output.
struct Exp: Primitive {  // dx = dy · y
    var saves: Saves { .output }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.exp, x[0]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [dy * saved.y] }
}
struct Log: Primitive {  // dx = dy / x
    var saves: Saves { .input0 }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.log, x[0]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [dy / saved.x] }
}
struct Sqrt: Primitive {  // dx = dy / 2y
    var saves: Saves { .output }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.sqrt, x[0]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [dy / (saved.y * 2)] }
}
struct Tanh: Primitive {  // dx = dy · (1 − y²)
    var saves: Saves { .output }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.tanh, x[0]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let y = saved.y
        if !GradMode.isEnabled { return [elementwise(.tanhBackward, dy, y)] }
        return [dy * (1 - y * y)]
    }
}
struct Sigmoid: Primitive {  // dx = dy · y · (1 − y)
    var saves: Saves { .output }
    func forward(_ x: [Tensor]) -> Tensor { elementwise(.sigmoid, x[0]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let y = saved.y
        if !GradMode.isEnabled { return [elementwise(.sigmoidBackward, dy, y)] }
        return [dy * (y * (1 - y))]
    }
}
struct Relu: Primitive {  // dx = dy where y > 0, else 0
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

    /// e^x. Mirrors `torch.exp`.
    public func exp(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Exp()(real, at: SourceSite(file, line))
    }
    /// Natural logarithm. Mirrors `torch.log`.
    public func log(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Log()(real, at: SourceSite(file, line))
    }
    /// √x. Mirrors `torch.sqrt`.
    public func sqrt(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Sqrt()(real, at: SourceSite(file, line))
    }
    /// Hyperbolic tangent. Mirrors `torch.tanh`.
    public func tanh(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Tanh()(real, at: SourceSite(file, line))
    }
    /// 1 / (1 + e^−x). Mirrors `torch.sigmoid`.
    public func sigmoid(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Sigmoid()(real, at: SourceSite(file, line))
    }
    /// max(x, 0); the gradient at 0 is 0. Mirrors `torch.relu`.
    public func relu(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Relu()(self, at: SourceSite(file, line))
    }
}

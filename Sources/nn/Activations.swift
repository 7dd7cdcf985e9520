// Activation functions as modules. Mirrors torch.nn.

/// A module that is a function of its input alone.
public class FunctionModule: Module {
    private let function: (Tensor) -> Tensor
    private let arguments: String
    init(_ arguments: String = "", _ function: @escaping (Tensor) -> Tensor) {
        (self.arguments, self.function) = (arguments, function)
    }
    public override func forward(_ x: Tensor) -> Tensor { function(x) }
    public override var extraDescription: String { arguments }
}

/// x itself. Mirrors `torch.nn.Identity`.
public final class Identity: FunctionModule { public init() { super.init { $0 } } }
/// max(x, 0). Mirrors `torch.nn.ReLU`.
public final class ReLU: FunctionModule { public init() { super.init { $0.relu() } } }
/// 1 / (1 + e^−x). Mirrors `torch.nn.Sigmoid`.
public final class Sigmoid: FunctionModule { public init() { super.init { $0.sigmoid() } } }
/// Hyperbolic tangent. Mirrors `torch.nn.Tanh`.
public final class Tanh: FunctionModule { public init() { super.init { $0.tanh() } } }
/// x · sigmoid(x). Mirrors `torch.nn.SiLU`.
public final class SiLU: FunctionModule { public init() { super.init { $0.silu() } } }
/// x · tanh(softplus(x)). Mirrors `torch.nn.Mish`.
public final class Mish: FunctionModule { public init() { super.init { $0.mish() } } }
/// min(max(x, 0), 6). Mirrors `torch.nn.ReLU6`.
public final class ReLU6: FunctionModule { public init() { super.init { $0.relu6() } } }
/// Scaled ELU. Mirrors `torch.nn.SELU`.
public final class SELU: FunctionModule { public init() { super.init { $0.selu() } } }
/// x · min(max(x + 3, 0), 6) / 6. Mirrors `torch.nn.Hardswish`.
public final class Hardswish: FunctionModule { public init() { super.init { $0.hardswish() } } }
/// min(max(x + 3, 0), 6) / 6. Mirrors `torch.nn.Hardsigmoid`.
public final class Hardsigmoid: FunctionModule { public init() { super.init { $0.hardsigmoid() } } }
/// x / (1 + |x|). Mirrors `torch.nn.Softsign`.
public final class Softsign: FunctionModule { public init() { super.init { $0.softsign() } } }
/// ln sigmoid(x). Mirrors `torch.nn.LogSigmoid`.
public final class LogSigmoid: FunctionModule { public init() { super.init { $0.logSigmoid() } } }
/// x · Φ(x), or its tanh approximation. Mirrors `torch.nn.GELU`.
public final class GELU: FunctionModule {
    public init(tanh: Bool = false) { super.init("approximate='\(tanh ? "tanh" : "none")'") { $0.gelu(tanh: tanh) } }
}
/// max(0, x) + min(0, α(e^x − 1)). Mirrors `torch.nn.ELU`.
public final class ELU: FunctionModule {
    public init(alpha: Double = 1) { super.init("alpha=\(alpha)") { $0.elu(alpha: alpha) } }
}
/// max(0, x) + min(0, α(e^(x/α) − 1)). Mirrors `torch.nn.CELU`.
public final class CELU: FunctionModule {
    public init(alpha: Double = 1) { super.init("alpha=\(alpha)") { $0.celu(alpha: alpha) } }
}
/// x where positive, slope · x elsewhere. Mirrors `torch.nn.LeakyReLU`.
public final class LeakyReLU: FunctionModule {
    public init(negativeSlope: Double = 0.01) {
        super.init("negative_slope=\(negativeSlope)") { $0.leakyRelu(negativeSlope: negativeSlope) }
    }
}
/// Between two bounds. Mirrors `torch.nn.Hardtanh`.
public final class Hardtanh: FunctionModule {
    public init(minVal: Double = -1, maxVal: Double = 1) {
        super.init("min_val=\(minVal), max_val=\(maxVal)") { $0.hardtanh(minVal: minVal, maxVal: maxVal) }
    }
}
/// ln(1 + e^βx) / β. Mirrors `torch.nn.Softplus`.
public final class Softplus: FunctionModule {
    public init(beta: Double = 1, threshold: Double = 20) {
        super.init("beta=\(beta), threshold=\(threshold)") { $0.softplus(beta: beta, threshold: threshold) }
    }
}
/// e^x / Σ e^x along a dimension. Mirrors `torch.nn.Softmax`.
public final class Softmax: FunctionModule {
    public init(dim: Int) { super.init("dim=\(dim)") { $0.softmax(dim: dim) } }
}
/// x − ln Σ e^x along a dimension. Mirrors `torch.nn.LogSoftmax`.
public final class LogSoftmax: FunctionModule {
    public init(dim: Int) { super.init("dim=\(dim)") { $0.logSoftmax(dim: dim) } }
}
/// a · sigmoid(b) for two halves. Mirrors `torch.nn.GLU`.
public final class GLU: FunctionModule {
    public init(dim: Int = -1) { super.init("dim=\(dim)") { $0.glu(dim: dim) } }
}
/// x where |x| > λ, else 0. Mirrors `torch.nn.Hardshrink`.
public final class Hardshrink: FunctionModule {
    public init(_ lambd: Double = 0.5) { super.init("\(lambd)") { F.hardshrink($0, lambd: lambd) } }
}
/// x moved towards 0 by λ, 0 where |x| ≤ λ. Mirrors `torch.nn.Softshrink`.
public final class Softshrink: FunctionModule {
    public init(_ lambd: Double = 0.5) { super.init("\(lambd)") { F.softshrink($0, lambd: lambd) } }
}
/// x − tanh(x). Mirrors `torch.nn.Tanhshrink`.
public final class Tanhshrink: FunctionModule { public init() { super.init { F.tanhshrink($0) } } }
/// x where it is above a threshold, else a value. Mirrors `torch.nn.Threshold`.
public final class Threshold: FunctionModule {
    public init(_ threshold: Double, _ value: Double) {
        super.init("threshold=\(threshold), value=\(value)") { F.threshold($0, threshold: threshold, value: value) }
    }
}
/// e^−x / Σ e^−x along a dimension. Mirrors `torch.nn.Softmin`.
public final class Softmin: FunctionModule {
    public init(dim: Int) { super.init("dim=\(dim)") { F.softmin($0, dim: dim) } }
}
/// Softmax over the channels of [N, C, H, W] or [C, H, W]. Mirrors `torch.nn.Softmax2d`.
public final class Softmax2d: FunctionModule { public init() { super.init { $0.softmax(dim: -3) } } }
/// x where positive, a random slope · x elsewhere in training, the mean slope in evaluation. Mirrors `torch.nn.RReLU`
/// (Xu et al., 2015).
public final class RReLU: Module {
    public let lower, upper: Double
    public init(lower: Double = 1.0 / 8, upper: Double = 1.0 / 3) { (self.lower, self.upper) = (lower, upper) }
    public override func forward(_ x: Tensor) -> Tensor { F.rrelu(x, lower: lower, upper: upper, training: training) }
    public override var extraDescription: String { "lower=\(lower), upper=\(upper)" }
}
/// x where positive, a learned slope · x elsewhere. Mirrors `torch.nn.PReLU` (He et al., 2015).
public final class PReLU: Module {
    /// [numParameters]
    public let weight: Tensor
    public init(numParameters: Int = 1, initial: Double = 0.25) {
        weight = Tensor.full([numParameters], initial, requiresGrad: true)
    }
    public override func forward(_ x: Tensor) -> Tensor { x.prelu(weight) }
    public override var extraDescription: String { "num_parameters=\(weight.count)" }
}

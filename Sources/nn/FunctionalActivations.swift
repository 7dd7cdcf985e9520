// Activations as functions. Mirrors torch.nn.functional; formulas and gradients are those of the tensor's methods.

extension F {
    /// max(x, 0). Mirrors `F.relu`.
    public static func relu(_ x: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        x.relu(file: file, line: line)
    }
    /// 1 / (1 + e^−x). Mirrors `F.sigmoid`.
    public static func sigmoid(_ x: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        x.sigmoid(file: file, line: line)
    }
    /// Hyperbolic tangent. Mirrors `F.tanh`.
    public static func tanh(_ x: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        x.tanh(file: file, line: line)
    }
    /// e^x / Σ e^x along `dim`. Mirrors `F.softmax`.
    public static func softmax(_ x: Tensor, dim: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        x.softmax(dim: dim, file: file, line: line)
    }
    /// x − ln Σ e^x along `dim`. Mirrors `F.log_softmax`.
    public static func logSoftmax(_ x: Tensor, dim: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        x.logSoftmax(dim: dim, file: file, line: line)
    }
    /// x · Φ(x), or its tanh approximation. Mirrors `F.gelu`.
    public static func gelu(_ x: Tensor, tanh: Bool = false) -> Tensor { x.gelu(tanh: tanh) }
    /// x · sigmoid(x). Mirrors `F.silu`.
    public static func silu(_ x: Tensor) -> Tensor { x.silu() }
    /// x · tanh(softplus(x)). Mirrors `F.mish`.
    public static func mish(_ x: Tensor) -> Tensor { x.mish() }
    /// ln(1 + e^βx) / β, linear above the threshold. Mirrors `F.softplus`.
    public static func softplus(
        _ x: Tensor, beta: Double = 1, threshold: Double = 20, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { x.softplus(beta: beta, threshold: threshold, file: file, line: line) }
    /// x / (1 + |x|). Mirrors `F.softsign`.
    public static func softsign(_ x: Tensor) -> Tensor { x.softsign() }
    /// ln sigmoid(x). Mirrors `F.logsigmoid`.
    public static func logSigmoid(
        _ x: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { x.logSigmoid(file: file, line: line) }
    /// x where positive, slope · x elsewhere. Mirrors `F.leaky_relu`.
    public static func leakyRelu(
        _ x: Tensor, negativeSlope: Double = 0.01
    ) -> Tensor { x.leakyRelu(negativeSlope: negativeSlope) }
    /// max(0, x) + min(0, α(e^x − 1)). Mirrors `F.elu`.
    public static func elu(_ x: Tensor, alpha: Double = 1) -> Tensor { x.elu(alpha: alpha) }
    /// max(0, x) + min(0, α(e^(x/α) − 1)). Mirrors `F.celu`.
    public static func celu(
        _ x: Tensor, alpha: Double = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { x.celu(alpha: alpha, file: file, line: line) }
    /// Scaled ELU. Mirrors `F.selu`.
    public static func selu(_ x: Tensor) -> Tensor { x.selu() }
    /// min(max(x, 0), 6). Mirrors `F.relu6`.
    public static func relu6(_ x: Tensor) -> Tensor { x.relu6() }
    /// Between two bounds. Mirrors `F.hardtanh`.
    public static func hardtanh(
        _ x: Tensor, minVal: Double = -1, maxVal: Double = 1
    ) -> Tensor { x.hardtanh(minVal: minVal, maxVal: maxVal) }
    /// min(max(x + 3, 0), 6) / 6. Mirrors `F.hardsigmoid`.
    public static func hardsigmoid(
        _ x: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { x.hardsigmoid(file: file, line: line) }
    /// x · min(max(x + 3, 0), 6) / 6. Mirrors `F.hardswish`.
    public static func hardswish(_ x: Tensor) -> Tensor { x.hardswish() }
    /// a · sigmoid(b) for two halves. Mirrors `F.glu`.
    public static func glu(
        _ x: Tensor, dim: Int = -1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { x.glu(dim: dim, file: file, line: line) }
    /// x where positive, weight · x elsewhere. Mirrors `F.prelu`.
    public static func prelu(
        _ x: Tensor, _ weight: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { x.prelu(weight, file: file, line: line) }

    /// e^−x / Σ e^−x along `dim`. Mirrors `F.softmin`.
    public static func softmin(_ x: Tensor, dim: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        (-x).softmax(dim: dim, file: file, line: line)
    }
    /// x where |x| > λ, else 0. Mirrors `F.hardshrink`.
    public static func hardshrink(_ x: Tensor, lambd: Double = 0.5) -> Tensor {
        x.maskedFill(x.detach().abs().le(lambd), 0)
    }
    /// x − λ where x > λ, x + λ where x < −λ, else 0. Mirrors `F.softshrink`.
    public static func softshrink(_ x: Tensor, lambd: Double = 0.5) -> Tensor {
        (x - x.detach().sign() * lambd).maskedFill(x.detach().abs().le(lambd), 0)
    }
    /// x − tanh(x). Mirrors `F.tanhshrink`.
    public static func tanhshrink(_ x: Tensor) -> Tensor { x - x.tanh() }
    /// x where it is above `threshold`, else `value`. Mirrors `F.threshold`.
    public static func threshold(_ x: Tensor, threshold: Double, value: Double) -> Tensor {
        x.maskedFill(x.detach().le(threshold), value)
    }
    /// x where positive, a · x elsewhere: a drawn for each element from `lower ..< upper` in training, else their mean.
    /// With the same seed the slopes are torch's. Mirrors `F.rrelu` (Xu et al., 2015).
    public static func rrelu(
        _ x: Tensor, lower: Double = 1.0 / 8, upper: Double = 1.0 / 3, training: Bool = false,
        generator: Generator = .default
    ) -> Tensor {
        guard training else { return x.leakyRelu(negativeSlope: (lower + upper) / 2) }
        // One number is drawn for each element that is not positive, in order.
        let slopes = x.detach().le(0).array(Bool.self).map { $0 ? lower + (upper - lower) * generator.uniform() : 1 }
        return x * Tensor(slopes, shape: x.shape).to(x.dtype)
    }
}

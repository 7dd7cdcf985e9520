// Normalisation layers. Mirrors torch.nn.

/// What batch and instance normalisation share: weights for each channel, and running statistics. Mirrors torch's
/// `_NormBase`.
public class NormBase: Module {
    public let numFeatures: Int
    public let eps: Double
    /// Share of the newest batch in the running statistics; nil for their plain mean over all batches.
    public let momentum: Double?
    /// [C]; nil without `affine`.
    public let weight, bias: Tensor?
    /// [C]; nil without `trackRunningStats`.
    public let runningMean, runningVar: Tensor?
    /// Batches seen: 0-d int64.
    public let numBatchesTracked: Tensor?

    fileprivate init(_ numFeatures: Int, _ eps: Double, _ momentum: Double?, affine: Bool, trackRunningStats: Bool) {
        (self.numFeatures, self.eps, self.momentum) = (numFeatures, eps, momentum)
        weight = affine ? Tensor.ones([numFeatures], requiresGrad: true) : nil
        bias = affine ? Tensor.zeros([numFeatures], requiresGrad: true) : nil
        runningMean = trackRunningStats ? Tensor.zeros([numFeatures]) : nil
        runningVar = trackRunningStats ? Tensor.ones([numFeatures]) : nil
        numBatchesTracked = trackRunningStats ? Tensor(0) : nil
    }

    public override var bufferNames: Set<String> { ["runningMean", "runningVar", "numBatchesTracked"] }

    public override var extraDescription: String {
        "\(numFeatures), eps=\(shortNumber(eps)), momentum=\(momentum.map { "\($0)" } ?? "None"), "
            + "affine=\(weight != nil ? "True" : "False"), bias=\(bias != nil ? "True" : "False"), "
            + "track_running_stats=\(runningMean != nil ? "True" : "False")"
    }
}

/// Batch normalisation of [N, C, …]: the batch's statistics in training, running ones in evaluation.
public class BatchNorm: NormBase {
    public init(
        _ numFeatures: Int, eps: Double = 1e-5, momentum: Double? = 0.1, affine: Bool = true,
        trackRunningStats: Bool = true
    ) {
        super.init(numFeatures, eps, momentum, affine: affine, trackRunningStats: trackRunningStats)
    }

    public override func forward(_ x: Tensor) -> Tensor {
        var share = momentum ?? 0
        if training, let numBatchesTracked {
            numBatchesTracked.add_(1)
            if momentum == nil { share = 1 / (numBatchesTracked.item() as Double) }
        }
        return F.batchNorm(
            x, runningMean: runningMean, runningVar: runningVar, weight: weight, bias: bias,
            training: training || runningMean == nil, momentum: share, eps: eps)
    }
}
/// Batch normalisation of [N, C] or [N, C, L]. Mirrors `torch.nn.BatchNorm1d` (Ioffe & Szegedy, 2015).
public final class BatchNorm1d: BatchNorm {}
/// Batch normalisation of [N, C, H, W]. Mirrors `torch.nn.BatchNorm2d` (Ioffe & Szegedy, 2015).
public final class BatchNorm2d: BatchNorm {}

/// A small number as torch prints it: `1e-05`.
func shortNumber(_ value: Double) -> String {
    let text = "\(value)"
    guard let e = text.firstIndex(of: "e"), text.distance(from: e, to: text.endIndex) == 3 else { return text }
    let digit = text.last!
    return text[..<e].replacingOccurrences(of: ".0", with: "") + "e-0\(digit)"
}

/// Normalisation over the last dimensions. Mirrors `torch.nn.LayerNorm` (Ba et al., 2016).
public final class LayerNorm: Module {
    public let normalizedShape: [Int]
    public let eps: Double
    public let weight, bias: Tensor?
    public init(_ normalizedShape: [Int], eps: Double = 1e-5, elementwiseAffine: Bool = true, bias: Bool = true) {
        (self.normalizedShape, self.eps) = (normalizedShape, eps)
        weight = elementwiseAffine ? Tensor.ones(normalizedShape, requiresGrad: true) : nil
        self.bias = elementwiseAffine && bias ? Tensor.zeros(normalizedShape, requiresGrad: true) : nil
    }
    public convenience init(_ length: Int, eps: Double = 1e-5) { self.init([length], eps: eps) }
    public override func forward(_ x: Tensor) -> Tensor {
        F.layerNorm(x, normalizedShape: normalizedShape, weight: weight, bias: bias, eps: eps)
    }
    public override var extraDescription: String {
        "\(tupleOfShape(normalizedShape)), eps=\(shortNumber(eps)), "
            + "elementwise_affine=\(weight != nil ? "True" : "False"), bias=\(bias != nil ? "True" : "False")"
    }
}

/// x / √(mean(x²) + ε) over the last dimensions. Mirrors `torch.nn.RMSNorm` (Zhang & Sennrich, 2019).
public final class RMSNorm: Module {
    public let normalizedShape: [Int]
    public let eps: Double?
    public let weight: Tensor?
    public init(_ normalizedShape: [Int], eps: Double? = nil, elementwiseAffine: Bool = true) {
        (self.normalizedShape, self.eps) = (normalizedShape, eps)
        weight = elementwiseAffine ? Tensor.ones(normalizedShape, requiresGrad: true) : nil
    }
    public override func forward(_ x: Tensor) -> Tensor {
        F.rmsNorm(x, normalizedShape: normalizedShape, weight: weight, eps: eps)
    }
    public override var extraDescription: String {
        "\(tupleOfShape(normalizedShape)), eps=\(eps.map(shortNumber) ?? "None"), "
            + "elementwise_affine=\(weight != nil ? "True" : "False")"
    }
}

/// Normalisation over groups of channels. Mirrors `torch.nn.GroupNorm` (Wu & He, 2018).
public final class GroupNorm: Module {
    public let numGroups, numChannels: Int
    public let eps: Double
    public let weight, bias: Tensor?
    public init(_ numGroups: Int, _ numChannels: Int, eps: Double = 1e-5, affine: Bool = true) {
        (self.numGroups, self.numChannels, self.eps) = (numGroups, numChannels, eps)
        weight = affine ? Tensor.ones([numChannels], requiresGrad: true) : nil
        bias = affine ? Tensor.zeros([numChannels], requiresGrad: true) : nil
    }
    public override func forward(_ x: Tensor) -> Tensor {
        F.groupNorm(x, numGroups: numGroups, weight: weight, bias: bias, eps: eps)
    }
    public override var extraDescription: String {
        "\(numGroups), \(numChannels), eps=\(shortNumber(eps)), affine=\(weight != nil ? "True" : "False")"
    }
}

/// Normalisation of each channel of each sample. Mirrors `torch.nn.InstanceNorm2d` (Ulyanov et al., 2016).
public final class InstanceNorm2d: NormBase {
    public init(
        _ numFeatures: Int, eps: Double = 1e-5, momentum: Double = 0.1, affine: Bool = false,
        trackRunningStats: Bool = false
    ) {
        super.init(numFeatures, eps, momentum, affine: affine, trackRunningStats: trackRunningStats)
    }

    public override func forward(_ x: Tensor) -> Tensor {
        F.instanceNorm(
            x, runningMean: runningMean, runningVar: runningVar, weight: weight, bias: bias,
            useInputStats: training || runningMean == nil, momentum: momentum ?? 0, eps: eps)
    }
}

/// Normalisation over neighbouring channels. Mirrors `torch.nn.LocalResponseNorm` (Krizhevsky et al., 2012).
public final class LocalResponseNorm: Module {
    public let size: Int
    public let alpha, beta, k: Double
    public init(_ size: Int, alpha: Double = 1e-4, beta: Double = 0.75, k: Double = 1) {
        (self.size, self.alpha, self.beta, self.k) = (size, alpha, beta, k)
    }
    public override func forward(_ x: Tensor) -> Tensor {
        F.localResponseNorm(x, size: size, alpha: alpha, beta: beta, k: k)
    }
    public override var extraDescription: String { "\(size), alpha=\(alpha), beta=\(beta), k=\(k)" }
}

/// `(4,)` or `(2, 4)`, as Python prints a tuple.
private func tupleOfShape(_ shape: [Int]) -> String {
    "(" + shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? ",)" : ")")
}

// Losses as modules: each holds the options of the function of its name in `F`. Mirrors torch.nn.

/// A loss of an input and a target. A loss of one's own overrides `forward(_:_:)`.
open class Loss: Module {
    public override init() {}
    /// The loss; subclasses override it.
    open func forward(_ input: Tensor, _ target: Tensor) -> Tensor {
        preconditionFailure("\(type(of: self)) does not override forward(_:_:)")
    }
    public func callAsFunction(_ input: Tensor, _ target: Tensor) -> Tensor {
        withHooks([input, target]) { [forward($0[0], $0[1])] }[0]
    }
}

/// A loss that is a function of input and target alone.
public class FunctionLoss: Loss {
    private let function: (Tensor, Tensor) -> Tensor
    init(_ function: @escaping (Tensor, Tensor) -> Tensor) { self.function = function }
    public override func forward(_ input: Tensor, _ target: Tensor) -> Tensor { function(input, target) }
}

/// Cross-entropy of logits [N, C] and int64 classes [N], see `F.crossEntropy`. Mirrors `torch.nn.CrossEntropyLoss`.
public final class CrossEntropyLoss: Loss {
    /// [C]
    public let weight: Tensor?
    public let ignoreIndex: Int
    public let reduction: Tensor.Reduction
    public let labelSmoothing: Double

    public init(
        weight: Tensor? = nil, ignoreIndex: Int = -100, reduction: Tensor.Reduction = .mean, labelSmoothing: Double = 0
    ) {
        (self.weight, self.ignoreIndex) = (weight, ignoreIndex)
        (self.reduction, self.labelSmoothing) = (reduction, labelSmoothing)
    }

    public override var bufferNames: Set<String> { ["weight"] }
    public override func forward(_ input: Tensor, _ target: Tensor) -> Tensor {
        F.crossEntropy(
            input, target, weight: weight, ignoreIndex: ignoreIndex, reduction: reduction,
            labelSmoothing: labelSmoothing)
    }
}

/// Negative log-likelihood of log-probabilities [N, C] and int64 classes [N]. Mirrors `torch.nn.NLLLoss`.
public final class NLLLoss: Loss {
    /// [C]
    public let weight: Tensor?
    public let ignoreIndex: Int
    public let reduction: Tensor.Reduction

    public init(weight: Tensor? = nil, ignoreIndex: Int = -100, reduction: Tensor.Reduction = .mean) {
        (self.weight, self.ignoreIndex, self.reduction) = (weight, ignoreIndex, reduction)
    }

    public override var bufferNames: Set<String> { ["weight"] }
    public override func forward(_ input: Tensor, _ target: Tensor) -> Tensor {
        F.nllLoss(input, target, weight: weight, ignoreIndex: ignoreIndex, reduction: reduction)
    }
}

/// Cross-entropy of probabilities [N, C], clipped to [ε, 1 − ε], and int64 classes [N]: Keras'
/// `SparseCategoricalCrossentropy(from_logits=False)`, for models that end with a softmax.
public final class ProbabilityCrossEntropyLoss: FunctionLoss {
    public init(eps: Double = 1e-7, reduction: Tensor.Reduction = .mean) {
        super.init { F.probabilityCrossEntropy($0, $1, eps: eps, reduction: reduction) }
    }
}

/// −w (y ln x + (1 − y) ln(1 − x)) of probabilities. Mirrors `torch.nn.BCELoss`.
public final class BCELoss: Loss {
    public let weight: Tensor?
    public let reduction: Tensor.Reduction
    public init(weight: Tensor? = nil, reduction: Tensor.Reduction = .mean) {
        (self.weight, self.reduction) = (weight, reduction)
    }
    public override var bufferNames: Set<String> { ["weight"] }
    public override func forward(_ input: Tensor, _ target: Tensor) -> Tensor {
        F.binaryCrossEntropy(input, target, weight: weight, reduction: reduction)
    }
}

/// The same of sigmoid(x), stable for any logits. Mirrors `torch.nn.BCEWithLogitsLoss`.
public final class BCEWithLogitsLoss: Loss {
    public let weight, posWeight: Tensor?
    public let reduction: Tensor.Reduction
    public init(weight: Tensor? = nil, reduction: Tensor.Reduction = .mean, posWeight: Tensor? = nil) {
        (self.weight, self.reduction, self.posWeight) = (weight, reduction, posWeight)
    }
    public override var bufferNames: Set<String> { ["weight", "posWeight"] }
    public override func forward(_ input: Tensor, _ target: Tensor) -> Tensor {
        F.binaryCrossEntropyWithLogits(input, target, weight: weight, reduction: reduction, posWeight: posWeight)
    }
}

/// (x − y)². Mirrors `torch.nn.MSELoss`.
public final class MSELoss: FunctionLoss {
    public init(reduction: Tensor.Reduction = .mean) { super.init { F.mseLoss($0, $1, reduction: reduction) } }
}
/// |x − y|. Mirrors `torch.nn.L1Loss`.
public final class L1Loss: FunctionLoss {
    public init(reduction: Tensor.Reduction = .mean) { super.init { F.l1Loss($0, $1, reduction: reduction) } }
}
/// Quadratic below β, linear above. Mirrors `torch.nn.SmoothL1Loss` (Girshick, 2015).
public final class SmoothL1Loss: FunctionLoss {
    public init(reduction: Tensor.Reduction = .mean, beta: Double = 1) {
        super.init { F.smoothL1Loss($0, $1, reduction: reduction, beta: beta) }
    }
}
/// Quadratic below δ, linear above. Mirrors `torch.nn.HuberLoss` (Huber, 1964).
public final class HuberLoss: FunctionLoss {
    public init(reduction: Tensor.Reduction = .mean, delta: Double = 1) {
        super.init { F.huberLoss($0, $1, reduction: reduction, delta: delta) }
    }
}
/// y (ln y − x) of log-probabilities x. Mirrors `torch.nn.KLDivLoss`.
public final class KLDivLoss: FunctionLoss {
    public init(reduction: F.KLReduction = .mean, logTarget: Bool = false) {
        super.init { F.klDiv($0, $1, reduction: reduction, logTarget: logTarget) }
    }
}
/// x where y = 1, max(0, margin − x) where y = −1. Mirrors `torch.nn.HingeEmbeddingLoss`.
public final class HingeEmbeddingLoss: FunctionLoss {
    public init(margin: Double = 1, reduction: Tensor.Reduction = .mean) {
        super.init { F.hingeEmbeddingLoss($0, $1, margin: margin, reduction: reduction) }
    }
}
/// ln(1 + e^(−y x)). Mirrors `torch.nn.SoftMarginLoss`.
public final class SoftMarginLoss: FunctionLoss {
    public init(reduction: Tensor.Reduction = .mean) { super.init { F.softMarginLoss($0, $1, reduction: reduction) } }
}
/// e^x − y x, or of x itself. Mirrors `torch.nn.PoissonNLLLoss`.
public final class PoissonNLLLoss: FunctionLoss {
    public init(logInput: Bool = true, full: Bool = false, eps: Double = 1e-8, reduction: Tensor.Reduction = .mean) {
        super.init { F.poissonNLLLoss($0, $1, logInput: logInput, full: full, eps: eps, reduction: reduction) }
    }
}

/// A loss of three tensors.
public class TripleLoss: Module {
    private let function: (Tensor, Tensor, Tensor) -> Tensor
    init(_ function: @escaping (Tensor, Tensor, Tensor) -> Tensor) { self.function = function }
    public func callAsFunction(_ first: Tensor, _ second: Tensor, _ third: Tensor) -> Tensor {
        withHooks([first, second, third]) { [function($0[0], $0[1], $0[2])] }[0]
    }
}

/// max(0, −y (x₁ − x₂) + margin) of x₁, x₂ and y = ±1. Mirrors `torch.nn.MarginRankingLoss`.
public final class MarginRankingLoss: TripleLoss {
    public init(margin: Double = 0, reduction: Tensor.Reduction = .mean) {
        super.init { F.marginRankingLoss($0, $1, $2, margin: margin, reduction: reduction) }
    }
}
/// 1 − cos(x₁, x₂) where y = 1, max(0, cos − margin) where y = −1. Mirrors `torch.nn.CosineEmbeddingLoss`.
public final class CosineEmbeddingLoss: TripleLoss {
    public init(margin: Double = 0, reduction: Tensor.Reduction = .mean) {
        super.init { F.cosineEmbeddingLoss($0, $1, $2, margin: margin, reduction: reduction) }
    }
}
/// max(0, d(a, p) − d(a, n) + margin) of anchor, positive and negative. Mirrors `torch.nn.TripletMarginLoss`.
public final class TripletMarginLoss: TripleLoss {
    public init(
        margin: Double = 1, p: Double = 2, eps: Double = 1e-6, swap: Bool = false, reduction: Tensor.Reduction = .mean
    ) {
        super.init {
            F.tripletMarginLoss($0, $1, $2, margin: margin, p: p, eps: eps, swap: swap, reduction: reduction)
        }
    }
}
/// The cosine of the angle between two tensors along a dimension. Mirrors `torch.nn.CosineSimilarity`.
public final class CosineSimilarity: Module {
    public let dim: Int
    public let eps: Double
    public init(dim: Int = 1, eps: Double = 1e-8) { (self.dim, self.eps) = (dim, eps) }
    public func callAsFunction(_ x1: Tensor, _ x2: Tensor) -> Tensor {
        withHooks([x1, x2]) { [F.cosineSimilarity($0[0], $0[1], dim: dim, eps: eps)] }[0]
    }
}

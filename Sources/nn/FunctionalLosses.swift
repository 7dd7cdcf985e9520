// Loss functions, written in tensor ops. Mirrors torch.nn.functional; formulas in each comment, elementwise, then
// reduced.
import Foundation

/// −(y ln x + (1 − y) ln(1 − x)), logarithms no smaller than −100. dx = dy (x − y) / max(x (1 − x), 1e-12): a clamped
/// logarithm alone would have none; dy = dy (ln(1 − x) − ln x).
private struct BinaryCrossEntropy: CustomFunction {
    func forward(_ t: [Tensor]) -> Tensor {
        let (x, y) = (t[0], t[1])
        return -(y * x.log().clamp(min: -100) + (1 - y) * (-x).log1p().clamp(min: -100))
    }
    func backward(_ t: [Tensor], _ output: Tensor, _ dy: Tensor) -> [Tensor?] {
        let (x, y) = (t[0], t[1])
        return [
            dy * (x - y) / (x * (1 - x)).clamp(min: 1e-12),
            dy * ((-x).log1p().clamp(min: -100) - x.log().clamp(min: -100)),
        ]
    }
}

extension F {
    /// Elements of a loss to its value.
    static func reduce(_ loss: Tensor, _ reduction: Tensor.Reduction) -> Tensor {
        switch reduction {
        case .none: loss
        case .sum: loss.sum()
        case .mean: loss.mean()
        }
    }

    /// (x − y)². Mirrors `F.mse_loss`.
    public static func mseLoss(_ input: Tensor, _ target: Tensor, reduction: Tensor.Reduction = .mean) -> Tensor {
        reduce((input - target).square(), reduction)
    }
    /// |x − y|. Mirrors `F.l1_loss`.
    public static func l1Loss(_ input: Tensor, _ target: Tensor, reduction: Tensor.Reduction = .mean) -> Tensor {
        reduce((input - target).abs(), reduction)
    }
    /// ½ d² / β where d = |x − y| < β, else d − ½ β. Mirrors `F.smooth_l1_loss` (Girshick, 2015).
    public static func smoothL1Loss(
        _ input: Tensor, _ target: Tensor, reduction: Tensor.Reduction = .mean, beta: Double = 1
    ) -> Tensor {
        if beta == 0 { return l1Loss(input, target, reduction: reduction) }
        let d = (input - target).abs()
        return reduce(Tensor.where(d.detach().lt(beta), d.square() * (0.5 / beta), d - 0.5 * beta), reduction)
    }
    /// ½ d² where d = |x − y| ≤ δ, else δ (d − ½ δ). Mirrors `F.huber_loss` (Huber, 1964).
    public static func huberLoss(
        _ input: Tensor, _ target: Tensor, reduction: Tensor.Reduction = .mean, delta: Double = 1
    ) -> Tensor {
        let d = (input - target).abs()
        return reduce(Tensor.where(d.detach().le(delta), d.square() * 0.5, (d - 0.5 * delta) * delta), reduction)
    }
    /// −w (y ln x + (1 − y) ln(1 − x)), logarithms no smaller than −100. Mirrors `F.binary_cross_entropy`.
    public static func binaryCrossEntropy(
        _ input: Tensor, _ target: Tensor, weight: Tensor? = nil, reduction: Tensor.Reduction = .mean
    ) -> Tensor {
        var loss = BinaryCrossEntropy().apply(input, target)
        if let weight { loss = loss * weight }
        return reduce(loss, reduction)
    }
    /// The same of sigmoid(x), stable: (1 − y) x + (1 + (p − 1) y) (ln(1 + e^−|x|) + max(−x, 0)), p the weight of
    /// positives. Mirrors `F.binary_cross_entropy_with_logits`.
    public static func binaryCrossEntropyWithLogits(
        _ input: Tensor, _ target: Tensor, weight: Tensor? = nil, reduction: Tensor.Reduction = .mean,
        posWeight: Tensor? = nil
    ) -> Tensor {
        let logarithm = input.logSigmoid()
        let positive = posWeight.map { (($0 - 1) * target + 1) * logarithm } ?? logarithm
        var loss = (1 - target) * input - positive
        if let weight { loss = loss * weight }
        return reduce(loss, reduction)
    }
    /// y (ln y − x), x being log-probabilities; with `logTarget` e^y (y − x). `batchmean` divides the sum by the batch.
    /// Mirrors `F.kl_div`.
    public static func klDiv(
        _ input: Tensor, _ target: Tensor, reduction: KLReduction = .mean, logTarget: Bool = false
    ) -> Tensor {
        let loss: Tensor
        if logTarget {
            loss = target.exp() * (target - input)
        } else {
            let positive = target.detach().gt(0)
            let safe = Tensor.where(positive, target, Tensor.ones(like: target))
            let entropy = Tensor.where(positive, safe * safe.log(), Tensor.zeros(like: target))
            loss = entropy - target * input
        }
        switch reduction {
        case .none: return loss
        case .sum: return loss.sum()
        case .mean: return loss.mean()
        case .batchmean: return loss.sum() / Swift.max(1, input.rank == 0 ? 1 : input.shape[0])
        }
    }
    /// How `klDiv` reduces.
    public enum KLReduction: String, Sendable { case none, mean, sum, batchmean }

    /// max(0, −y (x₁ − x₂) + margin). Mirrors `F.margin_ranking_loss`.
    public static func marginRankingLoss(
        _ input1: Tensor, _ input2: Tensor, _ target: Tensor, margin: Double = 0, reduction: Tensor.Reduction = .mean
    ) -> Tensor { reduce(clampedBelow(-target * (input1 - input2) + margin), reduction) }
    /// x where y = 1, max(0, margin − x) where y = −1. Mirrors `F.hinge_embedding_loss`.
    public static func hingeEmbeddingLoss(
        _ input: Tensor, _ target: Tensor, margin: Double = 1, reduction: Tensor.Reduction = .mean
    ) -> Tensor {
        let zero = Tensor.zeros(like: input)
        let far = Tensor.where(target.ne(1), clampedBelow(margin - input), zero)
        return reduce(far + Tensor.where(target.ne(-1), input, zero), reduction)
    }
    /// ln(1 + e^(−y x)). Mirrors `F.soft_margin_loss`.
    public static func softMarginLoss(
        _ input: Tensor, _ target: Tensor, reduction: Tensor.Reduction = .mean
    ) -> Tensor { reduce((-target * input).exp().log1p(), reduction) }
    /// e^x − y x, or x − y ln(x + ε) if x is no logarithm; `full` adds Stirling's term. Mirrors `F.poisson_nll_loss`.
    public static func poissonNLLLoss(
        _ input: Tensor, _ target: Tensor, logInput: Bool = true, full: Bool = false, eps: Double = 1e-8,
        reduction: Tensor.Reduction = .mean
    ) -> Tensor {
        var loss = logInput ? input.exp() - target * input : input - target * (input + eps).log()
        if full {
            let stirling = target * target.log() - target + (target * (2 * Double.pi)).log() * 0.5
            loss = loss + Tensor.where(target.detach().gt(1), stirling, Tensor.zeros(like: target))
        }
        return reduce(loss, reduction)
    }

    /// x₁ · x₂ / (max(‖x₁‖, ε) max(‖x₂‖, ε)) along `dim`. Mirrors `F.cosine_similarity`.
    public static func cosineSimilarity(_ x1: Tensor, _ x2: Tensor, dim: Int = 1, eps: Double = 1e-8) -> Tensor {
        let a = x1 / x1.norm(dims: [dim], keepdim: true).clamp(min: eps)
        let b = x2 / x2.norm(dims: [dim], keepdim: true).clamp(min: eps)
        return (a * b).sum(dim: dim)
    }
    /// 1 − cos where y = 1, max(0, cos − margin) where y = −1. Mirrors `F.cosine_embedding_loss`.
    public static func cosineEmbeddingLoss(
        _ input1: Tensor, _ input2: Tensor, _ target: Tensor, margin: Double = 0, reduction: Tensor.Reduction = .mean
    ) -> Tensor {
        let dim = target.rank
        let tiny = 1e-12
        let dot = (input1 * input2).sum(dim: dim)
        let lengths = ((input1.square().sum(dim: dim) + tiny) * (input2.square().sum(dim: dim) + tiny)).sqrt()
        let cosine = dot / lengths
        let zero = Tensor.zeros(like: cosine)
        let near = Tensor.where(target.eq(1), 1 - cosine, zero)
        return reduce(near + Tensor.where(target.eq(-1), clampedBelow(cosine - margin), zero), reduction)
    }
    /// max(0, d(a, p) − d(a, n) + margin) with d(x, y) = ‖x − y + ε‖ₚ over the last dimension.
    /// Mirrors `F.triplet_margin_loss`.
    public static func tripletMarginLoss(
        _ anchor: Tensor, _ positive: Tensor, _ negative: Tensor, margin: Double = 1, p: Double = 2, eps: Double = 1e-6,
        swap: Bool = false, reduction: Tensor.Reduction = .mean
    ) -> Tensor {
        func distance(_ a: Tensor, _ b: Tensor) -> Tensor { (a - b + eps).norm(p: p, dims: [-1]) }
        var far = distance(anchor, negative)
        if swap { far = far.minimum(distance(positive, negative)) }
        return reduce(clampedBelow(distance(anchor, positive) - far + margin), reduction)
    }
    /// Cross-entropy of probabilities and classes: −ln of the class's share, clipped to [ε, 1 − ε]: Keras'
    /// `sparse_categorical_crossentropy` without logits.
    public static func probabilityCrossEntropy(
        _ probabilities: Tensor, _ target: Tensor, eps: Double = 1e-7, reduction: Tensor.Reduction = .mean
    ) -> Tensor { nllLoss(probabilities.clamp(min: eps, max: 1 - eps).log(), target, reduction: reduction) }

    /// max(x, 0), with torch's `clamp_min` gradient: 1 at 0.
    private static func clampedBelow(_ x: Tensor) -> Tensor {
        Tensor.where(x.detach().lt(0), Tensor.zeros(like: x), x)
    }
}

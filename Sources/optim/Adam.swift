// Adam.
import Foundation
import Kernels

/// Adaptive moments: `m = β₁m + (1−β₁)g; v = β₂v + (1−β₂)g²; p −= lr · m̂ / (√v̂ + ε)` with m̂, v̂ corrected for their
/// start at zero. `amsgrad` takes the largest v so far. Mirrors `torch.optim.Adam` (Kingma & Ba, 2015).
public final class Adam: Optimizer {
    public convenience init(
        _ parameters: [Tensor], lr: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999), eps: Double = 1e-8,
        weightDecay: Double = 0, amsgrad: Bool = false, maximize: Bool = false, decoupledWeightDecay: Bool = false
    ) {
        self.init(
            [ParameterGroup(parameters)], lr: lr, betas: betas, eps: eps, weightDecay: weightDecay, amsgrad: amsgrad,
            maximize: maximize, decoupledWeightDecay: decoupledWeightDecay)
    }

    public init(
        _ groups: [ParameterGroup], lr: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999), eps: Double = 1e-8,
        weightDecay: Double = 0, amsgrad: Bool = false, maximize: Bool = false, decoupledWeightDecay: Bool = false
    ) {
        precondition(lr >= 0 && eps >= 0 && weightDecay >= 0, "Adam: lr, eps and weightDecay are not negative")
        precondition(
            (0..<1).contains(betas.0) && (0..<1).contains(betas.1), "Adam: betas \(betas) do not lie in [0, 1)")
        super.init(
            groups,
            defaults: [
                "lr": lr, "beta1": betas.0, "beta2": betas.1, "eps": eps, "weightDecay": weightDecay,
                "amsgrad": amsgrad ? 1 : 0, "maximize": maximize ? 1 : 0,
                "decoupledWeightDecay": decoupledWeightDecay ? 1 : 0,
            ])
    }

    override func update(_ parameter: Tensor, _ gradient: Tensor, _ group: ParameterGroup, step: Int) {
        let (beta1, beta2) = (group["beta1"], group["beta2"])
        let settings = AdamSettings(
            lr: group.lr, beta1: beta1, beta2: beta2, eps: group["eps"], weightDecay: group["weightDecay"],
            correction1: 1 - pow(beta1, Double(step)), correction2: 1 - pow(beta2, Double(step)),
            decoupled: group["decoupledWeightDecay"] != 0, maximize: group["maximize"] != 0)
        parameter.adamStep(
            settings, gradient: gradient, m: zeroed("expAvg", of: parameter), v: zeroed("expAvgSq", of: parameter),
            vMax: group["amsgrad"] != 0 ? zeroed("maxExpAvgSq", of: parameter) : nil)
    }
}

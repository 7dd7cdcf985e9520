// Optimisers of Adam's family and others with a learning rate for each weight, written in tensor ops in the order of
// operations of torch's single-tensor implementations. `t` counts a parameter's updates from 1.
import Foundation
import Kernels

/// What these optimisers share: weight decay and ascent before the update proper.
public class GradientOptimizer: Optimizer {
    /// Adds weight decay to the gradient (or shrinks the parameter, if decoupled), turns it round for ascent.
    func prepared(_ p: Tensor, _ g: Tensor, _ group: ParameterGroup) -> Tensor {
        let gradient = group.options["maximize"] == 1 ? -g : g
        let decay = group.options["weightDecay"] ?? 0
        if decay == 0 { return gradient }
        if group.options["decoupledWeightDecay"] == 1 {
            p.assign(p * (1 - group.lr * decay))
            return gradient
        }
        return gradient + p * decay
    }

    /// `kept ← β·kept + (1 − β)·value`, returned.
    func average(_ name: String, _ p: Tensor, _ value: Tensor, _ beta: Double) -> Tensor {
        let kept = zeroed(name, of: p)
        kept.assign(kept + (value - kept) * (1 - beta))
        return kept
    }
    /// The same as torch writes it for squares: `β·kept + (1 − β)·value`.
    func averageOfSquares(_ name: String, _ p: Tensor, _ g: Tensor, _ beta: Double) -> Tensor {
        let kept = zeroed(name, of: p)
        kept.assign(kept * beta + g * g * (1 - beta))
        return kept
    }
}

/// A Bool as an option.
func flag(_ value: Bool) -> Double { value ? 1 : 0 }

/// Adam with weight decay taken off the weights instead of added to the gradient. Mirrors `torch.optim.AdamW`
/// (Loshchilov & Hutter, 2019).
public func AdamW(
    _ parameters: [Tensor], lr: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999), eps: Double = 1e-8,
    weightDecay: Double = 1e-2, amsgrad: Bool = false, maximize: Bool = false
) -> Adam {
    AdamW(
        [.init(parameters)], lr: lr, betas: betas, eps: eps, weightDecay: weightDecay, amsgrad: amsgrad,
        maximize: maximize)
}
public func AdamW(
    _ groups: [Optimizer.ParameterGroup], lr: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999), eps: Double = 1e-8,
    weightDecay: Double = 1e-2, amsgrad: Bool = false, maximize: Bool = false
) -> Adam {
    Adam(
        groups, lr: lr, betas: betas, eps: eps, weightDecay: weightDecay, amsgrad: amsgrad, maximize: maximize,
        decoupledWeightDecay: true)
}

/// Adam with Nesterov momentum: `μₜ = β₁(1 − ½·0.96^(tψ))`. Mirrors `torch.optim.NAdam` (Dozat, 2016).
public final class NAdam: GradientOptimizer {
    public convenience init(
        _ parameters: [Tensor], lr: Double = 2e-3, betas: (Double, Double) = (0.9, 0.999), eps: Double = 1e-8,
        weightDecay: Double = 0, momentumDecay: Double = 4e-3, decoupledWeightDecay: Bool = false,
        maximize: Bool = false
    ) {
        self.init(
            [ParameterGroup(parameters)], lr: lr, betas: betas, eps: eps, weightDecay: weightDecay,
            momentumDecay: momentumDecay, decoupledWeightDecay: decoupledWeightDecay, maximize: maximize)
    }
    public init(
        _ groups: [ParameterGroup], lr: Double = 2e-3, betas: (Double, Double) = (0.9, 0.999), eps: Double = 1e-8,
        weightDecay: Double = 0, momentumDecay: Double = 4e-3, decoupledWeightDecay: Bool = false,
        maximize: Bool = false
    ) {
        super.init(
            groups,
            defaults: [
                "lr": lr, "beta1": betas.0, "beta2": betas.1, "eps": eps, "weightDecay": weightDecay,
                "momentumDecay": momentumDecay, "decoupledWeightDecay": flag(decoupledWeightDecay),
                "maximize": flag(maximize),
            ])
    }

    override func update(_ p: Tensor, _ g: Tensor, _ group: ParameterGroup, step t: Int) {
        let (beta1, beta2, decay) = (group["beta1"], group["beta2"], group["momentumDecay"])
        func mu(_ step: Int) -> Double { beta1 * (1 - 0.5 * pow(0.96, Double(step) * decay)) }
        // The product of μ so far, in Float, as torch keeps it.
        let product = Float(numbers[ObjectIdentifier(p)]?["muProduct"] ?? 1) * Float(mu(t))
        numbers[ObjectIdentifier(p), default: [:]]["muProduct"] = Double(product)
        p.nadamStep(
            NAdamSettings(
                lr: group.lr, beta1: beta1, beta2: beta2, eps: group["eps"], weightDecay: group["weightDecay"],
                correction2: 1 - pow(beta2, Double(t)),
                gradientScale: group.lr * (1 - mu(t)) / (1 - Double(product)),
                momentumScale: group.lr * mu(t + 1) / (1 - Double(product) * mu(t + 1)),
                decoupled: group["decoupledWeightDecay"] != 0, maximize: group["maximize"] != 0),
            gradient: g, m: zeroed("expAvg", of: p), v: zeroed("expAvgSq", of: p))
    }
}

/// Adam whose rate is rectified while the variance is uncertain. Mirrors `torch.optim.RAdam` (Liu et al., 2020).
public final class RAdam: GradientOptimizer {
    public convenience init(
        _ parameters: [Tensor], lr: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999), eps: Double = 1e-8,
        weightDecay: Double = 0, decoupledWeightDecay: Bool = false, maximize: Bool = false
    ) {
        self.init(
            [ParameterGroup(parameters)], lr: lr, betas: betas, eps: eps, weightDecay: weightDecay,
            decoupledWeightDecay: decoupledWeightDecay, maximize: maximize)
    }
    public init(
        _ groups: [ParameterGroup], lr: Double = 1e-3, betas: (Double, Double) = (0.9, 0.999), eps: Double = 1e-8,
        weightDecay: Double = 0, decoupledWeightDecay: Bool = false, maximize: Bool = false
    ) {
        super.init(
            groups,
            defaults: [
                "lr": lr, "beta1": betas.0, "beta2": betas.1, "eps": eps, "weightDecay": weightDecay,
                "decoupledWeightDecay": flag(decoupledWeightDecay), "maximize": flag(maximize),
            ])
    }

    override func update(_ p: Tensor, _ g: Tensor, _ group: ParameterGroup, step: Int) {
        let (beta1, beta2, t) = (group["beta1"], group["beta2"], Double(step))
        let gradient = prepared(p, g, group)
        let m = average("expAvg", p, gradient, beta1)
        let v = averageOfSquares("expAvgSq", p, gradient, beta2)
        let corrected = m / (1 - pow(beta1, t))
        let correction2 = 1 - pow(beta2, t)
        let longest = 2 / (1 - beta2) - 1
        let length = longest - 2 * t * pow(beta2, t) / correction2
        guard length > 5 else { return p.assign(p - corrected * group.lr) }
        let rectified = ((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)).squareRoot()
        p.assign(p - corrected * group.lr * (correction2.squareRoot() / (v.sqrt() + group["eps"])) * rectified)
    }
}

/// Adam with the largest gradient instead of the mean square. Mirrors `torch.optim.Adamax` (Kingma & Ba, 2015).
public final class Adamax: GradientOptimizer {
    public convenience init(
        _ parameters: [Tensor], lr: Double = 2e-3, betas: (Double, Double) = (0.9, 0.999), eps: Double = 1e-8,
        weightDecay: Double = 0, maximize: Bool = false
    ) {
        self.init(
            [ParameterGroup(parameters)], lr: lr, betas: betas, eps: eps, weightDecay: weightDecay, maximize: maximize)
    }
    public init(
        _ groups: [ParameterGroup], lr: Double = 2e-3, betas: (Double, Double) = (0.9, 0.999), eps: Double = 1e-8,
        weightDecay: Double = 0, maximize: Bool = false
    ) {
        super.init(
            groups,
            defaults: [
                "lr": lr, "beta1": betas.0, "beta2": betas.1, "eps": eps, "weightDecay": weightDecay,
                "maximize": flag(maximize),
            ])
    }

    override func update(_ p: Tensor, _ g: Tensor, _ group: ParameterGroup, step: Int) {
        let gradient = prepared(p, g, group)
        let m = average("expAvg", p, gradient, group["beta1"])
        let largest = zeroed("expInf", of: p)
        largest.assign((largest * group["beta2"]).maximum(gradient.abs() + group["eps"]))
        p.assign(p - m / largest * (group.lr / (1 - pow(group["beta1"], Double(step)))))
    }
}

/// Rates that fall with the sum of squared gradients. Mirrors `torch.optim.Adagrad` (Duchi et al., 2011).
public final class Adagrad: GradientOptimizer {
    public convenience init(
        _ parameters: [Tensor], lr: Double = 1e-2, lrDecay: Double = 0, weightDecay: Double = 0,
        initialAccumulatorValue: Double = 0, eps: Double = 1e-10, maximize: Bool = false
    ) {
        self.init(
            [ParameterGroup(parameters)], lr: lr, lrDecay: lrDecay, weightDecay: weightDecay,
            initialAccumulatorValue: initialAccumulatorValue, eps: eps, maximize: maximize)
    }
    public init(
        _ groups: [ParameterGroup], lr: Double = 1e-2, lrDecay: Double = 0, weightDecay: Double = 0,
        initialAccumulatorValue: Double = 0, eps: Double = 1e-10, maximize: Bool = false
    ) {
        super.init(
            groups,
            defaults: [
                "lr": lr, "lrDecay": lrDecay, "weightDecay": weightDecay, "eps": eps,
                "initialAccumulatorValue": initialAccumulatorValue, "maximize": flag(maximize),
            ])
    }

    override func update(_ p: Tensor, _ g: Tensor, _ group: ParameterGroup, step: Int) {
        let gradient = prepared(p, g, group)
        let sum = zeroed("sum", of: p)
        if step == 1 { sum.fill_(group["initialAccumulatorValue"]) }
        sum.assign(sum + gradient * gradient)
        let rate = group.lr / (1 + Double(step - 1) * group["lrDecay"])
        p.assign(p - gradient / (sum.sqrt() + group["eps"]) * rate)
    }
}

/// Rates from running means of squared gradients and updates. Mirrors `torch.optim.Adadelta` (Zeiler, 2012).
public final class Adadelta: GradientOptimizer {
    public convenience init(
        _ parameters: [Tensor], lr: Double = 1, rho: Double = 0.9, eps: Double = 1e-6, weightDecay: Double = 0,
        maximize: Bool = false
    ) {
        self.init(
            [ParameterGroup(parameters)], lr: lr, rho: rho, eps: eps, weightDecay: weightDecay, maximize: maximize)
    }
    public init(
        _ groups: [ParameterGroup], lr: Double = 1, rho: Double = 0.9, eps: Double = 1e-6, weightDecay: Double = 0,
        maximize: Bool = false
    ) {
        super.init(
            groups,
            defaults: ["lr": lr, "rho": rho, "eps": eps, "weightDecay": weightDecay, "maximize": flag(maximize)])
    }

    override func update(_ p: Tensor, _ g: Tensor, _ group: ParameterGroup, step: Int) {
        let gradient = prepared(p, g, group)
        let squares = averageOfSquares("squareAvg", p, gradient, group["rho"])
        let updates = zeroed("accDelta", of: p)
        let delta = (updates + group["eps"]).sqrt() / (squares + group["eps"]).sqrt() * gradient
        updates.assign(updates * group["rho"] + delta * delta * (1 - group["rho"]))
        p.assign(p - delta * group.lr)
    }
}

/// Rates from a running mean of squared gradients, centred and with momentum if asked. Mirrors `torch.optim.RMSprop`
/// (Hinton, 2012).
public final class RMSprop: GradientOptimizer {
    public convenience init(
        _ parameters: [Tensor], lr: Double = 1e-2, alpha: Double = 0.99, eps: Double = 1e-8, weightDecay: Double = 0,
        momentum: Double = 0, centered: Bool = false, maximize: Bool = false
    ) {
        self.init(
            [ParameterGroup(parameters)], lr: lr, alpha: alpha, eps: eps, weightDecay: weightDecay, momentum: momentum,
            centered: centered, maximize: maximize)
    }
    public init(
        _ groups: [ParameterGroup], lr: Double = 1e-2, alpha: Double = 0.99, eps: Double = 1e-8,
        weightDecay: Double = 0,
        momentum: Double = 0, centered: Bool = false, maximize: Bool = false
    ) {
        super.init(
            groups,
            defaults: [
                "lr": lr, "alpha": alpha, "eps": eps, "weightDecay": weightDecay, "momentum": momentum,
                "centered": flag(centered), "maximize": flag(maximize),
            ])
    }

    override func update(_ p: Tensor, _ g: Tensor, _ group: ParameterGroup, step: Int) {
        let gradient = prepared(p, g, group)
        var squares = averageOfSquares("squareAvg", p, gradient, group["alpha"])
        if group["centered"] != 0 {
            let mean = average("gradAvg", p, gradient, group["alpha"])
            squares = squares - mean * mean
        }
        var change = gradient / (squares.sqrt() + group["eps"])
        if group["momentum"] > 0 {
            let buffer = zeroed("momentumBuffer", of: p)
            buffer.assign(buffer * group["momentum"] + change)
            change = buffer
        }
        p.assign(p - change * group.lr)
    }
}

/// Steps by the gradient's sign, longer while it stays, shorter when it turns. Mirrors `torch.optim.Rprop`
/// (Riedmiller & Braun, 1993).
public final class Rprop: GradientOptimizer {
    public convenience init(
        _ parameters: [Tensor], lr: Double = 1e-2, etas: (Double, Double) = (0.5, 1.2),
        stepSizes: (Double, Double) = (1e-6, 50), maximize: Bool = false
    ) { self.init([ParameterGroup(parameters)], lr: lr, etas: etas, stepSizes: stepSizes, maximize: maximize) }
    public init(
        _ groups: [ParameterGroup], lr: Double = 1e-2, etas: (Double, Double) = (0.5, 1.2),
        stepSizes: (Double, Double) = (1e-6, 50), maximize: Bool = false
    ) {
        super.init(
            groups,
            defaults: [
                "lr": lr, "etaMinus": etas.0, "etaPlus": etas.1, "leastStep": stepSizes.0, "mostStep": stepSizes.1,
                "maximize": flag(maximize),
            ])
    }

    override func update(_ p: Tensor, _ g: Tensor, _ group: ParameterGroup, step: Int) {
        var gradient = prepared(p, g, group)
        let (before, size) = (zeroed("prev", of: p), zeroed("stepSize", of: p))
        if step == 1 { size.fill_(group.lr) }
        let turn = gradient * before
        let one = Tensor.ones(like: p)
        let factor = Tensor.where(
            turn.gt(0), one * group["etaPlus"], Tensor.where(turn.lt(0), one * group["etaMinus"], one))
        size.assign((size * factor).clamp(min: group["leastStep"], max: group["mostStep"]))
        gradient = gradient.maskedFill(turn.lt(0), 0)
        p.assign(p - gradient.sign() * size)
        before.assign(gradient)
    }
}

/// Gradient descent whose weights are averaged too (`averages`). Mirrors `torch.optim.ASGD` (Polyak & Juditsky, 1992).
public final class ASGD: GradientOptimizer {
    public convenience init(
        _ parameters: [Tensor], lr: Double = 1e-2, lambd: Double = 1e-4, alpha: Double = 0.75, t0: Double = 1e6,
        weightDecay: Double = 0, maximize: Bool = false
    ) {
        self.init(
            [ParameterGroup(parameters)], lr: lr, lambd: lambd, alpha: alpha, t0: t0, weightDecay: weightDecay,
            maximize: maximize)
    }
    public init(
        _ groups: [ParameterGroup], lr: Double = 1e-2, lambd: Double = 1e-4, alpha: Double = 0.75, t0: Double = 1e6,
        weightDecay: Double = 0, maximize: Bool = false
    ) {
        super.init(
            groups,
            defaults: [
                "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weightDecay": weightDecay,
                "maximize": flag(maximize),
            ])
    }

    /// The averaged weights of a parameter.
    public func average(of parameter: Tensor) -> Tensor { zeroed("ax", of: parameter) }

    override func update(_ p: Tensor, _ g: Tensor, _ group: ParameterGroup, step: Int) {
        let gradient = prepared(p, g, group)
        // Rate and weight of the average are rounded to Float, as torch keeps them.
        let kept = numbers[ObjectIdentifier(p)] ?? [:]
        let (eta, mu) = (kept["eta"] ?? Double(Float(group.lr)), kept["mu"] ?? 1)
        p.assign(p * (1 - group["lambd"] * eta) - gradient * eta)
        let mean = zeroed("ax", of: p)
        mean.assign(mu == 1 ? p : mean + (p - mean) * mu)
        numbers[ObjectIdentifier(p)] = [
            "eta": Double(Float(group.lr / pow(1 + group["lambd"] * group.lr * Double(step), group["alpha"]))),
            "mu": Double(Float(1 / max(1, Double(step) - group["t0"]))),
        ]
    }
}

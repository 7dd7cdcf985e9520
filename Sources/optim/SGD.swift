// Stochastic gradient descent.
import Kernels

/// Gradient descent with momentum, dampening, Nesterov's form and weight decay:
/// `g += λp; b = μb + (1 − τ)g; p −= lr · (nesterov ? g + μb : b)`. Mirrors `torch.optim.SGD`.
public final class SGD: Optimizer {
    public convenience init(
        _ parameters: [Tensor], lr: Double = 1e-3, momentum: Double = 0, dampening: Double = 0, weightDecay: Double = 0,
        nesterov: Bool = false, maximize: Bool = false
    ) {
        self.init(
            [ParameterGroup(parameters)], lr: lr, momentum: momentum, dampening: dampening, weightDecay: weightDecay,
            nesterov: nesterov, maximize: maximize)
    }

    public init(
        _ groups: [ParameterGroup], lr: Double = 1e-3, momentum: Double = 0, dampening: Double = 0,
        weightDecay: Double = 0, nesterov: Bool = false, maximize: Bool = false
    ) {
        precondition(lr >= 0 && momentum >= 0 && weightDecay >= 0, "SGD: lr, momentum and weightDecay are not negative")
        precondition(!nesterov || (momentum > 0 && dampening == 0), "SGD: nesterov needs momentum and no dampening")
        super.init(
            groups,
            defaults: [
                "lr": lr, "momentum": momentum, "dampening": dampening, "weightDecay": weightDecay,
                "nesterov": nesterov ? 1 : 0, "maximize": maximize ? 1 : 0,
            ])
    }

    override func update(_ parameter: Tensor, _ gradient: Tensor, _ group: ParameterGroup, step: Int) {
        let momentum = group["momentum"]
        let isFirst = state[ObjectIdentifier(parameter)]?["momentumBuffer"] == nil
        let settings = SGDSettings(
            lr: group.lr, momentum: momentum, dampening: group["dampening"], weightDecay: group["weightDecay"],
            nesterov: group["nesterov"] != 0, maximize: group["maximize"] != 0, isFirstStep: isFirst)
        parameter.sgdStep(
            settings, gradient: gradient, buffer: momentum != 0 ? zeroed("momentumBuffer", of: parameter) : nil)
    }
}

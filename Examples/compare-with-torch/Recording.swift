// One training step of a model, with all that can be seen of it.
import Tapestry
import nn

/// What a step starts from: weights, an input, a target, whether the model is training, and the seed of what it draws
/// (dropout).
struct Start {
    let state: [String: Tensor]
    let input, target: Tensor
    let isTraining: Bool
    let seed: UInt64
}

/// What came out of a step, in the order in which it was computed: every module's output, the loss, the parameters'
/// gradients from the last layer to the first.
///
/// Names are those of the file that `dump.py` writes: `output features.0`, `output relu #2` (the second call),
/// `loss`, `grad features.0.weight`.
struct Recording {
    private(set) var steps: [(name: String, tensor: Tensor)] = []

    /// Runs the step.
    init(_ model: nn.Module, _ start: Start) {
        final class Outputs {
            var list: [(name: String, tensor: Tensor)] = []
            var calls: [String: Int] = [:]
        }
        let outputs = Outputs()
        let handles = model.namedModules().map { name, module in
            module.registerForwardHook { _, _, results in
                let name = "output " + (name.isEmpty ? "model" : name)
                outputs.calls[name, default: 0] += 1
                let call = outputs.calls[name]!
                outputs.list.append((call == 1 ? name : "\(name) #\(call)", results[0].detach().clone()))
                return nil
            }
        }
        defer { for handle in handles { handle.remove() } }
        model.train(start.isTraining)
        manualSeed(start.seed)
        let loss = F.crossEntropy(model(start.input), start.target)
        model.zeroGrad()
        loss.backward()
        let gradients = model.namedParameters().reversed().compactMap { name, parameter in
            parameter.grad.map { (name: "grad \(name)", tensor: $0) }
        }
        steps = outputs.list + [("loss", loss.detach())] + gradients
    }
}

// Averages of weights over the course of training.
import Tapestry

/// Exponential moving average of weights: `a ← a + (1 − decay)(p − a)`, the first update a plain copy. Mirrors
/// `torch.optim.swa_utils.AveragedModel` with `get_ema_multi_avg_fn(decay)`.
public final class ExponentialMovingAverage {
    /// The parameters that are followed.
    public let parameters: [Tensor]
    /// Their averages, in the same order; not recorded.
    public let averages: [Tensor]
    public let decay: Double
    /// Updates so far.
    public private(set) var updates = 0

    /// - Parameter decay: share of the average that each update keeps, in [0, 1].
    public init(_ parameters: [Tensor], decay: Double = 0.999) {
        precondition((0...1).contains(decay), "ExponentialMovingAverage: decay \(decay) does not lie in [0, 1]")
        (self.parameters, self.decay) = (parameters, decay)
        averages = parameters.map { $0.detach().clone() }
    }

    /// Takes the parameters as they are now into the averages; after each step of the optimiser.
    public func update() {
        noGrad {
            for (average, parameter) in zip(averages, parameters) {
                let now = parameter.detach()
                average.assign(updates == 0 ? now : average + (now - average) * (1 - decay))
            }
        }
        updates += 1
    }

    /// Runs `body` with the averages in place of the parameters, which come back afterwards: for evaluation.
    public func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
        let kept = parameters.map { $0.detach().clone() }
        for (parameter, average) in zip(parameters, averages) { parameter.assign(average) }
        defer { for (parameter, own) in zip(parameters, kept) { parameter.assign(own) } }
        return try body()
    }

    /// Averages as `INDEX`, for a safetensors file; `updates` goes beside them.
    public func stateDict() -> (tensors: [String: Tensor], updates: Int) {
        (Dictionary(uniqueKeysWithValues: averages.enumerated().map { ("\($0)", $1.clone()) }), updates)
    }

    /// Takes on saved averages.
    ///
    /// - Throws: `OptimizerStateError` naming the first average that is missing or has another shape; then nothing has
    ///   been changed.
    public func loadStateDict(_ tensors: [String: Tensor], updates: Int) throws {
        let loaded = try averages.enumerated().map { index, average in
            guard let tensor = tensors["\(index)"], tensor.shape == average.shape else {
                throw OptimizerStateError(
                    description: "ExponentialMovingAverage: average \(index) is "
                        + "\(tensors["\(index)"].map { "\($0.shape)" } ?? "missing"), expected \(average.shape)")
            }
            return tensor
        }
        for (average, tensor) in zip(averages, loaded) { average.assign(tensor.detach()) }
        self.updates = updates
    }
}

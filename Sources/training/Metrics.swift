// Figures that a trainer reckons for each epoch.
import nn

/// A figure of a model's outputs and their targets that is averaged over the samples of an epoch.
///
///     Trainer(model, optimizer: optimizer, loss: loss, metrics: [.accuracy, .topK(5)])
public struct Metric {
    /// Its name in logs; that of the validation data is the same with `val_` before it.
    public let name: String
    /// What the samples of a batch sum up to.
    public let total: (_ output: Tensor, _ target: Tensor) -> Double

    /// A figure of one's own: `total` gives the sum over a batch's samples. Runs off the tape.
    public init(_ name: String, total: @escaping (_ output: Tensor, _ target: Tensor) -> Double) {
        (self.name, self.total) = (name, total)
    }

    /// A loss whose value is the mean over a batch, as a metric: `.mean("mae") { F.l1Loss($0, $1) }`.
    public static func mean(_ name: String, of loss: @escaping (_ output: Tensor, _ target: Tensor) -> Tensor) -> Metric
    {
        Metric(name) { output, target in loss(output, target).item() * Double(target.shape.first ?? 1) }
    }

    /// The share of samples whose highest score [N, C] is that of their class [N], int64. Scores of one number each,
    /// [N] or [N, 1], count as a probability of the second of two classes.
    public static var accuracy: Metric {
        Metric("accuracy") { output, target in
            let labels = target.reshape([-1])
            let isBinary = output.rank == 1 || output.shape[1] == 1
            let predicted = isBinary ? output.reshape([-1]).gt(0.5).to(labels.dtype) : output.argmax(dim: 1)
            return Double(predicted.eq(labels).sum().item(Int.self))
        }
    }
    /// The share of samples whose class is among those of the `k` highest scores [N, C]. Traps if there are fewer.
    public static func topK(_ k: Int) -> Metric {
        Metric("top\(k)") { output, target in
            let best = output.topk(k, dim: 1).indices
            return Double(best.eq(target.reshape([-1, 1])).sum().item(Int.self))
        }
    }
    /// (x − y)², the mean over all elements.
    public static var meanSquaredError: Metric { mean("mse") { F.mseLoss($0, $1) } }
    /// |x − y|, the mean over all elements.
    public static var meanAbsoluteError: Metric { mean("mae") { F.l1Loss($0, $1) } }
}

/// Figures by name, in the order in which they were found: `loss`, the metrics, then those of the validation data.
public struct Logs: Equatable, Sendable, CustomStringConvertible {
    /// Names in order.
    public private(set) var names: [String] = []
    private var values: [String: Double] = [:]

    public init() {}

    /// The figure of a name; setting nil takes it out.
    public subscript(name: String) -> Double? {
        get { values[name] }
        set {
            if values[name] == nil, newValue != nil { names.append(name) }
            if newValue == nil { names.removeAll { $0 == name } }
            values[name] = newValue
        }
    }

    /// The same figures under names with `prefix` before them.
    func prefixed(_ prefix: String) -> Logs {
        names.reduce(into: Logs()) { $0[prefix + $1] = values[$1] }
    }
    mutating func merge(_ other: Logs) { for name in other.names { self[name] = other[name] } }

    /// `loss 0.1234  accuracy 0.9876`
    public var description: String {
        names.map { "\($0) \(decimal(values[$0]!))" }.joined(separator: "  ")
    }
}

/// Sums of an epoch's figures on their way to means.
struct Totals {
    private let metrics: [Metric]
    private var sums: [Double]
    private var lossSum = 0.0
    private(set) var samples = 0

    init(_ metrics: [Metric]) {
        self.metrics = metrics
        sums = [Double](repeating: 0, count: metrics.count)
    }

    /// Counts a batch whose loss is the mean over its samples.
    mutating func add(_ output: Tensor, _ target: Tensor, loss: Tensor) {
        let count = target.shape.first ?? 1
        samples += count
        lossSum += loss.item() * Double(count)
        let (output, target) = (output.detach(), target.detach())
        noGrad { for (index, metric) in metrics.enumerated() { sums[index] += metric.total(output, target) } }
    }

    /// The means so far.
    var logs: Logs {
        var logs = Logs()
        let count = Double(max(1, samples))
        logs["loss"] = lossSum / count
        for (metric, sum) in zip(metrics, sums) { logs[metric.name] = sum / count }
        return logs
    }
}

// What happens around epochs and steps of training.
import Foundation

/// Is told of training's progress by `Trainer.fit`, in the order given there. What it does not care for it leaves out.
/// Epochs are counted from 0 over all calls of `fit`; `didEnd` may change and add figures, which later callbacks and
/// the history see.
public protocol Callback: AnyObject {
    /// Training is about to begin, up to epoch number `epochs`, with `steps` batches each.
    func willTrain(_ trainer: Trainer, epochs: Int, steps: Int) throws
    func willBegin(_ trainer: Trainer, epoch: Int) throws
    /// The optimiser has made a step, with batch number `batch` (from 1) of the epoch; means over the epoch so far.
    func didStep(_ trainer: Trainer, batch: Int, logs: Logs) throws
    func didEnd(_ trainer: Trainer, epoch: Int, logs: inout Logs) throws
    func didTrain(_ trainer: Trainer) throws
}

extension Callback {
    public func willTrain(_ trainer: Trainer, epochs: Int, steps: Int) throws {}
    public func willBegin(_ trainer: Trainer, epoch: Int) throws {}
    public func didStep(_ trainer: Trainer, batch: Int, logs: Logs) throws {}
    public func didEnd(_ trainer: Trainer, epoch: Int, logs: inout Logs) throws {}
    public func didTrain(_ trainer: Trainer) throws {}
}

/// Whether a figure is better when it is small or when it is large.
public enum Goal: Sendable {
    case minimum, maximum
    /// A maximum if the name ends with `accuracy` or has `top` in it, else a minimum.
    case automatic

    /// Whether `value` is better than `best` by more than `delta`. NaN is never better.
    public func isBetter(_ value: Double, than best: Double?, by delta: Double = 0, name: String) -> Bool {
        guard let best else { return !value.isNaN }
        switch self {
        case .minimum: return value < best - delta
        case .maximum: return value > best + delta
        case .automatic:
            let isShare = name.hasSuffix("accuracy") || name.contains("top")
            return (isShare ? Goal.maximum : .minimum).isBetter(value, than: best, by: delta, name: name)
        }
    }
}

/// A figure that a callback watches. Traps if the logs have none of that name: a callback that never acts is a mistake.
private func watched(_ name: String, in logs: Logs, by callback: String) -> Double {
    guard let value = logs[name] else {
        preconditionFailure("\(callback): there is no figure '\(name)' among \(logs.names)")
    }
    return value
}

/// Ends training when a figure has not become better by more than `minDelta` for `patience` epochs. Mirrors Keras'
/// `EarlyStopping`.
public final class EarlyStopping: Callback {
    public let monitor: String
    public let minDelta: Double
    public let patience: Int
    public let goal: Goal
    public let restoresBestWeights: Bool
    /// The best figure so far and its epoch.
    public private(set) var best: (value: Double, epoch: Int)?
    /// The epoch after which training was ended; nil if it was not.
    public private(set) var stoppedEpoch: Int?
    private var badEpochs = 0
    private var bestState: [String: Tensor] = [:]

    /// - Parameter restoresBestWeights: gives the model the weights of the best epoch at the end of training.
    public init(
        monitor: String = "val_loss", minDelta: Double = 0, patience: Int = 0, goal: Goal = .automatic,
        restoresBestWeights: Bool = false
    ) {
        (self.monitor, self.minDelta, self.patience) = (monitor, minDelta, patience)
        (self.goal, self.restoresBestWeights) = (goal, restoresBestWeights)
    }

    public func willTrain(_ trainer: Trainer, epochs: Int, steps: Int) {
        (best, stoppedEpoch, badEpochs, bestState) = (nil, nil, 0, [:])
    }
    public func didEnd(_ trainer: Trainer, epoch: Int, logs: inout Logs) {
        let value = watched(monitor, in: logs, by: "EarlyStopping")
        if goal.isBetter(value, than: best?.value, by: minDelta, name: monitor) {
            best = (value, epoch)
            badEpochs = 0
            if restoresBestWeights {
                bestState = trainer.model.stateDict().reduce(into: [:]) { $0[$1.name] = $1.tensor.clone() }
            }
            return
        }
        badEpochs += 1
        if badEpochs >= patience {
            stoppedEpoch = epoch
            trainer.shouldStop = true
        }
    }
    public func didTrain(_ trainer: Trainer) throws {
        if !bestState.isEmpty { try trainer.model.loadStateDict(bestState) }
    }
}

/// Writes the model's weights as safetensors whenever a figure is better than ever before, with epoch and figure as
/// metadata. The file is replaced whole or not at all. Mirrors Keras' `ModelCheckpoint(save_best_only=True)`.
public final class BestCheckpoint: Callback {
    public let path, monitor: String
    public let goal: Goal
    /// The best figure so far and its epoch; kept from one `fit` to the next.
    public private(set) var best: (value: Double, epoch: Int)?

    public init(_ path: String, monitor: String = "val_loss", goal: Goal = .automatic) {
        (self.path, self.monitor, self.goal) = (path, monitor, goal)
    }

    /// Throws `FileError` if the file could not be written: better known now than after an epoch.
    public func willTrain(_ trainer: Trainer, epochs: Int, steps: Int) throws { try checkWritable(path) }
    public func didEnd(_ trainer: Trainer, epoch: Int, logs: inout Logs) throws {
        let value = watched(monitor, in: logs, by: "BestCheckpoint")
        guard goal.isBetter(value, than: best?.value, name: monitor) else { return }
        best = (value, epoch)
        try saveSafetensors(
            trainer.model.stateDict(), to: path, metadata: ["epoch": "\(epoch)", monitor: "\(value)"])
    }
}

/// Adds the learning rate of the epoch to its figures: `lr`, then `lr_1`, … for further parameter groups. Stands before
/// callbacks that write figures down, and before those that change the rate.
public final class LearningRateLog: Callback {
    public init() {}
    public func didEnd(_ trainer: Trainer, epoch: Int, logs: inout Logs) {
        for (index, group) in trainer.optimizer.parameterGroups.enumerated() {
            logs[index == 0 ? "lr" : "lr_\(index)"] = group.lr
        }
    }
}

/// Steps a learning-rate scheduler after every epoch or batch.
public final class Schedule: Callback {
    /// When a scheduler makes its step.
    public enum Period: Sendable { case epoch, batch }
    private let period: Period
    private let step: (Logs) -> Void

    public init(_ scheduler: LRScheduler, every period: Period = .epoch) {
        (self.period, step) = (period, { _ in scheduler.step() })
    }
    /// A scheduler that looks at a figure after every epoch.
    public init(_ scheduler: ReduceLROnPlateau, monitor: String = "val_loss") {
        (period, step) = (.epoch, { scheduler.step(watched(monitor, in: $0, by: "Schedule")) })
    }

    public func didStep(_ trainer: Trainer, batch: Int, logs: Logs) { if period == .batch { step(logs) } }
    public func didEnd(_ trainer: Trainer, epoch: Int, logs: inout Logs) { if period == .epoch { step(logs) } }
}

/// Calls a function after every epoch.
public final class OnEpochEnd: Callback {
    private let body: (Trainer, Int, inout Logs) throws -> Void
    public init(_ body: @escaping (_ trainer: Trainer, _ epoch: Int, _ logs: inout Logs) throws -> Void) {
        self.body = body
    }
    public func didEnd(_ trainer: Trainer, epoch: Int, logs: inout Logs) throws { try body(trainer, epoch, &logs) }
}

/// Writes each epoch's figures as a line of comma-separated values, after a head with their names. Mirrors Keras'
/// `CSVLogger`.
public final class CSVLogger: Callback {
    public let path: String
    private let appends: Bool
    private var file: AppendingFile?
    private var columns: [String] = []

    /// - Parameter append: goes on with a file that is there, whose head gives the columns, instead of beginning anew.
    public init(_ path: String, append: Bool = false) { (self.path, appends) = (path, append) }

    public func willTrain(_ trainer: Trainer, epochs: Int, steps: Int) throws {
        columns = []
        if appends, FileManager.default.fileExists(atPath: path) {
            // A file that is no text is none of ours and stays as it is.
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                throw FileError(path, "cannot be appended to (is not a text file)")
            }
            columns = text.split(separator: "\n").first?.split(separator: ",").dropFirst().map(String.init) ?? []
        }
        file = try AppendingFile(path, truncates: columns.isEmpty)
    }
    public func didEnd(_ trainer: Trainer, epoch: Int, logs: inout Logs) throws {
        if columns.isEmpty {
            columns = logs.names
            try file?.append(Array("\((["epoch"] + columns).joined(separator: ","))\n".utf8))
        }
        let values = columns.map { name in logs[name].map { "\($0)" } ?? "" }
        try file?.append(Array("\((["\(epoch)"] + values).joined(separator: ","))\n".utf8))
    }
    public func didTrain(_ trainer: Trainer) { file = nil }
}

/// Writes each epoch's figures for TensorBoard: `loss` and `val_loss` as `loss/train` and `loss/validation`, so that
/// they share a chart; others by their names.
public final class TensorBoard: Callback {
    private let folder: String
    private let histograms: Bool
    private var writer: SummaryWriter?

    /// - Parameter histograms: writes how the values of every parameter are spread, too.
    public init(_ folder: String, histograms: Bool = false) { (self.folder, self.histograms) = (folder, histograms) }

    public func willTrain(_ trainer: Trainer, epochs: Int, steps: Int) throws { writer = try SummaryWriter(folder) }
    public func didEnd(_ trainer: Trainer, epoch: Int, logs: inout Logs) throws {
        for name in logs.names {
            let isValidation = name.hasPrefix("val_")
            let base = isValidation ? String(name.dropFirst(4)) : name
            let isPaired = isValidation || logs["val_" + name] != nil
            try writer?.addScalar(
                isPaired ? base + (isValidation ? "/validation" : "/train") : base, logs[name]!, step: epoch)
        }
        if histograms {
            for (name, parameter) in trainer.model.namedParameters() {
                try writer?.addHistogram(name, parameter, step: epoch)
            }
        }
    }
    public func didTrain(_ trainer: Trainer) { writer = nil }
}

// Whole training runs in one file: what it takes to go on as if nothing had stopped.
import Tapestry
import nn

/// A scheduler whose state goes into checkpoints.
public protocol ResumableScheduler: AnyObject {
    /// What must be kept to go on, by name.
    func stateDict() -> [String: Double]
    /// Takes on what `stateDict` gave.
    func loadStateDict(_ state: [String: Double])
}
extension LRScheduler: ResumableScheduler {}
extension ReduceLROnPlateau: ResumableScheduler {}

/// What a training checkpoint says besides the states of its objects.
public struct Checkpoint: Sendable, Equatable {
    /// Epochs that were finished.
    public var epoch: Int
    /// Texts that the user stored.
    public var metadata: [String: String]

    public init(epoch: Int, metadata: [String: String] = [:]) { (self.epoch, self.metadata) = (epoch, metadata) }
}

/// Writes the state of a training run into one safetensors file: parameters and buffers of the model, the optimiser's
/// state and options, the scheduler's, that of random generators, the number of finished epochs, and the user's texts.
///
/// A run that is resumed from it by `loadCheckpoint` goes on bitwise as it would have gone on without a stop. The file
/// is written under another name, synced, then renamed: after a kill at any moment there is the old checkpoint or the
/// new one, whole (a file that ends in `.part` may stay behind). Tensors are named `model.NAME`, `optimizer.NAME` and
/// `generator.INDEX`, so that other programs can read the weights.
///
/// - Parameter generators: Generators that the run draws from; `DataLoader` and dropout use the default one.
/// - Throws: `FileError` if the file cannot be written.
public func saveCheckpoint(
    to path: String, model: Module, optimizer: Optimizer? = nil, scheduler: (any ResumableScheduler)? = nil,
    generators: [Tapestry.Generator] = [.default], epoch: Int = 0, metadata: [String: String] = [:]
) throws {
    var tensors = model.stateDict(prefix: "model")
    var texts = ["epoch": "\(epoch)", "format": "tapestry-checkpoint"]
    for (key, text) in metadata { texts["user.\(key)"] = text }
    if let state = optimizer?.stateDict() {
        for (name, tensor) in state.tensors.sorted(by: { $0.key < $1.key }) {
            tensors.append(("optimizer.\(name)", tensor))
        }
        for (key, text) in state.metadata { texts["optimizer.\(key)"] = text }
    }
    for (key, value) in scheduler?.stateDict() ?? [:] { texts["scheduler.\(key)"] = "\(value)" }
    for (index, generator) in generators.enumerated() { tensors.append(("generator.\(index)", generator.state.tensor)) }
    try saveSafetensors(tensors, to: path, metadata: texts)
}

/// Takes on what `saveCheckpoint` wrote, by objects that were built as those that were saved. An object that is not
/// given is passed over, so that the weights of a checkpoint can be had alone.
///
///     var first = 0
///     if resume {
///         first = try loadCheckpoint(from: path, model: model, optimizer: optimizer, scheduler: scheduler).epoch
///     }
///     for epoch in first..<epochs { … }
///
/// - Returns: The number of finished epochs and the user's texts.
/// - Throws: `FileError` naming the file and what does not fit: keys that are missing, unexpected or misshapen, an
///   optimiser or scheduler of another kind, generators of another number. Then nothing has been changed.
@discardableResult
public func loadCheckpoint(
    from path: String, model: Module? = nil, optimizer: Optimizer? = nil,
    scheduler: (any ResumableScheduler)? = nil, generators: [Tapestry.Generator] = [.default]
) throws -> Checkpoint {
    let file = try CheckpointFile(path)
    let weights = try model.map { model in
        let weights = try file.tensors("model.")
        let misfit = model.misfit(of: weights)
        guard misfit.isEmpty else { throw FileError(path, misfit.description) }
        return weights
    }
    let schedule = try scheduler.map { try file.schedule(like: $0.stateDict()) }
    let states = try file.generatorStates(generators.count)
    // All fits but the optimiser, perhaps, and that changes nothing if it does not.
    if let optimizer {
        do {
            try optimizer.loadStateDict(
                OptimizerState(tensors: try file.tensors("optimizer."), metadata: file.texts("optimizer.")))
        } catch let error as OptimizerStateError {
            throw FileError(path, error.description)
        }
    }
    if let weights { try model?.loadStateDict(weights) }
    if let schedule { scheduler?.loadStateDict(schedule) }
    for (generator, state) in zip(generators, states) { generator.state = state }
    return Checkpoint(epoch: file.epoch, metadata: file.texts("user."))
}

/// A checkpoint's content, by parts.
private struct CheckpointFile {
    let path: String
    let epoch: Int
    private let file: SafetensorsFile

    init(_ path: String) throws {
        self.path = path
        file = try SafetensorsFile(path)
        guard file.metadata["format"] == "tapestry-checkpoint",
            let epoch = file.metadata["epoch"].flatMap({ Int($0) }), epoch >= 0
        else {
            throw FileError(path, "is no training checkpoint (its metadata lacks the format or the epoch)")
        }
        self.epoch = epoch
    }

    /// Tensors whose names begin with `prefix`, without it.
    func tensors(_ prefix: String) throws -> [String: Tensor] {
        var result: [String: Tensor] = [:]
        for entry in file.entries where entry.name.hasPrefix(prefix) {
            result[String(entry.name.dropFirst(prefix.count))] = try file.tensor(entry)
        }
        return result
    }

    /// Texts whose keys begin with `prefix`, without it.
    func texts(_ prefix: String) -> [String: String] {
        var result: [String: String] = [:]
        for (key, text) in file.metadata where key.hasPrefix(prefix) {
            result[String(key.dropFirst(prefix.count))] = text
        }
        return result
    }

    /// The scheduler's numbers; throws unless there are just those that a scheduler has.
    func schedule(like own: [String: Double]) throws -> [String: Double] {
        let found = texts("scheduler.")
        let (missing, unexpected) = (
            Set(own.keys).subtracting(found.keys).sorted(), Set(found.keys).subtracting(own.keys).sorted()
        )
        guard missing.isEmpty, unexpected.isEmpty else {
            throw FileError(path, "the scheduler is another: missing \(missing), unexpected \(unexpected)")
        }
        return try found.mapValues { text in
            guard let value = Double(text) else { throw FileError(path, "scheduler: '\(text)' is no number") }
            return value
        }
    }

    /// The states of as many generators as were saved; throws if their number is another.
    func generatorStates(_ count: Int) throws -> [Tapestry.Generator.State] {
        let found = try tensors("generator.")
        guard count == 0 || found.count == count else {
            throw FileError(path, "holds \(found.count) random generators, not \(count)")
        }
        return try (0..<count).map { index in
            guard let state = found["\(index)"].flatMap({ Tapestry.Generator.State($0) }) else {
                throw FileError(path, "tensor 'generator.\(index)' is no state of a random generator")
            }
            return state
        }
    }
}

// What the programs that train a model share: their flags, and how a run begins, is saved and ends.
import Foundation
import Tapestry
import nn

/// How long, how fast, from which seed, from and to which file.
public struct TrainingOptions {
    public let epochs: Int
    public let batchSize: Int
    public let learningRate: Double
    public let seed: UInt64
    public let threads: Int?
    /// Files of weights to write at the end and to begin with.
    public let save, load: String?
    /// Whether the run is to be cut to some seconds.
    public let quick: Bool

    /// What holds unless a flag says otherwise.
    public struct Defaults: Sendable {
        let epochs, batchSize: Int
        let learningRate: Double
        /// The fewest epochs that can be asked for: with 0 a program only uses what it has loaded.
        let fewest: Int
        /// The most samples in a step that can be asked for, where a program makes as many as it is asked for.
        let largestBatch: Int

        public init(
            epochs: Int, batchSize: Int, learningRate: Double, fewest: Int = 0, largestBatch: Int = .max
        ) {
            (self.epochs, self.batchSize, self.learningRate) = (epochs, batchSize, learningRate)
            (self.fewest, self.largestBatch) = (fewest, largestBatch)
        }
    }

    /// The flags, which tell the values that hold unless they are given.
    public static func flags(_ defaults: Defaults) -> [Arguments.Flag] {
        [
            .init(
                "--epochs", "N",
                "passes over the training data (default \(defaults.epochs)\(defaults.fewest == 0 ? "; 0: none" : ""))"),
            .init("--batch-size", "N", "samples in a step (default \(defaults.batchSize))"),
            .init("--lr", "X", "learning rate (default \(defaults.learningRate))"),
            .init("--seed", "N", "seed of weights, order and draws (default 0)"),
            .threads,
            .init("--save", "FILE", "write the weights as safetensors at the end, and on Ctrl-C"),
            .init("--load", "FILE", "begin with the weights of a safetensors file"),
            .init("--quick", nil, "a run of seconds, to see the way through (it learns little)"),
        ]
    }

    /// Reads the flags.
    /// - Throws: `Arguments.UsageError` for a value that makes no sense.
    public init(_ arguments: Arguments, _ defaults: Defaults) throws {
        quick = arguments.has("--quick")
        epochs = try arguments.int("--epochs", defaults.fewest...Int.max) ?? (quick ? 1 : defaults.epochs)
        batchSize = try arguments.int("--batch-size", 1...defaults.largestBatch) ?? defaults.batchSize
        learningRate = try arguments.positive("--lr") ?? defaults.learningRate
        seed = try arguments.seed()
        threads = try arguments.threads()
        save = arguments.string("--save")
        load = arguments.string("--load")
    }

    /// Sets threads and seed and listens for Ctrl-C. What can be wrong with the environment or with the file to be
    /// written ends the program here, before any work is done.
    public func begin() throws {
        _ = InstructionSet.current
        if let threads { numThreads = threads }
        if let save { try checkWritable(save) }
        manualSeed(seed)
        Interrupt.install()
    }

    /// Gives a model the weights of the file of `--load`, if there is one.
    public func loadWeights(into model: nn.Module) throws {
        if let load { try model.loadWeights(try loadSafetensors(from: load), from: load) }
    }

    /// Writes a model's weights to the file of `--save`, if there is one, and says so on standard error.
    public func saveWeights(of model: nn.Module, metadata: [String: String] = [:]) throws {
        guard let save else { return }
        try saveSafetensors(model.stateDict(), to: save, metadata: metadata)
        FileHandle.standardError.write(Data("Saved the weights to \(save)\n".utf8))
    }

    /// Ends the program if Ctrl-C asks for it; the weights are saved first.
    public func endIfInterrupted(
        _ model: nn.Module, _ progress: Progress? = nil, metadata: [String: String] = [:]
    ) throws {
        guard Interrupt.isRequested else { return }
        progress?.interrupt()
        try saveWeights(of: model, metadata: metadata)
        FileHandle.standardError.write(Data("Stopped by a signal\n".utf8))
        exit(Interrupt.exitStatus)
    }
}

extension nn.Module {
    /// Takes on the weights of a file.
    /// - Throws: `FileError` naming the file and what does not fit.
    public func loadWeights(_ weights: [String: Tensor], from path: String) throws {
        do {
            try loadStateDict(weights)
        } catch let error as StateDictError {
            throw FileError(path, error.description)
        }
    }
}

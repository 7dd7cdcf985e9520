// Training, testing and using a model without writing the loops, in the spirit of Keras. Written on the public API
// alone: whatever it does can be done by hand.
@_exported import data
@_exported import nn
@_exported import optim

/// A model with the optimiser, the loss and the metrics that it is trained with.
///
///     let trainer = Trainer(
///         model, optimizer: optim.Adam(model.parameters()), loss: nn.CrossEntropyLoss(), metrics: [.accuracy])
///     try trainer.fit(
///         DataLoader(training, batchSize: 50, shuffle: true), epochs: 5, validation: DataLoader(test, batchSize: 500),
///         callbacks: [EarlyStopping(patience: 2), CSVLogger("log.csv")])
///     print(try trainer.evaluate(DataLoader(test, batchSize: 500)))
///
/// The initialiser is Keras' `compile`. An error of a dataset or of a callback's file is thrown to the caller; the
/// model and the optimiser then stand where the last whole step has left them.
public final class Trainer {
    public let model: Module
    public let optimizer: Optimizer
    public let metrics: [Metric]
    private let loss: (_ output: Tensor, _ target: Tensor) -> Tensor

    /// Figures of each epoch that `fit` has run, over all calls.
    public private(set) var history: [Logs] = []
    /// Steps of the optimiser, over all calls.
    public private(set) var step = 0
    /// Set by a callback or from a metric to end training after the current batch.
    public var shouldStop = false

    /// - Parameter loss: gives the mean over a batch's samples.
    public init(
        _ model: Module, optimizer: Optimizer, loss: @escaping (_ output: Tensor, _ target: Tensor) -> Tensor,
        metrics: [Metric] = []
    ) {
        let names = ["loss"] + metrics.map(\.name)
        precondition(Set(names).count == names.count, "Trainer: two metrics have one name: \(names)")
        (self.model, self.optimizer, self.loss, self.metrics) = (model, optimizer, loss, metrics)
    }
    public convenience init(_ model: Module, optimizer: Optimizer, loss: Loss, metrics: [Metric] = []) {
        self.init(model, optimizer: optimizer, loss: { loss($0, $1) }, metrics: metrics)
    }

    /// Epochs that have been run, over all calls.
    public var epoch: Int { history.count }

    // MARK: Fitting

    /// Trains for `epochs` more epochs, each a pass over `batches`; after each the model is tested on the validation
    /// data, if given. Ends earlier if a callback sets `shouldStop`.
    ///
    /// - Returns: the figures of these epochs: `loss`, each metric, and `val_…` of the validation data.
    /// - Throws: what datasets and callbacks throw.
    @discardableResult
    public func fit(
        _ batches: DataLoader, epochs: Int = 1, validation: DataLoader? = nil, callbacks: [any Callback] = [],
        verbose: Bool = true
    ) throws -> [Logs] {
        precondition(epochs >= 0, "Trainer.fit: \(epochs) epochs")
        let callbacks: [any Callback] = callbacks + (verbose ? [ProgressBar()] : [])
        let first = epoch
        shouldStop = false
        for callback in callbacks { try callback.willTrain(self, epochs: first + epochs, steps: batches.count) }
        while epoch < first + epochs, !shouldStop {
            for callback in callbacks { try callback.willBegin(self, epoch: epoch) }
            var logs = try pass(batches, callbacks)
            if let validation { logs.merge(try evaluate(validation).prefixed("val_")) }
            for callback in callbacks { try callback.didEnd(self, epoch: epoch, logs: &logs) }
            history.append(logs)
        }
        for callback in callbacks { try callback.didTrain(self) }
        return Array(history[first...])
    }

    /// Trains on a dataset, shuffled, in batches of 32 unless said otherwise.
    @discardableResult
    public func fit(
        _ dataset: any Dataset, batchSize: Int = 32, epochs: Int = 1, validation: (any Dataset)? = nil,
        callbacks: [any Callback] = [], shuffle: Bool = true, verbose: Bool = true
    ) throws -> [Logs] {
        try fit(
            DataLoader(dataset, batchSize: batchSize, shuffle: shuffle), epochs: epochs,
            validation: validation.map { DataLoader($0, batchSize: batchSize) }, callbacks: callbacks, verbose: verbose)
    }

    /// Trains on the rows of two tensors. Of them the last `validationSplit` (a share) is kept for validation.
    /// Traps unless 0 ≤ `validationSplit` < 1.
    @discardableResult
    public func fit(
        _ inputs: Tensor, _ targets: Tensor, batchSize: Int = 32, epochs: Int = 1, validationSplit: Double = 0,
        callbacks: [any Callback] = [], shuffle: Bool = true, verbose: Bool = true
    ) throws -> [Logs] {
        precondition(
            validationSplit >= 0 && validationSplit < 1, "Trainer.fit: a validationSplit of \(validationSplit)")
        let all = TensorDataset(inputs, targets)
        let kept = Int(Double(all.count) * (1 - validationSplit))
        return try fit(
            Subset(all, indices: Array(0..<kept)), batchSize: batchSize, epochs: epochs,
            validation: kept < all.count ? Subset(all, indices: Array(kept..<all.count)) : nil, callbacks: callbacks,
            shuffle: shuffle, verbose: verbose)
    }

    /// One epoch over the training data.
    private func pass(_ loader: DataLoader, _ callbacks: [any Callback]) throws -> Logs {
        model.train()
        var totals = Totals(metrics)
        var batches = loader.batches()
        var batch = 0
        while !shouldStop, let (inputs, targets) = try batches.next() {
            let output = model(inputs)
            let value = loss(output, targets)
            optimizer.zeroGrad()
            value.backward()
            optimizer.step()
            step += 1
            batch += 1
            totals.add(output, targets, loss: value)
            for callback in callbacks { try callback.didStep(self, batch: batch, logs: totals.logs) }
        }
        return totals.logs
    }

    // MARK: Testing and using

    /// Loss and metrics over a dataset, in evaluation mode and off the tape; the model's modes are as before
    /// afterwards.
    public func evaluate(_ batches: DataLoader) throws -> Logs {
        var totals = Totals(metrics)
        try inEvaluation {
            var batches = batches.batches()
            while let (inputs, targets) = try batches.next() {
                let output = model(inputs)
                totals.add(output, targets, loss: loss(output, targets))
            }
        }
        return totals.logs
    }
    /// The same over a dataset.
    public func evaluate(_ dataset: any Dataset, batchSize: Int = 32) throws -> Logs {
        try evaluate(DataLoader(dataset, batchSize: batchSize))
    }
    /// The same over the rows of two tensors.
    public func evaluate(_ inputs: Tensor, _ targets: Tensor, batchSize: Int = 32) throws -> Logs {
        try evaluate(TensorDataset(inputs, targets), batchSize: batchSize)
    }

    /// The model's outputs for all inputs, in evaluation mode and off the tape, batch after batch in one tensor. Traps
    /// if there are none.
    public func predict(_ batches: DataLoader) throws -> Tensor {
        var outputs: [Tensor] = []
        try inEvaluation {
            var batches = batches.batches()
            while let (inputs, _) = try batches.next() { outputs.append(model(inputs)) }
        }
        precondition(!outputs.isEmpty, "Trainer.predict: there are no samples")
        return Tensor.cat(outputs)
    }
    /// The same for the rows of a tensor.
    public func predict(_ inputs: Tensor, batchSize: Int = 32) throws -> Tensor {
        try predict(DataLoader(TensorDataset(inputs, inputs), batchSize: batchSize))
    }

    private func inEvaluation(_ body: () throws -> Void) rethrows {
        let modes = model.modules.map { ($0, $0.training) }
        model.eval()
        defer { for (module, mode) in modes { module.training = mode } }
        try noGrad { try body() }
    }
}

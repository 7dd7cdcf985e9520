// Trains ResNet-34 on handwritten digits, without writing the loops: `swift run resnet34`.
import ExampleSupport
import Foundation
import Tapestry
import data
import nn
import optim
import training
import vision

run("resnet34", train)

func train(_ settings: Settings) throws {
    let options = settings.training
    try options.begin()
    var limits = settings.preset.limits
    if options.quick { limits = (64, 32) }
    let digits = try first(limits.training, of: vision.datasets.MNIST(root: settings.folder, train: true))
    let test = try first(limits.test, of: vision.datasets.MNIST(root: settings.folder, train: false))
    guard digits.count > 0, test.count > 0 else { throw FileError(settings.folder ?? "MNIST", "holds no images") }

    // 34 layers with weights: a stem, sixteen residual units of two convolutions each, and the classifier.
    let model = vision.models.KerasResNet34(momentum: settings.preset.momentum)
    try options.loadWeights(into: model)
    describe(model)
    print("\(digits.count) training and \(test.count) test images, batch \(options.batchSize)")
    print("Nadam, its rate falling from \(options.learningRate) to 0\n")
    fflush(nil)

    let trainer = Trainer(
        model, optimizer: optim.NAdam(model.parameters(), lr: options.learningRate), loss: nn.CrossEntropyLoss(),
        metrics: [.accuracy])
    let training = data.DataLoader(digits, batchSize: options.batchSize, shuffle: true)
    let testing = data.DataLoader(test, batchSize: 250)
    // The rate falls to 0 along half a cosine: with a constant one, the weights and the statistics of batch
    // normalisation are still moving in the end, and what the network scores then is luck.
    let falling = optim.CosineAnnealingLR(trainer.optimizer, tMax: max(1, options.epochs * training.count))
    try trainer.fit(
        training, epochs: options.epochs, validation: testing,
        callbacks: [Schedule(falling, every: .batch), StopOnInterrupt()]
            + (settings.log.map { [CSVLogger($0)] } ?? []))
    try options.endIfInterrupted(model)
    try options.saveWeights(of: model)
    let logs = try trainer.evaluate(testing)
    print(String(format: "Test loss %.4f, accuracy%@", logs["loss"] ?? .nan, percent(logs["accuracy"] ?? .nan)))
}

/// Ends training after the step that Ctrl-C comes in; on a stream that is no terminal, says every 20 steps where it
/// stands.
final class StopOnInterrupt: Callback {
    private let isTerminal = isatty(STDERR_FILENO) != 0
    private var steps = 0

    func willTrain(_ trainer: Trainer, epochs: Int, steps: Int) { self.steps = steps }
    func didStep(_ trainer: Trainer, batch: Int, logs: Logs) {
        if Interrupt.isRequested { trainer.shouldStop = true }
        guard !isTerminal, batch % 20 == 0 else { return }
        FileHandle.standardError.write(Data("step [\(batch)/\(steps)]  \(logs)\n".utf8))
    }
}

/// The first `count` samples, or all.
func first(_ count: Int?, of dataset: any Dataset) -> any Dataset {
    guard let count, count < dataset.count else { return dataset }
    return Subset(dataset, indices: Array(0..<count))
}

/// The model in a few lines: printed whole it has three hundred.
func describe(_ model: models.KerasResNet34) {
    func count(_ module: nn.Module) -> Int { module.parameters().reduce(0) { $0 + $1.count } }
    func line(_ name: String, _ what: String, _ module: nn.Module) {
        print(
            "  " + name.padding(toLength: 8, withPad: " ", startingAt: 0)
                + what.padding(toLength: 44, withPad: " ", startingAt: 0) + String(format: "%10d", count(module)))
    }
    print("ResNet-34 for [N, 1, 28, 28]")
    line("stem", "7 × 7 / 2, batch norm, ReLU, pool 3 × 3 / 2", model.stem)
    for (index, unit) in model.units.layers.enumerated() {
        guard let unit = unit as? models.ResidualUnit, let entry = unit.mainLayers[0] as? nn.Conv2d else { continue }
        let stride = entry.stride.height == 1 ? "" : " / \(entry.stride.height), shortcut 1 × 1"
        line("unit \(index)", "2 × (3 × 3), \(entry.inChannels) → \(entry.outChannels)\(stride)", unit)
    }
    line("head", "mean over places, linear", model.head)
    print("\(count(model)) parameters")
}

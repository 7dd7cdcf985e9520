// Trains a convolutional network on handwritten digits: `swift run mnist-cnn`.
import ExampleSupport
import Foundation
import Tapestry
import data
import nn
import optim
import vision

/// conv 5×5 → ReLU → pool, twice, then a linear layer: 28,938 parameters.
final class CNN: nn.Module {
    let conv1 = nn.Conv2d(1, 16, kernelSize: 5, padding: 2)
    let conv2 = nn.Conv2d(16, 32, kernelSize: 5, padding: 2)
    let out = nn.Linear(32 * 7 * 7, 10)

    override func forward(_ x: Tensor) -> Tensor {
        var x = F.maxPool2d(F.relu(conv1(x)), kernelSize: 2)
        x = F.maxPool2d(F.relu(conv2(x)), kernelSize: 2)
        return out(x.flatten(startDim: 1))
    }
}

run("mnist-cnn", train)

func train(_ settings: Settings) throws {
    let options = settings.training
    try options.begin()
    var training: any Dataset = try vision.datasets.MNIST(
        root: settings.folder, train: true, download: settings.download)
    let test = try vision.datasets.MNIST(root: settings.folder, train: false)
    guard training.count > 0, test.count > 0 else { throw FileError(settings.folder ?? "MNIST", "holds no images") }
    if let limit = settings.limit, limit < training.count { training = Subset(training, indices: Array(0..<limit)) }

    let model = CNN()
    try options.loadWeights(into: model)
    if !settings.json { describe(model, options, training.count, test.count) }

    let optimizer = optim.Adam(model.parameters(), lr: options.learningRate)
    let loader = data.DataLoader(training, batchSize: options.batchSize, shuffle: true)
    var result = Tally(classes: 10)
    for epoch in 1...options.epochs {
        var progress = Progress(epoch: epoch, epochs: options.epochs, steps: loader.count)
        var tally = Tally(classes: 10)
        for (step, (images, labels)) in loader.enumerated() {
            let output = model(images)
            let loss = F.crossEntropy(output, labels)
            optimizer.zeroGrad()
            loss.backward()
            optimizer.step()

            tally.add(output, labels, loss: loss)
            progress.update(step: step + 1, tally)
            try options.endIfInterrupted(model, progress)
        }
        let seconds = progress.seconds
        result = try options.evaluate(model, test)
        report(settings, epoch, result, seconds, Double(tally.count) / seconds)
    }
    try options.saveWeights(of: model)
    if !settings.json {
        print("\n" + confusionTable(result.confusion) + "\n")
        show(model, test)
    }
}

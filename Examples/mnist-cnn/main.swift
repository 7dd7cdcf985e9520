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

run("mnist-cnn") {
    guard let settings = try Settings(Array(CommandLine.arguments.dropFirst())) else {
        print(Settings.help)
        return
    }
    try train(settings)
}

func train(_ settings: Settings) throws {
    _ = InstructionSet.current  // a wrong setting in the environment ends the program before anything is printed
    if let threads = settings.threads { numThreads = threads }
    if let path = settings.save { try checkWritable(path) }
    manualSeed(settings.seed)
    var training: any Dataset = try vision.datasets.MNIST(
        root: settings.folder, train: true, download: settings.download)
    let test = try vision.datasets.MNIST(root: settings.folder, train: false)
    guard training.count > 0, test.count > 0 else { throw FileError(settings.folder ?? "MNIST", "holds no images") }
    if let limit = settings.limit, limit < training.count { training = Subset(training, indices: Array(0..<limit)) }

    let model = CNN()
    if let path = settings.load {
        do {
            try model.loadStateDict(try loadSafetensors(from: path))
        } catch let error as StateDictError {
            throw FileError(path, error.description)
        }
    }
    if !settings.json { describe(model, settings, training.count, test.count) }

    let optimizer = optim.Adam(model.parameters(), lr: settings.learningRate)
    let loader = data.DataLoader(training, batchSize: settings.batchSize, shuffle: true)
    Interrupt.install()
    var result = Evaluation()
    for epoch in 1...settings.epochs {
        model.train()
        var progress = Progress(epoch: epoch, epochs: settings.epochs, steps: loader.count)
        var (items, correct, lossSum) = (0, 0, 0.0)
        for (step, (images, labels)) in loader.enumerated() {
            let output = model(images)
            let loss = F.crossEntropy(output, labels)
            optimizer.zeroGrad()
            loss.backward()
            optimizer.step()

            items += labels.count
            lossSum += loss.item() * Double(labels.count)
            correct += output.argmax(dim: 1).eq(labels).sum().item(Int.self)
            progress.update(
                step: step + 1, items: items, loss: lossSum / Double(items), accuracy: Double(correct) / Double(items))
            if Interrupt.isRequested {
                progress.interrupt()
                try stop(model, settings)
            }
        }
        let seconds = progress.seconds
        result = try evaluate(model, test, settings)
        report(settings, epoch, result, seconds, Double(items) / seconds)
    }
    if let path = settings.save {
        try saveSafetensors(model.stateDict(), to: path)
        if !settings.json { print("Saved the weights to \(path)") }
    }
    if !settings.json {
        print("\n" + confusionTable(result.confusion) + "\n")
        show(model, test)
    }
}

/// Ends the program as Ctrl-C asks; the weights are saved first if wanted.
func stop(_ model: CNN, _ settings: Settings) throws -> Never {
    if let path = settings.save { try saveSafetensors(model.stateDict(), to: path) }
    let saved = settings.save.map { ", saved the weights to \($0)" } ?? ""
    FileHandle.standardError.write(Data("Stopped by a signal\(saved)\n".utf8))
    exit(Interrupt.exitStatus)
}

/// Loss and accuracy on a test set, and how often each digit was taken for each.
struct Evaluation {
    var loss = 0.0
    var accuracy = 0.0
    var confusion = [[Int]](repeating: [Int](repeating: 0, count: 10), count: 10)
}

func evaluate(_ model: CNN, _ test: any Dataset, _ settings: Settings) throws -> Evaluation {
    model.eval()
    var result = Evaluation()
    try noGrad {
        for (images, labels) in data.DataLoader(test, batchSize: 500) {
            let output = model(images)
            result.loss += F.crossEntropy(output, labels, reduction: .sum).item()
            for (real, predicted) in zip(labels.array(Int.self), output.argmax(dim: 1).array(Int.self)) {
                result.confusion[real][predicted] += 1
            }
            if Interrupt.isRequested { try stop(model, settings) }
        }
    }
    result.loss /= Double(test.count)
    result.accuracy = Double((0..<10).reduce(0) { $0 + result.confusion[$1][$1] }) / Double(test.count)
    return result
}

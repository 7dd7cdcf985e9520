// Trains LeNet-5 on small colour images: `swift run cifar10-lenet5`.
import ExampleSupport
import Foundation
import Tapestry
import data
import nn
import optim
import vision

/// LeNet-5 for [N, 3, 32, 32] with ReLU and max pooling, as it is mostly written today: 62,006 parameters.
/// `vision.models.LeNet5` is the one of 1998, with tanh and average pooling.
final class LeNet5: nn.Module {
    let conv1 = nn.Conv2d(3, 6, kernelSize: 5)
    let conv2 = nn.Conv2d(6, 16, kernelSize: 5)
    let fc1 = nn.Linear(16 * 5 * 5, 120)
    let fc2 = nn.Linear(120, 84)
    let fc3 = nn.Linear(84, 10)

    override func forward(_ x: Tensor) -> Tensor {
        var x = F.maxPool2d(F.relu(conv1(x)), kernelSize: 2)
        x = F.maxPool2d(F.relu(conv2(x)), kernelSize: 2)
        x = F.relu(fc1(x.flatten(startDim: 1)))
        return fc3(F.relu(fc2(x)))
    }
}

run("cifar10-lenet5", train)

func train(_ settings: Settings) throws {
    let options = settings.training
    try options.begin()
    let (training, test) = try images(settings)
    let model = LeNet5()
    try options.loadWeights(into: model)
    let parameters = model.parameters().reduce(0) { $0 + $1.count }
    print("\(model)\n\(parameters) parameters, \(training.count) training and \(test.count) test images")
    fflush(nil)

    let optimizer = optim.Adam(model.parameters(), lr: options.learningRate)
    let loader = data.DataLoader(training, batchSize: options.batchSize, shuffle: true)
    for epoch in 1...max(1, options.epochs) where options.epochs > 0 {
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
        let accuracy = try options.evaluate(model, test).accuracy
        print(
            "Epoch \(epoch): test accuracy\(percent(accuracy)) "
                + String(format: "(trained in %.1f s)", progress.seconds))
        fflush(nil)
    }
    try options.saveWeights(of: model)
    report(try options.evaluate(model, test), test.classes)
}

/// Training and test images, normalised to about −1...1; those for training changed at random if wanted.
func images(_ settings: Settings) throws -> (any Dataset, any ImageDataset) {
    let normalize = vision.transforms.Normalize(mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5])
    var steps: [any vision.Transform] = []
    if settings.augment {
        steps.append(vision.transforms.RandomCrop(32, padding: 4))
        // The mirror image of a digit is no digit.
        if settings.folder != nil { steps.append(vision.transforms.RandomHorizontalFlip()) }
    }
    let transform = vision.transforms.Compose(steps + [normalize])
    let quick = settings.training.quick
    guard let folder = settings.folder else {
        return (
            try vision.datasets.ColorMNIST(train: true, count: quick ? 1000 : nil, transform: transform),
            try vision.datasets.ColorMNIST(train: false, count: quick ? 500 : nil, transform: normalize)
        )
    }
    var training: any Dataset = try vision.datasets.CIFAR10(root: folder, train: true, transform: transform)
    let test = try vision.datasets.CIFAR10(root: folder, train: false, transform: normalize)
    guard training.count > 0, test.count > 0 else { throw FileError(folder, "holds no images") }
    if quick { training = Subset(training, indices: Array(0..<min(1000, training.count))) }
    return (training, test)
}

/// The table of confusions, and the names of the classes under it.
func report(_ tally: Tally, _ classes: [String]) {
    print("\nTest accuracy\(percent(tally.accuracy))\n\n" + confusionTable(tally.confusion) + "\n")
    let names = classes.enumerated().map { $1.hasPrefix("\($0) ") ? $1 : "\($0) - \($1)" }
    print(names.prefix(5).joined(separator: ", ") + ",\n" + names.dropFirst(5).joined(separator: ", "))
}

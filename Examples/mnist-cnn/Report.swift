// What mnist-cnn prints.
import ExampleSupport
import Foundation
import Tapestry
import nn
import vision

/// The model with its parameter counts, and what it is trained on.
func describe(_ model: nn.Module, _ options: TrainingOptions, _ training: Int, _ test: Int) {
    print(model)
    let parameters = model.namedParameters()
    let width = parameters.map(\.name.count).max() ?? 0
    for (name, parameter) in parameters {
        let shape = "\(parameter.shape)"
        print(
            "  " + name + String(repeating: " ", count: width - name.count + 2) + shape
                + String(repeating: " ", count: max(1, 18 - shape.count)) + String(format: "%7d", parameter.count))
    }
    print("\(parameters.reduce(0) { $0 + $1.parameter.count }) parameters")
    print(
        "\(training) training and \(test) test images, batch \(options.batchSize), Adam \(options.learningRate), "
            + "\(InstructionSet.current.rawValue) kernels, \(numThreads) thread\(numThreads == 1 ? "" : "s")\n")
    fflush(nil)
}

/// One epoch's result, as a line of text or JSON.
func report(_ settings: Settings, _ epoch: Int, _ result: Tally, _ seconds: Double, _ rate: Double) {
    if settings.json {
        // JSON has no number for a loss that has run away.
        let loss = result.loss.isFinite ? String(format: "%.4f", result.loss) : "null"
        print(
            String(
                format: #"{"epoch":%d,"loss":%@,"accuracy":%.4f,"seconds":%.1f,"imagesPerSecond":%.0f}"#, epoch, loss,
                result.accuracy, seconds, rate))
    } else {
        print(
            String(
                format: "Epoch %d: test loss %.4f, accuracy %.2f %%  (%.1f s, %.0f images/s)", epoch, result.loss,
                result.accuracy * 100, seconds, rate))
    }
    fflush(nil)
}

/// Ten test digits with what the model takes them for.
func show(_ model: nn.Module, _ test: vision.datasets.MNIST) {
    let count = min(10, test.count)
    guard count > 0 else { return }
    let (images, labels) = test.batch(Array(0..<count))
    let predictions = noGrad { model(images).argmax(dim: 1) }.array(Int.self)
    let captions = zip(predictions, labels.array(Int.self)).map { "predicted \($0), real \($1)" }
    let columns = terminalWidth(STDOUT_FILENO)
    let inRow = min(5, max(1, (columns ?? .max) / 29))
    for start in stride(from: 0, to: count, by: inRow) {
        let range = start..<min(count, start + inRow)
        print(picture(images[range], captions: Array(captions[range]), color: columns != nil) + "\n")
    }
}

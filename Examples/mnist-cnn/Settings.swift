// The command line of mnist-cnn.
import ExampleSupport
import Foundation
import vision

struct Settings {
    var folder: String?
    var download = false
    var epochs = 5
    var batchSize = 50
    var learningRate = 1e-3
    var seed: UInt64 = 0
    var threads: Int?
    var limit: Int?
    var save: String?
    var load: String?
    var json = false

    static let flags: [Arguments.Flag] = [
        .init("--data", "DIR", "folder with the four MNIST files, plain or .gz (default: the subset shipped here)"),
        .init("--download", nil, "fetch the files into the folder of --data (default ./mnist) if they are missing"),
        .init("--epochs", "N", "passes over the training images (default 5)"),
        .init("--batch-size", "N", "images in a step (default 50)"),
        .init("--lr", "X", "learning rate of Adam (default 0.001)"),
        .init("--seed", "N", "seed of weights and order (default 0)"),
        .init("--threads", "N", "threads to use (default: all cores; results are the same for any number)"),
        .init("--limit", "N", "train on the first N images only"),
        .init("--save", "FILE", "write the weights as safetensors at the end, and on Ctrl-C"),
        .init("--load", "FILE", "begin with the weights of a safetensors file"),
        .init("--json", nil, "print one JSON object an epoch instead of text"),
        .init("--help", nil, "show this"),
    ]

    static let help = Arguments.help(
        "mnist-cnn: trains a convolutional network on handwritten digits and tests it.", flags: flags,
        examples: [
            "swift run mnist-cnn",
            "swift run mnist-cnn --data ~/mnist --download --epochs 2",
            "swift run mnist-cnn --save digits.safetensors",
            "swift run -c release mnist-cnn --json --seed 1",
        ])

    /// Nil if the help is wanted.
    init?(_ words: [String]) throws {
        let arguments = try Arguments(words, flags: Settings.flags)
        if arguments.has("--help") { return nil }
        download = arguments.has("--download")
        folder = arguments.string("--data") ?? (download ? "mnist" : nil)
        epochs = try arguments.int("--epochs", 1...Int.max) ?? epochs
        batchSize = try arguments.int("--batch-size", 1...Int.max) ?? batchSize
        learningRate = try arguments.positive("--lr") ?? learningRate
        seed = UInt64(try arguments.int("--seed", 0...Int.max) ?? 0)
        threads = try arguments.int("--threads", 1...1024)
        limit = try arguments.int("--limit", 1...Int.max)
        save = arguments.string("--save")
        load = arguments.string("--load")
        json = arguments.has("--json")
    }
}

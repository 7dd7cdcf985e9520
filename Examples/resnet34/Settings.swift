// The command line of resnet34.
import ExampleSupport

struct Settings {
    /// How much is trained on.
    enum Preset: String, CaseIterable {
        case tiny, full
        /// Training and test images that are used; nil for all.
        var limits: (training: Int?, test: Int?) { self == .tiny ? (2400, 1000) : (nil, nil) }
        var epochs: Int { self == .tiny ? 2 : 10 }
        /// Share of a batch in batch normalisation's running statistics: with Keras's 0.01 some hundred steps leave
        /// much of what they began with, and a network that does well in training fails in testing.
        var momentum: Double { self == .tiny ? 0.1 : 0.01 }
    }

    let folder: String?
    let preset: Preset
    let log: String?
    let training: TrainingOptions

    private static let defaults = (batchSize: 32, learningRate: 1e-3)

    static let flags: [Arguments.Flag] =
        [
            .init("--preset", "NAME", "tiny: 2,400 images twice, about a minute (default); full: all, 10 times"),
            .init("--data", "DIR", "folder with the four MNIST files (default: the subset shipped here)"),
            .init("--log", "FILE", "write loss and accuracy of each epoch as CSV"),
        ]
        + TrainingOptions.flags(
            epochs: Preset.tiny.epochs, batchSize: defaults.batchSize, learningRate: defaults.learningRate)

    static let help = Arguments.help(
        "resnet34: ResNet-34 as Keras builds it, on handwritten digits, trained the Keras way: fit and evaluate.",
        flags: flags,
        examples: [
            "swift run resnet34",
            "swift run -c release resnet34 --preset full --data ~/mnist --save resnet34.safetensors",
            "swift run resnet34 --load resnet34.safetensors --epochs 0",
        ])

    /// Nil if the help is wanted.
    init?(_ words: [String]) throws {
        let arguments = try Arguments(words, flags: Settings.flags)
        if arguments.has("--help") { return nil }
        let name = try arguments.choice("--preset", of: Preset.allCases.map(\.rawValue))
        preset = name.flatMap { Preset(rawValue: $0) } ?? .tiny
        folder = arguments.string("--data")
        log = arguments.string("--log")
        training = try TrainingOptions(
            arguments, epochs: preset.epochs, batchSize: Settings.defaults.batchSize,
            learningRate: Settings.defaults.learningRate)
    }
}

// The command line of resnet34.
import ExampleSupport

struct Settings: ProgramSettings {
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

    private static func defaults(_ preset: Preset) -> TrainingOptions.Defaults {
        .init(epochs: preset.epochs, batchSize: 32, learningRate: 1e-3)
    }

    static let flags: [Arguments.Flag] =
        [
            .init("--preset", "NAME", "tiny: 2,400 images twice, about a minute (default); full: all, 10 times"),
            .init("--data", "DIR", "folder with the four MNIST files (default: the subset shipped here)"),
            .init("--log", "FILE", "write loss and accuracy of each epoch as CSV"),
        ]
        + TrainingOptions.flags(defaults(.tiny))

    static let summary =
        "resnet34: ResNet-34 as Keras builds it, on handwritten digits, trained the Keras way: fit and evaluate."
    static let examples = [
        "swift run resnet34",
        "swift run -c release resnet34 --preset full --data ~/mnist --save resnet34.safetensors",
        "swift run resnet34 --load resnet34.safetensors --epochs 0",
    ]

    init(_ arguments: Arguments) throws {
        let name = try arguments.choice("--preset", of: Preset.allCases.map(\.rawValue))
        preset = name.flatMap { Preset(rawValue: $0) } ?? .tiny
        folder = arguments.string("--data")
        log = arguments.string("--log")
        training = try TrainingOptions(arguments, Settings.defaults(preset))
    }
}

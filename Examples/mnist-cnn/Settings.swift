// The command line of mnist-cnn.
import ExampleSupport

struct Settings: ProgramSettings {
    let folder: String?
    let download: Bool
    let limit: Int?
    let json: Bool
    let training: TrainingOptions

    private static let defaults = TrainingOptions.Defaults(epochs: 5, batchSize: 50, learningRate: 1e-3, fewest: 1)

    static let flags: [Arguments.Flag] =
        [
            .init("--data", "DIR", "folder with the four MNIST files, plain or .gz (default: the subset shipped here)"),
            .init("--download", nil, "fetch the files into the folder of --data (default ./mnist) if they are missing"),
            .init("--limit", "N", "train on the first N images only"),
            .init("--json", nil, "print one JSON object an epoch instead of text"),
        ]
        + TrainingOptions.flags(defaults)

    static let summary =
        "mnist-cnn: trains a convolutional network on handwritten digits and tests it."
    static let examples = [
        "swift run mnist-cnn",
        "swift run mnist-cnn --data ~/mnist --download --epochs 2",
        "swift run mnist-cnn --save digits.safetensors",
        "swift run -c release mnist-cnn --json --seed 1",
    ]

    init(_ arguments: Arguments) throws {
        download = arguments.has("--download")
        folder = arguments.string("--data") ?? (download ? "mnist" : nil)
        json = arguments.has("--json")
        training = try TrainingOptions(arguments, Settings.defaults)
        limit = try arguments.int("--limit", 1...Int.max) ?? (training.quick ? 1000 : nil)
    }
}

// The command line of gan-mnist.
import ExampleSupport

struct Settings: ProgramSettings {
    let folder: String?
    let png: String?
    let training: TrainingOptions

    private static let defaults = TrainingOptions.Defaults(epochs: 8, batchSize: 64, learningRate: 2e-4)

    static let flags: [Arguments.Flag] =
        [
            .init("--data", "DIR", "folder with the four MNIST files (default: the subset shipped here)"),
            .init("--png", "FILE", "write 64 drawn digits as one picture at the end"),
        ]
        + TrainingOptions.flags(defaults)

    static let summary =
        "gan-mnist: two networks against each other, one that draws digits and one that tells drawn from real."
    static let examples = [
        "swift run gan-mnist",
        "swift run gan-mnist --data ~/mnist --epochs 10 --save gan.safetensors --png digits.png",
        "swift run gan-mnist --load gan.safetensors --epochs 0 --seed 7 --png more.png",
    ]

    init(_ arguments: Arguments) throws {
        folder = arguments.string("--data")
        png = arguments.string("--png")
        training = try TrainingOptions(arguments, Settings.defaults)
    }
}

// The command line of gan-mnist.
import ExampleSupport

struct Settings {
    let folder: String?
    let png: String?
    let training: TrainingOptions

    private static let defaults = (epochs: 8, batchSize: 64, learningRate: 2e-4)

    static let flags: [Arguments.Flag] =
        [
            .init("--data", "DIR", "folder with the four MNIST files (default: the subset shipped here)"),
            .init("--png", "FILE", "write 64 drawn digits as one picture at the end"),
        ]
        + TrainingOptions.flags(
            epochs: defaults.epochs, batchSize: defaults.batchSize, learningRate: defaults.learningRate)

    static let help = Arguments.help(
        "gan-mnist: two networks against each other, one that draws digits and one that tells drawn from real.",
        flags: flags,
        examples: [
            "swift run gan-mnist",
            "swift run gan-mnist --data ~/mnist --epochs 10 --save gan.safetensors --png digits.png",
            "swift run gan-mnist --load gan.safetensors --epochs 0 --seed 7 --png more.png",
        ])

    /// Nil if the help is wanted.
    init?(_ words: [String]) throws {
        let arguments = try Arguments(words, flags: Settings.flags)
        if arguments.has("--help") { return nil }
        folder = arguments.string("--data")
        png = arguments.string("--png")
        let defaults = Settings.defaults
        training = try TrainingOptions(
            arguments, epochs: defaults.epochs, batchSize: defaults.batchSize, learningRate: defaults.learningRate)
    }
}

// The command line of gradcheck-your-op.
import ExampleSupport

struct Settings: ProgramSettings {
    let wrong: Bool
    let training: TrainingOptions

    // An epoch is one step, the samples are points.
    private static let defaults = TrainingOptions.Defaults(
        epochs: 300, batchSize: 256, learningRate: 0.05, largestBatch: 1_000_000)

    static let flags: [Arguments.Flag] =
        [.init("--wrong", nil, "check a gradient with a mistake, to see how that looks")]
        + TrainingOptions.flags(defaults)

    static let summary =
        "gradcheck-your-op: a template of an op with a gradient of its own. Checks it, then trains with it;\n"
        + "an epoch is one step, the samples are points."
    static let examples = [
        "swift run gradcheck-your-op", "swift run gradcheck-your-op --wrong",
        "swift run gradcheck-your-op --save beta.safetensors",
    ]

    init(_ arguments: Arguments) throws {
        wrong = arguments.has("--wrong")
        training = try TrainingOptions(arguments, Settings.defaults)
    }
}

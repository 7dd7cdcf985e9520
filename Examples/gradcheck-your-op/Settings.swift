// The command line of gradcheck-your-op.
import ExampleSupport

struct Settings {
    let wrong: Bool
    let training: TrainingOptions

    private static let defaults = (steps: 300, points: 256, learningRate: 0.05)

    static let flags: [Arguments.Flag] =
        [.init("--wrong", nil, "check a gradient with a mistake, to see how that looks")]
        + TrainingOptions.flags(
            epochs: defaults.steps, batchSize: defaults.points, learningRate: defaults.learningRate)

    static let help = Arguments.help(
        "gradcheck-your-op: a template of an op with a gradient of its own. Checks it, then trains with it;\n"
            + "an epoch is one step, the samples are points.",
        flags: flags,
        examples: [
            "swift run gradcheck-your-op", "swift run gradcheck-your-op --wrong",
            "swift run gradcheck-your-op --save beta.safetensors",
        ])

    /// Nil if the help is wanted.
    init?(_ words: [String]) throws {
        let arguments = try Arguments(words, flags: Settings.flags)
        if arguments.has("--help") { return nil }
        wrong = arguments.has("--wrong")
        let defaults = Settings.defaults
        training = try TrainingOptions(
            arguments, epochs: defaults.steps, batchSize: defaults.points, learningRate: defaults.learningRate)
    }
}

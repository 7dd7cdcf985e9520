// The command line of char-rnn.
import ExampleSupport

struct Settings: ProgramSettings {
    let text: String?
    /// Nil for the usual one.
    let prompt: String?
    let length: Int
    let temperature: Double
    let hidden: Int
    let training: TrainingOptions

    private static let defaults = TrainingOptions.Defaults(epochs: 40, batchSize: 16, learningRate: 3e-3)

    static let flags: [Arguments.Flag] =
        [
            .init("--text", "FILE", "a text to learn from, UTF-8 (default: some sonnets shipped here)"),
            .init("--prompt", "TEXT", "how the written text begins (default: a line break)"),
            .init("--length", "N", "characters to write (default 400)"),
            .init("--temperature", "X", "below 1 safer, above 1 wilder (default 0.7)"),
            .init("--hidden", "N", "size of the state (default 128)"),
        ]
        + TrainingOptions.flags(defaults)

    static let summary =
        "char-rnn: learns a text letter by letter with an LSTM, then writes one of its own."
    static let examples = [
        "swift run char-rnn",
        "swift run char-rnn --text book.txt --hidden 256 --save book.safetensors",
        "swift run char-rnn --load book.safetensors --epochs 0 --prompt \"When \" --temperature 0.5",
    ]

    init(_ arguments: Arguments) throws {
        text = arguments.string("--text")
        prompt = arguments.string("--prompt")
        training = try TrainingOptions(arguments, Settings.defaults)
        length = try arguments.int("--length", 0...1_000_000) ?? (training.quick ? 100 : 400)
        temperature = try arguments.positive("--temperature") ?? 0.7
        hidden = try arguments.int("--hidden", 1...8192) ?? 128
    }
}

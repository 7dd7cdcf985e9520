// The command line of cifar10-lenet5.
import ExampleSupport

struct Settings {
    let folder: String?
    let augment: Bool
    let training: TrainingOptions

    private static let defaults = (epochs: 6, batchSize: 64, learningRate: 1e-3)

    static let flags: [Arguments.Flag] =
        [
            .init("--data", "DIR", "folder with CIFAR-10's binary files (default: digits over photographs, made here)"),
            .init("--augment", nil, "train on random crops (and, of CIFAR-10, mirror images)"),
        ]
        + TrainingOptions.flags(
            epochs: defaults.epochs, batchSize: defaults.batchSize, learningRate: defaults.learningRate)

    static let help = Arguments.help(
        "cifar10-lenet5: trains LeNet-5 on small colour images and tests it, class by class.", flags: flags,
        examples: [
            "swift run cifar10-lenet5",
            "swift run cifar10-lenet5 --data ~/cifar-10-batches-bin --augment --epochs 20",
            "swift run cifar10-lenet5 --save lenet.safetensors",
            "swift run cifar10-lenet5 --load lenet.safetensors --epochs 0",
        ])

    /// Nil if the help is wanted.
    init?(_ words: [String]) throws {
        let arguments = try Arguments(words, flags: Settings.flags)
        if arguments.has("--help") { return nil }
        folder = arguments.string("--data")
        augment = arguments.has("--augment")
        let defaults = Settings.defaults
        training = try TrainingOptions(
            arguments, epochs: defaults.epochs, batchSize: defaults.batchSize, learningRate: defaults.learningRate)
    }
}

// The command line of cifar10-lenet5.
import ExampleSupport

struct Settings: ProgramSettings {
    let folder: String?
    let augment: Bool
    let training: TrainingOptions

    private static let defaults = TrainingOptions.Defaults(epochs: 6, batchSize: 64, learningRate: 1e-3)

    static let flags: [Arguments.Flag] =
        [
            .init("--data", "DIR", "folder with CIFAR-10's binary files (default: digits over photographs, made here)"),
            .init("--augment", nil, "train on random crops (and, of CIFAR-10, mirror images)"),
        ]
        + TrainingOptions.flags(defaults)

    static let summary =
        "cifar10-lenet5: trains LeNet-5 on small colour images and tests it, class by class."
    static let examples = [
        "swift run cifar10-lenet5",
        "swift run cifar10-lenet5 --data ~/cifar-10-batches-bin --augment --epochs 20",
        "swift run cifar10-lenet5 --save lenet.safetensors",
        "swift run cifar10-lenet5 --load lenet.safetensors --epochs 0",
    ]

    init(_ arguments: Arguments) throws {
        folder = arguments.string("--data")
        augment = arguments.has("--augment")
        training = try TrainingOptions(arguments, Settings.defaults)
    }
}

// The command line of image-classifier.
import ExampleSupport

struct Settings: ProgramSettings {
    let images: [String]
    let weights: String?
    let labels: [String]?
    let architecture: Architecture
    let top: Int
    let save: String?
    let quick: Bool
    let seed: UInt64
    let threads: Int?

    static let flags: [Arguments.Flag] = [
        .init("--weights", "FILE", "weights with torchvision's names: .safetensors, or .pth of torch.save"),
        .init("--load", "FILE", "the same"),
        .init("--arch", "NAME", "resnet18 (default), resnet34, resnet50, resnet101 or resnet152"),
        .init("--image", "FILE", "a PNG or PNM image (default: the two photographs shipped here)"),
        .init("--labels", "FILE", "names of the classes, one a line (default: their numbers)"),
        .init("--top", "K", "how many classes to show (default 5)"),
        .init("--save", "FILE", "write the weights as safetensors: makes one of a .pth file"),
        .init("--quick", nil, "go without a file, by weights drawn from the seed: shows the way, means nothing"),
        .init("--seed", "N", "seed of the weights of --quick (default 0)"),
        .threads,
    ]

    static let summary =
        "image-classifier: tells what is to be seen in an image, by a ResNet with torchvision's weights."
    static let examples = [
        "swift run image-classifier --weights resnet18.pth --labels labels.txt",
        "swift run image-classifier --weights resnet18.safetensors --image dog.png --top 3",
        "swift run image-classifier --weights resnet50.pth --arch resnet50 --save resnet50.safetensors",
        "swift run image-classifier --quick",
    ]

    /// How torchvision's weights, and the names of their classes, become files.
    static let more = """


        Weights are not shipped. Where torchvision is at hand, three lines of Python write them, and the labels:
          import torch, torchvision; w = torchvision.models.get_model_weights("resnet18").DEFAULT
          torch.save(w.get_state_dict(), "resnet18.pth")
          open("labels.txt", "w").write("\\n".join(w.meta["categories"]))
        """

    init(_ arguments: Arguments) throws {
        let name = try arguments.choice("--arch", of: Architecture.allCases.map(\.rawValue))
        architecture = name.flatMap { Architecture(rawValue: $0) } ?? .resnet18
        quick = arguments.has("--quick")
        guard arguments.string("--weights") == nil || arguments.string("--load") == nil else {
            throw Arguments.UsageError(description: "--load and --weights are the same; give one of them")
        }
        weights = arguments.string("--weights") ?? arguments.string("--load")
        guard (weights != nil) != quick else {
            throw Arguments.UsageError(
                description: quick
                    ? "--quick goes without weights, but --weights is given"
                    : "--weights FILE is missing; --help tells how to get one, --quick goes without")
        }
        images = arguments.string("--image").map { [$0] } ?? []
        labels = try arguments.string("--labels").map(readLabels)
        top = try arguments.int("--top", 1...1000) ?? 5
        save = arguments.string("--save")
        seed = try arguments.seed()
        threads = try arguments.threads()
    }
}

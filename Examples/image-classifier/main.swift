// Tells what is to be seen in an image: `swift run image-classifier --weights resnet18.safetensors`.
import ExampleSupport
import Foundation
import Tapestry
import nn
import vision

/// The networks that can be used; layers and names are torchvision's.
enum Architecture: String, CaseIterable {
    case resnet18, resnet34, resnet50, resnet101, resnet152

    /// What torchvision does to an image before these networks see it: shorter edge 256, the middle 224 × 224, colours
    /// by ImageNet's mean and deviation.
    static let preprocess = vision.transforms.Compose([
        vision.transforms.ToTensor(), vision.transforms.Resize(256), vision.transforms.CenterCrop(224),
        vision.transforms.Normalize(mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]),
    ])

    func model(numClasses: Int) -> models.ResNet {
        switch self {
        case .resnet18: models.resnet18(numClasses: numClasses)
        case .resnet34: models.resnet34(numClasses: numClasses)
        case .resnet50: models.resnet50(numClasses: numClasses)
        case .resnet101: models.resnet101(numClasses: numClasses)
        case .resnet152: models.resnet152(numClasses: numClasses)
        }
    }
}

run("image-classifier", classify)

func classify(_ settings: Settings) throws {
    _ = InstructionSet.current
    if let threads = settings.threads { numThreads = threads }
    if let path = settings.save { try checkWritable(path) }
    let model = try loadModel(settings).eval()
    if let path = settings.save {
        try saveSafetensors(model.stateDict(), to: path)
        print("Saved the weights to \(path)")
    }
    for (name, image) in try readImages(settings.images) {
        let start = ContinuousClock.now
        let probabilities = inferenceMode {
            F.softmax(model(Architecture.preprocess(image).unsqueeze(0)), dim: 1).squeeze(0)
        }
        let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
        print("\n\(name), \(image.shape[2]) × \(image.shape[1])" + String(format: "  (%.0f ms)", milliseconds))
        let best = probabilities.topk(min(settings.top, probabilities.count))
        for (share, index) in zip(best.values.array(Double.self), best.indices.array(Int.self)) {
            let bar = String(repeating: "█", count: Int((share * 24).rounded()))
            print("  \(percent(share))  \(label(index, settings.labels))  \(bar)")
        }
        fflush(nil)
    }
}

/// The network with the weights that the settings name. The last layer tells how many classes there are.
func loadModel(_ settings: Settings) throws -> models.ResNet {
    guard let path = settings.weights else {
        manualSeed(settings.seed)
        print("Weights drawn from seed \(settings.seed), not trained: the classes below mean nothing")
        return settings.architecture.model(numClasses: settings.labels?.count ?? 1000)
    }
    let weights = try loadWeights(path)
    guard let classes = weights["fc.bias"], classes.rank == 1, classes.count > 0 else {
        throw FileError(path, "has no 'fc.bias' with a number for each class: these are no weights of a ResNet")
    }
    if let labels = settings.labels, labels.count != classes.count {
        throw FileError(path, "knows \(classes.count) classes, but --labels names \(labels.count)")
    }
    let model = settings.architecture.model(numClasses: classes.count)
    try model.loadWeights(weights, from: path)
    return model
}

/// The tensors of a safetensors file or of a state dict written by `torch.save`.
func loadWeights(_ path: String) throws -> [String: Tensor] {
    guard path.hasSuffix(".pth") || path.hasSuffix(".pt") else { return try loadSafetensors(from: path) }
    guard let weights = try loadTorch(from: path).stateDict else {
        throw FileError(path, "holds something else than a state dict: named tensors and nothing more")
    }
    return weights
}

/// Images of files, or the two photographs that ship with the package, in RGB: uint8 [3, H, W].
func readImages(_ paths: [String]) throws -> [(name: String, image: Tensor)] {
    guard paths.isEmpty else { return try paths.map { ($0, try vision.io.readImage($0, mode: .rgb)) } }
    return try vision.datasets.SampleImage.allCases.map { ($0.rawValue, try vision.datasets.sampleImage($0)) }
}

/// The lines of a file of names.
func readLabels(_ path: String) throws -> [String] {
    guard let data = FileManager.default.contents(atPath: path), let text = String(data: data, encoding: .utf8) else {
        throw FileError(path, "cannot be read as text")
    }
    let lines = text.split(whereSeparator: \.isNewline).map(String.init)
    guard !lines.isEmpty else { throw FileError(path, "holds no names") }
    return lines
}

/// The class's name in a column.
func label(_ index: Int, _ labels: [String]?) -> String {
    let name = labels.flatMap { $0.indices.contains(index) ? $0[index] : nil } ?? "class \(index)"
    return name.padding(toLength: max(24, name.count), withPad: " ", startingAt: 0)
}

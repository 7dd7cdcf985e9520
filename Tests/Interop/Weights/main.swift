// The Swift side of interop.py: makes, saves and loads the small CNN and reads and writes tensors, as it is told.
//
//     interop init SEED FILE          the first weights that a seed gives
//     interop train SEED FOLDER       a trained network's weights in every format, with an input and its output
//     interop run WEIGHTS IN OUT      the output for an input by weights that PyTorch saved
//     interop copy IN OUT             a .npy or .npz read and written again
import Foundation
import Tapestry
import nn
import optim

/// Beside it in interop.py, layer for layer.
final class CNN: nn.Module {
    let conv1 = nn.Conv2d(1, 6, kernelSize: 3, padding: 1)
    let bn1 = nn.BatchNorm2d(6)
    let conv2 = nn.Conv2d(6, 8, kernelSize: 3, stride: 2)
    let bn2 = nn.BatchNorm2d(8)
    let out = nn.Linear(8 * 3 * 3, 5)

    override func forward(_ x: Tensor) -> Tensor {
        var x = F.maxPool2d(F.relu(bn1(conv1(x))), kernelSize: 2)
        x = F.relu(bn2(conv2(x)))
        return out(x.flatten(startDim: 1))
    }
}

/// Weights of a file of any format; of a training checkpoint of PyTorch's, those of its "model".
func weights(_ path: String) throws -> [String: Tensor] {
    switch URL(fileURLWithPath: path).pathExtension {
    case "safetensors": return try loadSafetensors(from: path, mapped: true)
    case "npz": return try loadNPZ(from: path)
    default:
        let value = try loadTorch(from: path)
        guard let state = (value["model"] ?? value).stateDict else { throw FileError(path, "holds no state dict") }
        return state
    }
}

/// A few steps of training, so that running statistics and optimiser state are not those of the beginning.
func train(seed: UInt64, folder: String) throws {
    manualSeed(seed)
    let model = CNN()
    let optimizer = optim.Adam(model.parameters(), lr: 0.01)
    for _ in 0..<5 {
        let loss = F.crossEntropy(model(Tensor.randn([8, 1, 14, 14]) * 2 + 1), Tensor((0..<8).map { $0 % 5 }))
        optimizer.zeroGrad()
        loss.backward()
        optimizer.step()
    }
    model.eval()
    let input = Tensor.randn([4, 1, 14, 14])
    let state = model.stateDict()
    let byName = Dictionary(uniqueKeysWithValues: state.map { ($0.name, $0.tensor) })
    try saveSafetensors(state, to: "\(folder)/weights.safetensors")
    try saveCheckpoint(to: "\(folder)/checkpoint.safetensors", model: model, optimizer: optimizer, epoch: 5)
    try saveNPZ(byName, to: "\(folder)/stored.npz")
    try saveNPZ(byName, to: "\(folder)/deflated.npz", compressed: true)
    try saveNPY(input, to: "\(folder)/input.npy")
    try saveNPY(noGrad { model(input) }, to: "\(folder)/output.npy")
}

do {
    let words = Array(CommandLine.arguments.dropFirst())
    switch (words.first, words.count) {
    case ("init", 3):
        manualSeed(UInt64(words[1]) ?? 0)
        try saveSafetensors(CNN().stateDict(), to: words[2])
    case ("train", 3): try train(seed: UInt64(words[1]) ?? 0, folder: words[2])
    case ("run", 4):
        let model = CNN()
        try model.loadStateDict(try weights(words[1]))
        model.eval()
        let input = try loadNPY(from: words[2])
        try saveNPY(noGrad { model(input) }, to: words[3])
    case ("copy", 3) where words[1].hasSuffix(".npz"): try saveNPZ(try loadNPZ(from: words[1]), to: words[2])
    case ("copy", 3): try saveNPY(try loadNPY(from: words[1]), to: words[2])
    default:
        FileHandle.standardError.write(Data("interop: called by interop.py\n".utf8))
        exit(2)
    }
} catch {
    FileHandle.standardError.write(Data("interop: \(error)\n".utf8))
    exit(1)
}

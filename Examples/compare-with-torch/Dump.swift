// The file that `dump.py` writes: what a step starts from, and what came out of it in PyTorch.
import Tapestry
import nn

struct Dump {
    static let format = "tapestry-compare"
    /// The model's name in torchvision.
    let model: String
    let start: Start
    /// What came out, by name.
    let results: [String: Tensor]

    /// - Throws: `FileError` naming the file and what it lacks.
    init(_ path: String) throws {
        let file = try SafetensorsFile(path)
        guard file.metadata["format"] == Dump.format else {
            throw FileError(path, "was not written by dump.py: its metadata lacks the format '\(Dump.format)'")
        }
        let tensors = try loadSafetensors(from: path)
        guard let input = tensors["input"], let target = tensors["target"], input.rank > 0,
            target.shape == [input.shape[0]], target.dtype == .int64
        else { throw FileError(path, "has no 'input' or no 'target' with a class for each of its rows") }
        let prefix = "state "
        let state = tensors.filter { $0.key.hasPrefix(prefix) }
            .map { (String($0.key.dropFirst(prefix.count)), $0.value) }
        model = file.metadata["model"] ?? ""
        start = Start(
            state: Dictionary(uniqueKeysWithValues: state), input: input, target: target,
            isTraining: file.metadata["mode"] != "eval", seed: file.metadata["seed"].flatMap { UInt64($0) } ?? 0)
        results = tensors.filter { name, _ in
            name == "loss" || name.hasPrefix("output ") || name.hasPrefix("grad ")
        }
    }

    init(model: String, start: Start, results: [String: Tensor]) {
        (self.model, self.start, self.results) = (model, start, results)
    }

    /// - Throws: `FileError` if it cannot be written.
    func write(to path: String) throws {
        var tensors = results.merging(["input": start.input, "target": start.target]) { $1 }
        for (name, tensor) in start.state { tensors["state \(name)"] = tensor }
        try saveSafetensors(
            tensors, to: path,
            metadata: [
                "format": Dump.format, "model": model, "mode": start.isTraining ? "train" : "eval",
                "seed": "\(start.seed)",
            ])
    }
}

// The process that is killed: a model whose numbers are all the epoch's, saved again and again.
import Foundation
import nn
import optim

/// A model of 2 MB with the optimiser's state of twice that.
struct Training {
    let model = nn.Linear(768, 768)
    let optimizer: optim.Adam

    init() {
        optimizer = optim.Adam(model.parameters())
        for parameter in model.parameters() { parameter.grad = Tensor.ones(like: parameter) }
        optimizer.step()
    }

    /// The epoch of a checkpoint, whose parameters must all be that number.
    func load(_ path: String) throws -> Int {
        let epoch = try loadCheckpoint(from: path, model: model, optimizer: optimizer).epoch
        for (name, parameter) in model.namedParameters() {
            let (least, most) = (parameter.detach().min().item(), parameter.detach().max().item())
            guard least == Double(epoch), most == Double(epoch) else {
                throw FileError(path, "'\(name)' is not that of epoch \(epoch)")
            }
        }
        return epoch
    }
}

/// The checkpoint that each epoch replaces.
func latestPath(_ folder: String) -> String { "\(folder)/latest.safetensors" }

/// Saves epoch after epoch, from the one after the latest on: each over the latest, each third beside it too. Says each
/// epoch on standard output once it is saved; ends when nobody listens.
func saveWithoutEnd(in folder: String) throws {
    let training = Training()
    let latest = latestPath(folder)
    var epoch = FileManager.default.fileExists(atPath: latest) ? try training.load(latest) : 0
    while true {
        epoch += 1
        for parameter in training.model.parameters() { parameter.detach().fill_(epoch) }
        try saveCheckpoint(to: latest, model: training.model, optimizer: training.optimizer, epoch: epoch)
        if epoch % 3 == 0 {
            try saveCheckpoint(
                to: "\(folder)/epoch-\(epoch / 3 % 3).safetensors", model: training.model,
                optimizer: training.optimizer, epoch: epoch)
        }
        try FileHandle.standardOutput.write(contentsOf: Data("\(epoch)\n".utf8))
    }
}

// Every reader of what comes from outside, as a function of bytes. Each must return or throw a `FileError`.
import ExampleSupport
import Foundation
import Tapestry
import data
import nn
import optim
import vision

/// A reader under test.
struct Parser: Sendable {
    let name: String
    /// Reads bytes, with a folder for its files.
    let read: @Sendable (_ bytes: UnsafeRawBufferPointer, _ folder: String) throws -> Void

    static let all: [Parser] = [
        // Images of MNIST, plain or gzip, beside labels that are right for two of them.
        Parser(name: "idx") { bytes, folder in
            try write(bytes, "\(folder)/train-images-idx3-ubyte")
            try write([0, 0, 8, 1, 0, 0, 0, 2, 3, 9], "\(folder)/train-labels-idx1-ubyte")
            _ = try vision.datasets.MNIST(root: folder)
        },
        Parser(name: "cifar") { bytes, folder in
            try write(bytes, "\(folder)/test_batch.bin")
            _ = try vision.datasets.CIFAR10(root: folder, train: false)
        },
        Parser(name: "tar") { bytes, folder in
            defer { try? FileManager.default.removeItem(atPath: "\(folder)/inside") }
            try unpackTar(try file(bytes, folder), folder: "inside", into: folder)
        },
        // What is read must be the same once it is written and read again.
        Parser(name: "png") { bytes, folder in
            let image = try io.readImage(try file(bytes, folder))
            try io.writePNG(image, to: "\(folder)/copy")
            try expectSame(image, try io.readImage("\(folder)/copy"))
            for mode in 1...4 { _ = try io.readImage("\(folder)/input", mode: io.ImageReadMode(rawValue: mode)!) }
        },
        Parser(name: "pnm") { bytes, folder in _ = try io.readImage(try file(bytes, folder)) },
        Parser(name: "safetensors") { bytes, folder in
            let tensors = try loadSafetensors(from: try file(bytes, folder))
            try saveSafetensors(tensors, to: "\(folder)/copy")
            let again = try loadSafetensors(from: "\(folder)/copy", mapped: true)
            for (name, tensor) in tensors { try expectSame(tensor, again[name]) }
        },
        Parser(name: "npy") { bytes, folder in
            let array = try loadNPY(from: try file(bytes, folder))
            try saveNPY(array, to: "\(folder)/copy")
            try expectSame(array, try loadNPY(from: "\(folder)/copy"))
        },
        Parser(name: "npz") { bytes, folder in _ = try loadNPZ(from: try file(bytes, folder)) },
        Parser(name: "torch") { bytes, folder in
            _ = try loadTorch(from: try file(bytes, folder)).stateDict?.values.map { $0.sum() }
        },
        Parser(name: "checkpoint") { bytes, folder in
            let model = nn.Linear(3, 2)
            try loadCheckpoint(from: try file(bytes, folder), model: model, optimizer: optim.Adam(model.parameters()))
        },
        Parser(name: "csv") { bytes, folder in
            let path = try file(bytes, folder)
            _ = try data.CSVDataset(path)
            _ = try data.CSVDataset(path, labelColumn: -1, separator: ";", classes: 10, targetType: .float32)
        },
        // Words end with zero bytes, as in the system's own command lines.
        Parser(name: "arguments") { bytes, _ in
            let words = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            let flags: [Arguments.Flag] = [
                .init("--epochs", "N", "a number"), .init("--lr", "X", "a number"), .init("--json", nil, "a switch"),
            ]
            do {
                let arguments = try Arguments(words, flags: flags)
                _ = try arguments.int("--epochs", 1...Int.max)
                _ = try arguments.positive("--lr")
            } catch is Arguments.UsageError {}
        },
    ]
}

/// The bytes as a file.
private func file(_ bytes: UnsafeRawBufferPointer, _ folder: String) throws -> String {
    try write(bytes, "\(folder)/input")
    return "\(folder)/input"
}

/// Overwrites a file in place: quicker than to make one.
private func write(_ bytes: some Sequence<UInt8>, _ path: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    defer { close(descriptor) }
    let bytes = Array(bytes)
    guard write(descriptor, bytes, bytes.count) == bytes.count else { fatalError("\(path) cannot be written") }
}

/// Ends the program unless a tensor has come back as it was; NaNs compare by their bits.
private func expectSame(_ a: Tensor, _ b: Tensor?) throws {
    guard let b, a.dtype == b.dtype, a.shape == b.shape else { fatalError("\(a.shape) \(a.dtype) came back as another") }
    let isSame = a.dtype.isFloatingPoint
        ? zip(a.array(Double.self), b.array(Double.self)).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }
        : a.array(Int.self) == b.array(Int.self)
    guard isSame else { fatalError("the elements of \(a.shape) \(a.dtype) came back as others") }
}

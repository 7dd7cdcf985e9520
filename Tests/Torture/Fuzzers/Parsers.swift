// Every reader of what comes from outside, as a function of bytes. Each must return or throw a `FileError`; what has
// been read must come back the same once it is written and read again.
import ExampleSupport
import Foundation
import nn
import optim

@testable import Tapestry
@testable import data
@testable import vision

/// A reader under test.
struct Parser: Sendable {
    let name: String
    /// Writes right inputs into a folder, beside those of `seeds.py`.
    var seed: @Sendable (_ folder: String) throws -> Void = { _ in }
    /// Reads bytes, with a folder for its files.
    let read: @Sendable (_ bytes: [UInt8], _ folder: String) throws -> Void

    static let all =
        [idx, gzip, cifar, tar, png, pnm, safetensors, npy, npz, torch, pickle, checkpoint, csv, events]
        + [cells, words]

    // MARK: Datasets

    /// Images of MNIST beside labels that are right for two of them, and labels beside two images; plain or gzip.
    private static let idx = Parser(name: "idx") { bytes, folder in
        for (name, other, right) in [
            ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 2, 3, 9]),
            (
                "train-labels-idx1-ubyte", "train-images-idx3-ubyte",
                [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28] + [UInt8](repeating: 1, count: 1568)
            ),
        ] {
            let set = "\(folder)/\(name)-set"
            if access(set, F_OK) != 0 {
                try FileManager.default.createDirectory(atPath: set, withIntermediateDirectories: true)
                try write(right, "\(set)/\(other)")
            }
            try write(bytes, "\(set)/\(name)")
            expectFileError { _ = try vision.datasets.MNIST(root: set) }
        }
        _ = try readIDX(try file(bytes, folder), itemShape: [2, 3])
    }

    /// The wrapper alone: in small pieces as in one.
    private static let gzip = Parser(name: "gzip") { bytes, folder in
        let path = try file(bytes, folder)
        let reader = try GzipReader(path)
        let limit = 1 << 14
        let whole = try reader.read(limit)
        guard whole.count <= reader.largestContent else { fatalError("more than the file can hold") }
        if whole.count < limit {
            let reader = try GzipReader(path)
            var pieces: [UInt8] = []
            while case let piece = try reader.read(1 + pieces.count / 2), !piece.isEmpty { pieces += piece }
            guard pieces == whole else { fatalError("pieces are not the whole") }
        }
    }

    /// Rows are long: the input is the first, and the number of bytes that follow it.
    private static let cifar = Parser(name: "cifar") { bytes, folder in
        try write(bytes, "\(folder)/test_batch.bin")
        expectFileError { _ = try vision.datasets.CIFAR10(root: folder, train: false) }
        let labels = bytes.prefix(8).flatMap { [$0 % 32, $0] + [UInt8](repeating: $0, count: 3072) }
        try write(labels, "\(folder)/test.bin")
        _ = try vision.datasets.CIFAR100(root: folder, train: false)
    }

    private static let tar = Parser(name: "tar") { bytes, folder in
        defer {
            if access("\(folder)/inside", F_OK) == 0 { try? FileManager.default.removeItem(atPath: "\(folder)/inside") }
        }
        try unpackTar(try file(Mended.tar(bytes), folder), folder: "inside", into: folder)
    }

    private static let csv = Parser(name: "csv") { bytes, folder in
        let path = try file(bytes, folder)
        expectFileError { _ = try data.CSVDataset(path) }
        _ = try data.CSVDataset(path, labelColumn: -1, separator: ";", classes: 10, targetType: .float32)
    }

    // MARK: Images

    /// The file as it is, with its checksums mended, and as the inside of a file: header, palette, rows.
    private static let png = Parser(name: "png") { bytes, folder in
        for version in [bytes, Mended.png(bytes), Mended.pngAround(bytes)] {
            expectFileError {
                let image = try io.readImage(try file(version, folder))
                try io.writePNG(image, to: "\(folder)/copy")
                try expectSame(image, try io.readImage("\(folder)/copy"))
                // Any byte will do; the first ones are always the same.
                let mode = io.ImageReadMode(rawValue: 1 + Int(version[version.count / 2] % 4))!
                _ = try io.readImage("\(folder)/input", mode: mode)
            }
        }
    }
    private static let pnm = Parser(name: "pnm") { bytes, folder in
        let image = try io.readImage(try file(bytes, folder))
        guard image.shape[0] != 2 else { return }
        try io.writePNM(image, to: "\(folder)/copy")
        try expectSame(image, try io.readImage("\(folder)/copy"))
    }

    // MARK: Tensors

    private static let safetensors = Parser(name: "safetensors") { bytes, folder in
        let tensors = try loadSafetensors(from: try file(bytes, folder))
        try saveSafetensors(tensors, to: "\(folder)/copy")
        let again = try loadSafetensors(from: "\(folder)/copy", mapped: true)
        for (name, tensor) in tensors { try expectSame(tensor, again[name]) }
    }
    private static let npy = Parser(name: "npy") { bytes, folder in
        let array = try loadNPY(from: try file(bytes, folder))
        try saveNPY(array, to: "\(folder)/copy")
        try expectSame(array, try loadNPY(from: "\(folder)/copy"))
    }
    private static let npz = Parser(name: "npz") { bytes, folder in
        expectFileError { _ = try loadNPZ(from: try file(bytes, folder)) }
        let arrays = try loadNPZ(from: try file(Mended.zip(bytes), folder))
        try saveNPZ(arrays, to: "\(folder)/copy", compressed: true)
        let again = try loadNPZ(from: "\(folder)/copy")
        for (name, array) in arrays { try expectSame(array, again[name]) }
    }
    private static let torch = Parser(name: "torch") { bytes, folder in
        _ = try loadTorch(from: try file(Mended.zip(bytes), folder)).stateDict?.values.map { $0.sum() }
    }
    /// The pickle of a PyTorch file, beside two storages of 24 bytes.
    private static let pickle = Parser(name: "pickle") { bytes, _ in
        var reader = PickleReader(bytes) { storage in
            guard "01".contains(storage.key), storage.element.byteCount([storage.count]) == 24,
                let dtype = storage.element.dtype
            else { throw FileError("pickle", "there is no such storage") }
            return Tensor.zeros([storage.count], dtype: dtype)
        }
        do { touch(try reader.read()) } catch is PickleReader.Fault {}
    }

    /// A file that does not fit changes nothing; one that fits is what is saved next.
    private static let checkpoint = Parser(
        name: "checkpoint",
        seed: { folder in
            let run = Training()
            for (name, generators) in [("own", []), ("generator", [Tapestry.Generator(seed: 1)])] {
                try saveCheckpoint(
                    to: "\(folder)/\(name)", model: run.model, optimizer: run.optimizer, scheduler: run.scheduler,
                    generators: generators, epoch: 2, metadata: ["note": "x"])
                run.step()
            }
        },
        read: { bytes, folder in
            let path = try file(bytes, folder)
            expectFileError { try loadCheckpoint(from: path, generators: [Tapestry.Generator(seed: 1)]) }
            let run = Training()
            let before = run.model.weight.array(Float.self)
            do {
                try loadCheckpoint(
                    from: path, model: run.model, optimizer: run.optimizer, scheduler: run.scheduler, generators: [])
            } catch {
                guard run.model.weight.array(Float.self) == before else { fatalError("half a checkpoint is loaded") }
                throw error
            }
            run.step()
        })

    // MARK: Text

    /// Words end with zero bytes, as in the system's own command lines.
    private static let words = Parser(name: "arguments") { bytes, _ in
        let words = bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        let defaults = TrainingOptions.Defaults(epochs: 2, batchSize: 50, learningRate: 1e-3)
        do {
            let arguments = try Arguments(words, flags: TrainingOptions.flags(defaults))
            _ = try TrainingOptions(arguments, defaults)
            _ = try arguments.choice("--save", of: ["a", "b"])
        } catch is Arguments.UsageError {}
        try notebookWords(words)
    }
}

/// What a checkpoint is of.
private struct Training {
    let model = nn.Linear(3, 2)
    let optimizer: optim.Adam
    let scheduler: optim.StepLR

    init() {
        model.weight.detach().zero_()
        optimizer = optim.Adam(model.parameters())
        scheduler = optim.StepLR(optimizer, stepSize: 2)
    }

    func step() {
        model(Tensor.ones([1, 3])).sum().backward()
        optimizer.step()
        scheduler.step()
    }
}

/// The bytes as a file.
func file(_ bytes: [UInt8], _ folder: String) throws -> String {
    try write(bytes, "\(folder)/input")
    return "\(folder)/input"
}

/// Overwrites a file in place: quicker than to make one.
private func write(_ bytes: [UInt8], _ path: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    defer { close(descriptor) }
    guard write(descriptor, bytes, bytes.count) == bytes.count else { fatalError("\(path) cannot be written") }
}

/// Reads all elements of what a file held.
private func touch(_ value: TorchValue) {
    _ = value.tensor?.contiguous().sum()
    for element in value.elements ?? [] { touch(element) }
    if case .dict(let items) = value { for item in items { touch(item.value) } }
}

/// Ends the program unless a tensor has come back as it was; NaNs compare as equal.
private func expectSame(_ a: Tensor, _ b: Tensor?) throws {
    guard let b, a.dtype == b.dtype, a.shape == b.shape else {
        fatalError("\(a.shape) \(a.dtype) came back as another")
    }
    let isSame =
        a.dtype.isFloatingPoint
        ? zip(a.array(Double.self), b.array(Double.self)).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) }
        : a.array(Int.self) == b.array(Int.self)
    guard isSame else { fatalError("the elements of \(a.shape) \(a.dtype) came back as others") }
}

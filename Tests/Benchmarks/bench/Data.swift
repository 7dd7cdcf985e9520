// What goes in: the first batch of MNIST, how long a training step waits for its loader, and augmentation.
import Foundation
import data
import nn
import optim
import vision

extension Workload {
    /// Names of the augmentations, image by image and as one batch.
    static let augmentationNames = ["1,28,28", "3,32,32"].flatMap { shape in
        ["flip", "rotate", "resize", "crop", "chain"].flatMap { kind in
            ["single", "batch"].map { "augment/\(kind)/\(shape)/\($0)" }
        }
    }

    /// `augment/chain/1,28,28/batch`: 64 images of a shape through a transform, each with draws of its own.
    static func augmentation(_ name: String) -> Workload? {
        let parts = name.split(separator: "/")
        let shape = parts.count == 4 ? parts[2].split(separator: ",").compactMap { Int($0) } : []
        guard shape.count == 3, shape.allSatisfy({ $0 > 0 }), parts[0] == "augment" else { return nil }
        let steps: [String: any Transform] = [
            "flip": transforms.RandomHorizontalFlip(), "rotate": transforms.RandomRotation(15),
            "resize": transforms.Resize([32, 32]), "crop": transforms.RandomCrop(28),
        ]
        let chain = transforms.Compose(["flip", "rotate", "resize", "crop"].map { steps[$0]! })
        guard let transform = parts[1] == "chain" ? chain : steps[String(parts[1])] else { return nil }
        // To cut 28 × 28 from images of 28 × 28 would be no work.
        let size = parts[1] == "crop" ? [32, 32] : Array(shape.dropFirst())
        let batch = Tensor.rand([64, shape[0]] + size)
        let images = (0..<64).map { batch.select(dim: 0, index: $0).contiguous() }
        switch parts[3] {
        case "batch": return Workload(name: name, items: 64) { _ = transform(batch) }
        case "single": return Workload(name: name, items: 64) { for image in images { _ = transform(image) } }
        default: return nil
        }
    }
}

/// Prints how long the first batch takes, from gzip and from the unpacked copy, and what a training step waits for.
///
/// - Parameter folder: where MNIST's four files lie, gzip; without it the subset that ships with the package is measured.
func benchmarkData(_ folder: String?, _ options: Options) throws {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent("tapestry-bench-\(getpid())")
    let source = URL(fileURLWithPath: try folder ?? DatasetFolder.shipped("mnist"))
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: root) }
    for name in try FileManager.default.contentsOfDirectory(atPath: source.path) where name.hasSuffix(".gz") {
        try FileManager.default.copyItem(at: source.appendingPathComponent(name), to: root.appendingPathComponent(name))
    }
    func tellResult(_ name: String, _ seconds: Double, _ unit: String, _ detail: String) {
        tell(
            options.json
                ? "{\"data\":\"\(name)\",\"threads\":\(numThreads),\"seconds\":\(fixed(seconds, 6)),\"detail\":\"\(detail)\"}"
                : column(name, 30, left: true) + column(fixed(seconds * 1000, 2), 10) + " ms \(unit) (\(detail))")
    }
    // The first run unpacks and leaves the copy that the others read.
    for (round, name) in ["first batch from gzip", "first batch from its copy", "first batch from its copy"]
        .enumerated()
    {
        var count = 0
        let time = try ContinuousClock().measure {
            let set = try datasets.MNIST(root: root.path)
            count = set.count
            var batches = DataLoader(set, batchSize: 50, shuffle: true).batches()
            _ = try batches.next()
        }
        if round != 1 { tellResult(name, time / .seconds(1), "", "\(count) images") }
    }
    let augment = transforms.Compose([
        transforms.RandomHorizontalFlip(), transforms.RandomRotation(15), transforms.Resize(32),
        transforms.RandomCrop(28),
    ])
    for (name, transform) in [("plain", nil), ("augmented", augment)] as [(String, (any Transform)?)] {
        let set = try datasets.MNIST(root: root.path, transform: transform)
        let model = twoConvolutions([nn.Linear(1568, 10)])
        let optimizer = optim.Adam(model.parameters(), lr: 0.01)
        var batches = DataLoader(set, batchSize: 50, shuffle: true, numWorkers: 2).batches()
        var (steps, start) = (0, ContinuousClock.now)
        while let (images, labels) = try batches.next() {
            if steps == 0 { start = .now }
            optimizer.zeroGrad()
            F.crossEntropy(model(images), labels).backward()
            optimizer.step()
            steps += 1
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        tellResult(
            "W1 waits, \(name) images", batches.secondsWaited, "in all",
            "2 workers, \(steps) steps, \(fixed(seconds / Double(steps) * 1000, 2)) ms each, "
                + "\(fixed(batches.secondsWaited / seconds * 100, 2)) % of them waiting")
    }
}

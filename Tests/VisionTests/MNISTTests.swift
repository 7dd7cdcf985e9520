// The MNIST dataset: what ships, where it is looked for, and every way its files can be wrong.
import Foundation
import TestSupport
import Testing
import data

@testable import vision

@Suite struct MNISTTests {
    private let folder = TemporaryFolder()

    // MARK: What ships

    @Test(arguments: [(true, 10_000, [5, 0, 4, 1, 9]), (false, 2_000, [7, 2, 1, 0, 4])])
    func theShippedSubsetIsTheStartOfTheOriginal(_ train: Bool, _ count: Int, _ labels: [Int]) throws {
        let mnist = try vision.datasets.MNIST(train: train)
        #expect(mnist.count == count)
        #expect(mnist.data.shape == [count, 28, 28] && mnist.data.dtype == .uint8)
        #expect(mnist.targets.shape == [count] && mnist.targets.dtype == .int64)
        #expect(mnist.targets.narrow(dim: 0, start: 0, length: 5).array(Int.self) == labels)
    }

    @Test func samplesAreScaledToOneAndTransformed() throws {
        let plain = try vision.datasets.MNIST(train: false)
        let (images, labels) = plain.batch([3, 0])
        #expect(images.shape == [2, 1, 28, 28] && images.dtype == .float32)
        #expect(labels.array(Int.self) == [0, 7] && labels.dtype == .int64)
        // torchvision's ToTensor divides in float32.
        let bytes = plain.data.select(dim: 0, index: 3).array(UInt8.self)
        #expect(images.select(dim: 0, index: 0).array(Float.self) == bytes.map { Float($0) / 255 })
        #expect(plain.sample(3).input.shape == [1, 28, 28])
        #expect(plain.sample(3).input.array(Float.self) == images.select(dim: 0, index: 0).array(Float.self))
        #expect(plain.sample(3).target.item(Int.self) == 0)

        let normalised = try vision.datasets.MNIST(
            train: false, transform: vision.transforms.Normalize(mean: [0.1307], std: [0.3081]))
        let first = normalised.batch([0]).inputs.array(Float.self)
        #expect(abs(Double(first[0]) - (0 - 0.1307) / 0.3081) < 1e-6)
    }

    @Test func aLoaderGoesThroughTheSubset() throws {
        var seen = 0
        for (images, labels) in data.DataLoader(try vision.datasets.MNIST(train: false), batchSize: 300, shuffle: true)
        {
            #expect(images.shape == [labels.count, 1, 28, 28])
            seen += labels.count
        }
        #expect(seen == 2000)
    }

    // MARK: Where files are looked for

    @Test(arguments: ["", "/MNIST/raw"], [false, true])
    func plainAndCompressedFilesAreFound(_ below: String, _ compressed: Bool) throws {
        let root = folder.path("root")
        try write(images(3), "t10k-images-idx3-ubyte", below: root + below, compressed)
        try write(labels([4, 0, 9]), "t10k-labels-idx1-ubyte", below: root + below, compressed)
        let mnist = try vision.datasets.MNIST(root: root, train: false)
        #expect(mnist.targets.array(Int.self) == [4, 0, 9])
        #expect(mnist.data.array(UInt8.self) == images(3).suffix(3 * 784))
    }

    @Test func missingFoldersAndFilesAreNamed() throws {
        expect("there is no such folder") { _ = try vision.datasets.MNIST(root: folder.path("absent")) }
        try Data().write(to: URL(fileURLWithPath: folder.path("file")))
        expect("is a file, not a folder") { _ = try vision.datasets.MNIST(root: folder.path("file")) }
        expect("has neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz") {
            _ = try vision.datasets.MNIST(root: folder.root)
        }
    }

    // MARK: The unpacked copy

    @Test func aLargeFileLeavesACopyThatIsReadWhileItIsRight() throws {
        let (name, count) = ("train-images-idx3-ubyte", 1400)
        try write(
            [0, 0, 8, 1, 0, 0, 5, 0x78] + [UInt8](repeating: 7, count: count), "train-labels-idx1-ubyte",
            below: folder.root)
        let good = images(count, seed: 1)
        try write(good, name, below: folder.root, true)
        let (copy, pixels) = (folder.path(name + ".cache"), Array(good[16...]))
        func read() throws -> [UInt8] { try vision.datasets.MNIST(root: folder.root).data.array(UInt8.self) }

        #expect(try read() == pixels)
        #expect(try bytes(copy) == good)
        let made = try FileManager.default.attributesOfItem(atPath: copy)[.systemFileNumber] as? Int
        #expect(try read() == pixels)
        // Read, not made again.
        #expect(try FileManager.default.attributesOfItem(atPath: copy)[.systemFileNumber] as? Int == made)

        // Cut off, changed, longer, no IDX at all: not believed, and made anew.
        var changed = good
        changed[5000] ^= 1
        for wrong in [Array(good.dropLast(100)), Array(good[..<7]), [], changed, good + [0], pixels] {
            try TestSupport.write(wrong, to: copy)
            #expect(try read() == pixels)
            #expect(try bytes(copy) == good)
        }
        // Another file under the old name.
        let other = images(count, seed: 2)
        try write(other, name, below: folder.root, true)
        #expect(try read() == Array(other[16...]))
        #expect(try bytes(copy) == other)

        // Where none can be written there is none, nor where none may be.
        try FileManager.default.removeItem(atPath: copy)
        try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder.root)
        #expect(try read() == Array(other[16...]))
        #expect(!FileManager.default.fileExists(atPath: copy))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.root)
        try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: false)
        #expect(try read() == Array(other[16...]))
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.root).sorted()
        #expect(left == [name + ".cache", name + ".gz", "train-labels-idx1-ubyte"])
    }

    @Test func smallFilesAndWhatShipsLeaveNothing() throws {
        try write(images(3), "t10k-images-idx3-ubyte", below: folder.root, true)
        try write(labels([4, 0, 9]), "t10k-labels-idx1-ubyte", below: folder.root, true)
        _ = try vision.datasets.MNIST(root: folder.root, train: false)
        _ = try vision.datasets.MNIST()
        for place in [folder.root, try DatasetFolder.shipped("mnist")] {
            #expect(try !FileManager.default.contentsOfDirectory(atPath: place).contains { $0.hasSuffix(".cache") })
        }
    }

    // MARK: Damaged files

    /// Images and labels that are read, and what is to be said of them.
    @Test(arguments: [false, true]) func badImagesAreNamed(_ compressed: Bool) throws {
        let good = images(2)
        try rejectsImages(Array(good[..<9]), compressed, "ends at byte 9, inside the header of 16 bytes")
        try rejectsImages([], compressed, "ends at byte 0, inside the header of 16 bytes")
        try rejectsImages([0, 0, 8, 1] + good[4...], compressed, "the magic number at byte 0 is 2049, expected 2051")
        try rejectsImages([0, 0, 13, 3] + good[4...], compressed, "the magic number at byte 0 is 3331")
        try rejectsImages(good[..<12] + [0, 0, 0, 27] + good[16...], compressed, "items are 28 × 27")
        try rejectsImages(good[..<8] + [0, 0, 0, 27] + good[12...], compressed, "items are 27 × 28")
        try rejectsImages(
            images(2, claimed: 3), compressed, compressed ? "the file holds 1568" : "than the file can hold")
        try rejectsImages(images(2, claimed: 1), compressed, "bytes behind the 784")
        try rejectsImages(images(2, claimed: .max), compressed, "more than the file can hold")
        try rejectsImages(good + [0], compressed, "bytes behind the 1568")
    }

    @Test func badLabelsAreNamed() throws {
        try write(images(3), "train-images-idx3-ubyte", below: folder.root)
        try rejectsLabels(labels([1, 2, 10]), "the label of image 2, at byte 10, is 10, not 0 to 9")
        try rejectsLabels(labels([255, 2, 1]), "the label of image 0, at byte 8, is 255")
        try rejectsLabels(labels([1, 2]), "holds 2 labels by its header at byte 4, but")
        try rejectsLabels(images(3), "the magic number at byte 0 is 2051, expected 2049")
        try rejectsLabels(labels([1, 2, 3]).dropLast(), "claims 3 bytes, the file holds 2")
    }

    @Test func damagedCompressionIsNamed() throws {
        let good = try gzip(images(40, seed: 1))
        let half = good.count / 2
        try rejectsRaw(good[..<half], "the gzip data ends early, at byte \(half)")
        try rejectsRaw(good.dropLast(), "the gzip data ends early")
        try rejectsRaw(good[..<2], "the gzip data ends early, at byte 2")
        try rejectsRaw(good + [1, 2, 3], "there are 3 bytes behind the gzip data's end at byte \(good.count)")
        var checksum = good
        checksum[good.count - 6] ^= 1
        try rejectsRaw(checksum, "the gzip data is damaged before byte")
    }

    @Test func everyFlippedByteOfACompressedFileThrowsOrReads() throws {
        try write(labels([UInt8](repeating: 3, count: 5)), "train-labels-idx1-ubyte", below: folder.root)
        let good = try gzip(images(5, seed: 2))
        let path = folder.path("train-images-idx3-ubyte.gz")
        for index in stride(from: 0, to: good.count, by: 7) {
            var damaged = good
            damaged[index] ^= UInt8(1 << (index % 8))
            try Data(damaged).write(to: URL(fileURLWithPath: path))
            do {
                #expect(try vision.datasets.MNIST(root: folder.root).count == 5)
            } catch {
                #expect(error is FileError)
            }
        }
    }

    @Test func aSmallFileThatUnpacksToMuchIsReadOnlyAsFarAsItsHeaderSays() throws {
        let bomb = images(1) + [UInt8](repeating: 0, count: 50_000_000)
        try rejectsRaw(try gzip(bomb), "bytes behind the 784")
    }

    // MARK: Making files

    /// An IDX file of `count` images, whose header claims another number if asked to.
    private func images(_ count: Int, claimed: UInt32? = nil, seed: Int = 0) -> [UInt8] {
        let head = withUnsafeBytes(of: (claimed ?? UInt32(count)).bigEndian, Array.init)
        var state = UInt32(seed)
        return [0, 0, 8, 3] + head + [0, 0, 0, 28, 0, 0, 0, 28]
            + (0..<count * 784).map { _ in
                state = state &* 1_664_525 &+ 1_013_904_223
                return UInt8(state >> 24)
            }
    }

    private func labels(_ values: [UInt8]) -> [UInt8] { [0, 0, 8, 1, 0, 0, 0, UInt8(values.count)] + values }

    private func write(
        _ bytes: some Collection<UInt8>, _ name: String, below folder: String, _ compressed: Bool = false
    ) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(compressed ? try gzip(Array(bytes)) : Array(bytes))
            .write(to: URL(fileURLWithPath: "\(folder)/\(name)\(compressed ? ".gz" : "")"))
    }

    private func rejectsImages(_ bytes: some Collection<UInt8>, _ compressed: Bool, _ message: String) throws {
        try write(labels([1, 2]), "train-labels-idx1-ubyte", below: folder.root)
        try write(bytes, "train-images-idx3-ubyte", below: folder.root, compressed)
        expect(message) { _ = try vision.datasets.MNIST(root: folder.root) }
    }

    private func rejectsLabels(_ bytes: some Collection<UInt8>, _ message: String) throws {
        try write(bytes, "train-labels-idx1-ubyte", below: folder.root)
        expect(message) { _ = try vision.datasets.MNIST(root: folder.root) }
    }

    private func rejectsRaw(_ bytes: some Collection<UInt8>, _ message: String) throws {
        try write(labels([1, 2]), "train-labels-idx1-ubyte", below: folder.root)
        try write(bytes, "train-images-idx3-ubyte.gz", below: folder.root)
        expect(message) { _ = try vision.datasets.MNIST(root: folder.root) }
    }
}

/// Expects a `FileError` in one line that contains `message`.
func expect(_ message: String, at location: SourceLocation = #_sourceLocation, _ body: () throws -> Void) {
    let error = #expect(throws: FileError.self, sourceLocation: location) { try body() }
    #expect(error?.message.contains(message) == true, "\(error as Any)", sourceLocation: location)
    #expect(error?.description.contains("\n") == false, sourceLocation: location)
}

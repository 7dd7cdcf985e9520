// The datasets beside MNIST: what they read, what they make, and what they refuse.
import Foundation
import TestSupport
import Testing
import data

@testable import Tapestry
@testable import vision

@Suite struct DatasetTests {
    private let folder = TemporaryFolder()

    private func write(_ bytes: some Collection<UInt8>, _ name: String) throws {
        let path = folder.path(name)
        let parent = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    /// Bytes that look like nothing in particular.
    private func bytes(_ count: Int, seed: Int = 0) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 + seed) &* 2_654_435_761 >> 13) }
    }

    // MARK: The IDX family

    private func idx(_ labels: [UInt8]) -> (images: [UInt8], labels: [UInt8]) {
        let count = UInt8(labels.count)
        return (
            [0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28] + bytes(labels.count * 784),
            [0, 0, 8, 1, 0, 0, 0, count] + labels
        )
    }

    @Test func relativesOfMNISTAreReadFromTheirFolders() throws {
        let files = idx([3, 9, 0])
        for name in ["FashionMNIST", "KMNIST"] {
            try write(files.images, "\(name)/raw/t10k-images-idx3-ubyte")
            try write(try gzip(files.labels), "\(name)/raw/t10k-labels-idx1-ubyte.gz")
        }
        let fashion = try vision.datasets.FashionMNIST(root: folder.root, train: false)
        #expect(fashion.targets.array(Int.self) == [3, 9, 0] && fashion.classes[9] == "Ankle boot")
        #expect(fashion.batch([2, 0]).inputs.shape == [2, 1, 28, 28])
        let japanese = try vision.datasets.KMNIST(
            root: folder.root, train: false, transform: vision.transforms.Resize(14))
        #expect(japanese.count == 3 && japanese.sample(1).input.shape == [1, 14, 14] && japanese.classes.count == 10)
        expect("has neither train-images-idx3-ubyte") { _ = try vision.datasets.KMNIST(root: folder.root) }
    }

    @Test(arguments: zip(vision.datasets.EMNIST.Split.allCases, [62, 47, 47, 27, 10, 10]))
    func lettersHaveTheirSplits(_ split: vision.datasets.EMNIST.Split, _ classes: Int) throws {
        let largest = UInt8(classes - 1)
        let part = "gzip/emnist-\(split.rawValue)-train"
        var files = idx([1, largest])
        try write(files.images, "\(part)-images-idx3-ubyte")
        try write(files.labels, "\(part)-labels-idx1-ubyte")
        let letters = try vision.datasets.EMNIST(root: folder.root, split: split)
        #expect(letters.classes.count == classes && Set(letters.classes).count == classes)
        #expect(letters.targets.array(Int.self) == [1, Int(largest)])
        files = idx([1, largest + 1])
        try write(files.labels, "\(part)-labels-idx1-ubyte")
        expect("the label of image 1, at byte 9, is \(classes)") {
            _ = try vision.datasets.EMNIST(root: folder.root, split: split)
        }
        files = idx([0, 1])
        try write(files.labels, "\(part)-labels-idx1-ubyte")
        if split == .letters {
            expect("is 0, not 1 to 26") { _ = try vision.datasets.EMNIST(root: folder.root, split: split) }
        }
    }

    @Test func lettersAreUnpackedFromTheirArchive() throws {
        let (part, files) = ("emnist-letters-test", idx([1, 26]))
        try saveZip(
            [
                ("gzip/\(part)-images-idx3-ubyte.gz", try gzip(files.images)),
                ("gzip/\(part)-labels-idx1-ubyte.gz", try gzip(files.labels)), ("gzip/notes.txt", bytes(9)),
            ], to: folder.path("archive"))
        let archive = try Data(contentsOf: URL(fileURLWithPath: folder.path("archive")))
        let source = Download.Source(files: [("gzip.zip", md5(archive))], mirrors: ["https://one.example/"])
        let (root, names) = (folder.path("letters"), ["images-idx3", "labels-idx1"].map { "\(part)-\($0)-ubyte" })
        try vision.datasets.EMNIST.fetch(into: root, unlessThere: names, source: source) { _ in archive }
        let letters = try vision.datasets.EMNIST(root: root, split: .letters, train: false, download: true)
        #expect(
            letters.targets.array(Int.self) == [1, 26] && letters.data.array(UInt8.self) == files.images.suffix(1568))
        #expect(try FileManager.default.contentsOfDirectory(atPath: root).sorted() == ["gzip", "gzip.zip"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: root + "/gzip").count == 2)
        expect("put these files there by hand: gzip.zip") {
            try vision.datasets.EMNIST.fetch(into: folder.path("none"), unlessThere: names, source: source) { _ in
                throw URLError(.cannotFindHost)
            }
        }
    }

    /// A zip archive of stored files.
    private func saveZip(_ files: [(name: String, content: [UInt8])], to path: String) throws {
        var writer = ZipWriter()
        var archive: [UInt8] = []
        for (name, content) in files {
            try content.withUnsafeBytes { try writer.add(name, [$0], compressed: false) { archive += $0 } }
        }
        try writer.finish { archive += $0 }
        try Data(archive).write(to: URL(fileURLWithPath: path))
    }

    // MARK: CIFAR

    @Test func tenKindsAreReadFromAllBatches() throws {
        let rows = (0..<5).map { [UInt8($0 * 2)] + bytes(3072, seed: $0 * 5000) }
        try write(rows[0] + rows[1], "cifar-10-batches-bin/data_batch_1.bin")
        try write(rows[2], "cifar-10-batches-bin/data_batch_2.bin")
        try write(rows[3] + rows[4], "cifar-10-batches-bin/test_batch.bin")
        let train = try vision.datasets.CIFAR10(root: folder.root)
        #expect(train.count == 3 && train.targets.array(Int.self) == [0, 2, 4])
        #expect(train.data.shape == [3, 3, 32, 32] && train.data.array(UInt8.self).prefix(3072) == rows[0].dropFirst())
        #expect(train.data.array(UInt8.self).suffix(3072) == rows[2].dropFirst())
        let test = try vision.datasets.CIFAR10(
            root: folder.path("cifar-10-batches-bin"), train: false, transform: vision.transforms.RandomCrop(28))
        #expect(test.sample(1).input.shape == [3, 28, 28] && test.sample(1).target.item(Int.self) == 8)
        #expect(test.classes[8] == "ship")
    }

    @Test func aHundredKindsHaveTwentyGroups() throws {
        try write([19, 99] + bytes(3072), "train.bin")
        #expect(try vision.datasets.CIFAR100(root: folder.root).targets.array(Int.self) == [99])
        #expect(try vision.datasets.CIFAR100(root: folder.root, coarse: true).targets.array(Int.self) == [19])
        let fine = try vision.datasets.CIFAR100(root: folder.root).classes
        #expect(fine.count == 100 && fine == fine.sorted() && Set(fine).count == 100 && fine[99] == "worm")
        #expect(try vision.datasets.CIFAR100(root: folder.root, coarse: true).classes.count == 20)
        try write([20, 99] + bytes(3072), "train.bin")
        expect("the label at byte 0 is 20, not 0 to 19") { _ = try vision.datasets.CIFAR100(root: folder.root) }
        try write([19, 100] + bytes(3072), "train.bin")
        expect("the label at byte 1 is 100, not 0 to 99") { _ = try vision.datasets.CIFAR100(root: folder.root) }
    }

    @Test func badCIFARFilesAreNamed() throws {
        expect("has no test_batch.bin") { _ = try vision.datasets.CIFAR10(root: folder.root, train: false) }
        expect("there is no such folder") { _ = try vision.datasets.CIFAR10(root: folder.path("absent")) }
        try write(bytes(3072), "test_batch.bin")
        expect("has 3072 bytes, which is no whole number of images of 3073 bytes") {
            _ = try vision.datasets.CIFAR10(root: folder.root, train: false)
        }
        try write([], "test_batch.bin")
        expect("has 0 bytes") { _ = try vision.datasets.CIFAR10(root: folder.root, train: false) }
        let many = (0..<300).flatMap { [UInt8($0 == 299 ? 10 : 1)] + bytes(3072) }
        try write(many, "test_batch.bin")
        expect("the label at byte \(299 * 3073) is 10, not 0 to 9") {
            _ = try vision.datasets.CIFAR10(root: folder.root, train: false)
        }
    }

    // MARK: Archives

    /// A tar file of these files.
    private func tar(_ files: [(name: String, content: [UInt8])], size claimed: String? = nil) -> [UInt8] {
        files.flatMap { name, content in
            var header = [UInt8](repeating: 0, count: 512)
            func put(_ text: String, _ at: Int) {
                for (index, byte) in text.utf8.enumerated() { header[at + index] = byte }
            }
            put(name, 0)
            put(claimed ?? String(content.count, radix: 8), 124)
            put("        0", 148)
            put("ustar", 257)
            let sum = header.reduce(0) { $0 + Int($1) }
            put("0" + String(sum, radix: 8) + "\0", 148)
            return header + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
        } + [UInt8](repeating: 0, count: 1024)
    }

    @Test func archivesAreUnpackedWhole() throws {
        let batch = [UInt8(7)] + bytes(3072)
        let packed = tar([
            ("set/readme", bytes(10)), ("set/a.bin", batch), ("other/b.bin", bytes(600)), ("./set/below/c.bin", []),
        ])
        for (name, archive) in [("a.tar.gz", try gzip(packed)), ("b.tar", packed)] {
            try write(archive, name)
            let root = folder.path("from-" + name)
            try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
            try unpackTar(folder.path(name), folder: "set", into: root)
            #expect(FileManager.default.contents(atPath: root + "/set/a.bin") == Data(batch))
            #expect(FileManager.default.contents(atPath: root + "/set/below/c.bin") == Data())
            #expect(try FileManager.default.contentsOfDirectory(atPath: root) == ["set"])
        }
    }

    @Test func badZipArchivesLeaveNothing() throws {
        let root = folder.path("out")
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        for (name, message) in [
            ("set/../../a", "leads out of the folder"), ("/set/a", "leads out of the folder"),
            ("other/a", "has no folder"),
        ] {
            try saveZip(
                [("set/b", bytes(20)), (name, bytes(5))].suffix(name == "other/a" ? 1 : 2), to: folder.path("a.zip"))
            expect(message) { try unpackZip(folder.path("a.zip"), folder: "set", into: root) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: root) == [])
        }
    }

    @Test func badArchivesLeaveNothing() throws {
        func rejects(_ archive: [UInt8], _ message: String, _ location: SourceLocation = #_sourceLocation) throws {
            try write(archive, "archive.tar")
            let root = folder.path("out")
            try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
            expect(message, at: location) { try unpackTar(folder.path("archive.tar"), folder: "set", into: root) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: root) == [], sourceLocation: location)
        }
        let good = tar([("set/a", bytes(700)), ("set/b", bytes(20))])
        try rejects(Array(good.prefix(1200)), "ends early, 1200 bytes unpacked")
        try rejects([], "ends early, 0 bytes unpacked")
        var damaged = good
        damaged[3] ^= 1
        try rejects(damaged, "has no right header at byte 0 unpacked")
        try rejects(tar([("set/a", bytes(5))], size: "77777777777"), "a file of 8589934591 bytes")
        try rejects(tar([("set/a", bytes(5))], size: "oops"), "has no right header at byte 0")
        try rejects(tar([("set/../../a", bytes(5))]), "leads out of the folder")
        try rejects(tar([("/set/a", bytes(5))]), "leads out of the folder")
        try rejects(tar([("other/a", bytes(5))]), "has no folder set")
    }

    // MARK: Any damage

    @Test func cutAndChangedFilesThrowOrRead() throws {
        let generator = Tapestry.Generator(seed: 21)
        func draw(_ range: Int) -> Int { Int(generator.random64() % UInt64(range)) }
        func damaged(_ good: [UInt8], _ headers: Int) -> [UInt8] {
            var bytes = good
            // Mostly where the format has its numbers.
            for _ in 0...draw(3) { bytes[draw(draw(4) == 0 ? bytes.count : headers)] = UInt8(draw(256)) }
            return draw(3) == 0 ? Array(bytes.prefix(draw(bytes.count))) : bytes
        }
        func readsOrThrows(_ body: () throws -> Void) {
            do { try body() } catch { #expect(error is FileError, "\(error)") }
        }
        let digits = idx([1, 2, 3])
        let photographs = [UInt8(1)] + bytes(3072) + [2] + bytes(3072)
        let archive = tar([("set/a", bytes(300)), ("set/b/c", bytes(700))])
        for round in 0..<70 {
            try write(damaged(digits.images, 16), "train-images-idx3-ubyte")
            try write(damaged(digits.labels, 11), "train-labels-idx1-ubyte")
            readsOrThrows { _ = try vision.datasets.FashionMNIST(root: folder.root) }
            try write(damaged(photographs, 1), "test_batch.bin")
            readsOrThrows { _ = try vision.datasets.CIFAR10(root: folder.root, train: false) }
            try write(damaged(archive, 512), "archive.tar")
            let root = folder.path("out\(round)")
            try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
            readsOrThrows { try unpackTar(folder.path("archive.tar"), folder: "set", into: root) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: root).allSatisfy { $0 == "set" })
        }
    }

    // MARK: Folders of images

    @Test func foldersAreClasses() throws {
        let image = Tensor((0..<12).map { UInt8($0 * 20) }, shape: [1, 3, 4])
        for name in ["dog/2.png", "dog/1.PNG", "cat/deep/x.png"] {
            try write(vision.io.encodePNG(image), name)
        }
        try write(vision.io.encodePNG(Tensor.cat([image, image, image], dim: 0)), "cat/color.png")
        try write(Array("a note".utf8), "cat/readme.txt")
        try write([], ".hidden/x.png")
        let set = try vision.datasets.ImageFolder(root: folder.root)
        #expect(set.classes == ["cat", "dog"] && set.samples.map(\.target) == [0, 0, 1, 1])
        #expect(set.samples[2].path == folder.path("dog/1.PNG"))
        let (inputs, targets) = try set.batch([0, 3])
        #expect(inputs.shape == [2, 3, 3, 4] && targets.array(Int.self) == [0, 1])
        #expect(inputs.array(Float.self)[5] == Float(100) / 255)
        let small = try vision.datasets.ImageFolder(root: folder.root, transform: vision.transforms.Resize([2, 2]))
        #expect(try small.sample(1).input.shape == [3, 2, 2])

        try write(Array("not a PNG".utf8), "cat/bad.png")
        let bad = try vision.datasets.ImageFolder(root: folder.root)
        let error = #expect(throws: FileError.self) { _ = try bad.sample(0) }
        #expect(error?.path == folder.path("cat/bad.png"))
        try write([], "photo/x.txt")
        expect("has no images (files that end with pbm, pgm, png, pnm, ppm)") {
            _ = try vision.datasets.ImageFolder(root: folder.root)
        }
        for name in ["photo/x.jpg", "photo/deep/y.JPEG"] { try write([0xff, 0xd8], name) }
        expect("has 2 JPEG files, deep/y.JPEG first; JPEG is not read here: convert it to PNG first") {
            _ = try vision.datasets.ImageFolder(root: folder.root)
        }
        for name in ["photo/x.png", "photo/deep/y.png"] { try write(vision.io.encodePNG(image), name) }
        #expect(try vision.datasets.ImageFolder(root: folder.root).classes == ["cat", "dog", "photo"])
        expect("has no folders, one for each class") { _ = try vision.datasets.ImageFolder(root: folder.path("dog")) }
    }

    // MARK: Made by code

    @Test func fakeImagesAreTheSameForAnIndex() throws {
        let fake = vision.datasets.FakeData(size: 5, imageSize: [2, 3, 4], numClasses: 3)
        #expect(fake.count == 5 && fake.sample(4).input.shape == [2, 3, 4] && fake.sample(4).target.dtype == .int64)
        #expect(fake.sample(2).input.array(Float.self) == fake.sample(2).input.array(Float.self))
        #expect(fake.sample(2).input.array(Float.self) != fake.sample(3).input.array(Float.self))
        let shifted = vision.datasets.FakeData(size: 5, imageSize: [2, 3, 4], numClasses: 3, randomOffset: 1)
        #expect(shifted.sample(1).input.array(Float.self) == fake.sample(2).input.array(Float.self))
        #expect((0..<5).allSatisfy { (0..<3).contains(fake.sample($0).target.item(Int.self)) })
    }

    @Test func photographsAreThePublishedPixels() throws {
        // MD5 of the bytes as Pillow reads them, planes of red, green and blue one after the other.
        for (name, sum) in [
            (vision.datasets.SampleImage.china, "05203402c833d213a563ee1ddc77befb"),
            (.flower, "15da8279d52f6faa96b0caf6c4340bc1"),
        ] {
            let image = try vision.datasets.sampleImage(name)
            #expect(image.shape == [3, 427, 640] && image.dtype == .uint8)
            #expect(md5(Data(image.array(UInt8.self))) == sum)
        }
        #expect(try vision.datasets.sampleImages().shape == [2, 3, 427, 640])
        let notes = try String(contentsOfFile: DatasetFolder.shipped("images") + "/README.md", encoding: .utf8)
        #expect(notes.contains("Creative Commons Attribution 2.0") && notes.contains("danielbuechele"))
    }

    @Test func colouredDigitsAreTheSameForASeed() throws {
        let set = try vision.datasets.ColorMNIST(train: false, count: 40)
        #expect(set.data.shape == [40, 3, 32, 32] && set.batch([1, 2]).inputs.shape == [2, 3, 32, 32])
        #expect(set.targets.array(Int.self).prefix(5) == [7, 2, 1, 0, 4])
        let again = try vision.datasets.ColorMNIST(train: false, count: 30)
        #expect(again.data.array(UInt8.self)[...] == set.data.array(UInt8.self).prefix(30 * 3072))
        let other = try vision.datasets.ColorMNIST(train: false, count: 40, seed: 1)
        #expect(other.data.array(UInt8.self) != set.data.array(UInt8.self))
        #expect(other.targets.array(Int.self) == set.targets.array(Int.self))
        #expect(try vision.datasets.ColorMNIST().count == 10_000)
    }

    @Test func digitsStandOutFromTheirBackground() throws {
        let set = try vision.datasets.ColorMNIST(count: 50)
        let digits = try vision.datasets.MNIST.subset(train: true).data.array(UInt8.self)
        let pixels = set.data.array(UInt8.self)
        for index in 0..<50 {
            // Somewhere on the digit is its pure colour, in each channel in the half far from the background's mean.
            let image = pixels[index * 3072..<(index + 1) * 3072]
            let ink = digits[index * 784..<(index + 1) * 784].reduce(0) { $0 + ($1 == 255 ? 1 : 0) }
            let colors = Dictionary(grouping: 0..<1024) { place in
                (0..<3).map { image[image.startIndex + $0 * 1024 + place] }
            }
            #expect(colors.values.map(\.count).max()! >= ink, "\(index)")
        }
    }

    @Test func colouredDigitsCanBeWrittenForCIFAR10() throws {
        try vision.datasets.ColorMNIST.write(to: folder.root, seed: 4)
        let (read, made) = (try vision.datasets.CIFAR10(root: folder.root), try vision.datasets.ColorMNIST(seed: 4))
        #expect(read.targets.array(UInt8.self) == made.targets.array(UInt8.self))
        #expect(md5(Data(read.data.array(UInt8.self))) == md5(Data(made.data.array(UInt8.self))))
        #expect(try vision.datasets.CIFAR10(root: folder.root, train: false).count == 2000)
    }
}

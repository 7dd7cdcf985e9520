// The shipped digits, and files that are not what they should be.
import CZlib
import Foundation
import Testing
import data

@testable import vision

@Suite struct MNISTTests {
    @Test func theShippedSubsetIsThere() throws {
        let (train, test) = (try vision.datasets.MNIST(train: true), try vision.datasets.MNIST(train: false))
        #expect(train.count == 10_000 && test.count == 2_000)
        #expect(train.data.shape == [10_000, 28, 28] && train.data.dtype == .uint8)
        #expect(Array(train.targets.array(Int.self).prefix(5)) == [5, 0, 4, 1, 9])
        let (images, labels) = test.batch([0, 3])
        #expect(images.shape == [2, 1, 28, 28] && images.dtype == .float32 && labels.array(Int.self) == [7, 0])
        #expect(images.max().item() == 1 && images.min().item() == 0)
    }

    /// Files of a small dataset, to be damaged.
    struct Files {
        var images = header(2051, [2, 28, 28]) + [UInt8](repeating: 7, count: 2 * 784)
        var labels = header(2049, [2]) + [3, 9]
        static func header(_ magic: Int, _ lengths: [Int]) -> [UInt8] {
            ([magic] + lengths).flatMap { withUnsafeBytes(of: UInt32($0).bigEndian, Array.init) }
        }
    }

    private func load(_ files: Files, images: String = "train-images-idx3-ubyte", raw: [UInt8]? = nil) throws -> vision.datasets.MNIST {
        let folder = NSTemporaryDirectory() + "tapestry-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data(raw ?? files.images).write(to: URL(fileURLWithPath: "\(folder)/\(images)"))
        try Data(files.labels).write(to: URL(fileURLWithPath: "\(folder)/train-labels-idx1-ubyte"))
        return try vision.datasets.MNIST(root: folder)
    }

    private func expectError(_ part: String, _ body: () throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: FileError.self, sourceLocation: sourceLocation) { try body() }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains(part) && !text.contains("\n"), "\(text)", sourceLocation: sourceLocation)
    }

    @Test func plainFilesAreRead() throws {
        let dataset = try load(Files())
        #expect(dataset.count == 2 && dataset.targets.array(Int.self) == [3, 9])
    }

    @Test func badFilesAreRefusedWithOneLine() {
        expectError("there is no such folder") { _ = try vision.datasets.MNIST(root: "/nowhere") }
        expectError("has neither") { _ = try vision.datasets.MNIST(root: NSTemporaryDirectory()) }
        expectError("magic number at byte 0 is 2049, expected 2051") {
            var files = Files()
            files.images[3] = 1
            _ = try load(files)
        }
        expectError("claims 200 × 28 × 28 = 156800 bytes, the file holds 1568") {
            var files = Files()
            files.images[7] = 200
            _ = try load(files)
        }
        expectError("claims") {
            var files = Files()
            files.images.replaceSubrange(4..<16, with: [UInt8](repeating: 255, count: 12))
            _ = try load(files)
        }
        expectError("ends inside the header: 5 of 16 bytes") {
            var files = Files()
            files.images = Array(files.images.prefix(5))
            _ = try load(files)
        }
        expectError("bytes behind") {
            var files = Files()
            files.images.append(0)
            _ = try load(files)
        }
        expectError("the label of image 1, at byte 9, is 10") {
            var files = Files()
            files.labels[9] = 10
            _ = try load(files)
        }
        expectError("holds 3 labels") {
            var files = Files()
            files.labels = Files.header(2049, [3]) + [1, 2, 3]
            _ = try load(files)
        }
        expectError("images are 27 × 28") {
            var files = Files()
            files.images = Files.header(2051, [2, 27, 28]) + [UInt8](repeating: 0, count: 2 * 27 * 28)
            _ = try load(files)
        }
    }

    @Test func gzipThatIsCutOffOrDamagedIsRefused() throws {
        let folder = try vision.datasets.MNIST.shippedFolder
        let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/t10k-images-idx3-ubyte.gz")))
        expectError("ends early") {
            _ = try load(Files(), images: "train-images-idx3-ubyte.gz", raw: Array(whole.prefix(whole.count / 2)))
        }
        expectError("damaged") {
            var bytes = whole
            for index in 5000..<5200 { bytes[index] ^= 0x5a }
            _ = try load(Files(), images: "train-images-idx3-ubyte.gz", raw: bytes)
        }
    }

    @Test func checksumsAreMD5() {
        #expect(md5(Data()) == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(md5(Data("abc".utf8)) == "900150983cd24fb0d6963f7d28e17f72")
        #expect(md5(Data(repeating: 0x61, count: 1000)) == "cabe45dcc9ae5b66ba86600cca6b8ba8")
    }

    @Test func downloadsWithoutANetworkSayWhatToDo() {
        let folder = NSTemporaryDirectory() + "tapestry-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        expectError("by hand") {
            try vision.datasets.MNIST.download([("x.gz", "0")], from: ["http://127.0.0.1:9/"], to: folder)
        }
        #expect((try? FileManager.default.contentsOfDirectory(atPath: folder)) == [])
    }
}

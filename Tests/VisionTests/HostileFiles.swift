// Files that are wrong on purpose: of each format more than two hundred that a reader has to refuse.
import Foundation
import TestSupport
import data

@testable import vision

/// A format, files of it that must be refused, and its reader.
struct HostileFormat: Sendable, CustomStringConvertible {
    let description: String
    /// The name that the file is read under.
    let name: String
    /// What lies beside it, right.
    var beside: [(name: String, bytes: [UInt8])] = []
    /// A file that is right, and what its image, table or tensors take in memory at most.
    let good: @Sendable () throws -> [UInt8]
    let needs: Int
    let bad: @Sendable () throws -> [[UInt8]]
    let read: @Sendable (_ folder: String) throws -> Void

    static let all = [idx, compressedIDX, cifar, csv, png, safetensors, npy]

    // MARK: Images of MNIST

    private static let labels: [(name: String, bytes: [UInt8])] = [
        ("train-labels-idx1-ubyte", [0, 0, 8, 1, 0, 0, 0, 2, 3, 9])
    ]
    private static func readMNIST(_ folder: String) throws { _ = try vision.datasets.MNIST(root: folder) }

    /// Two images; the header claims what it is told to.
    private static func images(_ claimed: Int = 2, pixels: Int = 2 * 784) -> [UInt8] {
        [2051, claimed, 28, 28].flatMap(PNGMaker.big) + noise(pixels)
    }

    static let idx = HostileFormat(
        description: "IDX", name: "train-images-idx3-ubyte", beside: labels, good: { images() }, needs: 2 * 784,
        bad: {
            let good = images()
            let cuts = Array(0..<16) + Array(stride(from: 16, to: good.count, by: 13))
            return all(
                cuts.map { cut(good, $0) }, changed(good, 0..<16, [0x01, 0x40, 0x80, 0xff]), longer(good, upTo: 20))
        }, read: readMNIST)

    static let compressedIDX = HostileFormat(
        description: "IDX in gzip", name: "train-images-idx3-ubyte.gz", beside: labels, good: { try gzip(images()) },
        needs: 2 * 784,
        bad: {
            let good = try gzip(images())
            // What follows the ten bytes of the header is guarded by a checksum.
            let places = (0..<100).map { 10 + $0 * (good.count - 10) / 100 }
            let claims = try [3, 1, 0, 1 << 20, 1 << 31].map { try gzip(images($0)) }
            // Much that is well packed, and a header that claims less, a little more than there is, or much more.
            let bombs = try [1, 4000, 4020, 1 << 24].map {
                try gzip(images($0, pixels: 0) + zeros(3 << 20) + noise(500))
            }
            return all(
                (0..<100).map { cut(good, $0 * good.count / 100) }, changed(good, places, [0x10]), claims, bombs,
                longer(good, upTo: 10))
        }, read: readMNIST)

    // MARK: Images of CIFAR

    private static func photographs() -> [UInt8] { [1] + noise(3072) + [9] + noise(3072) }

    static let cifar = HostileFormat(
        description: "CIFAR", name: "test_batch.bin", good: { photographs() }, needs: 2 * 3073,
        bad: {
            let good = photographs()
            let cuts = [0] + stride(from: 1, to: good.count, by: 61).filter { $0 % 3073 != 0 }
            let labels = (10...255).map { changing(good, 0, to: UInt8($0)) }
            let others = (10...60).map { changing(good, 3073, to: UInt8($0)) }
            return all(cuts.map { cut(good, $0) }, labels, others, longer(good, upTo: 10))
        }, read: { _ = try vision.datasets.CIFAR10(root: $0, train: false) })

    // MARK: Tables

    /// Fields that are no numbers, but for those that are two.
    private static let wrongFields = [
        "x", "", "nan", "inf", "-inf", "0x10", "--1", "1e999", "1 2", "\"3", "4\"", "5;6", "7\u{0}", "1,2", "1_000",
        "٣",
        "+-1", "1e", "e5", ".", "1.2.3", String(repeating: "9", count: 400),
    ]

    static let csv = HostileFormat(
        description: "CSV", name: "table.csv", good: { table(0, 0, "3") }, needs: 5 * 4 * 8,
        bad: {
            // In the first row such a field would make it the names of the columns.
            let cells = (1..<4).flatMap { row in
                (0..<5).flatMap { column in wrongFields.map { table(row, column, $0) } }
            }
            let labels = ["1.5", "1e300", "-1", "10"].map { table(2, 0, $0) }
            return all(cells, labels, ["a,b,c\n1\n", "1,2\n\n3\n"].map { Array($0.utf8) })
        }, read: { _ = try CSVDataset("\($0)/table.csv", classes: 10) })

    /// Four rows of a label and four numbers; one field is another.
    private static func table(_ row: Int, _ column: Int, _ text: String) -> [UInt8] {
        var fields = (0..<4).map { row in (0..<5).map { "\(row + $0)" } }
        fields[row][column] = text
        return Array(fields.map { $0.joined(separator: ",") + "\n" }.joined().utf8)
    }

    // MARK: PNG

    static let png = HostileFormat(
        description: "PNG", name: "image.png", good: { try PNGMaker().file() }, needs: 2 * 3 * 11 * 13 + 11,
        bad: {
            let good = try PNGMaker().file()
            let header = Array(good[16..<29])
            // Headers with a right checksum: other widths and heights, then depths and what else there is no such of.
            let sizes = [0, 1, 10, 12, 12_345, 1 << 16, 1 << 20, 1 << 31 - 1, 1 << 31, 1 << 32 - 1].map(PNGMaker.big)
            let widths = sizes.map { with(header: $0 + header[4...], good) }
            let heights = sizes.map { with(header: Array(header[..<4]) + $0 + header[8...], good) }
            let kinds = (8..<13).flatMap { place in
                [3, 5, 7, 9, 255].map { with(header: changing(header, place, to: $0), good) }
            }
            // An image of zeros, well packed, whose data end too early or too late.
            let bombs = try [3 << 20, 5 << 20].map { size in
                let data = PNGMaker.chunk("IDAT", try PNGMaker.deflated(zeros(size)))
                let header = PNGMaker.big(2047) + PNGMaker.big(2048) + [8, 0, 0, 0, 0]
                return Array(with(header: header, good)[..<33]) + data + PNGMaker.chunk("IEND", [])
            }
            return all(
                good.indices.map { cut(good, $0) }, changed(good, good.indices, [0x01, 0x20]), widths, heights, kinds,
                bombs)
        }, read: { _ = try vision.io.readImage("\($0)/image.png") })

    /// The same file with other data in the chunk IHDR.
    private static func with(header: [UInt8], _ good: [UInt8]) -> [UInt8] {
        Array(good[..<8]) + PNGMaker.chunk("IHDR", header) + good[33...]
    }

    // MARK: Tensors

    static let safetensors = HostileFormat(
        description: "safetensors", name: "weights.safetensors", good: { weights() }, needs: 32,
        bad: {
            let good = weights()
            let lengths = [0, 1, 7, 1 << 16, 1 << 27, 1 << 40, Int.max].map { length in
                withUnsafeBytes(of: UInt64(length).littleEndian, Array.init) + good[8...]
            }
            let many = String(repeating: "1,", count: 200_000)
            let shapes = [
                "[5]", "[3]", "[2,3]", "[4611686018427387904,4]", "[0]", "[-4]", "[4.0]", "[\"4\"]", "4", "[4",
                "[99999999999999999999]", "[\(many)4]",
            ].map { weights(shape: $0) }
            let offsets = [
                "[0,17]", "[0,15]", "[1,17]", "[16,0]", "[0]", "[0,16,16]", "[-16,0]", "[0,9223372036854775807]",
                "[4,20]", "[\(many)0]",
            ].map { weights(offsets: $0) }
            let types = ["F33", "", "f32", "F64", "BOOL", "I16"].map { weights(dtype: $0) }
            return all(
                good.indices.map { cut(good, $0) }, longer(good, upTo: 40), lengths, shapes, offsets, types)
        }, read: { _ = try loadSafetensors(from: "\($0)/weights.safetensors") })

    private static func weights(shape: String = "[4]", offsets: String = "[0,16]", dtype: String = "F32") -> [UInt8] {
        let header = """
            {"a":{"dtype":"\(dtype)","shape":\(shape),"data_offsets":\(offsets)},\
            "b":{"dtype":"I64","shape":[2,1],"data_offsets":[16,32]}}
            """
        let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian, Array.init)
        return length + Array(header.utf8) + noise(32)
    }

    static let npy = HostileFormat(
        description: "npy", name: "array.npy", good: { array() }, needs: 24,
        bad: {
            let good = array()
            let shapes = [
                "(5,)", "(7,)", "(2, 4)", "(4611686018427387904, 4)", "(-6,)", "(6.0,)", "()", "(6", "6", "(0,)",
                "(99999999999999999999,)", "(" + String(repeating: "1, ", count: 20_000) + "6)",
            ].map { array(shape: $0) }
            let types = ["<f8", "|O", "<c8", "<U1", "", "|V4", "<f16", ">f3", "f4"].map { array(descr: $0) }
            let lengths = [0, 1, 200, 0xffff].map { length in
                Array(good[..<8]) + withUnsafeBytes(of: UInt16(length).littleEndian, Array.init) + good[10...]
            }
            return all(
                good.indices.map { cut(good, $0) }, longer(good, upTo: 80), shapes, types, lengths,
                changed(good, 0..<6, [0x01, 0x04, 0x80]), changed(good, 7..<8, [0x01, 0x80]))
        }, read: { _ = try loadNPY(from: "\($0)/array.npy") })

    private static func array(shape: String = "(6,)", descr: String = "<f4") -> [UInt8] {
        let header = Array("{'descr': '\(descr)', 'fortran_order': False, 'shape': \(shape), }\n".utf8)
        let length = withUnsafeBytes(of: UInt16(header.count).littleEndian, Array.init)
        return [0x93] + Array("NUMPY".utf8) + [1, 0] + length + header + noise(24)
    }

    // MARK: Bytes

    private static func all(_ parts: [[UInt8]]...) -> [[UInt8]] { Array(parts.joined()) }
    private static func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }
    private static func noise(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 + 1) &* 2_654_435_761 >> 13) }
    }
    private static func cut(_ bytes: [UInt8], _ length: Int) -> [UInt8] { Array(bytes[..<length]) }
    private static func longer(_ bytes: [UInt8], upTo most: Int) -> [[UInt8]] { (1...most).map { bytes + noise($0) } }

    /// With bits of one byte turned over, for each place and each pattern of bits.
    private static func changed(_ bytes: [UInt8], _ places: some Sequence<Int>, _ patterns: [UInt8]) -> [[UInt8]] {
        places.flatMap { place in patterns.map { changing(bytes, place, to: bytes[place] ^ $0) } }
    }
    private static func changing(_ bytes: [UInt8], _ place: Int, to value: UInt8) -> [UInt8] {
        var result = bytes
        result[place] = value
        return result
    }
}

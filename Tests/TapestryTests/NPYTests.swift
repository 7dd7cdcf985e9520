// NumPy's files: written, read back, and damaged in every way.
import Foundation
import TestSupport
import Testing

@testable import Tapestry

/// One tensor of each dtype, odd shapes among them.
private let samples: [(name: String, tensor: Tensor)] = [
    ("f32", Tensor([1.5, -0.0, .infinity, 2, 3, 4] as [Float], shape: [2, 3])), ("f64", Tensor([1e-300, 2])),
    ("i64", Tensor([Int.min, 7], shape: [2, 1])), ("i32", Tensor([-3] as [Int32])),
    ("u8", Tensor([0, 255] as [UInt8])),
    ("bool", Tensor([true, false, true])), ("scalar", Tensor(2.5)), ("none", Tensor.zeros([2, 0, 3])),
    ("view", Tensor([1, 2, 3, 4, 5, 6] as [Int32], shape: [2, 3]).T),
]

/// Headers over 8 bytes of data, and what is to be said of them.
private let badHeaders = [
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "takes 12 bytes"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "takes 4 bytes"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", "impossibly large"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4611686018427387904, 4), }", "impossibly large"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "a number is too large"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", "expected a whole number"),
    ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "arrays of '|O' are not supported"),
    ("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "arrays of '<c8' are not supported"),
    ("{'descr': '', 'fortran_order': False, 'shape': (1,), }", "arrays of '' are not supported"),
    ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "expected '''"),
    ("{'descr': '<f8', 'fortran_order': 1, 'shape': (1,), }", "expected True or False"),
    ("{'descr': '<f8', 'shape': (1,), }", "lacks descr, fortran_order or shape"),
    ("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", "comes twice"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'x': 1}", "'x' is unknown"),
    ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), } x", "expected the header's end"),
    ("{'descr': '<f8", "a string does not end"), ("", "expected '{'"), ("{", "expected '''"),
    (
        "{'descr': '<f8', 'fortran_order': False, 'shape': (" + String(repeating: "1, ", count: 65) + "), }",
        "65 dimensions are more than 64"
    ),
]

@Suite struct NPYTests {
    private let folder = TemporaryFolder()

    @Test func everyDtypeComesBackAsItWas() throws {
        for (name, tensor) in samples {
            let path = folder.path("\(name).npy")
            try saveNPY(tensor, to: path)
            expectSame(try loadNPY(from: path), tensor)
        }
        for compressed in [false, true] {
            let path = folder.path("all-\(compressed).npz")
            try saveNPZ(Dictionary(uniqueKeysWithValues: samples.map { ($0, $1) }), to: path, compressed: compressed)
            let loaded = try loadNPZ(from: path)
            #expect(loaded.count == samples.count)
            for (name, tensor) in samples { expectSame(try #require(loaded[name]), tensor) }
        }
    }

    @Test func filesAreThoseOfNumpy() throws {
        // numpy.save("a.npy", numpy.array([[1, 2], [3, 4]], "<i4"))
        let path = folder.path("a.npy")
        try saveNPY(Tensor([1, 2, 3, 4] as [Int32], shape: [2, 2]), to: path)
        let text = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 2), }"
        let header = Array(text.utf8) + [UInt8](repeating: 0x20, count: 117 - text.utf8.count) + [0x0a]
        #expect(
            try bytes(path) == [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + header
                + [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0])
    }

    @Test(arguments: [
        ("<i4", true, [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0], DType.int32, [1, 3, 2, 4.0]),
        (">i4", false, [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4], .int32, [1, 2, 3, 4]),
        ("|i1", false, [0xff, 1, 0x80, 0], .int32, [-1, 1, -128, 0]),
        ("<i2", false, [0xff, 0xff, 1, 0, 0, 0x80, 0, 0], .int32, [-1, 1, -32768, 0]),
        (">u2", false, [0xff, 0xff, 0, 1, 0, 2, 0, 3], .int32, [65535, 1, 2, 3]),
        ("<u4", false, [255, 255, 255, 255, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0], .int64, [4_294_967_295, 1, 2, 3]),
        // 1, −2, the smallest number of a half, the largest
        ("<f2", false, [0, 0x3c, 0, 0xc0, 1, 0, 0xff, 0x7b], .float32, [1, -2, 0x1p-24, 65504]),
        ("|b1", true, [1, 0, 7, 0], .bool, [1, 1, 0, 0]),
    ])
    func otherTypesAndOrdersAreUnderstood(
        _ descr: String, _ isFortranOrder: Bool, _ data: [UInt8], _ dtype: DType, _ expected: [Double]
    ) throws {
        let order = isFortranOrder ? "True" : "False"
        let path = try file("{'descr': '\(descr)', 'fortran_order': \(order), 'shape': (2, 2), }", data)
        let tensor = try loadNPY(from: path)
        #expect(tensor.dtype == dtype && tensor.shape == [2, 2] && tensor.isContiguous)
        #expect(tensor.array(Double.self) == expected)
    }

    @Test(arguments: badHeaders) func aBadHeaderIsNamed(_ header: String, _ message: String) throws {
        let path = try file(header, [UInt8](repeating: 0, count: 8))
        let error = #expect(throws: FileError.self) { try loadNPY(from: path) }
        #expect(error?.path == path)
        #expect(error?.message.contains(message) == true, "\(error as Any)")
    }

    @Test func largeArchivesHave64BitSizes() throws {
        let path = folder.path("large.npz")
        var writer = ZipWriter()
        writer.largestPlainSize = 100
        try saveNPZ(Dictionary(uniqueKeysWithValues: samples.map { ($0, $1) }), to: path, compressed: false, writer)
        let loaded = try loadNPZ(from: path)
        for (name, tensor) in samples { expectSame(try #require(loaded[name]), tensor) }
    }

    @Test func aDamagedArrayThrowsOrLoads() throws {
        let path = folder.path("damaged.npy")
        try saveNPY(Tensor([1, 2, 3] as [Float]), to: path)
        try damage(path) { try loadNPY(from: path) }
    }

    @Test(arguments: [false, true]) func aDamagedArchiveThrowsOrLoads(_ compressed: Bool) throws {
        let path = folder.path("damaged.npz")
        try saveNPZ(["a": Tensor([1, 2, 3] as [Float]), "b": Tensor([true])], to: path, compressed: compressed)
        try damage(path) { try loadNPZ(from: path) }
    }

    @Test func membersMayNotShareBytesOrNames() throws {
        let path = folder.path("twice.npz")
        for names in [["a", "a"], ["a", "b"]] {
            var writer = ZipWriter()
            var archive: [UInt8] = []
            for name in names {
                try Array("content".utf8).withUnsafeBytes {
                    try writer.add(name, [$0], compressed: false) { archive += $0 }
                }
            }
            try writer.finish { archive += $0 }
            if names[0] != names[1] {
                // The second entry is made to point to the first member.
                let entries = (0..<archive.count - 4).filter { archive.little($0, UInt32.self) == 0x0201_4b50 }
                for byte in 0..<4 { archive[entries[1] + 42 + byte] = 0 }
            }
            try write(archive, to: path)
            let error = #expect(throws: FileError.self) { try ZipArchive(path) }
            #expect(error?.message.contains(names[0] == names[1] ? "comes twice" : "reaches beyond") == true)
        }
    }

    private func file(_ header: String, _ data: [UInt8]) throws -> String {
        let path = folder.path("made.npy")
        let length = withUnsafeBytes(of: UInt16(header.utf8.count).littleEndian, Array.init)
        try write([0x93] + Array("NUMPY".utf8) + [1, 0] + length + Array(header.utf8) + data, to: path)
        return path
    }
}

// Safetensors files: written, read back, and damaged in every way.
import Foundation
import TestSupport
import Testing

@testable import Tapestry

@Suite struct SafetensorsTests {
    private let folder = TemporaryFolder()

    @Test func everyDtypeComesBackAsItWas() throws {
        let path = folder.path("all.safetensors")
        let tensors: [(name: String, tensor: Tensor)] = [
            ("f32", Tensor([1.5, -0.0, .infinity] as [Float])), ("f64", Tensor([1e-300, 2], shape: [2, 1])),
            ("i64", Tensor([Int.min, 7])), ("i32", Tensor([-3] as [Int32])), ("u8", Tensor([0, 255] as [UInt8])),
            ("bool", Tensor([true, false, true])), ("scalar", Tensor(2.5)), ("none", Tensor.zeros([2, 0, 3])),
            ("name with \"quotes\", \\ and ünïcödé 🧵\n", Tensor([4])),
        ]
        try saveSafetensors(tensors, to: path, metadata: ["format": "pt", "a\tb": "\u{1}"])
        let loaded = try loadSafetensors(from: path)
        #expect(loaded.count == tensors.count)
        for (name, tensor) in tensors {
            let other = try #require(loaded[name])
            #expect(other.dtype == tensor.dtype && other.shape == tensor.shape)
            #expect(other.array(Double.self).map(\.bitPattern) == tensor.array(Double.self).map(\.bitPattern))
        }
        let file = try SafetensorsFile(path)
        #expect(file.metadata == ["format": "pt", "a\tb": "\u{1}"])
        #expect(file.entries.map(\.name) == tensors.map(\.name))
    }

    @Test func viewsAreWrittenInTheirOwnOrder() throws {
        let path = folder.path("view.safetensors")
        let base = Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
        try saveSafetensors(["t": base.transpose(0, 1), "row": base.select(dim: 0, index: 1)], to: path)
        let loaded = try loadSafetensors(from: path)
        #expect(loaded["t"]?.shape == [3, 2])
        #expect(loaded["t"]?.array(Int.self) == [1, 4, 2, 5, 3, 6])
        #expect(loaded["row"]?.array(Int.self) == [4, 5, 6])
    }

    @Test func aFileOfTheReferenceImplementationIsRead() throws {
        // safetensors.torch.save({"b": torch.tensor([[1., 2.]]), "a": torch.tensor([True])}, {"k": "v"})
        let header =
            #"{"__metadata__":{"k":"v"},"b":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"#
            + #""a":{"dtype":"BOOL","shape":[1],"data_offsets":[8,9]}}   "#
        let path = try file(header, [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 1])
        let loaded = try loadSafetensors(from: path)
        #expect(loaded["b"]?.array(Float.self) == [1, 2])
        #expect(loaded["b"]?.shape == [1, 2])
        #expect(loaded["a"]?.array(Bool.self) == [true])
    }

    @Test func escapesAndOddBooleansAreUnderstood() throws {
        let header = #"{"\u0041\ud83e\uddf5\/":{"shape":[2],"data_offsets":[0,2],"dtype":"BOOL"}}"#
        let loaded = try loadSafetensors(from: try file(header, [7, 0]))
        #expect(loaded["A🧵/"]?.array(UInt8.self) == [1, 0])
    }

    /// Headers over 8 bytes of data, and what is to be said of them.
    @Test(arguments: [
        (
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            "'a' comes twice"
        ),
        (#"{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "'dtype' comes twice"),
        (
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            "tensor 'b': data_offsets [4, 8] overlap those of 'a'"
        ),
        (
            #"{"a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            "tensor 'b': data_offsets [4, 8] overlap those of 'a'"
        ),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, "leave a gap after byte 0"),
        (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, "take 4 bytes, the file holds 8 bytes of data"),
        (#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, "lie outside the file's 8 bytes"),
        (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, "hold 8 bytes, F32 [3] takes 12"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, "are no range"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}"#, "are no range"),
        (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, "impossibly large"),
        (#"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}"#, "a number is too large"),
        (#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, "expected a whole number"),
        (#"{"a":3}"#, "expected '{'"),
        (#"{"a":{"dtype":"F32","shape":["a"],"data_offsets":[0,8]}}"#, "expected a whole number"),
        (#"{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}"#, "expected ']'"),
        (#"{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}"#, "unknown dtype 'F33'"),
        (#"{"a":{"dtype":"U64","shape":[1],"data_offsets":[0,8]}}"#, "dtype U64 is not supported"),
        (
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[0,4611686018427387904,4],"data_offsets":[8,8]}}"#,
            "impossibly large"
        ),
        (#"{"a":{"shape":[2],"data_offsets":[0,8]}}"#, "there is no dtype"),
        (#"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#, "there is no shape"),
        (#"{"a":{"dtype":"F32","shape":[2]}}"#, "there are no data_offsets"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}"#, "unknown field 'x'"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#, "expected '}'"),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} x"#, "expected the end"),
        (#"[1]"#, "expected '{'"), (#""#, "expected '{'"), (#"{"a"#, "a string does not end"),
        (#"{"\x":1}"#, "unknown escape"), (#"{"\ud83e":1}"#, "surrogates"),
        (#"{"\u+123":1}"#, "four hexadecimal digits"),
        (#"{"__metadata__":{"a":1}}"#, "expected '\"'"),
        (String(repeating: "[", count: 100_000), "expected '{'"),
    ])
    func aBadHeaderIsNamed(_ header: String, _ message: String) throws {
        let path = try file(header, [UInt8](repeating: 0, count: 8))
        let error = #expect(throws: FileError.self) { try loadSafetensors(from: path) }
        #expect(error?.path == path)
        #expect(error?.message.contains(message) == true, "\(error as Any)")
    }

    @Test func aHeaderThatIsNotUTF8IsNamed() throws {
        let path = folder.path("bytes")
        try Data([4, 0, 0, 0, 0, 0, 0, 0] + [0x7b, 0x22, 0xff, 0x22]).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: FileError.self) { try loadSafetensors(from: path) }
        #expect(error?.message.contains("not UTF-8") == true)
    }

    @Test(arguments: [false, true]) func aDamagedFileThrowsOrLoads(_ mapped: Bool) throws {
        let path = folder.path("damaged")
        try saveSafetensors(["ab": Tensor([1, 2] as [Float]), "c": Tensor([true])], to: path, metadata: ["k": "v"])
        try damage(path) { try loadSafetensors(from: path, mapped: mapped).values.map { $0.array(Double.self) } }
    }

    @Test func mappedTensorsAreTheFilesUntilTheyAreWrittenTo() throws {
        let path = folder.path("mapped.safetensors")
        let tensors = [
            "a": Tensor([1, 2, 3] as [Float]), "b": Tensor([true, false]), "c": Tensor([4, 5]),
            "d": Tensor.zeros([0, 2]),
            "e": Tensor([6.5]),
        ]
        try saveSafetensors(tensors, to: path)
        var loaded = try loadSafetensors(from: path, mapped: true)
        for (name, tensor) in tensors { expectSame(try #require(loaded[name]), tensor) }

        let before = try bytes(path)
        loaded["a"]?.mul_(10)
        #expect(loaded["a"]?.array(Int.self) == [10, 20, 30])
        #expect(
            try bytes(path) == before && loadSafetensors(from: path, mapped: true)["a"]?.array(Int.self) == [1, 2, 3])

        // What is mapped stays when the file is replaced, and when all but a view of it is gone.
        let view = try #require(loaded["c"]).narrow(dim: 0, start: 1, length: 1)
        loaded = [:]
        try saveSafetensors(["x": Tensor.zeros([1000])], to: path)
        #expect(view.array(Int.self) == [5])
        #expect(throws: FileError.self) { try loadSafetensors(from: folder.path("absent"), mapped: true) }
    }

    @Test func mappedWeightsMayBeLargerThanMemory() throws {
        let path = folder.path("large.safetensors")
        let size = 64_000_000_000
        let header = Array(
            #"{"w":{"dtype":"F32","shape":[16000000,1000],"data_offsets":[0,\#(size)]}}            "#.utf8)
        try write(withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init) + header, to: path)
        // A file that is nearly all hole: it takes no room on the disk.
        try #require(truncate(path, 8 + header.count + size) == 0)
        let weights = try #require(try loadSafetensors(from: path, mapped: true)["w"])
        #expect(weights.select(dim: 0, index: 15_999_999).sum().item() == 0)
    }

    @Test func shorterTypesAreWidened() throws {
        // torch.tensor([1.5, -0.0, inf, 2**-24, nan]) as float16 and bfloat16, and integers
        let header =
            #"{"h":{"dtype":"F16","shape":[5],"data_offsets":[0,10]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[10,14]},"#
            + #""i8":{"dtype":"I8","shape":[2],"data_offsets":[14,16]},"i16":{"dtype":"I16","shape":[1],"data_offsets":[16,18]},"#
            + #""u16":{"dtype":"U16","shape":[1],"data_offsets":[18,20]},"u32":{"dtype":"U32","shape":[1],"data_offsets":[20,24]}}"#
        let data: [UInt8] =
            [0, 0x3e, 0, 0x80, 0, 0x7c, 1, 0, 0, 0x7e] + [0xc0, 0x3f, 0x80, 0xc0] + [0xff, 0x7f] + [0, 0x80]
            + [0xff, 0xff] + [0xff, 0xff, 0xff, 0xff]
        let path = try file(header, data)
        for mapped in [false, true] {
            let loaded = try loadSafetensors(from: path, mapped: mapped)
            let halves = try #require(loaded["h"]?.array(Float.self))
            #expect(halves.prefix(4) == [1.5, 0, .infinity, 0x1p-24] && halves[1].sign == .minus && halves[4].isNaN)
            #expect(loaded["b"]?.array(Float.self) == [1.5, -4])
            #expect(loaded["i8"]?.dtype == .int32 && loaded["i8"]?.array(Int.self) == [-1, 127])
            #expect(loaded["i16"]?.array(Int.self) == [-32768] && loaded["u16"]?.array(Int.self) == [65535])
            #expect(loaded["u32"]?.dtype == .int64 && loaded["u32"]?.array(Int.self) == [4_294_967_295])
        }
    }

    @Test func aHeaderLongerThanTheFileIsNotAllocated() throws {
        let path = folder.path("huge")
        try Data([0, 0, 0, 0, 0, 0, 0, 0x80, 0x7b, 0x7d]).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: FileError.self) { try loadSafetensors(from: path) }
        #expect(error?.message.contains("the file holds 2 more bytes") == true)
    }

    @Test func whatIsNoFileIsRefused() throws {
        for path in [folder.path("absent"), folder.root, "/dev/zero"] {
            #expect(throws: FileError.self) { try loadSafetensors(from: path) }
        }
        for path in [folder.path("no/such/folder/x"), folder.root, "/dev/null", folder.path("new/"), ""] {
            #expect(throws: FileError.self) { try checkWritable(path) }
            #expect(throws: FileError.self) { try saveSafetensors(["a": Tensor([1])], to: path) }
        }
    }

    @Test func aFailedSaveLeavesTheOldFileAndNothingElse() throws {
        let path = folder.path("kept")
        try saveSafetensors(["a": Tensor([1, 2])], to: path)
        #expect(throws: FileError.self) {
            try saveSafetensors([("a", Tensor([3])), ("a", Tensor([4]))], to: path)
        }
        try checkWritable(path)
        #expect(try loadSafetensors(from: path)["a"]?.array(Int.self) == [1, 2])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.root) == ["kept"])
    }

    private func file(_ header: String, _ data: [UInt8]) throws -> String {
        let path = folder.path("made.safetensors")
        let bytes = Array(header.utf8)
        try Data(withUnsafeBytes(of: UInt64(bytes.count).littleEndian, Array.init) + bytes + data)
            .write(to: URL(fileURLWithPath: path))
        return path
    }
}

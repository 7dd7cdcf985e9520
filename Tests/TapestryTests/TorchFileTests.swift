// PyTorch's files: one that it wrote, others that nobody should trust, and damaged ones.
import Foundation
import TestSupport
import Testing

@testable import Tapestry

/// Pickles that must not be read, in pieces, and what is to be said of them.
private let badPickles: [(String, [UInt8], String)] = [
    (
        "a call of the shell", text("cos\nsystem\n") + unicode("true") + [0x85] + text("R."),
        "at byte 2: the global 'os.system' is not allowed"
    ),
    (
        "the same by names on the stack", unicode("builtins") + unicode("eval") + [0x93] + text("."),
        "at byte 24: the global 'builtins.eval' is not allowed"
    ),
    ("a module of the user", text("c__main__\nNet\n)\u{81}."), "'__main__.Net' is not allowed"),
    ("a name without end", text("c" + String(repeating: "a", count: 300)), "a global's name does not end"),
    ("a global alone", text("ctorch\nFloatStorage\n."), "no tensor, container, number or text"),
    ("a storage that is not there", tensor(key: "9", count: 2, shape: [2], strides: [1]), "no member 'a/data/9'"),
    ("a storage that is smaller", tensor(key: "0", count: 1 << 40, shape: [2], strides: [1]), "are not 16 bytes"),
    ("a shape beyond the storage", tensor(shape: [5], strides: [1]), "does not lie within"),
    ("strides beyond the storage", tensor(shape: [2, 2], strides: [3, 1]), "does not lie within"),
    ("strides backwards", tensor(shape: [2], strides: [-1]), "does not lie within"),
    ("strides that overflow", tensor(shape: [3, 3], strides: [1 << 62, 1]), "does not lie within"),
    ("shapes that overflow", tensor(shape: [1 << 40, 1 << 40], strides: [0, 0]), "does not lie within"),
    ("much made of little", tensor(shape: [1 << 40], strides: [0]), "does not lie within"),
    ("a negative length", tensor(shape: [-1], strides: [1]), "does not lie within"),
    ("an offset beyond the storage", tensor(offset: 4, shape: [1], strides: [1]), "does not lie within"),
    ("an offset before it", tensor(offset: -1, shape: [1], strides: [1]), "does not lie within"),
    ("other numbers of lengths and strides", tensor(shape: [2], strides: []), "does not lie within"),
    (
        "as many dimensions as nobody has", tensor(shape: Array(repeating: 1, count: 65), strides: []),
        "65 dimensions are more than 64"
    ),
    ("a list in itself", text("](h") + [0] + text("e."), "there is no memo 0"),
    ("a list in itself, remembered", text("]q\0h\0a."), "nest more than 100 deep"),
    ("lists that double", doubled(40), "repeated without end"),
    ("a million lists", Array(repeating: UInt8(ascii: "]"), count: 1_000_000) + text("."), ""),
    (
        "a million lists in each other",
        Array(repeating: UInt8(ascii: "]"), count: 1_000_000) + Array(repeating: UInt8(ascii: "a"), count: 999_999)
            + text("."), "nest more than 100 deep"
    ),
    ("an empty stack", text("."), "the stack is empty"), ("no mark", text("t."), "there is no mark"),
    ("a pop below the mark", text("N(0."), "the stack is empty"),
    ("a call of nothing", text("N)R."), "calls what is no global"),
    ("a dict with half an item", text("}(Nu."), "a dict's key has no value"),
    ("appends to a number", text("K\u{1}Na."), "appends to what is no list"),
    ("a string beyond the end", text("X\u{7f}\u{7f}\u{7f}\u{7f}ab"), "the pickle is cut off"),
    ("a long string beyond counting", [0x8d] + Array(repeating: 0xff, count: 8), "the pickle is cut off"),
    ("a string that is no UTF-8", [0x8c, 1, 0xff] + text("."), "not UTF-8"),
    ("a huge whole number", [0x8a, 9] + Array(repeating: 1, count: 9) + text("."), "9 bytes is too large"),
    ("an old opcode", text("I1\n."), "opcode 0x49 is not supported"),
    ("an extension's code", [0x82, 1] + text("."), "opcode 0x82 is not supported"),
]

@Suite struct TorchFileTests {
    private let folder = TemporaryFolder()

    @Test func aCheckpointOfTorchIsRead() throws {
        let path = folder.path("checkpoint.pth")
        try Data(base64Encoded: torchCheckpoint, options: .ignoreUnknownCharacters)!.write(
            to: URL(fileURLWithPath: path))
        let value = try loadTorch(from: path)
        let model = try #require(value["model"]?.stateDict)
        #expect(model.keys.sorted() == ["bias", "weight"])
        #expect(model["weight"]?.array(Float.self) == [1, 2, 3, 4, 5, 6] && model["weight"]?.shape == [2, 3])
        #expect(model["bias"]?.array(Float.self) == [0.5, -0.5])
        let group = value["optimizer"]?["param_groups"]?[0]
        #expect(group?["lr"]?.double == 0.5 && group?["nesterov"]?.bool == false)
        #expect(group?["params"]?.elements?.map(\.int) == [0, 1])
        #expect(value["epoch"]?.int == 3 && value["big"]?.int == -(1 << 40) && value["name"]?.string == "ünïcödé")
        #expect(value["size"]?.elements?.map(\.int) == [2, 3] && value["list"]?[2]?[0]?.bool == true)
        if case .none? = value["none"] {} else { Issue.record("None is \(value["none"] as Any)") }
        #expect(value["absent"] == nil && value["epoch"]?["x"] == nil && value["list"]?[3] == nil)

        let (transposed, row) = (try #require(value["t"]?.tensor), try #require(value["row"]?.tensor))
        #expect(transposed.shape == [3, 2] && transposed.array(Int.self) == [1, 4, 2, 5, 3, 6])
        #expect(row.array(Int.self) == [4, 5, 6])
        // As in torch, both look at the same memory.
        row.fill_(9)
        #expect(transposed.array(Int.self) == [1, 9, 2, 9, 3, 9])
        #expect(value["bf16"]?.tensor?.dtype == .float32 && value["bf16"]?.tensor?.array(Float.self) == [1.5, -2])
        #expect(value["bool"]?.tensor?.array(Bool.self) == [true, false])
        #expect(value["p"]?.tensor?.requiresGrad == true && value["p"]?.tensor?.item() == 7)
    }

    @Test(arguments: badPickles) func aBadPickleIsNamed(_ name: String, _ pickle: [UInt8], _ message: String) throws {
        let path = try archive(["a/data.pkl": [0x80, 2] + pickle, "a/data/0": [UInt8](repeating: 0, count: 16)])
        guard !message.isEmpty else {
            _ = try loadTorch(from: path)
            return
        }
        let error = #expect(throws: FileError.self) { try loadTorch(from: path) }
        #expect(error?.path == path && error?.message.contains(message) == true, "\(name): \(error as Any)")
    }

    @Test func containersOfEveryProtocolAreRead() throws {
        // pickle.dumps({"a": [1, (2.5, None)], "b": {True: b"…"}}) but for the bytes, protocols 2 and 4
        let pickles: [[UInt8]] = [
            [0x80, 2] + text("}q\0(") + unicode("a") + text("](K\u{1}G") + [0x40, 4, 0, 0, 0, 0, 0, 0] + text("N")
                + [0x86] + text("eu."),
            [0x80, 4, 0x95, 0x1b, 0, 0, 0, 0, 0, 0, 0] + text("}") + [0x94, 0x8c, 1] + text("a") + [0x94]
                + text("](K\u{1}G")
                + [0x40, 4, 0, 0, 0, 0, 0, 0] + text("N") + [0x86, 0x94] + text("es."),
        ]
        for pickle in pickles {
            let value = try loadTorch(from: try archive(["a/data.pkl": pickle]))
            #expect(value["a"]?[0]?.int == 1 && value["a"]?[1]?[0]?.double == 2.5)
        }
    }

    @Test func whatIsNoArchiveOfTorchIsNamed() throws {
        let path = folder.path("old.pth")
        try write([0x80, 0x02, 0x8a, 0x0a], to: path)
        #expect(#expect(throws: FileError.self) { try loadTorch(from: path) }?.message.contains("before 1.6") == true)
        let empty = try archive(["a/other": []])
        #expect(
            #expect(throws: FileError.self) { try loadTorch(from: empty) }?.message.contains("no archive of torch")
                == true)
    }

    @Test func aDamagedFileThrowsOrLoads() throws {
        let path = try archive([
            "a/data.pkl": [0x80, 2] + tensor(shape: [2, 2], strides: [2, 1]),
            "a/data/0": [UInt8](repeating: 1, count: 16), "a/byteorder": text("little"),
        ])
        try damage(path) { try loadTorch(from: path) }
    }

    @Test func aDamagedPickleThrowsOrLoads() throws {
        // In an archive that is whole, so that the checksum does not stand before the pickle's reader.
        let whole =
            [0x80, 2] + text("}q\0(") + unicode("a") + tensor(shape: [2, 2], strides: [2, 1]).dropLast()
            + unicode("b") + text("](K\u{1}NG\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}e") + [0x85] + text("q\u{1}")
            + unicode("c") + text("h\u{1}u.")
        let path = folder.path("checkpoint.pth")
        try Data(base64Encoded: torchCheckpoint, options: .ignoreUnknownCharacters)!.write(
            to: URL(fileURLWithPath: path))
        let real = try ZipArchive(path)
        let pickle = try real.contents(of: try #require(real.members.first { $0.name.hasSuffix("/data.pkl") }))
        for (pickle, rounds) in [(whole, 20_000), (pickle, 5000)] {
            try damage(pickle, rounds: rounds) { damaged in
                var reader = PickleReader(damaged) { storage in
                    guard storage.count <= 100 else { throw FileError("pickle", "no such storage") }
                    return Tensor.zeros([storage.count])
                }
                do { return try reader.read() } catch let fault as PickleReader.Fault {
                    throw FileError("pickle", fault.message)
                }
            }
        }
    }

    @Test func numbersOfOtherMachinesAreTurnedRound() throws {
        let path = try archive([
            "a/data.pkl": [0x80, 2] + tensor(count: 2, shape: [2], strides: [1]), "a/byteorder": text("big"),
            "a/data/0": [0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0],
        ])
        #expect(try loadTorch(from: path).tensor?.array(Float.self) == [1, -2.5])
        let odd = try archive(["a/data.pkl": [0x80, 2] + text("N."), "a/byteorder": text("middle")])
        #expect(
            #expect(throws: FileError.self) { try loadTorch(from: odd) }?.message.contains("neither little") == true)
    }

    private func archive(_ members: [String: [UInt8]]) throws -> String {
        let path = folder.path("made.pth")
        var (writer, archive) = (ZipWriter(), [UInt8]())
        for (name, content) in members.sorted(by: { $0.key < $1.key }) {
            try content.withUnsafeBytes { try writer.add(name, [$0], compressed: false) { archive += $0 } }
        }
        try writer.finish { archive += $0 }
        try write(archive, to: path)
        return path
    }
}

// MARK: Pieces of pickles

/// Characters up to U+00FF as bytes.
private func text(_ text: String) -> [UInt8] { text.unicodeScalars.map { UInt8($0.value) } }

private func number<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value.littleEndian, Array.init) }

private func unicode(_ string: String) -> [UInt8] { text("X") + number(UInt32(string.utf8.count)) + Array(string.utf8) }

private func tuple(_ values: [Int]) -> [UInt8] {
    text("(") + values.flatMap { [0x8a, 8] + number(Int64($0)) } + text("t")
}

/// A tensor over the float32 storage `key`, and the pickle's end.
private func tensor(
    key: String = "0", count: Int = 4, offset: Int = 0, shape: [Int], strides: [Int]
) -> [UInt8] {
    var result = text("ctorch._utils\n_rebuild_tensor_v2\n((") + unicode("storage")
    result += text("ctorch\nFloatStorage\n") + unicode(key) + unicode("cpu") + [0x8a, 8] + number(Int64(count))
    result += text("tQ") + [0x8a, 8] + number(Int64(offset)) + tuple(shape) + tuple(strides) + [0x89]
    return result + text("ccollections\nOrderedDict\n)RtR.")
}

/// A list of two of a list of two of …
private func doubled(_ levels: Int) -> [UInt8] {
    text("]") + (0..<levels).flatMap { _ in text("q\0](h\0h\0e") } + text(".")
}

/// `torch.save` of torch 2.15: {"model": Linear(3, 2).state_dict(), "optimizer": SGD(…).state_dict(), "epoch": 3,
/// "t": w.t(), "row": w[1], "bf16": …, "bool": …, "p": a parameter, "size": w.shape, "name", "big", "none", "list"}
private let torchCheckpoint = """
    UEsDBAAACAgAAAAAAAAAAAAAAAAAAAAAAAAKABgAYy9kYXRhLnBrbEZCFABaWlpaWlpaWlpaWlpaWlpaWlpaWoACfXEAKFgFAAAAbW9kZWxxAWNjb2xs
    ZWN0aW9ucwpPcmRlcmVkRGljdApxAilScQMoWAYAAAB3ZWlnaHRxBGN0b3JjaC5fdXRpbHMKX3JlYnVpbGRfdGVuc29yX3YyCnEFKChYBwAAAHN0b3Jh
    Z2VxBmN0b3JjaApGbG9hdFN0b3JhZ2UKcQdYAQAAADBxCFgDAAAAY3B1cQlLBnRxClFLAEsCSwOGcQtLA0sBhnEMiWgCKVJxDXRxDlJxD1gEAAAAYmlh
    c3EQaAUoKGgGaAdYAQAAADFxEWgJSwJ0cRJRSwBLAoVxE0sBhXEUiWgCKVJxFXRxFlJxF3V9cRhYCQAAAF9tZXRhZGF0YXEZaAIpUnEaWAAAAABxG31x
    HFgHAAAAdmVyc2lvbnEdSwFzc3NiWAkAAABvcHRpbWl6ZXJxHn1xHyhYBQAAAHN0YXRlcSB9cSFYDAAAAHBhcmFtX2dyb3Vwc3EiXXEjfXEkKFgCAAAA
    bHJxJUc/4AAAAAAAAFgIAAAAbW9tZW50dW1xJkc/7MzMzMzMzVgJAAAAZGFtcGVuaW5ncSdLAFgMAAAAd2VpZ2h0X2RlY2F5cShLAFgIAAAAbmVzdGVy
    b3ZxKYlYCAAAAG1heGltaXplcSqJWAcAAABmb3JlYWNocStOWA4AAABkaWZmZXJlbnRpYWJsZXEsiVgFAAAAZnVzZWRxLU5YBgAAAHBhcmFtc3EuXXEv
    KEsASwFldWF1WAUAAABlcG9jaHEwSwNYAQAAAHRxMWgFKChoBmgHWAEAAAAycTJoCUsGdHEzUUsASwNLAoZxNEsBSwOGcTWJaAIpUnE2dHE3UnE4WAMA
    AAByb3dxOWgFKChoBmgHaDJoCUsGdHE6UUsDSwOFcTtLAYVxPIloAilScT10cT5ScT9YBAAAAGJmMTZxQGgFKChoBmN0b3JjaApCRmxvYXQxNlN0b3Jh
    Z2UKcUFYAQAAADNxQmgJSwJ0cUNRSwBLAoVxREsBhXFFiWgCKVJxRnRxR1JxSFgEAAAAYm9vbHFJaAUoKGgGY3RvcmNoCkJvb2xTdG9yYWdlCnFKWAEA
    AAA0cUtoCUsCdHFMUUsASwKFcU1LAYVxToloAilScU90cVBScVFYAQAAAHBxUmN0b3JjaC5fdXRpbHMKX3JlYnVpbGRfcGFyYW1ldGVyCnFTaAUoKGgG
    aAdYAQAAADVxVGgJSwF0cVVRSwApKYloAilScVZ0cVdScViIaAIpUnFZh3FaUnFbWAQAAABzaXplcVxjdG9yY2gKU2l6ZQpxXUsCSwOGcV6FcV9ScWBY
    BAAAAG5hbWVxYVgLAAAAw7xuw69jw7Zkw6lxYlgDAAAAYmlncWOKBgAAAAAA/1gEAAAAbm9uZXFkTlgEAAAAbGlzdHFlXXFmKEsBR0AEAAAAAAAAiIVx
    Z2V1LlBLBwh4f6PRLwQAAC8EAABQSwMEAAAICAAAAAAAAAAAAAAAAAAAAAAAABEAEgBjLy5mb3JtYXRfdmVyc2lvbkZCDgBaWlpaWlpaWlpaWlpaWjFQ
    SwcIt+/cgwEAAAABAAAAUEsDBAAACAgAAAAAAAAAAAAAAAAAAAAAAAAUAD0AYy8uc3RvcmFnZV9hbGlnbm1lbnRGQjkAWlpaWlpaWlpaWlpaWlpaWlpa
    WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaNjRQSwcIP3dx6QIAAAACAAAAUEsDBAAACAgAAAAAAAAAAAAAAAAAAAAAAAALAAUA
    Yy9ieXRlb3JkZXJGQgEAWmxpdHRsZVBLBwiFPeMZBgAAAAYAAABQSwMEAAAICAAAAAAAAAAAAAAAAAAAAAAAAAgABABjL2RhdGEvMEZCAAAAAIA/AAAA
    QAAAQEAAAIBAAACgQAAAwEBQSwcIJOU5GRgAAAAYAAAAUEsDBAAACAgAAAAAAAAAAAAAAAAAAAAAAAAIADIAYy9kYXRhLzFGQi4AWlpaWlpaWlpaWlpa
    WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWgAAAD8AAAC/UEsHCCNejR0IAAAACAAAAFBLAwQAAAgIAAAAAAAAAAAAAAAAAAAAAAAACABC
    AGMvZGF0YS8yRkI+AFpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaAACAPwAAAEAAAEBA
    AACAQAAAoEAAAMBAUEsHCCTlORkYAAAAGAAAAFBLAwQAAAgIAAAAAAAAAAAAAAAAAAAAAAAACAAyAGMvZGF0YS8zRkIuAFpaWlpaWlpaWlpaWlpaWlpa
    WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlrAPwDAUEsHCAdRWuMEAAAABAAAAFBLAwQAAAgIAAAAAAAAAAAAAAAAAAAAAAAACAAGAGMvZGF0YS80
    RkICAFpaAQBQSwcIviPCWAIAAAACAAAAUEsDBAAACAgAAAAAAAAAAAAAAAAAAAAAAAAIAAgAYy9kYXRhLzVGQgQAWlpaWgAA4EBQSwcIYG3mCQQAAAAE
    AAAAUEsDBAAACAgAAAAAAAAAAAAAAAAAAAAAAAAJAAUAYy92ZXJzaW9uRkIBAFozClBLBwjRnmdVAgAAAAIAAABQSwMEAAAICAAAAAAAAAAAAAAAAAAA
    AAAAABgAOABjLy5kYXRhL3NlcmlhbGl6YXRpb25faWRGQjQAWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpa
    WjEyNjg1NjczOTY5NjQ2NDYyNjExMTc1OTgzMjc2MjAwNTc4OTg1MTdQSwcIYOdoCygAAAAoAAAAUEsBAgAAAAAICAAAAAAAAHh/o9EvBAAALwQAAAoA
    AAAAAAAAAAAAAAAAAAAAAGMvZGF0YS5wa2xQSwECAAAAAAgIAAAAAAAAt+/cgwEAAAABAAAAEQAAAAAAAAAAAAAAAAB/BAAAYy8uZm9ybWF0X3ZlcnNp
    b25QSwECAAAAAAgIAAAAAAAAP3dx6QIAAAACAAAAFAAAAAAAAAAAAAAAAADRBAAAYy8uc3RvcmFnZV9hbGlnbm1lbnRQSwECAAAAAAgIAAAAAAAAhT3j
    GQYAAAAGAAAACwAAAAAAAAAAAAAAAABSBQAAYy9ieXRlb3JkZXJQSwECAAAAAAgIAAAAAAAAJOU5GRgAAAAYAAAACAAAAAAAAAAAAAAAAACWBQAAYy9k
    YXRhLzBQSwECAAAAAAgIAAAAAAAAI16NHQgAAAAIAAAACAAAAAAAAAAAAAAAAADoBQAAYy9kYXRhLzFQSwECAAAAAAgIAAAAAAAAJOU5GRgAAAAYAAAA
    CAAAAAAAAAAAAAAAAABYBgAAYy9kYXRhLzJQSwECAAAAAAgIAAAAAAAAB1Fa4wQAAAAEAAAACAAAAAAAAAAAAAAAAADoBgAAYy9kYXRhLzNQSwECAAAA
    AAgIAAAAAAAAviPCWAIAAAACAAAACAAAAAAAAAAAAAAAAABUBwAAYy9kYXRhLzRQSwECAAAAAAgIAAAAAAAAYG3mCQQAAAAEAAAACAAAAAAAAAAAAAAA
    AACSBwAAYy9kYXRhLzVQSwECAAAAAAgIAAAAAAAA0Z5nVQIAAAACAAAACQAAAAAAAAAAAAAAAADUBwAAYy92ZXJzaW9uUEsBAgAAAAAICAAAAAAAAGDn
    aAsoAAAAKAAAABgAAAAAAAAAAAAAAAAAEggAAGMvLmRhdGEvc2VyaWFsaXphdGlvbl9pZFBLBgYsAAAAAAAAAB4DLQAAAAAAAAAAAAwAAAAAAAAADAAA
    AAAAAACzAgAAAAAAALgIAAAAAAAAUEsGBwAAAABrCwAAAAAAAAEAAABQSwUGAAAAAAwADACzAgAAuAgAAAAA
    """

// Tensors in files: what is written is read, and what is damaged is refused.
import Foundation
import Testing

@testable import Tapestry

@Suite struct SafetensorsTests {
    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = NSTemporaryDirectory() + "tapestry-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    @Test func everyDTypeAndShapeSurvives() throws {
        try withFolder { folder in
            let tensors: [(name: String, tensor: Tensor)] = [
                ("f", Tensor.randn([2, 3])), ("d", Tensor([1.5, -2])), ("i", Tensor([1, -2])),
                ("s", Tensor([3, 4] as [Int32])), ("u", Tensor([0, 255] as [UInt8])), ("b", Tensor([true, false])),
                ("scalar", Tensor(2.5)), ("empty", Tensor.zeros([0, 4])), ("view", Tensor.arange(6).reshape(2, 3).T),
            ]
            try saveSafetensors(tensors, to: folder + "/x.safetensors", metadata: ["format": "pt"])
            let loaded = try loadSafetensors(from: folder + "/x.safetensors")
            #expect(loaded.count == tensors.count)
            for (name, tensor) in tensors {
                #expect(loaded[name]?.shape == tensor.shape && loaded[name]?.dtype == tensor.dtype)
                #expect(loaded[name]?.array(Double.self) == tensor.array(Double.self))
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["x.safetensors"])
        }
    }

    @Test(arguments: [
        "", "short", "\u{ff}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}{}", "\u{2}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}[]",
        #"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        #"{"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,0]}}"#,
        #"{"x":{"dtype":"F99","shape":[0],"data_offsets":[0,0]}}"#,
        #"{"x":{"dtype":"F32","shape":[1],"data_offsets":[8,4]}}"#,
        #"{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#,
        #"{"x":{"dtype":"F32","shape":["a"],"data_offsets":[0,0]}}"#, #"{"x":3}"#,
    ])
    func damagedFilesAreRefusedWithTheirName(_ text: String) throws {
        try withFolder { folder in
            var data = Data(text.unicodeScalars.map { UInt8($0.value) })
            if text.hasPrefix("{") { data = withUnsafeBytes(of: UInt64(data.count).littleEndian) { Data($0) } + data }
            try data.write(to: URL(fileURLWithPath: folder + "/bad"))
            let error = #expect(throws: TensorFileError.self) { try loadSafetensors(from: folder + "/bad") }
            #expect(error.map { "\($0)".contains(folder + "/bad: ") } == true)
        }
    }

    @Test func aFolderThatIsNotThereIsAnError() {
        #expect(throws: TensorFileError.self) { try saveSafetensors([], to: "/nowhere/x") }
        #expect(throws: TensorFileError.self) { try loadSafetensors(from: "/nowhere/x") }
    }
}

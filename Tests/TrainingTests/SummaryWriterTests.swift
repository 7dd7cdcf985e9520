// The bytes of event files. (`Tests/Interop/tensorboard_reads.py` has TensorBoard read them.)
import Foundation
import Testing

@testable import training

@Suite struct SummaryWriterTests {
    /// The values of RFC 3720, B.4, rotated and shifted as TFRecord does.
    @Test func checksums() {
        func masked(_ checksum: UInt32) -> UInt32 { (checksum >> 15 | checksum << 17) &+ 0xa282_ead8 }
        #expect(maskedChecksum([UInt8](repeating: 0, count: 32)) == masked(0x8a91_36aa))
        #expect(maskedChecksum([UInt8](repeating: 0xff, count: 32)) == masked(0x62a8_ab43))
        #expect(maskedChecksum(Array(0..<32)) == masked(0x46dd_794e))
    }

    /// The example of the protocol-buffer documentation, and fields of each kind.
    @Test func messages() {
        var inner = Message()
        inner.add(1, 150)
        #expect(inner.bytes == [0x08, 0x96, 0x01])
        var outer = Message()
        outer.add(2, "testing")
        outer.add(3, inner)
        outer.add(4, Float(1))
        outer.add(5, [1.0])
        #expect(
            outer.bytes == [
                0x12, 7, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67, 0x1a, 3, 0x08, 0x96, 0x01, 0x25, 0, 0, 0x80, 0x3f,
                0x2a,
                8, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f,
            ])
        var negative = Message()
        negative.add(2, -1)
        #expect(negative.bytes == [0x10] + [UInt8](repeating: 0xff, count: 9) + [1])
    }

    @Test func recordsAreFramed() throws {
        let folder = NSTemporaryDirectory() + "tapestry-events-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let writer = try SummaryWriter(folder + "/a/b")
        try writer.addScalar("loss", 0.5, step: 3)
        try writer.addHistogram("empty", Tensor([Double.nan]), step: 0)
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: writer.path)))
        var (position, records) = (0, 0)
        while position < bytes.count {
            let length = Int(bytes[position])
            let head = Array(bytes[position..<position + 8])
            #expect(Array(bytes[position + 8..<position + 12]) == littleEndian(maskedChecksum(head)))
            let body = Array(bytes[position + 12..<position + 12 + length])
            #expect(Array(bytes[position + 12 + length..<position + 16 + length]) == littleEndian(maskedChecksum(body)))
            position += 16 + length
            records += 1
        }
        #expect(records == 2 && position == bytes.count)
    }

    @Test func foldersThatCannotBeMadeAreErrors() {
        #expect(throws: FileError.self) { _ = try SummaryWriter("/dev/null/runs") }
    }

    @Test func figuresAreShort() {
        #expect(
            [0.12344, 12.3456, 1234.4, 0, 0.0001, .infinity].map(decimal) == [
                "0.1234", "12.35", "1234", "0", "0.0001000", "inf",
            ])
    }
}

// PNG files of every kind, written as the standard says and by none of the code under test.
import CZlib
import Foundation

/// An image of any colour type, bit depth and interlacing, with samples by a formula and all five filters in turn.
struct PNGMaker {
    var width = 13
    var height = 11
    var depth = 8
    var color = 2
    var isInterlaced = false
    var palette: [UInt8] = []
    var transparency: [UInt8] = []
    /// Chunks (type, data) put in before the image data.
    var extra: [(String, [UInt8])] = []
    /// The image data are cut into chunks of so many bytes.
    var piece = 50

    var samples: Int { [0: 1, 2: 3, 3: 1, 4: 2, 6: 4][color]! }

    /// The sample of a channel at a pixel.
    func sample(_ x: Int, _ y: Int, _ channel: Int) -> Int {
        let range = color == 3 ? palette.count / 3 : 1 << depth
        return (x * 7919 + y * 104_729 + channel * 1301 + x * y * 37) % range
    }

    func file() throws -> [UInt8] {
        let header = big(width) + big(height) + [UInt8(depth), UInt8(color), 0, 0, isInterlaced ? 1 : 0]
        var file: [UInt8] = [137, 80, 78, 71, 13, 10, 26, 10] + Self.chunk("IHDR", header)
        if !palette.isEmpty { file += Self.chunk("PLTE", palette) }
        if !transparency.isEmpty { file += Self.chunk("tRNS", transparency) }
        for (type, data) in extra { file += Self.chunk(type, data) }
        let packed = try Self.deflated(rows())
        for start in stride(from: 0, to: packed.count, by: piece) {
            file += Self.chunk("IDAT", Array(packed[start..<min(start + piece, packed.count)]))
        }
        return file + Self.chunk("IEND", [])
    }

    /// All rows with their filters.
    func rows() -> [UInt8] {
        guard isInterlaced else { return rows(columns: Array(0..<width), lines: Array(0..<height)) }
        let passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        return passes.flatMap { x, y, dx, dy in
            rows(columns: Array(stride(from: x, to: width, by: dx)), lines: Array(stride(from: y, to: height, by: dy)))
        }
    }

    private func rows(columns: [Int], lines: [Int]) -> [UInt8] {
        guard !columns.isEmpty else { return [] }
        var result: [UInt8] = []
        var above: [UInt8]?
        for (index, y) in lines.enumerated() {
            var bits: [UInt8] = []
            for x in columns {
                for channel in 0..<samples {
                    let value = sample(x, y, channel)
                    bits += (0..<depth).reversed().map { UInt8(value >> $0 & 1) }
                }
            }
            bits += [UInt8](repeating: 0, count: (8 - bits.count % 8) % 8)
            let line = stride(from: 0, to: bits.count, by: 8).map { start in
                bits[start..<start + 8].reduce(UInt8(0)) { $0 << 1 | $1 }
            }
            let filter = index % 5
            result.append(UInt8(filter))
            let step = max(1, samples * depth / 8)
            for x in line.indices {
                let a = x >= step ? Int(line[x - step]) : 0
                let b = Int(above?[x] ?? 0)
                let c = x >= step ? Int(above?[x - step] ?? 0) : 0
                let p = a + b - c
                let nearest = [a, b, c].min { abs(p - $0) < abs(p - $1) }!
                let guess = [0, a, b, (a + b) / 2, nearest][filter]
                result.append(line[x] &- UInt8(guess))
            }
            above = line
        }
        return result
    }

    static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(type.utf8) + data
        return big(data.count) + body + big(Int(crc(body)))
    }

    /// The checksum bit by bit.
    static func crc(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~UInt32(0)) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { value, _ in value >> 1 ^ (value & 1 == 0 ? 0 : 0xedb8_8320) }
        }
    }

    static func deflated(_ bytes: [UInt8]) throws -> [UInt8] {
        var packed = [UInt8](repeating: 0, count: bytes.count + bytes.count / 100 + 64)
        var used = UInt(packed.count)
        guard compress(&packed, &used, bytes, UInt(bytes.count)) == Z_OK else { throw POSIXError(.ENOMEM) }
        return Array(packed.prefix(Int(used)))
    }

    static func big(_ value: Int) -> [UInt8] { withUnsafeBytes(of: UInt32(value).bigEndian, Array.init) }
    private func big(_ value: Int) -> [UInt8] { Self.big(value) }
}

// Writing PNG (ISO/IEC 15948:2004): 8 bits a sample, not interlaced, filters chosen row by row. Images and figures are
// both written by it; reading is in `vision`.
import CZlib

/// What reading and writing PNG share.
package enum PNG {
    package static let signature: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

    /// The checksum of a chunk: over its type and its data.
    package static func checksum(_ type: [UInt8], _ data: [UInt8]) -> UInt32 {
        data.withUnsafeBytes { data in type.withUnsafeBytes { type in crc(crc(0, type), data) } }
    }

    /// Of left, above and corner the one nearest to left + above − corner.
    @inline(__always)
    package static func paeth(_ left: Int, _ above: Int, _ corner: Int) -> UInt8 {
        let (a, b, c) = (abs(above - corner), abs(left - corner), abs(left + above - 2 * corner))
        return UInt8(a <= b && a <= c ? left : b <= c ? above : corner)
    }

    /// The bytes of a PNG file.
    ///
    /// - Parameters:
    ///   - pixels: rows from the top, each pixel `channels` bytes: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    ///   - compressionLevel: 0 (none) to 9 (small and slow).
    ///
    /// Traps unless there are `width` · `height` pixels, at least one.
    package static func encoded(
        _ pixels: [UInt8], width: Int, height: Int, channels: Int, compressionLevel: Int = 6
    ) -> [UInt8] {
        precondition(
            (1...4).contains(channels) && width > 0 && height > 0 && pixels.count == width * height * channels,
            "PNG: \(pixels.count) bytes for \(width) × \(height) pixels of \(channels) channels")
        let rows = filtered(pixels, rowBytes: width * channels, step: channels)
        var packed = [UInt8](repeating: 0, count: Int(compressBound(UInt(rows.count))))
        var used = UInt(packed.count)
        let status = compress2(&packed, &used, rows, UInt(rows.count), Int32(compressionLevel))
        precondition(status == Z_OK, "PNG: zlib failed with code \(status)")
        // Colour types of the format: 0 grey, 4 grey and alpha, 2 RGB, 6 RGB and alpha.
        let header = bigEndian(width) + bigEndian(height) + [8, [0, 4, 2, 6][channels - 1], 0, 0, 0]
        var result = signature
        append("IHDR", header, to: &result)
        for start in stride(from: 0, to: Int(used), by: 1 << 20) {
            append("IDAT", Array(packed[start..<min(start + 1 << 20, Int(used))]), to: &result)
        }
        append("IEND", [], to: &result)
        return result
    }

    private static func append(_ name: String, _ data: [UInt8], to file: inout [UInt8]) {
        let type = Array(name.utf8)
        file += bigEndian(data.count) + type
        file += data
        file += bigEndian(Int(checksum(type, data)))
    }

    private static func bigEndian(_ value: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt32(value).bigEndian, Array.init)
    }

    /// Each row with the filter whose output, taken as signed bytes, has the smallest sum of absolute values: the rule
    /// of thumb that the standard recommends.
    private static func filtered(_ pixels: [UInt8], rowBytes: Int, step: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(pixels.count + pixels.count / rowBytes)
        // The row itself and the one above, each behind a pixel of zeros: the left neighbour of the first.
        var row = [UInt8](repeating: 0, count: step + rowBytes)
        var above = row
        var candidates = [[UInt8]](repeating: [UInt8](repeating: 0, count: rowBytes), count: 5)
        for start in stride(from: 0, to: pixels.count, by: rowBytes) {
            row.replaceSubrange(step..., with: pixels[start..<start + rowBytes])
            let costs = candidates.indices.map { filter in
                candidates[filter].withUnsafeMutableBufferPointer { apply(filter, row, above, step, $0) }
            }
            let best = costs.indices.min { costs[$0] < costs[$1] }!
            result.append(UInt8(best))
            result += candidates[best]
            swap(&row, &above)
        }
        return result
    }

    /// Writes a filtered row; returns the sum of its absolute values.
    private static func apply(
        _ filter: Int, _ row: [UInt8], _ above: [UInt8], _ step: Int, _ target: UnsafeMutableBufferPointer<UInt8>
    ) -> Int {
        row.withUnsafeBufferPointer { row in
            above.withUnsafeBufferPointer { above in
                /// `guess` from left, above and corner is what each byte is told by its difference from.
                func write(_ guess: (UInt8, UInt8, UInt8) -> UInt8) -> Int {
                    var cost = 0
                    for x in target.indices {
                        let value = row[x + step] &- guess(row[x], above[x + step], above[x])
                        target[x] = value
                        cost += Int(Int8(bitPattern: value).magnitude)
                    }
                    return cost
                }
                switch filter {
                case 0: return write { _, _, _ in 0 }
                case 1: return write { left, _, _ in left }
                case 2: return write { _, above, _ in above }
                case 3: return write { left, above, _ in UInt8((Int(left) + Int(above)) / 2) }
                default: return write { left, above, corner in paeth(Int(left), Int(above), Int(corner)) }
                }
            }
        }
    }
}

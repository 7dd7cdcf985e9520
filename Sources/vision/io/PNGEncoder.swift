// Writing PNG: 8 bits a sample, not interlaced, filters chosen row by row.
import CZlib
import Tapestry

extension io {
    /// The bytes of a PNG file with an image: uint8 [C, H, W], C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    /// Traps on other shapes and dtypes. Mirrors `torchvision.io.encode_png`.
    ///
    /// - Parameter compressionLevel: 0 (none) to 9 (small and slow).
    public static func encodePNG(
        _ image: Tensor, compressionLevel: Int = 6, file: StaticString = #fileID, line: UInt = #line
    ) -> [UInt8] {
        let site = SourceSite(file, line)
        let (channels, height, width) = extent("encodePNG", image, channels: 1...4, site)
        require(
            (0...9).contains(compressionLevel), "encodePNG: compression level \(compressionLevel) is not 0 to 9", site)
        let colors: [PNG.Header.Color] = [.gray, .grayAlpha, .rgb, .rgba]
        let rows = filtered(interleaved(image), rowBytes: width * channels, step: channels)
        var packed = [UInt8](repeating: 0, count: Int(compressBound(UInt(rows.count))))
        var used = UInt(packed.count)
        let status = compress2(&packed, &used, rows, UInt(rows.count), Int32(compressionLevel))
        require(status == Z_OK, "encodePNG: zlib failed with code \(status)", site)
        let header = bigEndian(width) + bigEndian(height) + [8, UInt8(colors[channels - 1].rawValue), 0, 0, 0]
        var result = PNG.signature
        append("IHDR", header, to: &result)
        for start in stride(from: 0, to: Int(used), by: 1 << 20) {
            append("IDAT", Array(packed[start..<min(start + 1 << 20, Int(used))]), to: &result)
        }
        append("IEND", [], to: &result)
        return result
    }

    /// Writes an image, uint8 [C, H, W], as a PNG file; see `encodePNG`. The file is replaced as a whole.
    ///
    /// - Throws: `FileError` if the file cannot be written. Mirrors `torchvision.io.write_png`.
    public static func writePNG(
        _ image: Tensor, to path: String, compressionLevel: Int = 6, file: StaticString = #fileID, line: UInt = #line
    ) throws {
        let bytes = encodePNG(image, compressionLevel: compressionLevel, file: file, line: line)
        try bytes.withUnsafeBytes { bytes in try writeAtomically(to: path) { append in try append(bytes) } }
    }

    private static func append(_ name: String, _ data: [UInt8], to file: inout [UInt8]) {
        let type = Array(name.utf8)
        file += bigEndian(data.count) + type
        file += data
        file += bigEndian(Int(PNG.checksum(type, data)))
    }

    private static func bigEndian(_ value: Int) -> [UInt8] {
        withUnsafeBytes(of: UInt32(value).bigEndian, Array.init)
    }

    /// Each row with the filter whose output, taken as signed bytes, has the smallest sum of absolute values: the rule
    /// of thumb that the standard recommends.
    private static func filtered(_ pixels: [UInt8], rowBytes: Int, step: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(pixels.count + pixels.count / rowBytes)
        var above = [UInt8](repeating: 0, count: rowBytes)
        var candidates = [[UInt8]](repeating: above, count: 5)
        for start in stride(from: 0, to: pixels.count, by: rowBytes) {
            for x in 0..<rowBytes {
                let value = pixels[start + x]
                let left = x >= step ? pixels[start + x - step] : 0
                let corner = x >= step ? above[x - step] : 0
                candidates[0][x] = value
                candidates[1][x] = value &- left
                candidates[2][x] = value &- above[x]
                candidates[3][x] = value &- UInt8((Int(left) + Int(above[x])) / 2)
                candidates[4][x] = value &- PNG.paeth(Int(left), Int(above[x]), Int(corner))
            }
            let costs = candidates.map { $0.reduce(0) { $0 + Int(Int8(bitPattern: $1).magnitude) } }
            let best = costs.indices.min { costs[$0] < costs[$1] }!
            result.append(UInt8(best))
            result += candidates[best]
            above = Array(pixels[start..<start + rowBytes])
        }
        return result
    }
}

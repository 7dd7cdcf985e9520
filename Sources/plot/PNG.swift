// Writing PNG files: 8-bit colour, compressed by the system's zlib.
import CZlib
import Tapestry

extension Pixels {
    /// The pixels as a PNG file (ISO/IEC 15948): signature, header, one block of compressed rows, end.
    var png: [UInt8] {
        var rows: [UInt8] = []
        rows.reserveCapacity(height * (1 + 3 * width))
        for y in 0..<height {
            rows.append(0)  // Rows as they are, without a filter.
            for x in 0..<width {
                let color = self[x, y]
                rows.append(color.red)
                rows.append(color.green)
                rows.append(color.blue)
            }
        }
        var length = compressBound(UInt(rows.count))
        let data = [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, used in
            let status = compress2(buffer.baseAddress, &length, rows, UInt(rows.count), 6)
            precondition(status == Z_OK, "PNG: zlib refuses with code \(status)")
            used = Int(length)
        }
        // 8 bits a channel, red, green and blue.
        let header = bigEndian(width) + bigEndian(height) + [8, 2, 0, 0, 0]
        return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + chunk("IHDR", header) + chunk("IDAT", data)
            + chunk("IEND", [])
    }
}

private func bigEndian(_ value: Int) -> [UInt8] {
    withUnsafeBytes(of: UInt32(value).bigEndian) { Array($0) }
}

private func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
    let body = Array(type.utf8) + data
    return bigEndian(data.count) + body + bigEndian(Int(crc32(0, body, UInt32(body.count))))
}

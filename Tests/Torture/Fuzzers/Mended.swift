// Inputs with their checksums put right: else hardly any change that the fuzzer makes would be looked at.
import CZlib

enum Mended {
    /// A PNG file with the right checksum in each chunk, as far as its lengths lead.
    static func png(_ bytes: [UInt8]) -> [UInt8] {
        var (bytes, position) = (bytes, 8)
        while position + 12 <= bytes.count {
            let length = big(bytes, position)
            guard length <= bytes.count - position - 12 else { break }
            put(crc(bytes[position + 4..<position + 8 + length]), at: position + 8 + length, in: &bytes)
            position += 12 + length
        }
        return bytes
    }

    /// A PNG file around header fields, an optional palette and transparency, and rows: the fuzzer need not know
    /// deflate to change a filter or a sample.
    static func pngAround(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count > 8 else { return bytes }
        let (depths, colours): ([UInt8], [UInt8]) = ([1, 2, 4, 8, 16], [0, 2, 3, 4, 6])
        let header =
            [
                0, 0, 0, 1 + bytes[0] % 32, 0, 0, 0, 1 + bytes[1] % 32, depths[Int(bytes[2] % 5)],
                colours[Int(bytes[3] % 5)],
            ]
            + [0, 0, bytes[4] % 2]
        var rest = bytes[8...]
        func take(_ count: UInt8) -> [UInt8] {
            defer { rest = rest.dropFirst(Int(count)) }
            return Array(rest.prefix(Int(count)))
        }
        let (palette, transparency) = (take(bytes[5]), take(bytes[6] % 8))
        return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + chunk("IHDR", header)
            + (palette.isEmpty ? [] : chunk("PLTE", palette))
            + (transparency.isEmpty ? [] : chunk("tRNS", transparency))
            + chunk("IDAT", stored(Array(rest))) + chunk("IEND", [])
    }

    /// A zip archive whose stored members have the right checksums in its directory.
    static func zip(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        guard bytes.count >= 22 else { return bytes }
        for entry in 0...bytes.count - 22 where little(bytes, entry, 4) == 0x0201_4b50 && entry + 46 <= bytes.count {
            let (size, member) = (little(bytes, entry + 20, 4), little(bytes, entry + 42, 4))
            guard little(bytes, entry + 10, 2) == 0, member + 30 <= bytes.count else { continue }
            let start = member + 30 + little(bytes, member + 26, 2) + little(bytes, member + 28, 2)
            guard start <= bytes.count, size <= bytes.count - start else { continue }
            put(crc(bytes[start..<start + size]).byteSwapped, at: entry + 16, in: &bytes)
        }
        return bytes
    }

    /// A plain tar archive with the right checksum in each header, as far as its lengths lead.
    static func tar(_ bytes: [UInt8]) -> [UInt8] {
        var (bytes, start) = (bytes, 0)
        while start + 512 <= bytes.count, bytes[start] != 0 {
            for index in start + 148..<start + 156 { bytes[index] = 32 }
            let sum = bytes[start..<start + 512].reduce(0) { $0 + Int($1) }
            for (index, digit) in String(sum + 0o1_000_000, radix: 8).utf8.dropFirst().enumerated() {
                bytes[start + 148 + index] = digit
            }
            bytes[start + 154] = 0
            let digits = bytes[start + 124..<start + 136].prefix { (48...55).contains($0) }
            start += 512 + (digits.reduce(0) { $0 &* 8 &+ Int($1 - 48) } & 0xffff + 511) / 512 * 512
        }
        return bytes
    }

    private static func crc(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withUnsafeBufferPointer { UInt32(crc32(0, $0.baseAddress, UInt32($0.count))) }
    }
    private static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
        let body = Array(type.utf8) + data
        return bytes(UInt32(data.count)) + body + bytes(crc(body[...]))
    }
    /// zlib's format without compression.
    private static func stored(_ data: [UInt8]) -> [UInt8] {
        let length = UInt16(truncatingIfNeeded: data.count)
        let parts = [UInt8(length & 0xff), UInt8(length >> 8), UInt8(~length & 0xff), UInt8(~length >> 8)]
        let sum = data.withUnsafeBufferPointer { UInt32(adler32(1, $0.baseAddress, UInt32($0.count))) }
        return [0x78, 0x01, 0x01] + parts + data + bytes(sum)
    }
    private static func bytes(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    private static func put(_ value: UInt32, at position: Int, in bytes: inout [UInt8]) {
        bytes.replaceSubrange(position..<position + 4, with: self.bytes(value))
    }
    private static func big(_ bytes: [UInt8], _ position: Int) -> Int {
        bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
    }
    private static func little(_ bytes: [UInt8], _ position: Int, _ count: Int) -> Int {
        bytes[position..<position + count].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
}

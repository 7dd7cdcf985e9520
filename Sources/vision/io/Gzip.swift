// Reading files that may be gzip-compressed, through the system's zlib.
import CZlib
import Tapestry

/// The bytes of a file, plain or gzip (told by its first two bytes), front to back.
///
/// Output is made as it is asked for, so that a small file that claims to hold much costs nothing before the claim has
/// been checked.
final class GzipReader {
    private let file: InputFile
    private let isCompressed: Bool
    private var stream = z_stream()
    /// Compressed bytes that zlib has not taken yet: `pending[taken...]`.
    private var pending: [UInt8] = []
    private var taken = 0
    /// Where in the file the next bytes come from.
    private var position = 0
    private var hasEnded = false

    /// Opens a file; throws `FileError` if it cannot be read.
    init(_ path: String) throws {
        file = try InputFile(path)
        isCompressed = try file.bytes(2, at: 0) == [0x1f, 0x8b]
        if isCompressed {
            // 15 bits of window, + 16: gzip format only.
            guard inflateInit2_(&stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
                throw FileError(path, "zlib cannot be started")
            }
        }
    }

    deinit { if isCompressed { inflateEnd(&stream) } }

    /// The most bytes that the file can hold: deflate makes a byte into no more than 1032.
    var largestContent: Int {
        let (product, overflow) = file.size.multipliedReportingOverflow(by: isCompressed ? 1032 : 1)
        return overflow ? .max : product
    }

    /// So much may be set aside because a header claims it, before it is known to be there.
    var affordable: Int { isCompressed ? largestAffordable(file.size) : file.size }

    /// What a gzip file says of its content at its own end: CRC-32, and length modulo 2³². nil for a plain file.
    func trailer() throws -> (checksum: UInt32, length: UInt32)? {
        guard isCompressed, file.size >= 18 else { return nil }
        let bytes = try file.bytes(8, at: file.size - 8)
        func word(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) } }
        return bytes.count == 8 ? (word(0), word(4)) : nil
    }

    /// The next `count` bytes, fewer only at the end of the file. Memory grows with what is there.
    ///
    /// - Throws: `FileError` if the compressed data is damaged, cut off, or followed by anything.
    func read(_ count: Int) throws -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(min(count, affordable))
        while output.count < count {
            let piece = try [UInt8](unsafeUninitializedCapacity: min(count - output.count, 1 << 16)) { buffer, used in
                used = try fill(UnsafeMutableRawBufferPointer(buffer))
            }
            if piece.isEmpty { break }
            output += piece
        }
        return output
    }

    /// Reads the next `count` bytes to nowhere; returns how many there were.
    func skip(_ count: Int) throws -> Int {
        var skipped = 0
        while skipped < count {
            let piece = try read(min(count - skipped, 1 << 16)).count
            if piece == 0 { break }
            skipped += piece
        }
        return skipped
    }

    /// Fills memory with the next bytes; returns how many there were, fewer than asked for only at the end of the file.
    ///
    /// - Throws: as `read`.
    func fill(_ target: UnsafeMutableRawBufferPointer) throws -> Int {
        guard isCompressed else {
            let count = try file.read(into: target, at: position)
            position += count
            return count
        }
        var filled = 0
        while filled < target.count, !hasEnded {
            // zlib counts in 32 bits.
            let end = min(target.count, filled + 1 << 30)
            filled += try inflate(into: UnsafeMutableRawBufferPointer(rebasing: target[filled..<end]))
        }
        return filled
    }

    /// Fills the buffer, which is shorter than 2³² bytes; returns how many there were.
    private func inflate(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let bytes = buffer.bindMemory(to: UInt8.self)
        var filled = 0
        while filled < buffer.count, !hasEnded {
            if taken == pending.count { try refill() }
            let status = pending.withUnsafeMutableBufferPointer { input in
                stream.next_in = input.baseAddress! + taken
                stream.avail_in = UInt32(input.count - taken)
                stream.next_out = bytes.baseAddress! + filled
                stream.avail_out = UInt32(buffer.count - filled)
                let status = CZlib.inflate(&stream, Z_NO_FLUSH)
                taken = input.count - Int(stream.avail_in)
                return status
            }
            filled = buffer.count - Int(stream.avail_out)
            if status == Z_STREAM_END {
                hasEnded = true
                let end = position - (pending.count - taken)
                guard end == file.size else {
                    throw FileError(
                        file.path, "there are \(file.size - end) bytes behind the gzip data's end at byte \(end)")
                }
            } else if status != Z_OK {
                let text = stream.msg.map { String(cString: $0) } ?? "code \(status)"
                throw FileError(
                    file.path, "the gzip data is damaged before byte \(position - (pending.count - taken)) (\(text))")
            }
        }
        return filled
    }

    private func refill() throws {
        pending = try file.bytes(1 << 16, at: position)
        guard !pending.isEmpty else {
            throw FileError(file.path, "the gzip data ends early, at byte \(position)")
        }
        position += pending.count
        taken = 0
    }
}

/// What a packed file of `size` bytes may have set aside for what its header claims. Images are packed into a fifth,
/// drawings into much less: what unpacks to more than nine times the size is first unpacked to nowhere.
func largestAffordable(_ size: Int) -> Int {
    let (product, overflow) = size.multipliedReportingOverflow(by: 9)
    return overflow ? .max : product
}

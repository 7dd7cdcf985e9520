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

    /// The next `count` bytes, fewer only at the end of the file.
    ///
    /// - Throws: `FileError` if the compressed data is damaged, cut off, or followed by anything.
    func read(_ count: Int) throws -> [UInt8] {
        var output: [UInt8] = []
        // What a header claims is only set aside as far as it is harmless; beyond that memory grows with what is there.
        output.reserveCapacity(min(count, 1 << 26))
        while output.count < count {
            let piece = try [UInt8](unsafeUninitializedCapacity: min(count - output.count, 1 << 20)) { buffer, used in
                if isCompressed {
                    used = try inflate(into: buffer)
                } else {
                    used = try file.read(into: UnsafeMutableRawBufferPointer(buffer), at: position)
                    position += used
                }
            }
            if piece.isEmpty { break }
            output += piece
        }
        return output
    }

    /// Fills the buffer, which is short; returns how many bytes there were.
    private func inflate(into buffer: UnsafeMutableBufferPointer<UInt8>) throws -> Int {
        var filled = 0
        while filled < buffer.count, !hasEnded {
            if taken == pending.count { try refill() }
            let status = pending.withUnsafeMutableBufferPointer { input in
                stream.next_in = input.baseAddress! + taken
                stream.avail_in = UInt32(input.count - taken)
                stream.next_out = buffer.baseAddress! + filled
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
            throw FileError(file.path, "the gzip data ends early, after \(position) bytes")
        }
        position += pending.count
        taken = 0
    }
}

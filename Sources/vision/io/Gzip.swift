// Reading files that may be gzip-compressed, through the system's zlib.
import CZlib
import Foundation

/// The bytes of a file, plain or gzip (told by its first two bytes), front to back.
///
/// Output is made as it is asked for, so that a small file that claims to hold much costs nothing before the claim has
/// been checked.
final class GzipReader {
    let path: String
    private let compressed: Data
    private let isCompressed: Bool
    private var stream = z_stream()
    private var position = 0
    private var hasEnded = false

    /// Opens a file; throws if it cannot be read.
    init(_ path: String) throws {
        self.path = path
        do {
            compressed = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
        } catch {
            throw FileError(path, "cannot be read (\(reason(error)))")
        }
        isCompressed = compressed.count >= 2 && compressed[0] == 0x1f && compressed[1] == 0x8b
        if isCompressed {
            // 15 bits of window, + 16: gzip format only.
            guard inflateInit2_(&stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
                throw FileError(path, "zlib cannot be started")
            }
        }
    }

    deinit { if isCompressed { inflateEnd(&stream) } }

    /// The next `count` bytes, fewer only at the end of the file. Throws if the compressed data is damaged or cut off.
    func read(_ count: Int) throws -> [UInt8] {
        guard isCompressed else {
            let end = min(compressed.count, position + count)
            defer { position = end }
            return Array(compressed[position..<end])
        }
        var output: [UInt8] = []
        let pieceSize = 1 << 20
        while output.count < count, !hasEnded {
            let wanted = min(pieceSize, count - output.count)
            var status = Z_OK
            let piece = try [UInt8](unsafeUninitializedCapacity: wanted) { buffer, used in
                stream.next_out = buffer.baseAddress
                stream.avail_out = UInt32(wanted)
                while stream.avail_out > 0, status == Z_OK {
                    let available = min(compressed.count - position, 1 << 30)
                    if available == 0 {
                        throw FileError(path, "the gzip data ends early, after \(compressed.count) bytes")
                    }
                    status = compressed.withUnsafeBytes { bytes in
                        // zlib reads the input only; its field is not const for historical reasons.
                        stream.next_in = UnsafeMutablePointer(
                            mutating: bytes.baseAddress!.assumingMemoryBound(to: UInt8.self) + position)
                        stream.avail_in = UInt32(available)
                        return inflate(&stream, Z_NO_FLUSH)
                    }
                    position += available - Int(stream.avail_in)
                }
                used = wanted - Int(stream.avail_out)
            }
            output += piece
            if status == Z_STREAM_END {
                hasEnded = true
            } else if status != Z_OK {
                let text = stream.msg.map { String(cString: $0) } ?? "code \(status)"
                throw FileError(path, "the gzip data is damaged at byte \(position) (\(text))")
            }
        }
        return output
    }
}

/// A system error in a few words.
func reason(_ error: any Error) -> String {
    let error = error as NSError
    if let underlying = error.userInfo[NSUnderlyingErrorKey] as? NSError, underlying.domain == NSPOSIXErrorDomain {
        return String(cString: strerror(Int32(underlying.code))).lowercased()
    }
    switch (error.domain, error.code) {
    case (NSCocoaErrorDomain, CocoaError.fileReadNoSuchFile.rawValue), (NSCocoaErrorDomain, CocoaError.fileNoSuchFile.rawValue):
        return "no such file or directory"
    case (NSCocoaErrorDomain, CocoaError.fileReadNoPermission.rawValue): return "permission denied"
    default: return error.localizedDescription
    }
}

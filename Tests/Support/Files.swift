// Files that tests make.
import CZlib
import Foundation

/// A folder that is gone when the test ends.
package final class TemporaryFolder {
    package let root: String

    package init() {
        root = NSTemporaryDirectory() + "tapestry-\(UInt64.random(in: 0 ... .max))"
        try? FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: root) }

    package func path(_ name: String) -> String { "\(root)/\(name)" }
}

/// Compresses as the program gzip does.
package func gzip(_ bytes: [UInt8]) throws -> [UInt8] {
    var stream = z_stream()
    let opened = deflateInit2_(
        &stream, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard opened == Z_OK else { throw POSIXError(.ENOMEM) }
    defer { deflateEnd(&stream) }
    var input = bytes
    return input.withUnsafeMutableBufferPointer { source in
        let bound = Int(deflateBound(&stream, UInt(source.count)))
        return [UInt8](unsafeUninitializedCapacity: bound) { target, used in
            (stream.next_in, stream.avail_in) = (source.baseAddress, UInt32(source.count))
            (stream.next_out, stream.avail_out) = (target.baseAddress, UInt32(bound))
            deflate(&stream, Z_FINISH)
            used = bound - Int(stream.avail_out)
        }
    }
}

package func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

/// As a new file: to overwrite one makes some file systems wait for the disk.
package func write(_ bytes: [UInt8], to path: String) throws {
    unlink(path)
    try Data(bytes).write(to: URL(fileURLWithPath: path))
}

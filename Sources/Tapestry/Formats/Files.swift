// Reading and writing files so that nothing outside can end the program, and a crash cannot leave half a file.
import Foundation

/// A file that is not what it should be: its path, what is wrong, and where.
public struct FileError: Error, CustomStringConvertible, Sendable {
    public let path: String
    public let message: String

    public init(_ path: String, _ message: String) { (self.path, self.message) = (path, message) }
    public var description: String { "\(path): \(message)" }

    /// What the system said of its last call, in its words.
    package static func system(_ path: String, _ action: String) -> FileError {
        FileError(path, "cannot be \(action) (\(String(cString: strerror(errno)).lowercased()))")
    }
}

/// Bytes that are read by position: a file, or a member of an archive.
package protocol ByteSource {
    /// How many there are.
    var size: Int { get }
    /// Fills `target` with the bytes from `offset` on; returns how many there were.
    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int
    /// An error that names the bytes' place.
    func fault(_ message: String) -> FileError
}

extension ByteSource {
    /// Up to `count` bytes from `offset` on, fewer only where the bytes end.
    package func bytes(_ count: Int, at offset: Int) throws -> [UInt8] {
        guard offset < size else { return [] }
        let count = max(0, min(count, size - offset))
        return try [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
            used = try read(into: UnsafeMutableRawBufferPointer(buffer), at: offset)
        }
    }
}

/// An open file read by position. Every read is checked against what the file holds at that moment.
package final class InputFile: ByteSource {
    package let path: String
    /// Bytes in the file when it was opened: the measure for what its header claims.
    package let size: Int
    let descriptor: Int32

    /// Opens a regular file; throws `FileError` for anything else.
    package init(_ path: String) throws {
        self.path = path
        // Not blocking, so that a pipe nobody writes to is refused below instead of waited for.
        descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileError.system(path, "read") }
        var info = stat()
        guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw FileError(path, "is not a regular file")
        }
        size = Int(info.st_size)
    }

    deinit { close(descriptor) }

    package func fault(_ message: String) -> FileError { FileError(path, message) }

    package func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
        var filled = 0
        while filled < target.count {
            let count = pread(descriptor, target.baseAddress! + filled, target.count - filled, off_t(offset + filled))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError.system(path, "read at byte \(offset + filled)") }
            if count == 0 { break }
            filled += count
        }
        return filled
    }
}

/// Writes a file under another name in the same folder, syncs it, and renames it: after a kill at any moment there is
/// the old file or the new one, whole. `body` gets a function that appends bytes.
///
/// - Parameter isSynced: wait for the disk. Without it a loss of power may leave a damaged file: for what can be told
///   from a whole one and made again.
/// - Throws: `FileError`, or what `body` throws; then the old file is as it was.
package func writeAtomically(
    to path: String, isSynced: Bool = true, _ body: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
) throws {
    let (temporary, descriptor) = try openBeside(path)
    var isOpen = true
    do {
        try body { bytes in
            var written = 0
            while written < bytes.count {
                let count = write(descriptor, bytes.baseAddress! + written, bytes.count - written)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw FileError.system(path, "written") }
                written += count
            }
        }
        guard !isSynced || fsync(descriptor) == 0 else { throw FileError.system(path, "synced") }
        isOpen = false
        guard close(descriptor) == 0 else { throw FileError.system(path, "closed") }
        guard rename(temporary, path) == 0 else { throw FileError.system(path, "replaced") }
        if isSynced { syncFolder(of: path) }
    } catch {
        if isOpen { close(descriptor) }
        unlink(temporary)
        throw error
    }
}

/// Throws unless `writeAtomically` could write `path` now: better known before hours of training than after.
public func checkWritable(_ path: String) throws {
    let (temporary, descriptor) = try openBeside(path)
    close(descriptor)
    unlink(temporary)
}

/// Makes a renaming survive a loss of power, where the file system can; the file itself has been synced.
private func syncFolder(of path: String) {
    let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
}

/// A new file in the folder of `path`, open for writing. Throws if `path` is something that a file must not replace: a
/// folder, a device.
private func openBeside(_ path: String) throws -> (path: String, descriptor: Int32) {
    guard !path.isEmpty else { throw FileError("''", "is not the name of a file") }
    var info = stat()
    if stat(path, &info) == 0 {
        guard info.st_mode & S_IFMT != S_IFDIR else { throw FileError(path, "cannot be written (is a directory)") }
        guard info.st_mode & S_IFMT == S_IFREG else { throw FileError(path, "cannot be written (not a regular file)") }
    } else if path.hasSuffix("/") {
        throw FileError(path, "cannot be written (is the name of a directory)")
    }
    let temporary = "\(path).\(UInt32.random(in: .min ... .max)).part"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileError.system(path, "written") }
    return (temporary, descriptor)
}

// A file that grows while a program runs.
import Foundation

/// A file open for appending. Every append is handed to the system at once, so that readers see it and an end of the
/// program loses nothing.
final class AppendingFile {
    private let path: String
    private let handle: FileHandle

    /// Throws `FileError` if the file cannot be made or opened.
    init(_ path: String, truncates: Bool) throws {
        self.path = path
        if truncates || !FileManager.default.fileExists(atPath: path) {
            guard FileManager.default.createFile(atPath: path, contents: nil) else {
                throw FileError(path, "cannot be written")
            }
        }
        guard let handle = FileHandle(forWritingAtPath: path) else { throw FileError(path, "cannot be written") }
        self.handle = handle
        do { try handle.seekToEnd() } catch { throw FileError(path, "cannot be appended to") }
    }

    deinit { try? handle.close() }

    func append(_ bytes: [UInt8]) throws {
        do { try handle.write(contentsOf: Data(bytes)) } catch {
            throw FileError(path, "cannot be written (disk full?)")
        }
    }
}

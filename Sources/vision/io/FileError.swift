// What is wrong with a file.

/// A file that is not what it should be: its path, what is wrong, and where.
public struct FileError: Error, CustomStringConvertible, Sendable {
    public let path: String
    public let message: String

    public init(_ path: String, _ message: String) { (self.path, self.message) = (path, message) }
    public var description: String { "\(path): \(message)" }
}

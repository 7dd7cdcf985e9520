// Files for the tests.
import Foundation

/// A new file with the given bytes; its path.
func temporaryFile(_ bytes: [UInt8]) throws -> String {
    let path = NSTemporaryDirectory() + "/notebook-test-\(UUID().uuidString).swift"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
}

func temporaryFile(_ text: String) throws -> String { try temporaryFile(Array(text.utf8)) }

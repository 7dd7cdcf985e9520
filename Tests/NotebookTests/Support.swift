// Files for the tests, and the tool as a program.
import Foundation
import Testing

/// A new file with the given bytes; its path.
func temporaryFile(_ bytes: [UInt8]) throws -> String {
    let path = NSTemporaryDirectory() + "/notebook-test-\(UUID().uuidString).swift"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
}

func temporaryFile(_ text: String) throws -> String { try temporaryFile(Array(text.utf8)) }

/// Runs the tool that was built beside the tests.
func notebook(_ arguments: String...) throws -> (output: String, errors: String, status: Int32) {
    let process = Process()
    let folders = [
        Bundle.main.bundleURL, URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent(),
    ]
    let program: URL = try #require(
        folders.map { $0.appendingPathComponent("notebook") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) })
    process.executableURL = program
    process.arguments = arguments
    let (output, errors) = (Pipe(), Pipe())
    (process.standardOutput, process.standardError) = (output, errors)
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let errorText = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (
        String(decoding: text, as: UTF8.self), String(decoding: errorText, as: UTF8.self), process.terminationStatus
    )
}

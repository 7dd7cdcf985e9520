// Files for the tests, and the tool as a program.
import Foundation
import TestSupport
import Testing

extension TemporaryFolder {
    /// Writes a script; its path. What a test makes of the script goes beside it, and with the folder.
    func script(_ bytes: [UInt8]) throws -> String {
        try write(bytes, to: path("script.swift"))
        return path("script.swift")
    }

    func script(_ text: String) throws -> String { try script(Array(text.utf8)) }
}

/// Starts the tool that was built beside the tests; both its streams are pipes.
func startNotebook(_ arguments: [String], environment: [String: String] = [:]) throws -> Process {
    let process = Process()
    let folders = [
        Bundle.main.bundleURL, URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent(),
    ]
    let program: URL = try #require(
        folders.map { $0.appendingPathComponent("notebook") }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) })
    process.executableURL = program
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardOutput = Pipe()
    process.standardError = Pipe()
    try process.run()
    return process
}

/// Runs the tool to its end.
func notebook(_ arguments: String...) throws -> (output: String, errors: String, status: Int32) {
    let process = try startNotebook(arguments)
    func text(_ pipe: Any?) -> String {
        String(decoding: (pipe as! Pipe).fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    }
    let (output, errors) = (text(process.standardOutput), text(process.standardError))
    process.waitUntilExit()
    return (output, errors, process.terminationStatus)
}

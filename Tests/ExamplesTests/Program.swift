// The built programs, run as a user runs them.
import Foundation
import Testing

/// An example's program beside the tests.
struct Program {
    let name: String
    init(_ name: String) { self.name = name }

    /// What a program has printed, line by line, and its exit status.
    struct Result {
        let status: Int32
        let output, errors: [String]
    }

    /// Starts the program; both its streams are pipes.
    func start(_ words: [String]) throws -> Process {
        let process = Process()
        let folders = [
            Bundle.main.bundleURL, URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent(),
        ]
        let program: URL = try #require(
            folders.map { $0.appendingPathComponent(name) }
                .first { FileManager.default.isExecutableFile(atPath: $0.path) })
        process.executableURL = program
        process.arguments = words
        process.standardOutput = Pipe()
        process.standardError = Pipe()
        try process.run()
        return process
    }

    /// Runs the program to its end.
    func run(_ words: [String]) throws -> Result {
        let process = try start(words)
        // Both are shorter than a pipe holds.
        func lines(_ pipe: Any?) -> [String] {
            let data = (pipe as! Pipe).fileHandleForReading.readDataToEndOfFile()
            return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
        }
        let (output, errors) = (lines(process.standardOutput), lines(process.standardError))
        process.waitUntilExit()
        return Result(status: process.terminationStatus, output: output, errors: errors)
    }
}

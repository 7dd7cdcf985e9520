// This program run once more, so that a trap, a signal or a limit hits a process of its own.
import Foundation
import Tapestry

enum Child {
    struct Result {
        let hasSucceeded: Bool
        /// The exit status, or minus the signal.
        let status: Int32
        let output, errors: String
    }

    /// Runs this program with arguments, waits for its end.
    static func run(_ arguments: [String], input: Data? = nil, environment: [String: String] = [:]) throws -> Result {
        guard let program = Bundle.main.executableURL else { throw FileError(CommandLine.arguments[0], "is not found") }
        return try run(program, arguments, input: input, environment: environment)
    }

    /// Runs a program with arguments, waits for its end.
    static func run(
        _ program: URL, _ arguments: [String], input: Data? = nil, environment: [String: String] = [:]
    ) throws -> Result {
        let (child, output, errors, inputPipe) = (Process(), Pipe(), Pipe(), Pipe())
        child.executableURL = program
        child.arguments = arguments
        child.standardOutput = output
        child.standardError = errors
        child.standardInput = inputPipe
        var variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        variables["SWIFT_BACKTRACE"] = "enable=no"  // a trap is an answer here, not something to be analysed
        child.environment = variables
        try child.run()
        if let input { inputPipe.fileHandleForWriting.write(input) }
        try inputPipe.fileHandleForWriting.close()
        // Standard error holds lines, less than a pipe takes: it may be read second.
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let message = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        child.waitUntilExit()
        let isSignal = child.terminationReason == .uncaughtSignal
        let status = isSignal ? -child.terminationStatus : child.terminationStatus
        return Result(hasSucceeded: status == 0, status: status, output: text, errors: message)
    }
}

// The main program as its users call it: good and bad command lines.
import ExampleSupport
import Foundation
import Testing

@Suite(.serialized) struct MnistCnnTests {
    struct Result {
        var status: Int32
        var output, error: String
    }

    /// Runs the built program.
    private func mnist(_ arguments: [String]) throws -> Result {
        let process = Process()
        let folders = [Bundle.main.bundleURL, URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()]
        let programs = folders.map { $0.appendingPathComponent("mnist-cnn") }
        let program = try #require(programs.first { FileManager.default.isExecutableFile(atPath: $0.path) })
        process.executableURL = program
        process.arguments = arguments
        let (output, error) = (Pipe(), Pipe())
        (process.standardOutput, process.standardError) = (output, error)
        try process.run()
        let errorData = error.fileHandleForReading.readDataToEndOfFile()
        let outputData = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, output: String(decoding: outputData, as: UTF8.self),
            error: String(decoding: errorData, as: UTF8.self))
    }

    @Test(arguments: [
        (["--epochs", "0"], "--epochs is '0'"), (["--batch-size", "-3"], "--batch-size is '-3'"),
        (["--lr", "nan"], "--lr is 'nan'"), (["--epoch", "3"], "did you mean --epochs?"), (["--seed"], "--seed needs a value"),
        (["--json", "--json"], "twice"), (["digits"], "unknown flag digits"),
    ])
    func commandLinesThatMakeNoSenseExit2WithOneLine(_ arguments: [String], _ part: String) throws {
        let result = try mnist(arguments)
        #expect(result.status == 2 && result.error.contains(part) && result.output.isEmpty, "\(result)")
        #expect(result.error.split(separator: "\n").count == 1)
    }

    @Test(arguments: [
        (["--data", "/nowhere"], "no such folder"), (["--save", "/nowhere/x"], "cannot be written"),
        (["--load", "/nowhere/x"], "cannot be read"),
    ])
    func whatIsMissingExits1WithOneLine(_ arguments: [String], _ part: String) throws {
        let result = try mnist(arguments)
        let lines = result.error.split(separator: "\n").filter { !$0.hasPrefix("MNIST:") }
        #expect(result.status == 1 && lines.count == 1 && result.error.contains(part), "\(result)")
    }

    @Test func trainingLearnsAndWeightsComeBack() throws {
        let file = NSTemporaryDirectory() + "tapestry-\(UUID().uuidString).safetensors"
        defer { try? FileManager.default.removeItem(atPath: file) }
        let first = try mnist(["--epochs", "1", "--limit", "1000", "--json", "--save", file])
        #expect(first.status == 0, "\(first)")
        let json = try JSONSerialization.jsonObject(with: Data(first.output.utf8)) as? [String: Any]
        #expect((json?["accuracy"] as? Double ?? 0) > 0.5 && json?["epoch"] as? Int == 1)
        let second = try mnist(["--epochs", "1", "--limit", "50", "--json", "--load", file])
        let later = try JSONSerialization.jsonObject(with: Data(second.output.utf8)) as? [String: Any]
        #expect((later?["accuracy"] as? Double ?? 0) > 0.4, "\(second)")
    }

    @Test func theHelpShowsExamples() throws {
        let result = try mnist(["--help"])
        #expect(result.status == 0 && result.output.contains("Examples:") && result.output.contains("--threads"))
    }

    @Test func confusionTablesLineUp() {
        let lines = confusionTable([[3, 0], [12, 5]]).split(separator: "\n")
        #expect(lines.count == 3 && Set(lines.map(\.count)).count == 1, "\(lines)")
    }
}

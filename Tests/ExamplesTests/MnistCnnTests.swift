// The main program as its users call it: good and bad command lines, weights, Ctrl-C.
import Foundation
import TestSupport
import Testing

/// The built program, run as a user runs it.
@Suite(.serialized) struct MnistCnnTests {
    private let temporary = TemporaryFolder()
    private var folder: String { temporary.root }

    @Test(arguments: [
        (["--epochs", "0"], "--epochs is '0'"), (["--batch-size", "-3"], "--batch-size is '-3'"),
        (["--lr", "nan"], "--lr is 'nan'"), (["--epcohs", "1"], "did you mean --epochs?"),
        (["--threads", "0"], "--threads is '0'"), (["--limit", "none"], "--limit is 'none'"),
        (["--seed", "-1"], "--seed is '-1'"), (["--save"], "--save needs a value"),
        (["--json", "--json"], "--json is given twice"), (["digits"], "unknown flag digits"),
    ])
    func badUsageIsOneLineAndStatus2(_ words: [String], _ message: String) throws {
        let result = try run(words)
        #expect(result.status == 2)
        #expect(result.errors.count == 1 && result.errors[0].contains(message), "\(result.errors)")
        #expect(result.output.isEmpty)
    }

    @Test func badFilesAreOneLineAndStatus1() throws {
        let text = "\(folder)/text"
        try Data("no tensors in here".utf8).write(to: URL(fileURLWithPath: text))
        for (words, message) in [
            (["--data", "\(folder)/absent"], "there is no such folder"), (["--data", text], "is a file"),
            (["--data", folder], "has neither train-images-idx3-ubyte"),
            (["--load", "\(folder)/absent"], "cannot be read (no such file or directory)"),
            (["--load", text], "the header length at byte 0"),
            (["--save", "\(folder)/absent/weights"], "cannot be written (no such file or directory)"),
            (["--save", folder], "cannot be written (is a directory)"),
            (["--save", "/dev/null"], "not a regular file"),
        ] {
            let result = try run(words)
            #expect(result.status == 1)
            let errors = result.errors.filter { !$0.hasPrefix("MNIST:") }
            #expect(errors.count == 1 && errors[0].contains(message), "\(result.errors)")
            #expect(result.output.isEmpty)
        }
    }

    @Test func helpShowsEveryFlagAndExamples() throws {
        let result = try run(["--help"])
        #expect(result.status == 0 && result.errors.isEmpty)
        for flag in [
            "--data", "--download", "--epochs", "--batch-size", "--lr", "--seed", "--threads", "--limit", "--save",
            "--load", "--json", "Examples:",
        ] { #expect(result.output.contains { $0.contains(flag) }) }
    }

    /// Trains a little, saves, and goes on from there; JSON alone on standard output.
    @Test func savedWeightsAreTakenUpAgain() throws {
        let weights = "\(folder)/weights.safetensors"
        let short = ["--json", "--epochs", "1", "--limit", "500"]
        let first = try object(try run(short + ["--save", weights]))
        #expect(Set(first.keys) == ["epoch", "loss", "accuracy", "seconds", "imagesPerSecond"])
        #expect(FileManager.default.fileExists(atPath: weights))
        let second = try object(try run(short + ["--load", weights, "--seed", "1"]))
        #expect(try #require(second["accuracy"]) > #require(first["accuracy"]))
    }

    @Test func weightsOfAnotherModelAreNamedWithBothShapes() throws {
        let weights = "\(folder)/other.safetensors"
        let header = #"{"conv1.weight":{"dtype":"F32","shape":[1,1,1,1],"data_offsets":[0,4]}}"#
        try Data(withUnsafeBytes(of: UInt64(header.utf8.count), Array.init) + Array(header.utf8) + [0, 0, 0, 0])
            .write(to: URL(fileURLWithPath: weights))
        let result = try run(["--load", weights])
        let message = try #require(result.errors.last)
        #expect(result.status == 1)
        #expect(message.contains("conv1.weight has shape [1, 1, 1, 1], the model's has [16, 1, 5, 5]"), "\(message)")
        #expect(message.contains("missing keys: conv1.bias"))
    }

    @Test(arguments: [SIGINT, SIGTERM]) func signalsEndAfterTheStepAndSave(_ number: Int32) throws {
        let weights = "\(folder)/weights.safetensors"
        let process = try start(["--epochs", "1000", "--save", weights])
        // The first line of progress says that training is on its way.
        let errors = process.standardError as! Pipe
        var text = ""
        while !text.contains("step ["), case let data = errors.fileHandleForReading.availableData, !data.isEmpty {
            text += String(decoding: data, as: UTF8.self)
        }
        kill(process.processIdentifier, number)
        process.waitUntilExit()
        #expect(process.terminationStatus == 128 + number && process.terminationReason == .exit)
        let header = try #require(FileManager.default.contents(atPath: weights)).dropFirst(8)
        #expect(header.starts(with: Array("{\"conv1.weight\"".utf8)))
    }

    private let program = Program("mnist-cnn")
    private func start(_ words: [String]) throws -> Process { try program.start(words) }
    private func run(_ words: [String]) throws -> Program.Result { try program.run(words) }

    private func object(_ result: Program.Result) throws -> [String: Double] {
        #expect(result.status == 0 && result.output.count == 1, "\(result)")
        let line = try #require(result.output.first)
        return try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Double])
    }
}

// All example programs: help, bad command lines and files, and a run of moments with what it saves.
import Foundation
import Tapestry
import TestSupport
import Testing

private let names = [
    "cifar10-lenet5", "resnet34", "image-classifier", "char-rnn", "gan-mnist", "gradcheck-your-op",
    "compare-with-torch",
]

private let badUsage: [(program: String, words: [String], message: String)] = [
    ("cifar10-lenet5", ["--epochs", "-1"], "--epochs is '-1'"),
    ("cifar10-lenet5", ["--agument"], "did you mean --augment?"),
    ("resnet34", ["--preset", "huge"], "--preset is 'huge'; expected one of tiny, full"),
    ("image-classifier", [], "--weights FILE is missing"),
    ("image-classifier", ["--quick", "--weights", "x"], "--quick goes without weights"),
    ("image-classifier", ["--arch", "resnet19"], "--arch is 'resnet19'; expected one of resnet18"),
    ("char-rnn", ["--temperature", "0"], "--temperature is '0'"),
    ("gan-mnist", ["--batch-size", "none"], "--batch-size is 'none'"),
    ("gradcheck-your-op", ["--wrong=yes"], "--wrong takes no value"),
    ("gradcheck-your-op", ["--batch-size", "9223372036854775807"], "a whole number from 1 to 1000000"),
    ("compare-with-torch", [], "expected one of --load FILE, --save FILE and --quick"),
    ("compare-with-torch", ["--quick", "--model", "vgg"], "--model is 'vgg'; expected one of alexnet"),
]

private let badFiles: [(program: String, words: [String], message: String)] = [
    ("cifar10-lenet5", ["--data", "FOLDER/absent"], "absent: there is no such folder"),
    ("cifar10-lenet5", ["--load", "FOLDER/text"], "the header length at byte 0"),
    ("resnet34", ["--save", "FOLDER/absent/file"], "cannot be written"),
    ("image-classifier", ["--weights", "FOLDER/absent.pth"], "absent.pth: cannot be read"),
    ("image-classifier", ["--quick", "--labels", "FOLDER/absent"], "cannot be read as text"),
    ("image-classifier", ["--quick", "--image", "FOLDER/text"], "neither a PNG nor a PNM file"),
    ("char-rnn", ["--text", "FOLDER/text"], "too few for 16 rows side by side"),
    ("char-rnn", ["--text", "FOLDER/absent"], "absent: cannot be read"),
    ("char-rnn", ["--prompt", "日本"], "--prompt: has the character '日', which the model has never seen"),
    ("gan-mnist", ["--data", "FOLDER"], "has neither train-images-idx3-ubyte"),
    ("compare-with-torch", ["--load", "FOLDER/text"], "the header length at byte 0"),
]

@Suite(.serialized) struct ProgramTests {
    private let temporary = TemporaryFolder()
    private var folder: String { temporary.root }

    @Test(arguments: names) func helpShowsTheCommonFlagsAndExamples(_ name: String) throws {
        let result = try Program(name).run(["--help"])
        #expect(result.status == 0 && result.errors.isEmpty)
        for word in ["\(name): ", "--seed", "--save", "--load", "--quick", "--threads", "Examples:"] {
            #expect(result.output.contains { $0.contains(word) }, "\(word)")
        }
    }

    @Test(arguments: badUsage) func badUsageIsOneLineAndStatus2(
        _ name: String, _ words: [String], _ message: String
    ) throws {
        let result = try Program(name).run(words)
        #expect(result.status == 2 && result.output.isEmpty)
        #expect(result.errors.count == 1 && result.errors[0].contains(message), "\(result.errors)")
    }

    @Test(arguments: badFiles) func badFilesAreOneLineAndStatus1(
        _ name: String, _ words: [String], _ message: String
    ) throws {
        try Data("no tensor".utf8).write(to: URL(fileURLWithPath: "\(folder)/text"))
        let result = try Program(name).run(words.map { $0.replacingOccurrences(of: "FOLDER", with: folder) })
        #expect(result.status == 1)
        let errors = result.errors.filter { !$0.hasPrefix("MNIST:") }
        #expect(errors.count == 1 && errors[0].contains(message), "\(result.errors)")
    }

    /// Trains for moments and saves; what was saved is taken up again without training, and says the same.
    @Test(arguments: ["cifar10-lenet5", "gan-mnist", "char-rnn"])
    func savedWeightsGiveTheSameAgain(_ name: String) throws {
        let weights = "\(folder)/weights.safetensors"
        let first = try Program(name).run(["--quick", "--save", weights])
        #expect(first.status == 0 && first.errors.last == "Saved the weights to \(weights)", "\(first.errors)")
        let again = ["--quick", "--load", weights, "--epochs", "0", "--seed", "3"]
        let (one, two) = (try Program(name).run(again), try Program(name).run(again))
        #expect(one.status == 0 && one.output == two.output && !one.output.isEmpty, "\(one.errors)")
        if name == "cifar10-lenet5" {
            #expect(Array(one.output.suffix(14)) == Array(first.output.suffix(14)))
        }
    }

    @Test func resNet34TrainsWithoutLoops() throws {
        let log = "\(folder)/log.csv"
        let result = try Program("resnet34").run(["--quick", "--log", log])
        #expect(result.status == 0 && result.output.contains("21283530 parameters"), "\(result)")
        let lines = try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 2 && lines[0].contains("val_accuracy"))
    }

    /// Weights drawn from a seed, written and read back, see the same in the shipped photographs.
    @Test func classifierNamesItsBestGuesses() throws {
        let weights = "\(folder)/weights.safetensors"
        let first = try Program("image-classifier").run(["--quick", "--save", weights])
        #expect(first.status == 0, "\(first.errors)")
        let second = try Program("image-classifier").run(["--weights", weights])
        func guesses(_ result: Program.Result) -> [String] {
            result.output.filter { $0.contains("class ") && $0.contains("%") }
        }
        #expect(guesses(first).count == 10 && guesses(first) == guesses(second))
    }

    @Test func labelsMustBeAsManyAsClasses() throws {
        let (weights, labels) = ("\(folder)/weights.safetensors", "\(folder)/labels")
        try saveSafetensors([(name: "fc.bias", tensor: Tensor.zeros([3]))], to: weights)
        try Data("cat\ndog\n".utf8).write(to: URL(fileURLWithPath: labels))
        let result = try Program("image-classifier").run(["--weights", weights, "--labels", labels])
        #expect(result.status == 1 && result.errors[0].contains("knows 3 classes, but --labels names 2"))
    }

    @Test func aWrongGradientIsFound() throws {
        let right = try Program("gradcheck-your-op").run(["--quick"])
        #expect(right.status == 0 && right.output.count { $0.hasSuffix(": right") } == 4, "\(right)")
        let wrong = try Program("gradcheck-your-op").run(["--wrong"])
        #expect(wrong.status == 1 && wrong.output.last?.hasSuffix(": wrong") == true)
        #expect(wrong.errors.count == 1 && wrong.errors[0].contains("the tape says"))
    }

    /// A dump of this program agrees with itself; with another seed's weights put in, the first layer is named.
    @Test func theFirstDriftIsNamed() throws {
        let (one, two) = ("\(folder)/one.safetensors", "\(folder)/two.safetensors")
        #expect(try Program("compare-with-torch").run(["--save", one]).status == 0)
        #expect(try Program("compare-with-torch").run(["--save", two, "--seed", "1"]).status == 0)
        let same = try Program("compare-with-torch").run(["--load", one])
        #expect(same.status == 0 && same.output.last == "No drift", "\(same)")

        var mixed = try loadSafetensors(from: one)
        mixed["state classifier.2.weight"] = try loadSafetensors(from: two)["state classifier.2.weight"]
        let metadata = try SafetensorsFile(one).metadata
        try saveSafetensors(mixed, to: two, metadata: metadata)
        let drift = try Program("compare-with-torch").run(["--load", two])
        #expect(drift.status == 1 && drift.output.last == "The first drift: output classifier.2", "\(drift)")
        #expect(drift.output.contains { $0.contains("first element beyond the tolerance: [0, 0]") })
    }

    @Test func aDriftIsDemonstratedWithoutADump() throws {
        let result = try Program("compare-with-torch").run(["--quick"])
        #expect(result.status == 0 && result.output.contains("No drift"), "\(result)")
        #expect(result.output.last == "The first drift: output classifier.0")
    }
}

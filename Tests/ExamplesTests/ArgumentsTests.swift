// Command lines of the examples: flags, suggestions, help.
import Tapestry
import Testing

@testable import ExampleSupport

@Suite struct ArgumentsTests {
    private let flags: [Arguments.Flag] = [
        .init("--epochs", "N", "passes"), .init("--lr", "X", "learning rate"), .init("--name", "TEXT", "a name"),
        .init("--json", nil, "print JSON"),
    ]

    @Test func flagsAreReadInAnyOrderAndBothForms() throws {
        let arguments = try Arguments(["--lr=1e-3", "--json", "--epochs", "4", "--name", "--x"], flags: flags)
        #expect(try arguments.int("--epochs", 1...Int.max) == 4)
        #expect(try arguments.positive("--lr") == 0.001)
        #expect(arguments.has("--json"))
        #expect(arguments.string("--name") == "--x")
        let empty = try Arguments([], flags: flags)
        #expect(try empty.int("--epochs", 1...Int.max) == nil)
        #expect(!empty.has("--json") && empty.string("--name") == nil)
    }

    @Test(arguments: [
        (["--epoch", "3"], "unknown flag --epoch; did you mean --epochs?"),
        (["--jsno"], "did you mean --json?"), (["epochs", "3"], "did you mean --epochs?"),
        (["--bson"], "unknown flag --bson; did you mean --json?"),
        (["--other"], "unknown flag --other (--help lists all)"),
        (["--something-else"], "unknown flag --something-else (--help lists all)"),
        (["--epochs"], "--epochs needs a value"), (["--epochs", ""], "--epochs is empty"),
        (["--json=1"], "--json takes no value"), (["--json", "--json"], "--json is given twice"),
    ])
    func badFlagsAreNamed(_ words: [String], _ message: String) {
        let error = #expect(throws: Arguments.UsageError.self) { try Arguments(words, flags: flags) }
        #expect(error?.description.contains(message) == true, "\(error as Any)")
    }

    @Test(arguments: ["0", "-3", "4.5", "x", "9999999999999999999"]) func badNumbersAreNamed(_ text: String) throws {
        let arguments = try Arguments(["--epochs", text], flags: flags)
        let error = #expect(throws: Arguments.UsageError.self) { try arguments.int("--epochs", 1...Int.max) }
        #expect(error?.description == "--epochs is '\(text)'; expected a whole number of at least 1")
    }

    @Test(arguments: ["nan", "inf", "0", "-1", "x"]) func badRatesAreNamed(_ text: String) throws {
        let arguments = try Arguments(["--lr", text], flags: flags)
        #expect(throws: Arguments.UsageError.self) { try arguments.positive("--lr") }
    }

    @Test(arguments: [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("--lr", "--lr", 0)])
    func distanceCountsEdits(_ a: String, _ b: String, _ expected: Int) {
        #expect(distance(a, b) == expected)
        #expect(distance(b, a) == expected)
    }

    @Test func tablesAndPicturesAreAligned() {
        let table = confusionTable([[3, 1], [0, 0]]).split(separator: "\n")
        #expect(table.count == 3 && Set(table.map(\.count)).count == 1)
        #expect(table[1].hasSuffix("75.0 %") && table[2].hasSuffix("–"))
        let drawn = picture(Tensor([0, 1, 0, 1, 1, 0], shape: [1, 1, 3, 2]), captions: ["7"], color: false)
        #expect(drawn == " █ \n▒  \n7 ")
    }
}

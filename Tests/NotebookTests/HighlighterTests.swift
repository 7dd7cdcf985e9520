// Swift in colours.
import Testing

@testable import notebook

private typealias Part = Highlighter.Part

private let pieces = [
    "let a = \"x \\(b + \"\\(c)\") y\" // \"no\"", "/* a /* b */ c */ d", "\"\"\"\n  \" \\(a) \"\"\n  \"\"\"",
    "#\"\\(no) \\#(yes)\"#",
    "\"never closed\nlet b = 1", "/* never closed", "`class`.default + 0x1F_p-3 + 1.5e-3...2",
    "@MainActor #if os(Linux)\n\\", "",
    // Found by fuzzing: code that ends inside an interpolation, or behind a backslash.
    "\"a \\(0 + (2", "\"a \\(\"b \\(c\nd", "\"a \\", "\"\"\" \\(1e5 }\n", String(repeating: "\"\\(", count: 20_000),
    "日本 = \"🙂\"\r\nlet c",
]

@Suite struct HighlighterTests {
    @Test(arguments: pieces) func nothingIsLost(_ code: String) {
        #expect(Highlighter.parts(code).map(\.text).joined() == code)
    }

    @Test func wordsHaveTheirKinds() {
        #expect(
            Highlighter.parts("final class A: B { func f(_ x: Int) { g(x.self) } }").filter { $0.kind != .plain } == [
                Part(.keyword, "final"), Part(.keyword, "class"), Part(.type, "A"), Part(.type, "B"),
                Part(.keyword, "func"), Part(.call, "f"), Part(.type, "Int"), Part(.call, "g"), Part(.keyword, "self"),
            ])
    }

    @Test func modulesAreTypesHoweverSpelled() {
        #expect(
            Highlighter.parts("import nn\nlet a = nn") == [
                Part(.keyword, "import"), Part(.plain, " "), Part(.type, "nn"), Part(.plain, "\n"),
                Part(.keyword, "let"),
                Part(.plain, " a = nn"),
            ])
    }

    @Test func interpolationsAreCode() {
        #expect(
            Highlighter.parts("\"a \\(f(1)) b\"") == [
                Part(.string, "\"a \\("), Part(.call, "f"), Part(.plain, "("), Part(.number, "1"), Part(.plain, ")"),
                Part(.string, ") b\""),
            ])
    }

    @Test func rawStringsKeepTheirBackslashes() {
        #expect(Highlighter.parts("#\"\\(a)\"# b") == [Part(.string, "#\"\\(a)\"#"), Part(.plain, " b")])
    }

    @Test func commentsNest() {
        #expect(Highlighter.parts("/* a /* b */ c */d") == [Part(.comment, "/* a /* b */ c */"), Part(.plain, "d")])
    }

    @Test(arguments: ["0x1F_FF", "1.5e-3", "1_000", "0x1p-3", "7"]) func numbersAreOnePiece(_ number: String) {
        #expect(Highlighter.parts(number) == [Part(.number, number)])
    }

    @Test func attributesAndDirectives() {
        #expect(
            Highlighter.parts("@escaping #if").filter { $0.kind == .attribute }.map(\.text) == ["@escaping", "#if"])
    }
}

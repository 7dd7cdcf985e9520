// Output cut by cell, and what is said about failures.
import Foundation
import TestSupport
import Testing

@testable import notebook

@Suite struct OutputTests {
    private let folder = TemporaryFolder()
    private let stream = Array("a\n\u{1e}T 1\nb\u{1e}T 2\n\u{1e}T 3\nc \u{1e}x \u{1e}T y \u{1e}".utf8)

    @Test(arguments: [1, 2, 3, 5, 100]) func marksAreFoundHoweverTheStreamIsCut(_ size: Int) {
        var cutter = OutputCutter(token: "T")
        var (cell, texts) = (0, [[UInt8]](repeating: [], count: 4))
        var pieces: [OutputCutter.Piece] = []
        for start in stride(from: 0, to: stream.count, by: size) {
            pieces += cutter.add(Array(stream[start..<min(stream.count, start + size)]))
        }
        for piece in pieces + cutter.end() {
            switch piece {
            case .text(let bytes): texts[cell] += bytes
            case .mark(let next): cell = next
            }
        }
        #expect(texts.map { String(decoding: $0, as: UTF8.self) } == ["a\n", "b", "", "c \u{1e}x \u{1e}T y \u{1e}"])
    }

    @Test func anotherTokenIsText() {
        var cutter = OutputCutter(token: "T")
        #expect(cutter.add(Array("\u{1e}U 1\n".utf8)) == [.text(Array("\u{1e}U 1\n".utf8))])
    }

    @Test func figuresStandWhereTheyWereShown() {
        let parts = OutputPart.parts("\na\n[figure: figure-1.svg]\n[figure: none.svg]\n\n") { $0 == "figure-1.svg" }
        #expect(parts == [.text("a"), .figure("figure-1.svg"), .text("[figure: none.svg]")])
    }

    @Test(arguments: [
        ("10 %\r20 %\r100 %\nend", "100 %\nend"), ("\u{1b}[31mred\u{1b}[0m", "red"), ("a\r\nb", "a\nb"),
        ("\u{7}a\u{0}b", "ab"), ("\u{1b}[", ""), ("é \t x", "é \t x"),
    ])
    func textIsShownAsATerminalWould(_ written: String, _ seen: String) { #expect(asSeen(Array(written.utf8)) == seen) }

    @Test func errorsOfTheCompilerAreFoundByLine() {
        let report = """
            a.swift:3:5: error: cannot find 'c' in scope
            print(c)
                  ^
            a.swift:1:1: note: did you mean 'b'?
            b.swift:9:1: error: other
            a.swift:7:2: error: expected '}'
            """
        let diagnostics = Diagnostic.parse(report, path: "a.swift")
        #expect(diagnostics.map(\.line) == [3, 7])
        #expect(diagnostics[0].text.hasPrefix("a.swift:3:5: error: cannot find 'c' in scope\nprint(c)\n      ^\n"))
    }

    @Test func ofACrashTheReasonAndTheScriptsLinesAreKept() throws {
        let script = try Script(path: try folder.script("print(1)"))
        let name = (script.path as NSString).lastPathComponent
        var output = """
            before
            Swift/Array.swift:692: Fatal error: Index out of range

            *** Signal 4: Backtracing from 0x7f86 ... done ***

            Thread 0 "program" crashed:

            0      0x00007f863c16df7f _assertionFailure(_:) + 623 in libswiftCore.so
            1 [ra] 0x000055d575dd80cd g(_:) + 92 in program at /some/where/\(name):20:50
            2 [ra] 0x000055d575dd863c main + 1339 in program at /some/where/\(name):24:7
            """
        let failure = Failure(.signal(4), &output, script)
        #expect(
            failure.text
                == "Fatal error: Index out of range\n  at \(name):20:50 in g(_:)\n  at \(name):24:7 in the script")
        #expect(output == "before")
    }

    @Test func theLibrarysOwnWordsAreTheReason() throws {
        let script = try Script(path: try folder.script("print(1)"))
        var output = "before\ntapestry: matmul: inner dimensions differ at a.swift:5\n"
        #expect(Failure(.signal(6), &output, script).text == "tapestry: matmul: inner dimensions differ at a.swift:5")
        var nothing = "text"
        #expect(Failure(.exit(3), &nothing, script).text == "The script ended with status 3.")
        #expect(Failure(.exit(0), &nothing, script).text == nil)
        #expect(nothing == "text")
    }
}

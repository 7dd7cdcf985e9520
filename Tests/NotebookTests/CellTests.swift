// What the percent format means.
import Tapestry
import TestSupport
import Testing

@testable import notebook

@Suite struct CellTests {
    private let folder = TemporaryFolder()

    private func cells(_ script: String) throws -> [Cell] { try Cell.parse(script, path: "a.swift") }

    @Test func markersBeginCodeAndText() throws {
        let script = """
            // What this is.
            // %% [markdown]
            // # Title
            //
            // Text, `code`
            //   * indented
            // %% Load the data
            let a = 1

            // a comment
            let b = 2

            // %%

            print(a + b)
            """
        let cells = try cells(script)
        #expect(cells.map(\.kind) == [.text, .code, .code])
        #expect(cells.map(\.title) == ["", "Load the data", ""])
        #expect(cells.map(\.firstLine) == [3, 8, 15])
        #expect(cells[0].lines == ["# Title", "", "Text, `code`", "  * indented"])
        #expect(cells[1].source == "let a = 1\n\n// a comment\nlet b = 2")
    }

    @Test func aScriptWithoutMarkersIsOneCell() throws {
        let cells = try cells("// a\nprint(1)\n")
        #expect(cells.count == 1)
        #expect(cells[0].firstLine == 1)
        #expect(cells[0].lines == ["// a", "print(1)"])
    }

    @Test func statementsBeforeTheFirstMarkerAreACell() throws {
        #expect(try cells("import nn\n// %%\nprint(1)").map(\.lines) == [["import nn"], ["print(1)"]])
    }

    @Test(arguments: ["// %%% not a marker", " // %%", "// %%x", "//  %%", "let a = 1 // %%"])
    func otherLinesAreNoMarkers(_ line: String) throws { #expect(try cells("a()\n\(line)\nb()").count == 1) }

    @Test(arguments: ["//%%", "// %%", "// %% ", "//%% x"])
    func markersMayBeWrittenTightly(_ line: String) throws { #expect(try cells("a()\n\(line)\nb()").count == 2) }

    @Test func linesMayEndAsOnWindows() throws {
        let cells = try cells("// %% [md]\r\n// # A\r\n// %%\r\na()\r\n")
        #expect(cells.map(\.lines) == [["# A"], ["a()"]])
    }

    @Test func codeInATextCellIsRefusedByLine() {
        #expect { try cells("// %% [markdown]\n// a\nlet b = 1") } throws: {
            ($0 as? FileError)?.description.hasPrefix("a.swift: line 3 is code in a text cell") == true
        }
    }

    @Test func theProgramKeepsLinesAndMarksCells() throws {
        let path = try folder.script("// %% [markdown]\n// # A *title*\n// %%\n\nlet a = 1\n// %% b\nprint(a)\n")
        let script = try Script(path: path)
        #expect(script.title == "A title")
        #expect(
            script.program.contains("beginNotebookCell(1);\n#sourceLocation(file: \"\(path)\", line: 5)\nlet a = 1\n"))
        #expect(
            script.program.contains("beginNotebookCell(2);\n#sourceLocation(file: \"\(path)\", line: 7)\nprint(a)\n"))
        #expect(script.program.hasSuffix("beginNotebookCell(3);\n"))
    }

    @Test(arguments: [
        ([UInt8]("let a = \"\u{0}\"".utf8), "is not text: byte 9 is zero"), ([0x61, 0xff, 0x62], "is not UTF-8 text"),
        ([UInt8]("// %% [markdown]\n// only words\n".utf8), "holds no code"), ([], "holds no code"),
    ])
    func filesThatAreNoScriptsAreRefused(_ bytes: [UInt8], _ message: String) throws {
        let path = try folder.script(bytes)
        #expect { try Script(path: path) } throws: { "\($0)" == "\(path): \(message)" }
    }
}

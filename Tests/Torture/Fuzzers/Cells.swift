// Scripts, what programs print, and command lines of the tool `notebook`.
import ExampleSupport
import Foundation

@testable import notebook

extension Parser {
    /// A script's cells, its text as a page, its code in colours; the same bytes as what a program prints.
    static let cells = Parser(name: "cells") { bytes, folder in
        expectFileError {
            let script = try Script(path: try file(bytes, folder))
            let lines = try String(contentsOfFile: script.path, encoding: .utf8).split(
                omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            _ = script.program + script.title
            for cell in script.cells {
                if cell.kind == .text {
                    _ = Markdown.html(cell.source)
                } else {
                    guard cell.lines == lines[cell.range.shifted].map(String.init) else {
                        fatalError("the cell at line \(cell.firstLine) holds other lines than the script")
                    }
                    let parts = Highlighter.parts(cell.source)
                    guard parts.map(\.text).joined() == cell.source else { fatalError("colours change the code") }
                }
            }
        }
        // Cut in the middle as in one piece.
        func pieces(_ parts: [ArraySlice<UInt8>]) -> (text: [UInt8], marks: [Int]) {
            var cutter = OutputCutter(token: "7")
            var (text, marks): ([UInt8], [Int]) = ([], [])
            for piece in parts.flatMap({ cutter.add(Array($0)) }) + cutter.end() {
                switch piece {
                case .text(let bytes): text += bytes
                case .mark(let cell): marks.append(cell)
                }
            }
            return (text, marks)
        }
        let (whole, halves) = (
            pieces([bytes[...]]), pieces([bytes[..<(bytes.count / 2)], bytes[(bytes.count / 2)...]])
        )
        guard whole == halves else { fatalError("output is cut in another way when it comes in two parts") }
        _ = OutputPart.parts(asSeen(whole.text)) { $0.hasSuffix("g") }
    }
}

/// The command line of the tool.
func notebookWords(_ words: [String]) throws {
    do { _ = try Settings(words) } catch is Arguments.UsageError {}
}

extension Range<Int> {
    /// Counted from 0 instead of 1.
    fileprivate var shifted: Range<Int> { lowerBound - 1..<upperBound - 1 }
}

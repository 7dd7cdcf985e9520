// Scripts in the percent format: what the cells are.
import Foundation
import Tapestry

/// A part of a script that begins with a line `// %%`.
struct Cell: Equatable {
    enum Kind { case code, text }
    var kind: Kind
    /// What stands behind `// %%`.
    var title: String
    /// The line of the file that holds the first of `lines`, from 1.
    var firstLine: Int
    /// Code as it stands; text without its `//`.
    var lines: [String]

    var source: String { lines.joined(separator: "\n") }

    /// The line of a file as the beginning of a cell; nil if it is none. `// %% [markdown]` begins text.
    private init?(marker line: String, at number: Int) {
        guard line.hasPrefix("// %%") || line.hasPrefix("//%%") else { return nil }
        var title = line.drop { $0 == "/" || $0 == " " }.dropFirst(2)
        // `%%%` and more is no marker: people draw lines with it.
        guard title.isEmpty || title.first == " " || title.first == "[" || title.first == "\t" else { return nil }
        kind = .code
        for word in ["[markdown]", "[md]"] {
            guard let range = title.range(of: word) else { continue }
            kind = .text
            title.removeSubrange(range)
            break
        }
        self.title = title.trimmingCharacters(in: .whitespaces)
        (firstLine, lines) = (number + 1, [])
    }

    private init() { (kind, title, firstLine, lines) = (.code, "", 1, []) }

    /// The cells of a script, in order. Without a marker all of it is one cell; comments before the first marker are
    /// none.
    ///
    /// - Throws: `FileError` with the line if a text cell holds a line that is no comment.
    static func parse(_ script: String, path: String) throws -> [Cell] {
        var cells = [Cell()]
        for (index, line) in script.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            if let next = Cell(marker: String(line), at: index + 1) {
                cells.append(next)
            } else if cells[cells.count - 1].kind == .code {
                cells[cells.count - 1].lines.append(String(line))
            } else {
                cells[cells.count - 1].lines.append(try text(line, path: path, number: index + 1))
            }
        }
        if cells.count > 1, !cells[0].hasStatements { cells.removeFirst() }
        return cells.map(\.trimmed).filter { !$0.lines.isEmpty || !$0.title.isEmpty }
    }

    /// A line of a text cell without its `//`.
    private static func text(_ line: Substring, path: String, number: Int) throws -> String {
        if line.allSatisfy(\.isWhitespace) { return "" }
        guard line.hasPrefix("//") else {
            throw FileError(
                path, "line \(number) is code in a text cell: comment it out, or begin a code cell above it with // %%")
        }
        return String(line.dropFirst(line.hasPrefix("// ") ? 3 : 2))
    }

    /// Whether there is more than comments and empty lines.
    private var hasStatements: Bool {
        lines.contains { line in
            let line = line.drop(while: \.isWhitespace)
            return !line.isEmpty && !line.hasPrefix("//") && !line.hasPrefix("#!")
        }
    }

    /// Without empty lines at its ends.
    private var trimmed: Cell {
        var cell = self
        while let last = cell.lines.last, last.allSatisfy(\.isWhitespace) { cell.lines.removeLast() }
        while let first = cell.lines.first, first.allSatisfy(\.isWhitespace) {
            cell.lines.removeFirst()
            cell.firstLine += 1
        }
        return cell
    }

    /// The lines of the file that the cell holds.
    var range: Range<Int> { firstLine..<firstLine + lines.count }
}

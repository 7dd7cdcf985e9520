// A run as Markdown, with the pictures in a folder beside it.
import Foundation
import Tapestry

/// Writes what GitHub and other viewers of Markdown show.
struct MarkdownPage {
    let run: Run

    /// The page. Pictures are named as files of `folder`.
    func text(figures folder: String) -> String {
        let cells = run.script.cells.indices.map { index -> String in
            let (cell, outcome) = (run.script.cells[index], run.outcomes[index])
            guard cell.kind == .code else { return cell.source }
            var parts: [String] = []
            if !cell.title.isEmpty { parts.append("**\(cell.title)**") }
            if !cell.lines.isEmpty { parts.append(MarkdownPage.fenced(cell.source, "swift")) }
            for part in outcome.parts {
                switch part {
                case .text(let text): parts.append(MarkdownPage.fenced(text, "text"))
                case .figure(let name): parts.append("![Figure](\(folder)/\(name))")
                }
            }
            if outcome.isCut { parts.append("*There is more output than a page should hold.*") }
            if let error = outcome.error { parts.append(MarkdownPage.fenced(error, "text")) }
            if outcome.seconds == nil, outcome.error == nil { parts.append("*This cell did not run.*") }
            return parts.joined(separator: "\n\n")
        }
        return cells.joined(separator: "\n\n") + "\n"
    }

    /// Writes `NAME.md` and the folder `NAME_figures` beside it, without the pictures of an earlier run.
    func write(to path: String) throws {
        let folder = (path as NSString).deletingPathExtension + "_figures"
        let files = FileManager.default
        for old in (try? files.contentsOfDirectory(atPath: folder)) ?? [] where old.hasPrefix("figure-") {
            try files.removeItem(atPath: folder + "/" + old)
        }
        if !run.figures.isEmpty {
            do {
                try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            } catch {
                throw FileError(folder, "cannot be made a folder for figures")
            }
        }
        for (name, bytes) in run.figures { try writeFile(bytes, to: folder + "/" + name) }
        // The folder stands beside the page: its own name leads there.
        let name = (folder as NSString).lastPathComponent
        try writeFile(Array(text(figures: name.replacing(" ", with: "%20")).utf8), to: path)
    }

    /// Code between more backquotes than it holds.
    private static func fenced(_ code: String, _ language: String) -> String {
        let longest = code.split { $0 != "`" }.map(\.count).max() ?? 0
        let fence = String(repeating: "`", count: max(3, longest + 1))
        return "\(fence)\(language)\n\(code)\n\(fence)"
    }
}

/// Writes bytes as a file, whole or not at all.
func writeFile(_ bytes: [UInt8], to path: String) throws {
    try writeAtomically(to: path) { append in try bytes.withUnsafeBytes { try append($0) } }
}

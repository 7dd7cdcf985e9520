// A run as one HTML page that needs nothing else.
import Foundation
import Tapestry

/// Writes the page: text rendered, code in colours, under each cell what it has printed and shown.
struct Page {
    let run: Run

    var html: String {
        let cells = run.script.cells.indices.map { run.script.cells[$0].kind == .text ? text($0) : code($0) }
        return """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(escapedMarkup(run.script.title))</title>
            <style>
            \(Page.style)
            </style>
            </head>
            <body>
            <main>
            \((cells + [footer]).joined(separator: "\n"))
            </main>
            </body>
            </html>

            """
    }

    private func text(_ index: Int) -> String {
        let html = Markdown.html(run.script.cells[index].source)
        // The way around stands below the first heading's text.
        let contents = index == run.script.cells.firstIndex { $0.kind == .text } ? contents : ""
        return "<section class=\"text\">\n\(html)\n\(contents)</section>"
    }

    /// Links to the headings of the second level, where there are enough to get lost.
    private var contents: String {
        let headings = run.script.cells.filter { $0.kind == .text }.flatMap(\.lines).compactMap(Markdown.heading)
            .filter { $0.level == 2 }.map(\.title)
        guard headings.count > 2 else { return "" }
        let links = headings.map { "<li><a href=\"#\(Markdown.anchor($0))\">\(Inline.html($0))</a></li>" }
        return "<nav><details><summary>Contents</summary><ol>\(links.joined())</ol></details></nav>\n"
    }

    private func code(_ index: Int) -> String {
        let (cell, outcome) = (run.script.cells[index], run.outcomes[index])
        let time = outcome.seconds.map { "<span class=\"time\">\(Page.time($0))</span>" } ?? ""
        let title = cell.title.isEmpty ? "" : "<span class=\"title\">\(Inline.html(cell.title))</span>"
        let state = outcome.error != nil ? " failed" : outcome.seconds == nil ? " unrun" : ""
        var parts = outcome.parts.map(output)
        if outcome.isCut { parts.append("<p class=\"note\">There is more output than a page should hold.</p>") }
        if let error = outcome.error { parts.append("<pre class=\"error\">\(escapedMarkup(error))</pre>") }
        if state == " unrun" { parts.append("<p class=\"note\">This cell did not run.</p>") }
        let below = parts.isEmpty ? "" : "\n<div class=\"output\">\(parts.joined(separator: "\n"))</div>"
        let head = time.isEmpty && title.isEmpty ? "" : "<header>\(title)\(time)</header>\n"
        let source = cell.lines.isEmpty ? "" : "<pre class=\"code\"><code>\(Page.highlighted(cell.source))</code></pre>"
        return "<section class=\"cell\(state)\" id=\"cell-\(index + 1)\">\n\(head)\(source)\(below)\n</section>"
    }

    private func output(_ part: OutputPart) -> String {
        switch part {
        case .text(let text): return "<pre>\(escapedMarkup(text))</pre>"
        case .figure(let name):
            let kind = name.hasSuffix(".svg") ? "svg+xml" : "png"
            let data = Data(run.figures[name] ?? []).base64EncodedString()
            // It can have the focus: a tap shows a figure that was made to fit in its own size.
            let image = "<img src=\"data:image/\(kind);base64,\(data)\" alt=\"\(escapedMarkup(alternative(name)))\">"
            return "<figure tabindex=\"0\">\(image)</figure>"
        }
    }

    /// What a picture is called where it cannot be seen: the texts in it.
    private func alternative(_ name: String) -> String {
        guard name.hasSuffix(".svg"), let bytes = run.figures[name] else { return "Figure" }
        let texts = String(decoding: bytes, as: UTF8.self).matches(of: #/<text[^>]*>([^<]*[A-Za-z][^<]*)<\/text>/#)
        let words = texts.prefix(8).map { unescaped(String($0.1)) }.joined(separator: ", ")
        return words.isEmpty ? "Figure" : "Figure: \(words)"
    }

    private var footer: String {
        // Many scripts are called main.swift: the folder says which.
        let parts = (run.script.path as NSString).pathComponents
        let name = parts.suffix(parts.last == "main.swift" ? 2 : 1).joined(separator: "/")
        let state = run.failure.map { "stopped at cell \($0.cell)" } ?? "all cells ran"
        return
            "<footer>\(escapedMarkup(name)): \(state), \(Page.time(run.seconds)) "
            + "with compiling. Made by Tapestry’s <code>notebook</code>.</footer>"
    }

    /// Seconds as people say them.
    static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<0.0005: "under 1 ms"
        case ..<1: "\(Int((seconds * 1000).rounded())) ms"
        case ..<60: String(format: "%.1f s", seconds)
        default: String(format: "%d min %d s", Int(seconds) / 60, Int(seconds) % 60)
        }
    }

    /// Swift with its parts in `<span>`s.
    static func highlighted(_ code: String) -> String {
        Highlighter.parts(code).map { part in
            part.kind == .plain
                ? escapedMarkup(part.text) : "<span class=\"\(part.kind)\">\(escapedMarkup(part.text))</span>"
        }.joined()
    }
}

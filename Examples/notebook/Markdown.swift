// Markdown as HTML: the part of CommonMark that lessons are written in, and GitHub's tables.
import Foundation
import Tapestry

/// Blocks of text: headings, paragraphs, lists, quotations, tables, code, rules. Whatever else there is, HTML too, is
/// text.
struct Markdown {
    private var lines: ArraySlice<String>
    private var html: [String] = []

    /// The HTML of a text.
    static func html(_ text: String) -> String {
        html(text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)[...], depth: 0)
    }

    /// Quotations and lists within each other beyond this are text: a hostile file must not exhaust the stack.
    private static let deepest = 16

    private static func html(_ lines: ArraySlice<String>, depth: Int) -> String {
        var markdown = Markdown(lines: lines)
        while let line = markdown.lines.first { markdown.block(line, depth) }
        return markdown.html.joined(separator: "\n")
    }

    private init(lines: ArraySlice<String>) { self.lines = lines }

    private mutating func block(_ line: String, _ depth: Int) {
        if line.allSatisfy(\.isWhitespace) {
            lines.removeFirst()
        } else if let (level, title) = Markdown.heading(line) {
            lines.removeFirst()
            html.append("<h\(level) id=\"\(Markdown.anchor(title))\">\(Inline.html(title))</h\(level)>")
        } else if let fence = Markdown.fence(line) {
            code(fence)
        } else if Markdown.isRule(line) {
            lines.removeFirst()
            html.append("<hr>")
        } else if line.hasPrefix(">"), depth < Markdown.deepest {
            quotation(depth)
        } else if Item(line) != nil, depth < Markdown.deepest {
            list(depth)
        } else if let alignments = Table.alignments(lines) {
            table(alignments)
        } else {
            paragraph()
        }
    }

    // MARK: Headings

    static func heading(_ line: String) -> (level: Int, title: String)? {
        let level = line.prefix { $0 == "#" }.count
        guard (1...6).contains(level), line.dropFirst(level).first == " " else { return nil }
        return (level, line.dropFirst(level).trimmingCharacters(in: .whitespaces))
    }

    /// A heading's name in links: its letters and digits, small, with hyphens between.
    static func anchor(_ title: String) -> String {
        plain(title).lowercased().split { !$0.isLetter && !$0.isNumber }.joined(separator: "-")
    }

    /// Text without marks.
    static func plain(_ text: String) -> String {
        var isTag = false
        let bare = Inline.html(text).filter { character in
            if character == "<" { isTag = true }
            defer { if character == ">" { isTag = false } }
            return !isTag
        }
        return unescaped(bare)
    }

    // MARK: Paragraphs and code

    /// DEL: not printable, and not replaced in escaping.
    private static let lineBreak = "\u{7f}"

    private mutating func paragraph() {
        var text = [lines.removeFirst()]
        while let line = lines.first, !line.allSatisfy(\.isWhitespace), !Markdown.interrupts(line) {
            text.append(lines.removeFirst())
        }
        // Two spaces at a line's end break it. A character that no text has stands for the break.
        let parts = text.enumerated().map { index, line in
            let isBroken = line.hasSuffix("  ") && index < text.count - 1
            return line.trimmingCharacters(in: .whitespaces) + (isBroken ? Markdown.lineBreak : "")
        }
        html.append("<p>\(Inline.html(parts.joined(separator: "\n")).replacing(Markdown.lineBreak, with: "<br>"))</p>")
    }

    private static func interrupts(_ line: String) -> Bool {
        heading(line) != nil || fence(line) != nil || line.hasPrefix(">") || isRule(line) || Item(line) != nil
    }

    private static func fence(_ line: String) -> (mark: String, language: String)? {
        for mark in ["```", "~~~"] where line.hasPrefix(mark) {
            return (mark, line.dropFirst(3).trimmingCharacters(in: .whitespaces))
        }
        return nil
    }

    private mutating func code(_ fence: (mark: String, language: String)) {
        lines.removeFirst()
        let body = lines.prefix { !$0.hasPrefix(fence.mark) }
        lines = lines.dropFirst(body.count + 1)
        let source = body.joined(separator: "\n")
        let isSwift = fence.language.lowercased() == "swift"
        html.append(
            "<pre class=\"code\"><code>\(isSwift ? Page.highlighted(source) : escapedMarkup(source))</code></pre>")
    }

    private static func isRule(_ line: String) -> Bool {
        let marks = line.filter { !$0.isWhitespace }
        guard marks.count >= 3, let first = marks.first, "-*_".contains(first) else { return false }
        return marks.allSatisfy { $0 == first }
    }

    // MARK: Quotations and lists

    private mutating func quotation(_ depth: Int) {
        var inner: [String] = []
        while let line = lines.first, line.hasPrefix(">") {
            inner.append(String(line.dropFirst(line.hasPrefix("> ") ? 2 : 1)))
            lines.removeFirst()
        }
        html.append("<blockquote>\(Markdown.html(inner[...], depth: depth + 1))</blockquote>")
    }

    /// The first line of a list's item.
    private struct Item {
        let isOrdered: Bool
        let number: Int
        /// How far in its mark and its text stand.
        let indent, textIndent: Int
        let text: String

        init?(_ line: String) {
            indent = line.prefix { $0 == " " }.count
            let rest = line.dropFirst(indent)
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            let mark: Int
            if let first = rest.first, "-*+".contains(first) {
                (isOrdered, number, mark) = (false, 0, 1)
            } else if !digits.isEmpty, digits.count < 10, let end = rest.dropFirst(digits.count).first,
                ".)".contains(end)
            {
                (isOrdered, number, mark) = (true, Int(digits) ?? 1, digits.count + 1)
            } else {
                return nil
            }
            let body = rest.dropFirst(mark)
            guard body.first == " " else { return nil }
            let space = body.prefix { $0 == " " }.count
            textIndent = indent + mark + (space > 4 ? 1 : space)
            text = String(body.dropFirst(space))
        }
    }

    private mutating func list(_ depth: Int) {
        guard let first = lines.first.flatMap(Item.init) else { return }
        var items: [String] = []
        while let line = lines.first, let item = Item(line), item.isOrdered == first.isOrdered,
            item.indent < first.textIndent, !Markdown.isRule(line)
        {
            lines.removeFirst()
            items.append("<li>\(content(of: item, depth))</li>")
            // An empty line between two items does not end the list.
            let after = lines.drop { $0.allSatisfy(\.isWhitespace) }
            if let next = after.first.flatMap(Item.init), next.isOrdered == first.isOrdered,
                next.indent < first.textIndent
            {
                lines = after
            }
        }
        let start = first.isOrdered && first.number != 1 ? " start=\"\(first.number)\"" : ""
        let tag = first.isOrdered ? "ol" : "ul"
        html.append("<\(tag)\(start)>\n\(items.joined(separator: "\n"))\n</\(tag)>")
    }

    /// The HTML of an item: its lines, those below that stand as far in, and those that just go on.
    private mutating func content(of item: Item, _ depth: Int) -> String {
        var inner = [item.text]
        while let line = lines.first {
            let indent = line.prefix { $0 == " " }.count
            if line.allSatisfy(\.isWhitespace) {
                guard let next = lines.drop(while: { $0.allSatisfy(\.isWhitespace) }).first,
                    next.prefix(while: { $0 == " " }).count >= item.textIndent
                else { break }
                inner.append("")
            } else if indent >= item.textIndent {
                inner.append(String(line.dropFirst(item.textIndent)))
            } else if !Markdown.interrupts(line), inner.last?.isEmpty == false {
                inner.append(line.trimmingCharacters(in: .whitespaces))
            } else {
                break
            }
            lines.removeFirst()
        }
        let body = Markdown.html(inner[...], depth: depth + 1)
        // The only paragraph of an item needs no space around it.
        guard body.hasPrefix("<p>"), let end = body.range(of: "</p>") else { return body }
        let rest = body[end.upperBound...]
        return rest.contains("<p>") ? body : String(body[..<end.lowerBound].dropFirst(3) + rest)
    }

    // MARK: Tables

    private enum Table {
        /// How the columns stand, if a table begins with these lines: a row, and below it a row of `---`, `:--`, `--:`
        /// and `:-:` for as many columns.
        static func alignments(_ lines: ArraySlice<String>) -> [String]? {
            guard let head = lines.first, head.contains("|"), let below = lines.dropFirst().first else { return nil }
            let marks = cells(below)
            guard marks.count == cells(head).count else { return nil }
            var alignments: [String] = []
            for mark in marks {
                let dashes = mark.drop { $0 == ":" }.prefix { $0 == "-" }
                guard !dashes.isEmpty, mark.allSatisfy({ $0 == ":" || $0 == "-" }) else { return nil }
                let isRight = mark.hasSuffix(":")
                alignments.append(!isRight ? "" : mark.hasPrefix(":") ? " class=\"centre\"" : " class=\"right\"")
            }
            return alignments
        }

        /// The cells of a row; `\|` is no border, nor is one in code.
        static func cells(_ line: String) -> [String] {
            var cells = [""]
            var (isCode, isEscaped) = (false, false)
            for character in line.trimmingCharacters(in: .whitespaces) {
                if character == "|", !isCode, !isEscaped {
                    cells.append("")
                } else {
                    if character == "`" { isCode.toggle() }
                    cells[cells.count - 1].append(character)
                }
                isEscaped = character == "\\" && !isEscaped
            }
            if cells.first == "" { cells.removeFirst() }
            if cells.last == "" { cells.removeLast() }
            return cells.map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    private mutating func table(_ alignments: [String]) {
        func row(_ line: String, _ tag: String) -> String {
            let cells = Table.cells(line)
            let columns = alignments.indices.map { index in
                let text = index < cells.count ? Inline.html(cells[index]) : ""
                return "<\(tag)\(alignments[index])>\(text)</\(tag)>"
            }
            return "<tr>\(columns.joined())</tr>"
        }
        let head = row(lines.removeFirst(), "th")
        lines.removeFirst()
        let body = lines.prefix { $0.contains("|") }
        lines = lines.dropFirst(body.count)
        html.append(
            "<div class=\"table\"><table><thead>\(head)</thead>\n<tbody>"
                + body.map { row($0, "td") }.joined(separator: "\n") + "</tbody></table></div>")
    }
}

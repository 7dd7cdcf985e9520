// Marks within a line of Markdown: emphasis, code, links, mathematics.
import Foundation
import Tapestry

/// Reads a paragraph from left to right; a mark that nothing closes is text.
struct Inline {
    private let text: [Character]
    private var position = 0
    private var html = ""
    private let depth: Int

    static func html(_ text: String) -> String { html(Array(text), depth: 0) }

    /// Emphasis within emphasis, and the length of a paragraph: what goes beyond is not read for marks, so that a
    /// hostile file takes no time.
    private static let deepest = 8, longest = 4000

    private static func html(_ text: [Character], depth: Int) -> String {
        guard text.count <= longest else { return escapedMarkup(String(text)) }
        var inline = Inline(text: text, depth: depth)
        while inline.position < text.count { inline.step() }
        return inline.html
    }

    private init(text: [Character], depth: Int) { (self.text, self.depth) = (text, depth) }

    private mutating func step() {
        let character = text[position]
        let taken =
            switch character {
            case "\\": backslash()
            case "`": code()
            case "*", "_": emphasis(character)
            case "~": enclosed("~~", "del")
            case "[": link(from: position)
            case "!": image()
            case "$": mathematics()
            case "h": address()
            case " ": fixedSpace()
            default: false
            }
        guard !taken else { return }
        html += escapedMarkup(String(character))
        position += 1
    }

    private func sees(_ mark: String, at place: Int) -> Bool {
        text[place...].starts(with: mark)
    }

    /// Where a mark stands next; not after a backslash, and not in code.
    private func find(_ mark: String, from start: Int) -> Int? {
        var place = start
        while place < text.count {
            if text[place] == "\\" {
                place += 2
            } else if sees(mark, at: place) {
                return place
            } else if text[place] == "`", mark != "`", let end = text[(place + 1)...].firstIndex(of: "`") {
                place = end + 1
            } else {
                place += 1
            }
        }
        return nil
    }

    private func inner(_ range: Range<Int>) -> String {
        depth < Inline.deepest
            ? Inline.html(Array(text[range]), depth: depth + 1) : escapedMarkup(String(text[range]))
    }

    private mutating func backslash() -> Bool {
        guard position + 1 < text.count, case let next = text[position + 1], next.isASCII,
            next.isPunctuation || "$+<=>^`|~".contains(next)
        else { return false }
        html += escapedMarkup(String(next))
        position += 2
        return true
    }

    private mutating func code() -> Bool {
        let marks = text[position...].prefix { $0 == "`" }.count
        var place = position + marks
        while let start = text[place...].firstIndex(of: "`") {
            let run = text[start...].prefix { $0 == "`" }.count
            if run == marks {
                let body = String(text[(position + marks)..<start])
                let isPadded = body.hasPrefix(" ") && body.hasSuffix(" ") && body.contains { $0 != " " }
                html += "<code>\(escapedMarkup(isPadded ? String(body.dropFirst().dropLast()) : body))</code>"
                position = start + run
                return true
            }
            place = start + run
        }
        html += String(repeating: "`", count: marks)
        position += marks
        return true
    }

    private mutating func emphasis(_ mark: Character) -> Bool {
        // snake_case is one word.
        if mark == "_", position > 0, text[position - 1].isLetter || text[position - 1].isNumber { return false }
        return enclosed(String([mark, mark]), "strong") || enclosed(String(mark), "em")
    }

    /// Text between two marks that touch it.
    private mutating func enclosed(_ mark: String, _ tag: String) -> Bool {
        let start = position + mark.count
        guard sees(mark, at: position), start < text.count, !text[start].isWhitespace else { return false }
        var end = find(mark, from: start)
        while let place = end {
            let after = place + mark.count
            // `**` ends no `*`, and an underscore within a word ends nothing.
            let isDouble = mark.count == 1 && sees(mark + mark, at: place)
            let isInWord = mark.hasPrefix("_") && after < text.count && (text[after].isLetter || text[after].isNumber)
            if !isDouble, !isInWord, place > start, !text[place - 1].isWhitespace {
                html += "<\(tag)>\(inner(start..<place))</\(tag)>"
                position = after
                return true
            }
            end = find(mark, from: after + (isDouble ? 1 : 0))
        }
        return false
    }

    private mutating func link(from start: Int) -> Bool {
        guard let (label, target, end) = labelled(start) else { return false }
        html +=
            Inline.isSafe(target)
            ? "<a href=\"\(escapedMarkup(target))\">\(inner(label))</a>" : escapedMarkup(String(text[start..<end]))
        position = end
        return true
    }

    /// A page holds no picture but its own figures: others become links.
    private mutating func image() -> Bool {
        position + 1 < text.count && text[position + 1] == "[" && link(from: position + 1)
    }

    /// `[label](target)`.
    private func labelled(_ start: Int) -> (label: Range<Int>, target: String, end: Int)? {
        guard let close = find("](", from: start + 1) else { return nil }
        var (depth, place) = (1, close + 2)
        while place < text.count, depth > 0 {
            if text[place] == "(" { depth += 1 }
            if text[place] == ")" { depth -= 1 }
            place += 1
        }
        guard depth == 0 else { return nil }
        let inside = String(text[(close + 2)..<(place - 1)])
        return (start + 1..<close, String(inside.prefix { !$0.isWhitespace }), place)
    }

    /// Addresses on the web, of mail and within the page's own surroundings; no scripts.
    private static func isSafe(_ target: String) -> Bool {
        guard !target.contains(where: { $0.isASCII && $0.unicodeScalars.first!.value < 0x21 }) else { return false }
        guard let colon = target.firstIndex(of: ":") else { return true }
        let scheme = target[..<colon]
        return scheme.contains { "/#?".contains($0) } || ["http", "https", "mailto"].contains(scheme.lowercased())
    }

    /// The spaces of `3 × 3` and `5 %`: no line ends there.
    private mutating func fixedSpace() -> Bool {
        let next = position + 1 < text.count ? text[position + 1] : " "
        guard next == "×" || next == "%" || position > 0 && text[position - 1] == "×" else { return false }
        html += "\u{a0}"
        position += 1
        return true
    }

    /// `$…$`: mathematics as it is written, with raised `x^2`, `x^{10}`, lowered `x_i`, `x_{ij}` and a minus for `-`.
    private mutating func mathematics() -> Bool {
        let mark = sees("$$", at: position) ? "$$" : "$"
        let start = position + mark.count
        guard start < text.count, !text[start].isWhitespace, let end = find(mark, from: start), end > start,
            !text[end - 1].isWhitespace
        else { return false }
        html += "<span class=\"math\">\(Inline.formula(text[start..<end]))</span>"
        position = end + mark.count
        return true
    }

    private static func formula(_ text: ArraySlice<Character>) -> String {
        var html = ""
        var rest = text.map { $0 == "-" ? "−" : $0 }[...]
        while let character = rest.popFirst() {
            guard character == "^" || character == "_", let next = rest.first, !next.isWhitespace else {
                html += escapedMarkup(String(character))
                continue
            }
            let tag = character == "^" ? "sup" : "sub"
            let body: ArraySlice<Character>
            if next == "{", let close = rest.firstIndex(of: "}") {
                body = rest[(rest.startIndex + 1)..<close]
                rest = rest[(close + 1)...]
            } else {
                body = rest.prefix(1)
                rest.removeFirst()
            }
            html += "<\(tag)>\(escapedMarkup(String(body)))</\(tag)>"
        }
        return html
    }

    /// An address in the text by itself.
    private mutating func address() -> Bool {
        guard sees("https://", at: position) || sees("http://", at: position) else { return false }
        var target = text[position...].prefix { !$0.isWhitespace && !"<>\"'`|".contains($0) }
        while let last = target.last, ".,;:!?)*_".contains(last) { target.removeLast() }
        html += "<a href=\"\(escapedMarkup(String(target)))\">\(escapedMarkup(String(target)))</a>"
        position += target.count
        return true
    }
}

/// What `escapedMarkup` made HTML of.
func unescaped(_ html: String) -> String {
    html.replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&quot;", with: "\"").replacing(
        "&amp;", with: "&")
}

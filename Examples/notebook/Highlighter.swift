// Swift in colours.

/// Splits Swift code into parts that a page shows in different colours. It knows words and literals, not grammar.
struct Highlighter {
    enum Kind: String {
        case plain, keyword, string, comment, number, type, call, attribute
    }
    struct Part: Equatable {
        var kind: Kind
        var text: String
        init(_ kind: Kind, _ text: String) { (self.kind, self.text) = (kind, text) }
    }

    /// The parts of a piece of code; joined they are the code again.
    static func parts(_ code: String) -> [Part] {
        var highlighter = Highlighter(code)
        highlighter.code(isInterpolation: false)
        return highlighter.parts
    }

    private let characters: [Character]
    private var position = 0
    private var parts: [Part] = []
    /// Interpolations around the place, and how many are taken for code: each takes some of the stack.
    private var depth = 0
    private static let mostDepth = 50

    private init(_ code: String) { characters = Array(code) }

    private static let keywords: Set<String> = [
        "actor", "any", "as", "associatedtype", "async", "await", "borrowing", "break", "case", "catch", "class",
        "consuming", "continue", "convenience", "default", "defer", "deinit", "do", "else", "enum", "extension",
        "fallthrough", "false", "fileprivate", "final", "for", "func", "get", "guard", "if", "import", "in",
        "indirect", "infix", "init", "inout", "internal", "is", "lazy", "let", "mutating", "nil", "nonisolated",
        "nonmutating", "open", "operator", "override", "package", "postfix", "prefix", "private", "protocol",
        "public", "repeat", "required", "rethrows", "return", "self", "Self", "set", "some", "static", "struct",
        "subscript", "super", "switch", "throw", "throws", "true", "try", "typealias", "unowned", "var", "weak",
        "where", "while",
    ]

    private func peek(_ ahead: Int = 0) -> Character? {
        position + ahead < characters.count ? characters[position + ahead] : nil
    }
    private func sees(_ text: String) -> Bool {
        var index = position
        for character in text {
            guard index < characters.count, characters[index] == character else { return false }
            index += 1
        }
        return true
    }
    private mutating func emit(_ kind: Kind, _ count: Int) {
        // Code may end inside what it has begun.
        let end = min(characters.count, position + count)
        let text = String(characters[position..<end])
        position = end
        guard !text.isEmpty else { return }
        if parts.last?.kind == kind { parts[parts.count - 1].text += text } else { parts.append(Part(kind, text)) }
    }

    /// Code to its end, or of an interpolation to the bracket that ends it.
    private mutating func code(isInterpolation: Bool) {
        var depth = 0
        while let character = peek() {
            if isInterpolation {
                if character == "(" { depth += 1 }
                if character == ")" {
                    if depth == 0 { return }
                    depth -= 1
                }
            }
            if sees("//") {
                emit(.comment, characters[position...].prefix { !$0.isNewline }.count)
            } else if sees("/*") {
                blockComment()
            } else if let hashes = stringStart() {
                string(hashes: hashes)
            } else if character.isNumber {
                number()
            } else if character == "#" || character == "@" {
                let name = characters[(position + 1)...].prefix(while: isWordPart).count
                emit(name == 0 ? .plain : .attribute, 1 + name)
            } else if isWordPart(character) || character == "`" {
                word()
            } else {
                emit(.plain, 1)
            }
        }
    }

    private func isWordPart(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_"
    }

    private mutating func word() {
        let length = max(1, characters[position...].prefix(while: isWordPart).count)
        let text = String(characters[position..<position + length])
        // After a dot `self`, `init` and `default` are members like others.
        let isMember = position > 0 && characters[position - 1] == "."
        let isModule = parts.last?.text == " " && parts.dropLast().last == Part(.keyword, "import")
        let kind: Kind
        if Highlighter.keywords.contains(text), !isMember || text == "self" || text == "init" {
            kind = .keyword
        } else if isModule || text.first?.isUppercase == true {
            kind = .type
        } else {
            kind = peek(length) == "(" ? .call : .plain
        }
        emit(kind, length)
    }

    private mutating func number() {
        let exponents = sees("0x") ? "pP" : "eE"
        var length = 0
        while let next = peek(length) {
            let before = length > 0 ? characters[position + length - 1] : " "
            let isSign = (next == "-" || next == "+") && exponents.contains(before)
            let isPoint = next == "." && peek(length + 1)?.isNumber == true
            guard isWordPart(next) || isSign || isPoint else { break }
            length += 1
        }
        emit(.number, length)
    }

    private mutating func blockComment() {
        var (depth, length) = (0, 0)
        while position + length < characters.count {
            let (first, second) = (peek(length), peek(length + 1))
            if first == "/", second == "*" {
                (depth, length) = (depth + 1, length + 2)
            } else if first == "*", second == "/" {
                (depth, length) = (depth - 1, length + 2)
                if depth == 0 { break }
            } else {
                length += 1
            }
        }
        emit(.comment, length)
    }

    /// The number of `#` before a string that begins here; nil if none does.
    private func stringStart() -> Int? {
        let hashes = characters[position...].prefix { $0 == "#" }.count
        return peek(hashes) == "\"" ? hashes : nil
    }

    private mutating func string(hashes: Int) {
        let marks = String(repeating: "#", count: hashes)
        emit(.string, hashes)
        let quote = sees("\"\"\"") ? "\"\"\"" : "\""
        let isLong = quote.count == 3
        emit(.string, quote.count)
        while let character = peek() {
            if sees(quote + marks) { return emit(.string, quote.count + hashes) }
            // A string that nobody has closed ends with its line.
            if character.isNewline, !isLong { return }
            if depth < Highlighter.mostDepth, sees("\\" + marks + "(") {
                emit(.string, 2 + hashes)
                depth += 1
                code(isInterpolation: true)
                depth -= 1
                emit(.string, 1)
            } else if character == "\\", hashes == 0 {
                emit(.string, 2)
            } else {
                emit(.string, 1)
            }
        }
    }
}

// What a program writes, cut into what each cell has written.
import Foundation

/// Cuts a stream of bytes at the marks in it: the record separator (30), a token, a space, a number, a line's end.
struct OutputCutter {
    enum Piece: Equatable {
        case text([UInt8])
        /// A cell begins.
        case mark(Int)
    }
    private let mark: [UInt8]
    /// Bytes that may be the beginning of a mark.
    private var held: [UInt8] = []
    private static let separator: UInt8 = 0x1e
    private static let longestNumber = 10

    init(token: String) { mark = [OutputCutter.separator] + Array(token.utf8) + [0x20] }

    /// The pieces that more bytes complete.
    mutating func add(_ bytes: [UInt8]) -> [Piece] {
        let all = held + bytes
        held = []
        var pieces: [Piece] = []
        var start = 0
        func flush(_ end: Int) { if end > start { pieces.append(.text(Array(all[start..<end]))) } }
        var position = 0
        while let found = all[position...].firstIndex(of: OutputCutter.separator) {
            switch read(all[found...]) {
            case .none:
                position = found + 1
            case .incomplete:
                flush(found)
                held = Array(all[found...])
                return pieces
            case .mark(let cell, let end):
                flush(found)
                pieces.append(.mark(cell))
                (start, position) = (end, end)
            }
        }
        flush(all.count)
        return pieces
    }

    /// What was held back when the stream has ended.
    mutating func end() -> [Piece] {
        defer { held = [] }
        return held.isEmpty ? [] : [.text(held)]
    }

    private enum Reading { case none, incomplete, mark(Int, end: Int) }

    private func read(_ bytes: ArraySlice<UInt8>) -> Reading {
        guard bytes.count > mark.count else { return mark.starts(with: bytes) ? .incomplete : .none }
        guard bytes.starts(with: mark) else { return .none }
        let rest = bytes.dropFirst(mark.count)
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        guard digits.count <= OutputCutter.longestNumber else { return .none }
        guard digits.count < rest.count else { return .incomplete }
        guard rest[digits.endIndex] == 0x0a, let cell = Int(String(decoding: digits, as: UTF8.self)) else {
            return .none
        }
        return .mark(cell, end: digits.endIndex + 1)
    }
}

/// A part of a cell's output.
enum OutputPart: Equatable {
    case text(String)
    /// The name of a file in the folder of figures.
    case figure(String)

    /// Text with the lines `[figure: NAME]` taken out, where there is such a file.
    static func parts(_ output: String, isFigure: (String) -> Bool) -> [OutputPart] {
        var parts: [OutputPart] = []
        var lines: [Substring] = []
        func flush() {
            while lines.last?.isEmpty == true { lines.removeLast() }
            while lines.first?.isEmpty == true { lines.removeFirst() }
            if !lines.isEmpty { parts.append(.text(lines.joined(separator: "\n"))) }
            lines = []
        }
        for line in output.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("[figure: "), line.hasSuffix("]"), case let name = String(line.dropFirst(9).dropLast()),
                isFigure(name)
            {
                flush()
                parts.append(.figure(name))
            } else {
                lines.append(line)
            }
        }
        flush()
        return parts
    }
}

/// What a terminal would show in the end: without escape sequences, and of a line that is drawn again and again, as
/// progress bars are, the last.
func asSeen(_ bytes: [UInt8]) -> String {
    var text = ""
    var scalars = String(decoding: bytes, as: UTF8.self).unicodeScalars[...]
    while let scalar = scalars.popFirst() {
        switch scalar {
        case "\u{1b}":
            guard scalars.first == "[" else { continue }
            scalars.removeFirst()
            // A control sequence ends with a letter or one of @[\]^_`{|}~ (ECMA-48).
            while let next = scalars.popFirst(), !(0x40...0x7e).contains(next.value) {}
        case "\n", "\t", "\r": text.unicodeScalars.append(scalar)
        case _ where scalar.value < 0x20 || scalar.value == 0x7f: continue
        default: text.unicodeScalars.append(scalar)
        }
    }
    guard text.unicodeScalars.contains("\r") else { return text }
    // Swift takes \r\n for one character.
    return text.replacing("\r\n", with: "\n").split(separator: "\n", omittingEmptySubsequences: false).map { line in
        line.split(separator: "\r").last.map(String.init) ?? ""
    }.joined(separator: "\n")
}

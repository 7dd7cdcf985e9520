// Reading CSV text: lines, fields, numbers.
import Tapestry

/// The bytes of a CSV file as rows of numbers, all with as many columns as the first.
struct CSVTable {
    let columns, rows: Int
    /// The fields of the first line, if it is a header.
    let header: [String]?
    private let path: String
    private let bytes: [UInt8]
    private let separator: UInt8
    /// Before the first row of numbers.
    private let start: Cursor

    /// A place in the text, and the number of the line that was read last, from 1.
    private struct Cursor {
        var place: Int
        var line = 0
    }

    /// Counts rows and columns. Without `hasHeader` the first line is one if any of its fields is no number.
    init(_ path: String, _ bytes: [UInt8], separator: UInt8, hasHeader: Bool?) throws {
        (self.path, self.bytes, self.separator) = (path, bytes, separator)
        let isMarked = bytes.starts(with: [0xEF, 0xBB, 0xBF])  // A byte order mark.
        var cursor = Cursor(place: isMarked ? 3 : 0)
        var start = cursor
        guard let first = CSVTable.nextLine(bytes, separator, &cursor) else {
            throw FileError(path, "holds no samples")
        }
        let fields = CSVTable.fields(bytes, separator, first)
        columns = fields.count
        if hasHeader ?? fields.contains(where: { CSVTable.number(bytes, $0) == nil }) {
            header = fields.map { String(decoding: bytes[$0], as: UTF8.self) }
            start = cursor
        } else {
            header = nil
        }
        self.start = start
        var rows = 0
        cursor = start
        while CSVTable.nextLine(bytes, separator, &cursor) != nil { rows += 1 }
        self.rows = rows
        guard rows > 0 else { throw FileError(path, "holds no samples") }
        // A number and what ends it are two bytes. If there are too few for all rows, one of them has fewer columns: it is
        // found before memory is set aside for them.
        if rows > (bytes.count + 1) / (2 * columns) { try forEachNumber { _, _, _ in } }
    }

    /// What is wrong with a field; columns are counted from 0 here, from 1 in the message.
    func error(_ line: Int, _ column: Int, _ message: String) -> FileError {
        FileError(path, "line \(line), column \(column + 1): \(message)")
    }

    /// Calls `body` with the numbers row by row.
    func forEachNumber(_ body: (_ line: Int, _ column: Int, Double) throws -> Void) throws {
        var cursor = start
        while let range = CSVTable.nextLine(bytes, separator, &cursor) {
            var (column, place) = (0, range.lowerBound)
            while column < columns, place <= range.upperBound {
                let end = bytes[place..<range.upperBound].firstIndex(of: separator) ?? range.upperBound
                let field = CSVTable.trimmed(bytes, separator, place..<end)
                guard let value = CSVTable.number(bytes, field) else {
                    throw error(
                        cursor.line, column, field.isEmpty ? "there is no number" : "\(quoted(field)) is not a number")
                }
                try body(cursor.line, column, value)
                column += 1
                place = end + 1
            }
            guard column == columns, place > range.upperBound else {
                let found = CSVTable.fields(bytes, separator, range).count
                throw FileError(
                    path,
                    "line \(cursor.line): the number of columns is \(found), expected \(columns) as in the first")
            }
        }
    }

    /// The next line that is not blank, without spaces around.
    private static func nextLine(_ bytes: [UInt8], _ separator: UInt8, _ cursor: inout Cursor) -> Range<Int>? {
        while cursor.place < bytes.count {
            let end = bytes[cursor.place...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            let range = trimmed(bytes, separator, cursor.place..<end)
            cursor.place = end + 1
            cursor.line += 1
            if !range.isEmpty { return range }
        }
        return nil
    }

    private static func fields(_ bytes: [UInt8], _ separator: UInt8, _ line: Range<Int>) -> [Range<Int>] {
        bytes[line].split(separator: separator, omittingEmptySubsequences: false).map {
            trimmed(bytes, separator, $0.indices)
        }
    }

    /// Without spaces, tabs and carriage returns around, unless they separate fields.
    private static func trimmed(_ bytes: [UInt8], _ separator: UInt8, _ range: Range<Int>) -> Range<Int> {
        var (low, high) = (range.lowerBound, range.upperBound)
        func isBlank(_ byte: UInt8) -> Bool {
            byte != separator && (byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r"))
        }
        while low < high, isBlank(bytes[low]) { low += 1 }
        while low < high, isBlank(bytes[high - 1]) { high -= 1 }
        return low..<high
    }

    /// The finite decimal number that a field is, perhaps in quotes; nil for anything else.
    private static func number(_ bytes: [UInt8], _ field: Range<Int>) -> Double? {
        var (low, high) = (field.lowerBound, field.upperBound)
        if high - low >= 2, bytes[low] == UInt8(ascii: "\""), bytes[high - 1] == UInt8(ascii: "\"") {
            (low, high) = (low + 1, high - 1)
        }
        guard low < high, high - low <= 64 else { return nil }
        // Most tables are whole numbers of few digits.
        if high - low < 10 {
            var value = 0
            for place in low..<high {
                guard case let digit = bytes[place] &- UInt8(ascii: "0"), digit < 10 else {
                    return decimal(bytes[low..<high])
                }
                value = value * 10 + Int(digit)
            }
            return Double(value)
        }
        return decimal(bytes[low..<high])
    }

    /// What `Double` reads, but for hexadecimal numbers, NaN and infinities.
    private static func decimal(_ text: ArraySlice<UInt8>) -> Double? {
        let isDecimal = text.allSatisfy {
            ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")) || "+-.eE".utf8.contains($0)
        }
        guard isDecimal, let value = Double(String(decoding: text, as: UTF8.self)), value.isFinite else { return nil }
        return value
    }

    /// A field as a message may show it: in one short line.
    private func quoted(_ field: Range<Int>) -> String {
        let text = String(decoding: bytes[field].prefix(24), as: UTF8.self)
        let clean = String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "·" : Character($0) })
        return "'\(clean)\(field.count > 24 ? "…" : "")'"
    }
}

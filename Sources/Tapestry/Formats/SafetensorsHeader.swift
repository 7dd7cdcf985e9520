// The JSON header of a safetensors file, read strictly: it comes from outside.

/// Names, dtypes, shapes and places of the tensors in a safetensors file.
struct SafetensorsHeader {
    /// In the order of their data.
    var entries: [SafetensorsFile.Entry] = []
    var metadata: [String: String] = [:]

    /// What is wrong with a header, and at which of its bytes if it is one place.
    struct Fault: Error {
        let message: String
        var position: Int?
    }

    /// The largest header that readers accept, as the reference implementation has it.
    static let maximumLength = 100_000_000

    /// Bytes of an element by the format's dtype names.
    static let elementSizes = [
        "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2, "U32": 4,
        "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
    ]

    /// Reads a header that is followed by `dataLength` bytes of tensors. Throws `Fault`.
    init(_ bytes: [UInt8], dataLength: Int) throws {
        var reader = JSONReader(bytes)
        try reader.object { reader, name in
            if name == "__metadata__" {
                try reader.object { reader, key in metadata[key] = try reader.string() }
            } else {
                entries.append(try Self.entry(name, &reader))
            }
        }
        try reader.end()
        entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        try checkCoverage(of: dataLength)
    }

    /// `{"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}`
    private static func entry(_ name: String, _ reader: inout JSONReader) throws -> SafetensorsFile.Entry {
        let start = reader.position
        var dtype: String?
        var shape, offsets: [Int]?
        try reader.object { reader, field in
            switch field {
            case "dtype": dtype = try reader.string()
            case "shape": shape = try reader.integers()
            case "data_offsets": offsets = try reader.integers()
            default: throw reader.fault("tensor '\(name)': unknown field '\(field)'")
            }
        }
        func fault(_ message: String) -> Fault { Fault(message: "tensor '\(name)': \(message)", position: start) }
        guard let dtype else { throw fault("there is no dtype") }
        guard let shape else { throw fault("there is no shape") }
        guard let offsets else { throw fault("there are no data_offsets") }
        guard offsets.count == 2, offsets[0] <= offsets[1] else { throw fault("data_offsets \(offsets) are no range") }
        guard let size = elementSizes[dtype] else { throw fault("unknown dtype '\(dtype)'") }
        guard let length = StoredElement(kind: .unsigned, size: size).byteCount(shape) else {
            throw fault("shape \(shape) is impossibly large")
        }
        guard offsets[1] - offsets[0] == length else {
            throw fault(
                "data_offsets \(offsets) hold \(offsets[1] - offsets[0]) bytes, \(dtype) \(shape) takes \(length)")
        }
        return .init(name: name, dtype: dtype, shape: shape, range: offsets[0]..<offsets[1])
    }

    /// Tensors must fill the data exactly, without gaps or overlaps: no byte is read twice, none is smuggled in.
    private func checkCoverage(of dataLength: Int) throws {
        var (end, last) = (0, "")
        for entry in entries {
            func fault(_ message: String) -> Fault { Fault(message: "tensor '\(entry.name)': \(message)") }
            let offsets = "data_offsets [\(entry.range.lowerBound), \(entry.range.upperBound)]"
            guard entry.range.upperBound <= dataLength else {
                throw fault("\(offsets) lie outside the file's \(dataLength) bytes of data")
            }
            guard entry.range.lowerBound >= end else { throw fault("\(offsets) overlap those of '\(last)'") }
            guard entry.range.lowerBound == end else { throw fault("\(offsets) leave a gap after byte \(end)") }
            (end, last) = (entry.range.upperBound, entry.name)
        }
        guard end == dataLength else {
            throw Fault(message: "the tensors take \(end) bytes, the file holds \(dataLength) bytes of data")
        }
    }
}

/// The part of JSON that safetensors headers use: objects, strings, arrays of whole numbers. Objects may not have a key
/// twice; nothing nests deeper than the caller asks.
private struct JSONReader {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func fault(_ message: String) -> SafetensorsHeader.Fault { .init(message: message, position: position) }

    private mutating func skipBlanks() {
        while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
    }

    /// Whether the next character is this one; then it is taken.
    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws {
        guard take(character) else { throw fault("expected '\(character)'") }
    }

    /// Only blanks may follow.
    mutating func end() throws {
        skipBlanks()
        guard position == bytes.count else { throw fault("expected the end of the header") }
    }

    /// An object; `member` is called with each key and reads its value.
    mutating func object(_ member: (inout JSONReader, String) throws -> Void) throws {
        try expect("{")
        var keys = Set<String>()
        if take("}") { return }
        repeat {
            skipBlanks()
            let key = try string()
            guard keys.insert(key).inserted else { throw fault("'\(key)' comes twice") }
            try expect(":")
            skipBlanks()
            try member(&self, key)
        } while take(",")
        try expect("}")
    }

    /// An array of whole numbers, not negative, of no more than torch's 64 dimensions: it bounds what a long header takes
    /// in memory.
    mutating func integers() throws -> [Int] {
        try expect("[")
        var values: [Int] = []
        if take("]") { return values }
        repeat {
            values.append(try integer())
            guard values.count <= 64 else { throw fault("\(values.count) numbers in an array are more than 64") }
        } while take(",")
        try expect("]")
        return values
    }

    private mutating func integer() throws -> Int {
        skipBlanks()
        let start = position
        var value = 0
        while position < bytes.count, case let digit = Int(bytes[position]) - 0x30, (0...9).contains(digit) {
            let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = product.addingReportingOverflow(digit)
            guard !tooLarge, !overflow else { throw fault("a number is too large") }
            value = sum
            position += 1
        }
        guard position > start else { throw fault("expected a whole number that is not negative") }
        return value
    }

    mutating func string() throws -> String {
        try expect("\"")
        var text: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else { throw fault("a string is not UTF-8") }
                return string
            case UInt8(ascii: "\\"): text.append(contentsOf: String(try escaped()).utf8)
            case 0..<0x20: throw fault("a string has a control character in it")
            default: text.append(byte)
            }
        }
        throw fault("a string does not end")
    }

    /// What stands after a backslash.
    private mutating func escaped() throws -> Unicode.Scalar {
        guard position < bytes.count else { throw fault("a string does not end") }
        let character = Unicode.Scalar(bytes[position])
        position += 1
        switch character {
        case "\"", "\\", "/": return character
        case "b": return "\u{8}"
        case "f": return "\u{c}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u":
            var value = try hexadecimal()
            // A pair of surrogates stands for one character beyond the first 65,536.
            if (0xd800..<0xdc00).contains(value), position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                bytes[position + 1] == UInt8(ascii: "u")
            {
                position += 2
                let low = try hexadecimal()
                guard (0xdc00..<0xe000).contains(low) else { throw fault("half a pair of surrogates") }
                value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = Unicode.Scalar(value) else { throw fault("half a pair of surrogates") }
            return scalar
        default: throw fault("unknown escape '\\\(character)'")
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        guard position + 4 <= bytes.count,
            bytes[position..<position + 4].allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }),
            let value = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        else { throw fault("expected four hexadecimal digits") }
        position += 4
        return value
    }
}

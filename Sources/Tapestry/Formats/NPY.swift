// NumPy's files: `.npy` holds one array, `.npz` is a zip archive of them.

/// Reads an array that `numpy.save` wrote, in row-major order whatever its order in the file. Mirrors `numpy.load`.
///
/// Types without a dtype of Tapestry's are widened: float16 to float32, int8, int16 and uint16 to int32, uint32 to
/// int64; big-endian numbers are turned round.
///
/// - Throws: `FileError` naming the file and the byte, for a header that is none, a type that is not supported (Python
///   objects, records, strings, complex numbers, uint64), and data that is shorter or longer than the header says.
public func loadNPY(from path: String) throws -> Tensor { try npyTensor(InputFile(path)) }

/// Writes an array that `numpy.load` reads: row-major, little-endian, format 1.0. The file appears whole or not at all.
/// Mirrors `numpy.save`.
///
/// - Throws: `FileError` if the file cannot be written.
public func saveNPY(_ tensor: Tensor, to path: String) throws {
    let header = NPYHeader(tensor).bytes
    try writeAtomically(to: path) { append in
        try header.withUnsafeBytes { try append($0) }
        try tensor.withElementBytes(append)
    }
}

/// Reads the arrays of an archive that `numpy.savez` or `numpy.savez_compressed` wrote, by name. Members that are no
/// `.npy` are passed over. Mirrors `numpy.load`.
///
/// - Throws: `FileError` naming the file and the member or byte: an archive or array that is damaged, see `loadNPY`.
public func loadNPZ(from path: String) throws -> [String: Tensor] {
    let archive = try ZipArchive(path)
    var result: [String: Tensor] = [:]
    for member in archive.members where member.name.hasSuffix(".npy") {
        result[String(member.name.dropLast(4))] = try npyTensor(archive.source(of: member))
    }
    return result
}

/// Writes tensors in the order of their names into an archive that `numpy.load` reads, stored or deflated. The file
/// appears whole or not at all, and the same tensors make the same bytes. Mirrors `numpy.savez` and
/// `numpy.savez_compressed`.
///
/// - Throws: `FileError` if the file cannot be written.
public func saveNPZ(_ tensors: [String: Tensor], to path: String, compressed: Bool = false) throws {
    try saveNPZ(tensors, to: path, compressed: compressed, ZipWriter())
}

func saveNPZ(_ tensors: [String: Tensor], to path: String, compressed: Bool, _ writer: ZipWriter) throws {
    var writer = writer
    try writeAtomically(to: path) { append in
        for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
            guard name.utf8.count <= 0xffff - 4 else { throw FileError(path, "a name is longer than 65,531 bytes") }
            try NPYHeader(tensor).bytes.withUnsafeBytes { header in
                try tensor.withElementBytes { elements in
                    try writer.add("\(name).npy", [header, elements], compressed: compressed, append: append)
                }
            }
        }
        try writer.finish(append: append)
    }
}

extension Tensor {
    /// Calls `body` with the elements in row-major order; the bytes are good during the call only.
    package func withElementBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        let plain = packed()
        return try withExtendedLifetime(plain) {
            try body(UnsafeRawBufferPointer(start: plain.pointer, count: count * dtype.size))
        }
    }
}

/// Reads an array from the bytes of a `.npy` file.
private func npyTensor(_ source: some ByteSource) throws -> Tensor {
    let (header, start) = try NPYHeader.read(source)
    guard let length = header.element.byteCount(header.shape) else {
        throw source.fault("the shape \(header.shape), in the header before byte \(start), is impossibly large")
    }
    guard length == source.size - start else {
        throw source.fault(
            "\(header.shape) of '\(header.descr)' takes \(length) bytes, behind the header at byte \(start) are "
                + "\(source.size - start)")
    }
    guard header.isFortranOrder else { return try header.element.tensor(header.shape, from: source, at: start) }
    let reversed = try header.element.tensor(header.shape.reversed(), from: source, at: start)
    return reversed.alias(reversed.layout.permuted(header.shape.indices.reversed())).packed()
}

/// What stands before the numbers: `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`, a Python literal.
struct NPYHeader {
    let descr: String
    let element: StoredElement
    let isFortranOrder: Bool
    let shape: [Int]

    init(_ tensor: Tensor) {
        (descr, element) = Self.types.first {
            $0.element.dtype == tensor.dtype && $0.element.size == tensor.dtype.size
        }!
        (isFortranOrder, shape) = (false, tensor.shape)
    }

    /// Reads the header; returns it and where the numbers begin.
    static func read(_ source: some ByteSource) throws -> (header: NPYHeader, end: Int) {
        let prefix = try source.bytes(12, at: 0)
        guard prefix.count >= 10, prefix.starts(with: [0x93] + Array("NUMPY".utf8)) else {
            throw source.fault("does not begin as a .npy file does (at byte 0)")
        }
        let isLong = prefix[6] > 1
        guard (1...3).contains(prefix[6]), prefix[7] == 0, prefix.count == 12 || !isLong else {
            throw source.fault("version \(prefix[6]).\(prefix[7]) of the .npy format, at byte 6, is not supported")
        }
        let start = isLong ? 12 : 10
        let length = isLong ? Int(prefix.little(8, UInt32.self)) : Int(prefix.little(8, UInt16.self))
        guard length <= source.size - start else {
            throw source.fault("the header length at byte 8 is \(length), there are \(source.size - start) more bytes")
        }
        // As numpy: what takes longer to read than this is not worth trusting.
        guard length <= 1 << 20 else { throw source.fault("the header length at byte 8 is \(length), above 1048576") }
        let text = try source.bytes(length, at: start)
        guard text.count == length else { throw source.fault("ends inside the header, at byte \(start + text.count)") }
        var reader = LiteralReader(text)
        do {
            return (try NPYHeader(&reader), start + length)
        } catch let fault as LiteralReader.Fault {
            throw source.fault("at byte \(start + fault.position): \(fault.message)")
        }
    }

    private init(_ reader: inout LiteralReader) throws {
        var descr: String?
        var isFortranOrder: Bool?
        var shape: [Int]?
        try reader.expect("{")
        while !reader.take("}") {
            let key = try reader.string()
            try reader.expect(":")
            switch key {
            case "descr" where descr == nil: descr = try reader.string()
            case "fortran_order" where isFortranOrder == nil: isFortranOrder = try reader.boolean()
            case "shape" where shape == nil: shape = try reader.tuple()
            default: throw reader.fault("'\(key)' is unknown or comes twice")
            }
            if !reader.take(",") {
                try reader.expect("}")
                break
            }
        }
        try reader.end()
        guard let descr, let isFortranOrder, let shape else {
            throw reader.fault("the header lacks descr, fortran_order or shape")
        }
        let text = String(descr.dropFirst())
        guard let order = descr.first, "<>|=".contains(order),
            var element = Self.types.first(where: { $0.descr.dropFirst() == text })?.element
        else { throw reader.fault("arrays of '\(descr)' are not supported") }
        element.isBigEndian = order == ">"
        (self.descr, self.element, self.isFortranOrder, self.shape) = (descr, element, isFortranOrder, shape)
    }

    /// numpy's codes of element types.
    private static let types: [(descr: String, element: StoredElement)] = [
        ("|b1", .init(kind: .bool, size: 1)), ("|u1", .init(kind: .unsigned, size: 1)),
        ("<i4", .init(kind: .signed, size: 4)), ("<i8", .init(kind: .signed, size: 8)),
        ("<f4", .init(kind: .float, size: 4)), ("<f8", .init(kind: .float, size: 8)),
        ("<f2", .init(kind: .float, size: 2)), ("|i1", .init(kind: .signed, size: 1)),
        ("<i2", .init(kind: .signed, size: 2)), ("<u2", .init(kind: .unsigned, size: 2)),
        ("<u4", .init(kind: .unsigned, size: 4)),
    ]

    /// The header as numpy writes it, with what stands before it.
    var bytes: [UInt8] {
        let lengths = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
        var text = Array("{'descr': '\(descr)', 'fortran_order': False, 'shape': (\(lengths)), }".utf8)
        // Padded with blanks, so that the numbers begin at a multiple of 64 bytes.
        let isLong = text.count + 64 > 0xffff
        let start = isLong ? 12 : 10
        text += [UInt8](repeating: 0x20, count: 63 - (start + text.count) % 64) + [0x0a]
        var result = [0x93] + Array("NUMPY".utf8) + [isLong ? 2 : 1, 0]
        if isLong { result.add(UInt32(text.count)) } else { result.add(UInt16(text.count)) }
        return result + text
    }
}

/// The part of Python's literals that `.npy` headers use.
private struct LiteralReader {
    struct Fault: Error {
        let message: String
        let position: Int
    }
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func fault(_ message: String) -> Fault { Fault(message: message, position: position) }

    private mutating func skipBlanks() {
        while position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x0a { position += 1 }
    }
    /// Whether these characters come next; then they are taken.
    mutating func take(_ text: StaticString) -> Bool {
        skipBlanks()
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard bytes[position...].starts(with: wanted) else { return false }
        position += wanted.count
        return true
    }
    mutating func expect(_ text: StaticString) throws {
        guard take(text) else { throw fault("expected '\(text)' in the header") }
    }
    /// Only blanks may follow.
    mutating func end() throws {
        skipBlanks()
        guard position == bytes.count else { throw fault("expected the header's end") }
    }
    mutating func string() throws -> String {
        let quote: UInt8 = take("\"") ? 0x22 : 0x27
        if quote == 0x27 { try expect("'") }
        guard let end = bytes[position...].firstIndex(of: quote) else { throw fault("a string does not end") }
        defer { position = end + 1 }
        return String(decoding: bytes[position..<end], as: UTF8.self)
    }
    mutating func boolean() throws -> Bool {
        if take("True") { return true }
        guard take("False") else { throw fault("expected True or False") }
        return false
    }
    mutating func tuple() throws -> [Int] {
        try expect("(")
        var values: [Int] = []
        while !take(")") {
            values.append(try integer())
            // numpy's own limit; it also bounds what a long header takes in memory.
            guard values.count <= 64 else { throw fault("\(values.count) dimensions are more than 64") }
            if !take(",") {
                try expect(")")
                break
            }
        }
        return values
    }
    private mutating func integer() throws -> Int {
        skipBlanks()
        let digits = bytes[position...].prefix { (0x30...0x39).contains($0) }
        guard let value = Int(String(decoding: digits, as: UTF8.self)) else {
            throw fault(digits.isEmpty ? "expected a whole number that is not negative" : "a number is too large")
        }
        position += digits.count
        _ = take("L")  // Python 2 wrote long integers so
        return value
    }
}

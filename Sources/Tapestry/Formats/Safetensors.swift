// The safetensors format: a JSON header with names, dtypes, shapes and offsets, then the tensors' bytes.

/// A safetensors file opened for reading: what is in it is known, tensors are read when asked for.
public struct SafetensorsFile {
    /// One tensor's line in the header.
    public struct Entry: Sendable, Equatable {
        public let name: String
        /// As the format spells it: `F32`, `I64`, `BOOL`, …
        public let dtype: String
        public let shape: [Int]
        /// Bytes, counted from the end of the header.
        public let range: Range<Int>
    }

    /// The tensors in the order of their data.
    public let entries: [Entry]
    /// The texts stored beside the tensors.
    public let metadata: [String: String]
    private let file: InputFile
    private let map: MappedFile?
    private let dataStart: Int

    /// Reads and checks a file's header.
    ///
    /// With `mapped`, tensors are views of the file: their numbers are read from the disk when they are first used, and
    /// writing to them copies the page that is written to. The file must not be cut short while they live.
    ///
    /// - Throws: `FileError` naming the file and the tensor or byte: a header longer than the file, JSON that is
    ///   none, a name that comes twice, offsets that overlap, leave gaps, lie outside the file or don't fit dtype and
    ///   shape.
    public init(_ path: String, mapped: Bool = false) throws {
        file = try InputFile(path)
        let prefix = try file.bytes(8, at: 0)
        guard prefix.count == 8 else {
            throw FileError(path, "ends at byte \(prefix.count), inside the 8 bytes of the header's length")
        }
        let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(file.size - 8) else {
            throw FileError(
                path, "the header length at byte 0 is \(length), the file holds \(file.size - 8) more bytes")
        }
        guard length <= SafetensorsHeader.maximumLength else {
            throw FileError(
                path, "the header length at byte 0 is \(length), more than \(SafetensorsHeader.maximumLength)")
        }
        dataStart = 8 + Int(length)
        map = mapped ? try MappedFile(file) : nil
        do {
            let header = try SafetensorsHeader(
                try file.bytes(Int(length), at: 8), dataLength: file.size - dataStart)
            (entries, metadata) = (header.entries, header.metadata)
        } catch let fault as SafetensorsHeader.Fault {
            let place = fault.position.map { "at byte \(8 + $0)" } ?? "in the data, from byte \(dataStart) on"
            throw FileError(path, "\(place): \(fault.message)")
        }
    }

    /// One tensor; float16, bfloat16 and short integers become float32, int32 and int64.
    ///
    /// - Throws: `FileError` if no dtype of Tapestry's holds the tensor's (unsigned 64-bit, 8-bit floating point) or
    ///   the file has become shorter.
    public func tensor(_ entry: Entry) throws -> Tensor {
        let start = dataStart + entry.range.lowerBound
        guard let element = StoredElement.safetensors[entry.dtype], let dtype = element.dtype else {
            throw FileError(
                file.path, "tensor '\(entry.name)' at byte \(start): dtype \(entry.dtype) is not supported")
        }
        // What must be converted, or does not lie as the kernels need it, is copied.
        if let map, element.isNative, start % element.size == 0 { return map.tensor(entry.shape, dtype, at: start) }
        do {
            return try element.tensor(entry.shape, from: file, at: start)
        } catch let error as FileError {
            throw FileError(file.path, "tensor '\(entry.name)': \(error.message)")
        }
    }
}

/// Reads all tensors of a file by name; `mapped` says that numbers are only read when they are used. Mirrors
/// `safetensors.torch.load_file`.
///
/// - Throws: `FileError`, see `SafetensorsFile`.
public func loadSafetensors(from path: String, mapped: Bool = false) throws -> [String: Tensor] {
    let file = try SafetensorsFile(path, mapped: mapped)
    // Names come once: the header has been checked.
    return Dictionary(uniqueKeysWithValues: try file.entries.map { ($0.name, try file.tensor($0)) })
}

/// Writes tensors in the order given, little-endian and row-major. The file appears whole or not at all: it is written
/// under another name, synced, then renamed. Mirrors `safetensors.torch.save_file`.
///
/// - Throws: `FileError` if the file cannot be written or a name comes twice.
public func saveSafetensors(
    _ tensors: [(name: String, tensor: Tensor)], to path: String, metadata: [String: String] = [:]
) throws {
    var names: Set = ["__metadata__"]
    var members: [String] = []
    if !metadata.isEmpty {
        let texts = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
        members.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
    }
    var offset = 0
    for (name, tensor) in tensors {
        guard names.insert(name).inserted else {
            throw FileError(path, "the name '\(name)' comes twice or is reserved")
        }
        let end = offset + tensor.count * tensor.dtype.size
        let shape = tensor.shape.map(String.init).joined(separator: ",")
        members.append(
            "\(quoted(name)):{\"dtype\":\"\(tensor.dtype.safetensorsName)\",\"shape\":[\(shape)],"
                + "\"data_offsets\":[\(offset),\(end)]}")
        offset = end
    }
    var header = Array("{\(members.joined(separator: ","))}".utf8)
    // Padded with blanks, so that the tensors begin at a multiple of 8 bytes.
    header += [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8)
    try writeAtomically(to: path) { append in
        try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try append($0) }
        try header.withUnsafeBytes { try append($0) }
        for (_, tensor) in tensors { try tensor.withElementBytes(append) }
    }
}

/// Writes tensors in the order of their names.
public func saveSafetensors(_ tensors: [String: Tensor], to path: String, metadata: [String: String] = [:]) throws {
    try saveSafetensors(
        tensors.sorted { $0.key < $1.key }.map { (name: $0.key, tensor: $0.value) }, to: path, metadata: metadata)
}

/// A JSON string.
private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": result += "\\\(scalar)"
        case "\0"..<" ":
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}

extension DType {
    /// The dtype's name in safetensors headers.
    var safetensorsName: String {
        switch self {
        case .bool: "BOOL"
        case .uint8: "U8"
        case .int32: "I32"
        case .int64: "I64"
        case .float32: "F32"
        case .float64: "F64"
        }
    }
}

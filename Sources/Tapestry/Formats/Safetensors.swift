// The safetensors format: a JSON header with names, dtypes, shapes and offsets, then the tensors' bytes.
import Foundation

/// Something wrong with a file of tensors: the file and where in it.
public struct TensorFileError: Error, CustomStringConvertible, Sendable {
    public let path, message: String
    init(_ path: String, _ message: String) { (self.path, self.message) = (path, message) }
    public var description: String { "\(path): \(message)" }
}

/// Writes tensors in the order given, little-endian and row-major. The file appears whole or not at all: it is written
/// under another name, synced, then renamed. Mirrors `safetensors.torch.save_file`.
///
/// - Throws: `TensorFileError` if the file cannot be written or a name comes twice.
public func saveSafetensors(
    _ tensors: [(name: String, tensor: Tensor)], to path: String, metadata: [String: String] = [:]
) throws {
    var header: [String: Any] = [:]
    var offset = 0
    for (name, tensor) in tensors {
        guard header[name] == nil, name != "__metadata__" else {
            throw TensorFileError(path, "the name '\(name)' comes twice or is reserved")
        }
        let size = tensor.count * tensor.dtype.size
        header[name] = [
            "dtype": tensor.dtype.safetensorsName, "shape": tensor.shape, "data_offsets": [offset, offset + size],
        ]
        offset += size
    }
    if !metadata.isEmpty { header["__metadata__"] = metadata }
    var json = try JSONSerialization.data(withJSONObject: header, options: [.sortedKeys, .withoutEscapingSlashes])
    // Padded with blanks, so that the tensors begin at a multiple of 8 bytes.
    json.append(Data(repeating: 0x20, count: (8 - json.count % 8) % 8))
    var file = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) }
    file.append(json)
    for (_, tensor) in tensors {
        let plain = tensor.packed()
        file.append(UnsafeBufferPointer(start: plain.pointer.assumingMemoryBound(to: UInt8.self), count: plain.count * plain.dtype.size))
    }
    try writeAtomically(file, to: path)
}

/// Reads all tensors of a file by name. Mirrors `safetensors.torch.load_file`.
///
/// - Throws: `TensorFileError` naming the file and the field: a header longer than the file, JSON that is none, a dtype
///   that there is not, offsets outside the file or not as long as dtype and shape say.
public func loadSafetensors(from path: String) throws -> [String: Tensor] {
    let data: Data
    do {
        data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
    } catch {
        throw TensorFileError(path, "cannot be read (\((error as NSError).localizedDescription))")
    }
    guard data.count >= 8 else { throw TensorFileError(path, "is \(data.count) bytes long, too short for safetensors") }
    let length = data[..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(data.count - 8) else {
        throw TensorFileError(path, "the header length at byte 0 is \(length), the file holds \(data.count - 8) more bytes")
    }
    let start = 8 + Int(length)
    guard let header = try? JSONSerialization.jsonObject(with: data[8..<start]) as? [String: Any] else {
        throw TensorFileError(path, "the header at byte 8 is not a JSON object")
    }
    var tensors: [String: Tensor] = [:]
    for (name, value) in header where name != "__metadata__" {
        func invalid(_ what: String) -> TensorFileError { TensorFileError(path, "tensor '\(name)': \(what)") }
        guard let entry = value as? [String: Any], let typeName = entry["dtype"] as? String,
            let shape = entry["shape"] as? [Int], let offsets = entry["data_offsets"] as? [Int], offsets.count == 2
        else { throw invalid("the header entry has no dtype, shape and data_offsets") }
        guard let dtype = DType.allCases.first(where: { $0.safetensorsName == typeName }) else {
            throw invalid("dtype \(typeName) is not supported")
        }
        var bytes = dtype.size
        for length in shape {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: length)
            guard length >= 0, !overflow else { throw invalid("shape \(shape) is impossible") }
            bytes = product
        }
        guard offsets[0] >= 0, offsets[1] >= offsets[0], offsets[1] <= data.count - start else {
            throw invalid("data_offsets \(offsets) lie outside the \(data.count - start) bytes of data")
        }
        guard offsets[1] - offsets[0] == bytes else {
            throw invalid("data_offsets \(offsets) hold \(offsets[1] - offsets[0]) bytes, \(dtype) \(shape) takes \(bytes)")
        }
        let tensor = Tensor(uninitialized: shape, dtype)
        data.withUnsafeBytes { source in
            if bytes > 0 { tensor.pointer.copyMemory(from: source.baseAddress! + start + offsets[0], byteCount: bytes) }
        }
        if dtype == .bool {
            // A byte other than 0 and 1 is no Bool.
            tensor.copyElements(from: tensor.alias().reinterpreted(.uint8).ne(0))
        }
        tensors[name] = tensor
    }
    return tensors
}

extension Tensor {
    /// The same bytes read as another dtype of the same size.
    func reinterpreted(_ dtype: DType) -> Tensor { Tensor(storage: storage, layout: layout, dtype: dtype) }
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

/// Writes a file under another name in the same folder, syncs it, and renames it: after a kill at any moment there is the
/// old file or the new one, whole.
package func writeAtomically(_ data: Data, to path: String) throws {
    let temporary = "\(path).\(ProcessInfo.processInfo.processIdentifier).part"
    func failure(_ action: String) -> TensorFileError {
        TensorFileError(path, "cannot be \(action) (\(String(cString: strerror(errno)).lowercased()))")
    }
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    guard descriptor >= 0 else { throw failure("written") }
    do {
        try data.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count {
                let count = write(descriptor, bytes.baseAddress! + written, bytes.count - written)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw failure("written") }
                written += count
            }
        }
        guard fsync(descriptor) == 0 else { throw failure("synced") }
        guard close(descriptor) == 0 else { throw failure("closed") }
        guard rename(temporary, path) == 0 else { throw failure("renamed") }
    } catch {
        unlink(temporary)
        throw error
    }
}

// How other programs store numbers, and which of Tapestry's dtypes holds them.

/// An element type of a file format. Types that Tapestry has no dtype for are widened to one that holds all their
/// values: float16 and bfloat16 to float32, short integers to int32, unsigned 32-bit ones to int64.
struct StoredElement: Equatable {
    enum Kind {
        case bool, unsigned, signed, float
        /// The upper half of a float32.
        case bfloat
    }
    let kind: Kind
    /// Bytes of an element.
    let size: Int
    var isBigEndian = false

    /// The dtype that holds all values of this type; nil if none does.
    var dtype: DType? {
        switch (kind, size) {
        case (.bool, 1): .bool
        case (.unsigned, 1): .uint8
        case (.signed, 1), (.signed, 2), (.signed, 4), (.unsigned, 2): .int32
        case (.signed, 8), (.unsigned, 4): .int64
        case (.float, 2), (.bfloat, 2), (.float, 4): .float32
        case (.float, 8): .float64
        default: nil
        }
    }

    /// Whether the stored bytes are those of a tensor.
    var isNative: Bool { dtype?.size == size && kind != .bool && !(isBigEndian && size > 1) }

    /// The bytes that elements of a shape take; nil if they are more than an Int counts. A dimension of length 0 does
    /// not hide others that are impossibly long.
    func byteCount(_ shape: [Int]) -> Int? {
        var (bytes, isEmpty) = (size, false)
        for length in shape {
            guard length >= 0 else { return nil }
            if length == 0 { isEmpty = true }
            let (product, overflow) = bytes.multipliedReportingOverflow(by: Swift.max(length, 1))
            guard !overflow else { return nil }
            bytes = product
        }
        // Widened elements may take four times the bytes.
        return bytes > Int.max / 4 ? nil : isEmpty ? 0 : bytes
    }

    /// Reads a contiguous tensor. Throws if the source ends before it; `dtype` must not be nil and `byteCount` of the
    /// shape must have been found to lie within the source.
    func tensor(_ shape: [Int], from source: some ByteSource, at offset: Int) throws -> Tensor {
        guard let dtype, let length = byteCount(shape) else {
            throw source.fault("elements of \(size) bytes in shape \(shape) cannot be read")
        }
        let tensor = Tensor(uninitialized: shape, dtype)
        if isNative {
            let target = UnsafeMutableRawBufferPointer(start: tensor.pointer, count: length)
            guard try source.read(into: target, at: offset) == length else {
                throw source.fault("ends inside the data")
            }
        } else {
            let bytes = try source.bytes(length, at: offset)
            guard bytes.count == length else { throw source.fault("ends inside the data") }
            bytes.withUnsafeBytes { convert($0, into: tensor) }
        }
        return tensor
    }

    /// Converts as many stored elements as the contiguous `target` has.
    func convert(_ source: UnsafeRawBufferPointer, into target: Tensor) {
        func each<Bits: FixedWidthInteger, T>(_: Bits.Type, _ value: (Bits) -> T) {
            let output = target.pointer.assumingMemoryBound(to: T.self)
            for index in 0..<target.count {
                let bits = source.loadUnaligned(fromByteOffset: index * size, as: Bits.self)
                output[index] = value(isBigEndian ? Bits(bigEndian: bits) : Bits(littleEndian: bits))
            }
        }
        switch (kind, size) {
        // A byte other than 0 and 1 is no Bool.
        case (.bool, 1): each(UInt8.self) { UInt8($0 == 0 ? 0 : 1) }
        case (.unsigned, 1): each(UInt8.self) { $0 }
        case (.signed, 1): each(Int8.self) { Int32($0) }
        case (.signed, 2): each(Int16.self) { Int32($0) }
        case (.unsigned, 2): each(UInt16.self) { Int32($0) }
        case (.unsigned, 4): each(UInt32.self) { Int64($0) }
        case (.float, 2): each(UInt16.self) { floatFromHalf($0) }
        case (.bfloat, 2): each(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
        case (_, 4): each(UInt32.self) { $0 }
        case (_, 8): each(UInt64.self) { $0 }
        default: preconditionFailure("elements of \(kind), \(size) bytes, have no dtype")
        }
    }
}

extension StoredElement {
    /// The element types of safetensors headers and of PyTorch's storages, by their names there.
    private static let named: [(safetensors: String, torch: String?, element: StoredElement)] = [
        ("BOOL", "BoolStorage", .init(kind: .bool, size: 1)), ("U8", "ByteStorage", .init(kind: .unsigned, size: 1)),
        ("I8", "CharStorage", .init(kind: .signed, size: 1)), ("I16", "ShortStorage", .init(kind: .signed, size: 2)),
        ("U16", nil, .init(kind: .unsigned, size: 2)), ("I32", "IntStorage", .init(kind: .signed, size: 4)),
        ("U32", nil, .init(kind: .unsigned, size: 4)), ("I64", "LongStorage", .init(kind: .signed, size: 8)),
        ("F16", "HalfStorage", .init(kind: .float, size: 2)),
        ("BF16", "BFloat16Storage", .init(kind: .bfloat, size: 2)),
        ("F32", "FloatStorage", .init(kind: .float, size: 4)), ("F64", "DoubleStorage", .init(kind: .float, size: 8)),
    ]
    /// Those of safetensors headers.
    static let safetensors = Dictionary(uniqueKeysWithValues: named.map { ($0.safetensors, $0.element) })
    /// Those of the storages in pickles.
    static let torchStorages = Dictionary(
        uniqueKeysWithValues: named.compactMap { type in type.torch.map { ($0, type.element) } })
}

/// The number that the bits of an IEEE half stand for. By hand: `Float16` is not there on every Mac.
private func floatFromHalf(_ bits: UInt16) -> Float {
    let (exponent, fraction) = (UInt32(bits >> 10) & 0x1f, UInt32(bits) & 0x3ff)
    let sign = UInt32(bits & 0x8000) << 16
    switch exponent {
    case 0: return Float(bitPattern: sign | (Float(fraction) * 0x1p-24).bitPattern)
    case 0x1f: return Float(bitPattern: sign | 0x7f80_0000 | fraction << 13)
    default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
}

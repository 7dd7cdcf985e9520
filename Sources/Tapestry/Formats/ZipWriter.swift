// Writing zip archives front to back, with 64-bit sizes where they are needed.
import CZlib

/// Puts members one after another into an archive; bytes go to the `append` that each call is given.
struct ZipWriter {
    /// The largest size and offset that the 32-bit fields take; beyond it stands in 64-bit ones. Tests lower it.
    var largestPlainSize = 0xffff_fffe
    private var position = 0
    private var count = 0
    private var directory: [UInt8] = []

    typealias Append = (UnsafeRawBufferPointer) throws -> Void

    init() {}

    /// Adds a member made of the given pieces, stored or deflated. The name is not checked for repetition.
    mutating func add(
        _ name: String, _ pieces: [UnsafeRawBufferPointer], compressed: Bool, append: Append
    ) throws {
        let size = pieces.reduce(0) { $0 + $1.count }
        let checksum = pieces.reduce(0) { crc($0, $1) }
        let packed = compressed ? try deflated(pieces) : nil
        let storedSize = packed?.count ?? size
        let isLarge = max(size, storedSize) > largestPlainSize
        let isFar = position > largestPlainSize
        let name = Array(name.utf8)

        // What the header of the member and its entry in the directory have in common.
        var shared: [UInt8] = []
        shared.add(UInt16(isLarge || isFar ? 45 : 20))  // the version of the format that a reader must know
        shared.add(UInt16(0x800))  // names are UTF-8
        shared.add(UInt16(packed == nil ? 0 : 8))
        shared.add(UInt32(0x21_0000))  // 1 January 1980: the same tensors make the same file
        shared.add(checksum)
        shared.add(isLarge ? .max : UInt32(storedSize))
        shared.add(isLarge ? .max : UInt32(size))
        shared.add(UInt16(name.count))

        var header: [UInt8] = []
        header.add(UInt32(0x0403_4b50))
        header += shared
        header.add(UInt16(isLarge ? 20 : 0))
        header += name
        if isLarge { header.addZip64([size, storedSize]) }

        directory.add(UInt32(0x0201_4b50))
        directory.add(UInt16(45))
        directory += shared
        let large = (isLarge ? [size, storedSize] : []) + (isFar ? [position] : [])
        directory.add(UInt16(large.isEmpty ? 0 : 4 + 8 * large.count))
        directory += [UInt8](repeating: 0, count: 10)  // comment, disk, attributes
        directory.add(isFar ? .max : UInt32(position))
        directory += name
        if !large.isEmpty { directory.addZip64(large) }

        try header.withUnsafeBytes { try append($0) }
        if let packed {
            try packed.withUnsafeBytes { try append($0) }
        } else {
            for piece in pieces { try append(piece) }
        }
        position += header.count + storedSize
        count += 1
    }

    /// Writes the directory: the archive is whole then.
    func finish(append: Append) throws {
        var end: [UInt8] = []
        let isLarge = max(position, directory.count) > largestPlainSize || count >= 0xffff
        if isLarge {
            end.add(UInt32(0x0606_4b50))
            end.add(UInt64(44))  // bytes of this record from here on
            end.add(UInt16(45))
            end.add(UInt16(45))
            end.add(UInt64(0))  // numbers of disks
            end.add(UInt64(count))
            end.add(UInt64(count))
            end.add(UInt64(directory.count))
            end.add(UInt64(position))
            end.add(UInt32(0x0706_4b50))
            end.add(UInt32(0))
            end.add(UInt64(position + directory.count))
            end.add(UInt32(1))
        }
        end.add(UInt32(0x0605_4b50))
        end.add(UInt32(0))
        end.add(isLarge ? .max : UInt16(count))
        end.add(isLarge ? .max : UInt16(count))
        end.add(isLarge ? .max : UInt32(directory.count))
        end.add(isLarge ? .max : UInt32(position))
        end.add(UInt16(0))
        try directory.withUnsafeBytes { try append($0) }
        try end.withUnsafeBytes { try append($0) }
    }
}

/// Deflate at zlib's default level, without a header around the data.
private func deflated(_ pieces: [UnsafeRawBufferPointer]) throws -> [UInt8] {
    var stream = z_stream()
    guard
        deflateInit2_(
            &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { throw FileError("zlib", "cannot be started") }
    defer { deflateEnd(&stream) }
    var result: [UInt8] = []
    var output = [UInt8](repeating: 0, count: 1 << 16)
    func drain(_ flush: Int32) {
        repeat {
            output.withUnsafeMutableBufferPointer { buffer in
                stream.next_out = buffer.baseAddress
                stream.avail_out = UInt32(buffer.count)
                deflate(&stream, flush)
                result += buffer[..<(buffer.count - Int(stream.avail_out))]
            }
        } while stream.avail_out == 0
    }
    for piece in pieces {
        var position = 0
        while position < piece.count {
            // zlib counts in 32 bits; it only reads what it is told to take.
            let length = min(piece.count - position, 1 << 30)
            let bytes = piece.bindMemory(to: UInt8.self).baseAddress! + position
            stream.next_in = UnsafeMutablePointer(mutating: bytes)
            stream.avail_in = UInt32(length)
            drain(Z_NO_FLUSH)
            position += length
        }
    }
    drain(Z_FINISH)
    return result
}

extension [UInt8] {
    /// A number, little-endian.
    mutating func add<T: FixedWidthInteger>(_ value: T) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
    /// The extra field for numbers that 32 bits do not hold.
    fileprivate mutating func addZip64(_ values: [Int]) {
        add(UInt16(1))
        add(UInt16(8 * values.count))
        for value in values { add(UInt64(value)) }
    }
}

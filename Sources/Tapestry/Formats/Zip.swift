// Zip archives: `.npz` files, those of `torch.save` and some datasets are made of them. Reading, also of archives above
// 4 GiB.
import CZlib

/// A zip archive opened for reading: which members there are is known, each is read when asked for.
package struct ZipArchive {
    /// A line of the archive's directory.
    package struct Member {
        package let name: String
        /// 0: stored, 8: deflated.
        let method: UInt16
        let checksum: UInt32
        let compressedSize, size: Int
        /// Where in the file the member begins.
        package let offset: Int
    }

    /// In the order of the directory.
    package let members: [Member]
    private let file: InputFile

    /// Reads and checks the directory at the end of the file.
    ///
    /// - Throws: `FileError` naming the file and the byte or member: no directory, one that lies outside the file, a
    ///   name that comes twice, members that overlap, are encrypted, or hold more than their bytes can.
    package init(_ path: String) throws {
        file = try InputFile(path)
        let (start, count, length) = try Self.locateDirectory(file)
        let directory = try file.bytes(length, at: start)
        guard directory.count == length else { throw FileError(path, "ends inside the zip directory") }
        var members: [Member] = []
        var names = Set<String>()
        var position = 0
        while position < length {
            func fault(_ message: String) -> FileError { FileError(path, "at byte \(start + position): \(message)") }
            guard length - position >= 46, directory.little(position, UInt32.self) == 0x0201_4b50 else {
                throw fault("expected an entry of the zip directory")
            }
            let (nameLength, extraLength, commentLength) = (
                Int(directory.little(position + 28, UInt16.self)), Int(directory.little(position + 30, UInt16.self)),
                Int(directory.little(position + 32, UInt16.self))
            )
            let end = position + 46 + nameLength + extraLength + commentLength
            guard end <= length else { throw fault("a directory entry is cut off") }
            let nameEnd = position + 46 + nameLength
            let name = String(decoding: directory[position + 46..<nameEnd], as: UTF8.self)
            guard directory.little(position + 8, UInt16.self) & 1 == 0 else { throw fault("'\(name)' is encrypted") }
            // Sizes and offset, each in the extra field for zip64 if it does not fit into 32 bits.
            var large = Self.zip64Values(directory[nameEnd..<nameEnd + extraLength])[...]
            let values = [24, 20, 42].map { field -> Int? in
                let value = directory.little(position + field, UInt32.self)
                return value == .max ? large.popFirst().flatMap { Int(exactly: $0) } : Int(value)
            }
            guard let size = values[0], let compressedSize = values[1], let offset = values[2] else {
                throw fault("'\(name)' lacks its zip64 sizes")
            }
            guard offset < start else { throw fault("'\(name)' is said to begin at byte \(offset)") }
            let method = directory.little(position + 10, UInt16.self)
            guard method == 0 || method == 8 else { throw fault("'\(name)': compression \(method) is not supported") }
            // Deflate makes a byte into no more than 1032.
            let (largest, overflow) = compressedSize.multipliedReportingOverflow(by: 1032)
            guard method == 0 ? size == compressedSize : overflow || size <= largest else {
                throw fault("'\(name)' claims \(size) bytes, packed into \(compressedSize)")
            }
            guard names.insert(name).inserted else { throw fault("the member '\(name)' comes twice") }
            members.append(
                Member(
                    name: name, method: method, checksum: directory.little(position + 16, UInt32.self),
                    compressedSize: compressedSize, size: size, offset: offset))
            position = end
        }
        guard members.count == count else {
            throw FileError(path, "the zip directory at byte \(start) has \(members.count) entries, not \(count)")
        }
        // Not one byte may serve two members: a small file could claim much that way.
        let places = members.sorted { $0.offset < $1.offset }
        for (index, member) in places.enumerated() {
            let next = index + 1 < places.count ? places[index + 1].offset : start
            let room = next - member.offset - 30 - member.name.utf8.count
            guard room >= member.compressedSize else {
                throw FileError(path, "member '\(member.name)' at byte \(member.offset) reaches beyond byte \(next)")
            }
        }
        self.members = members
    }

    /// Where the directory begins, how many members it lists, and its bytes.
    private static func locateDirectory(_ file: InputFile) throws -> (start: Int, count: Int, length: Int) {
        let tailStart = max(0, file.size - 22 - 0xffff)
        let tail = try file.bytes(file.size - tailStart, at: tailStart)
        // The end record carries a comment that reaches to the end of the file.
        guard tail.count >= 22,
            let place = (0...tail.count - 22).last(where: {
                tail[$0] == 0x50 && tail.little($0, UInt32.self) == 0x0605_4b50
                    && $0 + 22 + Int(tail.little($0 + 20, UInt16.self)) == tail.count
            })
        else { throw file.fault("is no zip archive, or its end is missing") }
        let end = tailStart + place
        var count = UInt64(tail.little(place + 10, UInt16.self))
        var length = UInt64(tail.little(place + 12, UInt32.self))
        var start = UInt64(tail.little(place + 16, UInt32.self))
        var limit = end
        let locator = try file.bytes(20, at: max(0, end - 20))
        if end >= 20, locator.count == 20, locator.little(0, UInt32.self) == 0x0706_4b50 {
            let place = locator.little(8, UInt64.self)
            guard end >= 76, place <= UInt64(end - 76) else {
                throw file.fault("the zip64 record at byte \(place) lies outside the file")
            }
            let record = try file.bytes(56, at: Int(place))
            guard record.count == 56, record.little(0, UInt32.self) == 0x0606_4b50 else {
                throw file.fault("at byte \(place): expected a zip64 record")
            }
            count = record.little(32, UInt64.self)
            length = record.little(40, UInt64.self)
            start = record.little(48, UInt64.self)
            limit = Int(place)
        }
        guard start <= UInt64(limit), length == UInt64(limit) - start, count <= length / 46 else {
            throw file.fault("the zip directory at byte \(start), \(length) bytes long, does not end at byte \(limit)")
        }
        return (Int(start), Int(count), Int(length))
    }

    /// The 64-bit numbers of the extra field with id 1.
    private static func zip64Values(_ extra: ArraySlice<UInt8>) -> [UInt64] {
        var rest = Array(extra)[...]
        while rest.count >= 4 {
            let fields = Array(rest.prefix(4))
            let length = Int(fields.little(2, UInt16.self))
            rest = rest.dropFirst(4)
            if fields.little(0, UInt16.self) == 1 {
                let values = Array(rest.prefix(length))
                return (0..<values.count / 8).map { values.little($0 * 8, UInt64.self) }
            }
            rest = rest.dropFirst(length)
        }
        return []
    }

    /// The bytes of a member, unpacked and compared with their checksum.
    package func contents(of member: Member) throws -> [UInt8] {
        let start = try dataStart(of: member)
        let packed = try file.bytes(member.compressedSize, at: start)
        guard packed.count == member.compressedSize else { throw fault(member, "the file ends inside it") }
        let bytes = member.method == 0 ? packed : try inflated(packed, member)
        let checksum = bytes.withUnsafeBytes { crc(0, $0) }
        guard checksum == member.checksum else { throw fault(member, "its checksum is wrong") }
        return bytes
    }

    /// The same, to be read from by position.
    func source(of member: Member) throws -> MemberSource {
        MemberSource(archive: file, name: member.name, bytes: try contents(of: member))
    }

    func fault(_ member: Member, _ message: String) -> FileError {
        file.fault("member '\(member.name)': \(message)")
    }

    /// Where the bytes of a member begin: behind its own header, whose length only it knows.
    private func dataStart(of member: Member) throws -> Int {
        let header = try file.bytes(30, at: member.offset)
        guard header.count == 30, header.little(0, UInt32.self) == 0x0403_4b50 else {
            throw fault(member, "there is no member at byte \(member.offset)")
        }
        let lengths = Int(header.little(26, UInt16.self)) + Int(header.little(28, UInt16.self))
        let start = member.offset + 30 + lengths
        guard start <= file.size, file.size - start >= member.compressedSize else {
            throw fault(member, "reaches beyond the file's end")
        }
        return start
    }

    /// Undoes deflate.
    private func inflated(_ packed: [UInt8], _ member: Member) throws -> [UInt8] {
        var stream = z_stream()
        // Negative: 15 bits of window, no header around the data.
        guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw fault(member, "zlib cannot be started")
        }
        defer { inflateEnd(&stream) }
        // Little more than what is there is set aside at first; beyond that memory grows with what comes out of it.
        var result: [UInt8] = []
        result.reserveCapacity(min(member.size, 4 * packed.count))
        var (input, output) = (packed, [UInt8](repeating: 0, count: 1 << 18))
        var (taken, status) = (0, Z_OK)
        while status == Z_OK, result.count <= member.size {
            let available = min(packed.count - taken, 1 << 30)  // zlib counts in 32 bits
            let filled = input.withUnsafeMutableBufferPointer { input in
                output.withUnsafeMutableBufferPointer { output in
                    stream.next_in = input.baseAddress.map { $0 + taken }
                    stream.avail_in = UInt32(available)
                    stream.next_out = output.baseAddress
                    stream.avail_out = UInt32(output.count)
                    status = inflate(&stream, Z_NO_FLUSH)
                    return output.count - Int(stream.avail_out)
                }
            }
            taken += available - Int(stream.avail_in)
            result += output[..<filled]
        }
        guard status == Z_STREAM_END, result.count == member.size, taken == packed.count else {
            let text =
                stream.msg.map { String(cString: $0) } ?? "\(result.count) of \(member.size) bytes, code \(status)"
            throw fault(member, "the deflated data is damaged after \(taken) bytes (\(text))")
        }
        return result
    }
}

/// The unpacked bytes of a zip archive's member.
struct MemberSource: ByteSource {
    let archive: InputFile
    let name: String
    let bytes: [UInt8]
    var size: Int { bytes.count }

    func read(into target: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        let part = bytes[min(offset, size)...].prefix(target.count)
        part.withUnsafeBytes { if !$0.isEmpty { target.copyMemory(from: $0) } }
        return part.count
    }

    func fault(_ message: String) -> FileError { archive.fault("member '\(name)': \(message)") }
}

/// The checksum of zip archives, gzip and PNG (CRC-32), going on from one of the bytes before.
package func crc(_ start: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var (result, position) = (UInt(start), 0)
    let address = bytes.bindMemory(to: UInt8.self).baseAddress
    while position < bytes.count {
        let length = min(bytes.count - position, 1 << 30)
        result = UInt(crc32(uLong(result), address! + position, UInt32(length)))
        position += length
    }
    return UInt32(result)
}

extension [UInt8] {
    /// A little-endian number. The caller knows that it lies within.
    func little<T: FixedWidthInteger>(_ offset: Int, _: T.Type) -> T {
        withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
    }
}

// The IDX format of the MNIST database: a magic number, lengths, bytes.
import Foundation
import Tapestry

/// Reads an IDX file of unsigned bytes, plain or gzip: uint8 [N] + `itemShape`.
///
/// - Parameter keepsCopy: keep an unpacked copy beside a large gzip file, and read that while it is right.
/// - Throws: `FileError` for a file that cannot be read, has another magic number or other items, holds fewer bytes
///   than its header claims, or more.
func readIDX(_ path: String, itemShape: [Int], keepsCopy: Bool = false) throws -> Tensor {
    let reader = try GzipReader(path)
    let copy = keepsCopy ? try UnpackedCopy(of: path, reader.trailer()) : nil
    if let copy, let content = try? IDX(GzipReader(copy.path), copy.path, itemShape), copy.isRight(content) {
        return content.items
    }
    let content = try IDX(reader, path, itemShape)
    copy?.write(content)
    return content.items
}

/// What an IDX file holds.
struct IDX {
    let header: [UInt8]
    let items: Tensor

    /// Reads everything.
    init(_ reader: GzipReader, _ path: String, _ itemShape: [Int]) throws {
        let dimensions = 1 + itemShape.count
        let header = try reader.read(4 + 4 * dimensions)
        guard header.count == 4 + 4 * dimensions else {
            throw FileError(path, "ends at byte \(header.count), inside the header of \(4 + 4 * dimensions) bytes")
        }
        func word(_ index: Int) -> Int { header[4 * index..<4 * index + 4].reduce(0) { $0 << 8 | Int($1) } }
        let magic = 0x0800 + dimensions
        guard word(0) == magic else {
            throw FileError(
                path, "the magic number at byte 0 is \(word(0)), expected \(magic) (IDX, \(dimensions)-d bytes)")
        }
        let shape = (1...dimensions).map(word)
        guard Array(shape.dropFirst()) == itemShape else {
            throw FileError(
                path, "items are \(words(shape.dropFirst())) by the header at byte 8, expected \(words(itemShape))")
        }
        // The number of items has 32 bits and an item is small: no overflow.
        let count = shape.reduce(1, *)
        let claim = "the header at byte 4 claims " + words(shape) + (dimensions > 1 ? " = \(count)" : "") + " bytes"
        guard count <= reader.largestContent else { throw FileError(path, "\(claim), more than the file can hold") }
        func check(_ found: Int) throws {
            guard found == count else { throw FileError(path, "\(claim), the file holds \(found)") }
        }
        if count > reader.affordable { try check(GzipReader(path).skip(header.count + count) - header.count) }
        items = Tensor.empty(shape, dtype: .uint8)
        try check(items.withElements(as: UInt8.self) { try reader.fill(UnsafeMutableRawBufferPointer($0)) })
        guard try reader.read(1).isEmpty else {
            throw FileError(path, "there are bytes behind the \(count) that the header at byte 4 claims")
        }
        self.header = header
    }
}

/// A copy of a gzip file's content beside it, so that it need not be unpacked every time.
///
/// It is only used while it has the checksum and the length that the gzip file names: a copy that was cut off or
/// changed, or one of another file that had the same name, is replaced.
struct UnpackedCopy {
    let path: String
    private let checksum, length: UInt32

    /// nil for a plain file, and for one that is unpacked in milliseconds.
    init?(of gzip: String, _ trailer: (checksum: UInt32, length: UInt32)?) {
        guard let trailer, trailer.length >= 1 << 20 else { return nil }
        path = (gzip.hasSuffix(".gz") ? String(gzip.dropLast(3)) : gzip) + ".cache"
        (checksum, length) = trailer
    }

    func isRight(_ content: IDX) -> Bool {
        guard content.header.count + content.items.count == Int(length) else { return false }
        let start = content.header.withUnsafeBytes { crc(0, $0) }
        return content.items.withElements(as: UInt8.self) { crc(start, UnsafeRawBufferPointer($0)) } == checksum
    }

    /// Writes it, if the folder can be written to. The disk is not waited for: the checksum tells a damaged copy.
    func write(_ content: IDX) {
        // A folder that nobody may write to is left alone by the superuser too, who could.
        let folder = (path as NSString).deletingLastPathComponent
        let mode = try? FileManager.default.attributesOfItem(atPath: folder.isEmpty ? "." : folder)[.posixPermissions]
        guard let mode = mode as? Int, mode & 0o222 != 0 else { return }
        try? writeAtomically(to: path, isSynced: false) { append in
            try content.header.withUnsafeBytes(append)
            try content.items.withElements(as: UInt8.self) { try append(UnsafeRawBufferPointer($0)) }
        }
    }
}

/// `28 × 28`
private func words(_ shape: some Sequence<Int>) -> String { shape.map(String.init).joined(separator: " × ") }

extension LabelledImages {
    /// A set in two IDX files, plain or gzip: images of 28 × 28 bytes and as many labels. Of a large gzip file an unpacked
    /// copy is kept beside it if `keepsCopy` says so.
    ///
    /// - Throws: `FileError` naming the file and what is wrong with it, such as a label that has no class.
    init(
        idx folder: String, images imagesName: String, labels labelsName: String, classes: [String],
        labelRange: ClosedRange<Int>, keepsCopy: Bool = true, transform: (any Transform)?
    ) throws {
        let imagesPath = try DatasetFolder.file(imagesName, in: folder)
        let labelsPath = try DatasetFolder.file(labelsName, in: folder)
        let images = try readIDX(imagesPath, itemShape: [28, 28], keepsCopy: keepsCopy)
        let labels = try readIDX(labelsPath, itemShape: [])
        guard images.shape[0] == labels.shape[0] else {
            throw FileError(
                labelsPath,
                "holds \(labels.shape[0]) labels by its header at byte 4, but \(imagesPath) holds "
                    + "\(images.shape[0]) images")
        }
        let values = labels.array(Int.self)
        if let wrong = values.firstIndex(where: { !labelRange.contains($0) }) {
            throw FileError(
                labelsPath,
                "the label of image \(wrong), at byte \(8 + wrong), is \(values[wrong]), not "
                    + "\(labelRange.lowerBound) to \(labelRange.upperBound)")
        }
        self.init(data: images, targets: labels.to(.int64), classes: classes, transform: transform)
    }
}

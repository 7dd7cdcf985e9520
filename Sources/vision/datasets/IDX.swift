// The IDX format of the MNIST database: a magic number, lengths, bytes.
import Tapestry

/// Reads an IDX file of unsigned bytes, plain or gzip: uint8 [N] + `itemShape`.
///
/// - Throws: `FileError` for a file that cannot be read, has another magic number or other items, holds fewer bytes
///   than its header claims, or more.
func readIDX(_ path: String, itemShape: [Int]) throws -> Tensor {
    let reader = try GzipReader(path)
    let dimensions = 1 + itemShape.count
    let header = try reader.read(4 + 4 * dimensions)
    guard header.count == 4 + 4 * dimensions else {
        throw FileError(path, "ends inside the header: \(header.count) of \(4 + 4 * dimensions) bytes")
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
    let bytes = try reader.read(count)
    guard bytes.count == count else { throw FileError(path, "\(claim), the file holds \(bytes.count)") }
    guard try reader.read(1).isEmpty else {
        throw FileError(path, "there are bytes behind the \(count) that the header claims")
    }
    return Tensor(bytes, shape: shape)
}

/// `28 × 28`
private func words(_ shape: some Sequence<Int>) -> String { shape.map(String.init).joined(separator: " × ") }

extension LabelledImages {
    /// A set in two IDX files, plain or gzip: images of 28 × 28 bytes and as many labels.
    ///
    /// - Throws: `FileError` naming the file and what is wrong with it, such as a label that has no class.
    init(
        idx folder: String, images imagesName: String, labels labelsName: String, classes: [String],
        labelRange: ClosedRange<Int>, transform: (any Transform)?
    ) throws {
        let imagesPath = try DatasetFolder.file(imagesName, in: folder)
        let labelsPath = try DatasetFolder.file(labelsName, in: folder)
        let images = try readIDX(imagesPath, itemShape: [28, 28])
        let labels = try readIDX(labelsPath, itemShape: [])
        guard images.shape[0] == labels.shape[0] else {
            throw FileError(
                labelsPath, "holds \(labels.shape[0]) labels, but \(imagesPath) holds \(images.shape[0]) images")
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

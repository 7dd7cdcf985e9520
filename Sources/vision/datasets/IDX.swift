// The IDX format of the MNIST database: a magic number, lengths, bytes.
import Foundation
import Tapestry

/// Reads an IDX file of unsigned bytes with a known number of dimensions, plain or gzip.
///
/// - Throws: `FileError` for a file that cannot be read, has another magic number, holds fewer bytes than its header
///   claims, or more.
func readIDX(_ path: String, dimensions: Int) throws -> Tensor {
    let reader = try GzipReader(path)
    let header = try reader.read(4 + 4 * dimensions)
    guard header.count == 4 + 4 * dimensions else {
        throw FileError(path, "ends inside the header: \(header.count) of \(4 + 4 * dimensions) bytes")
    }
    func word(_ index: Int) -> Int { header[4 * index..<4 * index + 4].reduce(0) { $0 << 8 | Int($1) } }
    let magic = 0x0800 + dimensions
    guard word(0) == magic else {
        throw FileError(path, "the magic number at byte 0 is \(word(0)), expected \(magic) (IDX, \(dimensions)-d bytes)")
    }
    let shape = (1...dimensions).map(word)
    // Lengths have 32 bits: the product of three may overflow.
    guard let count = shape.reduce(Int?(1), { product, length in
        product.flatMap { let (value, overflow) = $0.multipliedReportingOverflow(by: length); return overflow ? nil : value }
    }), count <= 1 << 40 else {
        throw FileError(path, "the header at byte 4 claims \(shape.map(String.init).joined(separator: " × ")) bytes")
    }
    let bytes = try reader.read(count + 1)
    guard bytes.count >= count else {
        throw FileError(
            path, "the header at byte 4 claims \(shape.map(String.init).joined(separator: " × ")) = \(count) bytes, the "
                + "file holds \(bytes.count)")
    }
    guard bytes.count == count else { throw FileError(path, "there are bytes behind the \(count) that the header claims") }
    return Tensor(bytes, shape: shape)
}

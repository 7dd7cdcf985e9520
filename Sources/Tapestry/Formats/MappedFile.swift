// Files seen as memory: pages are read from the disk when they are first touched.
import Foundation

/// A file mapped into memory. Writing changes private copies of pages, never the file.
///
/// As with every mapping, the file must not be cut short while it is in use; a file that is replaced by renaming, as
/// all writers here do, stays whole for those who have mapped it.
///
/// `@unchecked Sendable`: nothing here changes; see `Storage` for the memory itself.
final class MappedFile: @unchecked Sendable {
    let pointer: UnsafeMutableRawPointer
    let size: Int

    /// Maps as many bytes as the file had when it was opened. Throws `FileError` if the file is empty or the system
    /// refuses.
    init(_ file: InputFile) throws {
        size = file.size
        // Not reserved: hardly ever is a page written to, and weights may be larger than memory and swap.
        let address = mmap(
            nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file.descriptor, 0)
        guard let address, address != MAP_FAILED else { throw FileError.system(file.path, "mapped") }
        pointer = address
    }

    deinit { munmap(pointer, size) }

    /// A tensor over the bytes from `offset` on, without reading them. The caller knows that they lie within the file
    /// and that `offset` is a multiple of the element's size.
    func tensor(_ shape: [Int], _ dtype: DType, at offset: Int) -> Tensor {
        let layout = Layout(contiguous: shape)
        let storage = BorrowedStorage(pointer: pointer + offset, byteCount: layout.count * dtype.size, owner: self)
        return Tensor(storage: storage, layout: layout, dtype: dtype)
    }
}

// Memory whose neighbours are not mapped: a kernel that reads or writes one byte too far ends the tests.
import Foundation
import Kernels

/// Blocks of memory that end right before a page without access, or begin right after one, and hold numbers from 0.25
/// to 1. The bytes of the page that belong to no element must stay as they are.
final class GuardedMemory {
    /// Which side has the page without access at once.
    enum Side: CaseIterable { case behind, before }

    private struct Block {
        let start: UnsafeMutableRawPointer
        let pages: Int
        let elements: Range<Int>
    }

    private let side: Side
    private var blocks: [Block] = []
    private static let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
    private static let canary: UInt8 = 0xa5

    init(_ side: Side) { self.side = side }

    deinit {
        for block in blocks { munmap(block.start, (block.pages + 2) * Self.pageSize) }
    }

    /// Memory for `count` elements.
    func make<T: BinaryFloatingPoint & BitwiseCopyable>(_ count: Int, _: T.Type) -> UnsafeMutableRawPointer {
        let pointer = bytes(count * MemoryLayout<T>.stride)
        for index in 0..<count {
            pointer.storeBytes(
                of: T(0.25 + 0.75 * Double(index % 13) / 13), toByteOffset: index * MemoryLayout<T>.stride, as: T.self)
        }
        return pointer
    }

    /// Memory for so many bytes, zeros.
    func bytes(_ count: Int) -> UnsafeMutableRawPointer {
        let pages = max(1, (count + Self.pageSize - 1) / Self.pageSize)
        let whole = mmap(nil, (pages + 2) * Self.pageSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
        precondition(whole != MAP_FAILED, "no address space left")
        let inside = whole + Self.pageSize
        precondition(mprotect(inside, pages * Self.pageSize, PROT_READ | PROT_WRITE) == 0, "memory cannot be unlocked")
        memset(inside, Int32(Self.canary), pages * Self.pageSize)
        let offset = side == .behind ? pages * Self.pageSize - count : 0
        memset(inside + offset, 0, count)
        blocks.append(Block(start: whole, pages: pages, elements: offset..<(offset + count)))
        return inside + offset
    }

    /// Whether nothing was written beside the elements.
    var isClean: Bool {
        blocks.allSatisfy { block in
            let inside = UnsafeRawBufferPointer(start: block.start + Self.pageSize, count: block.pages * Self.pageSize)
            return inside.indices.allSatisfy { block.elements.contains($0) || inside[$0] == Self.canary }
        }
    }
}

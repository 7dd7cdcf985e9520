// The memory of tensors. Raw pointers live here and in the kernel modules; everything above is safe Swift.
import Foundation
import Kernels

/// A block of memory that one or more tensors view. Aligned to 64 bytes, taken from and given back to the pool,
/// or part of a mapped file.
///
/// `@unchecked Sendable`: as in torch, reading from several threads is safe and writing while another thread reads
/// is the caller's mistake; the pool itself is locked.
class Storage: @unchecked Sendable {
    final let pointer: UnsafeMutableRawPointer
    final let byteCount: Int
    /// Counts in-place changes, so that backward notices when a tensor that it saved was changed.
    private(set) final var version: UInt32 = 0
    /// Whether this memory is the pool's.
    private final let isPooled: Bool

    /// Uninitialised memory for `byteCount` bytes; nil if the system has not got so much.
    init?(byteCount: Int) {
        guard byteCount >= 0, let block = BufferPool.take(byteCount) else { return nil }
        pointer = block
        self.byteCount = byteCount
        isPooled = true
    }

    /// Memory that is not the pool's.
    fileprivate init(pointer: UnsafeMutableRawPointer, byteCount: Int) {
        (self.pointer, self.byteCount, isPooled) = (pointer, byteCount, false)
    }

    /// Counts a change in place. After four thousand million changes it counts from 0 again.
    final func changed() { version &+= 1 }

    /// Ends the program: how much is asked for, and by which op.
    static func failTooLarge(_ size: String, _ shape: [Int], _ dtype: DType) -> Never {
        let op = GradMode.currentOp.map { ", asked for by \($0)" } ?? ""
        fail("out of memory: a \(dtype) tensor of shape \(shape) takes \(size)\(op)", nil)
    }

    deinit { if isPooled { BufferPool.give(pointer, byteCount) } }
}

/// Memory that belongs to `owner` and is valid as long as that lives: a mapped file.
final class BorrowedStorage: Storage, @unchecked Sendable {
    private let owner: AnyObject

    init(pointer: UnsafeMutableRawPointer, byteCount: Int, owner: AnyObject) {
        self.owner = owner
        super.init(pointer: pointer, byteCount: byteCount)
    }
}

/// Memory for tensors: what is in use and what is kept for reuse.
public enum Memory {
    /// Bytes in use by tensors and scratch.
    public static var inUse: Int { BufferPool.statistics.inUse }
    /// The most bytes that were in use at one time.
    public static var peak: Int { BufferPool.statistics.peakInUse }
    /// Bytes kept for reuse by tensors to come.
    public static var cached: Int { BufferPool.statistics.cached }
    /// How many bytes may be kept for reuse (4 GiB unless set).
    public static var limit: Int {
        get { BufferPool.limit }
        set { BufferPool.limit = newValue }
    }
    /// Gives all memory that is kept for reuse back to the system. Mirrors `torch.cuda.empty_cache`.
    public static func emptyCache() { BufferPool.release() }
}

/// A place in the caller's source: what errors, the graph and anomaly detection name.
///
/// `@unchecked Sendable`: the text is part of the program and lives for ever. Its address stands for it, since every
/// recorded op keeps one: a `StaticString` takes three words.
public struct SourceSite: @unchecked Sendable, CustomStringConvertible {
    private let file: UnsafePointer<UInt8>
    private let line: UInt32

    public init(_ file: StaticString, _ line: UInt) {
        self.file = file.utf8Start
        self.line = UInt32(truncatingIfNeeded: line)
    }

    /// `CNN.swift:41`
    public var description: String {
        let path = String(cString: file)
        return "\(path.split(separator: "/").last.map(String.init) ?? path):\(line)"
    }
}

/// Ends the program because of a programmer's mistake: one line on standard error, in debug and release.
@inline(never)
package func fail(_ message: @autoclosure () -> String, _ site: SourceSite?) -> Never {
    let place = site.map { " at \($0)" } ?? ""
    FileHandle.standardError.write(Data("tapestry: \(message())\(place)\n".utf8))
    abort()
}

/// Ends the program with `message` unless `condition` holds. The message is built only on failure.
@inline(__always)
package func require(_ condition: Bool, _ message: @autoclosure () -> String, _ site: SourceSite?) {
    if !condition { fail(message(), site) }
}

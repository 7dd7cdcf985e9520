// Memory for tensors and scratch: 64-byte aligned blocks in size classes, handed out again uninitialised.
// A fresh page costs microseconds on a virtual machine, more than the kernel that fills it; a pooled one, nothing.
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif
import Synchronization

/// A process-wide pool of aligned memory blocks. Thread safe.
public enum BufferPool {
    /// Alignment of every block, in bytes.
    public static let alignment = 64

    /// What the pool holds and has handed out, in bytes.
    public struct Statistics: Sendable {
        /// Bytes handed out and not yet given back.
        public var inUse = 0
        /// Bytes kept for reuse.
        public var cached = 0
        /// The largest `inUse` so far.
        public var peakInUse = 0
        /// Blocks asked of the system so far.
        public var systemAllocations = 0
    }

    private struct State: ~Copyable {
        var free: [[UInt]] = Array(repeating: [], count: classCount)
        var statistics = Statistics()
        var limit = 4 << 30
    }

    private static let state = Mutex(State())
    private static let classCount = 3 + 4 * 48

    /// Four classes an octave: waste stays under a fifth. Class sizes are multiples of 64 bytes.
    private static func sizeClass(_ bytes: Int) -> (index: Int, size: Int) {
        let units = max(1, (bytes + 63) >> 6)  // of 64 bytes
        if units < 4 { return (units - 1, units << 6) }
        let octave = Int.bitWidth - 1 - units.leadingZeroBitCount  // units in 2^octave ..< 2^(octave+1)
        let step = octave - 2
        let quarter = (units - 1) >> step  // rounds up to the next quarter of the octave
        let size = (quarter + 1) << step
        return (3 + step * 4 + (quarter - 3), size << 6)
    }

    /// A block of at least `bytes` bytes, its contents undefined; nil if the system has no more memory.
    public static func take(_ bytes: Int) -> UnsafeMutableRawPointer? {
        let (index, size) = sizeClass(bytes)
        guard index < classCount else { return nil }
        let cached: UInt? = state.withLock { state in
            state.statistics.inUse += size
            state.statistics.peakInUse = max(state.statistics.peakInUse, state.statistics.inUse)
            guard let block = state.free[index].popLast() else {
                state.statistics.systemAllocations += 1
                return nil
            }
            state.statistics.cached -= size
            return block
        }
        if let cached { return UnsafeMutableRawPointer(bitPattern: cached) }
        if let block = allocate(size) { return block }
        release()
        if let block = allocate(size) { return block }
        state.withLock { $0.statistics.inUse -= size }
        return nil
    }

    /// Gives back a block that `take(bytes)` returned, with the same `bytes`.
    public static func give(_ block: UnsafeMutableRawPointer, _ bytes: Int) {
        let (index, size) = sizeClass(bytes)
        let kept = state.withLock { state in
            state.statistics.inUse -= size
            guard state.statistics.cached + size <= state.limit else { return false }
            state.statistics.cached += size
            state.free[index].append(UInt(bitPattern: block))
            return true
        }
        if !kept { free(block) }
    }

    /// Returns all cached blocks to the system.
    public static func release() {
        let blocks = state.withLock { state in
            let all = state.free.flatMap { $0 }
            for index in state.free.indices { state.free[index] = [] }
            state.statistics.cached = 0
            return all
        }
        for block in blocks { free(UnsafeMutableRawPointer(bitPattern: block)) }
    }

    /// Bytes that may be kept for reuse; what is given back beyond it goes to the system at once.
    public static var limit: Int {
        get { state.withLock { $0.limit } }
        set { state.withLock { $0.limit = newValue } }
    }

    /// What the pool holds now.
    public static var statistics: Statistics { state.withLock { $0.statistics } }

    private static func allocate(_ size: Int) -> UnsafeMutableRawPointer? {
        var block: UnsafeMutableRawPointer?
        return posix_memalign(&block, alignment, size) == 0 ? block : nil
    }

    /// Calls `body` with scratch memory of at least `bytes` bytes, aligned to 64, its contents undefined.
    @inlinable
    public static func withScratch<Result>(_ bytes: Int, _ body: (UnsafeMutableRawPointer) -> Result) -> Result {
        guard let block = take(bytes) else { fatalError("out of memory: \(bytes) bytes of scratch for a kernel") }
        defer { give(block, bytes) }
        return body(block)
    }
}

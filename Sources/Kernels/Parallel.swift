// Parallel loops. Work is cut by shape, never by thread count: a caller says how many chunks there are, and
// which thread runs a chunk changes nothing in the result, so any number of threads gives bitwise the same.
import Dispatch
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif
import Synchronization

/// Splits loops over threads with `DispatchQueue.concurrentPerform`.
public enum Parallel {
    @usableFromInline static let threadCount = Atomic<Int>(0)
    private static let busy = Atomic<Bool>(false)

    /// Number of threads that loops may use, at least 1.
    public static var threads: Int {
        get { max(1, threadCount.load(ordering: .relaxed)) }
        set { threadCount.store(max(1, newValue), ordering: .relaxed) }
    }

    /// A thread-local word: anything but nil means that loops stay on the thread.
    private static let serial: pthread_key_t = {
        var key = pthread_key_t()
        guard pthread_key_create(&key, nil) == 0 else { fatalError("no thread-local storage left") }
        return key
    }()

    /// Runs `body` with all loops that it starts on this thread alone, so that threads in the background leave the
    /// others to the one that computes.
    public static func onOneThread<Result>(_ body: () throws -> Result) rethrows -> Result {
        let before = pthread_getspecific(serial)
        pthread_setspecific(serial, UnsafeRawPointer(bitPattern: 1))
        defer { pthread_setspecific(serial, before) }
        return try body()
    }

    /// Below this much work (in nanoseconds, roughly one scalar operation of a SIMD kernel each), threads cost
    /// more than they bring: waking a worker takes microseconds.
    @usableFromInline static let grain = 50_000

    /// Calls `body(worker, chunk)` for every chunk in `0..<chunks`, each exactly once, in any order.
    ///
    /// `worker` is in `0..<workers` and no two calls with one worker run at the same time: use it for scratch memory, and
    /// give the number that there is room for as `workers`, since another thread may change `threads` in between. `work` is
    /// the estimated cost of the whole loop in nanoseconds on one core; small loops run on the calling thread. A loop
    /// started while another one is running (from a loop's body or from another thread of the program) runs on its calling
    /// thread too.
    public static func forEach(
        chunks: Int, work: Int, workers most: Int = .max, _ body: (_ worker: Int, _ chunk: Int) -> Void
    ) {
        let workers = min(threads, chunks, most)
        if workers > 1, work >= grain, pthread_getspecific(serial) == nil,
            busy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
        {
            let next = Atomic<Int>(0)
            withoutActuallyEscaping(body) { escaping in
                // Safe: concurrentPerform returns only after every call has; chunks write disjoint memory.
                nonisolated(unsafe) let body = escaping
                DispatchQueue.concurrentPerform(iterations: workers) { worker in
                    while true {
                        let chunk = next.wrappingAdd(1, ordering: .relaxed).oldValue
                        if chunk >= chunks { break }
                        body(worker, chunk)
                    }
                }
            }
            busy.store(false, ordering: .releasing)
        } else {
            for chunk in 0..<chunks { body(0, chunk) }
        }
    }

    /// Cuts `0..<count` into ranges of `size` (the last one shorter) and calls `body` for each, as `forEach`.
    public static func forRanges(
        of count: Int, size: Int, work: Int, workers: Int = .max, _ body: (_ worker: Int, _ range: Range<Int>) -> Void
    ) {
        guard count > 0 else { return }
        let chunks = (count + size - 1) / size
        if chunks == 1 { return body(0, 0..<count) }
        forEach(chunks: chunks, work: work, workers: workers) { worker, chunk in
            body(worker, chunk * size..<min(count, (chunk + 1) * size))
        }
    }
}

// How much memory something may take at most.
#if os(Linux)
    import Foundation
    import Tapestry

    /// Runs `body` while this process may take no more than `bytes` of memory beyond what it has: an allocation above that
    /// ends it. For exit tests.
    ///
    /// What has been freed and kept for reuse is given back first. What the system's allocator still has in its small
    /// bins and what threads set aside for themselves is not counted: a bound far below some hundred kilobytes is not
    /// kept exactly.
    package func withMemoryLimit<Result>(_ bytes: Int, _ body: () throws -> Result) rethrows -> Result {
        Memory.emptyCache()
        trim()
        var before = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &before)
        defer { setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &before) }
        var limit = before
        limit.rlim_cur = min(before.rlim_max, rlim_t(writableMemory + bytes))
        setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit)
        return try body()
    }

    /// `malloc_trim(0)`, whose header Swift does not see.
    private func trim() {
        guard let symbol = dlsym(nil, "malloc_trim") else { return }
        _ = unsafeBitCast(symbol, to: (@convention(c) (Int) -> Int32).self)(0)
    }

    /// Memory that this process can write to, in bytes, used or not.
    private var writableMemory: Int {
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmData:") }
        return 1024 * (line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0)
    }
#endif

// What ops cost: `profile { … }` times every op of a stretch of the program.
import Foundation
import Kernels
import Synchronization

/// Times of the ops that ran inside `profile { … }`: a table, and a trace for a browser's timeline.
public struct Profile: Sendable, CustomStringConvertible {
    /// The ops of one name.
    public struct Entry: Sendable {
        /// The op, as the drawn graph names it; `Op.backward` is its gradient.
        public let name: String
        /// How often it ran.
        public let calls: Int
        /// Seconds from begin to end, and those not spent in other ops that it called.
        public let totalSeconds, selfSeconds: Double
        /// Floating-point operations of its own convolutions and matrix products; 0 for all else.
        public let operations: Int
        /// Bytes of its inputs and outputs.
        public let bytes: Int
    }

    /// One run of an op. Times are seconds since the profile began.
    struct Event: Sendable {
        let name, category, shapes: String
        let site: SourceSite?
        let thread: Int
        let start, seconds, selfSeconds: Double
        let operations, bytes: Int
    }

    /// Seconds from begin to end, what was not ops included.
    public let seconds: Double
    let events: [Event]

    /// The ops, the one with the most time of its own first.
    public var entries: [Entry] {
        Dictionary(grouping: events, by: \.name).map { name, events in
            Entry(
                name: name, calls: events.count, totalSeconds: events.reduce(0) { $0 + $1.seconds },
                selfSeconds: events.reduce(0) { $0 + $1.selfSeconds }, operations: events.reduce(0) { $0 + $1.operations },
                bytes: events.reduce(0) { $0 + $1.bytes })
        }
        .sorted { ($1.selfSeconds, $0.name) < ($0.selfSeconds, $1.name) }
    }

    /// A table, a line for each op: calls, milliseconds with and without inner ops, share of the whole, GFLOP/s, megabytes.
    public var description: String {
        let entries = entries
        let width = max(10, entries.map(\.name.count).max() ?? 0)
        func left(_ text: String) -> String { text.padding(toLength: width, withPad: " ", startingAt: 0) }
        func right(_ text: String, _ width: Int = 10) -> String {
            String(repeating: " ", count: max(1, width - text.count)) + text
        }
        func number(_ value: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", value) }
        var lines = [
            left("op") + ["calls", "total ms", "self ms", "share", "GFLOP/s", "MB"].map { right($0) }.joined()
        ]
        for entry in entries {
            let rate = entry.operations > 0 ? number(Double(entry.operations) / entry.selfSeconds / 1e9, 1) : "–"
            lines.append(
                left(entry.name) + right("\(entry.calls)") + right(number(entry.totalSeconds * 1000, 3))
                    + right(number(entry.selfSeconds * 1000, 3)) + right(number(entry.selfSeconds / seconds * 100, 1) + " %")
                    + right(rate) + right(number(Double(entry.bytes) / 1e6, 2)))
        }
        let inside = entries.reduce(0) { $0 + $1.selfSeconds }
        lines.append(
            left("all ops") + right("\(events.count)") + right(number(seconds * 1000, 3)) + right(number(inside * 1000, 3))
                + right(number(inside / seconds * 100, 1) + " %"))
        return lines.joined(separator: "\n")
    }

    /// Writes the timeline as a Chrome trace (JSON), which chrome://tracing and Perfetto open. Throws if the file cannot
    /// be written.
    public func writeChromeTrace(to path: String) throws {
        struct Trace: Encodable {
            struct Event: Encodable {
                let name, cat: String
                let ph = "X"
                let pid = 1
                let tid: Int
                let ts, dur: Double
                let args: [String: String]
            }
            let displayTimeUnit = "ms"
            let traceEvents: [Event]
        }
        let trace = Trace(
            traceEvents: events.map { event in
                var details = ["shapes": event.shapes, "bytes": "\(event.bytes)"]
                if event.operations > 0 { details["operations"] = "\(event.operations)" }
                if let site = event.site { details["source"] = site.description }
                return Trace.Event(
                    name: event.name, cat: event.category, tid: event.thread, ts: event.start * 1e6,
                    dur: event.seconds * 1e6, args: details)
            })
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        let data = try encoder.encode(trace)
        try writeAtomically(to: path) { append in try data.withUnsafeBytes(append) }
    }
}

/// Runs `body`, times every op in it (on any thread), prints the table if `printing`, and returns the figures.
/// Mirrors `torch.profiler.profile`. Profiles do not nest: inside another one this only runs `body`, and its table is empty.
///
///     try profile { model(x).sum().backward() }.writeChromeTrace(to: "trace.json")
@discardableResult
public func profile(printing: Bool = true, _ body: () throws -> Void) rethrows -> Profile {
    let isOuter = Profiler.begin()
    let start = Profiler.now
    do {
        try body()
    } catch {
        if isOuter { _ = Profiler.end() }
        throw error
    }
    let seconds = Profiler.now - start
    let result = Profile(seconds: seconds, events: isOuter ? Profiler.end() : [])
    if printing { print(result) }
    return result
}

/// Where running ops report to.
enum Profiler {
    private static let active = Atomic<Bool>(false)
    private static let state = Mutex(State())

    private struct State {
        var start = 0.0
        var events: [Profile.Event] = []
        /// The ops that are running, by thread.
        var running: [UInt: [Frame]] = [:]
        /// Threads in order of appearance: small numbers for the trace.
        var threads: [UInt: Int] = [:]
    }

    /// An op that is running.
    private struct Frame {
        var innerSeconds = 0.0
        var operations = 0
    }

    /// Whether ops are being timed: all that they pay for when they are not.
    @inline(__always)
    static var isActive: Bool { active.load(ordering: .relaxed) }

    static var now: Double { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }

    /// Starts; false if a profile is running already.
    static func begin() -> Bool {
        guard active.compareExchange(expected: false, desired: true, ordering: .relaxed).exchanged else { return false }
        state.withLock { $0 = State(start: now) }
        return true
    }

    static func end() -> [Profile.Event] {
        active.store(false, ordering: .relaxed)
        return state.withLock { state in
            defer { state = State() }
            return state.events.sorted { $0.start < $1.start }
        }
    }

    /// Times `body` as a run of an op.
    static func measure<Result>(
        _ name: String, _ category: String, _ inputs: [Tensor], _ site: SourceSite?, _ outputs: (Result) -> [Tensor],
        _ body: () -> Result
    ) -> Result {
        let thread = UInt(bitPattern: Int(truncatingIfNeeded: threadIdentifier))
        state.withLock { $0.running[thread, default: []].append(Frame()) }
        let start = now
        let result = body()
        let seconds = now - start
        let outputs = outputs(result)
        let bytes = (inputs + outputs).reduce(0) { $0 + $1.count * $1.dtype.size }
        let shapes = "\(inputs.map(\.shape)) → \(outputs.map(\.shape))"
        state.withLock { state in
            guard let frame = state.running[thread]?.popLast() else { return }
            if let outer = state.running[thread]?.indices.last {
                state.running[thread]![outer].innerSeconds += seconds
            }
            let number = state.threads[thread] ?? state.threads.count + 1
            state.threads[thread] = number
            state.events.append(
                Profile.Event(
                    name: name, category: category, shapes: shapes, site: site, thread: number, start: start - state.start,
                    seconds: seconds, selfSeconds: max(0, seconds - frame.innerSeconds), operations: frame.operations,
                    bytes: bytes))
        }
        return result
    }

    /// Adds floating-point operations to the op that is running on this thread.
    static func count(operations: Int) {
        guard isActive else { return }
        let thread = UInt(bitPattern: Int(truncatingIfNeeded: threadIdentifier))
        state.withLock { state in
            guard let last = state.running[thread]?.indices.last else { return }
            state.running[thread]![last].operations += operations
        }
    }

    private static var threadIdentifier: UInt64 {
        #if canImport(Darwin)
            UInt64(UInt(bitPattern: pthread_self()))
        #else
            UInt64(pthread_self())
        #endif
    }
}

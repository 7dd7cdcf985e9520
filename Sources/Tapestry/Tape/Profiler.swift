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
                selfSeconds: events.reduce(0) { $0 + $1.selfSeconds },
                operations: events.reduce(0) { $0 + $1.operations },
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
            String(repeating: " ", count: max(0, width - text.count)) + text
        }
        func number(_ value: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", value) }
        var lines = [
            left("op") + ["calls", "total ms", "self ms", "share", "GFLOP/s", "MB"].map { right($0) }.joined()
        ]
        for entry in entries {
            let rate = entry.operations > 0 ? number(Double(entry.operations) / entry.selfSeconds / 1e9, 1) : "–"
            lines.append(
                left(entry.name) + right("\(entry.calls)") + right(number(entry.totalSeconds * 1000, 3))
                    + right(number(entry.selfSeconds * 1000, 3))
                    + right(number(entry.selfSeconds / seconds * 100, 1) + " %")
                    + right(rate) + right(number(Double(entry.bytes) / 1e6, 2)))
        }
        let inside = entries.reduce(0) { $0 + $1.selfSeconds }
        lines.append(
            left("all ops") + right("\(events.count)") + right(number(seconds * 1000, 3))
                + right(number(inside * 1000, 3))
                + right(number(inside / seconds * 100, 1) + " %") + right("") + right(""))
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
                let tid = 1
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
                    name: event.name, cat: event.category, ts: event.start * 1e6,
                    dur: event.seconds * 1e6, args: details)
            })
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        let data = try encoder.encode(trace)
        try writeAtomically(to: path) { append in try data.withUnsafeBytes(append) }
    }
}

/// Runs `body`, times every op in it that this thread runs (kernels may use others), prints the table if `printing`, and
/// returns the figures. Inside another profile it takes the ops away from that one. Mirrors `torch.profiler.profile`.
///
///     try profile { model(x).sum().backward() }.writeChromeTrace(to: "trace.json")
@discardableResult
public func profile(printing: Bool = true, _ body: () throws -> Void) rethrows -> Profile {
    let recorder = Profiler.Recorder()
    try Profiler.with(recorder, body)
    let result = Profile(seconds: Profiler.now - recorder.start, events: recorder.events.sorted { $0.start < $1.start })
    if printing { print(result) }
    return result
}

/// Where running ops report to.
enum Profiler {
    /// What one profile has seen so far. Used by one thread only.
    final class Recorder {
        let start = Profiler.now
        var events: [Profile.Event] = []
        /// The ops that are running, the innermost last.
        var running: [Frame] = []
    }

    /// An op that is running.
    struct Frame {
        var innerSeconds = 0.0
        var operations = 0
    }

    /// How many profiles are running, in all threads: all that ops look at when there is none.
    private static let count = Atomic<Int>(0)
    @TaskLocal private static var recorder: Unchecked?

    /// Safe: a task-local value is seen by the thread that set it, and by no other before it is taken back.
    private struct Unchecked: @unchecked Sendable { let recorder: Recorder }

    /// Whether ops of this thread are being timed.
    @inline(__always)
    static var isActive: Bool { count.load(ordering: .relaxed) > 0 && recorder != nil }

    static var now: Double { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 }

    static func with(_ recorder: Recorder, _ body: () throws -> Void) rethrows {
        count.wrappingAdd(1, ordering: .relaxed)
        defer { count.wrappingSubtract(1, ordering: .relaxed) }
        try $recorder.withValue(Unchecked(recorder: recorder), operation: body)
    }

    /// Times `body` as a run of an op.
    static func measure<Result>(
        _ name: String, _ category: String, _ inputs: [Tensor], _ site: SourceSite?, _ outputs: (Result) -> [Tensor],
        _ body: () -> Result
    ) -> Result {
        guard let recorder = recorder?.recorder else { return body() }
        recorder.running.append(Frame())
        let start = now
        let result = body()
        let seconds = now - start
        let frame = recorder.running.removeLast()
        if let outer = recorder.running.indices.last { recorder.running[outer].innerSeconds += seconds }
        let outputs = outputs(result)
        recorder.events.append(
            Profile.Event(
                name: name, category: category, shapes: "\(inputs.map(\.shape)) → \(outputs.map(\.shape))", site: site,
                start: start - recorder.start, seconds: seconds, selfSeconds: max(0, seconds - frame.innerSeconds),
                operations: frame.operations, bytes: (inputs + outputs).reduce(0) { $0 + $1.count * $1.dtype.size }))
        return result
    }

    /// Adds floating-point operations to the op that is running on this thread.
    static func count(operations: Int) {
        guard isActive, let recorder = recorder?.recorder, let last = recorder.running.indices.last else { return }
        recorder.running[last].operations += operations
    }
}

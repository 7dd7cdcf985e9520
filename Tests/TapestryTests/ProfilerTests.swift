// The profiler's figures and its trace.
import Foundation
import Testing

@testable import Tapestry

@Suite(.serialized) struct ProfilerTests {
    @Test func everyOpIsCountedWithItsGradient() throws {
        let (x, w) = (leaf([4, 3, 8, 8]), leaf([5, 3, 3, 3], seed: 2))
        let result = profile(printing: false) { Tensor.conv2d(x, w, padding: 1).relu().sum().backward() }
        let entries = Dictionary(uniqueKeysWithValues: result.entries.map { ($0.name, $0) })
        let forward = try #require(entries["Conv2d"])
        #expect(forward.calls == 1 && forward.operations == 2 * 4 * 5 * 8 * 8 * 27)
        #expect(forward.bytes == 8 * (4 * 3 * 64 + 5 * 27 + 4 * 5 * 64))
        #expect(entries["Conv2dInputGradient"]?.operations == forward.operations)
        #expect(entries["Relu.backward"]?.calls == 1)
        // What an op calls is in its total, not in its own time.
        let backward = try #require(entries["Conv2d.backward"])
        #expect(backward.totalSeconds >= backward.selfSeconds + entries["Conv2dInputGradient"]!.totalSeconds * 0.999)
        #expect(result.entries.reduce(0) { $0 + $1.selfSeconds } <= result.seconds)
        let lines = result.description.split(separator: "\n")
        #expect(lines.count == result.entries.count + 2 && Set(lines.map(\.count)).count == 1)
    }

    @Test func nothingIsTimedOutside() {
        let result = profile(printing: false) {}
        _ = leaf([3]).exp()
        #expect(result.entries.isEmpty)
    }

    @Test func theTraceIsJSONThatBrowsersRead() throws {
        let path = NSTemporaryDirectory() + "tapestry-trace-\(UInt32.random(in: 0 ... .max)).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try profile(printing: false) { leaf([2, 2]).matmul(leaf([2, 2])).sum().backward() }.writeChromeTrace(to: path)
        let trace =
            try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any]
        let events = try #require(trace?["traceEvents"] as? [[String: Any]])
        let product = try #require(events.first { $0["name"] as? String == "MatMul" })
        #expect(product["ph"] as? String == "X" && product["dur"] as? Double ?? -1 >= 0)
        #expect((product["args"] as? [String: String])?["source"]?.hasPrefix("ProfilerTests.swift:") == true)
        #expect(throws: FileError.self) { try profile(printing: false) {}.writeChromeTrace(to: "/nowhere/trace.json") }
    }
}

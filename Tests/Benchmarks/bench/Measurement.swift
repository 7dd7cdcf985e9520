// Timing, and how results are told.
import Foundation
import Tapestry

/// What timing a workload gave.
struct Measurement {
    let workload: Workload
    /// Milliseconds of each step, sorted.
    let times: [Double]

    /// Runs a workload `steps` times, but no longer than `limit` seconds.
    init(_ workload: Workload, steps: Int, limit: Double = 30) {
        self.workload = workload
        let clock = ContinuousClock()
        let end = clock.now + .seconds(limit)
        var times: [Double] = []
        repeat {
            let time = clock.measure(workload.step)
            times.append(time / .milliseconds(1))
        } while times.count < steps && clock.now < end
        self.times = times.sorted()
    }

    var median: Double { (times[(times.count - 1) / 2] + times[times.count / 2]) / 2 }
    var best: Double { times[0] }
    var p90: Double { times[min(times.count - 1, times.count * 9 / 10)] }

    /// Billions of operations a second in the best step.
    var gigaflops: Double? { workload.operations.map { Double($0) / best / 1e6 } }
    /// Billions of bytes a second in the best step.
    var gigabytes: Double? { workload.bytes.map { Double($0) / best / 1e6 } }

    /// One JSON object on one line.
    var json: String {
        var fields = [
            "\"workload\":\"\(workload.name)\"", "\"threads\":\(numThreads)", "\"median_ms\":\(fixed(median, 4))",
            "\"min_ms\":\(fixed(best, 4))", "\"p90_ms\":\(fixed(p90, 4))", "\"steps\":\(times.count)",
            "\"items_per_step\":\(workload.items)",
        ]
        if let gigaflops { fields.append("\"gflops\":\(fixed(gigaflops, 2))") }
        if let gigabytes { fields.append("\"gbytes_per_s\":\(fixed(gigabytes, 2))") }
        fields.append("\"peak_rss_mb\":\(fixed(peakResidentMegabytes, 1))")
        return "{" + fields.joined(separator: ",") + "}"
    }
}

/// The most memory that this process has held so far.
var peakResidentMegabytes: Double {
    var usage = rusage()
    getrusage(0, &usage)  // RUSAGE_SELF, which systems import as different types
    #if canImport(Darwin)
        return Double(usage.ru_maxrss) / 1_048_576
    #else
        return Double(usage.ru_maxrss) / 1024
    #endif
}

/// A number with so many decimals.
func fixed(_ value: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", value) }

/// Text in a column of a table, numbers to the right, names to the left.
func column(_ text: String, _ width: Int, left: Bool = false) -> String {
    let space = String(repeating: " ", count: max(0, width - text.count))
    return left ? text + space : space + text
}

/// Prints a table line and does not wait for a full buffer: whoever reads a pipe sees it at once.
func tell(_ line: String) {
    print(line)
    fflush(nil)
}

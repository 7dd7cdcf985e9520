// The command line.
import Foundation

/// What the command line asks for.
struct Options {
    /// Workloads, or the name of a group of benchmarks and its shapes.
    var words: [String] = []
    var threads: Int?
    var steps: Int?
    var json = false
    var serve = false

    /// A command line that makes no sense, in one line.
    struct UsageError: Error, CustomStringConvertible { let description: String }

    static let help = """
        usage: bench [WORKLOAD…] [--threads N] [--steps N] [--json]
               bench conv [--shapes N,C,H,O,K,pad,stride …]
               bench gemm | pool | elementwise | peak | scale
               bench data [DIR]
               bench --serve [--threads N]

        Workloads: \(Workload.names.joined(separator: " ")); without any, all of them.

        conv: the share of the peak counts the multiplications of the direct sum, so it may pass 100 % where 3×3 filters are
        applied with fewer (TAPESTRY_WINOGRAD=0: with all).

        data: MNIST's first batch from gzip and from its unpacked copy, and how long W1 waits for a loader with two
        workers; DIR holds the four files of MNIST (without it the subset that ships with the package).

          --threads N  threads that kernels use (all cores)
          --steps N    steps that are timed (20 of a workload, 10 of a kernel)
          --json       one JSON object a line instead of a table
          --serve      reads lines "W1 10" (what to time, and how often) and answers each with a JSON line
        """

    /// Reads a command line; nil if it asks for help.
    init?(_ arguments: [String]) throws {
        var rest = arguments[...]
        while var word = rest.popFirst() {
            var attached: String?
            if word.hasPrefix("--"), let equals = word.firstIndex(of: "=") {
                attached = String(word[word.index(after: equals)...])
                word = String(word[..<equals])
            }
            func number() throws -> Int {
                guard let text = attached ?? rest.popFirst() else {
                    throw UsageError(description: "\(word) needs a number")
                }
                guard let value = Int(text), (1...1_000_000).contains(value) else {
                    throw UsageError(description: "\(word) is '\(text)'; expected a number from 1 to 1000000")
                }
                return value
            }
            switch word {
            case "--help", "-h": return nil
            case "--threads": threads = min(try number(), 1024)
            case "--steps": steps = try number()
            case "--json": json = true
            case "--serve": serve = true
            case "--shapes": words += attached.map { [$0] } ?? []
            case _ where word.hasPrefix("-"): throw UsageError(description: "unknown flag \(word) (--help lists all)")
            default: words.append(word)
            }
        }
    }
}

// Benchmarks: `swift run -c release bench`. What it measures is told by `--help` and in Tests/Benchmarks/README.md.
import Foundation
import Tapestry

@main
struct Bench {
    static func main() {
        do {
            guard let options = try Options(Array(CommandLine.arguments.dropFirst())) else { return tell(Options.help) }
            try run(options)
        } catch {
            FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
            exit(2)
        }
    }

    static func run(_ options: Options) throws {
        _ = InstructionSet.current  // a wrong setting in the environment ends the program before anything is printed
        if let threads = options.threads { numThreads = threads }
        manualSeed(0)
        if options.serve { return serve(options) }
        switch options.words.first {
        case "peak":
            let peak = Peak.measure()
            tell(options.json ? peak.json : peak.description)
        case "scale": benchmarkScaling(options)
        case "data": try benchmarkData(options.words.dropFirst().first, options)
        case let group? where Workload.groups.contains(group):
            try benchmarkKernels(group, Array(options.words.dropFirst()), options)
        default: try benchmarkWorkloads(options)
        }
    }

    private static func benchmarkWorkloads(_ options: Options) throws {
        let names = options.words.isEmpty ? Workload.names : options.words
        for name in names where !Workload.names.contains(name) && Workload.scaled(name) == nil {
            throw Options.UsageError(
                description: "there is no workload '\(name)'; expected one of "
                    + (Workload.names + Workload.groups + ["peak", "scale", "data"]).joined(separator: " "))
        }
        if !options.json { tell("workload  threads   median ms      min ms      p90 ms    items/s") }
        for name in names {
            let result = Measurement(warm(Workload.named(name)!), steps: options.steps ?? 20)
            if options.json {
                tell(result.json)
                continue
            }
            let rate = Double(result.workload.items) / result.median * 1000
            tell(
                column(name, 8, left: true) + column("\(numThreads)", 9) + column(fixed(result.median, 3), 12)
                    + column(fixed(result.best, 3), 12) + column(fixed(result.p90, 3), 12) + column(fixed(rate, 0), 11))
        }
    }

    private static func benchmarkKernels(_ group: String, _ shapes: [String], _ options: Options) throws {
        let peak = Peak.measure()
        if !options.json { tell(peak.description) }
        for name in Workload.kernelNames(group, shapes: shapes) {
            guard let workload = Workload.kernel(name) else {
                throw Options.UsageError(
                    description: "'\(name)' is no benchmark: see --help for how shapes are written")
            }
            let result = Measurement(warm(workload), steps: options.steps ?? 10, limit: 5)
            if options.json {
                tell(result.json)
                continue
            }
            let (rate, share, unit) =
                result.gigaflops.map { ($0, $0 / peak.gigaflops, "GFLOP/s") }
                ?? (result.gigabytes!, result.gigabytes! / peak.gigabytes, "GB/s")
            tell(
                column(name, 36, left: true) + column(fixed(result.best, 3), 10) + " ms" + column(fixed(rate, 1), 9)
                    + " \(unit)" + column(fixed(share * 100, 0), 5) + " %")
        }
    }

    /// Answers requests until standard input ends. Workloads are made at their first request and kept.
    private static func serve(_ options: Options) {
        var made: [String: Workload] = [:]
        while let line = readLine() {
            let words = line.split(separator: " ").map(String.init)
            guard let name = words.first else { continue }
            let new = { Workload.named(name) ?? Workload.kernel(name) ?? Workload.augmentation(name) }
            guard let workload = made[name] ?? new().map(warm) else {
                tell("{\"workload\":\"\(name.filter { $0 != "\"" && $0 != "\\" })\",\"error\":\"unknown workload\"}")
                continue
            }
            made[name] = workload
            tell(Measurement(workload, steps: words.dropFirst().first.flatMap { Int($0) } ?? options.steps ?? 20).json)
        }
    }

    /// Takes the first steps, which fetch memory and wake threads.
    private static func warm(_ workload: Workload) -> Workload {
        for _ in 0..<3 { workload.step() }
        return workload
    }
}

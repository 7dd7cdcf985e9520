// Thousands of random programs, each batch in a process of its own: a trap is a finding too.
import ExampleSupport
import Foundation
import Tapestry

enum Properties {
    static let flags: [Arguments.Flag] = [
        .init("--programs", "N", "how many programs (default 20000)"),
        .init("--seed", "N", "seed of the first; the next has the next seed (default 1)"),
        .init("--print", nil, "print the programs as scripts instead of running them"),
        .init("--batch", nil, "run them in this process and say each seed first"),
        .init("--check-program", nil, "check one program given as JSON on standard input"),
    ]

    static func run(_ arguments: Arguments) throws -> Bool {
        let count = try arguments.int("--programs", 1...1_000_000_000) ?? 20_000
        let seed = UInt64(try arguments.int("--seed", 0...Int(Int32.max)) ?? 1)
        if arguments.has("--check-program") {
            numThreads = 1
            let input = FileHandle.standardInput.readDataToEndOfFile()
            return report { try JSONDecoder().decode(Program.self, from: input).check() }
        }
        if arguments.has("--print") {
            for seed in seed..<(seed + UInt64(count)) {
                print("// seed \(seed)\n\(Generation.program(seed: seed).script)\n")
            }
            return true
        }
        if arguments.has("--batch") {
            numThreads = 1
            for seed in seed..<(seed + UInt64(count)) {
                FileHandle.standardOutput.write(Data("\(seed)\n".utf8))
                alarm(60)  // a program that hangs ends by this
                guard report({ try Generation.program(seed: seed).check() }) else { return false }
            }
            return true
        }
        return try runAll(count, from: seed)
    }

    /// Whether `body` threw nothing; a finding is said on standard error.
    private static func report(_ body: () throws -> Void) -> Bool {
        do {
            try body()
            return true
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            return false
        }
    }

    /// Batches in processes, one after the other; after a finding the batch goes on behind it.
    private static func runAll(_ count: Int, from first: UInt64) throws -> Bool {
        var next = first
        let end = first + UInt64(count)
        var findings = 0
        while next < end {
            let size = min(1000, end - next)
            let result = try Child.run(["properties", "--batch", "--seed", "\(next)", "--programs", "\(size)"])
            if result.hasSucceeded {
                next += size
                continue
            }
            guard let seed = result.output.split(separator: "\n").last.flatMap({ UInt64($0) }) else {
                throw FileError("torture", "a batch of programs did not start: \(result.errors)")
            }
            findings += 1
            try show(seed, result.errors)
            next = seed + 1
        }
        let statements = (first..<min(end, first + 1000)).reduce(0) {
            $0 + Generation.program(seed: $1).statements.count
        }
        print(
            "properties: \(count) programs (seeds \(first)..<\(end)), "
                + "\(statements / Int(min(end, first + 1000) - first)) statements each on average, \(findings) findings"
        )
        return findings == 0
    }

    /// Shrinks a failing program and prints it.
    private static func show(_ seed: UInt64, _ errors: String) throws {
        print("seed \(seed): \(errors.trimmingCharacters(in: .whitespacesAndNewlines))")
        let program = Generation.program(seed: seed)
        let small = program.shrunk { (try? check($0).hasSucceeded) == false }
        let result = try check(small)
        print("shrunk from \(program.statements.count) to \(small.statements.count) statements:\n\(small.script)")
        print("// \(result.errors.trimmingCharacters(in: .whitespacesAndNewlines))\n")
    }

    private static func check(_ program: Program) throws -> Child.Result {
        try Child.run(["properties", "--check-program"], input: JSONEncoder().encode(program))
    }
}

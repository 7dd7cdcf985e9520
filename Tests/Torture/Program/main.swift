// Programs that try to break the library: `swift run -c release torture COMMAND [flags]`; without a command, the help.
import ExampleSupport
import Foundation

/// One way to torture.
struct Command {
    let name, summary: String
    let flags: [Arguments.Flag]
    /// Whether nothing was found.
    let run: (Arguments) throws -> Bool
}

let help = Arguments.Flag("--help", nil, "show this")
let commands = [
    Command(
        name: "properties",
        summary: "random programs: values, gradients and second derivatives against an independent reference",
        flags: Properties.flags + [help], run: Properties.run),
    Command(
        name: "memory", summary: "training steps, dropped tapes, the pool, allocations that are too large",
        flags: [
            .init("--steps", "N", "training steps (default 10000)"),
            .init("--request", "NAME", "ask for too much memory: ends by a trap"), help,
        ],
        run: { arguments in
            if let name = arguments.string("--request") {
                MemoryStress.requests.first { $0.name == name }?.run()
                return false
            }
            return try MemoryStress.run(steps: try arguments.int("--steps", 1...Int.max) ?? 10_000)
        }),
    Command(
        name: "threads", summary: "one model used by many threads, more threads than cores",
        flags: [.init("--rounds", "N", "inferences a thread (default 200)"), help],
        run: { ThreadStress.run(rounds: try $0.int("--rounds", 1...Int.max) ?? 200) }),
    Command(
        name: "faults", summary: "full disks, read-only folders, files replaced while read, NaN, signals, clocks",
        flags: [
            .init("--rounds", "N", "reads of a file that is replaced (default 300)"),
            .init("--save", "FILE", "save a checkpoint"),
            .init("--limit", "N", "with --save: files may have N bytes"),
            .init("--nan", nil, "meet a NaN: ends by a trap"),
            .init("--clock", "LIBRARY", "try a clock that this library (of Tests/Torture/clock.c) turns back"),
            .init("--clock-run", "FOLDER", "train, and tell how long it took"),
            .init("--train", "FILE", "train until a signal comes"), help,
        ],
        run: { arguments in
            if arguments.has("--nan") { FaultStress.meetNotANumber() }
            if let path = arguments.string("--train") { try FaultStress.trainUntilSignalled(path) }
            if let folder = arguments.string("--clock-run") {
                try FaultStress.trainByTheClock(folder)
                return true
            }
            guard let path = arguments.string("--save") else {
                return try FaultStress.run(
                    rounds: try arguments.int("--rounds", 1...Int.max) ?? 300, clock: arguments.string("--clock"))
            }
            if let limit = try arguments.int("--limit", 1...Int.max) {
                signal(SIGXFSZ, SIG_IGN)  // then writing fails as on a full disk
                var bounds = rlimit(rlim_cur: rlim_t(limit), rlim_max: rlim_t(limit))
                #if canImport(Glibc)
                    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &bounds)
                #else
                    setrlimit(RLIMIT_FSIZE, &bounds)
                #endif
            }
            try FaultStress.save(to: path)
            return true
        }),
]

run("torture") {
    let words = Array(CommandLine.arguments.dropFirst())
    guard let name = words.first, name != "--help" else {
        print("torture: tries to break the library.\n\nCommands (each with --help):")
        for command in commands {
            print("  \(command.name.padding(toLength: 12, withPad: " ", startingAt: 0))\(command.summary)")
        }
        print("\nExit status 0: no finding; 1: findings; 2: usage.")
        return
    }
    guard let command = commands.first(where: { $0.name == name }) else {
        throw Arguments.UsageError(description: "there is no command '\(name)' (--help lists all)")
    }
    let arguments = try Arguments(Array(words.dropFirst()), flags: command.flags)
    if arguments.has("--help") {
        print(
            Arguments.help(
                "torture \(name): \(command.summary).", flags: command.flags,
                examples: [
                    "swift run -c release torture \(name)"
                ]))
    } else {
        exit(try command.run(arguments) ? 0 : 1)
    }
}

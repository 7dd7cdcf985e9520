// Kills a process that saves checkpoints, at random moments, and loads every checkpoint found afterwards:
// `swift run KillWhileSaving [--kills N] [--seed N]`. What is killed is this program itself, run with `--save-in DIR`.
import ExampleSupport
import Foundation

let flags: [Arguments.Flag] = [
    .init("--kills", "N", "how many kills must hit an unfinished save (default 200)"),
    .init("--seed", "N", "seed of the random moments (default 1)"),
    .init("--save-in", "DIR", "save checkpoints into a folder without end: what is killed"),
    .init("--help", nil, "show this"),
]

run("KillWhileSaving") {
    let arguments = try Arguments(Array(CommandLine.arguments.dropFirst()), flags: flags)
    if arguments.has("--help") {
        print(
            Arguments.help(
                "KillWhileSaving: kills a process that saves checkpoints and loads what it leaves.", flags: flags,
                examples: ["swift run KillWhileSaving", "swift run KillWhileSaving --kills 1000 --seed 2"]))
    } else if let folder = arguments.string("--save-in") {
        try saveWithoutEnd(in: folder)
    } else {
        let kills = try arguments.int("--kills", 1...1_000_000) ?? 200
        let seed = try arguments.int("--seed", 0...Int.max) ?? 1
        exit(try killAndLoad(kills: kills, seed: UInt64(seed)) ? 0 : 1)
    }
}

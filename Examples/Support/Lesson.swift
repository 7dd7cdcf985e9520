// What every lesson under Notebooks-as-scripts can be asked on its command line.
import Foundation

/// The wishes of whoever runs a lesson.
public struct LessonOptions: Sendable {
    /// Show in seconds that everything runs, instead of reaching the figures that the text speaks of.
    public let isQuick: Bool
    /// A folder with all of MNIST; nil for the subset that ships with the package.
    public let data: String?
}

/// Reads the command line of a lesson. `--help` prints the flags and ends the program; a command line that makes no
/// sense ends it with one line on standard error and status 2.
public func lessonOptions(_ name: String) -> LessonOptions {
    let flags: [Arguments.Flag] = [
        .init("--quick", nil, "run in seconds, without reaching the results that the text speaks of"),
        .init("--data", "DIR", "folder with all of MNIST, plain or .gz (default: the subset shipped here)"),
        .init("--help", nil, "show this"),
    ]
    var options = LessonOptions(isQuick: false, data: nil)
    run(name) {
        let arguments = try Arguments(Array(CommandLine.arguments.dropFirst()), flags: flags)
        if arguments.has("--help") {
            let help = Arguments.help(
                "\(name): a lesson as a script.", flags: flags,
                examples: [
                    "swift run \(name)", "swift run notebook Notebooks-as-scripts/\(name)/main.swift --html page.html",
                ])
            print(help)
            exit(0)
        }
        options = LessonOptions(isQuick: arguments.has("--quick"), data: arguments.string("--data"))
    }
    return options
}

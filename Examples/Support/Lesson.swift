// What every lesson under Notebooks-as-scripts can be asked on its command line.
import Foundation
import vision

/// The wishes of whoever runs a lesson.
public struct LessonOptions: Sendable {
    /// Show in seconds that everything runs, instead of reaching the figures that the text speaks of.
    public let isQuick: Bool
    /// A folder with all of MNIST; nil for the subset that ships with the package, or in a lesson without images.
    public let data: String?
    /// Passes over the training images.
    public let epochs: Int
}

/// Reads the command line of a lesson. `--help` prints the flags and ends the program; a command line that makes no
/// sense ends it with one line on standard error and status 2, a folder without MNIST or with damaged files with status 1.
///
/// - Parameters:
///   - readsDigits: whether the lesson has use for MNIST, so that `--data` can be given.
///   - epochs: how often a lesson that trains goes through the images that ship here, and through all of MNIST; another
///     number can then be asked for. `--quick` makes it one.
public func lessonOptions(
    _ name: String, readsDigits: Bool = true, epochs: (shipped: Int, all: Int)? = nil
) -> LessonOptions {
    var flags: [Arguments.Flag] = [
        .init("--quick", nil, "run in seconds, without reaching the results that the text speaks of")
    ]
    if readsDigits {
        flags.append(
            .init("--data", "DIR", "folder with all of MNIST, plain or .gz (default: the subset shipped here)"))
    }
    if let epochs {
        let numbers = epochs.shipped == epochs.all ? "\(epochs.all)" : "\(epochs.shipped); with --data \(epochs.all)"
        flags.append(.init("--epochs", "N", "passes over the training images (default \(numbers))"))
    }
    flags.append(.init("--help", nil, "show this"))
    var options: LessonOptions?
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
        let (isQuick, data) = (arguments.has("--quick"), arguments.string("--data"))
        // What a script's own lines throw ends it with a trap: files are looked at here, where one line can say it.
        if let data { for train in [true, false] { _ = try datasets.MNIST(root: data, train: train) } }
        let usual = isQuick ? 1 : (data == nil ? epochs?.shipped : epochs?.all) ?? 1
        options = LessonOptions(
            isQuick: isQuick, data: data, epochs: try arguments.int("--epochs", 1...Int.max) ?? usual)
    }
    return options!  // `run` has ended the program if anything was wrong
}

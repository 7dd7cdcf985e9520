// What to say about a script that does not compile or does not come to its end.
import Foundation

/// An error of the compiler, with the lines that belong to it.
struct Diagnostic: Equatable {
    let line: Int
    let text: String

    /// What a compiler says about a file: `PATH:LINE:COLUMN: error: …`, followed by lines of its own.
    static func parse(_ report: String, path: String) -> [Diagnostic] {
        var blocks: [(line: Int, lines: [Substring])] = []
        for line in report.split(separator: "\n", omittingEmptySubsequences: false) {
            let fields = line.dropFirst(path.count + 1).split(separator: ":", maxSplits: 2)
            if line.hasPrefix(path + ":"), fields.count == 3, let number = Int(fields[0]),
                fields[2].hasPrefix(" error:")
            {
                blocks.append((number, [line]))
            } else if !blocks.isEmpty {
                blocks[blocks.count - 1].lines.append(line)
            }
        }
        return blocks.map { block in
            Diagnostic(line: block.line, text: block.lines.joined(separator: "\n").trimmingCharacters(in: .newlines))
        }
    }
}

/// How a run has ended.
struct Failure {
    /// What to show at the cell; nil if nothing went wrong.
    let text: String?

    /// What Swift's runtime is to write about a crash: the frames of the thread, no registers, no colours.
    static let backtrace =
        "enable=yes,color=no,interactive=no,images=none,registers=none,threads=crashed,limit=64,sanitize=no,output-to=stderr"

    /// Takes the runtime's words about a crash out of a cell's output.
    init(_ end: Child.End, _ output: inout String, _ script: Script) {
        guard end != .exit(0) else {
            text = nil
            return
        }
        var lines = output.split(separator: "\n", omittingEmptySubsequences: false)
        var error: [String] = []
        if let crash = lines.firstIndex(where: { $0.hasPrefix("*** Signal ") || $0.hasPrefix("*** Program crashed") }) {
            error = Failure.frames(lines[crash...], script)
            lines.removeSubrange(crash...)
        }
        // What was wrong stands just above, in the words of the runtime or of the library.
        while lines.last?.isEmpty == true { lines.removeLast() }
        if case .signal = end, let index = lines.lastIndex(where: Failure.isReason) {
            error = lines[index...].map(Failure.readable) + error
            lines.removeSubrange(index...)
        }
        if error.first.map({ $0.hasPrefix("  at ") }) ?? true { error.insert(Failure.description(end), at: 0) }
        text = error.joined(separator: "\n")
        output = lines.joined(separator: "\n")
    }

    private static func isReason(_ line: Substring) -> Bool {
        line.contains("Fatal error") || line.contains("Precondition failed") || line.hasPrefix("tapestry: ")
    }

    /// `Swift/ErrorType.swift:254: Fatal error: Error raised at top level: …` without the place in Swift's library.
    private static func readable(_ line: Substring) -> String {
        guard line.hasPrefix("Swift/"), let range = line.range(of: "Fatal error") else { return String(line) }
        return String(line[range.lowerBound...])
    }

    /// Of the frames ` … NAME + OFFSET in PROGRAM at FOLDER/FILE:LINE:COLUMN` those of the script.
    private static func frames(_ lines: ArraySlice<Substring>, _ script: Script) -> [String] {
        let file = (script.path as NSString).lastPathComponent
        return lines.compactMap { line in
            guard let range = line.range(of: " in program at ", options: .backwards) else { return nil }
            let place = line[range.upperBound...].split(separator: "/").last ?? ""
            guard place.hasPrefix(file + ":") else { return nil }
            // Before it the number, a kind in brackets, the address and the name with its offset.
            let words = line[..<range.lowerBound].split(separator: " ")
            let name = words.drop { !$0.hasPrefix("0x") }.dropFirst().joined(separator: " ")
            let function = name.range(of: " + ", options: .backwards).map { String(name[..<$0.lowerBound]) } ?? name
            return "  at \(place) in \(function == "main" ? "the script" : function)"
        }
    }

    private static func description(_ end: Child.End) -> String {
        switch end {
        case .exit(let status): "The script ended with status \(status)."
        case .signal(let number): "The script was ended by signal \(number) (\(String(cString: strsignal(number))))."
        }
    }
}

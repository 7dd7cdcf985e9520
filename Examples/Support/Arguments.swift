// Command lines of the examples: `--flag value`, checked, with help and suggestions.
import Foundation

/// The flags of a program and what was given for them.
public struct Arguments {
    /// One flag. `value` names its value in the help; nil for a switch.
    public struct Flag: Sendable {
        public let name: String
        public let value: String?
        let help: String
        public init(_ name: String, _ value: String? = nil, _ help: String) {
            (self.name, self.value, self.help) = (name, value, help)
        }

        public static let threads = Flag(
            "--threads", "N", "threads to use (default: all cores; results are the same for any number)")
    }

    /// A command line that makes no sense, in one line.
    public struct UsageError: Error, CustomStringConvertible {
        public let description: String
        public init(description: String) { self.description = description }
    }

    private let given: [String: String]

    /// Reads a command line.
    /// - Throws: `UsageError` for an unknown flag (naming the nearest known one), a flag twice, or a missing value.
    public init(_ arguments: [String], flags: [Flag]) throws {
        var given: [String: String] = [:]
        var rest = arguments[...]
        while var word = rest.popFirst() {
            var attached: String?
            if let equals = word.firstIndex(of: "="), word.hasPrefix("--") {
                attached = String(word[word.index(after: equals)...])
                word = String(word[..<equals])
            }
            guard let flag = flags.first(where: { $0.name == word }) else {
                let nearest = flags.map { ($0.name, distance($0.name, word)) }.min { $0.1 < $1.1 }
                // Two letters that changed places make two replacements.
                let hint = nearest.map { $0.1 <= 2 ? "; did you mean \($0.0)?" : "" } ?? ""
                throw UsageError(description: "unknown flag \(word)\(hint) (--help lists all)")
            }
            guard given[flag.name] == nil else { throw UsageError(description: "\(word) is given twice") }
            if let value = flag.value {
                guard let text = attached ?? rest.popFirst() else {
                    throw UsageError(description: "\(word) needs a value: \(word) \(value)")
                }
                guard !text.isEmpty else { throw UsageError(description: "\(word) is empty: \(word) \(value)") }
                given[word] = text
            } else {
                guard attached == nil else { throw UsageError(description: "\(word) takes no value") }
                given[word] = ""
            }
        }
        self.given = given
    }

    /// Whether a flag was given.
    public func has(_ name: String) -> Bool { given[name] != nil }
    /// The text given for a flag.
    public func string(_ name: String) -> String? { given[name] }

    /// A whole number within bounds.
    public func int(_ name: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let text = given[name] else { return nil }
        guard let value = Int(text), range.contains(value) else {
            let bounds =
                range.upperBound == .max
                ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
            throw UsageError(description: "\(name) is '\(text)'; expected a whole number \(bounds)")
        }
        return value
    }

    /// A finite positive number.
    public func positive(_ name: String) throws -> Double? {
        guard let text = given[name] else { return nil }
        guard let value = Double(text), value.isFinite, value > 0 else {
            throw UsageError(description: "\(name) is '\(text)'; expected a number above 0")
        }
        return value
    }

    /// The number of `--seed`, 0 unless it is given.
    public func seed() throws -> UInt64 { UInt64(try int("--seed", 0...Int.max) ?? 0) }
    /// The number of `--threads`.
    public func threads() throws -> Int? { try int("--threads", 1...1024) }

    /// One of some names.
    public func choice(_ name: String, of choices: [String]) throws -> String? {
        guard let text = given[name] else { return nil }
        guard choices.contains(text) else {
            throw UsageError(description: "\(name) is '\(text)'; expected one of \(choices.joined(separator: ", "))")
        }
        return text
    }

    /// The help: what the program does, its flags in columns, examples.
    public static func help(_ summary: String, flags: [Flag], examples: [String]) -> String {
        let names = flags.map { $0.name + ($0.value.map { " " + $0 } ?? "") }
        let width = names.map(\.count).max() ?? 0
        let lines = zip(names, flags).map { name, flag in
            "  " + name + String(repeating: " ", count: width - name.count + 2) + flag.help
        }
        return ([summary, "", "Flags:"] + lines + ["", "Examples:"] + examples.map { "  " + $0 }).joined(
            separator: "\n")
    }
}

/// What a program reads from its command line.
public protocol ProgramSettings {
    /// The flags that it knows besides `--help`.
    static var flags: [Arguments.Flag] { get }
    /// `NAME: what the program does.`
    static var summary: String { get }
    /// Commands to copy.
    static var examples: [String] { get }
    /// What stands below the examples in the help.
    static var more: String { get }
    /// - Throws: `Arguments.UsageError` for a value that makes no sense.
    init(_ arguments: Arguments) throws
}

extension ProgramSettings {
    public static var more: String { "" }
}

/// Runs a program with the settings of its command line, or prints its help if that is wanted.
public func run<Settings: ProgramSettings>(_ name: String, _ body: (Settings) throws -> Void) {
    run(name) {
        let flags = Settings.flags + [.init("--help", nil, "show this")]
        let arguments = try Arguments(Array(CommandLine.arguments.dropFirst()), flags: flags)
        if arguments.has("--help") {
            print(Arguments.help(Settings.summary, flags: flags, examples: Settings.examples) + Settings.more)
        } else {
            try body(try Settings(arguments))
        }
    }
}

/// Runs a program: prints usage errors and exits 2, prints other errors and exits 1; one line on standard error each.
public func run(_ name: String, _ body: () throws -> Void) {
    do {
        try body()
    } catch let error as Arguments.UsageError {
        FileHandle.standardError.write(Data("\(name): \(error)\n".utf8))
        exit(2)
    } catch {
        FileHandle.standardError.write(Data("\(name): \(error)\n".utf8))
        exit(1)
    }
}

/// Number of insertions, deletions and replacements between two words (Levenshtein, 1966).
func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var row = Array(0...b.count)
    for i in a.indices {
        var diagonal = row[0]
        row[0] = i + 1
        for j in b.indices {
            let above = row[j + 1]
            row[j + 1] = min(above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1))
            diagonal = above
        }
    }
    return row[b.count]
}

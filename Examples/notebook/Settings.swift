// The command line of notebook.
import ExampleSupport

struct Settings {
    var script = ""
    var html, markdown: String?
    var optimized = false
    /// What stands behind `--`: for the script.
    var arguments: [String] = []

    static let flags: [Arguments.Flag] = [
        .init("--html", "OUT", "write a page that holds all it needs: text, code, output, figures"),
        .init("--md", "OUT", "write Markdown, with the figures in a folder beside it"),
        .init("--optimize", nil, "compile the script's own loops for speed; errors then name cells, not always lines"),
        .init("--help", nil, "show this"),
    ]

    static let help = Arguments.help(
        """
        notebook FILE [--html OUT] [--md OUT] [-- ARGUMENTS]: runs a Swift script against Tapestry, cell by cell.

        A line `// %%` begins a cell of code, `// %% [markdown]` one of text in comments. Without such lines the whole
        file is one cell. Words after -- are the script's own. If a cell fails, the status is 1.
        """, flags: flags,
        examples: [
            "swift run notebook my-model.swift",
            "swift run notebook Notebooks-as-scripts/01-pytorch-mnist-cnn/main.swift --html lesson.html",
            "swift run notebook my-model.swift --md report.md -- --epochs 2",
        ])

    /// Nil if the help is wanted.
    init?(_ words: [String]) throws {
        let own = words.prefix { $0 != "--" }
        arguments = Array(words.dropFirst(own.count + 1))
        var (flagged, files) = ([String](), [String]())
        var isValue = false
        for word in own {
            if isValue || word.hasPrefix("-") { flagged.append(word) } else { files.append(word) }
            isValue = !isValue && Settings.flags.contains { $0.name == word && $0.value != nil }
        }
        let given = try Arguments(flagged, flags: Settings.flags)
        if given.has("--help") { return nil }
        guard let file = files.first else {
            throw Arguments.UsageError(description: "no script is given: notebook FILE (--help shows more)")
        }
        guard files.count == 1 else {
            throw Arguments.UsageError(
                description: "\(files[1]) is one file too many: words for the script stand after --")
        }
        optimized = given.has("--optimize")
        (script, html, markdown) = (file, given.string("--html"), given.string("--md"))
    }
}

// The tool as a program: scripts are compiled and run, pages written.
import Foundation
import TestSupport
import Testing

@Suite struct RunTests {
    private let folder = TemporaryFolder()

    @Test func aScriptRunsAndItsPageHoldsItsOutput() throws {
        let path = try folder.script(
            """
            // %% [markdown]
            // # A small *lesson*
            // %% Numbers
            import Tapestry
            import plot
            let x = Tensor([1.0, 2, 3])
            print("sum", x.sum().item(), terminator: "")
            // %%
            let figure = plot.Figure()
            figure[0, 0].line(x)
            figure.show()
            print(CommandLine.arguments.dropFirst().joined(separator: " "))
            // %%
            print("over", x.array(Double.self)[3])
            // %%
            print("never")
            """)
        let html = path + ".html"
        let result = try notebook(path, "--html", html, "--md", path + ".md", "--", "--epochs", "2")
        #expect(result.status == 1)
        #expect(result.errors.hasSuffix("notebook: \(path): cell 4 failed: Fatal error: Index out of range\n"))
        let page = try String(contentsOfFile: html, encoding: .utf8)
        #expect(page.contains("<title>A small lesson</title>"))
        #expect(page.contains("<pre>sum 6.0</pre>"))
        #expect(page.contains("<figure tabindex=\"0\"><img src=\"data:image/svg+xml;base64,"))
        #expect(page.contains("<pre>--epochs 2</pre>"))
        #expect(page.contains("<pre class=\"error\">Fatal error: Index out of range\n  at "))
        #expect(page.contains("This cell did not run."))
        let markdown = try String(contentsOfFile: path + ".md", encoding: .utf8)
        #expect(markdown.contains("```text\nsum 6.0\n```"))
        #expect(markdown.contains("(script.swift_figures/figure-1.svg)"))
        #expect(FileManager.default.fileExists(atPath: path + "_figures/figure-1.svg"))
    }

    @Test func aScriptThatDoesNotCompileIsNamedByLine() throws {
        let path = try folder.script("// %%\nlet a = 1\n// %% second\nprint(b)\n")
        let result = try notebook(path)
        #expect(result.status == 1)
        #expect(result.errors.hasPrefix("\(path):4:7: error: cannot find 'b' in scope"))
        #expect(result.errors.hasSuffix("notebook: \(path): cell 2 (second) failed: does not compile\n"))
    }

    /// The script is ended, its page would say so, and the folder that it was compiled in is gone.
    @Test func aToolThatIsToldToEndLeavesNothing() throws {
        let path = try folder.script("print(\"ready\")\nimport Foundation\nwhile true { sleep(1) }\n")
        let process = try startNotebook([path], environment: ["TMPDIR": folder.root])
        let output = (process.standardOutput as! Pipe).fileHandleForReading
        while case let data = output.availableData, !data.isEmpty, !data.contains(0x0a) {}
        kill(process.processIdentifier, SIGTERM)
        let errors = try (process.standardError as! Pipe).fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let message = String(decoding: errors, as: UTF8.self)
        #expect(process.terminationStatus == 1 && message.contains("ended by signal 15"), "\(message)")
        let left = try FileManager.default.contentsOfDirectory(atPath: folder.root)
        #expect(!left.contains { $0.hasPrefix("notebook-") }, "\(left)")
    }

    @Test func commandLinesThatMakeNoSenseEndWithStatus2() throws {
        #expect(try notebook().status == 2)
        #expect(try notebook("a.swift", "b.swift").status == 2)
        #expect(try notebook("a.swift", "--htm", "b").errors.contains("did you mean --html?"))
        #expect(try notebook("no-such-file.swift").status == 1)
        #expect(try notebook("--help").output.hasPrefix("notebook FILE"))
    }
}

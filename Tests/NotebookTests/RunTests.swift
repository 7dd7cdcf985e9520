// The tool as a program: scripts are compiled and run, pages written.
import Foundation
import Testing

@Suite struct RunTests {
    @Test func aScriptRunsAndItsPageHoldsItsOutput() throws {
        let path = try temporaryFile(
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
        #expect(page.contains("<figure><img src=\"data:image/svg+xml;base64,"))
        #expect(page.contains("<pre>--epochs 2</pre>"))
        #expect(page.contains("<pre class=\"error\">Fatal error: Index out of range\n  at "))
        #expect(page.contains("This cell did not run."))
        let markdown = try String(contentsOfFile: path + ".md", encoding: .utf8)
        #expect(markdown.contains("```text\nsum 6.0\n```"))
        let folder = "\(path)_figures"
        #expect(markdown.contains("(\((folder as NSString).lastPathComponent)/figure-1.svg)"))
        #expect(FileManager.default.fileExists(atPath: folder + "/figure-1.svg"))
    }

    @Test func aScriptThatDoesNotCompileIsNamedByLine() throws {
        let path = try temporaryFile("// %%\nlet a = 1\n// %% second\nprint(b)\n")
        let result = try notebook(path)
        #expect(result.status == 1)
        #expect(result.errors.hasPrefix("\(path):4:7: error: cannot find 'b' in scope"))
        #expect(result.errors.hasSuffix("notebook: \(path): cell 2 (second) failed: does not compile\n"))
    }

    @Test func commandLinesThatMakeNoSenseEndWithStatus2() throws {
        #expect(try notebook().status == 2)
        #expect(try notebook("a.swift", "b.swift").status == 2)
        #expect(try notebook("a.swift", "--htm", "b").errors.contains("did you mean --html?"))
        #expect(try notebook("no-such-file.swift").status == 1)
        #expect(try notebook("--help").output.hasPrefix("notebook FILE"))
    }
}

// Runs a Swift script cell by cell and makes a page of it: `swift run notebook FILE --html OUT`.
import ExampleSupport
import Foundation
import Tapestry

run("notebook") {
    guard let settings = try Settings(Array(CommandLine.arguments.dropFirst())) else {
        print(Settings.help)
        return
    }
    let script = try Script(path: settings.script)
    // Better known before minutes of training than after.
    for path in [settings.html, settings.markdown].compactMap(\.self) { try checkWritable(path) }

    let collects = settings.html != nil || settings.markdown != nil
    let result = try Run(
        script, arguments: settings.arguments, optimized: settings.optimized, collects: collects)
    if let path = settings.html { try writeFile(Array(Page(run: result).html.utf8), to: path) }
    if let path = settings.markdown { try MarkdownPage(run: result).write(to: path) }
    if let failure = result.failure {
        let name = script.cells[failure.cell - 1].title
        throw FileError(
            script.path, "cell \(failure.cell)\(name.isEmpty ? "" : " (\(name))") failed: \(failure.error)")
    }
}

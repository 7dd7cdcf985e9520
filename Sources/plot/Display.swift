// Where pictures go that a program shows: to the terminal, or to whoever runs the program as a notebook.
import Foundation
import Tapestry

/// The agreement between `show()` and a notebook: if the environment variable `TAPESTRY_FIGURES` names a folder, a
/// picture is written there as `figure-1.svg`, `figure-2.svg`, …, and a line `[figure: figure-1.svg]` on standard output
/// marks its place among what the program prints.
enum NotebookFolder {
    /// False if nobody collects pictures, or the folder takes none.
    static func take(_ svg: @autoclosure () -> String) -> Bool {
        guard let folder = ProcessInfo.processInfo.environment["TAPESTRY_FIGURES"], !folder.isEmpty else {
            return false
        }
        let taken = (try? FileManager.default.contentsOfDirectory(atPath: folder).count) ?? 0
        let name = "figure-\(taken + 1).svg"
        let bytes = Array(svg().utf8)
        do {
            try writeAtomically(to: folder + "/" + name) { append in try bytes.withUnsafeBytes { try append($0) } }
        } catch {
            return false
        }
        print("[figure: \(name)]")
        return true
    }
}

extension Graph {
    /// Shows the recorded ops: as a picture in a notebook, as lines of text elsewhere.
    public func show() {
        if !NotebookFolder.take(svg) { print(description) }
    }
}

// A script on its way to a program: one Swift file made of all cells, built against the modules of this package.
import Foundation
import Tapestry

/// A script with its cells.
struct Script {
    let path: String
    let cells: [Cell]

    /// More than anybody writes by hand.
    private static let largest = 16 << 20

    /// - Throws: `FileError` for a file that cannot be read, is too large, or is not text.
    init(path: String) throws {
        let file = try InputFile(path)
        guard file.size <= Script.largest else { throw FileError(path, "is larger than a script can be (16 MiB)") }
        let bytes = try file.bytes(file.size, at: 0)
        if let zero = bytes.firstIndex(of: 0) { throw FileError(path, "is not text: byte \(zero) is zero") }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw FileError(path, "is not UTF-8 text") }
        let cells = try Cell.parse(text, path: path)
        guard cells.contains(where: { $0.kind == .code }) else { throw FileError(path, "holds no code") }
        (self.path, self.cells) = (path, cells)
    }

    /// The first heading of the text, else the file's name.
    var title: String {
        for cell in cells where cell.kind == .text {
            if let heading = cell.lines.first(where: { $0.hasPrefix("# ") }) {
                return Markdown.plain(String(heading.dropFirst(2)))
            }
        }
        return (path as NSString).lastPathComponent
    }

    /// The program: before each cell a mark, and each line known by its place in the script, so that errors name it.
    var program: String {
        let name = path.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: " ")
        let parts = cells.enumerated().filter { $0.element.kind == .code }.map { index, cell in
            // The semicolon keeps a closure at the beginning of a cell from becoming the call's last argument.
            """
            beginNotebookCell(\(index));
            #sourceLocation(file: "\(name)", line: \(cell.firstLine))
            \(cell.source.hasPrefix("#!") ? "//" : "")\(cell.source)
            #sourceLocation()

            """
        }
        return parts.joined() + "beginNotebookCell(\(cells.count));\n"
    }

    /// Compiled beside the program: how it says that a cell begins.
    static let marks = #"""
        import Foundation

        // Lines are passed on when they end, so that a crash takes none with it.
        private let marks: Int32 = {
            setvbuf(stdout, nil, Int32(_IOLBF), 0)
            return getenv("TAPESTRY_NOTEBOOK_MARKS").map { open($0, O_WRONLY | O_APPEND) } ?? -1
        }()

        func beginNotebookCell(_ cell: Int) {
            let file = marks
            fflush(stdout)
            guard file >= 0, let token = getenv("TAPESTRY_NOTEBOOK_TOKEN") else { return }
            let line = "\u{1e}\(String(cString: token)) \(cell)\n"
            _ = line.withCString { write(file, $0, strlen($0)) }
        }
        """#
}

/// The modules that SwiftPM has built beside this tool.
struct BuiltModules {
    /// Where `NAME.swiftmodule` are.
    let folder: String
    /// Files to link, and where the modules written in C say what they hold.
    let objects, moduleMaps: [String]

    /// Finds them beside the running program: its own list of objects names those of every module it depends on.
    ///
    /// - Throws: `FileError` if the program does not run where SwiftPM has built it.
    init() throws {
        let program = Bundle.main.executableURL?.resolvingSymlinksInPath() ?? URL(fileURLWithPath: "notebook")
        let build = program.deletingLastPathComponent().path
        let list = build + "/notebook.product/Objects.LinkFileList"
        guard let names = try? String(contentsOfFile: list, encoding: .utf8) else {
            throw FileError(list, "is missing: run the tool where SwiftPM builds it, as swift run notebook")
        }
        // The tool's own code stays out.
        objects = names.split(separator: "\n").map(String.init).filter { !$0.contains("/notebook.build/") }
        folder = build + "/Modules"
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        func maps(in folder: String) -> [String] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            return names.sorted().map { "\(folder)/\($0)/module.modulemap" }.filter {
                FileManager.default.fileExists(atPath: $0)
            }
        }
        moduleMaps = maps(in: build) + maps(in: package + "/Sources")
    }

    /// The command that makes a program of the files in a folder. Scripts may use variables of earlier cells in their
    /// functions, which Swift 5 allows in a program of one thread. Unless they are optimised, errors name their lines;
    /// the library is optimised in any case.
    func command(in folder: String, optimized: Bool) throws -> [String] {
        let list = folder + "/objects.txt"
        let quoted = objects.map { "\"\($0.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\"" }
        try quoted.joined(separator: "\n").write(toFile: list, atomically: false, encoding: .utf8)
        let maps = moduleMaps.flatMap { ["-Xcc", "-fmodule-map-file=\($0)"] }
        let reports = ["-g", "-suppress-warnings", "-diagnostic-style", "llvm"]
        let speed = optimized ? ["-O", "-wmo", "-assert-config", "Debug"] : ["-Onone"]
        return ["swiftc", "-swift-version", "5", "-module-name", "script", "-I", self.folder] + reports + speed + maps
            + ["\(folder)/main.swift", "\(folder)/Marks.swift", "@\(list)", "-lz", "-o", "\(folder)/program"]
    }
}

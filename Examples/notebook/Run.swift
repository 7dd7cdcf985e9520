// Compiling and running a script cell by cell.
import Foundation
import Tapestry

/// What has become of a cell.
struct Outcome: Equatable {
    var parts: [OutputPart] = []
    /// Nil if the cell has not run to its end.
    var seconds: Double?
    /// What went wrong in it.
    var error: String?
    /// Whether it has printed more than a page holds.
    var isCut = false
}

/// A script that has been run: an outcome for each cell, and the pictures shown.
struct Run {
    let script: Script
    var outcomes: [Outcome]
    var figures: [String: [UInt8]] = [:]
    /// The error of the first cell that failed, with its number from 1; nil if all is well.
    var failure: (cell: Int, error: String)?
    var seconds = 0.0

    /// Bytes of a cell's output that are kept, and the size of the largest picture.
    private static let mostOutput = 1 << 20, largestFigure = 32 << 20

    /// Runs a script. What it prints is passed on as it comes; with `collects` it is kept for a page as well.
    ///
    /// - Throws: `FileError` where the tool itself is at fault; a script that fails is an outcome.
    init(_ script: Script, arguments: [String] = [], optimized: Bool = false, collects: Bool) throws {
        self.script = script
        outcomes = script.cells.map { _ in Outcome() }
        let folder = NSTemporaryDirectory() + "/notebook-\(UUID().uuidString)"
        let figureFolder = folder + "/figures"
        try FileManager.default.createDirectory(atPath: figureFolder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let start = ContinuousClock.now
        if try compile(in: folder, optimized) {
            try run(in: folder, figureFolder, arguments, collects)
        }
        seconds = (ContinuousClock.now - start) / .seconds(1)
    }

    /// Makes the program `folder/program`; false if the compiler refuses, and then its errors stand at their cells.
    private mutating func compile(in folder: String, _ optimized: Bool) throws -> Bool {
        try script.program.write(toFile: folder + "/main.swift", atomically: false, encoding: .utf8)
        try Script.marks.write(toFile: folder + "/Marks.swift", atomically: false, encoding: .utf8)
        var bytes: [UInt8] = []
        let compiler = try Child(try BuiltModules().command(in: folder, optimized: optimized), collectsOutput: true)
        let end = compiler.wait { bytes += $0 }
        guard end != .exit(0) else { return true }
        let report = String(decoding: bytes, as: UTF8.self)
        let diagnostics = Diagnostic.parse(report, path: script.path)
        let shown = diagnostics.isEmpty ? report : diagnostics.map { $0.text + "\n" }.joined()
        FileHandle.standardError.write(Data(shown.utf8))
        for diagnostic in diagnostics {
            let place = script.cells.firstIndex { $0.kind == .code && $0.range.contains(diagnostic.line) } ?? 0
            outcomes[place].error = [outcomes[place].error, diagnostic.text].compactMap { $0 }.joined(separator: "\n")
        }
        if diagnostics.isEmpty {
            let place = script.cells.firstIndex { $0.kind == .code } ?? 0
            outcomes[place].error = report.isEmpty ? "the compiler ended without a word" : report
        }
        let place = outcomes.firstIndex { $0.error != nil } ?? 0
        failure = (place + 1, "does not compile")
        return false
    }

    private mutating func run(
        in folder: String, _ figureFolder: String, _ arguments: [String], _ collects: Bool
    ) throws {
        let token = UUID().uuidString
        let marksFile = collects ? "/dev/stdout" : folder + "/marks"
        if !collects { try writeFile([], to: marksFile) }
        var environment = ["TAPESTRY_NOTEBOOK_MARKS": marksFile, "TAPESTRY_NOTEBOOK_TOKEN": token]
        if collects { environment["TAPESTRY_FIGURES"] = figureFolder }
        environment["SWIFT_BACKTRACE"] = ProcessInfo.processInfo.environment["SWIFT_BACKTRACE"] ?? Failure.backtrace

        let child = try Child([folder + "/program"] + arguments, environment: environment, collectsOutput: collects)
        var recorder = Recorder(cells: script.cells.count, limit: Run.mostOutput)
        var cutter = OutputCutter(token: token)
        let end = child.wait { bytes in
            for piece in cutter.add(bytes) { recorder.take(piece) }
        }
        if !collects, let marks = FileManager.default.contents(atPath: marksFile) {
            for piece in cutter.add(Array(marks)) { recorder.take(piece) }
        }
        for piece in cutter.end() { recorder.take(piece) }
        recorder.finish()

        for index in outcomes.indices {
            outcomes[index].seconds = recorder.seconds[index]
            outcomes[index].isCut = recorder.isCut[index]
            var text = asSeen(recorder.output[index])
            if index == recorder.current {
                let failure = Failure(end, &text, script)
                outcomes[index].error = failure.text
                if let error = failure.text {
                    self.failure = (index + 1, error.split(separator: "\n").first.map(String.init) ?? error)
                }
            }
            outcomes[index].parts = OutputPart.parts(text) { addFigure($0, figureFolder) }
        }
    }

    /// Reads a picture; false if there is none of that name.
    private mutating func addFigure(_ name: String, _ folder: String) -> Bool {
        guard !name.contains("/"), ["svg", "png"].contains((name as NSString).pathExtension),
            let file = try? InputFile(folder + "/" + name), file.size <= Run.largestFigure,
            let bytes = try? file.bytes(file.size, at: 0)
        else { return false }
        figures[name] = bytes
        return true
    }
}

/// Gathers what each cell prints and how long it takes, and passes the text on.
private struct Recorder {
    private(set) var output: [[UInt8]]
    private(set) var seconds: [Double?]
    private(set) var isCut: [Bool]
    /// The cell that runs; that number of cells after the last.
    private(set) var current = 0
    private var start = ContinuousClock.now
    private let limit: Int

    init(cells: Int, limit: Int) {
        output = Array(repeating: [], count: cells)
        seconds = Array(repeating: nil, count: cells)
        isCut = Array(repeating: false, count: cells)
        self.limit = limit
    }

    mutating func take(_ piece: OutputCutter.Piece) {
        switch piece {
        case .text(let bytes):
            FileHandle.standardOutput.write(Data(bytes))
            // Of what is printed after the last cell, by objects that end, nobody need know whose it is.
            let place = min(current, output.count - 1)
            let room = limit - output[place].count
            output[place] += bytes.prefix(max(0, room))
            if bytes.count > room { isCut[place] = true }
        case .mark(let cell):
            guard (0...output.count).contains(cell) else { return }
            finish()
            current = cell
        }
    }

    /// The running cell has come to its end.
    mutating func finish() {
        let now = ContinuousClock.now
        if current < seconds.count { seconds[current] = (now - start) / .seconds(1) }
        start = now
    }
}

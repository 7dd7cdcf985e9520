// The process that kills, and looks at what is left.
import Foundation
import Tapestry

/// Where in its work a process was when it was killed, told by the file it left behind.
enum Moment: String, CaseIterable {
    case opened = "before the first byte was written"
    case writing = "while bytes were written"
    case written = "while a whole file was synced or renamed"
    case between = "after renaming, or between two saves"
}

/// Kills savers until so many kills have hit an unfinished save, and loads all checkpoints after each kill; prints a
/// table. Whether nothing was found to be wrong.
func killAndLoad(kills: Int, seed: UInt64) throws -> Bool {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tapestry-kill-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (training, generator) = (Training(), Tapestry.Generator(seed: seed))
    var moments: [Moment: Int] = [:]
    var (kill, hits, loaded, findings) = (0, 0, 0, [String]())
    while hits < kills {
        kill += 1
        // Were saves too short to be hit, this would go on for ever.
        guard kill <= 20 * kills + 20 else { throw FileError(folder, "\(hits) of \(kill - 1) kills hit a save") }
        // A save takes some milliseconds: up to a few saves after the first.
        let reported = try killSaver(in: folder, after: generator.uniform() * 0.03)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        for name in names where name.hasSuffix(".safetensors") {
            do {
                let epoch = try training.load("\(folder)/\(name)")
                loaded += 1
                if "\(folder)/\(name)" == latestPath(folder), epoch < reported {
                    findings.append("kill \(kill): epoch \(reported) was saved, but \(name) is epoch \(epoch)")
                }
            } catch { findings.append("kill \(kill): \(error)") }
        }
        let parts = names.filter { $0.hasSuffix(".part") }.map { "\(folder)/\($0)" }
        let moment = try moment(parts, training)
        moments[moment, default: 0] += 1
        if moment != .between { hits += 1 }
        for part in parts { try FileManager.default.removeItem(atPath: part) }
    }
    print("killed \(kill) times with SIGKILL, \(hits) times within a save")
    for moment in Moment.allCases {
        let count = "\(moments[moment] ?? 0)"
        print("  " + moment.rawValue.padding(toLength: 44, withPad: " ", startingAt: 0) + count.leftPadded(to: 8))
    }
    print("checkpoints found afterwards")
    for (text, count) in [("whole", loaded), ("broken or older than they should be", findings.count)] {
        print("  " + text.padding(toLength: 44, withPad: " ", startingAt: 0) + "\(count)".leftPadded(to: 8))
    }
    for finding in findings { print(finding) }
    print("kills: \(kill), of them \(hits) within a save, \(loaded) checkpoints loaded, \(findings.count) findings")
    return findings.isEmpty
}

/// Starts a saver, waits for its first save and some seconds more, and kills it; the last epoch that it said was saved.
private func killSaver(in folder: String, after seconds: Double) throws -> Int {
    guard let program = Bundle.main.executableURL else { throw FileError(CommandLine.arguments[0], "is not found") }
    let (saver, pipe) = (Process(), Pipe())
    saver.executableURL = program
    saver.arguments = ["--save-in", folder]
    saver.standardOutput = pipe
    try saver.run()
    var output = pipe.fileHandleForReading.availableData
    usleep(UInt32(seconds * 1e6))
    kill(saver.processIdentifier, SIGKILL)
    output += try pipe.fileHandleForReading.readToEnd() ?? Data()
    saver.waitUntilExit()
    guard saver.terminationReason == .uncaughtSignal, saver.terminationStatus == SIGKILL else {
        throw FileError(folder, "the saving process ended by itself, status \(saver.terminationStatus)")
    }
    // A line that a kill cut off has no end.
    let lines = String(decoding: output, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    return lines.dropLast().last.flatMap { Int($0) } ?? 0
}

/// What unfinished files say of the moment.
private func moment(_ parts: [String], _ training: Training) throws -> Moment {
    guard let part = parts.first else { return .between }
    guard try FileManager.default.attributesOfItem(atPath: part)[.size] as? Int != 0 else { return .opened }
    return (try? training.load(part)) == nil ? .writing : .written
}

extension String {
    fileprivate func leftPadded(to width: Int) -> String {
        String(repeating: " ", count: Swift.max(0, width - count)) + self
    }
}

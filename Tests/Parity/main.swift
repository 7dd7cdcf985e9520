// Runs reference cases computed by PyTorch against the library: `swift run parity DIR [--group G] [--case ID_PREFIX]
// [--mnist DIR]`. Each group runs in a child process, so that a trap ends one case and not the run.
import Foundation
import Tapestry

let flags = ["--group", "--case", "--mnist", "--child", "--from"]
var options: [String: String] = [:]
var folders: [String] = []
var words = CommandLine.arguments.dropFirst()
while let word = words.popFirst() {
    if flags.contains(word) {
        guard let value = words.popFirst() else { usage("\(word) needs a value") }
        options[word] = value
    } else if word == "--help" {
        print(
            "usage: parity DIR [--group G] [--case ID_PREFIX] [--mnist DIR]\n\nExample: swift run -c release parity ../shared/parity/visible --group conv"
        )
        exit(0)
    } else if word.hasPrefix("-") {
        usage("unknown flag \(word)")
    } else {
        folders.append(word)
    }
}
guard folders.count == 1 else { usage("expected one folder") }
let folder = folders[0]
mnistFolder = options["--mnist"] ?? folder + "/../../mnist"

func usage(_ message: String) -> Never {
    FileHandle.standardError.write(Data("parity: \(message)\n".utf8))
    exit(2)
}
func broken(_ message: String) -> Never {
    FileHandle.standardError.write(Data("parity: \(message)\n".utf8))
    exit(1)
}

guard let data = FileManager.default.contents(atPath: folder + "/manifest.json"),
    let manifest = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
else { broken("\(folder)/manifest.json is missing or no JSON") }
let root = Value(manifest)
guard root["format"].int == 1 else { broken("\(folder)/manifest.json has an unknown format") }
let allCases = root["cases"].list ?? []

/// The cases of a group that this run is about.
@MainActor func cases(_ group: String) -> [Value] {
    allCases.filter { $0["group"].string == group && ($0["id"].string ?? "").hasPrefix(options["--case"] ?? "") }
}

if let group = options["--child"] {
    // A child: every case of the group from one on, a line a result.
    guard let name = root["groups"].list?.first(where: { $0["name"].string == group })?["tensors"].string else {
        broken("group \(group) is not in the manifest")
    }
    let tensors: [String: Tensor]
    do { tensors = try loadSafetensors(from: folder + "/" + name) } catch { broken("\(error)") }
    for (index, json) in cases(group).enumerated() where index >= Int(options["--from"] ?? "0")! {
        print("START \(index)")
        fflush(nil)  // a trap must not take the line with it
        let item = Case(json: json, tensors: tensors)
        do {
            try run(item)
            print("PASS \(index)")
        } catch CaseError.unsupported(let what) {
            print("UNSUPPORTED \(index) \(what)")
        } catch CaseError.mismatch(let what) {
            print("FAIL \(index) \(what)")
        } catch CaseError.broken(let what) {
            print("BROKEN \(index) \(what)")
        } catch {
            print("FAIL \(index) threw \(error)")
        }
    }
    print("END")
    exit(0)
}

/// Runs one case by its kind.
func run(_ item: Case) throws {
    switch item.json["kind"].string {
    case "op": try runOp(item)
    case "program": try runProgram(item)
    case "module": try runModule(item)
    case "optim": try runOptim(item)
    case "clip": try runClip(item)
    case "lr": try runScheduler(item)
    case "init": try runInit(item)
    case "rng": try runRandom(item)
    case "trajectory": try runTrajectory(item)
    case let kind: throw CaseError.broken("unknown kind \(kind ?? "nil")")
    }
}

/// Runs a group in a process of its own: its lines, and the first line it wrote on standard error.
@MainActor func child(_ group: String, from: Int) -> ([String], String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
    process.arguments =
        [folder, "--child", group, "--from", String(from), "--mnist", mnistFolder]
        + (options["--case"].map { ["--case", $0] } ?? [])
    var environment = ProcessInfo.processInfo.environment
    environment["SWIFT_BACKTRACE"] = "enable=no"
    process.environment = environment
    let output = Pipe()
    let errorFile = NSTemporaryDirectory() + "parity-\(ProcessInfo.processInfo.processIdentifier).err"
    _ = FileManager.default.createFile(atPath: errorFile, contents: nil)
    process.standardOutput = output
    process.standardError = FileHandle(forWritingAtPath: errorFile)
    do { try process.run() } catch { broken("cannot start a child process: \(error)") }
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let errors = String(decoding: FileManager.default.contents(atPath: errorFile) ?? Data(), as: UTF8.self)
    try? FileManager.default.removeItem(atPath: errorFile)
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
    return (lines, errors.split(separator: "\n").first.map(String.init) ?? "status \(process.terminationStatus)")
}

var (passed, failed, unsupported, total, isBroken) = (0, 0, 0, 0, false)
for group in (root["groups"].list ?? []).compactMap({ $0["name"].string }) {
    if let only = options["--group"], only != group { continue }
    let list = cases(group)
    if list.isEmpty { continue }
    var counts = (passed: 0, failed: 0, unsupported: 0)
    func record(_ index: Int, _ kind: String, _ what: String) {
        let (id, optional) = (list[index]["id"].string ?? "?", list[index]["optional"].bool == true)
        switch kind {
        case "PASS": counts.passed += 1
        case _ where optional:
            counts.unsupported += 1
            print("OPTIONAL \(id): \(what)")
        case "UNSUPPORTED":
            counts.unsupported += 1
            print("UNSUPPORTED \(id): \(what)")
        default:
            if kind == "BROKEN" { isBroken = true }
            counts.failed += 1
            print("FAIL \(id): \(what)")
        }
    }
    var next = 0
    while next < list.count {
        let (lines, error) = child(group, from: next)
        var started: Int?
        for line in lines {
            let parts = line.split(separator: " ", maxSplits: 2).map(String.init)
            guard parts.count >= 2, let index = Int(parts[1]) else { continue }
            if parts[0] == "START" {
                started = index
            } else {
                record(index, parts[0], parts.count > 2 ? parts[2] : "")
                started = nil
                next = index + 1
            }
        }
        if let started {
            record(started, "FAIL", "trapped: \(error)")
            next = started + 1
        } else if lines.last != "END" {
            broken("group \(group) ended early: \(error)")
        }
    }
    print("\(group): \(counts.passed) passed, \(counts.failed) failed, \(counts.unsupported) unsupported")
    passed += counts.passed
    failed += counts.failed
    unsupported += counts.unsupported
    total += list.count
}
print("PARITY: \(passed) passed, \(failed) failed, \(unsupported) unsupported, \(total) total")
exit(failed == 0 && passed > 0 && !isBroken ? 0 : 1)

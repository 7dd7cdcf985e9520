// What the system and other programs do to files while we use them, and NaN in the data.
import Foundation
import Tapestry
import data
import nn
import optim
import vision

enum FaultStress {
    static func run(rounds: Int) throws -> Bool {
        let checks = Checks("faults")
        let folder = FileManager.default.temporaryDirectory.appending(path: "tapestry-faults-\(UUID())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try diskFull(folder, checks)
        try readOnlyFolder(folder, checks)
        try replacedWhileRead(folder, rounds, checks)
        try cutShortWhileRead(folder, checks)
        try notANumber(checks)
        try samplesThatThrow(checks)
        return checks.conclude()
    }

    // MARK: Saving

    /// A checkpoint of 1.2 MB, saved over another.
    static func save(to path: String) throws {
        let model = nn.Linear(512, 600)
        try saveCheckpoint(to: path, model: model, epoch: 2)
    }

    /// No byte fits any more: one line that names the file, the old file whole, nothing left beside it. The limit on a
    /// file's size stands for a full disk; with the right to mount, a full disk is tried too.
    private static func diskFull(_ folder: String, _ checks: Checks) throws {
        func expectRefused(_ what: String, in folder: String, _ run: (String) throws -> Child.Result) throws {
            let path = "\(folder)/checkpoint"
            try saveCheckpoint(to: path, model: nn.Linear(2, 2), epoch: 1)
            let result = try run(path)
            let lines = result.errors.split(separator: "\n")
            checks.expect(
                result.status == 1 && lines.count == 1 && lines[0].contains(path),
                "\(what): status \(result.status), said: \(result.errors)")
            checks.expect((try? loadCheckpoint(from: path).epoch) == 1, "\(what): the old checkpoint is not whole")
            let left = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".part") }
            checks.expect(left.isEmpty, "\(what): \(left) is left behind")
            if let line = lines.first { checks.note("\(what): \(line.replacing(folder, with: "…"))") }
        }
        try expectRefused("file size limit", in: folder) {
            try Child.run(["faults", "--save", $0, "--limit", "100000"])
        }
        #if os(Linux)
            let disk = "\(folder)/disk"
            try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
            let mount = URL(fileURLWithPath: "/bin/mount")
            guard (try? Child.run(mount, ["-t", "tmpfs", "-o", "size=256k", "none", disk]).hasSucceeded) == true else {
                return checks.note("full disk: not tried, since this user may not mount one")
            }
            defer { _ = try? Child.run(URL(fileURLWithPath: "/bin/umount"), [disk]) }
            try expectRefused("full disk", in: disk) { try Child.run(["faults", "--save", $0]) }
        #endif
    }

    private static func readOnlyFolder(_ folder: String, _ checks: Checks) throws {
        // The superuser may write into any folder of a disk, but not into this one.
        let path = geteuid() == 0 ? "/proc/checkpoint" : "\(folder)/closed/checkpoint"
        if geteuid() != 0 {
            try FileManager.default.createDirectory(
                atPath: "\(folder)/closed", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o555])
        }
        let result = try Child.run(["faults", "--save", path])
        checks.expect(
            result.status == 1 && result.errors.contains("\(path): cannot be written"),
            "read-only folder: status \(result.status), said: \(result.errors)")
    }

    // MARK: Reading

    /// Another program renames one right file over another while we read: each read gets one of them whole.
    private static func replacedWhileRead(_ folder: String, _ rounds: Int, _ checks: Checks) throws {
        let path = "\(folder)/weights"
        @Sendable func write(_ version: Int) throws {
            let size = version % 2 == 0 ? 70_000 : 30_000
            try saveSafetensors(["a": Tensor.full([size], version), "b": Tensor.full([7], version)], to: path)
        }
        try write(0)
        let isDone = Flag()
        let writer = Thread {
            var version = 0
            while !isDone.isSet {
                version += 1
                try? write(version)
            }
            isDone.acknowledge()
        }
        writer.start()
        var versions: Set<Double> = []
        for round in 0..<rounds {
            let tensors = try loadSafetensors(from: path, mapped: round % 2 == 0)
            let (low, high) = (tensors["a"]!.min().item(), tensors["a"]!.max().item())
            versions.insert(low)
            checks.expect(
                low == high && tensors["b"]!.min().item() == low && tensors["a"]!.count == (Int(low) % 2 == 0 ? 70_000 : 30_000),
                "a file replaced while it was read gave a mixture: \(low)...\(high)")
        }
        isDone.set()
        checks.note("\(rounds) reads of a file that was replaced \(versions.count - 1) times between them: each whole")
    }

    /// A file that has been cut short since it was opened gives an error, not zeros.
    private static func cutShortWhileRead(_ folder: String, _ checks: Checks) throws {
        let path = "\(folder)/short"
        try saveSafetensors(["a": Tensor.ones([10_000])], to: path)
        let file = try SafetensorsFile(path)
        truncate(path, 5000)
        do {
            _ = try file.tensor(file.entries[0])
            checks.expect(false, "a file that was cut short while it was open is read")
        } catch {
            checks.expect(error is FileError, "a file that was cut short gives \(error)")
            checks.note("cut short while open: \("\(error)".replacing(folder, with: "…"))")
        }
    }

    // MARK: Data

    /// The program that meets a NaN; ends by a trap.
    static func meetNotANumber() {
        let weights = Tensor.ones([3, 2], requiresGrad: true)
        let x = Tensor([0.5, -1, 2, 0.25, .nan, 1] as [Float], shape: [2, 3])
        detectAnomaly { x.matmul(weights).exp().mean().backward() }
    }

    private static func notANumber(_ checks: Checks) throws {
        let result = try Child.run(["faults", "--nan"])
        let lines = result.errors.split(separator: "\n")
        checks.expect(
            result.status < 0 && lines.count == 1 && lines[0].contains("gradient of Exp")
                && lines[0].contains("FaultStress.swift:"),
            "NaN in the data: status \(result.status), said: \(result.errors)")
        if let line = lines.first { checks.note("NaN in the data: \(line)") }
    }

    /// A sample that cannot be read.
    private struct Broken: Dataset {
        let count = 10
        func sample(_ index: Int) throws -> (input: Tensor, target: Tensor) {
            guard index != 7 else { throw FileError("image-7.png", "is not there") }
            return (Tensor(Float(index)), Tensor(index))
        }
    }

    /// The loader hands on the batches before, then the error, with and without threads in the background.
    private static func samplesThatThrow(_ checks: Checks) throws {
        for workers in [0, 2] {
            var batches = data.DataLoader(Broken(), batchSize: 3, numWorkers: workers).batches()
            var seen = 0
            do {
                while let (_, targets) = try batches.next() { seen += targets.count }
                checks.expect(false, "a sample that throws is passed over")
            } catch {
                checks.expect(
                    "\(error)".contains("sample 7") && "\(error)".contains("image-7.png") && seen == 6,
                    "with \(workers) workers a sample that throws gives \(error) after \(seen)")
            }
        }
    }
}

/// A wish of one thread that another notices.
private final class Flag: @unchecked Sendable {  // Safe: behind its condition.
    private let condition = NSCondition()
    private var isWished = false
    private var isHeard = false
    var isSet: Bool { condition.withLock { isWished } }
    /// Wishes, and waits until it is heard.
    func set() {
        condition.withLock {
            isWished = true
            while !isHeard { condition.wait() }
        }
    }
    func acknowledge() {
        condition.withLock {
            isHeard = true
            condition.signal()
        }
    }
}

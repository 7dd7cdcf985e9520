// What the system and other programs do to files while we use them, and NaN in the data.
import ExampleSupport
import Foundation
import Tapestry
import data
import nn
import optim
import training
import vision

enum FaultStress {
    /// - Parameter clock: a library that turns the wall clock back, to be loaded before a program's others.
    static func run(rounds: Int, clock: String?) throws -> Bool {
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
        for number in [SIGINT, SIGTERM] { try signalled(number, folder, checks) }
        if let clock {
            try clockTurnedBack(clock, folder, checks)
        } else {
            checks.note("clock turned back: not tried (--clock LIBRARY)")
        }
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

    /// Weights and datasets over which another program renames other right files while we read.
    private static func replacedWhileRead(_ folder: String, _ rounds: Int, _ checks: Checks) throws {
        // A file holds nothing but the last digit of its version, so a mixture of two would show.
        @Sendable func rows(_ version: Int) -> Int { version % 2 == 0 ? 70 : 30 }
        let weights = "\(folder)/weights"
        try readWhileReplaced("weights", rounds, checks) { version in
            let (a, b) = (Tensor.full([rows(version), 1000], version % 10), Tensor.full([7], version % 10))
            try saveSafetensors(["a": a, "b": b], to: weights)
        } read: { round in
            let tensors = try loadSafetensors(from: weights, mapped: round % 2 == 0)
            return [tensors["a"]!, tensors["b"]!]
        }
        let table = "\(folder)/table.csv"
        try readWhileReplaced("a CSV dataset", rounds, checks) { version in
            let row = Array(repeating: "\(version % 10)", count: 100).joined(separator: ",")
            try write(Array(String(repeating: row + "\n", count: rows(version)).utf8), to: table)
        } read: { _ in
            let dataset = try CSVDataset(table)
            return [dataset.inputs, dataset.targets]
        }
        try readWhileReplaced("a dataset of images", rounds, checks) { version in
            let bytes = Array(repeating: UInt8(version % 10), count: 3073 * rows(version))
            try write(bytes, to: "\(folder)/test_batch.bin")
        } read: { _ in
            let dataset = try vision.datasets.CIFAR10(root: folder, train: false)
            return [dataset.data, dataset.targets]
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        try writeAtomically(to: path, isSynced: false) { append in try bytes.withUnsafeBytes { try append($0) } }
    }

    /// Reads while versions 0, 1, … are written, of 70 and 30 rows: each read gets one of them whole.
    private static func readWhileReplaced(
        _ what: String, _ rounds: Int, _ checks: Checks, write: @escaping @Sendable (_ version: Int) throws -> Void,
        read: (_ round: Int) throws -> [Tensor]
    ) throws {
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
        var (round, replaced, last) = (0, 0, 0.0)
        // On a busy machine the writer may be slow: without replacements nothing would have been tried.
        while round < rounds || (replaced < 10 && round < 100 * rounds) {
            defer { round += 1 }
            let tensors = try read(round)
            let value = tensors[0].min().item()
            if value != last { (replaced, last) = (replaced + 1, value) }
            checks.expect(
                tensors[0].shape[0] == (Int(value) % 2 == 0 ? 70 : 30)
                    && tensors.allSatisfy { $0.min().item() == value && $0.max().item() == value },
                "\(what) replaced while read: a mixture of \(value) and others in \(tensors[0].shape)")
        }
        isDone.set()
        checks.expect(replaced >= 10, "\(what): the file was another \(replaced) times only")
        checks.note("\(round) reads of \(what), \(replaced) times another file since the last: each whole")
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

// MARK: Signals and clocks

extension FaultStress {
    /// A training run as the examples have it: its weights are saved when a signal comes.
    static func trainUntilSignalled(_ path: String) throws {
        let words = ["--save", path, "--threads", "1"]
        let defaults = TrainingOptions.Defaults(epochs: 1, batchSize: 8, learningRate: 0.1)
        let options = try TrainingOptions(try Arguments(words, flags: TrainingOptions.flags(defaults)), defaults)
        try options.begin()
        let model = nn.Linear(64, 64)
        let optimizer = optim.SGD(model.parameters(), lr: 0.01)
        let x = Tensor.randn([8, 64])
        for step in 0... {
            let loss = model(x).square().mean()
            optimizer.zeroGrad()
            loss.backward()
            optimizer.step()
            if step == 100 { FileHandle.standardOutput.write(Data("training\n".utf8)) }
            try options.endIfInterrupted(model)
        }
    }

    /// The step at work is finished, the weights are saved, the status tells the signal.
    private static func signalled(_ number: Int32, _ folder: String, _ checks: Checks) throws {
        let path = "\(folder)/signalled-\(number)"
        let (child, output, errors) = (Process(), Pipe(), Pipe())
        child.executableURL = Bundle.main.executableURL
        child.arguments = ["faults", "--train", path]
        (child.standardOutput, child.standardError) = (output, errors)
        try child.run()
        _ = output.fileHandleForReading.availableData  // training has begun
        kill(child.processIdentifier, number)
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        child.waitUntilExit()
        checks.expect(
            child.terminationReason == .exit && child.terminationStatus == 128 + number
                && text.contains("Stopped by a signal"),
            "signal \(number) in training: status \(child.terminationStatus), said: \(text)")
        let weights = try? loadSafetensors(from: path)
        checks.expect(
            weights?["weight"]?.shape == [64, 64] && weights?["weight"]?.isFinite().all().item() == 1,
            "signal \(number) in training: the weights are not saved")
        checks.note("signal \(number) in training: status \(child.terminationStatus), weights saved")
    }

    /// What is told of times by a run that prints progress, writes events and figures and saves a checkpoint.
    static func trainByTheClock(_ folder: String) throws {
        let wall = (0..<5).map { _ in Date() }
        let model = nn.Linear(4, 2)
        let trainer = Trainer(model, optimizer: optim.SGD(model.parameters(), lr: 0.1), loss: nn.CrossEntropyLoss())
        try trainer.fit(
            Tensor.randn([512, 4]), Tensor.randint(2, [512]), batchSize: 4, epochs: 3,
            callbacks: [
                TensorBoard(folder), CSVLogger("\(folder)/log.csv"), BestCheckpoint("\(folder)/best", monitor: "loss"),
            ])
        var progress = Progress(epoch: 1, epochs: 1, steps: 50)
        for step in 1...50 { progress.update(step: step, items: step, "loss 0") }
        print(zip(wall, wall.dropFirst()).allSatisfy { $0 > $1 } ? "back" : "forth", progress.seconds)
    }

    /// Every reading of the wall clock is an hour before the last one. Durations are measured by another clock: none is
    /// negative or an hour long; all steps are in the event file, the log and the checkpoint.
    private static func clockTurnedBack(_ library: String, _ folder: String, _ checks: Checks) throws {
        let runs = "\(folder)/runs"
        let result = try Child.run(["faults", "--clock-run", runs], environment: ["LD_PRELOAD": library])
        let said = result.output.split(whereSeparator: \.isWhitespace)
        checks.expect(
            result.hasSucceeded && said.first == "back",
            "clock turned back: status \(result.status), said: \(result.errors)")
        // `Epoch 3/3  loss 0.6931  0.1 s` and `… 1234 images/s  0 s left`
        let epochs = result.errors.split(separator: "\n").filter { $0.hasPrefix("Epoch ") }
        let durations = epochs.compactMap {
            $0.firstMatch(of: #/\ \ ([-0-9.]+)\ s(\ left)?$/#).flatMap { Double($0.1) }
        }
        checks.expect(
            durations.count == 4 && durations.allSatisfy { $0 >= 0 && $0 < 600 }
                && said.last.flatMap { Double($0) }.map { $0 >= 0 && $0 < 600 } == true,
            "clock turned back: durations are \(durations) and \(said) by\n\(result.errors)")
        let log = (try? String(contentsOfFile: "\(runs)/log.csv", encoding: .utf8))?.split(separator: "\n").count
        checks.expect(log == 4, "clock turned back: the log has \(log ?? 0) lines, not 4")
        checks.expect(try SafetensorsFile("\(runs)/best").entries.count == 2, "clock turned back: no checkpoint")
        let events = try FileManager.default.contentsOfDirectory(atPath: runs).filter { $0.contains("tfevents") }
        let steps = try events.map { try eventSteps(Array(Data(contentsOf: URL(fileURLWithPath: "\(runs)/\($0)")))) }
        checks.expect(steps == [[0, 1, 2]], "clock turned back: the event file has steps \(steps)")
        checks.note("clock turned back by an hour at every reading: durations \(durations) s, all steps written")
    }

    /// The steps of an event file's scalars: field 2 of each event but the first, written behind the time's nine bytes
    /// and left out by nobody.
    private static func eventSteps(_ bytes: [UInt8]) -> [Int] {
        var (steps, position) = ([Int](), 0)
        while position + 12 < bytes.count {
            let length = Int(bytes[position]) + Int(bytes[position + 1]) << 8
            if bytes[position + 12 + 9] == 0x10 { steps.append(Int(bytes[position + 12 + 10])) }
            position += 16 + length
        }
        return steps
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

// Runs that stop and go on from a file, bit for bit; checkpoints that do not fit or are damaged.
import Foundation
import TestSupport
import Testing
import data
import nn
import optim

private final class Net: nn.Module {
    let conv = nn.Conv2d(1, 3, kernelSize: 3, padding: 1)
    let norm = nn.BatchNorm2d(3)
    let drop = nn.Dropout(0.25)
    let out = nn.Linear(3 * 5 * 5, 4)
    override func forward(_ x: Tensor) -> Tensor { out(drop(F.relu(norm(conv(x)))).flatten(startDim: 1)) }
}

/// A model with all that its training needs, from a seed.
private struct Run {
    let model: Net
    let optimizer: Optimizer
    let scheduler: any ResumableScheduler
    let samples: TensorDataset
    /// Default for dropout and, where the loader has none of its own, its order.
    let loaderGenerator: Tapestry.Generator?

    init(seed: UInt64, _ setting: Setting) {
        manualSeed(seed)
        model = Net()
        (optimizer, scheduler) = setting.make(model.parameters())
        samples = TensorDataset(
            Tensor.randn([23, 1, 5, 5], generator: Tapestry.Generator(seed: 9)),
            Tensor((0..<23).map { $0 * 7 % 4 }))
        loaderGenerator = setting.ownGenerator ? Tapestry.Generator(seed: seed + 1) : nil
    }

    var generators: [Tapestry.Generator] { [.default] + (loaderGenerator.map { [$0] } ?? []) }

    /// One epoch; the losses of its batches.
    func epoch() -> [Double] {
        var losses: [Double] = []
        for (x, y) in DataLoader(samples, batchSize: 5, shuffle: true, generator: loaderGenerator) {
            let loss = F.crossEntropy(model(x), y)
            optimizer.zeroGrad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if let scheduler = scheduler as? OneCycleLR { scheduler.step() }
        }
        switch scheduler {
        case is OneCycleLR: break
        case let scheduler as LRScheduler: scheduler.step()
        case let scheduler as ReduceLROnPlateau: scheduler.step(losses.last!)
        default: break
        }
        return losses
    }

    func save(_ path: String, epoch: Int) throws {
        try saveCheckpoint(
            to: path, model: model, optimizer: optimizer, scheduler: scheduler, generators: generators, epoch: epoch,
            metadata: ["note": "ünïcödé", "best": "0.5"])
    }
    @discardableResult
    func load(_ path: String) throws -> Checkpoint {
        try loadCheckpoint(
            from: path, model: model, optimizer: optimizer, scheduler: scheduler, generators: generators)
    }

    /// All numbers of the model.
    var numbers: [[Double]] { model.stateDict().map { $0.tensor.array(Double.self) } }
}

/// An optimiser, a scheduler, and whether the loader has a generator of its own.
private struct Setting: Sendable {
    let name: String
    let ownGenerator: Bool
    let make: @Sendable ([Tensor]) -> (Optimizer, any ResumableScheduler)
}

private let settings = [
    Setting(name: "SGD with momentum, a step down", ownGenerator: false) {
        let optimizer = optim.SGD($0, lr: 0.05, momentum: 0.9, weightDecay: 1e-3)
        return (optimizer, StepLR(optimizer, stepSize: 1, gamma: 0.3))
    },
    Setting(name: "Adam, a cosine, a generator of the loader's own", ownGenerator: true) {
        let optimizer = optim.Adam($0, lr: 0.01)
        return (optimizer, CosineAnnealingLR(optimizer, tMax: 3))
    },
    Setting(name: "AdamW in two groups, one cycle", ownGenerator: false) {
        let optimizer = optim.AdamW([.init(Array($0[..<2])), .init(Array($0[2...]), ["weightDecay": 0.3])], lr: 0.01)
        return (optimizer, OneCycleLR(optimizer, maxLR: 0.02, totalSteps: 20))
    },
    Setting(name: "RMSprop, one scheduler after another", ownGenerator: true) {
        let optimizer = optim.RMSprop($0, lr: 0.003, momentum: 0.5)
        let (first, second) = (LinearLR(optimizer, totalIters: 1), ExponentialLR(optimizer, gamma: 0.5))
        return (optimizer, SequentialLR(optimizer, schedulers: [first, second], milestones: [1]))
    },
    Setting(name: "NAdam, lowered on a plateau", ownGenerator: false) {
        let optimizer = optim.NAdam($0)
        return (optimizer, ReduceLROnPlateau(optimizer, factor: 0.5, patience: 0, threshold: 10))
    },
]

/// Each in a process of its own: the runs draw from the default generator, which other tests draw from too.
@Suite(.ownGenerator) struct CheckpointTests {
    @Test func twoEpochsAreOneAndAStopAndOne() async {
        await #expect(processExitsWith: .success) {
            for setting in settings {
                let path = temporaryPath()
                defer { try? FileManager.default.removeItem(atPath: path) }
                let straight = Run(seed: 5, setting)
                _ = straight.epoch()
                try straight.save(path, epoch: 1)
                let (expected, numbers) = (straight.epoch(), straight.numbers)

                // Fresh objects with other weights and another order; something is drawn besides.
                let resumed = Run(seed: 77, setting)
                _ = Tensor.randn([3])
                let checkpoint = try resumed.load(path)
                #expect(checkpoint == Checkpoint(epoch: 1, metadata: ["note": "ünïcödé", "best": "0.5"]))
                #expect(resumed.epoch() == expected, "\(setting.name)")
                #expect(resumed.numbers == numbers, "\(setting.name)")
            }
        }
    }

    @Test func partsCanBeHadAlone() async {
        await #expect(processExitsWith: .success) {
            let path = temporaryPath()
            defer { try? FileManager.default.removeItem(atPath: path) }
            let saved = Run(seed: 1, settings[0])
            _ = saved.epoch()
            try saved.save(path, epoch: 4)
            let model = Net()
            #expect(try loadCheckpoint(from: path, model: model, generators: []).epoch == 4)
            #expect(model.stateDict().map { $0.tensor.array(Double.self) } == saved.numbers)
            #expect(try loadCheckpoint(from: path).metadata["best"] == "0.5")
            try saveCheckpoint(to: path, model: model)
            #expect(try loadCheckpoint(from: path, model: Net()) == Checkpoint(epoch: 0))
        }
    }

    @Test func whatDoesNotFitIsNamedAndChangesNothing() async {
        await #expect(processExitsWith: .success) {
            let path = temporaryPath()
            defer { try? FileManager.default.removeItem(atPath: path) }
            let saved = Run(seed: 1, settings[0])
            _ = saved.epoch()
            try saved.save(path, epoch: 1)

            let run = Run(seed: 2, settings[0])
            func expectRefusal(_ message: String, _ load: () throws -> Checkpoint) {
                let (numbers, state) = (run.numbers, Tapestry.Generator.default.state)
                let error = #expect(throws: FileError.self) { try load() }
                #expect(error?.path == path && error?.message.contains(message) == true, "\(error as Any)")
                #expect(run.numbers == numbers && Tapestry.Generator.default.state == state)
            }
            let linear = nn.Linear(2, 2)
            expectRefusal("missing keys: weight, bias") { try loadCheckpoint(from: path, model: linear) }
            let wider = nn.Sequential([
                ("conv", nn.Conv2d(1, 4, kernelSize: 3)), ("norm", nn.BatchNorm2d(3)), ("out", nn.Linear(75, 4)),
            ])
            expectRefusal("conv.weight has shape [3, 1, 3, 3], the model's has [4, 1, 3, 3]") {
                try loadCheckpoint(from: path, model: wider)
            }
            expectRefusal("Adam: the state has no") {
                try loadCheckpoint(from: path, model: run.model, optimizer: optim.Adam(run.model.parameters()))
            }
            expectRefusal("the scheduler is another") {
                try loadCheckpoint(
                    from: path, model: run.model, scheduler: CosineAnnealingWarmRestarts(run.optimizer, t0: 2))
            }
            expectRefusal("holds 1 random generators, not 2") {
                try loadCheckpoint(from: path, model: run.model, generators: [.default, Tapestry.Generator(seed: 1)])
            }
            try saveSafetensors(saved.model.stateDict(), to: path)
            expectRefusal("is no training checkpoint") { try loadCheckpoint(from: path, model: run.model) }
        }
    }

    @Test func aDamagedCheckpointThrowsOrTrainsOn() async {
        await #expect(processExitsWith: .success) {
            let path = temporaryPath()
            defer { try? FileManager.default.removeItem(atPath: path) }
            let generator = Tapestry.Generator(seed: 1)
            func random(_ count: Int) -> Int { Int(generator.random64() % UInt64(count)) }
            for setting in settings {
                let saved = Run(seed: 1, setting)
                _ = saved.epoch()
                try saved.save(path, epoch: 1)
                let whole = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
                let header = 8 + whole[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
                let digits = whole[..<header].indices.filter { (0x30...0x39).contains(whole[$0]) }
                let run = Run(seed: 2, setting)
                for round in 0..<120 {
                    var damaged = whole
                    if round < 20 {
                        damaged.removeLast(1 + random(damaged.count))
                    } else {
                        // Another character in a number: optimiser, scheduler and epoch see it.
                        damaged[digits[random(digits.count)]] = [0x2d, 0x65, 0x39, 0x30][random(4)]
                    }
                    try? FileManager.default.removeItem(atPath: path)
                    try Data(damaged).write(to: URL(fileURLWithPath: path))
                    do {
                        try run.load(path)
                        _ = run.epoch()
                    } catch { #expect(error is FileError, "\(error)") }
                }
            }
        }
    }
}

private func temporaryPath() -> String {
    FileManager.default.temporaryDirectory.appending(path: "\(UUID()).safetensors").path
}

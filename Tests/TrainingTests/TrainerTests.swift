// The trainer on small problems, and what its callbacks do.
import Foundation
import TestSupport
import Testing
import training

/// A folder for one test, gone when it ends.
private final class Folder {
    let path = NSTemporaryDirectory() + "tapestry-training-\(UUID().uuidString)"
    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    func file(_ name: String) -> String { "\(path)/\(name)" }
    func text(_ name: String) throws -> String { try String(contentsOfFile: file(name), encoding: .utf8) }
}

/// Points in two clouds with their classes, and a model for them.
private enum Clouds {
    static func dataset(_ count: Int, seed: UInt64) -> TensorDataset {
        let generator = Tapestry.Generator(seed: seed)
        let classes = Tensor((0..<count).map { $0 % 2 })
        let centres = (classes.to(.float32) * 4 - 2).unsqueeze(1)
        return TensorDataset(Tensor.randn([count, 2], generator: generator) + centres, classes)
    }
    static func trainer(dropout: Double = 0, metrics: [Metric] = [.accuracy], lr: Double = 0.05) -> Trainer {
        let model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 2))
        // Not from the default generator, which other tests use at the same time.
        let generator = Tapestry.Generator(seed: 3)
        for parameter in model.parameters() { nn.`init`.uniform_(parameter, a: -0.5, b: 0.5, generator: generator) }
        return Trainer(
            model, optimizer: optim.Adam(model.parameters(), lr: lr), loss: nn.CrossEntropyLoss(), metrics: metrics)
    }
}

/// Gives an epoch's `val_loss` from a list.
private final class Scripted: Callback {
    private var values: [Double]
    init(_ values: [Double]) { self.values = values }
    func didEnd(_ trainer: Trainer, epoch: Int, logs: inout Logs) { logs["val_loss"] = values.removeFirst() }
}

/// Writes down what it is told.
private final class Recorder: Callback {
    var events: [String] = []
    func willTrain(_ trainer: Trainer, epochs: Int, steps: Int) { events.append("train \(epochs)×\(steps)") }
    func willBegin(_ trainer: Trainer, epoch: Int) { events.append("begin \(epoch)") }
    func didStep(_ trainer: Trainer, batch: Int, logs: Logs) { events.append("step \(batch) \(logs["loss"] != nil)") }
    func didEnd(_ trainer: Trainer, epoch: Int, logs: inout Logs) { events.append("end \(epoch)") }
    func didTrain(_ trainer: Trainer) { events.append("done") }
}

@Suite(.ownGenerator) struct TrainerTests {
    private let data = Clouds.dataset(96, seed: 1)

    @Test func fitLearnsAndEvaluateAgreesWithPredict() throws {
        let trainer = Clouds.trainer(dropout: 0.1)
        let test = Clouds.dataset(50, seed: 2)
        let history = try trainer.fit(data, epochs: 8, validation: test, verbose: false)
        #expect(history.count == 8 && trainer.epoch == 8 && trainer.step == 24)
        #expect(history[0].names == ["loss", "accuracy", "val_loss", "val_accuracy"])
        #expect(history[7]["loss"]! < 0.15 && history[7]["loss"]! < history[0]["loss"]! / 2)
        #expect(history[7]["val_accuracy"]! > 0.95)

        let result = try trainer.evaluate(test, batchSize: 7)
        let scores = try trainer.predict(test.inputs, batchSize: 9)
        #expect(scores.shape == [50, 2] && !scores.requiresGrad)
        #expect(abs(result["loss"]! - F.crossEntropy(scores, test.targets).item()) < 1e-6)
        #expect(result["accuracy"]! == Double(scores.argmax(dim: 1).eq(test.targets).sum().item(Int.self)) / 50)
        #expect(result["loss"]! == history[7]["val_loss"]! || abs(result["loss"]! - history[7]["val_loss"]!) < 1e-6)
    }

    @Test func fitIsTheLoopWrittenByHand() throws {
        let trainer = Clouds.trainer()
        try trainer.fit(DataLoader(data, batchSize: 32), epochs: 2, verbose: false)
        let other = Clouds.trainer()
        for _ in 0..<2 {
            for (x, y) in DataLoader(data, batchSize: 32) {
                let loss = F.crossEntropy(other.model(x), y)
                other.optimizer.zeroGrad()
                loss.backward()
                other.optimizer.step()
            }
        }
        for (a, b) in zip(trainer.model.parameters(), other.model.parameters()) {
            #expect(a.array(Float.self) == b.array(Float.self))
        }
    }

    @Test func evaluationLeavesModesAsTheyWere() throws {
        let trainer = Clouds.trainer(dropout: 0.5)
        let model = trainer.model as! nn.Sequential
        model.train()
        model[2].training = false
        _ = try trainer.evaluate(data)
        #expect(model.training && model[0].training && !model[2].training)
    }

    @Test func callbacksAreToldInOrderAndHistoryGoesOn() throws {
        let (trainer, recorder) = (Clouds.trainer(), Recorder())
        try trainer.fit(data, batchSize: 48, epochs: 1, callbacks: [recorder], verbose: false)
        #expect(recorder.events == ["train 1×2", "begin 0", "step 1 true", "step 2 true", "end 0", "done"])
        recorder.events = []
        try trainer.fit(data, batchSize: 96, epochs: 1, callbacks: [recorder], verbose: false)
        #expect(recorder.events == ["train 2×1", "begin 1", "step 1 true", "end 1", "done"])
        #expect(trainer.history.count == 2)
    }

    @Test func splitKeepsTheLastRowsForValidation() throws {
        let x = Tensor.arange(10).to(.float32).reshape(10, 1)
        let model = nn.Linear(1, 1)
        let seen = Metric("rows") { output, target in target.sum().item() }
        let trainer = Trainer(
            model, optimizer: optim.SGD(model.parameters(), lr: 0), loss: nn.MSELoss(), metrics: [seen])
        let logs = try trainer.fit(x, x, batchSize: 4, validationSplit: 0.3, verbose: false)[0]
        #expect(logs["rows"]! == 21.0 / 7 && logs["val_rows"]! == 24.0 / 3)
    }

    @Test func metrics() {
        let scores = Tensor([3, 2, 1, 0, 5, 4, 1, 2, 3] as [Float], shape: [3, 3])
        let classes = Tensor([0, 2, 0])
        #expect(Metric.accuracy.total(scores, classes) == 1 && Metric.topK(2).total(scores, classes) == 2)
        #expect(Metric.accuracy.total(Tensor([0.2, 0.9] as [Float], shape: [2, 1]), Tensor([0, 0])) == 1)
        let (a, b) = (Tensor([1, 2] as [Float], shape: [2, 1]), Tensor([3, 2] as [Float], shape: [2, 1]))
        #expect(Metric.meanSquaredError.total(a, b) == 4 && Metric.meanAbsoluteError.total(a, b) == 2)
    }

    @Test func earlyStoppingWaitsAndRestores() throws {
        let trainer = Clouds.trainer()
        let stopping = EarlyStopping(minDelta: 0.01, patience: 2, restoresBestWeights: true)
        var weights: [[Float]] = []
        let keep = OnEpochEnd { trainer, _, _ in weights.append(trainer.model.parameters()[0].array(Float.self)) }
        let history = try trainer.fit(
            data, epochs: 9, callbacks: [Scripted([0.5, 0.4, 0.395, 0.6, 0.3]), keep, stopping], verbose: false)
        #expect(history.count == 4 && stopping.stoppedEpoch == 3 && stopping.best?.epoch == 1)
        #expect(trainer.model.parameters()[0].array(Float.self) == weights[1] && weights[1] != weights[3])
    }

    @Test func bestCheckpointHoldsTheBestEpoch() throws {
        let (folder, trainer) = (try Folder(), Clouds.trainer())
        let checkpoint = BestCheckpoint(folder.file("best.safetensors"))
        var weights: [[Float]] = []
        let keep = OnEpochEnd { trainer, _, _ in weights.append(trainer.model.parameters()[0].array(Float.self)) }
        try trainer.fit(
            data, epochs: 4, callbacks: [Scripted([0.5, .nan, 0.3, 0.4]), keep, checkpoint], verbose: false)
        #expect(checkpoint.best?.epoch == 2 && checkpoint.best?.value == 0.3)
        let fresh = Clouds.trainer().model
        try fresh.loadStateDict(try loadSafetensors(from: checkpoint.path))
        #expect(fresh.parameters()[0].array(Float.self) == weights[2])
        #expect(try SafetensorsFile(checkpoint.path).metadata == ["epoch": "2", "val_loss": "0.3"])
        #expect(throws: FileError.self) {
            try trainer.fit(
                data, callbacks: [BestCheckpoint("\(folder.path)/none/best", monitor: "loss")], verbose: false)
        }
    }

    @Test func accuracyIsBetterWhenLarger() {
        #expect(Goal.automatic.isBetter(0.9, than: 0.8, name: "val_accuracy"))
        #expect(
            Goal.automatic.isBetter(0.9, than: 0.8, name: "top5")
                && !Goal.automatic.isBetter(0.9, than: 0.8, name: "loss"))
        #expect(
            !Goal.minimum.isBetter(.nan, than: nil, name: "loss") && !Goal.maximum.isBetter(.nan, than: 0, name: "loss")
        )
    }

    @Test func ratesAreLoggedScheduledAndWritten() throws {
        let (folder, trainer) = (try Folder(), Clouds.trainer(metrics: [], lr: 0.08))
        let halving = Schedule(optim.StepLR(trainer.optimizer, stepSize: 1, gamma: 0.5))
        let callbacks: [any Callback] = [LearningRateLog(), halving, CSVLogger(folder.file("log.csv"))]
        try trainer.fit(data, epochs: 3, callbacks: callbacks, verbose: false)
        #expect(trainer.history.map { $0["lr"]! } == [0.08, 0.04, 0.02])
        var lines = try folder.text("log.csv").split(separator: "\n").map(String.init)
        #expect(lines.count == 4 && lines[0] == "epoch,loss,lr")
        #expect(lines[2] == "1,\(trainer.history[1]["loss"]!),0.04")

        try trainer.fit(
            data, callbacks: [CSVLogger(folder.file("log.csv"), append: true)], verbose: false)
        lines = try folder.text("log.csv").split(separator: "\n").map(String.init)
        #expect(lines.count == 5 && lines[4] == "3,\(trainer.history[3]["loss"]!),")
    }

    @Test func filesThatAreNoTextAreNotAppendedTo() throws {
        let (folder, trainer) = (try Folder(), Clouds.trainer())
        let bytes = Data([0xff, 0xfe, 0x00])
        try bytes.write(to: URL(fileURLWithPath: folder.file("log.csv")))
        #expect(throws: FileError.self) {
            try trainer.fit(data, callbacks: [CSVLogger(folder.file("log.csv"), append: true)], verbose: false)
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file("log.csv"))) == bytes)
    }

    @Test func schedulesByBatchAndByPlateau() throws {
        let trainer = Clouds.trainer(lr: 1)
        try trainer.fit(
            data, callbacks: [Schedule(optim.ExponentialLR(trainer.optimizer, gamma: 0.5), every: .batch)],
            verbose: false)
        #expect(trainer.optimizer.parameterGroups[0].lr == 0.125)
        let plateau = Schedule(optim.ReduceLROnPlateau(trainer.optimizer, factor: 0.1, patience: 0))
        try trainer.fit(data, epochs: 2, callbacks: [Scripted([1, 1]), plateau], verbose: false)
        #expect(abs(trainer.optimizer.parameterGroups[0].lr - 0.0125) < 1e-12)
    }

    @Test func mistakesTrap() async {
        await #expect(processExitsWith: .failure) {
            let model = nn.Linear(1, 1)
            let trainer = Trainer(model, optimizer: optim.SGD(model.parameters()), loss: nn.MSELoss())
            try trainer.fit(Tensor.ones([4, 1]), Tensor.ones([4, 1]), callbacks: [EarlyStopping()], verbose: false)
        }
        await #expect(processExitsWith: .failure) {
            let model = nn.Linear(1, 1)
            _ = Trainer(
                model, optimizer: optim.SGD(model.parameters()), loss: nn.MSELoss(), metrics: [.accuracy, .accuracy])
        }
    }
}

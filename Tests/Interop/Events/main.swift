// Trains a small model with TensorBoard's callback and prints what the event file has to hold, one JSON object a line:
// `write-events FOLDER`. `tensorboard_reads.py` compares it with what TensorBoard reads.
import Foundation
import training

guard CommandLine.arguments.count == 2 else {
    FileHandle.standardError.write(Data("usage: write-events FOLDER\n".utf8))
    exit(2)
}
let folder = CommandLine.arguments[1]

func show(_ tag: String, _ step: Int, _ value: Double) {
    print(#"{"tag":"\#(tag)","step":\#(step),"value":\#(value)}"#)
}

do {
    manualSeed(1)
    let x = Tensor.randn([96, 3])
    let y = x.matmul(Tensor([1, -2, 0.5] as [Float], shape: [3, 1])) + 1
    let model = nn.Linear(3, 1)
    let trainer = Trainer(
        model, optimizer: optim.SGD(model.parameters(), lr: 0.05), loss: nn.MSELoss(), metrics: [.meanAbsoluteError])
    let history = try trainer.fit(
        x, y, epochs: 5, validationSplit: 0.25,
        callbacks: [LearningRateLog(), TensorBoard(folder, histograms: true)], verbose: false)
    let tags = [
        ("loss", "loss/train"), ("mae", "mae/train"), ("val_loss", "loss/validation"), ("val_mae", "mae/validation"),
        ("lr", "lr"),
    ]
    for (epoch, logs) in history.enumerated() {
        for (name, tag) in tags { show(tag, epoch, logs[name]!) }
    }
    // A second file in the same folder: large steps, negative ones, values at the ends of the range.
    let writer = try SummaryWriter(folder)
    for (step, value) in [(0, -1.5), (1 << 40, 3e38), ((1 << 40) + 1, 1e-38)] {
        try writer.addScalar("ends/größe", value, step: step)
        show("ends/größe", step, value)
    }
} catch {
    FileHandle.standardError.write(Data("write-events: \(error)\n".utf8))
    exit(1)
}

// What a classifier has done so far: loss, accuracy, which class it took for which.
import Tapestry
import data
import nn

/// Counts a classifier's answers, batch by batch.
public struct Tally {
    /// Samples counted.
    public private(set) var count = 0
    /// How often class `row` was taken for class `column`.
    public private(set) var confusion: [[Int]]
    private var lossSum = 0.0

    public init(classes: Int) {
        confusion = [[Int]](repeating: [Int](repeating: 0, count: classes), count: classes)
    }

    /// Mean loss of a sample.
    public var loss: Double { lossSum / Double(max(1, count)) }
    /// The share that was taken for what it is.
    public var accuracy: Double {
        Double(confusion.indices.reduce(0) { $0 + confusion[$1][$1] }) / Double(max(1, count))
    }

    /// Counts a batch: its logits [N, classes], its labels [N], its mean loss.
    public mutating func add(_ logits: Tensor, _ labels: Tensor, loss: Tensor) {
        count += labels.count
        lossSum += loss.item() * Double(labels.count)
        for (real, predicted) in zip(labels.array(Int.self), logits.argmax(dim: 1).array(Int.self)) {
            confusion[real][predicted] += 1
        }
    }
}

extension TrainingOptions {
    /// Tests a classifier; Ctrl-C ends the program after the batch, and saves first if `--save` is given.
    public func evaluate(_ model: nn.Module, _ test: any Dataset, classes: Int = 10) throws -> Tally {
        model.eval()
        defer { model.train() }
        var tally = Tally(classes: classes)
        try noGrad {
            for (images, labels) in DataLoader(test, batchSize: 500) {
                let logits = model(images)
                tally.add(logits, labels, loss: F.crossEntropy(logits, labels))
                try endIfInterrupted(model)
            }
        }
        return tally
    }
}

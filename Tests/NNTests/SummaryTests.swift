// What a model consists of.
import Testing
import nn

private final class CNN: nn.Module {
    let conv1 = nn.Conv2d(1, 16, kernelSize: 5, padding: 2)
    let norm = nn.BatchNorm2d(16)
    let blocks: [Module] = [nn.Linear(3136, 10), nn.Sequential(nn.Dropout(), nn.ReLU())]
    let unused = nn.Linear(2, 2)
    override func forward(_ x: Tensor) -> Tensor {
        blocks.reduce(F.maxPool2d(norm(conv1(x)), kernelSize: 2).flatten(startDim: 1)) { $1($0) }
    }
}

@Suite struct SummaryTests {
    @Test func tableOfAModel() {
        let model = CNN()
        model.conv1.freeze()
        model.blocks[1].eval()
        let result = summary(model, [2, 1, 28, 28])
        let text = """
            Layer                   Output shape     Parameters  Multiply-adds    Bytes
            ───────────────────────────────────────────────────────────────────────────
            CNN                     [2, 10]                   –              –        –
              conv1: Conv2d         [2, 16, 28, 28]         416        627,200  100,352
              norm: BatchNorm2d     [2, 16, 28, 28]          32              –  100,352
              blocks.0: Linear      [2, 10]              31,370         62,720       80
              blocks.1: Sequential  [2, 10]                   –              –        –
                0: Dropout          [2, 10]                   –              –       80
                1: ReLU             [2, 10]                   –              –       80
              unused: Linear        –                         6              –        –
            ───────────────────────────────────────────────────────────────────────────
            Parameters              31,824
            Trainable               31,408
            Multiply-adds           689,920
            Input                   6.27 kB
            Outputs                 200.94 kB
            Parameters and buffers  127.43 kB
            Together                334.65 kB
            ───────────────────────────────────────────────────────────────────────────
            """
        #expect(result.description == text)
        #expect(
            result.rows.map(\.path) == [
                "", "conv1", "norm", "blocks.0", "blocks.1", "blocks.1.0", "blocks.1.1", "unused",
            ])
        #expect(result.rows.map(\.depth) == [0, 1, 1, 1, 1, 2, 2, 1])
        #expect(result.rows.map(\.parameters) == [0, 416, 32, 31370, 0, 0, 0, 6])
        #expect(result.rows.map(\.multiplyAdds) == [0, 627_200, 0, 62720, 0, 0, 0, 0])
        #expect(result.rows.map(\.outputBytes) == [0, 100_352, 100_352, 80, 0, 80, 80, 0])
        #expect(result.rows[1].outputShapes == [[2, 16, 28, 28]] && result.rows[7].outputShapes.isEmpty)
        #expect(result.parameters == 31824 && result.trainableParameters == 31408)
        // The model is as it was.
        #expect(model.training && !model.blocks[1].training && model.conv1.training)
        #expect(model.norm.numBatchesTracked!.item() == 0)
    }

    @Test func sharedAndRecurrentLayers() {
        let shared = nn.Linear(4, 4, bias: false)
        let twice = summary(nn.Sequential(shared, shared), [3, 4])
        #expect(twice.parameters == 16 && twice.multiplyAdds == 2 * 3 * 16 && twice.outputBytes == 2 * 48)
        let layer = nn.LSTM(2, 3, numLayers: 2)
        // Five steps of two samples: 4·3 rows of 2 + 3, then of 3 + 3.
        #expect(summary(layer, [5, 2, 2]).multiplyAdds == 10 * (12 * 5 + 12 * 6))
        #expect(summary(nn.Embedding(7, 3), [2, 2], dtype: .int64).rows[0].outputShapes == [[2, 2, 3]])
    }

    @Test func attentionCountsProjectionsAndScores() {
        let layer = nn.TransformerEncoderLayer(8, 2, dimFeedforward: 16, batchFirst: true)
        let result = summary(layer, [2, 5, 8])
        // in and out projections, scores and values, both linear layers
        #expect(result.multiplyAdds == 2 * (5 * 8 * 8 * 4 + 2 * 5 * 5 * 8 + 2 * 5 * 8 * 16))
    }
}

// Bags of embeddings and bounded embeddings against values computed by torch.
import Testing
import nn

private enum Cases {
    typealias Case = (mode: F.BagMode, output: [Double], gradient: [Double])
    static let bags: [Case] = [
        (
            .sum,
            [
                -0.6748684, 0.32035112, 1.0210414, 0, 0, 0, -0.12445444, -0.1238541, -0.009382844, 0.14112, -0.7568025,
                -0.95892429,
            ], [0, 0, 0, 9, 11, 13, 0, 1, 2, 6, 7, 8, 6, 8, 10]
        ),
        (
            .mean,
            [
                -0.22495614, 0.10678371, 0.34034714, 0, 0, 0, -0.062227219, -0.06192705, -0.004691422, 0.14112,
                -0.7568025, -0.95892429,
            ],
            [0, 0, 0, 9, 10.333333, 11.666667, 0, 0.33333334, 0.66666669, 3, 3.5, 4, 3, 3.8333333, 4.6666665]
        ),
        (
            .max,
            [
                0.14112, 0.65698659, 0.99060738, 0, 0, 0, 0.41211849, 0.42016703, 0.99060738, 0.14112, -0.7568025,
                -0.95892429,
            ], [0, 0, 0, 9, 10, 11, 0, 1, 0, 6, 0, 0, 0, 7, 10]
        ),
    ]
}

@Suite struct EmbeddingTests {
    private let indices = Tensor([1, 2, 4, 4, 0, 3, 1])

    @Test(arguments: Cases.bags.indices) func bagsWithOffsetsAndPadding(_ index: Int) {
        let (mode, output, gradient) = Cases.bags[index]
        let weight = waves([5, 3]).requiresGrad()
        let y = F.embeddingBag(indices, weight, offsets: Tensor([0, 3, 3, 6]), mode: mode, paddingIdx: 0)
        #expect(matches(y, output))
        (y * Tensor.arange(12).to(.float32).reshape(4, 3)).sum().backward()
        #expect(matches(weight.grad!, gradient))
    }

    @Test func weighedBagsAndTheLastOffset() {
        let weight = waves([5, 3])
        let weighed = F.embeddingBag(
            Tensor([1, 2, 0, 4], shape: [2, 2]), weight, mode: .sum,
            perSampleWeights: Tensor([0.5, 2, 1, -1] as [Float], shape: [2, 2]))
        #expect(matches(weighed, [-0.48827097, 0.93557191, 1.4992543, 0.53657293, 0.42130393, -0.081309974]))
        let whole = F.embeddingBag(indices, weight, offsets: Tensor([0, 3, 7]), includeLastOffset: true)
        #expect(
            matches(whole, [-0.22495614, 0.10678371, 0.34034714, 0.0041663907, -0.0097964257, -0.014752448]))
    }

    @Test func longRowsAreShortenedInPlace() {
        let weight = waves([5, 3])
        let y = F.embedding(Tensor([1, 3]), weight, maxNorm: 0.5)
        let expected = [0.057379112, -0.30771437, -0.38989669, 0.17019922, -0.22467317, -0.41298208]
        #expect(matches(y, expected))
        #expect(weight.select(dim: 0, index: 1).isClose(to: y.select(dim: 0, index: 0)))
        #expect(weight.select(dim: 0, index: 0).isClose(to: waves([3])))
    }

    @Test func layerHasTorchsKeysAndPrints() {
        let layer = nn.EmbeddingBag(3, 2, mode: .sum, paddingIdx: -1)
        #expect(layer.stateDict().map(\.name) == ["weight"] && layer.paddingIdx == 2)
        #expect(layer(Tensor([2, 2], shape: [1, 2])).array(Float.self) == [0, 0])
        #expect(nn.EmbeddingBag(3, 2).description == "EmbeddingBag(3, 2, mode='mean')")
    }
}

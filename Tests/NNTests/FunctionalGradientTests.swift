// Gradient checks of the functional layers and losses, in float64.
import Testing
import nn

private func leaf(_ shape: [Int], seed: UInt64 = 1) -> Tensor {
    Tensor.randn(shape, dtype: .float64, generator: Generator(seed: seed), requiresGrad: true)
}

private enum Cases {
    typealias Case = (name: String, isSmooth: Bool, function: @Sendable (Tensor) -> Tensor)
    /// On [2, 4, 3, 3].
    static let layers: [Case] = [
        ("batchNorm", true, { F.batchNorm($0, training: true) }),
        ("layerNorm", true, { F.layerNorm($0, normalizedShape: [3, 3]) }),
        ("rmsNorm", true, { F.rmsNorm($0, normalizedShape: [3]) }),
        ("groupNorm", true, { F.groupNorm($0, numGroups: 2) }), ("instanceNorm", true, { F.instanceNorm($0) }),
        ("localResponseNorm", true, { F.localResponseNorm($0, size: 3, alpha: 0.5) }),
        ("adaptiveAvgPool2d", true, { F.adaptiveAvgPool2d($0, (2, 1)) }),
        ("global", true, { F.adaptiveAvgPool2d($0, 1) }),
        ("adaptiveMaxPool2d", false, { F.adaptiveMaxPool2d($0, (2, 2)).output }),
        ("nearest", true, { F.interpolate($0, scaleFactor: [2]) }),
        ("bilinear", true, { F.interpolate($0, size: [5, 2], mode: .bilinear) }),
        ("corners", true, { F.interpolate($0, size: [5, 2], mode: .bilinear, alignCorners: true) }),
        ("maxPool1d", false, { F.maxPool1d($0.flatten(startDim: 2), kernelSize: 3, stride: 2) }),
        ("avgPool1d", true, { F.avgPool1d($0.flatten(startDim: 2), kernelSize: 3, padding: 1) }),
        // The padding row is not used: it has no gradient on purpose, which differences would not see.
        ("embedding", true, { F.embedding(Tensor([1, 0, 1]), $0.reshape(8, 9), paddingIdx: 2).square() }),
    ]
    typealias Loss = (name: String, function: @Sendable (Tensor, Tensor) -> Tensor)
    /// On two [4, 3].
    static let losses: [Loss] = [
        ("mse", { F.mseLoss($0, $1) }), ("l1", { F.l1Loss($0, $1) }),
        ("smoothL1", { F.smoothL1Loss($0, $1, beta: 0.5) }),
        ("huber", { F.huberLoss($0, $1, delta: 0.7) }),
        ("bce", { F.binaryCrossEntropy($0.sigmoid(), $1.sigmoid()) }),
        ("bceLogits", { F.binaryCrossEntropyWithLogits($0, $1.sigmoid(), posWeight: Tensor([0.5, 1, 2])) }),
        ("klDiv", { F.klDiv($0.logSoftmax(dim: 1), $1.softmax(dim: 1), reduction: .batchmean) }),
        ("klDiv log", { F.klDiv($0.logSoftmax(dim: 1), $1.logSoftmax(dim: 1), logTarget: true) }),
        ("ranking", { F.marginRankingLoss($0, $1, Tensor([1.0, -1, 1]), margin: 0.1) }),
        ("hinge", { t, _ in F.hingeEmbeddingLoss(t, Tensor([1.0, -1, 1])) }),
        ("softMargin", { t, _ in F.softMarginLoss(t, Tensor([1.0, -1, 1])) }),
        ("poisson", { F.poissonNLLLoss($0, $1) }),
        ("cosine", { F.cosineEmbeddingLoss($0, $1, Tensor([1.0, -1, 1, -1]), margin: -0.5) }),
        ("similarity", { F.cosineSimilarity($0, $1) }), ("triplet", { F.tripletMarginLoss($0, $1, $0 * 0.3 + 1) }),
        ("probabilities", { t, _ in F.probabilityCrossEntropy(t.softmax(dim: 1), Tensor([0, 2, 1, 1])) }),
    ]
}

@Suite struct FunctionalGradientTests {
    @Test(arguments: Cases.layers.indices) func layers(_ index: Int) throws {
        let (_, isSmooth, function) = Cases.layers[index]
        try gradcheck({ function($0[0]) }, [leaf([2, 4, 3, 3])])
        if isSmooth { try gradgradcheck({ function($0[0]) }, [leaf([2, 4, 3, 3], seed: 5)]) }
    }

    @Test func gridSampling() throws {
        let grid = (Tensor.rand([2, 2, 3, 2], dtype: .float64, generator: Generator(seed: 3)) * 2.2 - 1.1)
            .requiresGrad()
        try gradcheck({ F.gridSample($0[0], $0[1]) }, [leaf([2, 2, 3, 4]), grid])
        try gradcheck(
            { F.gridSample($0[0], $0[1], paddingMode: .border, alignCorners: true) }, [leaf([2, 2, 3, 4]), grid])
        // The identity grid gives the image back.
        let x = leaf([1, 1, 2, 2])
        let identity = Tensor([-0.5, -0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5], shape: [1, 2, 2, 2])
        #expect(F.gridSample(x, identity).isClose(to: x))
    }

    @Test(arguments: Cases.losses.indices) func losses(_ index: Int) throws {
        let function = Cases.losses[index].function
        try gradcheck({ function($0[0], $0[1]) }, [leaf([4, 3]), leaf([4, 3], seed: 2)])
    }
}

// Losses as modules against values computed by torch.
import Testing
import nn

private enum Inputs {
    static var a: Tensor { Tensor([0.2, 0.5, -0.3, 1, -0.7, 0.1] as [Float], shape: [2, 3]) }
    static var b: Tensor { Tensor([0.1, 0.9, 0.4, 0.3, 0.6, 0.8] as [Float], shape: [2, 3]) }
    static var classes: Tensor { Tensor([2, 0]) }
    static var signs: Tensor { Tensor([1, -1] as [Float]) }
    static var weight: Tensor { Tensor([0.5, 1, 2] as [Float]) }
    static var signRows: Tensor { signs.reshape(2, 1).expand(2, 3) }
}

private enum Cases {
    typealias Case = (name: String, loss: @Sendable () -> Tensor, expected: Double)
    static let all: [Case] = [
        (
            "cross-entropy",
            { nn.CrossEntropyLoss(weight: Inputs.weight, labelSmoothing: 0.1)(Inputs.a, Inputs.classes) }, 1.3520492
        ),
        (
            "likelihood",
            { nn.NLLLoss(weight: Inputs.weight, reduction: .sum)(Inputs.a.logSoftmax(dim: 1), Inputs.classes) },
            3.3995695
        ),
        // Keras 3: −mean(ln of the class's share), here of a softmax's own shares.
        ("probabilities", { nn.ProbabilityCrossEntropyLoss()(Inputs.b, Inputs.classes) }, 1.0601318),
        (
            "clipped", { nn.ProbabilityCrossEntropyLoss()(Tensor([0, 1] as [Float], shape: [1, 2]), Tensor([0])) },
            16.118095
        ),
        ("binary", { nn.BCELoss()(Inputs.b, Inputs.a.gt(0).to(.float32)) }, 0.87702972),
        ("binary logits", { nn.BCEWithLogitsLoss(posWeight: Inputs.weight)(Inputs.a, Inputs.b) }, 0.87629646),
        ("squares", { nn.MSELoss()(Inputs.a, Inputs.b) }, 0.55500001),
        ("differences", { nn.L1Loss(reduction: .sum)(Inputs.a, Inputs.b) }, 3.9),
        ("smooth", { nn.SmoothL1Loss(beta: 0.5)(Inputs.a, Inputs.b) }, 0.42833331),
        ("huber", { nn.HuberLoss(delta: 0.4)(Inputs.a, Inputs.b) }, 0.1875),
        ("divergence", { nn.KLDivLoss(reduction: .batchmean)(Inputs.a.logSoftmax(dim: 1), Inputs.b) }, 1.2186521),
        ("hinge", { nn.HingeEmbeddingLoss(margin: 0.8)(Inputs.a, Inputs.signRows) }, 0.43333337),
        ("soft margin", { nn.SoftMarginLoss()(Inputs.a, Inputs.signRows) }, 0.73123592),
        ("poisson", { nn.PoissonNLLLoss()(Inputs.a, Inputs.b) }, 1.2701634),
        (
            "ranking",
            {
                nn.MarginRankingLoss(margin: 0.1)(
                    Inputs.a.select(dim: 1, index: 0), Inputs.b.select(dim: 1, index: 0), Inputs.signs)
            }, 0.4
        ),
        ("cosine", { nn.CosineEmbeddingLoss(margin: -0.9)(Inputs.a, Inputs.b, Inputs.signs) }, 0.64758909),
        ("triplet", { nn.TripletMarginLoss(swap: true)(Inputs.a, Inputs.b, Inputs.weight.expand(2, 3)) }, 0.7567609),
        ("similarity", { nn.CosineSimilarity()(Inputs.a, Inputs.b).sum() }, 0.54225689),
    ]
}

private final class Hinge: nn.Loss {
    override func forward(_ input: Tensor, _ target: Tensor) -> Tensor { F.relu(1 - input * target).mean() }
}

@Suite struct LossTests {
    @Test(arguments: Cases.all.indices) func valuesAreTorchs(_ index: Int) {
        let (name, loss, expected) = Cases.all[index]
        let value: Double = loss().item()
        #expect(abs(value - expected) < 2e-6 * max(1, expected), "\(name)")
    }

    @Test func weightsAreBuffersWithTorchsNames() {
        let loss = nn.BCEWithLogitsLoss(weight: Inputs.weight, posWeight: Inputs.weight)
        #expect(loss.stateDict().map(\.name) == ["weight", "pos_weight"] && loss.parameters().isEmpty)
    }

    @Test func lossesOfOnesOwn() {
        #expect(Hinge()(Tensor([0.5, -2] as [Float]), Tensor([1, 1] as [Float])).item() == 1.75)
    }
}

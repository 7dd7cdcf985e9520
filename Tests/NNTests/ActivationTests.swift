// Activations and dropout against values computed by torch.
import Testing
import nn

private enum Cases {
    typealias Case = (layer: @Sendable () -> Module, output: [Double], gradient: [Double], text: String)
    /// On [−2, −0.5, −0.2, 0, 0.3, 0.5, 1.5].
    static let activations: [Case] = [
        ({ nn.Hardshrink() }, [-2, 0, 0, 0, 0, 0, 1.5], [1, 0, 0, 0, 0, 0, 1], "Hardshrink(0.5)"),
        ({ nn.Softshrink() }, [-1.5, 0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0, 1], "Softshrink(0.5)"),
        (
            { nn.Tanhshrink() }, [-1.0359724, -0.037882835, -0.0026246756, 0, 0.008687377, 0.037882835, 0.59485173],
            [0.92934918, 0.2135523, 0.038957, 0, 0.084863067, 0.2135523, 0.81929338], "Tanhshrink()"
        ),
        (
            { nn.Threshold(0.3, 7) }, [7, 7, 7, 7, 7, 0.5, 1.5], [0, 0, 0, 0, 0, 1, 1],
            "Threshold(threshold=0.3, value=7.0)"
        ),
        (
            { nn.Softmin(dim: 0) },
            [0.57593542, 0.12850857, 0.095201485, 0.077944383, 0.057742622, 0.047275659, 0.017391743],
            [0, 0, 0, 0, 0, 0, 0], "Softmin(dim=0)"
        ),
        (
            { nn.RReLU().eval() }, [-0.45833334, -0.11458334, -0.045833334, 0, 0.30000001, 0.5, 1.5],
            [0.22916667, 0.22916667, 0.22916667, 0.22916667, 1, 1, 1], "RReLU(lower=0.125, upper=0.3333333333333333)"
        ),
    ]
}

@Suite struct ActivationTests {
    private let x = Tensor([-2, -0.5, -0.2, 0, 0.3, 0.5, 1.5] as [Float])

    @Test(arguments: Cases.activations.indices) func valuesAndGradientsAreTorchs(_ index: Int) {
        let (make, output, gradient, text) = Cases.activations[index]
        let (layer, leaf) = (make(), x.clone().requiresGrad())
        let y = layer(leaf)
        y.sum().backward()
        #expect(matches(y, output) && matches(leaf.grad!, gradient) && layer.description == text)
    }

    @Test func randomSlopesAreTorchs() {
        let y = F.rrelu(x, training: true, generator: Generator(seed: 5))
        #expect(matches(y, [-0.51750624, -0.089558117, -0.040034484, 0, 0.30000001, 0.5, 1.5]))
    }

    @Test func alphaDropoutDropsWhatTorchDoes() {
        let y = F.alphaDropout(x, p: 0.3, training: true, generator: Generator(seed: 5))
        #expect(
            matches(y, [-1.2678132, 0.023615748, 0.28190154, 0.45409206, 0.71237785, -1.0595483, 1.7455209]))
        let layer = nn.AlphaDropout(0.3)
        #expect(layer(x) !== x && layer.eval()(x) === x)
        #expect(F.alphaDropout(x, p: 1, training: true).array(Float.self).allSatisfy { $0 == 0 })
    }

    @Test func alphaDropoutKeepsMeanAndDeviation() {
        let x = Tensor.randn([100_000], generator: Generator(seed: 1)).selu()
        let y = F.alphaDropout(x, p: 0.2, training: true, generator: Generator(seed: 2))
        #expect(abs((y.mean() - x.mean()).item()) < 0.02 && abs((y.std() - x.std()).item()) < 0.02)
    }

    @Test func channelDropoutDropsWholeChannels() {
        let y = F.channelDropout(Tensor.ones([2, 3, 1, 2]), p: 0.4, generator: Generator(seed: 5))
        let kept = 1.6666666
        #expect(matches(y, [0, 0, kept, kept, kept, kept, kept, kept, kept, kept, 0, 0]))
    }

    @Test func probabilitiesAreChecked() async {
        await #expect(processExitsWith: .failure) { _ = nn.Dropout2d(1.5) }
        await #expect(processExitsWith: .failure) { _ = F.alphaDropout(Tensor.ones([2]), p: -0.1) }
    }

    @Test func functionsAndLayersAgree() {
        for (y, layer) in [
            (F.gelu(x, tanh: true), nn.GELU(tanh: true)), (F.silu(x), nn.SiLU()), (F.mish(x), nn.Mish()),
            (F.softplus(x, beta: 2), nn.Softplus(beta: 2)), (F.elu(x, alpha: 0.5), nn.ELU(alpha: 0.5)),
            (F.leakyRelu(x), nn.LeakyReLU()), (F.hardswish(x), nn.Hardswish()), (F.celu(x), nn.CELU()),
        ] as [(Tensor, Module)] {
            #expect(y.isClose(to: layer(x)))
        }
    }
}

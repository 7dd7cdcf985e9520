// Updates against torch's, to the last digits of float64.
import Testing
import optim

@Suite struct OptimizerTests {
    /// Three steps from [1, -2, 3] with gradients t · [0.5, -1, 2].
    private func run(_ make: ([Tensor]) -> Optimizer) -> [Double] {
        let p = Tensor([1.0, -2, 3], requiresGrad: true)
        let optimizer = make([p])
        for step in 1...3 {
            p.grad = Tensor([0.5, -1, 2]) * step
            optimizer.step()
        }
        return p.array()
    }
    private func expect(_ found: [Double], _ expected: [Double], sourceLocation: SourceLocation = #_sourceLocation) {
        for (a, b) in zip(found, expected) { #expect(abs(a - b) < 1e-12, sourceLocation: sourceLocation) }
    }

    /// Their squares are beyond Float; their norm is not.
    @Test(arguments: [1e30, 1, 700 * .leastNonzeroMagnitude] as [Float]) func gradientsOfAnySizeAreClippedTogether(
        _ scale: Float
    ) {
        let parameters = [3, 1].map { Tensor.zeros([$0], dtype: .float32) }
        parameters[0].grad = Tensor([2 * scale, -4 * scale, 0])
        parameters[1].grad = Tensor([4 * scale])
        let norm = optim.clipGradNorm(parameters, maxNorm: 0.5).item() as Double
        #expect(abs(norm - 6 * Double(scale)) <= 1e-6 * norm)
        let factor = norm > 0.5 ? 0.5 / norm : 1
        for (found, whole) in zip(parameters.flatMap { $0.grad!.array(Float.self) }, [2, -4, 0, 4] as [Double]) {
            let expected = whole * Double(scale) * factor
            #expect(abs(Double(found) - expected) <= 1e-5 * abs(expected))
        }
    }

    @Test func sgd() {
        expect(run { optim.SGD($0, lr: 0.1) }, [0.7, -1.4, 1.8])
        expect(
            run { optim.SGD($0, lr: 0.1, momentum: 0.9, dampening: 0.1, weightDecay: 0.01) },
            [0.5534361886899999, -1.1068723773799998, 1.2190605255700002])
        expect(run { optim.SGD($0, lr: 0.1, momentum: 0.9, nesterov: true) }, [0.27205, -0.5441, 0.0882])
        expect(run { optim.SGD($0, lr: 0.1, maximize: true) }, [1.3, -2.6, 4.2])
    }

    @Test func adam() {
        expect(run { optim.Adam($0, lr: 0.1) }, [0.7076816791153657, -1.7076816770616812, 2.707681676034839])
        expect(
            run { optim.Adam($0, lr: 0.1, betas: (0.8, 0.9), weightDecay: 0.1, amsgrad: true) },
            [0.7048067817178238, -1.704889144740036, 2.705287496766012])
        expect(
            run { optim.Adam($0, lr: 0.1, weightDecay: 0.1, decoupledWeightDecay: true) },
            [0.6809358610891806, -1.6512348590614996, 2.6215338580476586])
    }

    @Test func adamsRelatives() {
        expect(run { optim.AdamW($0, lr: 0.1) }, [0.7049810963127292, -1.701984093261654, 2.6989870912361162])
        expect(
            run { optim.NAdam($0, lr: 0.1, weightDecay: 0.1) },
            [0.7051375108002438, -1.7049705197104317, 2.7041889493957467])
        expect(
            run { optim.NAdam($0, lr: 0.1, weightDecay: 0.1, decoupledWeightDecay: true) },
            [0.6752444858976779, -1.64554348381431, 2.6158424827726257])
        expect(
            run { optim.RAdam($0, lr: 0.1, betas: (0.9, 0.9)) },
            [0.7701786754709652, -1.5403573509419304, 2.0807147018838608])
        expect(run { optim.Adamax($0, lr: 0.1) }, [0.7546805237125979, -1.7546805221010067, 2.754680521295211])
    }

    @Test func otherRatesForEachWeight() {
        expect(
            run { optim.Adagrad($0, lr: 0.1, lrDecay: 0.1, initialAccumulatorValue: 0.2) },
            [0.7849841043808843, -1.7626372483320483, 2.754805647650393])
        expect(
            run { optim.Adadelta($0, weightDecay: 0.1) }, [0.9881136182065068, -1.988113152344931, 2.98806917153542])
        expect(run { optim.Rprop($0, lr: 0.1) }, [0.636, -1.636, 2.6359999999999997])
        expect(run { optim.ASGD($0, lr: 0.1, t0: 1) }, [0.6999750060507097, -1.3999500121014194, 1.7999300236775388])
    }

    @Test func parametersWithoutGradientsStayAndGroupsHaveOptionsOfTheirOwn() {
        let (a, b) = (Tensor([1.0], requiresGrad: true), Tensor([1.0], requiresGrad: true))
        let optimizer = optim.SGD([.init([a]), .init([b], ["lr": 1])], lr: 0.1)
        a.grad = Tensor([1.0])
        optimizer.step()
        #expect(a.item() == 0.9 && b.item() == 1)
        b.grad = Tensor([1.0])
        optimizer.step()
        #expect(b.item() == 0)
        optimizer.zeroGrad()
        #expect(a.grad == nil && b.grad == nil)
    }

    @Test func parametersAsOneVector() {
        let parameters = [Tensor([1.0, 2], shape: [2, 1], requiresGrad: true), Tensor([3.0], requiresGrad: true)]
        let vector = parametersToVector(parameters)
        #expect(vector.array(Double.self) == [1, 2, 3] && vector.requiresGrad)
        vectorToParameters(Tensor([4.0, 5, 6]), parameters)
        #expect(parameters[0].array(Double.self) == [4, 5] && parameters[1].array(Double.self) == [6])
    }
}

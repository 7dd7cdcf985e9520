// Going on from a saved state, averages of weights, closures; schedulers against torch.
import Foundation
import Testing
import optim

@Suite struct StateTests {
    private func train(_ optimizer: Optimizer, _ p: Tensor, steps: ClosedRange<Int>) {
        for step in steps {
            p.grad = Tensor([0.5, -1, 2]) * step
            optimizer.step()
        }
    }

    @Test func everyOptimizerGoesOnBitwiseFromAFile() throws {
        let makers: [([Tensor]) -> Optimizer] = [
            { optim.SGD($0, lr: 0.1, momentum: 0.9, dampening: 0.1) }, { optim.Adam($0, amsgrad: true) },
            { optim.NAdam($0) }, { optim.RAdam($0, betas: (0.9, 0.9)) }, { optim.Adamax($0) },
            { optim.Adagrad($0, lrDecay: 0.1, initialAccumulatorValue: 0.1) }, { optim.Adadelta($0) },
            { optim.RMSprop($0, momentum: 0.9, centered: true) }, { optim.Rprop($0) }, { optim.ASGD($0, t0: 1) },
        ]
        for make in makers {
            let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).safetensors").path
            defer { try? FileManager.default.removeItem(atPath: path) }
            let straight = Tensor([1.0, -2, 3], requiresGrad: true)
            let first = make([straight])
            train(first, straight, steps: 1...3)
            let resumed = Tensor(straight.array(Double.self), requiresGrad: true)
            try first.stateDict().save(to: path)
            let second = make([resumed])
            try second.loadStateDict(OptimizerState(from: path))
            train(first, straight, steps: 4...8)
            train(second, resumed, steps: 4...8)
            #expect(straight.array(Double.self) == resumed.array(Double.self), "\(type(of: first))")
        }
    }

    @Test func aStateOfOtherShapesIsRefused() throws {
        let (a, b) = (Tensor([1.0, 2, 3], requiresGrad: true), Tensor([1.0], requiresGrad: true))
        let source = optim.Adam([a])
        train(source, a, steps: 1...1)
        let state = source.stateDict()
        #expect(throws: OptimizerStateError.self) { try optim.Adam([b]).loadStateDict(state) }
        #expect(throws: OptimizerStateError.self) { try optim.Adam([a, b]).loadStateDict(state) }
        #expect(throws: OptimizerStateError.self) { try optim.SGD([a]).loadStateDict(state) }
    }

    @Test(arguments: [
        (nil, [-0.904069480590607, 0.8592443636238398], 4.133116723500197, 15),
        (optim.LBFGS.LineSearch.strongWolfe, [-0.357461407885078, 0.0967352233340206], 2.8975574980245997, 18),
    ]) func lbfgsGoesDownRosenbrocksValley(
        _ search: optim.LBFGS.LineSearch?, _ expected: [Double], _ expectedLoss: Double, _ evaluations: Int
    ) throws {
        let p = Tensor([-1.2, 1], requiresGrad: true)
        func make() -> optim.LBFGS {
            optim.LBFGS([p], lr: search == nil ? 0.1 : 1, maxIter: 5, historySize: 3, lineSearch: search)
        }
        func loss() -> Tensor {
            p.grad = nil
            let (x, y) = (p.select(dim: 0, index: 0), p.select(dim: 0, index: 1))
            let (a, b) = (1 - x, y - x * x)
            let value = a * a + b * b * (search == nil ? 10 : 100)
            value.backward()
            return value
        }
        var (optimizer, last) = (make(), 0.0)
        for _ in 1...3 {
            last = optimizer.step(loss).item()
            let state = optimizer.stateDict()
            optimizer = make()
            try optimizer.loadStateDict(state)
        }
        for (found, value) in zip(p.array(Double.self), expected) { #expect(abs(found - value) < 1e-9) }
        #expect(abs(last - expectedLoss) < 1e-9 && optimizer.evaluations == evaluations)
    }

    @Test func averagesOfWeightsFollowAndStandInForThem() {
        let p = Tensor([1.0], requiresGrad: true)
        let average = ExponentialMovingAverage([p], decay: 0.75)
        average.update()
        noGrad { _ = p.copy_(Tensor([3.0])) }
        average.update()
        #expect(average.averages[0].item() == 1.5)
        average.withAverages { #expect(p.item() == 1.5) }
        #expect(p.item() == 3)
    }

    @Test func schedulersGoOnFromTheirState() throws {
        let makers: [(Optimizer) -> LRScheduler] = [
            { CosineAnnealingWarmRestarts($0, t0: 2, tMult: 2) },
            { OneCycleLR($0, maxLR: 1, totalSteps: 12) },
            {
                SequentialLR(
                    $0, schedulers: [LinearLR($0, totalIters: 3), ExponentialLR($0, gamma: 0.5)], milestones: [3])
            },
            { ChainedScheduler([StepLR($0, stepSize: 2), CosineAnnealingLR($0, tMax: 5)]) },
        ]
        for make in makers {
            let p = Tensor([1.0], requiresGrad: true)
            let first = optim.SGD([p], lr: 0.1, momentum: 0.9)
            let scheduler = make(first)
            for _ in 1...3 { scheduler.step() }
            let second = optim.SGD([p], lr: 0.1, momentum: 0.9)
            let resumed = make(second)
            try second.loadStateDict(first.stateDict())
            resumed.loadStateDict(scheduler.stateDict())
            for _ in 1...5 {
                scheduler.step()
                resumed.step()
                #expect(scheduler.lastRates == resumed.lastRates)
            }
        }
    }
}

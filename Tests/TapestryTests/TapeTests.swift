// The tape's rules: leaves, accumulation, freeing, in-place changes, hooks.
import Testing

@testable import Tapestry

@Suite struct TapeTests {
    @Test func gradientsAccumulateUntilTheyAreForgotten() {
        let x = Tensor([2.0, 3], requiresGrad: true)
        (x * x).sum().backward()
        (x * 3).sum().backward()
        expectClose(x.grad!, [7, 9])
        x.grad = nil
        (x * 3).sum().backward()
        expectClose(x.grad!, [3, 3])
    }

    @Test func aBranchUsedTwiceGetsBothShares() {
        let x = Tensor([2.0], requiresGrad: true)
        let y = x * x
        (y * y + y).sum().backward()
        expectClose(x.grad!, [4 * 8 + 4])
    }

    @Test func gradientsOfTwoLeavesDoNotShareMemory() {
        let (a, b) = (Tensor([1.0], requiresGrad: true), Tensor([1.0], requiresGrad: true))
        (a + b).sum().backward()
        a.grad!.add_(5)
        expectClose(b.grad!, [1])
    }

    @Test func onlyWhatRequiresGradientsIsRecorded() {
        let x = Tensor([1.0], requiresGrad: true)
        #expect((x * 2).requiresGrad)
        #expect(!(Tensor([1.0]) * 2).requiresGrad)
        #expect(!noGrad { x * 2 }.requiresGrad)
        #expect(noGrad { enableGrad { x * 2 } }.requiresGrad)
        #expect(!x.detach().requiresGrad)
        #expect((x * 2).isLeaf == false && x.isLeaf)
        #expect(!(x * 2).argmax().requiresGrad)
    }

    @Test func detachedTensorsShareMemoryAndStopGradients() {
        let x = Tensor([3.0], requiresGrad: true)
        (x * x.detach()).sum().backward()
        expectClose(x.grad!, [3])
    }

    @Test func retainedGraphsCanBeReplayed() {
        let x = Tensor([3.0], requiresGrad: true)
        let y = (x * x).sum()
        y.backward(retainGraph: true)
        y.backward()
        expectClose(x.grad!, [12])
    }

    @Test func aFactorIsKeptOnlyForTheOthersGradient() {
        let (x, constant) = (Tensor([1.0], requiresGrad: true), Tensor([3.0]))
        var y: Tensor? = x + 1
        let product = y! * constant
        y!.add_(1)
        weak let memory = y!.storage
        y = nil
        #expect(memory == nil)
        product.sum().backward()
        expectClose(x.grad!, [3])
    }

    @Test func gradReturnsGradientsAndLeavesGradAlone() {
        let (x, z) = (Tensor([3.0], requiresGrad: true), Tensor([1.0], requiresGrad: true))
        let y = x * x
        let gradients = grad(outputs: [y.sum()], inputs: [x, y, z], allowUnused: true)
        expectClose(gradients[0]!, [6])
        expectClose(gradients[1]!, [1])
        #expect(gradients[2] == nil && x.grad == nil)
    }

    @Test func higherDerivativesOfACube() {
        let x = Tensor([2.0], requiresGrad: true)
        let first = grad(of: x.pow(3).sum(), [x], createGraph: true)[0]
        let second = grad(of: first.sum(), [x], createGraph: true)[0]
        let third = grad(of: second.sum(), [x])[0]
        expectClose(first, [12])
        expectClose(second, [12])
        expectClose(third, [6])
    }

    @Test func hooksSeeAndChangeGradients() {
        let x = Tensor([1.0, 2], requiresGrad: true)
        let y = x * 2
        var seen: [Double] = []
        let handle = y.registerHook {
            seen = $0.array(); return $0 * 10
        }
        x.registerHook { $0 + 1 }
        y.sum().backward()
        #expect(seen == [1, 1])
        expectClose(x.grad!, [21, 21])
        handle.remove()
    }

    @Test func intermediateGradientsAreKeptOnRequest() {
        let x = Tensor([3.0], requiresGrad: true)
        let y = x * 2
        y.retainGrad()
        (y * y).sum().backward()
        expectClose(y.grad!, [12])
    }

    @Test func nonScalarsNeedAGradientToStartFrom() {
        let x = Tensor([1.0, 2], requiresGrad: true)
        (x * x).backward(gradient: Tensor([1.0, 10]))
        expectClose(x.grad!, [2, 40])
    }

    @Test func inPlaceOpsJoinTheHistory() {
        let x = Tensor([1.0, 2], requiresGrad: true)
        let y = x * 1
        y.mul_(x)
        y.add_(1)
        y.sum().backward()
        expectClose(y, [2, 5])
        expectClose(x.grad!, [2, 4])
    }

    @Test func anInPlaceChangeOfAViewChangesItsBase() {
        let x = Tensor([1.0, 2, 3, 4], requiresGrad: true)
        let base = x * 1
        let view = base.narrow(dim: 0, start: 1, length: 2)
        let other = base.narrow(dim: 0, start: 2, length: 2)
        view.mul_(10)
        expectClose(base, [1, 20, 30, 4])
        (base * Tensor([1.0, 2, 3, 4])).sum().backward(retainGraph: true)
        expectClose(x.grad!, [1, 20, 30, 4])
        x.grad = nil
        other.sum().backward()
        expectClose(x.grad!, [0, 0, 10, 1])
    }

    @Test func aLongChainGoesBackwardAndIsFreed() {
        let x = Tensor([1.0], requiresGrad: true)
        var y = x
        for _ in 0..<200_000 { y = y + 1 }
        y.sum().backward()
        expectClose(x.grad!, [1])
        y = x * 2
        expectClose(y, [2])
    }

    @Test func memoryIsFreedWithTheLoss() {
        let x = Tensor.randn([64, 64], requiresGrad: true)
        func step() { (x.matmul(x).relu() * x).sum().backward(); x.grad = nil }
        step()
        weak var kept: Storage?
        do {
            let y = x * 2
            kept = y.storage
            _ = y.exp().sum()
        }
        #expect(kept == nil)
    }

    // MARK: Mistakes end the program with one line

    @Test func backwardTwiceTraps() async {
        await #expect(processExitsWith: .failure) {
            let x = Tensor([1.0], requiresGrad: true)
            let y = (x * x).sum()
            y.backward()
            y.backward()
        }
    }
    @Test func changingASavedTensorTrapsInBackward() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let x = Tensor([1.0], requiresGrad: true)
            let y = x.exp()
            y.add_(1)
            y.sum().backward()
        }
        #expect(
            result.map { String(decoding: $0.standardErrorContent, as: UTF8.self).contains("changed in place") } == true
        )
    }
    @Test func changingAFactorThatTheOtherNeedsTraps() async {
        await #expect(processExitsWith: .failure) {
            let (x, w) = (Tensor([1.0], requiresGrad: true), Tensor([2.0], requiresGrad: true))
            let y = x + 1
            let product = y * w
            y.add_(1)
            product.sum().backward()
        }
    }
    @Test func changingALeafInPlaceTraps() async {
        await #expect(processExitsWith: .failure) { Tensor([1.0], requiresGrad: true).add_(1) }
    }
    @Test func backwardFromManyElementsTraps() async {
        await #expect(processExitsWith: .failure) { Tensor([1.0, 2], requiresGrad: true).exp().backward() }
    }
    @Test func anomalyDetectionNamesTheOp() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let x = Tensor([-1.0], requiresGrad: true)
            detectAnomaly { x.sqrt().sum().backward() }
        }
        let text = result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) } ?? ""
        #expect(text.contains("Sqrt") && text.contains("TapeTests.swift"))
    }
}

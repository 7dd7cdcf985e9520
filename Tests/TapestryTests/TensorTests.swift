// Values of ops, views, promotion, printing and random numbers against torch.
import Foundation
import TestSupport
import Testing

@testable import Tapestry

@Suite(.ownGenerator) struct TensorTests {
    @Test func viewsShareMemoryAndCopiesDoNot() {
        let x = Tensor.arange(6).reshape(2, 3)
        let view = x.transpose(0, 1)
        x.select(dim: 0, index: 1).fill_(9)
        #expect(view.array(Int.self) == [0, 9, 1, 9, 2, 9])
        #expect(view.storage === x.storage && view.reshape(6).storage !== x.storage)
        #expect(x.reshape(3, 2).storage === x.storage)
    }

    @Test(arguments: [
        ([2, 3, 4], [6, 4]), ([2, 3, 4], [2, 12]), ([4, 1, 3], [12]), ([6], [2, 1, 3]), ([1, 1], []),
        ([0, 3], [3, 0, 2]),
    ])
    func reshapedLayoutsKeepTheOrderOfElements(_ shapes: ([Int], [Int])) {
        let count = shapes.0.reduce(1, *)
        let x = Tensor(Array(0..<count), shape: shapes.0)
        #expect(x.reshape(shapes.1).array(Int.self) == Array(0..<count))
        let strided = Tensor(Array(0..<count), shape: shapes.0.reversed()).T
        #expect(strided.reshape(shapes.1).array(Int.self) == strided.copied().array(Int.self))
    }

    @Test func dtypesArePromotedAsInTorch() {
        let (f, d, i, b) = (Tensor([1] as [Float]), Tensor([1.0]), Tensor([1]), Tensor([true]))
        #expect((f + d).dtype == .float64 && (f + i).dtype == .float32 && (i + b).dtype == .int64)
        #expect((f + Tensor(1.0)).dtype == .float32 && (i + Tensor(1.0)).dtype == .float64)
        #expect((i * 2.5).dtype == .float32 && (i * 2).dtype == .int64 && (f * 2).dtype == .float32)
        #expect(
            (i / i).dtype == .float32 && (b + 1).dtype == .int64 && i.sum().dtype == .int64 && b.sum().dtype == .int64)
        #expect(Tensor([7, -7]).to(.uint8).array(Int.self) == [7, 249])
        #expect(Tensor([2.9, -2.9]).to(.int64).array(Int.self) == [2, -2])
    }

    /// As a script writes it: no type is named, and formatting and arithmetic take the number.
    @Test func itemIsADoubleUnlessAnotherTypeIsAskedFor() {
        let x = Tensor([0.5] as [Float])
        #expect(String(format: "%.2f", x.item()) == "0.50")
        #expect(type(of: x.item()) == Double.self && max(x.item(), 0.25) == 0.5)
        #expect(x.item() * 100 == 50 && 1 - x.item() == 0.5)
        let (whole, isTrue): (Int, Bool) = (Tensor([3]).item(), Tensor([true]).item())
        #expect(whole == 3 && isTrue)
    }

    @Test func emptyReductions() {
        let empty = Tensor.zeros([0, 3])
        #expect(empty.sum().item() == 0 && empty.mean().item(Float.self).isNaN)
        #expect(empty.sum(dim: 0).array(Double.self) == [0, 0, 0] && empty.sum(dim: 1).shape == [0])
    }

    @Test func extremesTakeTheFirstOfEqualsAndPropagateNaN() {
        let x = Tensor([1, 3, 3, Float.nan, 2, 0], shape: [2, 3])
        let (values, indices) = x.max(dim: 1)
        #expect(
            indices.array(Int.self) == [1, 0] && values.array(Float.self)[0] == 3 && values.array(Float.self)[1].isNaN)
        #expect(x.argmax().item(Int.self) == 3 && x.max().item(Float.self).isNaN)
    }

    @Test func crossEntropyHasTorchsValues() {
        let x = Tensor([1, 2, 3, 0.5, -1, 2] as [Float], shape: [2, 3])
        let y = Tensor([2, 0])
        expectClose(Tensor.crossEntropy(x, y), [1.0744585990905762])
        expectClose(Tensor.crossEntropy(x, y, weight: Tensor([1, 2, 3] as [Float])), [0.7410323023796082])
        expectClose(Tensor.crossEntropy(x, y, labelSmoothing: 0.1), [1.1244585514068604])
        expectClose(Tensor.crossEntropy(x, Tensor([2, -100])), [0.40760594606399536])
    }

    @Test func tensorsPrintAsInTorch() {
        #expect(Tensor([1, 2, 3] as [Float]).description == "tensor([1., 2., 3.], shape: [3])")
        #expect(Tensor(3.5 as Float).description == "tensor(3.5000)")
        #expect(
            Tensor([1.5, -2.25, 1000, 0.001] as [Float], shape: [2, 2]).description
                == "tensor([[ 1.5000e+00, -2.2500e+00],\n        [ 1.0000e+03,  1.0000e-03]], shape: [2, 2])")
        #expect(
            Tensor.arange(12).reshape(2, 2, 3).description
                == "tensor([[[ 0,  1,  2],\n         [ 3,  4,  5]],\n\n        [[ 6,  7,  8],\n         [ 9, 10, 11]]], shape: [2, 2, 3])"
        )
        #expect(
            Tensor.zeros([2, 1000]).description
                == "tensor([[0., 0., 0., ..., 0., 0., 0.],\n        [0., 0., 0., ..., 0., 0., 0.]], shape: [2, 1000])")
        #expect(
            Tensor([Double.nan, 1, .infinity]).description == "tensor([nan,  1., inf], shape: [3], dtype: float64)")
        #expect(Tensor([true, false]).description == "tensor([ true, false], shape: [2])")
        #expect(Tensor([1.0], requiresGrad: true).description.hasSuffix("requiresGrad: true)"))
        #expect((Tensor([1.0], requiresGrad: true) * 2).description.hasSuffix("gradient: MulNumber)"))
        #expect(
            Tensor.zeros([0, 3]).description == "tensor([[]], shape: [0, 3])"
                || Tensor.zeros([0, 3]).description.contains("shape: [0, 3]"))
    }

    @Test func randomNumbersAreTorchs() {
        manualSeed(42)
        let generator = Generator(seed: 42)
        expectClose(
            Tensor.rand([5], generator: generator),
            [0.8822692632675171, 0.9150039553642273, 0.38286375999450684, 0.9593056440353394, 0.3904482126235962],
            tolerance: 0)
        expectClose(
            Tensor.rand([3], dtype: .float64, generator: generator),
            [0.8071630471508437, 0.3491307048886483, 0.065487459180128], tolerance: 1e-16)
        expectClose(
            Tensor.randn([5], generator: generator),
            [-0.01069642137736082, -1.2491786479949951, -1.2283966541290283, 0.5294110774993896, 1.2211014032363892])
        expectClose(
            Tensor.randn([20], generator: generator),
            [
                1.680620551109314, 0.3558599054813385, -0.6866229772567749, -0.4933563470840454, -0.8454674482345581,
                1.312307596206665, 0.6871595978736877, -1.0891753435134888, -0.3552866280078888, -0.9138230085372925,
                -0.6581372618675232, 0.07802387326955795, 2.2667179107666016, 1.1789509057998657, -0.43445441126823425,
                -1.386365532875061, -1.2862155437469482, -1.4032478332519531, 0.03600366786122322, -0.06347727030515671,
            ], tolerance: 2e-6)
        #expect(Tensor.randint(0, 10, [8], generator: generator).array(Int.self) == [8, 6, 0, 0, 0, 0, 1, 3])
        #expect(Tensor.randperm(10, generator: generator).array(Int.self) == [0, 8, 7, 2, 3, 9, 4, 1, 5, 6])
    }

    @Test func aGeneratorsStateCanBeSetAgain() {
        let generator = Generator(seed: 5)
        _ = Tensor.randn([3], generator: generator)
        let state = generator.state
        let first = Tensor.randn([7], generator: generator)
        generator.state = state
        #expect(Tensor.randn([7], generator: generator).array(Double.self) == first.array(Double.self))
    }

    @Test func resultsAreTheSameForAnyNumberOfThreads() {
        func run() -> [[Float]] {
            let generator = Generator(seed: 1)
            let x = Tensor.randn([16, 3, 20, 20], generator: generator, requiresGrad: true)
            let w = Tensor.randn([24, 3, 5, 5], generator: generator, requiresGrad: true)
            let v = Tensor.randn([24 * 64, 50], generator: generator, requiresGrad: true)
            let h = Tensor.conv2d(x, w, padding: .valid).relu().maxPool2d(kernelSize: 2).flatten(startDim: 1)
            Tensor.crossEntropy(h.matmul(v), Tensor.arange(16)).backward()
            return [x.grad!, w.grad!, v.grad!].map { $0.array() }
        }
        let before = numThreads
        defer { numThreads = before }
        let results = [1, 2, 4, 8].map { threads in
            numThreads = threads
            return run()
        }
        for other in results.dropFirst() { #expect(other == results[0]) }
    }

    // MARK: Errors name op, shapes and line

    @Test func matmulOfShapesThatDoNotFit() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.zeros([3, 4]).matmul(Tensor.zeros([5, 6]))
        }
        let text = result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) } ?? ""
        #expect(
            text.contains(
                "matmul: inner dimensions differ: [3, 4] × [5, 6] (axis 1 is 4, axis 0 is 5) at TensorTests.swift:"))
    }
    @Test func conv2dWithTheWrongChannels() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = Tensor.conv2d(Tensor.zeros([1, 3, 8, 8]), Tensor.zeros([4, 2, 3, 3]))
        }
        let text = result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) } ?? ""
        #expect(text.contains("conv2d: input [1, 3, 8, 8] has 3 channels, weight [4, 2, 3, 3] with groups 1 expects 2"))
    }
    @Test func addOfShapesThatDoNotBroadcast() async {
        await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 3]) + Tensor.zeros([2]) }
    }
    @Test func reshapeToAnotherCount() async {
        await #expect(processExitsWith: .failure) { _ = Tensor.zeros([2, 3]).reshape(4) }
    }
    @Test func poolingWithAKernelThatDoesNotFit() async {
        await #expect(processExitsWith: .failure) { _ = Tensor.zeros([1, 1, 2, 2]).maxPool2d(kernelSize: 3) }
    }
    @Test func crossEntropyWithALabelThatIsNoClass() async {
        await #expect(processExitsWith: .failure) { _ = Tensor.crossEntropy(Tensor.zeros([1, 3]), Tensor([3])) }
    }
}

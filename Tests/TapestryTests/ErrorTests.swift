// Each family of ops says in one line what does not fit, and where.
import Testing

@testable import Tapestry

@Suite struct ErrorTests {
    private func expect(
        _ result: ExitTest.Result?, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let text = result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) } ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("tapestry: ") } ?? ""
        for part in parts { #expect(line.contains(part), "\(text)", sourceLocation: sourceLocation) }
    }

    @Test func elementwise() async {
        expect(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                _ = Tensor.zeros([2, 3]).mul(Tensor.zeros([4]))
            }, "mul: shapes do not broadcast: [2, 3] and [4]", "ErrorTests.swift:")
    }
    @Test func reductions() async {
        expect(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                _ = Tensor.zeros([2, 3]).sum(dim: 2)
            }, "sum: dimension 2 is out of range for shape [2, 3]", "ErrorTests.swift:")
    }
    @Test func shape() async {
        expect(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                _ = Tensor.cat([Tensor.zeros([2, 3]), Tensor.zeros([2, 4])])
            }, "cat: shapes differ off dimension 0: [2, 3] and [2, 4]", "ErrorTests.swift:")
    }
    @Test func indexing() async {
        expect(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                _ = Tensor.zeros([2, 3]).gather(dim: 1, index: Tensor([3], shape: [1, 1]))
            }, "gather: index 3 is out of range for a dimension of length 3", "ErrorTests.swift:")
    }
    @Test func linearAlgebra() async {
        expect(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                _ = Tensor.einsum("ij,jk->ik", [Tensor.zeros([2, 3]), Tensor.zeros([4, 5])])
            }, "einsum: 'j' has lengths [3, 4]", "ErrorTests.swift:")
    }
    @Test func convolution() async {
        expect(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                _ = Tensor.conv2d(Tensor.zeros([1, 1, 3, 3]), Tensor.zeros([1, 1, 5, 5]))
            }, "conv2d: the kernel [1, 1, 5, 5] does not fit the padded input [1, 1, 3, 3]", "ErrorTests.swift:")
    }
    @Test func linearLayers() async {
        expect(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                _ = Tensor.linear(Tensor.zeros([2, 1568]), Tensor.zeros([10, 800]))
            }, "linear:", "expected 800 features, got 1568", "ErrorTests.swift:")
    }
    @Test func losses() async {
        expect(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                _ = Tensor.nllLoss(Tensor.zeros([2, 3]), Tensor([0, 1, 2]))
            }, "nllLoss: target [3] does not fit input [2, 3], expected [2]", "ErrorTests.swift:")
    }
    @Test func autograd() async {
        expect(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                let (x, y) = (Tensor([1.0], requiresGrad: true), Tensor([1.0], requiresGrad: true))
                _ = grad(outputs: [x * 2], inputs: [y])
            }, "grad: no output depends on input 0", "ErrorTests.swift:")
    }
    @Test func tensorsThatAreTooLarge() async {
        expect(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                _ = Tensor.zeros([1 << 24, 1 << 25])
            }, "out of memory: a float32 tensor of shape [16777216, 33554432] takes 2251799813685248 bytes")
        expect(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                let long = Tensor.ones([1 << 24, 1])
                _ = long.matmul(long.transpose(0, 1))
            }, "takes 1125899906842624 bytes, asked for by MatMul")
        expect(
            await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
                _ = Tensor.zeros([1 << 62, 8])
            }, "[4611686018427387904, 8] takes more bytes than can be counted")
    }
}

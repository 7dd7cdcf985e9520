// Programs that the random ones of Tests/Torture shrank to: what they found wrong once.
import Testing

@testable import Tapestry

@Suite struct ShrunkProgramTests {
    @Test func cumulativeProductsWithZerosHaveSecondDerivatives() throws {
        for values in [[2.0, 0, 3], [0, 0, 3], [0, 1.7, -0.2]] {
            try gradgradcheck({ $0[0].cumprod(dim: 0) }, [Tensor(values, requiresGrad: true)])
        }
        let matrix = Tensor([[0.5, -1.5], [0, 2], [3, 0]] as [[Double]])
        try gradcheck({ $0[0].cumprod(dim: 0) }, [matrix.requiresGrad()])
        try gradgradcheck({ $0[0].cumprod(dim: 1) }, [matrix])
    }

    @Test func powersWithExponentZeroHaveMixedDerivatives() throws {
        let (a, b) = (Tensor([0.6, 1.25, 2], requiresGrad: true), Tensor([0.0, -1, 0], requiresGrad: true))
        try gradgradcheck({ $0[0].pow($0[1]) }, [a, b])
        // torch: the gradient of 0 to the power of 0 is 0.
        let zero = Tensor([0.0], requiresGrad: true)
        zero.pow(Tensor([0.0])).sum().backward()
        #expect(zero.grad!.array(Double.self) == [0])
    }

    @Test func aDiagonalIsAView() throws {
        let x = Tensor([[1, 2, 3], [4, 5, 6]] as [[Double]])
        let upper = x.diagonal(offset: 1)
        upper.mul_(10)
        #expect(x.array(Double.self) == [1, 20, 3, 4, 5, 60])
        x.fill_(7)
        #expect(upper.array(Double.self) == [7, 7])
        #expect(x.diagonal(offset: 5).shape == [0] && x.diagonal(offset: -1).array(Double.self) == [7])
        let block = Tensor.randn(
            [2, 3, 4], dtype: .float64, generator: Tapestry.Generator(seed: 1), requiresGrad: true)
        try gradcheck({ $0[0].transpose(0, 1).diagonal(offset: -1, dim1: 2, dim2: 0) }, [block])
        try gradcheck(
            {
                let y = $0[0] * 2
                y.diagonal(offset: 1, dim1: 1, dim2: 2).mul_(y.sum())
                return y.sin()
            }, [block])
    }

    @Test func aTensorMayBeOverwrittenWithAViewOfItself() throws {
        let x = Tensor([[1, 2], [3, 4]] as [[Double]])
        x.copy_(x.transpose(0, 1))
        #expect(x.array(Double.self) == [1, 3, 2, 4])
        let y = Tensor([1.0, 2, 3, 4, 5])
        y.narrow(dim: 0, start: 1, length: 4).copy_(y.narrow(dim: 0, start: 0, length: 4))
        #expect(y.array(Double.self) == [1, 1, 2, 3, 4])
        try gradcheck(
            {
                let z = $0[0] * 2
                z.copy_(z.transpose(0, 1))
                return z.sin()
            }, [Tensor([[0.5, -1], [2, 0.25]] as [[Double]]).requiresGrad()])
    }

    @Test func repeatAlwaysCopies() {
        for (shape, repeats) in [([2, 3], [1, 1]), ([], []), ([3], [1, 1])] {
            let x = Tensor.ones(shape, dtype: .float64, requiresGrad: true)
            x.repeat(repeats).zero_()
            #expect(x.detach().sum().item() == Double(x.count))
        }
    }
}

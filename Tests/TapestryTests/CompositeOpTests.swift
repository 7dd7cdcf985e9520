// Ops made of other ops.
import Testing

@testable import Tapestry

@Suite struct CompositeOpTests {
    @Test func gradients() throws {
        try gradcheck({ $0[0].logaddexp($0[1]) }, [leaf([2, 3]), leaf([3], seed: 2)])
        try gradgradcheck({ $0[0].logaddexp($0[1]) }, [leaf([2, 3]), leaf([3], seed: 2)])
        try gradcheck({ Tensor.kron($0[0], $0[1]) }, [leaf([2, 3]), leaf([2], seed: 2)])
        try gradgradcheck({ Tensor.kron($0[0], $0[1]) }, [leaf([2, 3]), leaf([2], seed: 2)])
        for p in [1, 2, 3.5] {
            try gradcheck({ Tensor.cdist($0[0], $0[1], p: p) }, [stridedLeaf([3, 2]), leaf([4, 2], seed: 2)])
        }
        try gradcheck({ $0[0].median(dim: 0).values }, [leaf([5, 3])])
    }

    @Test func values() {
        expectClose(Tensor([-1e30, 2.0]).logaddexp(Tensor([1e30, 2.0])), [1e30, 2.6931471805599454])
        expectClose(
            Tensor.kron(Tensor([1, 2], shape: [1, 2]), Tensor([0, 3, 4, 1], shape: [2, 2])), [0, 3, 0, 6, 4, 1, 8, 2])
        expectClose(Tensor.cdist(Tensor([0.0, 0], shape: [1, 2]), Tensor([3.0, 4, 0, 1], shape: [2, 2])), [5, 1])
        let median = Tensor([4.0, 1, 3, 2, .nan, 0], shape: [2, 3]).median(dim: 1)
        #expect(median.values.array(Double.self)[0] == 3 && median.values.array(Double.self)[1].isNaN)
        #expect(median.indices.array(Int.self) == [2, 1])
        let (values, inverse, counts) = Tensor([3, 1, 3, 2, 1, 3]).unique()
        #expect(values.array(Int.self) == [1, 2, 3] && counts.array(Int.self) == [2, 1, 3])
        #expect(inverse.array(Int.self) == [2, 0, 2, 1, 0, 2])
        #expect(Tensor([2, 0, 2]).bincount(minLength: 4).array(Int.self) == [1, 0, 2, 0])
        expectClose(Tensor([1, 0, 1]).bincount(weights: Tensor([0.5, 2, 1])), [2, 1.5])
        let grid = Tensor.meshgrid(Tensor([1, 2]), Tensor([3, 4, 5]))
        #expect(grid[0].array(Int.self) == [1, 1, 1, 2, 2, 2] && grid[1].array(Int.self) == [3, 4, 5, 3, 4, 5])
        let empty = Tensor.zeros([0]).unique()
        #expect(empty.values.count == 0 && empty.counts.count == 0)
    }

    @Test func productsWithTheHessianAgreeWithIt() {
        let inputs = [leaf([2]), leaf([3], seed: 2)]
        func f(_ t: [Tensor]) -> Tensor { (t[0].sum() * t[1].exp().sum()).sin() + t[0].pow(3).sum() }
        let vectors = [Tensor([0.5, -1]), Tensor([1.0, 2, -3])]
        let (value, products) = hvp(f, inputs, vectors)
        let h = hessian(f, inputs)
        expectClose(value, f(inputs).array())
        for row in 0..<2 {
            expectClose(products[row], (h[row][0].matmul(vectors[0]) + h[row][1].matmul(vectors[1])).array())
        }
        // Nothing curved: zeros.
        expectClose(hvp({ $0[0].sum() }, [leaf([2])], [Tensor([1.0, 1])]).products[0], [0, 0])
    }
}

// What the tests of the engine share.
import Foundation
import Testing

@testable import Tapestry

/// A float64 leaf with normal numbers.
func leaf(_ shape: [Int], seed: UInt64 = 1) -> Tensor {
    Tensor.randn(shape, dtype: .float64, generator: Generator(seed: seed), requiresGrad: true)
}

/// A float64 leaf with numbers in `range`: away from the corners of functions.
func leaf(_ shape: [Int], in range: ClosedRange<Double>, seed: UInt64 = 1) -> Tensor {
    Tensor.empty(shape, dtype: .float64).uniform_(range.lowerBound, range.upperBound, generator: Generator(seed: seed))
        .requiresGrad()
}

/// A float64 leaf that is not contiguous: a transposed, sliced view of other memory.
func stridedLeaf(_ shape: [Int], seed: UInt64 = 1) -> Tensor {
    let storage = Tensor.randn(
        Array(shape.reversed()) + [2], dtype: .float64, generator: Generator(seed: seed))
    let view = storage.select(dim: shape.count, index: 1).T
    return view.detach().requiresGrad()
}

/// Elements within a tolerance of what is expected.
func expectClose(
    _ tensor: Tensor, _ expected: [Double], tolerance: Double = 1e-6, sourceLocation: SourceLocation = #_sourceLocation
) {
    let found = tensor.array(Double.self)
    #expect(found.count == expected.count, sourceLocation: sourceLocation)
    for (index, pair) in zip(found, expected).enumerated() where abs(pair.0 - pair.1) > tolerance {
        Issue.record("element \(index) is \(pair.0), expected \(pair.1)", sourceLocation: sourceLocation)
        return
    }
}

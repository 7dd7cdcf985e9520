// Batch normalisation by the fused kernels, against the formula in tensor ops.
import Testing

@testable import Tapestry

private let shapes = [
    [2, 3, 5], [3, 1, 2, 7], [4, 2, 3, 11], [1, 5, 4, 4], [7, 3], [2, 2, 1, 1], [3, 4, 2, 3, 2],
]

/// (x − mean) / √(var + ε) · weight + bias, op by op.
private func formula(_ x: Tensor, _ weight: Tensor?, _ bias: Tensor?) -> Tensor {
    let dims = [0] + Array(2..<x.rank)
    let channels = [1, x.shape[1]] + [Int](repeating: 1, count: x.rank - 2)
    let centred = x - x.mean(dims: dims, keepdim: true)
    var y = centred * (centred.square().mean(dims: dims, keepdim: true) + 1e-3).rsqrt()
    if let weight { y = y * weight.reshape(channels) }
    if let bias { y = y + bias.reshape(channels) }
    return y
}

private func fused(_ x: Tensor, _ weight: Tensor?, _ bias: Tensor?) -> Tensor {
    .batchNormTraining(x, runningMean: nil, runningVar: nil, weight: weight, bias: bias, momentum: 0.1, eps: 1e-3)
}

@Suite struct BatchNormTests {
    @Test(arguments: shapes) func valuesAndGradientsAreTheFormulas(_ shape: [Int]) {
        for (hasWeight, hasBias) in [(true, true), (false, true), (true, false), (false, false)] {
            let weight = hasWeight ? leaf([shape[1]], seed: 2) : nil
            let bias = hasBias ? leaf([shape[1]], seed: 3) : nil
            for x in [leaf(shape), stridedLeaf(shape)] {
                let inputs = [x, weight, bias].compactMap { $0 }
                let (y, expected) = (fused(x, weight, bias), formula(x, weight, bias))
                expectClose(y, expected.array(), tolerance: 1e-12)
                let dy = leaf(shape, seed: 4).detach()
                let found = grad(of: (y * dy).sum(), inputs)
                for (a, b) in zip(found, grad(of: (expected * dy).sum(), inputs)) {
                    expectClose(a, b.array(), tolerance: 1e-10)
                }
            }
        }
    }

    @Test(arguments: shapes) func theGradientHasAGradient(_ shape: [Int]) throws {
        let inputs = [leaf(shape), leaf([shape[1]], seed: 2), leaf([shape[1]], seed: 3)]
        try gradcheck({ fused($0[0], $0[1], $0[2]) }, inputs)
        try gradgradcheck({ fused($0[0], $0[1], $0[2]) }, inputs)
    }

    @Test func runningStatisticsMoveAndServe() throws {
        let x = Tensor([1.0, 2, 3, 4, 5, 6, 7, 9], shape: [2, 2, 2])
        let (mean, variance) = (Tensor([0.0, 0]), Tensor([1.0, 1]))
        _ = Tensor.batchNormTraining(
            x, runningMean: mean, runningVar: variance, weight: nil, bias: nil, momentum: 0.5, eps: 0)
        expectClose(mean, [1.75, 2.875], tolerance: 1e-12)  // half of the means 3.5 and 5.75
        expectClose(variance, [0.5 + 0.5 * 17 / 3, 0.5 + 0.5 * 22.75 / 3], tolerance: 1e-12)  // unbiased
        let inputs = [leaf([2, 2, 3]), leaf([2], seed: 2), leaf([2], seed: 3)]
        func inference(_ t: [Tensor]) -> Tensor {
            .batchNormInference(t[0], mean: mean, variance: variance, weight: t[1], bias: t[2], eps: 1e-5)
        }
        try gradcheck(inference, inputs)
        try gradgradcheck(inference, inputs)
    }

    /// A large offset must not eat the digits of the variance.
    @Test func aLargeOffsetCostsNoDigits() {
        let x = Tensor([1e4 + 1, 1e4 + 2, 1e4 + 3, 1e4 + 4], shape: [4, 1, 1]).to(.float32)
        let y = fused(x.expand([4, 1, 3]), nil, nil)
        let expected = [-1.5, -0.5, 0.5, 1.5].flatMap { [Double](repeating: $0 / 1.251.squareRoot(), count: 3) }
        expectClose(y, expected, tolerance: 1e-5)
    }
}

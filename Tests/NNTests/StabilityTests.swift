// Functions that plain formulas would ruin, at the ends of Float's range, against Double on the same numbers.
import Foundation
import Testing

@testable import Tapestry
@testable import nn

@Suite struct StabilityTests {
    /// The smallest Float above 0; multiples of it are denormal.
    static let tiny = Float.leastNonzeroMagnitude
    /// What a sum of exponentials near 1 is rounded by, and its logarithm with it.
    static let ulpOfOne = 0x1p-23
    /// Rows of inputs that overflow, underflow or cancel when exponentials, squares or differences are taken plainly.
    static let rows: [[Float]] = [
        [1e30, -1e30, 0, 1e30], [-1e30, -1e30, -1e30, -1e30], [1e8, 1e8 + 8, 1e8 - 8, 1e8 + 16],
        [-1e8, -1e8 - 16, -1e8 + 8, -1e8], [700 * tiny, -700 * tiny, 0, 2 * tiny], [88.8, 100, -104, 710], [3e38, 3e38, -3e38, 1],
        [0, 0, 0, 0], [-.infinity, 0, 1, -.infinity],
    ]

    /// x − ln Σ e^x in Double, the largest element taken off first.
    private func logSoftmax(_ x: [Double]) -> [Double] {
        let largest = x.max()!
        let logSum = log(x.reduce(0) { $0 + exp($1 - largest) })
        return x.map { ($0 - largest) - logSum }
    }

    private func expectClose(
        _ result: [Float], _ expected: [Double], _ what: String, tolerance: Double = 1e-6, slack: Double = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for (value, exact) in zip(result, expected) {
            // Beyond Float's range an infinity is the nearest.
            let isClose =
                Float(exact) == value || abs(Double(value) - exact) <= tolerance * Swift.max(abs(exact), 1e-38) + slack
            #expect(isClose, "\(what): \(result) is not \(expected)", sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: rows) func softmaxAndItsLogarithm(_ row: [Float]) {
        let (x, exact) = (Tensor(row), row.map { Double($0) })
        let logarithms = logSoftmax(exact)
        expectClose(x.softmax(dim: 0).array(Float.self), logarithms.map(exp), "softmax")
        expectClose(x.logSoftmax(dim: 0).array(Float.self), logarithms, "logSoftmax", slack: Self.ulpOfOne)
        let largest = exact.indices.max { exact[$0] < exact[$1] }!
        expectClose([x.logsumexp(dims: [0]).item(Float.self)], [exact[largest] - logarithms[largest]], "logsumexp")
        // The gradient of logsumexp is softmax: no NaN anywhere.
        let leaf = Tensor(row, shape: [row.count], requiresGrad: true)
        leaf.logsumexp(dims: [0]).backward()
        expectClose(leaf.grad!.array(Float.self), logarithms.map(exp), "gradient of logsumexp")
    }

    @Test(arguments: rows.dropLast().indices, 0..<4) func crossEntropy(_ index: Int, _ label: Int) {
        let row = Self.rows[index]
        let exact = row.map { Double($0) }
        let logarithms = logSoftmax(exact)
        let logits = Tensor(row, shape: [1, 4], requiresGrad: true)
        let loss = F.crossEntropy(logits, Tensor([label]))
        expectClose([loss.item(Float.self)], [-logarithms[label]], "cross-entropy", slack: Self.ulpOfOne)
        loss.backward()
        let gradient = exact.indices.map { exp(logarithms[$0]) - ($0 == label ? 1 : 0) }
        for (value, expected) in zip(logits.grad!.array(Float.self), gradient) { #expect(abs(Double(value) - expected) < 1e-6) }
        // Two classes with one logit.
        let binary = F.binaryCrossEntropyWithLogits(Tensor(row), Tensor([1, 0, 1, 0] as [Float]), reduction: .none)
        let expected = zip(exact, [1.0, 0, 1, 0]).map { x, y in Swift.max(x, 0) - x * y + log1p(exp(-abs(x))) }
        expectClose(binary.array(Float.self), expected, "binary cross-entropy")
    }

    /// Squares of 1e30 are beyond Float; differences of neighbours at 1e8 are 8 each, and exact.
    @Test func variancesFarFromZero() {
        for offset: Float in [0, 1e4, 1e8, -1e8] {
            let x = (0..<1001).map { offset + Float(8 * ($0 % 7)) }
            let exact = x.map { Double($0) }
            let mean = exact.reduce(0, +) / Double(exact.count)
            let variance = exact.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(exact.count - 1)
            let result = Double(Tensor(x).variance().item(Float.self))
            #expect(abs(result - variance) <= 1e-5 * variance, "variance at \(offset): \(result), not \(variance)")
        }
    }

    @Test func batchNormFarFromZero() {
        for offset: Float in [0, 1e4, 1e8, -1e8] {
            let plane = (0..<512).map { offset + Float(64 * ($0 % 8)) }
            let norm = nn.BatchNorm2d(1)
            let y = norm(Tensor(plane, shape: [2, 1, 16, 16])).array(Float.self)
            let exact = plane.map { Double($0) }
            let mean = exact.reduce(0, +) / Double(exact.count)
            let variance = exact.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(exact.count)
            // A mean that is off by half the distance between Floats moves every result by that over the deviation.
            let slack = 1e-5 + Double(abs(offset).ulp) / variance.squareRoot()
            for (value, x) in zip(y, exact) {
                #expect(abs(Double(value) - (x - mean) / (variance + 1e-5).squareRoot()) <= slack)
            }
        }
    }

    @Test func norms() {
        // The largest element's square must neither overflow nor vanish where the norm itself is a Float.
        for scale: Float in [1e-30, 1e-20, 1, 1e18] {
            let x = [3, -4, 12].map { $0 * scale } as [Float]
            #expect(abs(Tensor(x).norm(p: .infinity).item(Float.self) - 12 * scale) <= 1e-6 * scale)
            #expect(abs(Tensor(x).norm(p: 1).item(Float.self) - 19 * scale) <= 4e-6 * scale)
            if scale >= 1e-18 { #expect(abs(Tensor(x).norm().item(Float.self) - 13 * scale) <= 2e-6 * scale) }
        }
        let zero = Tensor([0, 0, 0] as [Float], shape: [3], requiresGrad: true)
        zero.norm().backward()
        #expect(zero.grad!.array(Float.self) == [0, 0, 0])
    }

    @Test func activationsAtBothEnds() {
        let x = Tensor([-1e30, -104, -700 * Self.tiny, 0, 700 * Self.tiny, 104, 1e30] as [Float], requiresGrad: true)
        for (name, function) in [
            ("sigmoid", { $0.sigmoid() }), ("tanh", { $0.tanh() }), ("softplus", { $0.softplus() }), ("gelu", { $0.gelu() }),
            ("silu", { $0.silu() }), ("logSigmoid", { $0.logSigmoid() }), ("elu", { $0.elu() }), ("mish", { $0.mish() }),
        ] as [(String, (Tensor) -> Tensor)] {
            x.grad = nil
            let y = function(x)
            y.sum().backward()
            #expect(y.array(Float.self).allSatisfy { !$0.isNaN }, "\(name): \(y)")
            #expect(x.grad!.array(Float.self).allSatisfy { !$0.isNaN }, "gradient of \(name): \(x.grad!)")
        }
    }
}

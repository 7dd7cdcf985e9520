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
        [-1e8, -1e8 - 16, -1e8 + 8, -1e8], [700 * tiny, -700 * tiny, 0, 2 * tiny], [88.8, 100, -104, 710],
        [3e38, 3e38, -3e38, 1], [0, 0, 0, 0], [-.infinity, 0, 1, -.infinity],
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
        for (value, expected) in zip(logits.grad!.array(Float.self), gradient) {
            #expect(abs(Double(value) - expected) < 1e-6)
        }
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

    @Test(arguments: normReferences) func norms(_ reference: NormReference) {
        let x = Tensor(reference.x, shape: [reference.x.count], requiresGrad: true)
        let y = x.norm(p: reference.p)
        y.backward()
        // 1/p is rounded, which a logarithm of the sum magnifies; a denormal result is as good as its digits allow.
        let tolerance = reference.p == 2 ? 1e-15 : 5e-14
        #expect(abs(y.item() - reference.y) <= max(tolerance * reference.y, smallest), "\(reference)")
        for (slope, exact) in zip(x.grad!.array(Double.self), reference.gradient) {
            #expect(abs(slope - exact) <= tolerance * abs(exact), "gradient of \(reference): \(slope), not \(exact)")
        }
    }

    @Test(arguments: [700 * .leastNonzeroMagnitude, 1e-30, 1e-20, 1, 1e18, 1e30, 2e37] as [Float], [2.0, 3, 1.5])
    func floatNorms(_ scale: Float, _ p: Double) {
        let row = [3, -4, 12, 0].map { $0 * scale }
        let exact = row.map { Double(abs($0)) }
        let length = pow(exact.reduce(0) { $0 + pow($1, p) }, 1 / p)
        let x = Tensor([row, [0, 0, 0, 0]].flatMap { $0 }, shape: [2, 4], requiresGrad: true)
        let y = x.norm(p: p, dims: [1])
        expectClose(y.array(Float.self), [length, 0], "norm of \(row)", tolerance: 1e-6, slack: Double(Self.tiny))
        y.sum().backward()
        let slopes = zip(row, exact).map { pow($1 / length, p - 1) * ($0 < 0 ? -1 : 1) }
        expectClose(
            x.grad!.array(Float.self), slopes + [0, 0, 0, 0], "gradient of the norm of \(row)", tolerance: 2e-6)
        // What is made of norms.
        if scale > 1e-10 {
            let unit = Tensor(row).normalize(p: p, dim: 0).array(Float.self)
            expectClose(unit, row.map { Double($0) / length }, "normalize", tolerance: 2e-6)
            let same = F.cosineSimilarity(Tensor(row), Tensor(row.map { -$0 }), dim: 0).item() as Double
            #expect(abs(same + 1) < 1e-6)
        }
    }

    @Test func infinitiesAndNaNsHaveTheNormsOfMathematics() {
        #expect(Tensor([1, -.infinity, 1e30] as [Float]).norm().item() == .infinity)
        #expect((Tensor([1, .nan, 1e30] as [Float]).norm().item() as Double).isNaN)
        #expect(Tensor([3e38, 3e38] as [Float]).norm().item() == .infinity)
        #expect(Tensor([] as [Float]).norm().item() == 0)
        #expect(Tensor.zeros([0, 2]).norm(dims: [0]).array(Float.self) == [0, 0])
    }

    /// The second derivative of a norm: 1/y − x²/y³ on the diagonal.
    @Test func normsOfLargeNumbersCanBeDifferentiatedTwice() {
        let x = Tensor([3e20, 4e20] as [Double], shape: [2], requiresGrad: true)
        let slope = grad(of: x.norm(), [x], createGraph: true)[0]
        let second = grad(of: slope.narrow(dim: 0, start: 0, length: 1).sum(), [x])[0].array(Double.self)
        for (value, exact) in zip(second, [16.0 / 125e20, -12 / 125e20]) {
            #expect(abs(value - exact) <= 1e-14 * abs(exact))
        }
    }

    @Test(arguments: [700 * .leastNonzeroMagnitude, 1e-30, 1, 1e30] as [Float]) func deviations(_ scale: Float) {
        let row = [1, -1, 1, 2].map { $0 * scale }
        let exact = row.map { Double($0) }
        let mean = exact.reduce(0, +) / 4
        let deviation = (exact.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 3).squareRoot()
        expectClose([Tensor(row).std().item(Float.self)], [deviation], "std", slack: 4 * Double(Self.tiny))
    }

    /// Batch, layer, group and RMS normalisation of numbers whose squares are beyond Float, beside small ones.
    @Test func normalisationOfLargeNumbers() {
        let (large, small): ([Float], [Float]) = ([1e30, -1e30, 1e30, 2e30], [1, -2, 3, 4])
        func exact(_ row: [Float], _ offset: Double? = nil, eps: Double = 1e-5) -> [Double] {
            let x = row.map { Double($0) }
            let mean = offset ?? x.reduce(0, +) / Double(x.count)
            let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(x.count)
            return x.map { ($0 - mean) / (variance + eps).squareRoot() }
        }
        let expected = exact(large) + exact(small)
        let rows = Tensor(large + small, shape: [2, 4], requiresGrad: true)
        expectClose(F.layerNorm(rows, normalizedShape: [4]).array(Float.self), expected, "layerNorm")
        expectClose(
            F.rmsNorm(rows, normalizedShape: [4]).array(Float.self), exact(large, 0, eps: 0) + exact(small, 0, eps: 0),
            "rmsNorm")
        expectClose(F.groupNorm(rows.reshape([1, 2, 4]), numGroups: 2).array(Float.self), expected, "groupNorm")
        let running = Tensor.zeros([2])
        let y = F.batchNorm(
            rows.reshape([1, 2, 4]), runningMean: running, runningVar: Tensor.ones([2]), training: true)
        expectClose(y.array(Float.self), expected, "batchNorm")
        expectClose(running.array(Float.self), [0.75e29, 0.15], "running mean")
        // Σ y·w moves a row by (w − mean w − y · mean(w·y)) / deviation.
        let weights: [Float] = [1, 2, 3, 5]
        (y * Tensor(weights)).sum().backward()
        let slopes = [large, small].flatMap { row -> [Double] in
            let (x, y, w) = (row.map { Double($0) }, exact(row), weights.map { Double($0) })
            let deviation = (x[0] - x[1]) / (y[0] - y[1])
            let along = zip(w, y).reduce(0) { $0 + $1.0 * $1.1 } / 4
            return zip(w, y).map { ($0 - 2.75 - $1 * along) / deviation }
        }
        expectClose(rows.grad!.array(Float.self), slopes, "gradient of batchNorm", tolerance: 1e-5)
    }

    @Test func activationsAtBothEnds() {
        let x = Tensor([-1e30, -104, -700 * Self.tiny, 0, 700 * Self.tiny, 104, 1e30] as [Float], requiresGrad: true)
        for (name, function) in [
            ("sigmoid", { $0.sigmoid() }), ("tanh", { $0.tanh() }), ("softplus", { $0.softplus() }),
            ("gelu", { $0.gelu() }),
            ("silu", { $0.silu() }), ("logSigmoid", { $0.logSigmoid() }), ("elu", { $0.elu() }),
            ("mish", { $0.mish() }),
        ] as [(String, (Tensor) -> Tensor)] {
            x.grad = nil
            let y = function(x)
            y.sum().backward()
            #expect(y.array(Float.self).allSatisfy { !$0.isNaN }, "\(name): \(y)")
            #expect(x.grad!.array(Float.self).allSatisfy { !$0.isNaN }, "gradient of \(name): \(x.grad!)")
        }
    }
}

/// A vector, its p-norm and the norm's gradient, computed with 60 digits (Python's `decimal`) and rounded to Double.
struct NormReference: CustomStringConvertible {
    let x: [Double]
    let p, y: Double
    let gradient: [Double]
    var description: String { "the \(p)-norm of \(x)" }
}

/// The smallest Double above 0.
private let smallest = Double.leastNonzeroMagnitude

/// Vectors whose powers overflow, underflow or are denormal.
let normReferences: [NormReference] = [
    .init(
        x: [1e30, -1e30, 3e30], p: 2, y: 3.3166247903553996e30,
        gradient: [0.30151134457776363, -0.30151134457776363, 0.9045340337332909]),
    .init(
        x: [1e30, -1e30, 3e30], p: 3, y: 3.0723168256858473e30,
        gradient: [0.10594195950640854, -0.10594195950640854, 0.9534776355576767]),
    .init(
        x: [1e30, -1e30, 3e30], p: 1.5, y: 3.7273505202246384e30,
        gradient: [0.5179643650214263, -0.5179643650214263, 0.8971405967272621]),
    .init(
        x: [1e160, -2e160, 3e160], p: 2, y: 3.741657386773941e160,
        gradient: [0.2672612419124244, -0.5345224838248488, 0.8017837257372732]),
    .init(
        x: [1e160, -2e160, 3e160], p: 3, y: 3.3019272488946265e160,
        gradient: [0.09172020135818408, -0.3668808054327363, 0.8254818122236567]),
    .init(
        x: [1e160, -2e160, 3e160], p: 1.5, y: 4.334622872113609e160,
        gradient: [0.4803129995498851, -0.6792651581475498, 0.8319265187562083]),
    .init(
        x: [1e-170, 2e-170, -2e-170], p: 2, y: 2.9999999999999998e-170,
        gradient: [0.3333333333333333, 0.6666666666666666, -0.6666666666666666]),
    .init(
        x: [1e-170, 2e-170, -2e-170], p: 3, y: 2.5712815906582354e-170,
        gradient: [0.15125185827401386, 0.6050074330960554, -0.6050074330960554]),
    .init(
        x: [1e-170, 2e-170, -2e-170], p: 1.5, y: 3.5387186276812525e-170,
        gradient: [0.5315902219056544, 0.7517821014438996, -0.7517821014438996]),
    .init(
        x: [smallest, -2 * smallest, 3 * smallest], p: 2, y: 4 * smallest,
        gradient: [0.2672612419124244, -0.5345224838248488, 0.8017837257372732]),
    .init(
        x: [smallest, -2 * smallest, 3 * smallest], p: 3, y: 3 * smallest,
        gradient: [0.09172020135818408, -0.3668808054327363, 0.8254818122236567]),
    .init(
        x: [smallest, -2 * smallest, 3 * smallest], p: 1.5, y: 4 * smallest,
        gradient: [0.4803129995498851, -0.6792651581475498, 0.8319265187562083]),
    .init(
        x: [1e308, -1e308], p: 2, y: 1.4142135623730951e308,
        gradient: [0.7071067811865476, -0.7071067811865476]),
    .init(
        x: [1e308, -1e308], p: 3, y: 1.2599210498948732e308,
        gradient: [0.6299605249474366, -0.6299605249474366]),
    .init(
        x: [1e308, -1e308], p: 1.5, y: 1.5874010519681994e308,
        gradient: [0.7937005259840998, -0.7937005259840998]),
    .init(
        x: [100000001, 99999999, -100000000], p: 2, y: 173205080.75688773,
        gradient: [0.5773502749631284, 0.577350263416123, -0.5773502691896257]),
    .init(
        x: [100000001, 99999999, -100000000], p: 3, y: 144224957.03074086,
        gradient: [0.48074986638413325, 0.480749847154139, -0.48074985676913606]),
    .init(
        x: [100000001, 99999999, -100000000], p: 1.5, y: 208008382.3051904,
        gradient: [0.6933612778174411, 0.6933612708838284, -0.6933612743506347]),
]

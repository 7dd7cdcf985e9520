// How far the kernels' Float results may be from the exact ones: bounds that follow from the number of roundings.
import Foundation
import Kernels
import Testing

/// Errors of floating-point arithmetic (Higham, Accuracy and Stability of Numerical Algorithms, 2002, chapters 3 and 4).
/// With u = 2⁻²⁴, half the distance between Floats near 1, every operation returns its exact result times (1 + δ), |δ| ≤ u.
/// A product that goes through n roundings is off by a factor of at most (1 + u)ⁿ, whence γₙ = n·u / (1 − n·u).
///
/// - A sum of products Σ aᵢ·bᵢ in any order, with or without fused multiply-adds: each term goes through at most k
///   roundings (its own and k − 1 additions), so the error is at most γₖ · Σ |aᵢ·bᵢ|; a bias adds one addition, ReLU
///   and what is written before (accumulation) at most one more.
/// - A sum whose blocks of 4096 are added in Double: four accumulators of a vector each, so a term goes through at most
///   4096 additions; the sum in Double is exact in comparison; one rounding to Float ends it. The error is at most
///   γ₍min(n, 4096) + 1₎ · Σ |xᵢ|.
@Suite(.serialized) struct ErrorBoundTests {
    /// γₙ for Float.
    func gamma(_ n: Int) -> Double {
        let unit = 0x1p-24
        return Double(n) * unit / (1 - Double(n) * unit)
    }

    /// Numbers of both signs over six powers of ten, so that much cancels.
    func numbers(_ count: Int, _ seed: UInt64) -> [Float] {
        var generator = SeededGenerator(seed)
        return (0..<count).map { _ in
            Float.random(in: -1...1, using: &generator) * Float(pow(10, Double.random(in: -3...3, using: &generator)))
        }
    }

    @Test(arguments: floatTables.indices, [(3, 5, 17), (1, 33, 1001), (31, 2, 4097), (65, 67, 129), (128, 96, 300)])
    func products(_ index: Int, _ sizes: (Int, Int, Int)) {
        let (m, n, k) = sizes
        let (a, b) = (numbers(m * k, 1), numbers(k * n, 2))
        var c = [Float](repeating: .nan, count: m * n)
        a.withUnsafeBytes { a in
            b.withUnsafeBytes { b in
                c.withUnsafeMutableBytes { c in
                    floatTables[index].gemm(
                        GEMMArguments(
                            m: m, n: n, k: k, a: a.baseAddress!, aRow: k, aColumn: 1, b: b.baseAddress!, bRow: n,
                            bColumn: 1, c: c.baseAddress!, cRow: n))
                }
            }
        }
        var worst = 0.0
        for row in 0..<m {
            for column in 0..<n {
                var (exact, size) = (0.0, 0.0)
                for inner in 0..<k {
                    let term = Double(a[row * k + inner]) * Double(b[inner * n + column])
                    exact += term
                    size += abs(term)
                }
                worst = max(worst, abs(Double(c[row * n + column]) - exact) / (gamma(k) * size))
            }
        }
        #expect(worst <= 1, "\(floatTables[index].name): the error is \(worst) times its bound")
    }

    @Test(arguments: floatTables.indices, [1, 7, 4096, 4097, 100_003])
    func sums(_ index: Int, _ count: Int) {
        let x = numbers(count, 3)
        for op in [ReduceOp.sum, .sumSquares] {
            var y: Float = .nan
            floatTables[index].reduce(op, 1, count, 1, x, &y)
            let terms = x.map { op == .sum ? Double($0) : Double($0) * Double($0) }
            let bound = gamma(min(count, 4096) + 1) * terms.reduce(0) { $0 + abs($1) }
            #expect(abs(Double(y) - terms.reduce(0, +)) <= bound, "\(floatTables[index].name) \(op) of \(count)")
        }
    }

    /// Two units in the last place of the exact result, also where that is denormal.
    @Test(arguments: floatTables.indices) func exponentialsAndLogarithms(_ index: Int) {
        var generator = SeededGenerator(9)
        let exponents = (0..<20_000).map { _ in Float.random(in: -103...88.7, using: &generator) }
        let positives =
            exponents.map { Foundation.exp($0) }.filter { $0 > 0 } + [
                1 - 0x1p-24, 1, 1 + 0x1p-23, .leastNonzeroMagnitude,
            ]
        for (op, x, exact) in [
            (UnaryOp.exp, exponents, { Foundation.exp($0) }), (.log, positives, { Foundation.log($0) }),
        ] as [(UnaryOp, [Float], (Double) -> Double)] {
            var y = [Float](repeating: .nan, count: x.count)
            floatTables[index].unary(op, x.count, x, 1, &y, 1)
            let worst = zip(x, y).map { abs(Double($1) - exact(Double($0))) / Double(Float(exact(Double($0))).ulp) }
                .max()!
            #expect(worst <= 2, "\(floatTables[index].name), \(op): \(worst) units in the last place")
        }
    }

    /// The bound that `Tensor.softmax` derives: along rows and along columns.
    @Test(arguments: floatTables.indices, [1, 7, 33, 1001]) func softmaxes(_ index: Int, _ count: Int) {
        var generator = SeededGenerator(10)
        let columns = 5
        for range: ClosedRange<Float> in [-1...1, -40...40] {
            let x = (0..<count * columns).map { _ in Float.random(in: range, using: &generator) }
            for isRows in [true, false] {
                var y = [Float](repeating: .nan, count: x.count)
                floatTables[index].softmax(false, isRows ? columns : 1, count, isRows ? 1 : columns, x, &y)
                for line in 0..<columns {
                    let places = (0..<count).map { isRows ? line * count + $0 : $0 * columns + line }
                    let values = places.map { Double(x[$0]) }
                    let (low, high) = (values.min()!, values.max()!)
                    let total = values.reduce(0) { $0 + Foundation.exp($1 - high) }
                    let bound = (2 * (high - low) + Double(count) + 10) * 0x1p-24
                    for (place, value) in zip(places, values) {
                        let exact = Foundation.exp(value - high) / total
                        #expect(
                            abs(Double(y[place]) - exact) <= bound * exact,
                            "\(floatTables[index].name), \(count) elements")
                    }
                }
            }
        }
    }

    static let convolutions: [ConvolutionShape] = [
        // A gradient with many zeros goes another way from 8 images on.
        ConvolutionTests.shape(8, 16, 6, 7, 4, 5, 5, pad: (2, 2, 2, 2)),
        ConvolutionTests.shape(2, 3, 12, 13, 8, 5, 5, pad: (2, 2, 2, 2)),
        ConvolutionTests.shape(1, 64, 7, 9, 48, 3, 3, stride: (2, 2), pad: (1, 1, 1, 1)),
        ConvolutionTests.shape(1, 8, 11, 6, 12, 3, 1, dilation: (2, 1), groups: 4),
    ]

    /// The bounds in the docs of `Tensor.conv2d`: an output is a sum of `filterSize` products and a bias; a gradient of
    /// the input one of at most `outChannels / groups · taps`, one of the weights of `batch · outHeight · outWidth`, and
    /// that of a bias a sum of as many terms.
    @Test(arguments: floatTables.indices, convolutions) func convolution(_ index: Int, _ s: ConvolutionShape) {
        let table = floatTables[index]
        let x = numbers(s.batch * s.inChannels * s.height * s.width, 4)
        let (w, bias) = (numbers(s.outChannels * s.filterSize, 5), numbers(s.outChannels, 6))
        var dy = numbers(s.batch * s.outChannels * s.outHeight * s.outWidth, 7)
        if s.batch >= 8 { for place in dy.indices where place % 10 != 0 { dy[place] = 0 } }
        var y = [Float](repeating: .nan, count: dy.count)
        var (dx, dw) = ([Float](repeating: .nan, count: x.count), [Float](repeating: .nan, count: w.count))
        var dbias = [Float](repeating: .nan, count: bias.count)
        table.convolutionForward(s, x, w, bias, false, &y)
        table.convolutionBackwardData(s, dy, w, &dx)
        table.convolutionBackwardWeights(s, x, dy, &dw, &dbias)
        // Exact sums beside the sums of the terms' sizes.
        var outputs = dy.indices.map { index -> (Double, Double) in
            let value = Double(bias[index / (s.outHeight * s.outWidth) % s.outChannels])
            return (value, abs(value))
        }
        var inputs = [(Double, Double)](repeating: (0, 0), count: x.count)
        var weights = [(Double, Double)](repeating: (0, 0), count: w.count)
        var biases = [(Double, Double)](repeating: (0, 0), count: bias.count)
        func add(_ a: Float, _ b: Float, _ sum: inout (Double, Double)) {
            sum.0 += Double(a) * Double(b)
            sum.1 += abs(Double(a) * Double(b))
        }
        for place in dy.indices {
            let (column, row) = (place % s.outWidth, place / s.outWidth % s.outHeight)
            let (o, n) = (
                place / (s.outWidth * s.outHeight) % s.outChannels, place / (s.outWidth * s.outHeight * s.outChannels)
            )
            add(dy[place], 1, &biases[o])
            for c in 0..<s.groupIn {
                for kh in 0..<s.kernelHeight {
                    for kw in 0..<s.kernelWidth {
                        let i = row * s.strideHeight + kh * s.dilationHeight - s.padTop
                        let j = column * s.strideWidth + kw * s.dilationWidth - s.padLeft
                        guard i >= 0, i < s.height, j >= 0, j < s.width else { continue }
                        let from = ((n * s.inChannels + o / s.groupOut * s.groupIn + c) * s.height + i) * s.width + j
                        let weight = ((o * s.groupIn + c) * s.kernelHeight + kh) * s.kernelWidth + kw
                        add(x[from], w[weight], &outputs[place])
                        add(dy[place], w[weight], &inputs[from])
                        add(dy[place], x[from], &weights[weight])
                    }
                }
            }
        }
        func expect(_ what: String, _ results: [Float], _ exact: [(Double, Double)], terms: Int) {
            let worst = zip(results, exact).map { abs(Double($0) - $1.0) - gamma(terms) * $1.1 }.max()!
            #expect(worst <= 0, "\(table.name), \(what) of \(s)")
        }
        expect("outputs", y, outputs, terms: s.filterSize + 1)
        expect("input gradients", dx, inputs, terms: s.groupOut * s.kernelHeight * s.kernelWidth)
        expect("weight gradients", dw, weights, terms: s.batch * s.outHeight * s.outWidth)
        expect("bias gradients", dbias, biases, terms: s.batch * s.outHeight * s.outWidth)
    }
}

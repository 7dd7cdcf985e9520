// Convolutions by Winograd's F(2×2, k×k), against the definition, and their error.
@testable import Kernels
@testable import KernelsBaseline
import Testing

@Suite(.serialized) struct WinogradTests {
    typealias Shape = ConvolutionShape

    static let shapes = [
        // Odd sizes: tiles that stand over; channels around the widths of vectors.
        ConvolutionTests.shape(16, 32, 7, 7, 33, 3, 3, pad: (1, 1, 1, 1)),
        ConvolutionTests.shape(256, 33, 2, 1, 32, 3, 3, pad: (1, 1, 1, 1)),
        // Units of some rows of one image; padding of its own on each side.
        ConvolutionTests.shape(1, 34, 33, 32, 32, 3, 3, pad: (0, 2, 1, 0)),
        ConvolutionTests.shape(4, 32, 15, 13, 36, 3, 3, pad: (2, 2, 2, 2)),
        ConvolutionTests.shape(3, 32, 9, 60, 41, 3, 3),
        // More channels than are added up at a time.
        ConvolutionTests.shape(256, 260, 1, 1, 32, 3, 3, pad: (1, 1, 1, 1)),
    ]

    @Test(arguments: shapes) func matchesTheDefinition(_ s: Shape) {
        #expect(Winograd.pays(s) && Winograd.paysForWeights(s), "this is not what is tested")
        let tests = ConvolutionTests()
        tests.check(s, floatTables, Float.self, tolerance: 2e-6)
        tests.check(s, doubleTables, Double.self, tolerance: 1e-14)
    }

    static let fives = [
        ConvolutionTests.shape(16, 16, 8, 8, 17, 5, 5, pad: (2, 2, 2, 2)),
        ConvolutionTests.shape(6, 17, 15, 16, 16, 5, 5, pad: (2, 1, 0, 2)),
        ConvolutionTests.shape(1, 16, 36, 36, 17, 5, 5),
        ConvolutionTests.shape(3, 16, 8, 57, 16, 5, 5, pad: (2, 2, 2, 2)),
    ]

    @Test(arguments: fives) func filtersOfFiveMatchTheDefinition(_ s: Shape) {
        #expect(
            Winograd.pays(s) && Winograd.pays(s, isBackward: true) && Winograd.paysForWeights(s),
            "this is not what is tested")
        let tests = ConvolutionTests()
        tests.check(s, floatTables, Float.self, tolerance: 1e-5)
        tests.check(s, doubleTables, Double.self, tolerance: 1e-13)
    }

    /// Of these only the result.
    static let strided = [
        ConvolutionTests.shape(16, 32, 16, 16, 33, 3, 3, stride: (2, 2), pad: (1, 1, 1, 1)),
        ConvolutionTests.shape(2, 32, 47, 45, 32, 3, 3, stride: (2, 2), pad: (1, 1, 1, 1)),
        ConvolutionTests.shape(1, 32, 64, 67, 33, 3, 3, stride: (2, 2), pad: (0, 2, 1, 0)),
    ]

    @Test(arguments: strided) func resultsWithStrideMatchTheDefinition(_ s: Shape) {
        #expect(Winograd.paysWithStride(BaselineFloat.self, s) && !Winograd.pays(s), "this is not what is tested")
        let tests = ConvolutionTests()
        tests.check(s, floatTables, Float.self, tolerance: 2e-6)
        tests.check(s, doubleTables, Double.self, tolerance: 1e-14)
    }

    /// Their bound in the docs of `Tensor.conv2d`, with inputs of very different sizes side by side.
    @Test func resultsWithStrideStayWithinTheirBound() {
        let s = ConvolutionTests.shape(16, 32, 16, 16, 33, 3, 3, stride: (2, 2), pad: (1, 1, 1, 1))
        var inputs = ConvolutionTests.Inputs<Float>(s)
        var generator = SeededGenerator(14)
        spread(&inputs.x, &generator)
        let tests = ConvolutionTests()
        let exact = tests.reference(s, inputs)
        let gamma = ErrorBoundTests().gamma(4 * s.inChannels + 12)
        let bounds = exact.y.indices.map { place in
            let (image, channel) = (place / (s.outChannels * 64), place / 64 % s.outChannels)
            let (top, left) = (place % 64 / 8 / 2 * 4 - 1, place % 8 / 2 * 4 - 1)
            var bound = Double(abs(inputs.bias[channel]))
            for input in 0..<s.inChannels {
                var largest: Float = 0
                for row in max(0, top)..<min(16, top + 5) {
                    for column in max(0, left)..<min(16, left + 5) {
                        largest = max(largest, abs(inputs.x[((image * s.inChannels + input) * 16 + row) * 16 + column]))
                    }
                }
                let filter = 9 * (channel * s.inChannels + input)
                bound += 16 * Double(largest) * inputs.w[filter..<filter + 9].reduce(0) { $0 + Double(abs($1)) }
            }
            return gamma * bound
        }
        for table in floatTables {
            let results = tests.compute(s, inputs, table)
            let worst = bounds.indices.map { abs(Double(results.y[$0]) - exact.y[$0]) / bounds[$0] }.max()!
            #expect(worst <= 1, "\(table.name): the error is \(worst) of its bound")
        }
    }

    /// Of these only the gradient of the weights goes that way.
    static let largerFilters = [
        // Few channels, as planes: rows shorter and longer than two vectors, even and odd, with padding of any kind.
        ConvolutionTests.shape(24, 3, 11, 9, 17, 5, 5),
        ConvolutionTests.shape(32, 3, 10, 12, 16, 5, 5),
        ConvolutionTests.shape(6, 4, 20, 19, 17, 5, 5, pad: (2, 1, 0, 2)),
        ConvolutionTests.shape(5, 3, 19, 37, 16, 5, 5, pad: (0, 3, 3, 0)),
        ConvolutionTests.shape(5, 4, 17, 41, 18, 4, 4, pad: (1, 0, 1, 2)),
        ConvolutionTests.shape(7, 3, 32, 32, 16, 5, 5),
        // Large images: units of some rows, which share rows of the input.
        ConvolutionTests.shape(1, 3, 43, 95, 17, 5, 5, pad: (2, 2, 2, 2)),
        ConvolutionTests.shape(2, 9, 41, 25, 17, 4, 4, pad: (1, 2, 1, 2)),
        ConvolutionTests.shape(6, 9, 14, 14, 24, 5, 5, pad: (2, 2, 2, 2)),
        // Stride 2: phases with as many taps or one less; more channels than a vector has.
        ConvolutionTests.shape(1, 3, 61, 79, 19, 7, 7, stride: (2, 2), pad: (3, 3, 3, 3)),
        ConvolutionTests.shape(9, 3, 31, 30, 17, 8, 8, stride: (2, 2), pad: (1, 0, 2, 3)),
        ConvolutionTests.shape(11, 9, 19, 19, 16, 7, 7, stride: (2, 2), pad: (3, 3, 3, 3)),
        ConvolutionTests.shape(16, 3, 24, 20, 16, 6, 6, stride: (2, 2), pad: (2, 2, 2, 2)),
        ConvolutionTests.shape(9, 3, 24, 22, 17, 9, 9, stride: (2, 2), pad: (4, 4, 4, 4)),
        ConvolutionTests.shape(9, 3, 24, 22, 17, 10, 10, stride: (2, 2), pad: (4, 4, 4, 4)),
    ]

    @Test(arguments: largerFilters) func gradientsOfLargerFiltersMatchTheDefinition(_ s: Shape) {
        #expect(Winograd.paysForWeights(s) && !Winograd.pays(s), "this is not what is tested")
        let tests = ConvolutionTests()
        tests.check(s, floatTables, Float.self, tolerance: 1e-5)
        tests.check(s, doubleTables, Double.self, tolerance: 1e-13)
    }

    @Test func onlyWhereItPays() {
        for s in [
            ConvolutionTests.shape(16, 15, 8, 8, 17, 5, 5, pad: (2, 2, 2, 2)),
            ConvolutionTests.shape(16, 17, 8, 8, 15, 5, 5, pad: (2, 2, 2, 2)),
            ConvolutionTests.shape(64, 16, 8, 8, 16, 5, 5, pad: (1, 2, 2, 2)),
        ] { #expect(!Winograd.pays(s), "\(s)") }
        // Back to the input half of the taps lie in the padding.
        let valid = ConvolutionTests.shape(128, 16, 14, 14, 32, 5, 5)
        #expect(Winograd.pays(valid) && !Winograd.pays(valid, isBackward: true))
        let same = (1, 1, 1, 1)
        #expect(Winograd.pays(ConvolutionTests.shape(4, 32, 16, 16, 32, 3, 3, pad: same)))
        for s in [
            ConvolutionTests.shape(4, 31, 16, 16, 32, 3, 3, pad: same),
            ConvolutionTests.shape(4, 32, 16, 16, 31, 3, 3, pad: same),
            ConvolutionTests.shape(3, 32, 16, 16, 32, 3, 3, pad: same),
            ConvolutionTests.shape(4, 32, 16, 16, 32, 3, 5, pad: same),
            ConvolutionTests.shape(4, 32, 64, 64, 32, 3, 3, stride: (1, 2), pad: same),
            ConvolutionTests.shape(16, 32, 14, 14, 32, 3, 3, stride: (2, 2), pad: same),
            ConvolutionTests.shape(16, 34, 16, 16, 32, 3, 3, stride: (2, 2), pad: same),
            ConvolutionTests.shape(4, 32, 64, 64, 32, 3, 3, pad: same, dilation: (2, 1)),
            ConvolutionTests.shape(4, 64, 64, 64, 64, 3, 3, pad: same, groups: 2),
            ConvolutionTests.shape(24, 2, 11, 9, 17, 5, 5),
            ConvolutionTests.shape(24, 3, 11, 9, 15, 5, 5),
            ConvolutionTests.shape(20, 3, 11, 9, 17, 5, 5),
            ConvolutionTests.shape(24, 3, 11, 9, 17, 5, 5, dilation: (1, 2)),
            ConvolutionTests.shape(64, 3, 32, 32, 16, 5, 5, stride: (2, 2)),
            ConvolutionTests.shape(64, 3, 32, 32, 16, 7, 7),
            ConvolutionTests.shape(64, 3, 32, 32, 16, 7, 7, stride: (2, 1)),
            ConvolutionTests.shape(64, 3, 32, 32, 16, 7, 5, stride: (2, 2)),
            ConvolutionTests.shape(256, 3, 3, 3, 16, 5, 5, pad: (2, 2, 2, 2)),
        ] {
            #expect(!Winograd.pays(s) && !Winograd.paysForWeights(s), "\(s)")
            #expect(!Winograd.paysWithStride(BaselineFloat.self, s), "\(s)")
        }
    }

    @Test(arguments: [
        ConvolutionTests.shape(9, 40, 17, 19, 48, 3, 3, pad: (1, 1, 1, 1)),
        ConvolutionTests.shape(9, 20, 17, 19, 24, 5, 5, pad: (2, 2, 2, 2)),
        ConvolutionTests.shape(16, 32, 16, 16, 33, 3, 3, stride: (2, 2), pad: (1, 1, 1, 1)),
        ConvolutionTests.shape(1, 3, 61, 79, 19, 7, 7, stride: (2, 2), pad: (3, 3, 3, 3)),
        ConvolutionTests.shape(19, 3, 18, 21, 17, 5, 5, pad: (1, 2, 1, 2)),
    ])
    func anyNumberOfThreadsGivesTheSameBits(_ s: Shape) {
        let tests = ConvolutionTests()
        let inputs = ConvolutionTests.Inputs<Float>(s)
        let before = Parallel.threads
        defer { Parallel.threads = before }
        for table in floatTables {
            Parallel.threads = 1
            let alone = tests.compute(s, inputs, table)
            for threads in [2, 4, 8] {
                Parallel.threads = threads
                #expect(tests.compute(s, inputs, table) == alone, "\(table.name), \(threads) threads")
            }
        }
    }

    /// The bound in the docs of `Tensor.conv2d` for the gradient of larger filters, with inputs of very different sizes side
    /// by side.
    @Test(arguments: [
        ConvolutionTests.shape(24, 3, 11, 9, 17, 5, 5),
        ConvolutionTests.shape(1, 3, 61, 79, 19, 7, 7, stride: (2, 2), pad: (3, 3, 3, 3)),
    ])
    func gradientsOfLargerFiltersStayWithinTheirBound(_ s: Shape) {
        #expect(Winograd.paysForWeights(s), "this is not what is tested")
        var inputs = ConvolutionTests.Inputs<Float>(s)
        var generator = SeededGenerator(13)
        spread(&inputs.x, &generator)
        spread(&inputs.dy, &generator)
        let tests = ConvolutionTests()
        let exact = tests.reference(s, inputs)
        let gamma = ErrorBoundTests().gamma(s.batch * ((s.outHeight + 1) / 2) * ((s.outWidth + 1) / 2) + 40)
        // Inputs under a tile, along an axis.
        let span = s.kernelHeight + s.strideHeight
        func terms(_ filter: Int, _ channel: Int) -> Double {
            var terms = 0.0
            for image in 0..<s.batch {
                for tileRow in stride(from: 0, to: s.outHeight, by: 2) {
                    for tileColumn in stride(from: 0, to: s.outWidth, by: 2) {
                        var (largest, total): (Float, Double) = (0, 0)
                        let (top, left) = (tileRow * s.strideHeight - s.padTop, tileColumn * s.strideWidth - s.padLeft)
                        for row in max(0, top)..<min(s.height, top + span) {
                            for column in max(0, left)..<min(s.width, left + span) {
                                let place = ((image * s.inChannels + channel) * s.height + row) * s.width + column
                                largest = max(largest, abs(inputs.x[place]))
                            }
                        }
                        for row in tileRow..<min(s.outHeight, tileRow + 2) {
                            for column in tileColumn..<min(s.outWidth, tileColumn + 2) {
                                let place = ((image * s.outChannels + filter) * s.outHeight + row) * s.outWidth + column
                                total += Double(abs(inputs.dy[place]))
                            }
                        }
                        terms += Double(largest) * total
                    }
                }
            }
            return terms
        }
        let area = s.kernelHeight * s.kernelWidth
        let bounds = (0..<s.outChannels * s.inChannels).map {
            gamma * 206 * terms($0 / s.inChannels, $0 % s.inChannels)
        }
        for table in floatTables {
            let results = tests.compute(s, inputs, table)
            let worst = results.dw.indices.map { abs(Double(results.dw[$0]) - exact.dw[$0]) / bounds[$0 / area] }.max()!
            #expect(worst <= 1, "\(table.name): the error is \(worst) of its bound")
        }
    }

    /// Scales numbers by powers of two from 2⁻¹² to 2¹².
    func spread(_ x: inout [Float], _ generator: inout SeededGenerator) {
        for place in x.indices {
            x[place] *= Float(sign: .plus, exponent: .random(in: -12...12, using: &generator), significand: 1)
        }
    }

    /// The bounds in the docs of `Tensor.conv2d`, with inputs of very different sizes side by side.
    @Test(arguments: [(kernel: 3, factor: 16.0, extra: 12), (kernel: 5, factor: 206, extra: 40)])
    func staysWithinItsBounds(_ filter: (kernel: Int, factor: Double, extra: Int)) {
        let (kernel, pad, factor) = (filter.kernel, filter.kernel / 2, filter.factor)
        let s = ConvolutionTests.shape(13, 32, 10, 8, 32, kernel, kernel, pad: (pad, pad, pad, pad))
        #expect(
            Winograd.pays(s) && Winograd.pays(s, isBackward: true) && Winograd.paysForWeights(s),
            "this is not what is tested")
        var inputs = ConvolutionTests.Inputs<Float>(s)
        var generator = SeededGenerator(12)
        spread(&inputs.x, &generator)
        spread(&inputs.dy, &generator)
        let tests = ConvolutionTests()
        let results = floatTables.map { tests.compute(s, inputs, $0) }
        let exact = tests.reference(s, inputs)
        let gamma = ErrorBoundTests().gamma
        let area = s.height * s.width

        /// For each pixel of each plane, the largest of the numbers under its tile.
        func largest(_ x: [Float]) -> [Double] {
            x.indices.map { place in
                let (plane, pixel) = (place / area, place % area)
                let (row, column) = (pixel / s.width / 2 * 2, pixel % s.width / 2 * 2)
                var largest: Float = 0
                for i in max(0, row - pad)..<min(s.height, row + pad + 2) {
                    for j in max(0, column - pad)..<min(s.width, column + pad + 2) {
                        largest = max(largest, abs(x[plane * area + i * s.width + j]))
                    }
                }
                return Double(largest)
            }
        }
        let (under, behind) = (largest(inputs.x), largest(inputs.dy))
        let taps = kernel * kernel
        let sizes = (0..<32 * 32).map { filter in
            inputs.w[taps * filter..<taps * filter + taps].reduce(0) { $0 + Double(abs($1)) }
        }
        /// The largest error of all instruction sets.
        func error(_ part: KeyPath<ConvolutionTests.Results<Float>, [Float]>, _ exact: [Double], _ place: Int) -> Double
        {
            results.map { abs(Double($0[keyPath: part][place]) - exact[place]) }.max()!
        }
        // All errors as shares of their bounds.
        var worst: (outputs: Double, inputs: Double, weights: Double) = (0, 0, 0)
        for image in 0..<s.batch {
            for pixel in 0..<area {
                for channel in 0..<32 {
                    let place = (image * 32 + channel) * area + pixel
                    let outputs = (0..<32).reduce(Double(abs(inputs.bias[channel])) / factor) {
                        $0 + under[(image * 32 + $1) * area + pixel] * sizes[channel * 32 + $1]
                    }
                    let scale = gamma(32 + filter.extra) * factor
                    worst.outputs = max(
                        worst.outputs, error(\.y, exact.y, place) / (scale * outputs))
                    let back = (0..<32).reduce(0) {
                        $0 + behind[(image * 32 + $1) * area + pixel] * sizes[$1 * 32 + channel]
                    }
                    worst.inputs = max(worst.inputs, error(\.dx, exact.dx, place) / (scale * back))
                }
            }
        }
        for pair in 0..<32 * 32 {
            var terms = 0.0
            for image in 0..<s.batch {
                for pixel in 0..<area {
                    terms +=
                        under[(image * 32 + pair % 32) * area + pixel]
                        * Double(abs(inputs.dy[(image * 32 + pair / 32) * area + pixel]))
                }
            }
            for place in taps * pair..<taps * (pair + 1) {
                let error = error(\.dw, exact.dw, place)
                worst.weights = max(worst.weights, error / (gamma(s.batch * 20 + filter.extra) * factor * terms))
            }
        }
        #expect(
            worst.outputs <= 1 && worst.inputs <= 1 && worst.weights <= 1,
            "errors are \(worst) of their bounds")
    }
}

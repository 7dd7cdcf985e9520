// 3×3 convolutions with many channels, which go by Winograd's F(2×2, 3×3): against the definition, and their error.
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
        #expect(Winograd.pays(s), "this is not what is tested")
        let tests = ConvolutionTests()
        tests.check(s, floatTables, Float.self, tolerance: 2e-6)
        tests.check(s, doubleTables, Double.self, tolerance: 1e-14)
    }

    @Test func onlyWhereItPays() {
        let same = (1, 1, 1, 1)
        #expect(Winograd.pays(ConvolutionTests.shape(4, 32, 16, 16, 32, 3, 3, pad: same)))
        for s in [
            ConvolutionTests.shape(4, 31, 16, 16, 32, 3, 3, pad: same),
            ConvolutionTests.shape(4, 32, 16, 16, 31, 3, 3, pad: same),
            ConvolutionTests.shape(3, 32, 16, 16, 32, 3, 3, pad: same),
            ConvolutionTests.shape(4, 32, 16, 16, 32, 3, 5, pad: same),
            ConvolutionTests.shape(4, 32, 64, 64, 32, 3, 3, stride: (1, 2), pad: same),
            ConvolutionTests.shape(4, 32, 64, 64, 32, 3, 3, pad: same, dilation: (2, 1)),
            ConvolutionTests.shape(4, 64, 64, 64, 64, 3, 3, pad: same, groups: 2),
        ] { #expect(!Winograd.pays(s), "\(s)") }
    }

    @Test func anyNumberOfThreadsGivesTheSameBits() {
        let tests = ConvolutionTests()
        let s = ConvolutionTests.shape(9, 40, 17, 19, 48, 3, 3, pad: (1, 1, 1, 1))
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

    /// The bounds in the docs of `Tensor.conv2d`, with inputs of very different sizes side by side.
    @Test(arguments: floatTables.indices) func staysWithinItsBounds(_ index: Int) {
        let s = ConvolutionTests.shape(16, 32, 7, 8, 32, 3, 3, pad: (1, 1, 1, 1))
        #expect(Winograd.paysForWeights(s), "this is not what is tested")
        var inputs = ConvolutionTests.Inputs<Float>(s)
        var generator = SeededGenerator(12)
        func spread(_ x: inout [Float]) {
            for place in x.indices {
                x[place] *= Float(sign: .plus, exponent: .random(in: -12...12, using: &generator), significand: 1)
            }
        }
        spread(&inputs.x)
        spread(&inputs.dy)
        let tests = ConvolutionTests()
        let results = tests.compute(s, inputs, floatTables[index])
        let exact = tests.reference(s, inputs)
        let gamma = ErrorBoundTests().gamma
        let area = s.height * s.width

        /// For each pixel of each plane, the largest of the 4×4 numbers under its tile.
        func largest(_ x: [Float]) -> [Double] {
            x.indices.map { place in
                let (plane, pixel) = (place / area, place % area)
                let (row, column) = (pixel / s.width / 2 * 2, pixel % s.width / 2 * 2)
                var largest: Float = 0
                for i in max(0, row - 1)..<min(s.height, row + 3) {
                    for j in max(0, column - 1)..<min(s.width, column + 3) {
                        largest = max(largest, abs(x[plane * area + i * s.width + j]))
                    }
                }
                return Double(largest)
            }
        }
        let (under, behind) = (largest(inputs.x), largest(inputs.dy))
        let sizes = (0..<32 * 32).map { filter in
            inputs.w[9 * filter..<9 * filter + 9].reduce(0) { $0 + Double(abs($1)) }
        }
        // All errors as shares of their bounds.
        var worst: (outputs: Double, inputs: Double, weights: Double) = (0, 0, 0)
        for image in 0..<s.batch {
            for pixel in 0..<area {
                for channel in 0..<32 {
                    let place = (image * 32 + channel) * area + pixel
                    let outputs = (0..<32).reduce(Double(abs(inputs.bias[channel])) / 16) {
                        $0 + under[(image * 32 + $1) * area + pixel] * sizes[channel * 32 + $1]
                    }
                    worst.outputs = max(
                        worst.outputs, abs(Double(results.y[place]) - exact.y[place]) / (gamma(32 + 12) * 16 * outputs))
                    let back = (0..<32).reduce(0) {
                        $0 + behind[(image * 32 + $1) * area + pixel] * sizes[$1 * 32 + channel]
                    }
                    worst.inputs = max(
                        worst.inputs, abs(Double(results.dx[place]) - exact.dx[place]) / (gamma(32 + 12) * 16 * back))
                }
            }
        }
        for (filter, places) in (0..<32 * 32).map({ ($0, 9 * $0..<9 * $0 + 9) }) {
            var terms = 0.0
            for image in 0..<s.batch {
                for pixel in 0..<area {
                    terms +=
                        under[(image * 32 + filter % 32) * area + pixel]
                        * Double(abs(inputs.dy[(image * 32 + filter / 32) * area + pixel]))
                }
            }
            for place in places {
                let error = abs(Double(results.dw[place]) - exact.dw[place])
                worst.weights = max(worst.weights, error / (gamma(s.batch * 16 + 8) * 16 * terms))
            }
        }
        #expect(
            worst.outputs <= 1 && worst.inputs <= 1 && worst.weights <= 1,
            "\(floatTables[index].name): errors are \(worst) of their bounds")
    }
}

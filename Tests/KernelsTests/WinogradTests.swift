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

    /// The bound in the docs of `Tensor.conv2d`: γ of C + 12 times, for each channel, 16 times the largest input that the
    /// tile depends on times the sum of the filter's sizes. Inputs of very different sizes side by side.
    @Test(arguments: floatTables.indices) func staysWithinItsBound(_ index: Int) {
        let s = ConvolutionTests.shape(16, 32, 7, 8, 32, 3, 3, pad: (1, 1, 1, 1))
        var inputs = ConvolutionTests.Inputs<Float>(s)
        var generator = SeededGenerator(12)
        for place in inputs.x.indices {
            inputs.x[place] *= Float(
                sign: .plus, exponent: .random(in: -12...12, using: &generator), significand: 1)
        }
        let tests = ConvolutionTests()
        let results = tests.compute(s, inputs, floatTables[index])
        let exact = tests.reference(s, inputs)
        let gamma = ErrorBoundTests().gamma(s.inChannels + 12)
        var worst = 0.0
        for (place, value) in results.y.enumerated() {
            let (column, row) = (place % s.outWidth, place / s.outWidth % s.outHeight)
            let plane = place / (s.outWidth * s.outHeight)
            let (o, n) = (plane % s.outChannels, plane / s.outChannels)
            var terms = Double(abs(inputs.bias[o]))
            for c in 0..<s.inChannels {
                var largest: Float = 0
                for i in max(0, row / 2 * 2 - 1)..<min(s.height, row / 2 * 2 + 3) {
                    for j in max(0, column / 2 * 2 - 1)..<min(s.width, column / 2 * 2 + 3) {
                        largest = max(largest, abs(inputs.x[((n * s.inChannels + c) * s.height + i) * s.width + j]))
                    }
                }
                let filter = (o * s.inChannels + c) * 9
                terms += 16 * Double(largest) * inputs.w[filter..<filter + 9].reduce(0) { $0 + Double(abs($1)) }
            }
            worst = max(worst, abs(Double(value) - exact.y[place]) / (gamma * terms))
        }
        #expect(worst <= 1, "\(floatTables[index].name): \(worst) of the bound")
    }
}

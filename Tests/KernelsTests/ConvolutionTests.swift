// The direct convolution of every instruction set against the definition.
import Kernels
import Testing

@Suite struct ConvolutionTests {
    /// Odd sizes, strides, padding of all kinds, groups, and enough channels and pixels for every tile.
    static let shapes: [ConvolutionShape] = [
        .init(batch: 2, inChannels: 1, height: 28, width: 28, outChannels: 16, kernelHeight: 5, kernelWidth: 5, padTop: 2, padBottom: 2, padLeft: 2, padRight: 2),
        .init(batch: 9, inChannels: 3, height: 11, width: 13, outChannels: 7, kernelHeight: 3, kernelWidth: 3, padTop: 1, padBottom: 1, padLeft: 1, padRight: 1),
        .init(batch: 1, inChannels: 37, height: 7, width: 7, outChannels: 33, kernelHeight: 3, kernelWidth: 3, padTop: 1, padBottom: 1, padLeft: 1, padRight: 1),
        .init(batch: 2, inChannels: 3, height: 17, width: 15, outChannels: 8, kernelHeight: 7, kernelWidth: 7, strideHeight: 2, strideWidth: 2, padTop: 3, padBottom: 3, padLeft: 3, padRight: 3),
        .init(batch: 2, inChannels: 4, height: 9, width: 10, outChannels: 6, kernelHeight: 2, kernelWidth: 4, strideHeight: 3, strideWidth: 2, padTop: 0, padBottom: 1, padLeft: 2, padRight: 0),
        .init(batch: 1, inChannels: 2, height: 12, width: 9, outChannels: 5, kernelHeight: 3, kernelWidth: 3, padTop: 2, padBottom: 2, padLeft: 2, padRight: 2, dilationHeight: 2, dilationWidth: 3),
        .init(batch: 2, inChannels: 6, height: 5, width: 5, outChannels: 9, kernelHeight: 3, kernelWidth: 3, padTop: 1, padBottom: 1, padLeft: 1, padRight: 1, groups: 3),
        .init(batch: 10, inChannels: 5, height: 6, width: 6, outChannels: 5, kernelHeight: 3, kernelWidth: 3, groups: 5),
        .init(batch: 1, inChannels: 2, height: 6, width: 6, outChannels: 4, kernelHeight: 3, kernelWidth: 3, strideHeight: 2, strideWidth: 2, dilationHeight: 2, dilationWidth: 2, groups: 2),
        .init(batch: 3, inChannels: 19, height: 6, width: 5, outChannels: 21, kernelHeight: 1, kernelWidth: 1),
        .init(batch: 2, inChannels: 8, height: 8, width: 8, outChannels: 8, kernelHeight: 1, kernelWidth: 1, strideHeight: 2, strideWidth: 2),
        .init(batch: 1, inChannels: 1, height: 1, width: 1, outChannels: 1, kernelHeight: 1, kernelWidth: 1),
        .init(batch: 1, inChannels: 1, height: 2, width: 2, outChannels: 2, kernelHeight: 5, kernelWidth: 5, padTop: 2, padBottom: 2, padLeft: 2, padRight: 2),
        .init(batch: 0, inChannels: 2, height: 4, width: 4, outChannels: 3, kernelHeight: 3, kernelWidth: 3),
        .init(batch: 2, inChannels: 70, height: 4, width: 4, outChannels: 130, kernelHeight: 3, kernelWidth: 3, padTop: 1, padBottom: 1, padLeft: 1, padRight: 1),
    ]

    @Test(arguments: shapes.indices, floatTables.indices) func floatPasses(_ shape: Int, _ table: Int) {
        check(Float.self, Self.shapes[shape], floatTables[table], tolerance: 2e-4)
    }
    @Test(arguments: shapes.indices, doubleTables.indices) func doublePasses(_ shape: Int, _ table: Int) {
        check(Double.self, Self.shapes[shape], doubleTables[table], tolerance: 1e-11)
    }

    private func check<T: BinaryFloatingPoint & BitwiseCopyable>(
        _: T.Type, _ s: ConvolutionShape, _ table: KernelTable, tolerance: Double
    ) {
        var random = SeededGenerator(7)
        func numbers(_ count: Int) -> [T] { (0..<count).map { _ in T(Double.random(in: -1...1, using: &random)) } }
        let (outHeight, outWidth) = (s.outHeight, s.outWidth)
        let x = numbers(s.batch * s.inChannels * s.height * s.width)
        let w = numbers(s.outChannels * s.filterSize)
        let bias = numbers(s.outChannels)
        let dy = numbers(s.batch * s.outChannels * outHeight * outWidth)
        var y = [Double](repeating: 0, count: dy.count)
        var dx = [Double](repeating: 0, count: x.count)
        var dw = [Double](repeating: 0, count: w.count)
        var dbias = [Double](repeating: 0, count: bias.count)
        for n in 0..<s.batch {
            for o in 0..<s.outChannels {
                for oh in 0..<outHeight {
                    for ow in 0..<outWidth {
                        let at = ((n * s.outChannels + o) * outHeight + oh) * outWidth + ow
                        y[at] = Double(bias[o])
                        dbias[o] += Double(dy[at])
                        for c in 0..<s.groupIn {
                            for kh in 0..<s.kernelHeight {
                                for kw in 0..<s.kernelWidth {
                                    let h = oh * s.strideHeight + kh * s.dilationHeight - s.padTop
                                    let v = ow * s.strideWidth + kw * s.dilationWidth - s.padLeft
                                    guard h >= 0, h < s.height, v >= 0, v < s.width else { continue }
                                    let channel = o / s.groupOut * s.groupIn + c
                                    let i = ((n * s.inChannels + channel) * s.height + h) * s.width + v
                                    let j = ((o * s.groupIn + c) * s.kernelHeight + kh) * s.kernelWidth + kw
                                    y[at] += Double(x[i]) * Double(w[j])
                                    dx[i] += Double(dy[at]) * Double(w[j])
                                    dw[j] += Double(dy[at]) * Double(x[i])
                                }
                            }
                        }
                    }
                }
            }
        }
        func expect(_ name: String, _ found: [T], _ expected: [Double]) {
            let scale = max(1, expected.map(abs).max() ?? 0)
            for (index, pair) in zip(found, expected).enumerated() where !(abs(Double(pair.0) - pair.1) <= tolerance * scale) {
                Issue.record("\(table.name) \(name) of \(s): element \(index) is \(pair.0), expected \(pair.1)")
                return
            }
        }
        var results: [[[T]]] = []
        let before = Parallel.threads
        for threads in [1, 2, 8] {
            Parallel.threads = threads
            var (gotY, gotDx) = ([T](repeating: .nan, count: y.count), [T](repeating: .nan, count: dx.count))
            var (gotDw, gotDb) = ([T](repeating: .nan, count: dw.count), [T](repeating: .nan, count: dbias.count))
            table.convolutionForward(s, x, w, bias, false, &gotY)
            table.convolutionBackwardData(s, dy, w, &gotDx)
            gotDb.withUnsafeMutableBytes { table.convolutionBackwardWeights(s, x, dy, &gotDw, $0.baseAddress) }
            results.append([gotY, gotDx, gotDw, gotDb])
        }
        Parallel.threads = before
        expect("forward", results[0][0], y)
        expect("backward-data", results[0][1], dx)
        expect("backward-weights", results[0][2], dw)
        expect("backward-bias", results[0][3], dbias)
        #expect(results[0] == results[1] && results[0] == results[2], "\(table.name): threads change the result")
        var rectified = [T](repeating: .nan, count: y.count)
        table.convolutionForward(s, x, w, nil, true, &rectified)
        let plain = zip(y.indices, y).map { index, value in
            max(0, value - Double(bias[index / max(1, outHeight * outWidth) % max(1, s.outChannels)]))
        }
        expect("forward with ReLU", rectified, plain)
    }
}

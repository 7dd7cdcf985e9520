// Convolution and its gradients, of every instruction set, against the definition in Double.
@testable import Kernels
@testable import KernelsBaseline
import Testing

@Suite(.serialized) struct ConvolutionTests {
    typealias Shape = ConvolutionShape

    /// The results of a convolution's kernels; `rectified` is without bias and after ReLU.
    struct Results<Scalar: Equatable>: Equatable {
        var y, rectified, dx, dw, dbias: [Scalar]
    }

    /// Seeded inputs with the shape's sizes.
    struct Inputs<Scalar: BinaryFloatingPoint> {
        var x, w, bias, dy: [Scalar]

        /// Of the gradient, one number in `every` is not zero.
        init(_ s: Shape, every: Int = 1) {
            var generator = SeededGenerator(UInt64(s.height * 31 + s.inChannels * 7 + s.outChannels))
            func fill(_ count: Int) -> [Scalar] {
                (0..<count).map { _ in Scalar(Float.random(in: -1...1, using: &generator)) }
            }
            x = fill(s.batch * s.inChannels * s.height * s.width)
            w = fill(s.outChannels * s.filterSize)
            bias = fill(s.outChannels)
            dy = fill(s.batch * s.outChannels * s.outHeight * s.outWidth)
            for index in dy.indices where Int.random(in: 0..<every, using: &generator) > 0 { dy[index] = 0 }
        }
    }

    /// Results by the definition.
    func reference<Scalar: BinaryFloatingPoint>(_ s: Shape, _ inputs: Inputs<Scalar>) -> Results<Double> {
        let (x, w) = (inputs.x.map { Double($0) }, inputs.w.map { Double($0) })
        let (bias, dy) = (inputs.bias.map { Double($0) }, inputs.dy.map { Double($0) })
        var y = [Double](repeating: 0, count: dy.count)
        var (dx, dw) = ([Double](repeating: 0, count: x.count), [Double](repeating: 0, count: w.count))
        var dbias = [Double](repeating: 0, count: bias.count)
        let (inPerGroup, outPerGroup) = (s.inChannels / s.groups, s.outChannels / s.groups)
        for n in 0..<s.batch {
            for o in 0..<s.outChannels {
                for oh in 0..<s.outHeight {
                    for ow in 0..<s.outWidth {
                        let out = ((n * s.outChannels + o) * s.outHeight + oh) * s.outWidth + ow
                        y[out] = bias[o]
                        dbias[o] += dy[out]
                        for c in 0..<inPerGroup {
                            for kh in 0..<s.kernelHeight {
                                for kw in 0..<s.kernelWidth {
                                    let ih = oh * s.strideHeight + kh * s.dilationHeight - s.padTop
                                    let iw = ow * s.strideWidth + kw * s.dilationWidth - s.padLeft
                                    guard ih >= 0, ih < s.height, iw >= 0, iw < s.width else { continue }
                                    let channel = o / outPerGroup * inPerGroup + c
                                    let from = ((n * s.inChannels + channel) * s.height + ih) * s.width + iw
                                    let weight = ((o * inPerGroup + c) * s.kernelHeight + kh) * s.kernelWidth + kw
                                    y[out] += x[from] * w[weight]
                                    dx[from] += dy[out] * w[weight]
                                    dw[weight] += dy[out] * x[from]
                                }
                            }
                        }
                    }
                }
            }
        }
        let area = max(1, s.outHeight * s.outWidth)
        let rectified = y.indices.map { max(y[$0] - bias[$0 / area % s.outChannels], 0) }
        return Results(y: y, rectified: rectified, dx: dx, dw: dw, dbias: dbias)
    }

    /// Results of the kernels. Outputs are not a number before, so that what is not written shows.
    func compute<Scalar: BinaryFloatingPoint>(_ s: Shape, _ inputs: Inputs<Scalar>, _ table: KernelTable) -> Results<
        Scalar
    > {
        func output(_ count: Int) -> [Scalar] { Array(repeating: .nan, count: count) }
        var results = Results(
            y: output(inputs.dy.count), rectified: output(inputs.dy.count), dx: output(inputs.x.count),
            dw: output(inputs.w.count), dbias: output(inputs.bias.count))
        // Empty arrays have no address; nothing is read or written there.
        let nowhere = UnsafeMutableRawPointer(bitPattern: 64)!
        func address(_ buffer: UnsafeRawBufferPointer) -> UnsafeRawPointer { buffer.baseAddress ?? .init(nowhere) }
        inputs.x.withUnsafeBytes { x in
            inputs.w.withUnsafeBytes { w in
                inputs.dy.withUnsafeBytes { dy in
                    inputs.bias.withUnsafeBytes { bias in
                        let (x, w, dy) = (address(x), address(w), address(dy))
                        results.y.withUnsafeMutableBytes {
                            table.convolutionForward(s, x, w, address(bias), false, $0.baseAddress ?? nowhere)
                        }
                        results.rectified.withUnsafeMutableBytes {
                            table.convolutionForward(s, x, w, nil, true, $0.baseAddress ?? nowhere)
                        }
                        results.dx.withUnsafeMutableBytes {
                            table.convolutionBackwardData(s, dy, w, $0.baseAddress ?? nowhere)
                        }
                        results.dw.withUnsafeMutableBytes { dw in
                            results.dbias.withUnsafeMutableBytes { dbias in
                                table.convolutionBackwardWeights(
                                    s, x, dy, dw.baseAddress ?? nowhere, dbias.baseAddress ?? nowhere)
                            }
                        }
                    }
                }
            }
        }
        return results
    }

    /// Largest error relative to the largest value; not a number counts as infinite.
    func error<Scalar: BinaryFloatingPoint>(_ result: [Scalar], _ expected: [Double]) -> Double {
        let scale = max(1, expected.map(abs).max() ?? 1)
        return zip(result, expected).map { $0.isNaN ? .infinity : abs(Double($0) - $1) / scale }.max() ?? 0
    }

    func check<Scalar: BinaryFloatingPoint>(
        _ s: Shape, every: Int = 1, _ tables: [KernelTable], _: Scalar.Type, tolerance: Double
    ) {
        let inputs = Inputs<Scalar>(s, every: every)
        let expected = reference(s, inputs)
        for table in tables {
            let results = compute(s, inputs, table)
            let name: Comment = "\(table.name) \(Scalar.self)"
            #expect(error(results.y, expected.y) < tolerance, name)
            #expect(error(results.rectified, expected.rectified) < tolerance, name)
            #expect(error(results.dx, expected.dx) < tolerance, name)
            #expect(error(results.dw, expected.dw) < tolerance, name)
            #expect(error(results.dbias, expected.dbias) < tolerance, name)
        }
    }

    static func shape(
        _ n: Int, _ c: Int, _ h: Int, _ w: Int, _ o: Int, _ kh: Int, _ kw: Int, stride: (Int, Int) = (1, 1),
        pad: (Int, Int, Int, Int) = (0, 0, 0, 0), dilation: (Int, Int) = (1, 1), groups: Int = 1
    ) -> Shape {
        Shape(
            batch: n, inChannels: c, height: h, width: w, outChannels: o, kernelHeight: kh, kernelWidth: kw,
            strideHeight: stride.0, strideWidth: stride.1, padTop: pad.0, padBottom: pad.1, padLeft: pad.2,
            padRight: pad.3, dilationHeight: dilation.0, dilationWidth: dilation.1, groups: groups)
    }

    static let shapes: [Shape] = {
        let same = (1, 1, 1, 1)
        return [
            // One of everything, and nothing of something.
            shape(1, 1, 1, 1, 1, 1, 1), shape(0, 3, 5, 5, 4, 3, 3), shape(2, 3, 5, 5, 0, 3, 3),
            shape(2, 0, 5, 5, 4, 3, 3), shape(2, 2, 0, 5, 4, 1, 1), shape(2, 2, 2, 2, 3, 3, 3),
            // Filters larger than the image, and all in the padding.
            shape(2, 3, 2, 3, 5, 5, 5, pad: (2, 2, 2, 2)), shape(1, 2, 1, 1, 17, 3, 3, pad: (3, 3, 3, 3)),
            // First layers, and second ones, of small networks.
            shape(3, 1, 20, 28, 16, 5, 5, pad: (2, 2, 2, 2)), shape(9, 3, 11, 13, 6, 5, 5),
            shape(9, 16, 7, 6, 32, 5, 5, pad: (2, 2, 2, 2)), shape(2, 6, 14, 14, 16, 5, 5),
            // Short sums with rows of about whole vectors, also in several strips, and with a stride.
            shape(2, 1, 5, 28, 19, 3, 3, pad: same), shape(1, 3, 23, 130, 9, 3, 3), shape(9, 5, 6, 24, 3, 3, 5),
            shape(9, 3, 9, 31, 17, 3, 3, stride: (2, 2), pad: same),
            shape(2, 4, 9, 29, 22, 3, 2, pad: (0, 2, 1, 0), dilation: (2, 1), groups: 2),
            // Channels around the widths of vectors and blocks.
            shape(2, 17, 7, 5, 23, 3, 3, pad: same), shape(2, 33, 5, 6, 67, 3, 3, pad: same),
            shape(13, 37, 3, 4, 40, 3, 3, pad: same), shape(1, 130, 4, 4, 9, 3, 3, pad: same),
            // Pointwise, also where the planes of the channels crowd the caches.
            shape(2, 24, 12, 13, 31, 1, 1), shape(2, 10, 16, 16, 48, 1, 1), shape(1, 300, 13, 11, 7, 1, 1),
            shape(9, 20, 7, 6, 31, 1, 1), shape(3, 19, 8, 8, 20, 1, 1, stride: (2, 2)),
            // Strides, dilation, uneven padding, in each axis its own.
            shape(2, 3, 23, 21, 24, 7, 7, stride: (2, 2), pad: (3, 3, 3, 3)),
            shape(2, 20, 11, 13, 18, 3, 3, stride: (2, 2), pad: same), shape(1, 5, 12, 9, 7, 3, 2, stride: (2, 3)),
            shape(1, 4, 9, 10, 18, 2, 3, stride: (3, 1), pad: (0, 2, 1, 0), dilation: (2, 3)),
            shape(2, 16, 10, 10, 16, 3, 3, stride: (3, 3)),
            shape(2, 18, 9, 9, 16, 3, 3, pad: (2, 2, 2, 2), dilation: (2, 2)),
            shape(1, 3, 5, 6, 20, 1, 1, stride: (4, 4)), shape(1, 2, 40, 3, 2, 3, 1, pad: (1, 0, 2, 1)),
            // Groups, up to one channel each.
            shape(2, 12, 7, 7, 18, 3, 3, pad: same, groups: 3), shape(2, 40, 6, 5, 40, 3, 3, pad: same, groups: 2),
            shape(2, 11, 9, 8, 11, 3, 3, pad: same, groups: 11), shape(2, 5, 9, 8, 10, 3, 3, stride: (2, 2), groups: 5),
            shape(9, 4, 6, 6, 68, 1, 1, groups: 4),
        ]
    }()

    /// Shapes whose gradients are computed from lists where most of dy is zero.
    static let sparseShapes = [
        shape(8, 16, 7, 6, 32, 5, 5, pad: (2, 2, 2, 2)), shape(9, 6, 14, 13, 16, 5, 5),
        shape(17, 32, 9, 10, 11, 3, 3, pad: (1, 1, 1, 1)),
        // Channels around the widths of vectors, rows narrower than one, a strip of each row.
        shape(10, 17, 7, 5, 23, 3, 3, pad: (1, 1, 1, 1)), shape(8, 40, 3, 3, 9, 3, 3, pad: (0, 1, 1, 0)),
        shape(8, 96, 12, 9, 10, 3, 3, pad: (1, 1, 1, 1)), shape(8, 130, 4, 19, 5, 1, 3),
        // Strides, dilation of rows, groups.
        shape(8, 20, 11, 13, 18, 3, 3, stride: (2, 2), pad: (1, 1, 1, 1)),
        shape(3, 40, 9, 9, 24, 5, 5, stride: (1, 2), groups: 4),
        shape(8, 33, 9, 10, 12, 3, 3, stride: (3, 1), pad: (2, 2, 0, 1), dilation: (2, 1)),
    ]

    @Test(arguments: sparseShapes) func sparseGradientsMatchTheDefinition(_ s: Shape) {
        let dy = Inputs<Float>(s, every: 8).dy
        #expect(SparseBackward<BaselineFloat>(s, whole: true).pays(dy), "the lists are not what is tested")
        #expect(SparseBackward<BaselineFloat>(s, whole: false).pays(dy), "the lists are not what is tested")
        for every in [8, 1_000_000] {
            check(s, every: every, floatTables, Float.self, tolerance: 2e-6)
            check(s, every: every, doubleTables, Double.self, tolerance: 1e-14)
        }
    }

    @Test(arguments: shapes) func matchesTheDefinition(_ shape: Shape) {
        check(shape, floatTables, Float.self, tolerance: 2e-6)
        check(shape, doubleTables, Double.self, tolerance: 1e-14)
    }

    @Test func anyNumberOfThreadsGivesTheSameBits() {
        let shapes = [
            Shape(
                batch: 50, inChannels: 1, height: 28, width: 28, outChannels: 16, kernelHeight: 5, kernelWidth: 5,
                padTop: 2, padBottom: 2, padLeft: 2, padRight: 2),
            Shape(
                batch: 18, inChannels: 16, height: 14, width: 14, outChannels: 32, kernelHeight: 3, kernelWidth: 3,
                strideHeight: 2, strideWidth: 2, padTop: 1, padBottom: 1, padLeft: 1, padRight: 1),
            Shape(
                batch: 3, inChannels: 130, height: 7, width: 7, outChannels: 128, kernelHeight: 3, kernelWidth: 3,
                padTop: 1, padBottom: 1, padLeft: 1, padRight: 1),
            Shape(batch: 2, inChannels: 70, height: 30, width: 30, outChannels: 64, kernelHeight: 1, kernelWidth: 1),
        ]
        let before = Parallel.threads
        defer { Parallel.threads = before }
        for (shape, every) in shapes.map({ ($0, 1) }) + Self.sparseShapes.map({ ($0, 8) }) {
            let inputs = Inputs<Float>(shape, every: every)
            for table in floatTables {
                Parallel.threads = 1
                let alone = compute(shape, inputs, table)
                for threads in [2, 4, 8] {
                    Parallel.threads = threads
                    #expect(compute(shape, inputs, table) == alone, "\(table.name), \(threads) threads, \(shape)")
                }
            }
        }
    }
}

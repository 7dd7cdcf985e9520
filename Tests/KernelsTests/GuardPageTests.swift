// Every entry of every kernel table, on memory between pages without access, with odd sizes.
import Kernels
import Testing

@Suite(.serialized) struct GuardPageTests {
    static let counts = [0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 129, 1003]
    static let extents = [
        (1, 1, 1), (3, 7, 1), (1, 17, 1), (2, 33, 5), (5, 3, 17), (1, 4097, 1), (2, 9, 1003), (0, 3, 2),
    ]

    /// Runs `body` with every table of both types and both sides of the guard, and looks at the bytes beside.
    func withGuards(
        _ body: (KernelTable, (Int) -> UnsafeMutableRawPointer, GuardedMemory) -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for side in GuardedMemory.Side.allCases {
            for table in floatTables {
                let memory = GuardedMemory(side)
                body(table, { memory.make($0, Float.self) }, memory)
                #expect(memory.isClean, "\(table.name), Float, \(side)", sourceLocation: sourceLocation)
            }
            for table in doubleTables {
                let memory = GuardedMemory(side)
                body(table, { memory.make($0, Double.self) }, memory)
                #expect(memory.isClean, "\(table.name), Double, \(side)", sourceLocation: sourceLocation)
            }
        }
    }

    @Test(arguments: counts) func elementwise(_ count: Int) {
        withGuards { table, make, memory in
            let (a, b, y) = (make(count), make(count), make(count))
            let (spreadA, spreadB) = (make(max(0, 2 * count - 1)), make(max(0, 3 * count - 2)))
            let (one, spreadY) = (make(1), make(max(0, 2 * count - 1)))
            let flags = memory.bytes(count).assumingMemoryBound(to: UInt8.self)
            for op in UnaryOp.allCases {
                table.unary(op, count, a, 1, y, 1)
                table.unary(op, count, spreadA, 2, spreadY, 2)
            }
            for op in BinaryOp.allCases {
                table.binary(op, count, a, 1, b, 1, y, 1)
                table.binary(op, count, one, 0, b, 1, y, 1)
                table.binary(op, count, a, 1, one, 0, y, 1)
                table.binary(op, count, spreadA, 2, spreadB, 3, spreadY, 2)
            }
            for op in [CompareOp.eq, .ne, .lt, .le, .gt, .ge] {
                table.compare(op, count, a, 1, b, 1, flags)
                table.compare(op, count, spreadA, 2, one, 0, flags)
            }
            table.select(count, flags, 1, a, 1, b, 1, y)
            table.select(count, flags, 1, one, 0, spreadB, 3, y)
            table.fill(count, 1.5, y)
        }
    }

    @Test(arguments: extents) func reductionsAndSoftmax(_ extents: (Int, Int, Int)) {
        let (outer, length, inner) = extents
        withGuards { table, make, memory in
            let (x, dy, y) = (make(outer * length * inner), make(outer * length * inner), make(outer * length * inner))
            let (result, dx) = (make(outer * inner), make(outer * length * inner))
            let places = memory.bytes(outer * inner * 8).assumingMemoryBound(to: Int64.self)
            for op in ReduceOp.allCases { table.reduce(op, outer, length, inner, x, result) }
            for flag in [false, true] {
                table.argReduce(flag, outer, length, inner, x, places)
                table.softmax(flag, outer, length, inner, x, y)
                table.softmaxBackward(flag, outer, length, inner, dy, y, dx)
            }
        }
    }

    @Test(arguments: [
        (1, 1, 1), (3, 5, 7), (1, 33, 65), (31, 1, 17), (17, 19, 3), (7, 129, 33), (65, 67, 69), (130, 35, 1),
        (19, 11, 2051),
    ])
    func products(_ sizes: (Int, Int, Int)) {
        let (m, n, k) = sizes
        withGuards { table, make, _ in
            for batch in [1, 3] {
                let (a, b, c, bias) = (make(batch * m * k), make(batch * k * n), make(batch * m * n), make(n))
                for (transposesA, transposesB) in [(false, false), (true, false), (false, true), (true, true)] {
                    for (accumulate, columnBias) in [(false, nil), (false, bias), (true, nil)] {
                        table.gemm(
                            GEMMArguments(
                                batch: batch, m: m, n: n, k: k, a: a, aRow: transposesA ? 1 : k,
                                aColumn: transposesA ? m : 1, aBatch: m * k, b: b, bRow: transposesB ? 1 : n,
                                bColumn: transposesB ? k : 1, bBatch: k * n, c: c, cRow: n, cBatch: m * n,
                                accumulate: accumulate, columnBias: columnBias.map { UnsafeRawPointer($0) }))
                    }
                }
            }
        }
    }

    static let convolutions: [ConvolutionShape] = [
        ConvolutionTests.shape(1, 1, 1, 1, 1, 1, 1),
        ConvolutionTests.shape(2, 1, 9, 11, 5, 5, 5, pad: (2, 2, 2, 2)),
        ConvolutionTests.shape(1, 3, 7, 13, 17, 3, 3, pad: (1, 1, 1, 1)),
        ConvolutionTests.shape(1, 3, 9, 31, 17, 3, 3, stride: (2, 2), pad: (1, 1, 1, 1)),
        ConvolutionTests.shape(1, 1, 5, 28, 19, 3, 3, pad: (1, 1, 1, 1)),
        ConvolutionTests.shape(1, 33, 5, 7, 35, 3, 3),
        ConvolutionTests.shape(1, 19, 13, 11, 67, 1, 1),
        ConvolutionTests.shape(2, 5, 11, 9, 7, 3, 2, stride: (2, 3), pad: (1, 0, 1, 0)),
        ConvolutionTests.shape(1, 6, 13, 13, 9, 3, 3, dilation: (2, 3), groups: 3),
        ConvolutionTests.shape(1, 9, 6, 17, 9, 3, 3, pad: (0, 0, 2, 0), groups: 9),
        // By Winograd's F(2×2, k×k).
        ConvolutionTests.shape(16, 33, 7, 7, 35, 3, 3, pad: (1, 1, 1, 1)),
        ConvolutionTests.shape(4, 32, 17, 17, 37, 3, 3, pad: (0, 0, 1, 0)),
        ConvolutionTests.shape(16, 32, 16, 16, 33, 3, 3, stride: (2, 2), pad: (1, 1, 1, 1)),
        ConvolutionTests.shape(24, 3, 11, 9, 17, 5, 5),
        ConvolutionTests.shape(5, 3, 19, 37, 16, 5, 5, pad: (0, 3, 3, 0)),
        ConvolutionTests.shape(3, 4, 30, 33, 17, 4, 4, pad: (1, 0, 1, 2)),
        ConvolutionTests.shape(6, 19, 15, 16, 17, 5, 5, pad: (2, 1, 0, 2)),
        ConvolutionTests.shape(1, 3, 61, 79, 19, 7, 7, stride: (2, 2), pad: (3, 3, 3, 3)),
    ]

    @Test(arguments: convolutions) func convolution(_ s: ConvolutionShape) {
        withGuards { table, make, _ in
            let (x, w, bias) = (
                make(s.batch * s.inChannels * s.height * s.width), make(s.outChannels * s.filterSize),
                make(s.outChannels)
            )
            let y = make(s.batch * s.outChannels * s.outHeight * s.outWidth)
            let (dx, dw, dbias) = (
                make(s.batch * s.inChannels * s.height * s.width), make(s.outChannels * s.filterSize),
                make(s.outChannels)
            )
            table.convolutionForward(s, x, w, bias, true, y)
            table.convolutionForward(s, x, w, nil, false, y)
            table.convolutionBackwardData(s, y, w, dx)
            table.convolutionBackwardWeights(s, x, y, dw, dbias)
            table.convolutionBackwardWeights(s, x, y, dw, nil)
        }
    }

    @Test(arguments: ConvolutionTests.sparseShapes) func sparseGradients(_ s: ConvolutionShape) {
        withGuards { table, make, _ in
            let (x, w) = (make(s.batch * s.inChannels * s.height * s.width), make(s.outChannels * s.filterSize))
            let dy = make(s.batch * s.outChannels * s.outHeight * s.outWidth)
            let (dx, dw, dbias) = (
                make(s.batch * s.inChannels * s.height * s.width), make(s.outChannels * s.filterSize),
                make(s.outChannels)
            )
            table.fill(s.batch * s.outChannels * s.outHeight * s.outWidth, 0, dy)
            table.fill(s.batch * s.outChannels * s.outHeight * s.outWidth / 9, 1, dy)
            table.convolutionBackwardData(s, dy, w, dx)
            table.convolutionBackwardWeights(s, x, dy, dw, dbias)
        }
    }

    @Test(arguments: PoolingTests.shapes) func pooling(_ s: PoolingShape) {
        withGuards { table, make, memory in
            let (x, y) = (make(s.planes * s.height * s.width), make(s.planes * s.outHeight * s.outWidth))
            let (winners, dx) = (memory.bytes(s.winnerBytes), make(s.planes * s.height * s.width))
            table.maxPoolForward(s, x, y, nil)
            table.maxPoolForward(s, x, y, winners)
            table.maxPoolBackward(s, y, winners, dx)
            for countIncludePad in [false, true] {
                table.avgPoolForward(s, x, y, countIncludePad, nil)
                table.avgPoolBackward(s, y, dx, countIncludePad, 3)
            }
        }
    }

    @Test(arguments: [(1, 1, 1), (3, 5, 7), (2, 3, 33), (1, 17, 65), (4, 2, 129)])
    func batchNorm(_ sizes: (Int, Int, Int)) {
        let s = BatchNormShape(batch: sizes.0, channels: sizes.1, area: sizes.2)
        withGuards { table, make, _ in
            let count = s.batch * s.channels * s.area
            let (x, dy, y, dx) = (make(count), make(count), make(count), make(count))
            let (weight, bias, mean, variance) = (
                make(s.channels), make(s.channels), make(s.channels), make(s.channels)
            )
            let (dweight, dbias) = (make(s.channels), make(s.channels))
            table.batchNormForward(s, 1e-5, x, weight, bias, mean, variance, y)
            table.batchNormForward(s, 1e-5, x, nil, nil, mean, variance, y)
            table.batchNormBackward(s, 1e-5, dy, x, weight, mean, variance, dx, dweight, dbias)
            table.batchNormBackward(s, 1e-5, dy, x, nil, mean, variance, nil, dweight, dbias)
            table.channelAffine(s, x, weight, bias, y)
        }
    }

    @Test(arguments: counts) func optimizerSteps(_ count: Int) {
        withGuards { table, make, _ in
            let (p, g, m, v, vMax) = (make(count), make(count), make(count), make(count), make(count))
            let sgd = SGDSettings(
                lr: 0.1, momentum: 0.9, dampening: 0, weightDecay: 0.01, nesterov: true, maximize: false,
                isFirstStep: false)
            table.sgdStep(sgd, count, p, g, m)
            table.sgdStep(sgd, count, p, g, nil)
            let adam = AdamSettings(
                lr: 0.1, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, correction1: 0.1, correction2: 0.03,
                decoupled: true, maximize: false)
            table.adamStep(adam, count, p, g, m, v, vMax)
            table.adamStep(adam, count, p, g, m, v, nil)
            let nadam = NAdamSettings(
                lr: 0.1, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01, correction2: 0.03, gradientScale: 0.1,
                momentumScale: 0.2, decoupled: false, maximize: false)
            table.nadamStep(nadam, count, p, g, m, v)
        }
    }
}

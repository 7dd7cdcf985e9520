// Pooling of every instruction set against the definition.
import Kernels
import Testing

@Suite(.serialized) struct PoolingTests {
    /// Shapes: tiling windows, odd sizes, narrow planes, overlaps, padding, dilation, windows over the edge, whole
    /// planes, windows of more than 256 taps.
    static let shapes: [PoolingShape] = {
        var shapes: [PoolingShape] = []
        func add(
            _ planes: Int, _ size: (Int, Int), _ kernel: (Int, Int), _ stride: (Int, Int), pad: (Int, Int) = (0, 0),
            dilation: (Int, Int) = (1, 1), over: (Int, Int) = (0, 0)
        ) {
            shapes.append(
                PoolingShape(
                    planes: planes, height: size.0, width: size.1, kernelHeight: kernel.0, kernelWidth: kernel.1,
                    strideHeight: stride.0, strideWidth: stride.1, padTop: pad.0, padLeft: pad.1,
                    dilationHeight: dilation.0, dilationWidth: dilation.1,
                    outHeight: (size.0 + 2 * pad.0 - dilation.0 * (kernel.0 - 1) - 1) / stride.0 + 1 + over.0,
                    outWidth: (size.1 + 2 * pad.1 - dilation.1 * (kernel.1 - 1) - 1) / stride.1 + 1 + over.1))
        }
        for width in [2, 3, 7, 14, 16, 28, 31, 33, 41, 67] { add(3, (width, width), (2, 2), (2, 2)) }
        add(2, (28, 29), (2, 2), (2, 2), over: (0, 1))
        add(2, (9, 40), (3, 2), (3, 2))
        add(2, (27, 40), (3, 3), (3, 3))
        add(2, (17, 37), (3, 3), (2, 2), pad: (1, 1))
        add(2, (16, 36), (3, 3), (2, 2), pad: (1, 1), over: (1, 1))
        add(3, (13, 23), (3, 3), (1, 1), pad: (1, 1))
        add(3, (20, 50), (3, 5), (1, 2))
        add(1, (12, 19), (2, 3), (1, 1), pad: (1, 1), dilation: (2, 3))
        add(2, (19, 45), (3, 3), (2, 2), pad: (0, 1), dilation: (3, 2))
        add(5, (7, 7), (7, 7), (7, 7))
        add(5, (4, 33), (4, 33), (1, 1))
        add(2, (9, 21), (3, 21), (2, 1))
        add(2, (20, 21), (17, 18), (1, 1), pad: (3, 2))
        add(1, (1, 1), (1, 1), (1, 1))
        add(2, (5, 30), (1, 1), (2, 2))
        add(2, (1, 1), (2, 2), (1, 1), pad: (1, 1), dilation: (2, 2))
        add(70, (30, 30), (3, 3), (2, 2), pad: (1, 1))
        add(0, (4, 4), (2, 2), (2, 2))
        return shapes
    }()

    /// Each output of `s` with the inputs of its window: (output, [(tap, input)]), plane by plane.
    static func windows(_ s: PoolingShape, _ body: (Int, Int, Int, [(tap: Int, input: Int)]) -> Void) {
        for plane in 0..<s.planes {
            for row in 0..<s.outHeight {
                for column in 0..<s.outWidth {
                    var window: [(tap: Int, input: Int)] = []
                    for tap in 0..<s.kernelHeight * s.kernelWidth {
                        let i = row * s.strideHeight - s.padTop + tap / s.kernelWidth * s.dilationHeight
                        let j = column * s.strideWidth - s.padLeft + tap % s.kernelWidth * s.dilationWidth
                        if i >= 0, i < s.height, j >= 0, j < s.width {
                            window.append((tap, (plane * s.height + i) * s.width + j))
                        }
                    }
                    body((plane * s.outHeight + row) * s.outWidth + column, row, column, window)
                }
            }
        }
    }

    func integers<Scalar: BinaryFloatingPoint & BitwiseCopyable>(_ count: Int, _: Scalar.Type) -> [Scalar] {
        var generator = SeededGenerator(UInt64(count))
        return (0..<count).map { _ in Scalar(Int.random(in: -9...9, using: &generator)) }
    }

    func winners(_ s: PoolingShape, _ bytes: [UInt8]) -> [Int] {
        if s.hasByteWinners { return bytes.map(Int.init) }
        return bytes.withUnsafeBytes { raw in
            (0..<bytes.count / 4).map { Int(raw.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self)) }
        }
    }

    func checkMaximum<Scalar: BinaryFloatingPoint & BitwiseCopyable>(
        _ s: PoolingShape, _ table: KernelTable, _ x: [Scalar]
    ) {
        let count = s.planes * s.outHeight * s.outWidth
        var y = [Scalar](repeating: 77, count: count)
        var inference = y
        var bytes = [UInt8](repeating: 255, count: s.winnerBytes)
        table.maxPoolForward(s, x, &y, &bytes)
        table.maxPoolForward(s, x, &inference, nil)
        let taps = winners(s, bytes)
        let dy = integers(count, Scalar.self)
        var dx = [Scalar](repeating: 77, count: x.count)
        table.maxPoolBackward(s, dy, bytes, &dx)
        var expectedGradient = [Scalar](repeating: 0, count: x.count)
        var mistakes = 0
        Self.windows(s) { output, _, _, window in
            var best = -Scalar.infinity
            var winner = window.first
            for one in window where x[one.input] > best || x[one.input].isNaN {
                best = x[one.input]
                winner = one
            }
            if !(y[output] == best || y[output].isNaN && best.isNaN) { mistakes += 1 }
            if !(inference[output] == best || inference[output].isNaN && best.isNaN) { mistakes += 1 }
            if let winner {
                if taps[output] != winner.tap { mistakes += 1 }
                expectedGradient[winner.input] += dy[output]
            }
        }
        #expect(mistakes == 0, "\(s), \(table.name)")
        #expect(dx == expectedGradient, "\(s), \(table.name)")
    }

    @Test(arguments: shapes) func maximumTakesTheFirstOfEqualValues(_ s: PoolingShape) {
        for table in floatTables { checkMaximum(s, table, integers(s.planes * s.height * s.width, Float.self)) }
        for table in doubleTables { checkMaximum(s, table, integers(s.planes * s.height * s.width, Double.self)) }
    }

    @Test(arguments: shapes) func maximumOfNaNAndInfinity(_ s: PoolingShape) {
        var x = integers(s.planes * s.height * s.width, Float.self)
        for i in x.indices {
            if x[i] > 6 { x[i] = .nan } else if x[i] < 4 { x[i] = -.infinity } else if x[i] == 4 { x[i] = .infinity }
        }
        for table in floatTables {
            checkMaximum(s, table, x)
            checkMaximum(s, table, [Float](repeating: -.infinity, count: x.count))
        }
    }

    func checkAverage<Scalar: BinaryFloatingPoint & BitwiseCopyable>(
        _ s: PoolingShape, _ table: KernelTable, _: Scalar.Type
    ) {
        let x = integers(s.planes * s.height * s.width, Scalar.self)
        let count = s.planes * s.outHeight * s.outWidth
        let dy = integers(count, Scalar.self)
        for (countIncludePad, divisorOverride) in [(true, nil), (false, nil), (true, 7), (false, 3)] {
            var y = [Scalar](repeating: 77, count: count)
            var dx = [Scalar](repeating: 77, count: x.count)
            table.avgPoolForward(s, x, &y, countIncludePad, divisorOverride)
            table.avgPoolBackward(s, dy, &dx, countIncludePad, divisorOverride)
            var expectedGradient = [Double](repeating: 0, count: x.count)
            var error = 0.0
            Self.windows(s) { output, row, column, window in
                // As in ATen's avg_pool2d.
                let (top, left) = (row * s.strideHeight - s.padTop, column * s.strideWidth - s.padLeft)
                let bottom = min(top + s.kernelHeight, s.height + s.padTop)
                let right = min(left + s.kernelWidth, s.width + s.padLeft)
                let divisor = Double(
                    divisorOverride ?? (countIncludePad ? (bottom - top) * (right - left) : window.count))
                let expected = window.isEmpty ? 0 : window.reduce(0) { $0 + Double(x[$1.input]) } / divisor
                error = max(error, abs(Double(y[output]) - expected))
                for one in window { expectedGradient[one.input] += Double(dy[output]) / divisor }
            }
            let tolerance = 100 * Double(Scalar.ulpOfOne)
            #expect(error <= tolerance, "\(s), \(table.name)")
            let difference = zip(dx, expectedGradient).map { abs(Double($0) - $1) }.max() ?? 0
            #expect(difference <= tolerance, "\(s), \(table.name)")
        }
    }

    @Test(arguments: shapes.filter { $0.dilationHeight == 1 }) func averageDividesAsTorchDoes(_ s: PoolingShape) {
        for table in floatTables { checkAverage(s, table, Float.self) }
        for table in doubleTables { checkAverage(s, table, Double.self) }
    }

    @Test func anyNumberOfThreadsGivesTheSameBits() {
        let threads = Parallel.threads
        defer { Parallel.threads = threads }
        for count in [1, 2, 4, 8] {
            Parallel.threads = count
            for s in Self.shapes where s.planes >= 70 {
                for table in floatTables {
                    checkMaximum(s, table, integers(s.planes * s.height * s.width, Float.self))
                    checkAverage(s, table, Float.self)
                }
            }
        }
    }
}

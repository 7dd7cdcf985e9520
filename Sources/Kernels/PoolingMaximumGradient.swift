// The gradient of maximum pooling: each dy goes to the input that won. Windows 2 wide that lie side by side are
// written in pairs, winners and zeros alike, so nothing is cleared before; all others are scattered into zeros, the
// place of a tap looked up in a table.

extension Pooling {
    /// dx = the gradient of `maxForward`, overwritten; where windows overlap, their shares add up.
    @inlinable
    public static func maxBackward(
        _ s: PoolingShape, _ dy: UnsafeRawPointer, _ winners: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer
    ) {
        let s = s.flattened
        if s.hasByteWinners {
            distribute(s, dy, winners.assumingMemoryBound(to: UInt8.self), dx)
        } else {
            distribute(s, dy, winners.assumingMemoryBound(to: Int32.self), dx)
        }
    }

    @inlinable
    static func distribute<W: FixedWidthInteger>(
        _ s: PoolingShape, _ dy: UnsafeRawPointer, _ winners: UnsafePointer<W>, _ dx: UnsafeMutableRawPointer
    ) {
        let work = s.planes &* (s.outputSize &* 2 &+ s.inputSize / 4)
        let taps = s.kernelHeight &* s.kernelWidth
        BufferPool.withScratch(taps &* MemoryLayout<Int>.size) { scratch in
            let places = scratch.bindMemory(to: Int.self, capacity: taps)
            for tap in 0..<taps {
                places[tap] =
                    tap / s.kernelWidth &* s.dilationHeight &* s.width &+ tap % s.kernelWidth &* s.dilationWidth
            }
            Parallel.forRanges(of: s.planes, size: s.planesPerChunk, work: work) { _, planes in
                let dx = dx + planes.lowerBound &* s.inputSize &* I.scalarSize
                let dy = dy + planes.lowerBound &* s.outputSize &* I.scalarSize
                let winners = winners + planes.lowerBound &* s.outputSize
                if s.tiles, s.kernelWidth == 2 {
                    placePairs(s, planes.count, dy, winners, dx)
                } else {
                    scatter(s, planes.count, dy, winners, dx, places)
                }
            }
        }
    }

    /// The gradient of planes whose windows are 2 wide, side by side.
    ///
    /// A row's last vector runs over into the rows after it, which are written later. Only where they end is
    /// there a scalar remainder.
    @inlinable @inline(never)
    static func placePairs<W: FixedWidthInteger>(
        _ s: PoolingShape, _ planes: Int, _ dy: UnsafeRawPointer, _ winners: UnsafePointer<W>,
        _ dx: UnsafeMutableRawPointer
    ) {
        let width = s.outWidth
        let (outputs, inputs) = (planes &* s.outputSize, planes &* s.inputSize)
        let rounded = (width &+ I.width &- 1) / I.width &* I.width
        let whole = width / I.width &* I.width
        for plane in 0..<planes {
            for row in 0..<s.height {
                let input = (plane &* s.height &+ row) &* s.width
                let (outRow, kh) = row.quotientAndRemainder(dividingBy: s.kernelHeight)
                if outRow >= s.outHeight {
                    clear(dx + input &* I.scalarSize, s.width)
                    continue
                }
                let output = (plane &* s.outHeight &+ outRow) &* width
                let runsOver = output &+ rounded <= outputs && input &+ 2 &* rounded <= inputs
                placePairs(
                    dy + output &* I.scalarSize, winners + output, dx + input &* I.scalarSize, tap: 2 &* kh,
                    vectors: runsOver ? rounded : whole, count: width)
                for column in 2 &* width..<s.width { put(0, dx, input &+ column) }
            }
        }
    }

    /// One row of pairs: `vectors` outputs by vectors, the rest of `count` one after the other.
    @inlinable @inline(never)
    static func placePairs<W: FixedWidthInteger>(
        _ dy: UnsafeRawPointer, _ winners: UnsafePointer<W>, _ dx: UnsafeMutableRawPointer, tap: Int, vectors: Int,
        count: Int
    ) {
        let number = I.Scalar(tap)
        let (left, between) = (I.V(repeating: number), I.V(repeating: number + 0.5))
        let (right, beyond) = (I.V(repeating: number + 1), I.V(repeating: number + 1.5))
        let half = I.width / 2
        var j = 0
        while j < vectors {
            let share = I.load(dy, j)
            var winner = I.V.zero
            for i in 0..<I.width { winner[i] = I.Scalar(winners[j &+ i]) }
            let ifLeft = I.select(
                winner, lessThan: left, .zero, I.select(winner, lessThan: between, share, .zero))
            let ifRight = I.select(
                winner, lessThan: right, .zero, I.select(winner, lessThan: beyond, share, .zero))
            var (low, high) = (I.V.zero, I.V.zero)
            for i in 0..<half {
                (low[2 &* i], low[2 &* i &+ 1]) = (ifLeft[i], ifRight[i])
                (high[2 &* i], high[2 &* i &+ 1]) = (ifLeft[i &+ half], ifRight[i &+ half])
            }
            I.store(low, dx, 2 &* j)
            I.store(high, dx, 2 &* j &+ I.width)
            j &+= I.width
        }
        while j < count {
            let share = value(dy, j)
            put(Int(winners[j]) == tap ? share : 0, dx, 2 &* j)
            put(Int(winners[j]) == tap &+ 1 ? share : 0, dx, 2 &* j &+ 1)
            j &+= 1
        }
    }

    /// The gradient of planes, into zeros.
    @inlinable @inline(never)
    static func scatter<W: FixedWidthInteger>(
        _ s: PoolingShape, _ planes: Int, _ dy: UnsafeRawPointer, _ winners: UnsafePointer<W>,
        _ dx: UnsafeMutableRawPointer, _ places: UnsafePointer<Int>
    ) {
        clear(dx, planes &* s.inputSize)
        let (width, step) = (s.outWidth, s.strideWidth)
        let mayMiss = s.mayMissColumns
        for plane in 0..<planes {
            for row in 0..<s.outHeight where !s.kernelRows(row).isEmpty {
                let output = (plane &* s.outHeight &+ row) &* width
                var input =
                    plane &* s.inputSize &+ (row &* s.strideHeight &- s.padTop) &* s.width &- s.padLeft
                for column in 0..<width {
                    if !mayMiss || !s.kernelColumns(column).isEmpty {
                        let index = input &+ places[Int(truncatingIfNeeded: winners[output &+ column])]
                        put(value(dx, index) + value(dy, output &+ column), dx, index)
                    }
                    input &+= step
                }
            }
        }
    }
}

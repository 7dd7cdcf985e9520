// Maximum pooling. The winner of each window is kept as the number of its tap, in one byte where windows have at
// most 256 taps: an eighth of the memory traffic of a 64-bit index, and the gradient needs nothing else.
//
// While they compete, taps are numbered in floating point, so that the comparison that selects the value selects
// the number too. They are counted from 2^23 (Double: 2^52) on: there the low bits of a number's representation
// are the integer itself, and turning a row of them into bytes is a truncation.

extension Pooling {
    /// y = the maximum of each window of x; padding is -∞.
    ///
    /// `winners`, if wanted, receives the tap (kernel row × kernel width + kernel column) of each maximum, as
    /// `UInt8` or `Int32` (`PoolingShape.hasByteWinners`): the first of equal maxima; a NaN beats all, the last
    /// one stays (mirrors `torch.nn.functional.max_pool2d`).
    @inlinable
    public static func maxForward(
        _ s: PoolingShape, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer, _ winners: UnsafeMutableRawPointer?
    ) {
        guard s.planes > 0, s.outputSize > 0 else { return }
        if winners == nil {
            maxForward(InlineArray<0, Void>.self, s.flattened, x, y, winners)
        } else {
            maxForward(InlineArray<1, Void>.self, s.flattened, x, y, winners)
        }
    }

    /// `N`: 1 if winners are wanted, else 0.
    @inlinable
    static func maxForward<let N: Int>(
        _ numbers: InlineArray<N, Void>.Type, _ s: PoolingShape, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer,
        _ winners: UnsafeMutableRawPointer?
    ) {
        let anyWidth = InlineArray<0, Void>.self
        if s.strideWidth == 1 {
            maxForward(numbers, InlineArray<1, Void>.self, anyWidth, s, x, y, winners)
        } else if s.strideWidth == 2, s.kernelWidth == 2, s.dilationWidth == 1 {
            maxForward(numbers, InlineArray<2, Void>.self, InlineArray<2, Void>.self, s, x, y, winners)
        } else if s.strideWidth == 2, s.kernelWidth > 1 {
            maxForward(numbers, InlineArray<2, Void>.self, anyWidth, s, x, y, winners)
        } else {
            maxForward(numbers, InlineArray<0, Void>.self, anyWidth, s, x, y, winners)
        }
    }

    /// The number that stands for tap 0.
    @inlinable @inline(__always)
    static var tapZero: I.Scalar { I.scalarSize == 4 ? 8_388_608 : 4_503_599_627_370_496 }

    /// `S`, `K`: stride and kernel width, or 0 for any. With `K`, the taps of a kernel row share their loads.
    @inlinable
    static func maxForward<let N: Int, let S: Int, let K: Int>(
        _ numbers: InlineArray<N, Void>.Type, _ stride: InlineArray<S, Void>.Type,
        _ kernelWidth: InlineArray<K, Void>.Type, _ s: PoolingShape, _ x: UnsafeRawPointer,
        _ y: UnsafeMutableRawPointer, _ winners: UnsafeMutableRawPointer?
    ) {
        let rows = Rows(s)
        let bytesPlane = rows.bytes(s)
        let bytesRow = rows.outputs &* I.scalarSize
        let bytesTaps = (s.outputSize &+ I.width) &* I.scalarSize
        let bytesWorker = (bytesPlane &+ bytesRow &+ bytesTaps &+ 63) & ~63
        let winnerSize = s.hasByteWinners ? 1 : MemoryLayout<Int32>.size
        let chunks = (s.planes &+ s.planesPerChunk &- 1) / s.planesPerChunk
        let workers = Swift.min(Parallel.threads, chunks)
        let work = s.planes &* s.outputSize &* s.kernelHeight &* s.kernelWidth / 2
        BufferPool.withScratch(bytesRow &+ workers &* bytesWorker) { scratch in
            // The first tap of a window that exists wins if no value is above -∞.
            for j in 0..<rows.outputs {
                let columns = s.kernelColumns(j)
                put(tapZero + I.Scalar(columns.isEmpty ? 0 : columns.lowerBound), scratch, j)
            }
            let firstTaps = UnsafeRawPointer(scratch)
            Parallel.forRanges(of: s.planes, size: s.planesPerChunk, work: work, workers: workers) { worker, planes in
                let padded = scratch + bytesRow + worker &* bytesWorker
                let outRow = padded + bytesPlane
                let winnerTaps = outRow + bytesRow
                if rows.copies { for i in 0..<s.height &* rows.stride { put(-.infinity, padded, i) } }
                for plane in planes {
                    var from = x + plane &* s.inputSize &* I.scalarSize
                    if rows.copies {
                        copy(from, s, rows, padded)
                        from = UnsafeRawPointer(padded)
                    }
                    for row in 0..<s.outHeight {
                        let taps = s.kernelRows(row)
                        let first = row &* s.strideHeight &- s.padTop &+ taps.lowerBound &* s.dilationHeight
                        let to = y + (plane &* s.outputSize &+ row &* s.outWidth) &* I.scalarSize
                        let isNarrow = s.outWidth < I.width
                        maxRow(
                            numbers, stride, kernelWidth, s,
                            from + (taps.isEmpty ? 0 : first &* rows.stride) &* I.scalarSize,
                            rowStep: s.dilationHeight &* rows.stride, kernelRows: taps, firstTaps,
                            isNarrow ? outRow : to, winnerTaps + row &* s.outWidth &* I.scalarSize)
                        if isNarrow { to.copyMemory(from: outRow, byteCount: s.outWidth &* I.scalarSize) }
                    }
                    if let winners {
                        narrow(s, winnerTaps, winners + plane &* s.outputSize &* winnerSize)
                    }
                }
            }
        }
    }

    /// One row of outputs, a vector of them at least, and the numbers of their taps. The vector of a narrower row
    /// runs over into the next.
    @inlinable @inline(never)
    static func maxRow<let N: Int, let S: Int, let K: Int>(
        _: InlineArray<N, Void>.Type, _ stride: InlineArray<S, Void>.Type, _: InlineArray<K, Void>.Type,
        _ s: PoolingShape, _ x: UnsafeRawPointer,
        rowStep: Int, kernelRows: Range<Int>, _ firstTaps: UnsafeRawPointer, _ y: UnsafeMutableRawPointer,
        _ winnerTaps: UnsafeMutableRawPointer
    ) {
        let last = Swift.max(0, s.outWidth &- I.width)
        let kernelWidth = K == 0 ? s.kernelWidth : K
        let dilation = K == 0 ? s.dilationWidth : 1
        let skipped = I.Scalar(kernelRows.lowerBound &* s.kernelWidth)
        var j = 0
        while true {
            var best = I.V(repeating: -.infinity)
            var winner = N == 0 ? I.V.zero : I.load(firstTaps, j) + skipped
            var number = tapZero + skipped
            var row = x
            for _ in kernelRows {
                for kw in 0..<kernelWidth {
                    let new = taps(stride, row, j, tap: kw &* dilation, step: s.strideWidth)
                    let above = I.select(best, lessThan: new, new, best)
                    // A square is above -1, unless it is NaN.
                    let square = new * new
                    let floor = I.V(repeating: -1)
                    if N > 0 {
                        let tap = I.V(repeating: number)
                        let aboveTap = I.select(best, lessThan: new, tap, winner)
                        winner = I.select(floor, lessThan: square, aboveTap, tap)
                        number += 1
                    }
                    best = I.select(floor, lessThan: square, above, new)
                }
                row += rowStep &* I.scalarSize
            }
            I.store(best, y, j)
            if N > 0 { I.store(winner, winnerTaps, j) }
            if j >= last { break }
            j = Swift.min(j &+ I.width, last)
        }
    }

    /// Turns a plane of tap numbers into winners.
    @inlinable
    static func narrow(_ s: PoolingShape, _ taps: UnsafeRawPointer, _ winners: UnsafeMutableRawPointer) {
        if I.scalarSize == 4 {
            narrowBits(s, taps.assumingMemoryBound(to: UInt32.self), winners)
        } else {
            narrowBits(s, taps.assumingMemoryBound(to: UInt64.self), winners)
        }
    }

    @inlinable
    static func narrowBits<Bits: FixedWidthInteger>(
        _ s: PoolingShape, _ bits: UnsafePointer<Bits>, _ winners: UnsafeMutableRawPointer
    ) {
        if s.hasByteWinners {
            let winners = winners.assumingMemoryBound(to: UInt8.self)
            for j in 0..<s.outputSize { winners[j] = UInt8(truncatingIfNeeded: bits[j]) }
        } else {
            let winners = winners.assumingMemoryBound(to: Int32.self)
            for j in 0..<s.outputSize { winners[j] = Int32(truncatingIfNeeded: bits[j] & 0x7F_FFFF) }
        }
    }
}

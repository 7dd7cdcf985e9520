// Maximum pooling. The winner of each window is kept as the number of its tap, in one byte where windows have at
// most 256 taps: an eighth of the memory traffic of a 64-bit index, and the gradient needs nothing else.

extension Pooling {
    /// y = the maximum of each window of x; padding is -∞.
    ///
    /// `winners`, if wanted, receives the tap (kernel row × kernel width + kernel column) of each maximum, as `UInt8`
    /// or `Int32` (`PoolingShape.hasByteWinners`): the first of equal maxima; a NaN beats all, the last one stays
    /// (mirrors `torch.nn.functional.max_pool2d`).
    @inlinable
    public static func maxForward(
        _ s: PoolingShape, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer, _ winners: UnsafeMutableRawPointer?
    ) {
        let work = s.planes &* s.outputSize &* s.kernelHeight &* s.kernelWidth / 2
        Parallel.forRanges(of: s.planes, size: s.planesPerChunk, work: work) { _, planes in
            for plane in planes {
                let x = x + plane &* s.inputSize &* I.scalarSize
                let y = y + plane &* s.outputSize &* I.scalarSize
                if let winners {
                    if s.hasByteWinners {
                        maxPlane(s, x, y, winners + plane &* s.outputSize, UInt8.self)
                    } else {
                        maxPlane(s, x, y, winners + plane &* s.outputSize &* 4, Int32.self)
                    }
                } else {
                    maxPlane(s, x, y)
                }
            }
        }
    }

    /// One plane, with winners.
    @inlinable
    static func maxPlane<W: FixedWidthInteger>(
        _ s: PoolingShape, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer, _ winners: UnsafeMutableRawPointer,
        _: W.Type
    ) {
        for row in 0..<s.outHeight {
            let y = y + row &* s.outWidth &* I.scalarSize
            let winners = (winners + row &* s.outWidth &* MemoryLayout<W>.size)
                .assumingMemoryBound(to: W.self)
            for j in 0..<s.outWidth {
                put(-.infinity, y, j)
                winners[j] = 0
            }
            var isFirstRow = true
            for kh in 0..<s.kernelHeight {
                guard let inputRow = s.inputRow(row, tap: kh) else { continue }
                for kw in 0..<s.kernelWidth {
                    let x = x + (inputRow &* s.width &+ s.firstColumn(tap: kw)) &* I.scalarSize
                    let tap = W(truncatingIfNeeded: kh &* s.kernelWidth &+ kw)
                    let outputs = s.outputs(tap: kw)
                    if isFirstRow {
                        // The first tap of a window that exists wins against the -∞ that no value has beaten.
                        let known = kw == 0 ? 0..<0 : s.outputs(tap: kw &- 1)
                        for j in outputs where !known.contains(j) && value(y, j) == -.infinity { winners[j] = tap }
                    }
                    for j in outputs {
                        let new = value(x, j &* s.strideWidth)
                        let old = value(y, j)
                        let wins = new > old || new != new
                        put(wins ? new : old, y, j)
                        winners[j] = wins ? tap : winners[j]
                    }
                }
                isFirstRow = false
            }
        }
    }

    /// One plane, without winners.
    @inlinable
    static func maxPlane(_ s: PoolingShape, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer) {
        for row in 0..<s.outHeight {
            let y = y + row &* s.outWidth &* I.scalarSize
            for j in 0..<s.outWidth { put(-.infinity, y, j) }
            for kh in 0..<s.kernelHeight {
                guard let inputRow = s.inputRow(row, tap: kh) else { continue }
                for kw in 0..<s.kernelWidth {
                    let x = x + (inputRow &* s.width &+ s.firstColumn(tap: kw)) &* I.scalarSize
                    for j in s.outputs(tap: kw) {
                        let new = value(x, j &* s.strideWidth)
                        let old = value(y, j)
                        put(new > old || new != new ? new : old, y, j)
                    }
                }
            }
        }
    }

    /// dx = the gradient of `maxForward`: each dy goes to its window's winner; overlapping windows add up.
    @inlinable
    public static func maxBackward(
        _ s: PoolingShape, _ dy: UnsafeRawPointer, _ winners: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer
    ) {
        let work = s.planes &* (s.outputSize &* 2 &+ s.inputSize / 4)
        Parallel.forRanges(of: s.planes, size: s.planesPerChunk, work: work) { _, planes in
            for plane in planes {
                let dx = dx + plane &* s.inputSize &* I.scalarSize
                let dy = dy + plane &* s.outputSize &* I.scalarSize
                if s.hasByteWinners {
                    scatterPlane(s, dy, winners + plane &* s.outputSize, UInt8.self, dx)
                } else {
                    scatterPlane(s, dy, winners + plane &* s.outputSize &* 4, Int32.self, dx)
                }
            }
        }
    }

    /// The gradient of one plane.
    @inlinable
    static func scatterPlane<W: FixedWidthInteger>(
        _ s: PoolingShape, _ dy: UnsafeRawPointer, _ winners: UnsafeRawPointer, _: W.Type,
        _ dx: UnsafeMutableRawPointer
    ) {
        clear(dx, s.inputSize)
        let winners = winners.assumingMemoryBound(to: W.self)
        for row in 0..<s.outHeight {
            for column in 0..<s.outWidth {
                let tap = Int(winners[row &* s.outWidth &+ column])
                let (kh, kw) = tap.quotientAndRemainder(dividingBy: s.kernelWidth)
                let i = row &* s.strideHeight &- s.padTop &+ kh &* s.dilationHeight
                let j = column &* s.strideWidth &- s.padLeft &+ kw &* s.dilationWidth
                // A window that meets nothing but padding has no winner.
                guard i >= 0, i < s.height, j >= 0, j < s.width else { continue }
                let index = i &* s.width &+ j
                put(value(dx, index) + value(dy, row &* s.outWidth &+ column), dx, index)
            }
        }
    }
}

// Average pooling. The divisor of a window is torch's: the part of the window inside the plane and, if padding
// counts, inside the padding (the same on both sides); a window that a ceiling mode lets hang over the padding
// is clipped there. A fixed divisor may override it. Dilation is 1.

extension Pooling {
    /// y = the sum of each window of x over its divisor (mirrors `torch.nn.functional.avg_pool2d`).
    @inlinable
    public static func averageForward(
        _ s: PoolingShape, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer, countIncludePad: Bool,
        divisorOverride: Int?
    ) {
        guard s.planes > 0, s.outputSize > 0 else { return }
        let s = s.flattened
        if s.kernelWidth > 2 &* I.width, s.outWidth < I.width {
            averageWide(s, x, y, countIncludePad, divisorOverride)
        } else if s.strideWidth == 1 {
            averageForward(InlineArray<1, Void>.self, s, x, y, countIncludePad, divisorOverride)
        } else if s.strideWidth == 2, s.kernelWidth > 1 {
            averageForward(InlineArray<2, Void>.self, s, x, y, countIncludePad, divisorOverride)
        } else {
            averageForward(InlineArray<0, Void>.self, s, x, y, countIncludePad, divisorOverride)
        }
    }

    @inlinable
    static func averageForward<let S: Int>(
        _ stride: InlineArray<S, Void>.Type, _ s: PoolingShape, _ x: UnsafeRawPointer,
        _ y: UnsafeMutableRawPointer, _ countIncludePad: Bool, _ divisorOverride: Int?
    ) {
        let rows = Rows(s)
        let bytesPlane = rows.bytes(s)
        let bytesRow = rows.outputs &* I.scalarSize
        let bytesWorker = (bytesPlane &+ bytesRow &+ 63) & ~63
        let chunks = (s.planes &+ s.planesPerChunk &- 1) / s.planesPerChunk
        let workers = Swift.min(Parallel.threads, chunks)
        let work = s.planes &* s.outputSize &* s.kernelHeight &* s.kernelWidth / 4
        BufferPool.withScratch(bytesRow &+ workers &* bytesWorker) { scratch in
            for j in 0..<rows.outputs { put(widthDivisor(s, j, countIncludePad, divisorOverride), scratch, j) }
            let divisors = UnsafeRawPointer(scratch)
            Parallel.forRanges(of: s.planes, size: s.planesPerChunk, work: work, workers: workers) { worker, planes in
                let padded = scratch + bytesRow + worker &* bytesWorker
                let outRow = padded + bytesPlane
                if rows.copies { clear(padded, s.height &* rows.stride) }
                for plane in planes {
                    var from = x + plane &* s.inputSize &* I.scalarSize
                    if rows.copies {
                        copy(from, s, rows, padded)
                        from = UnsafeRawPointer(padded)
                    }
                    for row in 0..<s.outHeight {
                        let taps = s.kernelRows(row)
                        let first = row &* s.strideHeight &- s.padTop &+ taps.lowerBound
                        let to = y + (plane &* s.outputSize &+ row &* s.outWidth) &* I.scalarSize
                        let isNarrow = s.outWidth < I.width
                        averageRow(
                            stride, s, from + (taps.isEmpty ? 0 : first &* rows.stride) &* I.scalarSize,
                            rowStep: rows.stride, kernelRows: taps.count, divisors,
                            heightDivisor(s, row, countIncludePad, divisorOverride), isNarrow ? outRow : to)
                        if isNarrow { to.copyMemory(from: outRow, byteCount: s.outWidth &* I.scalarSize) }
                    }
                }
            }
        }
    }

    /// One row of outputs, a vector of them at least.
    @inlinable @inline(never)
    static func averageRow<let S: Int>(
        _ stride: InlineArray<S, Void>.Type, _ s: PoolingShape, _ x: UnsafeRawPointer, rowStep: Int,
        kernelRows: Int, _ divisors: UnsafeRawPointer, _ divisor: I.Scalar, _ y: UnsafeMutableRawPointer
    ) {
        let last = Swift.max(0, s.outWidth &- I.width)
        var j = 0
        while true {
            var sum = I.V.zero
            var row = x
            for _ in 0..<kernelRows {
                for kw in 0..<s.kernelWidth { sum += taps(stride, row, j, tap: kw, step: s.strideWidth) }
                row += rowStep &* I.scalarSize
            }
            I.store(sum / (I.load(divisors, j) * divisor), y, j)
            if j >= last { break }
            j = Swift.min(j &+ I.width, last)
        }
    }

    /// Few wide windows, whole planes above all: vectors run along the window.
    @inlinable
    static func averageWide(
        _ s: PoolingShape, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer, _ countIncludePad: Bool,
        _ divisorOverride: Int?
    ) {
        let work = s.planes &* s.outputSize &* s.kernelHeight &* s.kernelWidth / 4
        Parallel.forRanges(of: s.planes, size: s.planesPerChunk, work: work) { _, planes in
            for plane in planes {
                let x = x + plane &* s.inputSize &* I.scalarSize
                for row in 0..<s.outHeight {
                    let taps = s.kernelRows(row)
                    let first = row &* s.strideHeight &- s.padTop
                    let divisor = heightDivisor(s, row, countIncludePad, divisorOverride)
                    for column in 0..<s.outWidth {
                        let window = windowColumns(s, column)
                        var sum: I.Scalar = 0
                        for kh in taps {
                            let row = x + ((first &+ kh) &* s.width &+ window.lowerBound) &* I.scalarSize
                            sum += total(row, window.count)
                        }
                        let width = widthDivisor(s, column, countIncludePad, divisorOverride)
                        put(sum / (width * divisor), y, (plane &* s.outHeight &+ row) &* s.outWidth &+ column)
                    }
                }
            }
        }
    }

    /// The sum of `count` contiguous scalars.
    @inlinable @inline(__always)
    static func total(_ x: UnsafeRawPointer, _ count: Int) -> I.Scalar {
        var sums = I.V.zero
        var j = 0
        while j &+ I.width <= count {
            sums += I.load(x, j)
            j &+= I.width
        }
        var sum = sums.sum()
        while j < count {
            sum += value(x, j)
            j &+= 1
        }
        return sum
    }

    /// The input columns of the windows of the output column `column`.
    @inlinable @inline(__always)
    static func windowColumns(_ s: PoolingShape, _ column: Int) -> Range<Int> {
        let start = column &* s.strideWidth &- s.padLeft
        let lower = Swift.min(Swift.max(0, start), s.width)
        return lower..<Swift.max(lower, Swift.min(start &+ s.kernelWidth, s.width))
    }

    /// dx = the gradient of `averageForward`, overwritten: each dy over its divisor goes to its whole window.
    @inlinable
    public static func averageBackward(
        _ s: PoolingShape, _ dy: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer, countIncludePad: Bool,
        divisorOverride: Int?
    ) {
        guard s.planes > 0, s.inputSize > 0 else { return }
        let s = s.flattened
        let bytesRow = (s.outWidth &* I.scalarSize &+ 63) & ~63
        let workers = Swift.min(Parallel.threads, (s.planes &+ s.planesPerChunk &- 1) / s.planesPerChunk)
        let work = s.planes &* s.outputSize &* s.kernelHeight &* s.kernelWidth / 4
        BufferPool.withScratch((workers &+ 1) &* bytesRow) { scratch in
            for j in 0..<s.outWidth { put(widthDivisor(s, j, countIncludePad, divisorOverride), scratch, j) }
            Parallel.forRanges(of: s.planes, size: s.planesPerChunk, work: work, workers: workers) { worker, planes in
                let shares = scratch + (worker &+ 1) &* bytesRow
                for plane in planes {
                    let dx = dx + plane &* s.inputSize &* I.scalarSize
                    clear(dx, s.inputSize)
                    for row in 0..<s.outHeight {
                        let dy = dy + (plane &* s.outHeight &+ row) &* s.outWidth &* I.scalarSize
                        let divisor = heightDivisor(s, row, countIncludePad, divisorOverride)
                        for j in 0..<s.outWidth { put(value(dy, j) / (value(scratch, j) * divisor), shares, j) }
                        for kh in s.kernelRows(row) {
                            let inputRow = row &* s.strideHeight &- s.padTop &+ kh
                            spread(s, shares, dx + inputRow &* s.width &* I.scalarSize)
                        }
                    }
                }
            }
        }
    }

    /// Adds a row of shares to one row of dx under their windows.
    @inlinable @inline(never)
    static func spread(_ s: PoolingShape, _ shares: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer) {
        if s.strideWidth == 1, s.outWidth >= s.kernelWidth {
            for kw in 0..<s.kernelWidth {
                let dx = dx + s.firstColumn(tap: kw) &* I.scalarSize
                for j in s.outputs(tap: kw) { put(value(dx, j) + value(shares, j), dx, j) }
            }
        } else {
            for column in 0..<s.outWidth {
                let share = value(shares, column)
                for j in windowColumns(s, column) { put(value(dx, j) + share, dx, j) }
            }
        }
    }

    /// The width of the window of the output column `column` that counts; the divisor is this times the height.
    @inlinable
    static func widthDivisor(
        _ s: PoolingShape, _ column: Int, _ countIncludePad: Bool, _ divisorOverride: Int?
    ) -> I.Scalar {
        if divisorOverride != nil { return 1 }
        return extent(column &* s.strideWidth &- s.padLeft, s.kernelWidth, s.width, countIncludePad ? s.padLeft : 0)
    }

    /// The height of the window of the output row `row` that counts, or the divisor that overrides it.
    @inlinable
    static func heightDivisor(
        _ s: PoolingShape, _ row: Int, _ countIncludePad: Bool, _ divisorOverride: Int?
    ) -> I.Scalar {
        if let divisorOverride { return I.Scalar(divisorOverride) }
        return extent(row &* s.strideHeight &- s.padTop, s.kernelHeight, s.height, countIncludePad ? s.padTop : 0)
    }

    /// Length of the part of a window from `start` on that counts, inside `-pad ..< size + pad`; at least 1, as
    /// nothing but zeros is divided by less.
    @inlinable @inline(__always)
    static func extent(_ start: Int, _ kernel: Int, _ size: Int, _ pad: Int) -> I.Scalar {
        I.Scalar(Swift.max(1, Swift.min(start &+ kernel, size &+ pad) &- Swift.max(start, -pad)))
    }
}

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
        let work = s.planes &* s.outputSize &* s.kernelHeight &* s.kernelWidth / 4
        Parallel.forRanges(of: s.planes, size: s.planesPerChunk, work: work) { _, planes in
            for plane in planes {
                let x = x + plane &* s.inputSize &* I.scalarSize
                let y = y + plane &* s.outputSize &* I.scalarSize
                for row in 0..<s.outHeight {
                    let y = y + row &* s.outWidth &* I.scalarSize
                    for j in 0..<s.outWidth { put(0, y, j) }
                    for kh in 0..<s.kernelHeight {
                        guard let inputRow = s.inputRow(row, tap: kh) else { continue }
                        for kw in 0..<s.kernelWidth {
                            let x = x + (inputRow &* s.width &+ s.firstColumn(tap: kw)) &* I.scalarSize
                            for j in s.outputs(tap: kw) { put(value(y, j) + value(x, j &* s.strideWidth), y, j) }
                        }
                    }
                    for j in 0..<s.outWidth {
                        put(value(y, j) / divisor(s, row, j, countIncludePad, divisorOverride), y, j)
                    }
                }
            }
        }
    }

    /// dx = the gradient of `averageForward`: each dy over its divisor goes to its whole window.
    @inlinable
    public static func averageBackward(
        _ s: PoolingShape, _ dy: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer, countIncludePad: Bool,
        divisorOverride: Int?
    ) {
        let work = s.planes &* s.outputSize &* s.kernelHeight &* s.kernelWidth / 4
        Parallel.forRanges(of: s.planes, size: s.planesPerChunk, work: work) { _, planes in
            for plane in planes {
                let dx = dx + plane &* s.inputSize &* I.scalarSize
                let dy = dy + plane &* s.outputSize &* I.scalarSize
                clear(dx, s.inputSize)
                for row in 0..<s.outHeight {
                    let dy = dy + row &* s.outWidth &* I.scalarSize
                    for kh in 0..<s.kernelHeight {
                        guard let inputRow = s.inputRow(row, tap: kh) else { continue }
                        for kw in 0..<s.kernelWidth {
                            let dx = dx + (inputRow &* s.width &+ s.firstColumn(tap: kw)) &* I.scalarSize
                            for j in s.outputs(tap: kw) {
                                let share = value(dy, j) / divisor(s, row, j, countIncludePad, divisorOverride)
                                put(value(dx, j &* s.strideWidth) + share, dx, j &* s.strideWidth)
                            }
                        }
                    }
                }
            }
        }
    }

    /// What the sum of the window of the output (`row`, `column`) is divided by.
    @inlinable
    static func divisor(
        _ s: PoolingShape, _ row: Int, _ column: Int, _ countIncludePad: Bool, _ divisorOverride: Int?
    ) -> I.Scalar {
        if let divisorOverride { return I.Scalar(divisorOverride) }
        let height = extent(
            row &* s.strideHeight &- s.padTop, s.kernelHeight, s.height, countIncludePad ? s.padTop : 0)
        let width = extent(
            column &* s.strideWidth &- s.padLeft, s.kernelWidth, s.width, countIncludePad ? s.padLeft : 0)
        return I.Scalar(Swift.max(1, height &* width))
    }

    /// Length of the part of a window from `start` on that counts: inside `-pad ..< size + pad`.
    @inlinable @inline(__always)
    static func extent(_ start: Int, _ kernel: Int, _ size: Int, _ pad: Int) -> Int {
        Swift.max(0, Swift.min(start &+ kernel, size &+ pad) &- Swift.max(start, -pad))
    }
}

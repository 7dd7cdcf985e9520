// 1×1 convolution with stride 1 and without padding: matrix products.
//
// Of an image, y [O, pixels] = w [O, C] · x [C, pixels], all three as they lie: vectors run along the pixels, and unlike
// in the kernel with vectors over channels no sum has to be turned to planes. Backward-data is the same with w
// transposed. Blocks and register tile are those of the matrix product (GEMMBlocked.swift); bias and ReLU come after, in
// one pass: within the tile they slowed every product down.
// Images of a few pixels (7×7) leave too much of the last tile of a row empty, and are left to the other kernels.

extension ConvolutionShape {
    /// Whether each pixel of the output depends on the same pixel of the input alone, and there are enough of them.
    @inlinable var isPointwise: Bool {
        kernelHeight == 1 && kernelWidth == 1 && strideHeight == 1 && strideWidth == 1 && groups == 1
            && padTop == 0 && padBottom == 0 && padLeft == 0 && padRight == 0
            && inChannels > 0 && outChannels > 0 && height * width >= 128
    }
}

/// A pointwise convolution, or its backward-data.
@inlinable @inline(never)
func pointwise<I: ISA>(
    _: I.Type, _ s: ConvolutionShape, isBackward: Bool, _ x: UnsafeRawPointer, _ w: UnsafeRawPointer,
    _ bias: UnsafeRawPointer?, _ relu: Bool, _ y: UnsafeMutableRawPointer
) {
    let pixels = s.height * s.width
    let (inChannels, outChannels) = isBackward ? (s.outChannels, s.inChannels) : (s.inChannels, s.outChannels)
    GEMM<I>.run(
        GEMMArguments(
            batch: s.batch, m: outChannels, n: pixels, k: inChannels,
            a: w, aRow: isBackward ? 1 : inChannels, aColumn: isBackward ? outChannels : 1,
            b: x, bRow: pixels, bColumn: 1, bBatch: inChannels * pixels,
            c: y, cRow: pixels, cBatch: outChannels * pixels))
    guard bias != nil || relu else { return }
    let planes = s.batch * outChannels
    Parallel.forRanges(of: planes, size: max(1, 16_384 / pixels), work: planes * pixels / I.width) { _, range in
        for plane in range {
            let row = y + plane &* pixels &* I.scalarSize
            let shift = bias.map { I.broadcast($0, plane % outChannels) } ?? .zero
            @inline(__always) func finish(_ sum: I.V) -> I.V {
                let value = sum + shift
                return relu ? I.select(value, lessThan: .zero, .zero, value) : value
            }
            map(I.self, pixels, row, 1, row, 1, finish)
        }
    }
}

// Backward-weights of the convolution: dw[o, source] = Σ over images and pixels of dy[o, pixel] · x[pixel + offset(source)].
//
// The vector runs over output channels: the gradient of an image is transposed to [pixel][channel], the input lies in
// padded planes, and a "source" (input channel and tap) is a constant offset there. Strides and dilation are free, and
// there are no horizontal sums. The bias gradient falls out of the transposition.
// Register tile: T sources × V vectors of channels; for each pixel V loads, T broadcasts, T·V FMA. AVX2 (16 registers)
// 6×2: 12 + 2 + 1; AVX-512 (32) 12×2: 24 + 2 + 1; with at most one vector of channels 12×1. Baseline 4×2.
// Blocking: strips of rows with about 256 pixels, whose transposed gradient (16 KiB) stays in the first-level cache while
// all sources pass by. Small weights: each chunk of images sums into weights of its own, added up in order. Large weights
// would not fit in the caches that way: there the chunks are blocks of sources, and each runs over all images.

/// `dw`, and `dbias` (Σ dy) if wanted: the gradients of weight and bias, given that of the output.
@inlinable @inline(never)
func convolutionBackwardWeights<I: ISA, let T: Int, let V: Int>(
    _: I.Type, _ sourcesType: InlineArray<T, Void>.Type, _ vectorsType: InlineArray<V, Void>.Type,
    _ s: ConvolutionShape, _ x: UnsafeRawPointer, _ dy: UnsafeRawPointer, _ dw: UnsafeMutableRawPointer,
    _ dbias: UnsafeMutableRawPointer?
) {
    if s.isEmpty || s.filterSize == 0 {
        fill(I.self, s.outChannels * s.filterSize, 0, dw)
        if let dbias {
            if s.isEmpty { return fill(I.self, s.outChannels, 0, dbias) }
            reducePlanes(I.self, s.batch, s.outChannels, s.outHeight * s.outWidth, dy, dbias)
        }
        return
    }
    let sparse = SparseBackward<I>(s, whole: false)
    // Large weights would not fit in the caches once for every chunk of images.
    if s.outChannels * sparse.filter <= 300_000, sparse.pays(dy) { return sparse.weights(x, dy, dw, dbias) }
    if Winograd.paysForWeights(s) {
        return PlanCache.plan(s, isBackward: true) { WinogradWeights<I>(s) }.run(x, dy, dw, dbias)
    }
    let narrow = s.groupOut <= I.width
    if narrow {
        backwardWeights(
            I.self, InlineArray<12, Void>.self, InlineArray<1, Void>.self, WeightPlan(s, 12, I.width), s, x, dy, dw,
            dbias)
    } else {
        backwardWeights(
            I.self, sourcesType, vectorsType, WeightPlan(s, T, V * I.width), s, x, dy, dw, dbias)
    }
}

/// `y[c] = Σ x[n, c, :]`.
@inlinable @inline(never)
func reducePlanes<I: ISA>(
    _: I.Type, _ batch: Int, _ channels: Int, _ area: Int, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer
) {
    let size = I.scalarSize
    Parallel.forEach(chunks: channels, work: batch * channels * area / 4) { _, channel in
        var total: Double = 0
        for image in 0..<batch {
            total += Double(reduceRow(I.self, .sum, area, x + (image * channels + channel) * area * size))
        }
        y.storeBytes(of: I.Scalar(total), toByteOffset: channel * size, as: I.Scalar.self)
    }
}

/// Sizes that follow from the shape.
@usableFromInline struct WeightPlan {
    /// Channels in a block, blocks of channels, sources rounded up to whole tiles.
    @usableFromInline let lanes, blocks, sources: Int
    @usableFromInline let rowStride, planeSize, stripRows, strips: Int
    /// Input offsets of the sources, repeated to whole tiles.
    @usableFromInline let offsets: [Int]
    /// Scalars of one image's planes and transposed gradient, per group.
    @usableFromInline let planesSize, gradientSize: Int

    @inlinable
    init(_ s: ConvolutionShape, _ tile: Int, _ lanes: Int) {
        self.lanes = lanes
        blocks = (s.groupOut + lanes - 1) / lanes
        sources = (s.filterSize + tile - 1) / tile * tile
        rowStride = s.width + s.padLeft + s.padRight
        planeSize = (s.height + s.padTop + s.padBottom) * rowStride
        var offsets: [Int] = []
        for channel in 0..<s.groupIn {
            for h in 0..<s.kernelHeight {
                for w in 0..<s.kernelWidth {
                    offsets.append(channel * planeSize + h * s.dilationHeight * rowStride + w * s.dilationWidth)
                }
            }
        }
        while offsets.count < sources { offsets.append(0) }
        self.offsets = offsets
        stripRows = max(1, 256 / s.outWidth)
        strips = (s.outHeight + stripRows - 1) / stripRows
        planesSize = s.groupIn * planeSize
        gradientSize = s.outHeight * s.outWidth * blocks * lanes
    }
}

@inlinable @inline(__always)
func backwardWeights<I: ISA, let T: Int, let V: Int>(
    _: I.Type, _ sourcesType: InlineArray<T, Void>.Type, _ vectorsType: InlineArray<V, Void>.Type, _ plan: WeightPlan,
    _ s: ConvolutionShape, _ x: UnsafeRawPointer, _ dy: UnsafeRawPointer, _ dw: UnsafeMutableRawPointer,
    _ dbias: UnsafeMutableRawPointer?
) {
    let size = I.scalarSize
    let partialSize = s.groups * plan.blocks * plan.sources * plan.lanes
    let biasSize = s.groups * plan.blocks * plan.lanes
    let perImage = s.groups * (plan.planesSize + plan.gradientSize)
    let work = s.multiplications / 16
    let small = partialSize <= 100_000 || s.batch * perImage > 1 << 29
    // At most sixteen partial sums, whatever the number of threads.
    let imagesAtOnce = small ? (s.batch + 15) / 16 : 1
    let chunks = (s.batch + imagesAtOnce - 1) / imagesAtOnce
    let partials = small ? chunks : 1
    let threads = Parallel.threads
    let prepared = small ? threads : s.batch
    let total = partials * partialSize + chunks * biasSize + prepared * perImage
    BufferPool.withScratch((total + 64) * size) { scratch in
        let sums = scratch
        let biasSums = sums + partials * partialSize * size
        let images = biasSums + chunks * biasSize * size
        fill(I.self, chunks * biasSize, 0, biasSums)
        plan.offsets.withUnsafeBufferPointer { buffer in
            let offsets = buffer.baseAddress!
            func prepare(_ image: Int, _ target: UnsafeMutableRawPointer, _ bias: UnsafeMutableRawPointer) {
                for group in 0..<s.groups {
                    let planes = target + group * (plan.planesSize + plan.gradientSize) * size
                    padPlanes(
                        I.self, s, x + (image * s.inChannels + group * s.groupIn) * s.height * s.width * size, planes)
                    transposeGradient(
                        I.self, plan, s.groupOut, s.outHeight * s.outWidth,
                        dy + (image * s.outChannels + group * s.groupOut) * s.outHeight * s.outWidth * size,
                        planes + plan.planesSize * size, bias + group * plan.blocks * plan.lanes * size)
                }
            }
            if small {
                Parallel.forEach(chunks: chunks, work: work, workers: threads) { worker, chunk in
                    let mine = sums + chunk * partialSize * size
                    fill(I.self, partialSize, 0, mine)
                    let memory = images + worker * perImage * size
                    for image in chunk * imagesAtOnce..<min(s.batch, (chunk + 1) * imagesAtOnce) {
                        prepare(image, memory, biasSums + chunk * biasSize * size)
                        for group in 0..<s.groups {
                            let planes = memory + group * (plan.planesSize + plan.gradientSize) * size
                            for block in 0..<plan.blocks {
                                sumTiles(
                                    I.self, sourcesType, vectorsType, plan, s, offsets, 0..<plan.sources, planes, block,
                                    mine + (group * plan.blocks + block) * plan.sources * plan.lanes * size)
                            }
                        }
                    }
                }
            } else {
                Parallel.forEach(chunks: s.batch, work: s.batch * perImage) { _, image in
                    prepare(image, images + image * perImage * size, biasSums + image * biasSize * size)
                }
                let sourcesAtOnce = T * max(1, 96 / T)
                let pieces = (plan.sources + sourcesAtOnce - 1) / sourcesAtOnce
                Parallel.forEach(chunks: s.groups * plan.blocks * pieces, work: work) { _, chunk in
                    let (unit, piece) = (chunk / pieces, chunk % pieces)
                    let range = piece * sourcesAtOnce..<min(plan.sources, (piece + 1) * sourcesAtOnce)
                    let target = sums + unit * plan.sources * plan.lanes * size
                    fill(I.self, range.count * plan.lanes, 0, target + range.lowerBound * plan.lanes * size)
                    for image in 0..<s.batch {
                        let planes =
                            images
                            + (image * perImage + unit / plan.blocks * (plan.planesSize + plan.gradientSize)) * size
                        sumTiles(
                            I.self, sourcesType, vectorsType, plan, s, offsets, range, planes, unit % plan.blocks,
                            target)
                    }
                }
            }
        }
        gatherWeights(I.self, plan, s, partials, partialSize, sums, dw)
        if let dbias {
            let from = biasSums.assumingMemoryBound(to: I.Scalar.self)
            let to = dbias.assumingMemoryBound(to: I.Scalar.self)
            for channel in 0..<s.outChannels {
                let place = channel / s.groupOut * plan.blocks * plan.lanes + channel % s.groupOut
                var sum: Double = 0
                for chunk in 0..<chunks { sum += Double(from[chunk * biasSize + place]) }
                to[channel] = I.Scalar(sum)
            }
        }
    }
}

/// Copies an image's channels into planes with zero padding on all sides.
@inlinable @inline(__always)
func padPlanes<I: ISA>(_: I.Type, _ s: ConvolutionShape, _ x: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
    var from = x.assumingMemoryBound(to: I.Scalar.self)
    var to = target.assumingMemoryBound(to: I.Scalar.self)
    let rowStride = s.width + s.padLeft + s.padRight
    for _ in 0..<s.groupIn {
        to.update(repeating: 0, count: s.padTop * rowStride)
        to += s.padTop * rowStride
        for _ in 0..<s.height {
            for column in 0..<s.padLeft { to[column] = 0 }
            (to + s.padLeft).update(from: from, count: s.width)
            for column in s.padLeft + s.width..<rowStride { to[column] = 0 }
            to += rowStride
            from += s.width
        }
        to.update(repeating: 0, count: s.padBottom * rowStride)
        to += s.padBottom * rowStride
    }
}

/// [channel][pixel] to [block][pixel][lane], zeros in lanes without a channel; adds each channel's sum to `bias`.
@inlinable @inline(__always)
func transposeGradient<I: ISA>(
    _: I.Type, _ plan: WeightPlan, _ channels: Int, _ pixels: Int, _ dy: UnsafeRawPointer,
    _ target: UnsafeMutableRawPointer, _ bias: UnsafeMutableRawPointer
) {
    let from = dy.assumingMemoryBound(to: I.Scalar.self)
    let to = target.assumingMemoryBound(to: I.Scalar.self)
    let sums = bias.assumingMemoryBound(to: I.Scalar.self)
    let lanes = plan.lanes
    for block in 0..<plan.blocks {
        let first = block * lanes
        let used = min(lanes, channels - first)
        let tile = to + block * pixels * lanes
        if used < lanes { tile.update(repeating: 0, count: pixels * lanes) }
        for start in stride(from: 0, to: used, by: I.width) {
            // The last vector of channels overlaps the one before.
            let lane = min(start, max(0, used - I.width))
            interleave(
                I.self, pixels, min(I.width, used), from + (first + lane) * pixels, area: pixels, tile + lane,
                pixel: lanes)
        }
        for lane in 0..<used {
            sums[first + lane] += reduceRow(I.self, .sum, pixels, UnsafeRawPointer(from + (first + lane) * pixels))
        }
    }
}

/// Adds one image's share of a range of sources for one block of channels.
@inlinable @inline(never)
func sumTiles<I: ISA, let T: Int, let V: Int>(
    _: I.Type, _ sourcesType: InlineArray<T, Void>.Type, _ vectorsType: InlineArray<V, Void>.Type, _ plan: WeightPlan,
    _ s: ConvolutionShape, _ offsets: UnsafePointer<Int>, _ range: Range<Int>, _ planes: UnsafeRawPointer, _ block: Int,
    _ sums: UnsafeMutableRawPointer
) {
    let size = I.scalarSize
    let outWidth = s.outWidth
    let outHeight = s.outHeight
    let gradient = planes + (plan.planesSize + block * outHeight * outWidth * plan.lanes) * size
    for strip in 0..<plan.strips {
        let row = strip * plan.stripRows
        let rows = min(plan.stripRows, outHeight - row)
        var source = range.lowerBound
        while source < range.upperBound {
            weightTile(
                I.self, sourcesType, vectorsType, rows, outWidth,
                planes + row * s.strideHeight * plan.rowStride * size, s.strideHeight * plan.rowStride, s.strideWidth,
                offsets + source, gradient + row * outWidth * plan.lanes * size, sums + source * plan.lanes * size)
            source += T
        }
    }
}

/// The register tile: T sources × V vectors of channels over a strip of pixels.
@inlinable @inline(never)
func weightTile<I: ISA, let T: Int, let V: Int>(
    _: I.Type, _: InlineArray<T, Void>.Type, _: InlineArray<V, Void>.Type, _ rows: Int, _ columns: Int,
    _ x: UnsafeRawPointer, _ rowStep: Int, _ columnStep: Int, _ offsets: UnsafePointer<Int>, _ dy: UnsafeRawPointer,
    _ sums: UnsafeMutableRawPointer
) {
    var acc = InlineArray<T, InlineArray<V, I.V>>(repeating: .init(repeating: .zero))
    for t in 0..<T { for v in 0..<V { acc[t][v] = I.load(sums, (t &* V &+ v) &* I.width) } }
    var gradient = dy
    for row in 0..<rows {
        let line = x + row &* rowStep &* I.scalarSize
        var sources = InlineArray<T, UnsafeRawPointer>(repeating: line)
        for t in 0..<T { sources[t] = line + offsets[t] &* I.scalarSize }
        var at = 0
        for _ in 0..<columns {
            var dv = InlineArray<V, I.V>(repeating: .zero)
            for v in 0..<V { dv[v] = I.load(gradient, v &* I.width) }
            for t in 0..<T {
                let value = I.broadcast(sources[t], at)
                for v in 0..<V { I.fma(&acc[t][v], value, dv[v]) }
            }
            at &+= columnStep
            gradient += V &* I.width &* I.scalarSize
        }
    }
    for t in 0..<T { for v in 0..<V { I.store(acc[t][v], sums, (t &* V &+ v) &* I.width) } }
}

/// Adds the partial sums in order and writes them as [O, C, KH, KW].
@inlinable @inline(__always)
func gatherWeights<I: ISA>(
    _: I.Type, _ plan: WeightPlan, _ s: ConvolutionShape, _ partials: Int, _ partialSize: Int,
    _ sums: UnsafeMutableRawPointer, _ dw: UnsafeMutableRawPointer
) {
    let size = I.scalarSize
    let lanes = plan.lanes
    let sourcesAtOnce = 64
    let pieces = (s.filterSize + sourcesAtOnce - 1) / sourcesAtOnce
    Parallel.forEach(chunks: s.groups * plan.blocks * pieces, work: partialSize * partials / 4) { _, chunk in
        let (unit, piece) = (chunk / pieces, chunk % pieces)
        let (group, block) = (unit / plan.blocks, unit % plan.blocks)
        let source = piece * sourcesAtOnce
        let sources = min(sourcesAtOnce, s.filterSize - source)
        let mine = sums + (unit * plan.sources + source) * lanes * size
        for vector in stride(from: 0, to: partials > 1 ? sources * lanes : 0, by: I.width) {
            var total = I.load(mine, vector)
            for partial in 1..<partials { total += I.load(mine, partial &* partialSize &+ vector) }
            I.store(total, mine, vector)
        }
        let used = min(lanes, s.groupOut - block * lanes)
        for lane in stride(from: 0, to: used, by: I.width) {
            let channel = group * s.groupOut + block * lanes + lane
            separate(
                I.self, sources, min(I.width, used - lane), mine + lane * size, pixel: lanes,
                dw + (channel * s.filterSize + source) * size, area: s.filterSize)
        }
    }
}

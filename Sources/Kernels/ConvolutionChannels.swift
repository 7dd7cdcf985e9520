// The correlation kernel for many output channels: vectors run over output channels, pixels are broadcast.
//
// A tile is R pixels × V vectors of channels. The pixels of a tile are any R positions (a table holds where each one
// lies), so strides need no phase planes, rows need no padding to whole vectors, and a tile runs over row ends and from
// one small image into the next: nothing is computed in vain but the last tile of a unit and missing lanes. For each
// channel and tap: V aligned loads of weights, R broadcasts, R·V FMA.
// Register budget: AVX2 and SSE (16 registers) 6×2 = 12 sums, 2 weights, 1 broadcast (SSE: 1 product more); AVX-512 and
// NEON (32) 6×4 = 24 + 4 + 1, narrower remainders 6×2 and 6×1. The six places and the loop fit the 15 integer registers.
// Blocking: weights are packed once a call as [block of channels][channel][tap][lane]. For a block, strips of 192 pixels
// meet as many input channels at a time as keep their weights within 18 KiB, so that weights and the strip's sums stay
// in the first-level cache; the sums of a strip are then turned to channel planes by 8×8 transpositions, with bias and
// ReLU on the way.
// Input: read where it lies when there is no padding, else copied into padded planes, a tap being a constant offset.

/// Pixels of a tile.
@usableFromInline let tilePixels = 6

/// Pixels that are computed before they are turned; a multiple of `tilePixels`, and of every vector's width.
@usableFromInline let stripPixels = 192

/// Where an input plane lies in memory, and its padding.
@usableFromInline struct PlaneLayout {
    /// Zeros above and before the content; scalars from row to row and from plane to plane.
    @usableFromInline let top, left, rowStride, planeSize: Int
    /// Whether the planes are those of the tensor.
    @usableFromInline let inPlace: Bool

    @inlinable
    init(_ c: Correlation, scalarSize: Int) {
        let vertical = c.verticalTaps.joined().map(\.position)
        let horizontal = c.horizontalTaps.joined().map(\.position)
        let gridHeight = ((c.outHeight + c.outStepHeight - 1) / c.outStepHeight - 1) * c.inStepHeight
        let gridWidth = ((c.outWidth + c.outStepWidth - 1) / c.outStepWidth - 1) * c.inStepWidth
        let top = max(0, -(vertical.min() ?? 0))
        let left = max(0, -(horizontal.min() ?? 0))
        let bottom = max(0, gridHeight + (vertical.max() ?? 0) + 1 - c.height)
        let right = max(0, gridWidth + (horizontal.max() ?? 0) + 1 - c.width)
        // Planes whose distance is a multiple of 1 KiB fall on few sets of the caches.
        let crowded = c.inChannels > 8 && c.height * c.width * scalarSize % 1024 == 0
        inPlace = top + left + bottom + right == 0 && !crowded
        if inPlace {
            (self.top, self.left, rowStride, planeSize) = (0, 0, c.width, c.height * c.width)
        } else {
            (self.top, self.left) = (top, left)
            // The padding behind a row is the padding before the next one.
            rowStride = c.width + max(left, right)
            let lines = ((top + c.height + bottom) * rowStride + max(left, right)) * scalarSize / 64 + 1
            planeSize = (lines | 1) * 64 / scalarSize
        }
    }

    /// Scalars from the begin of a plane to the given row and column of its content.
    @inlinable @inline(__always)
    func place(_ row: Int, _ column: Int) -> Int { (row &+ top) &* rowStride &+ left &+ column }
}

/// A block of output channels: as many as one tile has lanes.
@usableFromInline struct ChannelBlock {
    @usableFromInline let first, vectors: Int
    @inlinable init(first: Int, vectors: Int) { (self.first, self.vectors) = (first, vectors) }

    /// Cuts channels into the widest tiles first.
    @inlinable
    static func cut<I: ISA>(_: I.Type, _ channels: Int) -> [ChannelBlock] {
        var blocks: [ChannelBlock] = []
        var (first, vectors) = (0, I.hasManyRegisters ? 4 : 2)
        while first < channels {
            let left = (channels - first + I.width - 1) / I.width
            while vectors > left { vectors /= 2 }
            blocks.append(ChannelBlock(first: first, vectors: vectors))
            first += vectors * I.width
        }
        return blocks
    }
}

/// One output phase: its taps and where its pixels are read and written.
@usableFromInline struct PixelPhase {
    /// Bytes from a pixel's place to each tap's, and the tap's element of the filter.
    @usableFromInline let offsets, elements: [Int]
    /// For each pixel of a unit: bytes to its place in the input's planes; scalars to its place in the output's.
    @usableFromInline let inputs, outputs: [Int]
    /// Pixels of one image.
    @usableFromInline let pixels: Int
    /// Where its packed weights begin, in scalars.
    @usableFromInline let weights: Int

    @inlinable
    init(
        _ c: Correlation, _ layout: PlaneLayout, row: Int, column: Int, images: Int, imageIn: Int, imageOut: Int,
        weights: Int, scalarSize: Int
    ) {
        var (offsets, elements): ([Int], [Int]) = ([], [])
        for v in c.verticalTaps[row] {
            for h in c.horizontalTaps[column] {
                offsets.append((v.position * layout.rowStride + h.position) * scalarSize)
                elements.append(v.index * c.kernelWidth + h.index)
            }
        }
        (self.offsets, self.elements, self.weights) = (offsets, elements, weights)
        let (rows, columns) = (c.phaseRows(row), c.phaseColumns(column))
        pixels = rows * columns
        var (inputs, outputs): ([Int], [Int]) = ([], [])
        inputs.reserveCapacity(images * pixels)
        outputs.reserveCapacity(images * pixels)
        for image in 0..<images {
            for r in 0..<rows {
                let from = image * imageIn + layout.place(r * c.inStepHeight, 0)
                let to = image * imageOut + (r * c.outStepHeight + row) * c.outWidth + column
                for i in 0..<columns {
                    inputs.append((from + i * c.inStepWidth) * scalarSize)
                    outputs.append(to + i * c.outStepWidth)
                }
            }
        }
        (self.inputs, self.outputs) = (inputs, outputs)
    }
}

/// Runs a correlation with vectors over output channels.
@usableFromInline struct ChannelCorrelation<I: ISA> {
    @usableFromInline let c: Correlation
    @usableFromInline let layout: PlaneLayout
    @usableFromInline let blocks: [ChannelBlock]
    @usableFromInline let phases: [PixelPhase]
    /// Images that are worked on together, and how many such units there are over all groups.
    @usableFromInline let imagesAtOnce, units: Int
    /// Scalars from image to image in the input's planes and in the output.
    @usableFromInline let imageIn, imageOut: Int
    /// Scalars of a group's packed weights.
    @usableFromInline let weightCount: Int
    @usableFromInline let lanes: Int

    @inlinable
    init(_ c: Correlation) {
        self.c = c
        let layout = PlaneLayout(c, scalarSize: I.scalarSize)
        let blocks = ChannelBlock.cut(I.self, c.outChannels)
        let lanes = (c.outChannels + I.width - 1) / I.width * I.width
        (self.layout, self.blocks, self.lanes) = (layout, blocks, lanes)
        // Small images are joined, so that tiles are full and weights are read seldom.
        let pixels = c.phaseRows(0) * c.phaseColumns(0)
        imagesAtOnce = max(1, min(stripPixels / max(1, pixels), c.images / 4))
        units = (c.images + imagesAtOnce - 1) / imagesAtOnce * c.groups
        imageIn = layout.inPlace ? c.groups * c.inChannels * layout.planeSize : c.inChannels * layout.planeSize
        imageOut = c.groups * c.outChannels * c.outHeight * c.outWidth
        var (phases, count): ([PixelPhase], Int) = ([], 0)
        for (row, column) in c.phases {
            let phase = PixelPhase(
                c, layout, row: row, column: column, images: imagesAtOnce, imageIn: imageIn, imageOut: imageOut,
                weights: count, scalarSize: I.scalarSize)
            count += lanes * c.inChannels * phase.offsets.count
            phases.append(phase)
        }
        (self.phases, weightCount) = (phases, count)
    }

    /// Packs the weights, then computes the units in parallel.
    @inlinable @inline(never)
    func run(
        _ x: UnsafeRawPointer, _ w: UnsafeRawPointer, _ bias: UnsafeRawPointer?, _ relu: Bool,
        _ y: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let threads = Parallel.threads
        let work = c.multiplications / (2 * I.width)
        // Many units: each is copied and computed by one thread. Few: all are copied first, then blocks are shared out.
        let ownPlanes = !layout.inPlace && units >= 8
        let pieces = units >= 8 ? 1 : blocks.count
        let planes = layout.inPlace ? 0 : imagesAtOnce * c.inChannels * layout.planeSize
        let planeBytes = (ownPlanes ? min(threads, units) : units) * planes * size
        let weightBytes = (c.groups * weightCount * size + 63) & ~63
        let stripBytes = stripPixels * I.tileVectors * I.width * size
        let shiftBytes = bias == nil ? 0 : c.groups * lanes * size
        BufferPool.withScratch(weightBytes + planeBytes + threads * stripBytes + shiftBytes) { scratch in
            let (packed, planeMemory) = (scratch, scratch + weightBytes)
            let strips = planeMemory + planeBytes
            let shifts = strips + threads * stripBytes
            if let bias {
                // Whole vectors, as the sums.
                fill(I.self, c.groups * lanes, 0, shifts)
                for group in 0..<c.groups {
                    copyRow(I.self, c.outChannels, bias + group * c.outChannels * size, shifts + group * lanes * size)
                }
            }
            Parallel.forEach(chunks: c.groups * blocks.count, work: c.groups * weightCount) { _, chunk in
                let (group, block) = (chunk / blocks.count, blocks[chunk % blocks.count])
                pack(block, w + group * c.weightGroup * size, packed + group * weightCount * size)
            }
            if planeBytes > 0 {
                Parallel.forRanges(of: planeBytes / size, size: 1 << 16, work: planeBytes / 32) { _, range in
                    fill(I.self, range.count, 0, planeMemory + range.lowerBound * size)
                }
            }
            if !layout.inPlace, !ownPlanes {
                Parallel.forEach(chunks: units, work: planeBytes / 16) { _, unit in
                    copyPlanes(unit, x, planeMemory + unit * planes * size)
                }
            }
            Parallel.forEach(chunks: units * pieces, work: work) { worker, chunk in
                let unit = chunk / pieces
                let (image, group) = (unit / c.groups * imagesAtOnce, unit % c.groups)
                var source = x + (image * c.groups + group) * c.inChannels * layout.planeSize * size
                if !layout.inPlace {
                    let own = planeMemory + (ownPlanes ? worker : unit) * planes * size
                    if ownPlanes { copyPlanes(unit, x, own) }
                    source = UnsafeRawPointer(own)
                }
                let range = pieces == 1 ? 0..<blocks.count : chunk % pieces..<chunk % pieces + 1
                let output = y + (image * imageOut + group * c.outChannels * c.outHeight * c.outWidth) * size
                for phase in phases {
                    compute(
                        phase, range, min(imagesAtOnce, c.images - image), source, packed + group * weightCount * size,
                        strips + worker * stripBytes, bias == nil ? nil : UnsafeRawPointer(shifts + group * lanes * size),
                        relu, output)
                }
            }
        }
    }

    /// Copies a unit's channels into padded planes, whose padding is zero already.
    @inlinable @inline(__always)
    func copyPlanes(_ unit: Int, _ x: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let size = I.scalarSize
        let (first, group) = (unit / c.groups * imagesAtOnce, unit % c.groups)
        for image in first..<min(c.images, first + imagesAtOnce) {
            var from = x + (image * c.groups + group) * c.inChannels * c.height * c.width * size
            let to = target + (image - first) * imageIn * size
            for channel in 0..<c.inChannels {
                var row = to + (channel * layout.planeSize + layout.place(0, 0)) * size
                for _ in 0..<c.height {
                    copyRow(I.self, c.width, from, row)
                    from += c.width * size
                    row += layout.rowStride * size
                }
            }
        }
    }

    /// Weights of a block of channels as [channel][tap][lane], zeros in lanes without a channel.
    @inlinable @inline(__always)
    func pack(_ block: ChannelBlock, _ w: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let lanes = block.vectors * I.width
        let used = min(lanes, c.outChannels - block.first)
        for phase in phases {
            let taps = phase.elements.count
            let to = (target + (phase.weights + block.first * c.inChannels * taps) * I.scalarSize)
                .assumingMemoryBound(to: I.Scalar.self)
            let from = w.assumingMemoryBound(to: I.Scalar.self) + block.first * c.weightOut
            phase.elements.withUnsafeBufferPointer { elements in
                for channel in 0..<c.inChannels {
                    for tap in 0..<taps {
                        let source = from + (channel &* c.weightIn &+ elements[tap])
                        let row = to + (channel &* taps &+ tap) &* lanes
                        for lane in 0..<used { row[lane] = source[lane &* c.weightOut] }
                        for lane in used..<lanes { row[lane] = 0 }
                    }
                }
            }
        }
    }

    /// A range of blocks of channels for all pixels of a unit and phase.
    @inlinable @inline(__always)
    func compute(
        _ phase: PixelPhase, _ range: Range<Int>, _ images: Int, _ x: UnsafeRawPointer, _ packed: UnsafeRawPointer,
        _ sums: UnsafeMutableRawPointer, _ bias: UnsafeRawPointer?, _ relu: Bool, _ y: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let channelWeights = c.inChannels * phase.offsets.count * size
        // Blocks whose weights stay in the second-level cache together meet a strip while it is in the first.
        let blocksAtOnce = max(1, 131_072 / max(1, channelWeights * I.tileVectors * I.width))
        let pixels = images * phase.pixels
        phase.offsets.withUnsafeBufferPointer { offsets in
            phase.inputs.withUnsafeBufferPointer { inputs in
                phase.outputs.withUnsafeBufferPointer { outputs in
                    var first = range.lowerBound
                    while first < range.upperBound {
                        let last = min(range.upperBound, first &+ blocksAtOnce)
                        var start = 0
                        while start < pixels {
                            let count = min(stripPixels, pixels &- start)
                            for index in first..<last {
                                let block = blocks[index]
                                let strip = PixelRun(
                                    channels: c.inChannels, taps: phase.offsets.count, planeBytes: layout.planeSize &* size,
                                    offsets: offsets.baseAddress ?? UnsafePointer(bitPattern: 8)!,
                                    pixels: inputs.baseAddress! + start, count: count, x: x,
                                    w: packed + (phase.weights &* size &+ block.first &* channelWeights), sums: sums)
                                computeStrip(
                                    strip, block, bias.map { $0 + block.first &* size }, relu, outputs.baseAddress! + start,
                                    y + block.first &* c.outHeight &* c.outWidth &* size)
                            }
                            start &+= count
                        }
                        first = last
                    }
                }
            }
        }
    }

    /// One block of channels for the pixels of a strip.
    @inlinable @inline(__always)
    func computeStrip(
        _ strip: PixelRun, _ block: ChannelBlock, _ bias: UnsafeRawPointer?, _ relu: Bool, _ outputs: UnsafePointer<Int>,
        _ y: UnsafeMutableRawPointer
    ) {
        let lanes = block.vectors * I.width
        let depth = max(1, 18_432 / max(1, strip.taps * lanes * I.scalarSize))
        var channel = 0
        repeat {
            let run = strip.channels(channel, min(depth, strip.channels &- channel), lanes &* I.scalarSize)
            if I.hasManyRegisters, block.vectors == 4 {
                pixelTiles(I.self, InlineArray<6, Void>.self, InlineArray<4, Void>.self, run)
            } else if block.vectors == 2 {
                pixelTiles(I.self, InlineArray<6, Void>.self, InlineArray<2, Void>.self, run)
            } else {
                pixelTiles(I.self, InlineArray<6, Void>.self, InlineArray<1, Void>.self, run)
            }
            channel &+= run.channels
        } while channel < strip.channels
        turn(
            I.self, strip.count, min(lanes, c.outChannels &- block.first), lanes, strip.sums, bias, relu, outputs, y,
            c.outHeight &* c.outWidth)
    }
}

extension ISA {
    /// Whether there are 32 vector registers.
    @inlinable @inline(__always)
    static var hasManyRegisters: Bool {
        #if arch(arm64)
            true
        #else
            V.scalarCount &* MemoryLayout<Scalar>.size == 64
        #endif
    }

    /// Vectors of channels in the widest tile.
    @inlinable @inline(__always)
    static var tileVectors: Int { hasManyRegisters ? 4 : 2 }
}

/// What the tiles of a strip read and write.
@usableFromInline struct PixelRun {
    /// Channels, taps, and bytes from plane to plane.
    @usableFromInline var channels: Int
    @usableFromInline let taps, planeBytes: Int
    /// Bytes from a pixel to each tap; bytes from `x` to each pixel, and their number.
    @usableFromInline let offsets, pixels: UnsafePointer<Int>
    @usableFromInline let count: Int
    @usableFromInline var x, w: UnsafeRawPointer
    /// [pixel][lane].
    @usableFromInline let sums: UnsafeMutableRawPointer
    /// Whether the sums go on from what is there.
    @usableFromInline var continues = false

    @inlinable @inline(__always)
    init(
        channels: Int, taps: Int, planeBytes: Int, offsets: UnsafePointer<Int>, pixels: UnsafePointer<Int>, count: Int,
        x: UnsafeRawPointer, w: UnsafeRawPointer, sums: UnsafeMutableRawPointer
    ) {
        (self.channels, self.taps, self.planeBytes, self.offsets) = (channels, taps, planeBytes, offsets)
        (self.pixels, self.count, self.x, self.w, self.sums) = (pixels, count, x, w, sums)
    }

    /// The same for some of its channels; a weight of all lanes has `weightBytes`.
    @inlinable @inline(__always)
    func channels(_ first: Int, _ number: Int, _ weightBytes: Int) -> PixelRun {
        var part = self
        part.channels = number
        part.x += first &* planeBytes
        part.w += first &* taps &* weightBytes
        part.continues = first > 0
        return part
    }
}

/// The register tile, R pixels × V vectors of channels, for every R pixels of a strip.
@inlinable @inline(never)
func pixelTiles<I: ISA, let R: Int, let V: Int>(
    _: I.Type, _: InlineArray<R, Void>.Type, _: InlineArray<V, Void>.Type, _ run: PixelRun
) {
    let step = V &* I.width &* I.scalarSize
    var sums = run.sums
    var start = 0
    while start < run.count {
        // Behind the last pixel, tiles compute it again.
        var places = InlineArray<R, Int>(repeating: 0)
        for r in 0..<R { places[r] = run.pixels[Swift.min(start &+ r, run.count &- 1)] }
        var acc = InlineArray<R, InlineArray<V, I.V>>(repeating: .init(repeating: .zero))
        if run.continues {
            for r in 0..<R { for v in 0..<V { acc[r][v] = I.load(sums, (r &* V &+ v) &* I.width) } }
        }
        var (plane, w) = (run.x, run.w)
        for _ in 0..<run.channels {
            for tap in 0..<run.taps {
                let source = plane + run.offsets[tap]
                var weights = InlineArray<V, I.V>(repeating: .zero)
                for v in 0..<V { weights[v] = I.load(w, v &* I.width) }
                for r in 0..<R {
                    let value = I.broadcast(source + places[r], 0)
                    for v in 0..<V { I.fma(&acc[r][v], value, weights[v]) }
                }
                w += step
            }
            plane += run.planeBytes
        }
        for r in 0..<R { for v in 0..<V { I.store(acc[r][v], sums, (r &* V &+ v) &* I.width) } }
        sums += R &* step
        start &+= R
    }
}

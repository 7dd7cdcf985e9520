// The correlation kernel for many output channels: vectors run over output channels, pixels are broadcast.
//
// A tile is R pixels × V vectors of channels. The pixels of a tile are any R pixels that see the same taps (the tables of
// ConvolutionPixels.swift say where each one lies), so strides need no phase planes, rows no padding, and a tile runs over
// row ends and from one small image into the next: nothing is computed in vain but the last tile of a class and missing
// lanes. For each channel and tap: V aligned loads of weights, R broadcasts, R·V FMA.
// Register budget: AVX2 and SSE (16 registers) 6×2 = 12 sums, 2 weights, 1 broadcast (SSE: 1 product more); AVX-512 and
// NEON (32) 6×4 = 24 + 4 + 1, narrower remainders 6×2 and 6×1. The six places and the loop fit the 15 integer registers.
// Blocking: weights are packed once a call as [block of channels][channel][tap][lane]. A strip of about 400 pixels meets
// as many input channels at a time as keep a block's weights within 18 KiB, in the first-level cache, and all blocks
// whose weights fit the second level. The sums, [pixel][lane], are then turned to channel planes by transposing squares in
// registers, with bias and ReLU on the way.
// Input: read where it lies, unless its planes would crowd few sets of the caches.

/// A block of output channels: as many as one tile has lanes.
@usableFromInline struct ChannelBlock: Sendable {
    @usableFromInline let first, vectors: Int
    @inlinable init(first: Int, vectors: Int) { (self.first, self.vectors) = (first, vectors) }

    /// Cuts channels into the widest tiles first.
    @inlinable
    static func cut<I: ISA>(_: I.Type, _ channels: Int) -> [ChannelBlock] {
        var blocks: [ChannelBlock] = []
        var (first, vectors) = (0, I.tileVectors)
        while first < channels {
            let left = (channels - first + I.width - 1) / I.width
            while vectors > left { vectors /= 2 }
            blocks.append(ChannelBlock(first: first, vectors: vectors))
            first += vectors * I.width
        }
        return blocks
    }
}

/// Runs a correlation with vectors over output channels. Made for a shape, used for any number of inputs.
@usableFromInline final class ChannelCorrelation<I: ISA>: Sendable {
    @usableFromInline let c: Correlation
    @usableFromInline let blocks: [ChannelBlock]
    /// Output phases with the pixels of a whole unit of images, and of the last one if that has fewer.
    @usableFromInline let phases, lastPhases: [PixelPhase]
    /// Images that are worked on together, and how many such units there are over all groups.
    @usableFromInline let imagesAtOnce, units: Int
    /// Whether planes are copied, and the scalars from plane to plane and from image to image.
    @usableFromInline let copies: Bool
    @usableFromInline let planeSize, imageIn: Int
    @usableFromInline let imageOut: Int
    /// Scalars of a group's packed weights; lanes of all blocks together.
    @usableFromInline let weightCount, lanes: Int

    @inlinable
    init(_ c: Correlation) {
        self.c = c
        blocks = ChannelBlock.cut(I.self, c.outChannels)
        lanes = (c.outChannels + I.width - 1) / I.width * I.width
        // Small images are joined, so that tiles are full and weights are read seldom.
        let pixels = c.phaseRows(0) * c.phaseColumns(0)
        let atOnce = max(1, min(unitPixels / max(1, pixels), c.images * c.groups * blocks.count / 8, c.images))
        imagesAtOnce = atOnce
        units = (c.images + atOnce - 1) / atOnce * c.groups
        // Planes whose distance is a multiple of 1 KiB fall on few sets of the caches; a copy has an odd one in lines.
        let (area, line) = (c.height * c.width, 64 / I.scalarSize)
        copies = c.inChannels > 8 && area * I.scalarSize % 1024 == 0
        planeSize = copies ? ((area + line - 1) / line | 1) * line : area
        imageIn = (copies ? 1 : c.groups) * c.inChannels * planeSize
        imageOut = c.groups * c.outChannels * c.outHeight * c.outWidth
        let imagesLast = c.images - (c.images - 1) / atOnce * atOnce
        var count = 0
        var (phases, lastPhases): ([PixelPhase], [PixelPhase]) = ([], [])
        for (row, column) in c.phases {
            let phase = PixelPhase(
                I.self, c, row: row, column: column, images: atOnce, planeSize: planeSize, imageIn: imageIn,
                imageOut: imageOut, weights: count)
            phases.append(phase)
            lastPhases.append(
                imagesLast == atOnce
                    ? phase
                    : PixelPhase(
                        I.self, c, row: row, column: column, images: imagesLast, planeSize: planeSize, imageIn: imageIn,
                        imageOut: imageOut, weights: count))
            count += lanes * c.inChannels * phase.elements.count
        }
        (self.phases, self.lastPhases, weightCount) = (phases, lastPhases, count)
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
        // Many units: each is computed by one thread. Few: their blocks of channels are shared out.
        let pieces = units >= 8 ? 1 : blocks.count
        let planes = copies ? imagesAtOnce * c.inChannels * planeSize : 0
        let planeBytes = (pieces == 1 ? min(threads, units) : units) * planes * size
        let weightBytes = (c.groups * weightCount * size + 63) & ~63
        let pixels = phases.lazy.flatMap(\.tables).map(\.outputs.count).max() ?? 0
        let stripBytes = (pixels + I.width) * I.tileVectors * I.width * size
        let shiftBytes = bias == nil ? 0 : c.groups * lanes * size
        // The kernels read the tables through pointers.
        defer { withExtendedLifetime(self) {} }
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
            if copies, pieces > 1 {
                Parallel.forEach(chunks: units, work: planeBytes / 16) { _, unit in
                    copyPlanes(unit, x, planeMemory + unit * planes * size)
                }
            }
            Parallel.forEach(chunks: units * pieces, work: work, workers: threads) { worker, chunk in
                let unit = chunk / pieces
                let (image, group) = (unit / c.groups * imagesAtOnce, unit % c.groups)
                var source = x + (image * c.groups + group) * c.inChannels * c.height * c.width * size
                if copies {
                    let own = planeMemory + (pieces == 1 ? worker : unit) * planes * size
                    if pieces == 1 { copyPlanes(unit, x, own) }
                    source = UnsafeRawPointer(own)
                }
                let range = pieces == 1 ? 0..<blocks.count : chunk % pieces..<chunk % pieces + 1
                let output = y + (image * imageOut + group * c.outChannels * c.outHeight * c.outWidth) * size
                for phase in image + imagesAtOnce <= c.images ? phases : lastPhases {
                    compute(
                        phase, range, source, packed + (group * weightCount + phase.weights) * size,
                        strips + worker * stripBytes,
                        bias == nil ? nil : UnsafeRawPointer(shifts + group * lanes * size), relu, output)
                }
            }
        }
    }

    /// Copies a unit's channels into planes that do not crowd the caches.
    @inlinable @inline(__always)
    func copyPlanes(_ unit: Int, _ x: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let (size, area) = (I.scalarSize, c.height * c.width)
        let (first, group) = (unit / c.groups * imagesAtOnce, unit % c.groups)
        for image in first..<min(c.images, first + imagesAtOnce) {
            let from = x + (image * c.groups + group) * c.inChannels * area * size
            let to = target + (image - first) * imageIn * size
            for channel in 0..<c.inChannels {
                copyRow(I.self, area, from + channel * area * size, to + channel * planeSize * size)
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
        _ phase: PixelPhase, _ range: Range<Int>, _ x: UnsafeRawPointer, _ packed: UnsafeRawPointer,
        _ sums: UnsafeMutableRawPointer, _ bias: UnsafeRawPointer?, _ relu: Bool, _ y: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let channelWeights = c.inChannels * phase.elements.count * size
        // Blocks whose weights stay in the second-level cache together meet a strip while it is in the first.
        let blocksAtOnce = max(1, 131_072 / max(1, channelWeights * I.tileVectors * I.width))
        var first = range.lowerBound
        while first < range.upperBound {
            let last = min(range.upperBound, first &+ blocksAtOnce)
            for strip in phase.strips {
                for index in first..<last {
                    let block = blocks[index]
                    computeStrip(
                        phase, phase.tables[strip.table], block, x + strip.input,
                        packed + block.first &* channelWeights, sums, bias.map { $0 + block.first &* size }, relu,
                        y + (block.first &* c.outHeight &* c.outWidth &+ strip.output) &* size)
                }
            }
            first = last
        }
    }

    /// One block of channels for the pixels of a strip.
    @inlinable @inline(__always)
    func computeStrip(
        _ phase: PixelPhase, _ table: StripTable, _ block: ChannelBlock, _ x: UnsafeRawPointer, _ w: UnsafeRawPointer,
        _ sums: UnsafeMutableRawPointer, _ bias: UnsafeRawPointer?, _ relu: Bool, _ y: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let lanes = block.vectors &* I.width
        let weightBytes = phase.elements.count &* lanes &* size
        var channel = 0
        repeat {
            let channels = min(phase.depth, c.inChannels &- channel)
            for kind in table.classes {
                let tiles = PixelTiles(
                    terms: phase.terms.address(kind.terms), termCount: channels &* kind.taps,
                    inputs: table.inputs.address(kind.pixels.lowerBound),
                    slots: table.slots.address(kind.pixels.lowerBound), count: kind.pixels.count,
                    x: x + channel &* planeSize &* size, w: w + channel &* weightBytes, sums: sums,
                    continues: channel > 0)
                if I.hasManyRegisters, block.vectors == 4 {
                    tiles.compute(I.self, InlineArray<6, Void>.self, InlineArray<4, Void>.self)
                } else if block.vectors == 2 {
                    tiles.compute(I.self, InlineArray<6, Void>.self, InlineArray<2, Void>.self)
                } else {
                    tiles.compute(I.self, InlineArray<6, Void>.self, InlineArray<1, Void>.self)
                }
            }
            channel &+= channels
        } while channel < c.inChannels
        turn(
            I.self, table.outputs.count, min(lanes, c.outChannels &- block.first), lanes, sums, bias, relu,
            table.outputs.address(0), y, c.outHeight &* c.outWidth)
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

/// The pixels of a class, and what is summed for each: a single loop over input channels and taps together, as the end
/// of a short loop over taps is mispredicted so often that it costs a tenth of the time.
@usableFromInline struct PixelTiles {
    /// For each product, bytes from a pixel to the factor, and bytes to the weight (for one vector).
    @usableFromInline let terms: UnsafePointer<Int>
    @usableFromInline let termCount: Int
    /// For each pixel, bytes from `x`, and bytes into the sums (for one vector).
    @usableFromInline let inputs, slots: UnsafePointer<Int>
    @usableFromInline let count: Int
    @usableFromInline let x, w: UnsafeRawPointer
    /// [pixel][lane].
    @usableFromInline let sums: UnsafeMutableRawPointer
    /// Whether the sums go on from what is there.
    @usableFromInline let continues: Bool

    @inlinable @inline(__always)
    init(
        terms: UnsafePointer<Int>, termCount: Int, inputs: UnsafePointer<Int>, slots: UnsafePointer<Int>, count: Int,
        x: UnsafeRawPointer, w: UnsafeRawPointer, sums: UnsafeMutableRawPointer, continues: Bool
    ) {
        (self.terms, self.termCount) = (terms, termCount)
        (self.inputs, self.slots, self.count) = (inputs, slots, count)
        (self.x, self.w, self.sums, self.continues) = (x, w, sums, continues)
    }

    /// The register tile, R pixels × V vectors of channels, for every R pixels.
    @inlinable @inline(never)
    func compute<I: ISA, let R: Int, let V: Int>(_: I.Type, _: InlineArray<R, Void>.Type, _: InlineArray<V, Void>.Type)
    {
        let end = terms + 2 &* termCount
        var start = 0
        while start < count {
            // Behind the last pixel, tiles compute it again.
            var places = InlineArray<R, Int>(repeating: 0)
            for r in 0..<R { places[r] = inputs[Swift.min(start &+ r, count &- 1)] }
            var acc = InlineArray<R, InlineArray<V, I.V>>(repeating: .init(repeating: .zero))
            if continues {
                for r in 0..<R {
                    let slot = sums + slots[Swift.min(start &+ r, count &- 1)] &* V
                    for v in 0..<V { acc[r][v] = I.load(slot, v &* I.width) }
                }
            }
            var term = terms
            while term < end {
                let source = x + term[0]
                let row = w + term[1] &* V
                var weights = InlineArray<V, I.V>(repeating: .zero)
                for v in 0..<V { weights[v] = I.load(row, v &* I.width) }
                for r in 0..<R {
                    let value = I.broadcast(source + places[r], 0)
                    for v in 0..<V { I.fma(&acc[r][v], value, weights[v]) }
                }
                term += 2
            }
            for r in 0..<R {
                let slot = sums + slots[Swift.min(start &+ r, count &- 1)] &* V
                for v in 0..<V { I.store(acc[r][v], slot, v &* I.width) }
            }
            start &+= R
        }
    }
}

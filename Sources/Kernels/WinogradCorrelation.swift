// Forward and backward-data by Winograd's F(2×2, 3×3) (see WinogradTiles.swift): each of the 16 places of a transformed tile
// is summed over input channels on its own, in 16 matrix products [tiles, C] · [C, O].
//
// Transformed filters, once a call: [place][block of channels][channel][lane]; sums: [place][block][tile][lane]. The 2×2
// outputs go to [pixel][lane], and from there to planes with bias and ReLU as in the kernel with vectors over channels.
// Register tile: 6 tiles × V vectors of output channels, as there; remainders 3 high.
// Blocking: a unit is about 84 tiles. Place after place, its tiles (up to 168 KiB) stay in the second-level cache while
// block after block of filters, at most 16 KiB, stays in the first and meets them all; so every unit reads all filters
// once, and 56 to 112 tiles measured alike. With blocks outside and places inside, all tiles pass by for every block, and
// from the third level: a third slower.

/// Runs a correlation by Winograd's F(2×2, 3×3). Made for a shape, used for any number of inputs.
@usableFromInline final class WinogradCorrelation<I: ISA>: Sendable {
    @usableFromInline let c: Correlation
    @usableFromInline let tiles: WinogradTiles<I>
    @usableFromInline let blocks: [ChannelBlock]
    /// The filter's elements from top left to bottom right of the input under it.
    @usableFromInline let elements: [Int]
    /// Output channels, rounded up to whole vectors; scalars from place to place of a unit's sums.
    @usableFromInline let lanes, sumPlane: Int
    /// Pixels of a plane in order, for `turn`.
    @usableFromInline let pixels: PlaceTable

    @inlinable
    init(_ c: Correlation) {
        self.c = c
        let (vertical, horizontal) = (
            c.verticalTaps[0].sorted { $0.position < $1.position },
            c.horizontalTaps[0].sorted { $0.position < $1.position }
        )
        elements = vertical.flatMap { v in horizontal.map { v.index * 3 + $0.index } }
        tiles = WinogradTiles(c)
        blocks = ChannelBlock.cut(I.self, c.outChannels)
        lanes = (c.outChannels + I.width - 1) / I.width * I.width
        sumPlane = oddLines(I.self, tiles.room * lanes)
        pixels = PlaceTable(Array(0..<2 * tiles.rowsAtOnce * c.outWidth))
    }

    /// Transforms the filters, then computes the units in parallel.
    @inlinable @inline(never)
    func run(
        _ x: UnsafeRawPointer, _ w: UnsafeRawPointer, _ bias: UnsafeRawPointer?, _ relu: Bool,
        _ y: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let threads = min(Parallel.threads, tiles.units)
        let filterBytes = 16 * lanes * c.inChannels * size
        let shiftBytes = (lanes * size + 63) & ~63
        let outputBytes = 2 * tiles.rowsAtOnce * c.outWidth * I.tileVectors * I.width * size
        let (rowBytes, tileBytes, sumBytes) = (tiles.rowBytes, tiles.tileBytes, 16 * sumPlane * size)
        let workerBytes = (rowBytes + tileBytes + sumBytes + outputBytes + 63) & ~63
        // The kernels read the table through pointers.
        defer { withExtendedLifetime(self) {} }
        BufferPool.withScratch(filterBytes + shiftBytes + threads * workerBytes) { scratch in
            let (filters, shifts) = (scratch, scratch + filterBytes)
            let workers = shifts + shiftBytes
            if let bias {
                fill(I.self, lanes, 0, shifts)
                copyRow(I.self, c.outChannels, bias, shifts)
            }
            let channelsAtOnce = 16
            let pieces = (c.inChannels + channelsAtOnce - 1) / channelsAtOnce
            Parallel.forEach(chunks: blocks.count * pieces, work: c.inChannels * lanes * 4) { _, chunk in
                let first = chunk % pieces * channelsAtOnce
                transformFilters(
                    blocks[chunk / pieces], first..<min(c.inChannels, first + channelsAtOnce), w, filters)
            }
            let work = c.multiplications / (4 * I.width)
            Parallel.forEach(chunks: tiles.units, work: work, workers: threads) { worker, unit in
                let memory = workers + worker * workerBytes
                let sums = memory + rowBytes + tileBytes
                tiles.transform(unit, continues: false, x, memory, memory + rowBytes)
                multiply(unit, memory + rowBytes, filters, sums)
                finish(unit, sums, sums + sumBytes, bias == nil ? nil : UnsafeRawPointer(shifts), relu, y)
            }
        }
    }

    /// `G g Gᵀ` of a block's filters for some input channels.
    @inlinable @inline(__always)
    func transformFilters(
        _ block: ChannelBlock, _ channels: Range<Int>, _ w: UnsafeRawPointer, _ filters: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let width = block.vectors * I.width
        let target = filters + block.first * c.inChannels * size
        // The nine elements of a vector of filters, [element][lane].
        var nine = InlineArray<16, I.V>(repeating: .zero)
        withUnsafeMutableBytes(of: &nine) { nine in
            let g = nine.baseAddress!
            for channel in channels {
                for v in 0..<block.vectors {
                    let first = block.first + v * I.width
                    interleave(
                        I.self, 9, min(I.width, c.outChannels - first),
                        w + (first * c.weightOut + channel * c.weightIn) * size, area: c.weightOut, g, pixel: I.width)
                    transformFilter(g, target + (channel * width + v * I.width) * size)
                }
            }
        }
    }

    /// `G g Gᵀ` for a vector of filters.
    @inlinable @inline(__always)
    func transformFilter(_ g: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let half = I.V(repeating: 0.5)
        let place = lanes &* c.inChannels
        elements.withUnsafeBufferPointer { elements in
            for i in 0..<4 {
                // Row i of G g.
                @inline(__always) func row(_ column: Int) -> I.V {
                    let upper = I.load(g, elements[column] &* I.width)
                    let middle = I.load(g, elements[3 &+ column] &* I.width)
                    let lower = I.load(g, elements[6 &+ column] &* I.width)
                    switch i {
                    case 0: return upper
                    case 1: return half * (upper + lower + middle)
                    case 2: return half * (upper + lower - middle)
                    default: return lower
                    }
                }
                let (a, b, d) = (row(0), row(1), row(2))
                I.store(a, target, 4 &* i &* place)
                I.store(half * (a + d + b), target, (4 &* i &+ 1) &* place)
                I.store(half * (a + d - b), target, (4 &* i &+ 2) &* place)
                I.store(d, target, (4 &* i &+ 3) &* place)
            }
        }
    }

    /// The 16 products of a unit.
    @inlinable @inline(__always)
    func multiply(
        _ unit: Int, _ transformed: UnsafeRawPointer, _ filters: UnsafeRawPointer, _ sums: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let (images, rows) = tiles.unit(unit)
        let depthAtOnce = 16_384 / (I.tileVectors * I.width * size)
        for place in 0..<16 {
            for block in blocks {
                let width = block.vectors * I.width
                var channel = 0
                while channel < c.inChannels {
                    let channels = min(depthAtOnce, c.inChannels - channel)
                    WinogradProduct(
                        a: transformed + (place * tiles.plane + channel) * size, rowStride: tiles.rows.depth,
                        stepStride: 1, rows: images.count * rows.count * tiles.tileColumns, steps: channels,
                        b: filters + ((place * lanes + block.first) * c.inChannels + channel * width) * size,
                        sums: sums + (place * sumPlane + block.first * tiles.room) * size, continues: channel > 0
                    ).compute(I.self, vectors: block.vectors)
                    channel += channels
                }
            }
        }
    }

    /// Transforms a unit's sums back and writes its outputs.
    @inlinable @inline(__always)
    func finish(
        _ unit: Int, _ sums: UnsafeRawPointer, _ output: UnsafeMutableRawPointer, _ bias: UnsafeRawPointer?,
        _ relu: Bool, _ y: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let (images, rows) = tiles.unit(unit)
        let outRows = min(2 * rows.count, c.outHeight - 2 * rows.lowerBound)
        for block in blocks {
            let width = block.vectors * I.width
            var source = sums + block.first * tiles.room * size
            for image in images {
                for row in 0..<rows.count {
                    transformBack(
                        source, width, output + 2 * row * c.outWidth * width * size, min(2, outRows - 2 * row))
                    source += tiles.tileColumns * width * size
                }
                let plane = (image * c.outChannels + block.first) * c.outHeight + 2 * rows.lowerBound
                turn(
                    I.self, outRows * c.outWidth, min(width, c.outChannels - block.first), width, output,
                    bias.map { $0 + block.first * size }, relu, pixels.address(0), y + plane * c.outWidth * size,
                    c.outHeight * c.outWidth)
            }
        }
    }

    /// `Aᵀ m A` for a row of tiles: one or two rows of outputs, [pixel][lane].
    @inlinable @inline(never)
    func transformBack(_ sums: UnsafeRawPointer, _ width: Int, _ target: UnsafeMutableRawPointer, _ rows: Int) {
        let (place, outWidth) = (sumPlane, c.outWidth)
        for tile in 0..<tiles.tileColumns {
            for lane in stride(from: 0, to: width, by: I.width) {
                let at = tile &* width &+ lane
                let to = 2 &* tile &* width &+ lane
                @inline(__always) func read(_ row: Int, _ column: Int) -> I.V {
                    I.load(sums, at &+ (4 &* row &+ column) &* place)
                }
                @inline(__always) func write(_ row: Int, _ a: I.V, _ b: I.V, _ d: I.V, _ e: I.V) {
                    I.store(a + b + d, target, row &* outWidth &* width &+ to)
                    if 2 &* tile &+ 1 < outWidth {
                        I.store(b - d + e, target, (row &* outWidth &+ 1) &* width &+ to)
                    }
                }
                @inline(__always) func upper(_ column: Int) -> I.V {
                    read(0, column) + read(1, column) + read(2, column)
                }
                @inline(__always) func lower(_ column: Int) -> I.V {
                    read(1, column) - read(2, column) + read(3, column)
                }
                write(0, upper(0), upper(1), upper(2), upper(3))
                if rows > 1 { write(1, lower(0), lower(1), lower(2), lower(3)) }
            }
        }
    }
}

// Backward-weights by Winograd's F(2×2, 3×3) (see WinogradTiles.swift): the transformed gradient of a filter is a sum over
// tiles, 16 matrix products [C, tiles] · [tiles, O]; the gradient of the filter is that turned back, Gᵀ U G.
//
// The output's gradient: rows turned to [column][channel], tiles of 2×2 transformed to [place][block of channels][tile]
// [lane], A dY Aᵀ. Sums: [place][block][input channel][lane].
// Register tile: 6 input channels × V vectors of output channels, over the tiles of a unit.
// Blocking: the tiles of one block and place (5 KiB) stay in the first-level cache, those of the input in the second; a
// unit passes over all sums once, 1.5 bytes for each vector multiplication, so that they had better fit the third level:
// filters of more than 90,000 pairs of channels are left to the direct kernel. The units are summed in at most eight parts,
// added up in order, whatever the number of threads.

extension Winograd {
    /// Whether it pays for the gradient of the weights.
    @inlinable
    static func paysForWeights(_ s: ConvolutionShape) -> Bool {
        s.inChannels * s.outChannels <= 90_000 && pays(s)
    }
}

/// Gradients of weights by Winograd's F(2×2, 3×3). Made for a shape, used for any number of inputs.
@usableFromInline final class WinogradWeights<I: ISA>: Sendable {
    @usableFromInline let s: ConvolutionShape
    @usableFromInline let tiles: WinogradTiles<I>
    /// The output's gradient.
    @usableFromInline let gradient: PlaneRows<I>
    @usableFromInline let blocks: [ChannelBlock]
    /// Input channels rounded up to whole tiles of registers; scalars from place to place of a unit's transformed
    /// gradient, and of the sums.
    @usableFromInline let channels, gradientPlane, sumPlane: Int
    /// Units of a part, and how many parts there are.
    @usableFromInline let unitsAtOnce, parts: Int

    @inlinable
    init(_ s: ConvolutionShape) {
        self.s = s
        tiles = WinogradTiles(Correlation(forward: s))
        blocks = ChannelBlock.cut(I.self, s.outChannels)
        let lanes = (s.outChannels + I.width - 1) / I.width * I.width
        gradient = PlaneRows(
            channels: s.outChannels, depth: oddLines(I.self, lanes), height: s.outHeight, width: s.outWidth, left: 0,
            columns: 2 * tiles.tileColumns)
        channels = (s.inChannels + 2) / 3 * 3
        gradientPlane = oddLines(I.self, tiles.room * lanes)
        sumPlane = oddLines(I.self, channels * lanes)
        unitsAtOnce = (tiles.units + 7) / 8
        parts = (tiles.units + unitsAtOnce - 1) / unitsAtOnce
    }

    /// `dw`, and `dbias` if wanted.
    @inlinable @inline(never)
    func run(
        _ x: UnsafeRawPointer, _ dy: UnsafeRawPointer, _ dw: UnsafeMutableRawPointer, _ dbias: UnsafeMutableRawPointer?
    ) {
        if let dbias { reducePlanes(I.self, s.batch, s.outChannels, s.outHeight * s.outWidth, dy, dbias) }
        let size = I.scalarSize
        let threads = min(Parallel.threads, parts)
        let sumBytes = 16 * sumPlane * size
        let rowBytes = max(tiles.rowBytes, 2 * gradient.size * size)
        let gradientBytes = 16 * gradientPlane * size
        let workerBytes = (rowBytes + tiles.tileBytes + gradientBytes + 63) & ~63
        BufferPool.withScratch(parts * sumBytes + threads * workerBytes) { sums in
            let workers = sums + parts * sumBytes
            Parallel.forEach(chunks: parts, work: s.multiplications / (4 * I.width), workers: threads) { worker, part in
                let memory = workers + worker * workerBytes
                let (inputs, gradients) = (memory + rowBytes, memory + rowBytes + tiles.tileBytes)
                let first = part * unitsAtOnce
                for unit in first..<min(tiles.units, first + unitsAtOnce) {
                    tiles.transform(unit, x, memory, inputs)
                    transformGradient(unit, dy, memory, gradients)
                    multiply(unit, inputs, gradients, sums + part * sumBytes, continues: unit > first)
                }
            }
            let channelsAtOnce = 8
            let pieces = (s.inChannels + channelsAtOnce - 1) / channelsAtOnce
            Parallel.forEach(chunks: blocks.count * pieces, work: parts * sumPlane * 2) { _, chunk in
                let first = chunk % pieces * channelsAtOnce
                gather(
                    blocks[chunk / pieces], first..<min(s.inChannels, first + channelsAtOnce), sums, sumBytes, dw)
            }
        }
    }

    /// `A dY Aᵀ` for the tiles of a unit.
    @inlinable @inline(__always)
    func transformGradient(
        _ unit: Int, _ dy: UnsafeRawPointer, _ turned: UnsafeMutableRawPointer, _ target: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let (images, rows) = tiles.unit(unit)
        var tile = 0
        for image in images {
            let planes = dy + image * s.outChannels * s.outHeight * s.outWidth * size
            for row in rows {
                gradient.turn(2 * row, planes, turned)
                gradient.turn(2 * row + 1, planes, turned + gradient.size * size)
                for block in blocks {
                    transformRow(
                        turned + block.first * size, block.vectors * I.width,
                        target + (block.first * tiles.room + tile * block.vectors * I.width) * size)
                }
                tile += tiles.tileColumns
            }
        }
    }

    /// `A dY Aᵀ` for a row of tiles and a block of channels.
    @inlinable @inline(never)
    func transformRow(_ turned: UnsafeRawPointer, _ width: Int, _ target: UnsafeMutableRawPointer) {
        let (pixel, line, place) = (gradient.depth, gradient.size, gradientPlane)
        for tile in 0..<tiles.tileColumns {
            for lane in stride(from: 0, to: width, by: I.width) {
                let at = 2 &* tile &* pixel &+ lane
                let to = tile &* width &+ lane
                @inline(__always) func write(_ row: Int, _ a: I.V, _ b: I.V) {
                    I.store(a, target, 4 &* row &* place &+ to)
                    I.store(a + b, target, (4 &* row &+ 1) &* place &+ to)
                    I.store(a - b, target, (4 &* row &+ 2) &* place &+ to)
                    I.store(.zero - b, target, (4 &* row &+ 3) &* place &+ to)
                }
                let (a, b) = (I.load(turned, at), I.load(turned, at &+ pixel))
                let (d, e) = (I.load(turned, at &+ line), I.load(turned, at &+ line &+ pixel))
                write(0, a, b)
                write(1, a + d, b + e)
                write(2, a - d, b - e)
                write(3, .zero - d, .zero - e)
            }
        }
    }

    /// Adds the 16 products of a unit to the sums.
    @inlinable @inline(__always)
    func multiply(
        _ unit: Int, _ inputs: UnsafeRawPointer, _ gradients: UnsafeRawPointer, _ sums: UnsafeMutableRawPointer,
        continues: Bool
    ) {
        let size = I.scalarSize
        let (images, rows) = tiles.unit(unit)
        for place in 0..<16 {
            for block in blocks {
                WinogradProduct(
                    a: inputs + place * tiles.plane * size, rowStride: 1, stepStride: tiles.rows.depth,
                    rows: s.inChannels, steps: images.count * rows.count * tiles.tileColumns,
                    b: gradients + (place * gradientPlane + block.first * tiles.room) * size,
                    sums: sums + (place * sumPlane + block.first * channels) * size, continues: continues
                ).compute(I.self, vectors: block.vectors)
            }
        }
    }

    /// Adds up the parts and writes `Gᵀ U G` for a block of output channels and some input channels.
    @inlinable @inline(__always)
    func gather(
        _ block: ChannelBlock, _ inputs: Range<Int>, _ sums: UnsafeRawPointer, _ sumBytes: Int,
        _ dw: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let width = block.vectors * I.width
        let half = I.V(repeating: 0.5)
        // The nine elements of a vector of filters, [element][lane].
        var nine = InlineArray<16, I.V>(repeating: .zero)
        withUnsafeMutableBytes(of: &nine) { nine in
            let g = nine.baseAddress!
            for channel in inputs {
                for v in 0..<block.vectors {
                    let first = block.first + v * I.width
                    let from = sums + (block.first * channels + channel * width + v * I.width) * size
                    @inline(__always) func total(_ row: Int, _ column: Int) -> I.V {
                        let place = (4 &* row &+ column) &* sumPlane
                        var total = I.load(from, place)
                        for part in 1..<Swift.max(1, parts) { total += I.load(from + part &* sumBytes, place) }
                        return total
                    }
                    for i in 0..<3 {
                        // Row i of Gᵀ U.
                        @inline(__always) func row(_ column: Int) -> I.V {
                            let (middle, other) = (total(1, column), total(2, column))
                            switch i {
                            case 0: return total(0, column) + half * (middle + other)
                            case 1: return half * (middle - other)
                            default: return total(3, column) + half * (middle + other)
                            }
                        }
                        let (a, b, d, e) = (row(0), row(1), row(2), row(3))
                        I.store(a + half * (b + d), g, 3 &* i &* I.width)
                        I.store(half * (b - d), g, (3 &* i &+ 1) &* I.width)
                        I.store(e + half * (b + d), g, (3 &* i &+ 2) &* I.width)
                    }
                    separate(
                        I.self, 9, min(I.width, s.outChannels - first), g, pixel: I.width,
                        dw + (first * s.filterSize + channel * 9) * size, area: s.filterSize)
                }
            }
        }
    }
}

// Forward and backward-data of 3×3 and 5×5 filters by Winograd's F(2×2, k×k) (see WinogradTransforms.swift): each of the
// (k + 1)² places of a transformed tile is summed over input channels on its own, in as many matrix products [tiles, C] ·
// [C, O]. Forward of 3×3 filters with stride 2: the four phases of the input have 2×2, 2×1, 1×2 and 1×1 taps, and 9 places
// sum over those of them that have a share, 25 products [tiles, C] · [C, O] together for the 36 of a direct sum.
//
// Transformed filters, once a call: [phase of rows][place][block of channels][channel][lane]; sums: [place][block][tile]
// [lane]. The 2×2 outputs go to [pixel][lane], and from there to planes with bias and ReLU as in the kernel with vectors over
// channels.
// Register tile: 6 tiles × V vectors of output channels, as there; remainders 3 high.
// Blocking: a unit is about 84 tiles. Place after place, its tiles (up to 168 KiB) stay in the second-level cache while
// block after block of filters, at most 16 KiB, stays in the first and meets them all; so every unit reads all filters
// once, and 56 to 112 tiles measured alike. With blocks outside and places inside, all tiles pass by for every block, and
// from the third level: a third slower.

/// What a phase of the input's rows adds to a place.
@usableFromInline struct WinogradTerm: Sendable {
    /// The phase, and which of its places; how many of its channels.
    @usableFromInline let phase, place, channels: Int
    @inlinable
    init(phase: Int, place: Int, channels: Int) {
        (self.phase, self.place, self.channels) = (phase, place, channels)
    }
}

/// Runs a correlation by Winograd's F(2×2, k×k). Made for a shape, used for any number of inputs.
@usableFromInline final class WinogradCorrelation<I: ISA>: Sendable {
    @usableFromInline let c: Correlation
    /// The input's tiles, for each phase of its rows.
    @usableFromInline let phases: [WinogradTiles<I>]
    @usableFromInline let blocks: [ChannelBlock]
    /// For each place, what it is the sum of.
    @usableFromInline let terms: [[WinogradTerm]]
    /// The filter's elements from top left to bottom right of the input under it.
    @usableFromInline let elements: [Int]
    /// G, [point][tap].
    @usableFromInline let matrix: [I.Scalar]
    /// Output channels, rounded up to whole vectors; input channels of a phase of rows; scalars from place to place of a
    /// unit's sums.
    @usableFromInline let lanes, channels, sumPlane: Int
    /// Where the filters of each phase begin, and how many scalars all have.
    @usableFromInline let filterStarts: [Int]
    @usableFromInline let filterCount: Int
    /// Pixels of a plane in order, for `turn`.
    @usableFromInline let pixels: PlaceTable

    @inlinable
    init(_ c: Correlation) {
        self.c = c
        let (vertical, horizontal) = (
            c.verticalTaps[0].sorted { $0.position < $1.position },
            c.horizontalTaps[0].sorted { $0.position < $1.position }
        )
        let taps = vertical.count
        elements = vertical.flatMap { v in horizontal.map { v.index * taps + $0.index } }
        matrix = Winograd.filterMatrix(taps: taps).map { I.Scalar($0) }
        let inChannels = c.inChannels
        if c.inStepHeight == 1 {
            let tiles = WinogradTiles<I>(c, rowTaps: taps, taps: taps)
            phases = [tiles]
            terms = (0..<tiles.places).map { [WinogradTerm(phase: 0, place: $0, channels: inChannels)] }
        } else {
            phases = (0..<2).map { WinogradTiles(c, rowTaps: 2 - $0, taps: 2, phase: $0) }
            // Odd rows and columns have no share in the point 1.
            terms = (0..<9).map { place in
                let (row, column) = (place / 3, place % 3)
                let channels = column == 1 ? inChannels : 2 * inChannels
                let even = WinogradTerm(phase: 0, place: place, channels: channels)
                if row == 1 { return [even] }
                return [even, WinogradTerm(phase: 1, place: row / 2 * 3 + column, channels: channels)]
            }
        }
        blocks = ChannelBlock.cut(I.self, c.outChannels)
        let lanes = (c.outChannels + I.width - 1) / I.width * I.width
        let channels = inChannels * c.inStepWidth
        (self.lanes, self.channels) = (lanes, channels)
        var starts = [0]
        for phase in phases { starts.append(starts.last! + phase.places * lanes * channels) }
        filterCount = starts.removeLast()
        filterStarts = starts
        sumPlane = oddLines(I.self, phases[0].room * lanes)
        pixels = PlaceTable(Array(0..<2 * phases[0].rowsAtOnce * c.outWidth))
    }

    /// Transforms the filters, then computes the units in parallel.
    @inlinable @inline(never)
    func run(
        _ x: UnsafeRawPointer, _ w: UnsafeRawPointer, _ bias: UnsafeRawPointer?, _ relu: Bool,
        _ y: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let tiles = phases[0]
        let threads = min(Parallel.threads, tiles.units)
        let filterBytes = (filterCount * size + 63) & ~63
        let shiftBytes = (lanes * size + 63) & ~63
        let outputBytes = 2 * tiles.rowsAtOnce * c.outWidth * I.tileVectors * I.width * size
        // A worker: rows and tiles of each phase, then sums and outputs.
        let (phaseBytes, sumBytes) = ((tiles.rowBytes + tiles.tileBytes + 63) & ~63, terms.count * sumPlane * size)
        let workerBytes = (phases.count * phaseBytes + sumBytes + outputBytes + 63) & ~63
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
                let (inputs, sums) = (memory + tiles.rowBytes, memory + phases.count * phaseBytes)
                for (phase, tiles) in phases.enumerated() {
                    tiles.transform(
                        unit, continues: false, x, memory + phase * phaseBytes, inputs + phase * phaseBytes)
                }
                multiply(unit, inputs, phaseBytes, filters, sums)
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
        let target = filters + block.first * self.channels * size
        // The elements of a vector of filters, [element][lane].
        var elements = InlineArray<32, I.V>(repeating: .zero)
        withUnsafeMutableBytes(of: &elements) { elements in
            let g = elements.baseAddress!
            for channel in channels {
                for v in 0..<block.vectors {
                    let first = block.first + v * I.width
                    interleave(
                        I.self, self.elements.count, min(I.width, c.outChannels - first),
                        w + (first * c.weightOut + channel * c.weightIn) * size, area: c.weightOut, g, pixel: I.width)
                    let place = target + (channel * width + v * I.width) * size
                    if phases.count > 1 {
                        transformFilterPhases(g, place, c.inChannels * width)
                    } else if self.elements.count == 9 {
                        transformFilter(g, place)
                    } else {
                        transformLargeFilter(g, place)
                    }
                }
            }
        }
    }

    /// `G g Gᵀ` for a vector of filters, 3×3.
    @inlinable @inline(__always)
    func transformFilter(_ g: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let half = I.V(repeating: 0.5)
        let place = lanes &* channels
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

    /// The same for larger ones.
    @inlinable @inline(never)
    func transformLargeFilter(_ g: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let (taps, place) = (phases[0].taps, lanes &* channels)
        for i in 0...taps {
            // Row i of G g.
            var row = InlineArray<5, I.V>(repeating: .zero)
            for column in 0..<taps {
                for tap in 0..<taps {
                    row[column] += I.load(g, elements[tap &* taps &+ column] &* I.width) * matrix[i &* taps &+ tap]
                }
            }
            for j in 0...taps {
                var sum = I.V.zero
                for tap in 0..<taps { sum += row[tap] * matrix[j &* taps &+ tap] }
                I.store(sum, target, (i &* (taps &+ 1) &+ j) &* place)
            }
        }
    }

    /// The same for the phases of a filter with stride 2; those of odd columns lie `odd` scalars behind.
    @inlinable @inline(__always)
    func transformFilterPhases(_ g: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ odd: Int) {
        let (size, place) = (I.scalarSize, lanes &* channels)
        let second = target + filterStarts[1] &* size
        elements.withUnsafeBufferPointer { elements in
            for column in 0..<3 {
                let upper = I.load(g, elements[column] &* I.width)
                let middle = I.load(g, elements[3 &+ column] &* I.width)
                let lower = I.load(g, elements[6 &+ column] &* I.width)
                // Columns 0 and 2 are the taps of even columns, at infinity the second; 1 is that of odd ones.
                let at = column == 1 ? odd : column &* place
                for (row, value) in [upper, upper + lower, lower].enumerated() {
                    I.store(value, target, 3 &* row &* place &+ at)
                    if column == 1 { I.store(value, target, (3 &* row &+ 2) &* place &+ odd) }
                }
                for row in 0..<2 {
                    I.store(middle, second, 3 &* row &* place &+ at)
                    if column == 1 { I.store(middle, second, (3 &* row &+ 2) &* place &+ odd) }
                }
            }
            // The point 1 of even columns.
            for row in 0..<5 {
                let to = row < 3 ? target : second
                let at = 3 &* (row % 3) &* place
                I.store(I.load(to, at) + I.load(to, at &+ 2 &* place), to, at &+ place)
            }
        }
    }

    /// The products of a unit.
    @inlinable @inline(__always)
    func multiply(
        _ unit: Int, _ transformed: UnsafeRawPointer, _ phaseBytes: Int, _ filters: UnsafeRawPointer,
        _ sums: UnsafeMutableRawPointer
    ) {
        let (size, tiles) = (I.scalarSize, phases[0])
        let (images, rows) = tiles.unit(unit)
        let depthAtOnce = 16_384 / (I.tileVectors * I.width * size)
        for place in terms.indices {
            for block in blocks {
                let width = block.vectors * I.width
                var continues = false
                for term in terms[place] {
                    let tile = transformed + term.phase * phaseBytes + term.place * phases[term.phase].plane * size
                    let filter = filterStarts[term.phase] + (term.place * lanes + block.first) * channels
                    var channel = 0
                    while channel < term.channels {
                        let steps = min(depthAtOnce, term.channels - channel)
                        WinogradProduct(
                            a: tile + channel * size, rowStride: tiles.depth, stepStride: 1,
                            rows: images.count * rows.count * tiles.tileColumns, steps: steps,
                            b: filters + (filter + channel * width) * size,
                            sums: sums + (place * sumPlane + block.first * tiles.room) * size, continues: continues
                        ).compute(I.self, vectors: block.vectors)
                        continues = true
                        channel += steps
                    }
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
        let (size, tiles) = (I.scalarSize, phases[0])
        let (images, rows) = tiles.unit(unit)
        let outRows = min(2 * rows.count, c.outHeight - 2 * rows.lowerBound)
        for block in blocks {
            let width = block.vectors * I.width
            var source = sums + block.first * tiles.room * size
            for image in images {
                for row in 0..<rows.count {
                    let target = output + 2 * row * c.outWidth * width * size
                    let count = min(2, outRows - 2 * row)
                    switch terms.count {
                    case 9: transformBack(source, width, target, count, InlineArray<3, Void>.self)
                    case 16: transformBack(source, width, target, count, InlineArray<4, Void>.self)
                    default: transformBack(source, width, target, count, InlineArray<6, Void>.self)
                    }
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

    /// `Aᵀ m A` for a row of tiles with N×N places: one or two rows of outputs, [pixel][lane].
    @inlinable @inline(never)
    func transformBack<let N: Int>(
        _ sums: UnsafeRawPointer, _ width: Int, _ target: UnsafeMutableRawPointer, _ rows: Int,
        _: InlineArray<N, Void>.Type
    ) {
        let (place, outWidth) = (sumPlane, c.outWidth)
        for tile in 0..<phases[0].tileColumns {
            for lane in stride(from: 0, to: width, by: I.width) {
                let at = tile &* width &+ lane
                let to = 2 &* tile &* width &+ lane
                @inline(__always) func read(_ row: Int, _ column: Int) -> I.V {
                    I.load(sums, at &+ (N &* row &+ column) &* place)
                }
                @inline(__always) func write(_ row: Int, _ m: InlineArray<N, I.V>) {
                    let (left, right) = Winograd.results(I.self, m)
                    I.store(left, target, row &* outWidth &* width &+ to)
                    if 2 &* tile &+ 1 < outWidth { I.store(right, target, (row &* outWidth &+ 1) &* width &+ to) }
                }
                var (upper, lower) = (
                    InlineArray<N, I.V>(repeating: .zero), InlineArray<N, I.V>(repeating: .zero)
                )
                for column in 0..<N {
                    var places = InlineArray<N, I.V>(repeating: .zero)
                    for row in 0..<N { places[row] = read(row, column) }
                    (upper[column], lower[column]) = Winograd.results(I.self, places)
                }
                write(0, upper)
                if rows > 1 { write(1, lower) }
            }
        }
    }
}

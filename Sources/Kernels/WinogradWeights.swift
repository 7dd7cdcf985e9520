// Backward-weights by Winograd's F(2×2, k×k) (see WinogradTransforms.swift): the transformed gradient of a filter is a sum
// over tiles, (k + 1)² matrix products [C, tiles] · [tiles, O]; the gradient of the filter is that turned back, Gᵀ U G.
//
// The output's gradient: rows turned to [pixel][channel], tiles of 2×2 transformed along columns to [point][side][block of
// channels][tile][lane]; the products transform along rows as they load, an addition for each vector that they use six
// times or more. The bias's gradient is made of the tiles' sums on the way. Sums: [place][block][row][lane], with a row for
// each input channel, and with stride 2 for each phase of its columns.
// Register tile: 6 rows × V vectors of output channels, over the tiles of a unit.
// Blocking: the tiles of one block and point (10 KiB) stay in the first-level cache, those of the input in the second. If
// these are few, block after block of the gradient is transformed and used, so that it stays there too. A unit passes over
// all sums once, 1.5 bytes for each vector multiplication, so that they had better fit the third level: filters of more
// pairs of channels are left to the direct kernel. The units are summed in at most eight parts, added up in order, whatever
// the number of threads.

/// Gradients of weights by Winograd's F(2×2, k×k). Made for a shape, used for any number of inputs.
@usableFromInline final class WinogradWeights<I: ISA>: Sendable {
    @usableFromInline let s: ConvolutionShape
    /// The input's tiles, for each phase of its rows.
    @usableFromInline let phases: [WinogradTiles<I>]
    @usableFromInline let blocks: [ChannelBlock]
    /// Blocks that are worked on together.
    @usableFromInline let blocksAtOnce: Int
    /// G of each phase, [point][tap].
    @usableFromInline let matrices: [[I.Scalar]]
    /// Rows of sums, and as many rounded up to whole tiles of registers.
    @usableFromInline let rows, roundedRows: Int
    /// Scalars from place to place of a unit's transformed gradient, and of the sums; lanes of all blocks.
    @usableFromInline let gradientPlane, sumPlane, lanes: Int
    /// Places of all phases, and where those of each begin.
    @usableFromInline let sumPlaces: Int
    @usableFromInline let firstPlaces: [Int]
    /// Units of a part, and how many parts there are.
    @usableFromInline let unitsAtOnce, parts: Int

    @inlinable
    init(_ s: ConvolutionShape) {
        self.s = s
        let taps = Winograd.taps(s, phase: 0)
        phases = (0..<s.strideHeight).map {
            WinogradTiles(Correlation(forward: s), rowTaps: Winograd.rowTaps(s, phase: $0), taps: taps, phase: $0)
        }
        matrices = phases.map { Winograd.filterMatrix(taps: $0.rowTaps).map { I.Scalar($0) } }
        var firstPlaces = [0]
        for phase in phases { firstPlaces.append(firstPlaces.last! + phase.places) }
        sumPlaces = firstPlaces.removeLast()
        self.firstPlaces = firstPlaces
        rows = s.inChannels * s.strideWidth
        roundedRows = (rows + 2) / 3 * 3
        blocks = ChannelBlock.cut(I.self, s.outChannels)
        lanes = (s.outChannels + I.width - 1) / I.width * I.width
        let (size, tiles) = (I.scalarSize, phases[0])
        let block = blocks[0].vectors * I.width
        blocksAtOnce =
            sumPlaces * tiles.plane * size > 131_072
            ? blocks.count : min(blocks.count, max(1, 131_072 / (2 * (taps + 1) * tiles.room * block * size)))
        gradientPlane = oddLines(I.self, tiles.room * min(lanes, blocksAtOnce * block))
        sumPlane = oddLines(I.self, roundedRows * lanes)
        unitsAtOnce = (tiles.units + 7) / 8
        parts = (tiles.units + unitsAtOnce - 1) / unitsAtOnce
    }

    /// `dw`, and `dbias` if wanted.
    @inlinable @inline(never)
    func run(
        _ x: UnsafeRawPointer, _ dy: UnsafeRawPointer, _ dw: UnsafeMutableRawPointer, _ dbias: UnsafeMutableRawPointer?
    ) {
        let size = I.scalarSize
        let threads = min(Parallel.threads, parts)
        // A part: its sums, then those of the bias.
        let partBytes = (sumPlaces * sumPlane + oddLines(I.self, lanes)) * size
        let turnedBytes = 2 * phases[0].rowsAtOnce * s.outWidth * I.tileVectors * I.width * size
        // A worker: rows and tiles of each phase, then those of the gradient.
        let phaseBytes = (phases[0].rowBytes + phases[0].tileBytes + 63) & ~63
        let gradientBytes = 2 * (phases[0].taps + 1) * gradientPlane * size
        let workerBytes = (phases.count * phaseBytes + turnedBytes + gradientBytes + 63) & ~63
        BufferPool.withScratch(parts * partBytes + threads * workerBytes) { sums in
            let workers = sums + parts * partBytes
            Parallel.forEach(chunks: parts, work: s.multiplications / (4 * I.width), workers: threads) { worker, part in
                let memory = workers + worker * workerBytes
                let inputs = memory + phases[0].rowBytes
                let turned = memory + phases.count * phaseBytes
                let mine = sums + part * partBytes
                let biasSums = mine + sumPlaces * sumPlane * size
                fill(I.self, lanes, 0, biasSums)
                let first = part * unitsAtOnce
                for unit in first..<min(phases[0].units, first + unitsAtOnce) {
                    for (phase, tiles) in phases.enumerated() {
                        tiles.transform(
                            unit, continues: unit > first, x, memory + phase * phaseBytes, inputs + phase * phaseBytes)
                    }
                    var block = 0
                    while block < blocks.count {
                        let together = block..<min(blocks.count, block + blocksAtOnce)
                        transformGradient(unit, together, dy, turned, turned + turnedBytes, biasSums)
                        for phase in phases.indices {
                            multiply(
                                unit, phase, together, inputs + phase * phaseBytes, turned + turnedBytes, mine,
                                continues: unit > first)
                        }
                        block += blocksAtOnce
                    }
                }
            }
            let channelsAtOnce = 8
            let pieces = (s.inChannels + channelsAtOnce - 1) / channelsAtOnce
            Parallel.forEach(chunks: blocks.count * pieces, work: parts * sumPlane * 2) { _, chunk in
                let first = chunk % pieces * channelsAtOnce
                gather(
                    blocks[chunk / pieces], first..<min(s.inChannels, first + channelsAtOnce), sums, partBytes, dw)
            }
            if let dbias { gatherBias(sums + sumPlaces * sumPlane * size, partBytes, dbias) }
        }
    }

    /// `A dY` for the tiles of a unit and some blocks.
    @inlinable @inline(__always)
    func transformGradient(
        _ unit: Int, _ together: Range<Int>, _ dy: UnsafeRawPointer, _ turned: UnsafeMutableRawPointer,
        _ target: UnsafeMutableRawPointer, _ biasSums: UnsafeMutableRawPointer
    ) {
        let (size, tiles) = (I.scalarSize, phases[0])
        let (images, rows) = tiles.unit(unit)
        let area = s.outHeight * s.outWidth
        let first = blocks[together.lowerBound].first
        for block in blocks[together] {
            let width = block.vectors * I.width
            let channels = min(width, s.outChannels - block.first)
            var to = target + (block.first - first) * tiles.room * size
            for image in images {
                let planes = dy + (image * s.outChannels + block.first) * area * size
                turn(2 * rows.lowerBound, 2 * rows.count, planes, channels, width, turned)
                for row in 0..<rows.count {
                    let from = turned + 2 * row * s.outWidth * width * size
                    let tile = to + row * tiles.tileColumns * width * size
                    let bias = biasSums + block.first * size
                    switch tiles.taps {
                    case 3: transformRow(from, width, tile, bias, InlineArray<4, Void>.self)
                    case 4: transformRow(from, width, tile, bias, InlineArray<5, Void>.self)
                    default: transformRow(from, width, tile, bias, InlineArray<6, Void>.self)
                    }
                }
                to += rows.count * tiles.tileColumns * width * size
            }
        }
    }

    /// Turns some rows of the output's gradient to [pixel][channel]; zeros below the image.
    @inlinable @inline(__always)
    func turn(
        _ first: Int, _ rows: Int, _ planes: UnsafeRawPointer, _ channels: Int, _ width: Int,
        _ target: UnsafeMutableRawPointer
    ) {
        let (size, area) = (I.scalarSize, s.outHeight * s.outWidth)
        let pixels = max(0, min(rows, s.outHeight - first)) * s.outWidth
        fill(I.self, (rows * s.outWidth - pixels) * width, 0, target + pixels * width * size)
        if pixels == 0 { return }
        for channel in stride(from: 0, to: channels, by: I.width) {
            interleave(
                I.self, pixels, min(I.width, channels - channel), planes + (channel * area + first * s.outWidth) * size,
                area: area, target + channel * size, pixel: width)
        }
    }

    /// `A dY` for a row of tiles and a block of channels, N = k + 1 points; adds the tiles' sums to `bias`.
    @inlinable @inline(never)
    func transformRow<let N: Int>(
        _ turned: UnsafeRawPointer, _ width: Int, _ target: UnsafeMutableRawPointer, _ bias: UnsafeMutableRawPointer,
        _: InlineArray<N, Void>.Type
    ) {
        let (line, place) = (s.outWidth &* width, gradientPlane)
        let unit = I.Scalar(Winograd.unit(N))
        for tile in 0..<phases[0].tileColumns {
            for lane in stride(from: 0, to: width, by: I.width) {
                let at = 2 &* tile &* width &+ lane
                let (a, d) = (I.load(turned, at), I.load(turned, at &+ line))
                var (b, e) = (I.V.zero, I.V.zero)
                if 2 &* tile &+ 1 < s.outWidth {
                    (b, e) = (I.load(turned, at &+ width), I.load(turned, at &+ line &+ width))
                }
                I.store(I.load(bias, lane) + ((a + d) + (b + e)), bias, lane)
                let left: InlineArray<N, I.V> = Winograd.outputs(I.self, a, d * unit)
                let right: InlineArray<N, I.V> = Winograd.outputs(I.self, b * unit, e * (unit * unit))
                var to = target + (tile &* width &+ lane) &* I.scalarSize
                for i in 0..<N {
                    I.store(left[i], to, 0)
                    I.store(right[i], to, place)
                    to += 2 &* place &* I.scalarSize
                }
            }
        }
    }

    /// Adds the products of a unit, of one phase and some blocks, to the sums.
    @inlinable @inline(__always)
    func multiply(
        _ unit: Int, _ phase: Int, _ together: Range<Int>, _ inputs: UnsafeRawPointer, _ gradients: UnsafeRawPointer,
        _ sums: UnsafeMutableRawPointer, continues: Bool
    ) {
        let (size, tiles) = (I.scalarSize, phases[phase])
        let (images, tileRows) = tiles.unit(unit)
        let steps = images.count * tileRows.count * tiles.tileColumns
        let (inputPlane, channelStride, tileStride) = (tiles.plane, tiles.channelStride, tiles.tileStride)
        let (rowTaps, taps, blockRoom) = (tiles.rowTaps, tiles.taps, tiles.room)
        let (first, firstPlace) = (blocks[together.lowerBound].first, firstPlaces[phase])
        for i in 0...rowTaps {
            for j in 0...taps {
                let place = i &* (taps &+ 1) &+ j
                // A phase with a tap less goes without the last point but infinity.
                let row = i < rowTaps ? i : taps
                let gradient = gradients + (2 &* row &+ (j == taps ? 1 : 0)) &* gradientPlane &* size
                let target = sums + (firstPlace &+ place) &* sumPlane &* size
                for index in together {
                    let block = blocks[index]
                    WinogradProduct(
                        a: inputs + place &* inputPlane &* size, rowStride: channelStride, stepStride: tileStride,
                        rows: rows, steps: steps, b: gradient + (block.first &- first) &* blockRoom &* size,
                        sums: target + block.first &* roundedRows &* size, continues: continues
                    ).compute(I.self, vectors: block.vectors, other: gradientPlane, point: j == taps ? 0 : j)
                }
            }
        }
    }

    /// Adds up the parts and writes `Gᵀ U G` for a block of output channels and some input channels.
    @inlinable @inline(__always)
    func gather(
        _ block: ChannelBlock, _ inputs: Range<Int>, _ sums: UnsafeRawPointer, _ partBytes: Int,
        _ dw: UnsafeMutableRawPointer
    ) {
        let (size, width) = (I.scalarSize, block.vectors * I.width)
        let area = s.kernelHeight * s.kernelWidth
        // At most ten by ten elements of a vector of filters, [element][lane].
        var elements = InlineArray<100, I.V>(repeating: .zero)
        withUnsafeMutableBytes(of: &elements) { elements in
            let g = elements.baseAddress!
            for channel in inputs {
                for v in 0..<block.vectors {
                    for phase in phases.indices {
                        for column in 0..<s.strideWidth {
                            let row = column * s.inChannels + channel
                            let from = firstPlaces[phase] * sumPlane + block.first * roundedRows + row * width
                            turnBack(sums + (from + v * I.width) * size, partBytes, phase, column, g)
                        }
                    }
                    let first = block.first + v * I.width
                    separate(
                        I.self, area, min(I.width, s.outChannels - first), g, pixel: I.width,
                        dw + (first * s.filterSize + channel * area) * size, area: s.filterSize)
                }
            }
        }
    }

    /// `Gᵀ U G` of one phase of a vector of filters: the elements whose row and column leave these remainders.
    @inlinable @inline(__always)
    func turnBack(
        _ sums: UnsafeRawPointer, _ partBytes: Int, _ phase: Int, _ firstColumn: Int,
        _ elements: UnsafeMutableRawPointer
    ) {
        let (rowMatrix, columnMatrix) = (matrices[phase], matrices[0])
        let (rowTaps, taps, step) = (phases[phase].rowTaps, phases[phase].taps, s.strideWidth)
        // U G.
        var product = InlineArray<36, I.V>(repeating: .zero)
        for row in 0...rowTaps {
            for column in 0...taps {
                let place = (row &* (taps &+ 1) &+ column) &* sumPlane
                var total = I.load(sums, place)
                for part in 1..<Swift.max(1, parts) { total += I.load(sums + part &* partBytes, place) }
                for tap in 0..<taps {
                    // Infinity has a share in the last tap alone, which a phase may not have: no NaN · 0 for the others.
                    let factor = columnMatrix[column &* taps &+ tap]
                    if factor != 0 { product[row &* taps &+ tap] += total * factor }
                }
            }
        }
        for i in 0..<rowTaps where phase &+ i &* step < s.kernelHeight {
            for j in 0..<taps where firstColumn &+ j &* step < s.kernelWidth {
                var element = I.V.zero
                for row in 0...rowTaps {
                    let factor = rowMatrix[row &* rowTaps &+ i]
                    if factor != 0 { element += product[row &* taps &+ j] * factor }
                }
                let place = (phase &+ i &* step) &* s.kernelWidth &+ firstColumn &+ j &* step
                I.store(element, elements, place &* I.width)
            }
        }
    }

    /// Adds up the parts' sums of the bias's gradient.
    @inlinable @inline(__always)
    func gatherBias(_ sums: UnsafeRawPointer, _ partBytes: Int, _ dbias: UnsafeMutableRawPointer) {
        for channel in 0..<s.outChannels {
            var total: Double = 0
            for part in 0..<parts {
                total += Double(
                    (sums + part * partBytes).load(fromByteOffset: channel * I.scalarSize, as: I.Scalar.self))
            }
            dbias.storeBytes(of: I.Scalar(total), toByteOffset: channel * I.scalarSize, as: I.Scalar.self)
        }
    }
}

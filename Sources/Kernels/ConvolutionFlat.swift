// The correlation kernel for few output channels (first layers, depthwise): vectors run along the pixels of a plane.
//
// For each image the input channels lie in padded planes, with stride s split into s×s phase planes. An output is
// computed at flat positions row·rowStride + column of the plane, so that the vector runs straight over row ends; the few
// garbage positions between rows are dropped when rows are copied out, and that copy adds the bias and applies ReLU for
// nothing.
// Register tile: R output channels × V vectors of positions; inner loop over channel and tap: V unaligned loads, R
// broadcast weights, R·V FMA. AVX2 (16 registers) 4×3: 12 accumulators + 3 + 1. AVX-512 (32) 8×3: 24 + 3 + 1. Baseline
// 4×2: 8 + 2 + 2 (a product needs a register of its own). What is left of a row of tiles takes tiles of 2 and 1 vectors.
// One, two or three output channels (depthwise, the gradient of an image) take 1×8, 2×4 and 3×4, nothing in vain.
// Blocking: 32 input channels at a time, so that a tile's weights (32·9·R scalars) stay in the first-level cache;
// partial sums wait in a scratch row of R·positions. Weights are packed once a call as [block][channel][tap][R], a row of
// biases before each block.
// Where rows are about whole vectors, tiles keep to a row and write their outputs at once: ConvolutionRows.swift.

/// Runs a correlation over all images: packs, then one chunk an image and group (or, when there are few, a chunk a piece of
/// one).
@inlinable @inline(never)
func flatCorrelation<I: ISA, let R: Int, let V: Int>(
    _: I.Type, _ rowsType: InlineArray<R, Void>.Type, _ vectorsType: InlineArray<V, Void>.Type, _ plan: FlatPlan<I>,
    _ x: UnsafeRawPointer, _ w: UnsafeRawPointer, _ bias: UnsafeRawPointer?, _ relu: Bool, _ y: UnsafeMutableRawPointer
) {
    let size = I.scalarSize
    let (c, layout, phases) = (plan.c, plan.layout, plan.phases)
    let (blocks, weightCount) = (plan.blocks, plan.weightCount)
    // The kernels read the tables through pointers.
    defer { withExtendedLifetime(plan) {} }
    let positions = c.phaseRows(0) * layout.rowStride + V * I.width
    let planes = c.inChannels * layout.planeSize + V * I.width  // a tile may read past its last position
    let units = c.images * c.groups
    let perImage = units >= 8
    let threads = Parallel.threads
    let planesCount = perImage ? threads : units
    let work = c.multiplications / 16
    let total = c.groups * weightCount + planesCount * planes + threads * R * positions
    BufferPool.withScratch((total + 64) * size) { scratch in
        let packed = scratch
        let planeMemory = packed + c.groups * weightCount * size
        let rowMemory = planeMemory + planesCount * planes * size
        Parallel.forEach(chunks: c.groups * blocks.count, work: c.groups * weightCount) { _, chunk in
            let (group, block) = (chunk / blocks.count, blocks[chunk % blocks.count])
            for phase in phases {
                packFilters(
                    I.self, c, phase, block, w + group * c.weightGroup * size,
                    bias.map { $0 + group * c.outChannels * size },
                    packed + (group * weightCount + phase.weights + block.first * phase.packedRows(c)) * size)
            }
        }
        let imageIn = c.groups * c.inChannels * c.height * c.width
        func fillUnit(_ unit: Int, _ channels: Range<Int>, _ target: UnsafeMutableRawPointer) {
            let (image, group) = (unit / c.groups, unit % c.groups)
            let source = x + (image * imageIn + group * c.inChannels * c.height * c.width) * size
            for channel in channels {
                fillPlanes(
                    I.self, c, layout, source + channel * c.height * c.width * size,
                    target + channel * layout.planeSize * size)
            }
        }
        func computeUnit(_ unit: Int, _ pieces: Range<Int>, _ planes: UnsafeRawPointer, _ worker: Int) {
            let group = unit % c.groups
            let area = c.outHeight * c.outWidth
            let output = y + unit * c.outChannels * area * size
            for phase in phases {
                let packedRows = phase.packedRows(c)
                for piece in pieces {
                    for index in plan.keepsToRows ? 0..<blocks.count : piece..<piece + 1 {
                        let block = blocks[index]
                        let weights = packed + (group * weightCount + phase.weights + block.first * packedRows) * size
                        let used = min(block.rows, c.outChannels - block.first)
                        let target = output + block.first * area * size
                        if plan.keepsToRows {
                            let row = piece * plan.rowsAtOnce
                            let tile = FlatRows(
                                terms: phase.terms.address(0), termCount: packedRows - 1,
                                x: planes + row * layout.rowStride * size, rowStride: layout.rowStride, w: weights,
                                relu: relu, y: target + row * c.outWidth * size,
                                rows: min(plan.rowsAtOnce, c.outHeight - row), columns: c.outWidth, area: area,
                                used: used)
                            if block.rows == 6 {
                                tile.compute(I.self, InlineArray<6, Void>.self, vectors: plan.rowVectors)
                            } else {
                                tile.compute(I.self, rowsType, vectors: plan.rowVectors)
                            }
                        } else {
                            flatBlock(
                                I.self, rowsType, vectorsType, c, layout, phase, planes, weights,
                                rowMemory + worker * R * positions * size, positions, target, used, relu)
                        }
                    }
                }
            }
        }
        // A piece: some rows, which stay in the first-level cache while all blocks pass by, or one block.
        let pieces = plan.keepsToRows ? (c.outHeight + plan.rowsAtOnce - 1) / plan.rowsAtOnce : blocks.count
        if perImage {
            Parallel.forEach(chunks: units, work: work, workers: threads) { worker, unit in
                let target = planeMemory + worker * planes * size
                fillUnit(unit, 0..<c.inChannels, target)
                computeUnit(unit, 0..<pieces, target, worker)
            }
        } else {
            Parallel.forEach(chunks: units * c.inChannels, work: units * planes) { _, chunk in
                let unit = chunk / c.inChannels
                let channel = chunk % c.inChannels
                fillUnit(unit, channel..<channel + 1, planeMemory + unit * planes * size)
            }
            Parallel.forEach(chunks: units * pieces, work: work, workers: threads) { worker, chunk in
                let (unit, piece) = (chunk / pieces, chunk % pieces)
                computeUnit(unit, piece..<piece + 1, planeMemory + unit * planes * size, worker)
            }
        }
    }
}

/// Biases (or zeros) of a block of output channels, then weights as [channel][tap][row], zeros where there are fewer.
@inlinable @inline(__always)
func packFilters<I: ISA>(
    _: I.Type, _ c: Correlation, _ phase: FlatPhase, _ block: FlatBlock, _ w: UnsafeRawPointer,
    _ bias: UnsafeRawPointer?, _ target: UnsafeMutableRawPointer
) {
    let from = w.assumingMemoryBound(to: I.Scalar.self) + block.first * c.weightOut
    var to = target.assumingMemoryBound(to: I.Scalar.self)
    let used = min(block.rows, c.outChannels - block.first)
    for r in 0..<block.rows { to[r] = 0 }
    if let bias { copyRow(I.self, used, bias + block.first * I.scalarSize, target) }
    to += block.rows
    let taps = phase.elements.count
    phase.elements.withUnsafeBufferPointer { elements in
        for channel in 0..<c.inChannels {
            let source = from + channel &* c.weightIn
            for tap in 0..<taps {
                let element = elements[tap]
                for r in 0..<used { to[r] = source[r &* c.weightOut &+ element] }
                for r in used..<block.rows { to[r] = 0 }
                to += block.rows
            }
        }
    }
}

/// Copies one channel into its padded phase planes.
@inlinable @inline(__always)
func fillPlanes<I: ISA>(
    _: I.Type, _ c: Correlation, _ layout: FlatLayout, _ x: UnsafeRawPointer, _ target: UnsafeMutableRawPointer
) {
    let from = x.assumingMemoryBound(to: I.Scalar.self)
    var to = target.assumingMemoryBound(to: I.Scalar.self)
    for phase in layout.usedPhases {
        let (firstRow, firstColumn) = (phase / c.inStepWidth, phase % c.inStepWidth)
        let columns = max(0, (c.width - firstColumn + c.inStepWidth - 1) / c.inStepWidth)
        let end = to + layout.phaseSize
        to.update(repeating: 0, count: layout.top * layout.rowStride)
        to += layout.top * layout.rowStride
        var row = firstRow
        while row < c.height {
            let source = from + (row * c.width + firstColumn)
            for column in 0..<layout.left { to[column] = 0 }
            let inner = to + layout.left
            if c.inStepWidth == 1 {
                inner.update(from: source, count: columns)
            } else {
                for column in 0..<columns { inner[column] = source[column &* c.inStepWidth] }
            }
            for column in layout.left + columns..<max(layout.rowStride, layout.left + columns) { to[column] = 0 }
            to += layout.rowStride
            row += c.inStepHeight
        }
        to.update(repeating: 0, count: end - to)
        to = end
    }
}

/// R output channels of one image: all positions, then the rows copied out.
@inlinable @inline(never)
func flatBlock<I: ISA, let R: Int, let V: Int>(
    _: I.Type, _ rowsType: InlineArray<R, Void>.Type, _ vectorsType: InlineArray<V, Void>.Type, _ c: Correlation,
    _ layout: FlatLayout, _ phase: FlatPhase, _ planes: UnsafeRawPointer, _ weights: UnsafeRawPointer,
    _ sums: UnsafeMutableRawPointer, _ sumStride: Int, _ y: UnsafeMutableRawPointer, _ used: Int, _ relu: Bool
) {
    let size = I.scalarSize
    let factors = weights + R * size
    let taps = phase.offsets.count
    let positions = phase.rows == 0 ? 0 : (phase.rows - 1) * layout.rowStride + phase.columns
    let vectors = (positions + I.width - 1) / I.width
    phase.offsets.withUnsafeBufferPointer { buffer in
        let offsets = buffer.baseAddress ?? UnsafePointer(bitPattern: 8)!
        var channel = 0
        repeat {
            let depth = min(flatDepth, c.inChannels - channel)
            let first = channel == 0
            let x = planes + channel * layout.planeSize * size
            let w = factors + channel * taps * R * size
            var vector = 0
            while vector < vectors {
                let at = vector &* I.width &* size
                let rest = vectors &- vector
                // What remains of a row of tiles is shared evenly: four vectors are 2 + 2, not 3 + 1.
                if rest >= V, rest != V &+ 1 || V < 3 {
                    flatTile(
                        I.self, rowsType, vectorsType, depth, taps, offsets, x + at, layout.planeSize, w, sums + at,
                        sumStride, first)
                    vector &+= V
                } else if rest >= 2 {
                    flatTile(
                        I.self, rowsType, InlineArray<2, Void>.self, depth, taps, offsets, x + at, layout.planeSize, w,
                        sums + at, sumStride, first)
                    vector &+= 2
                } else {
                    flatTile(
                        I.self, rowsType, InlineArray<1, Void>.self, depth, taps, offsets, x + at, layout.planeSize, w,
                        sums + at, sumStride, first)
                    vector &+= 1
                }
            }
            channel += depth
        } while channel < c.inChannels
    }
    for r in 0..<used {
        let shift = I.broadcast(weights, r)
        let source = sums + r * sumStride * size
        let plane = y + r * c.outHeight * c.outWidth * size
        for row in 0..<phase.rows {
            let from = source + row &* layout.rowStride &* size
            let line = ((row &* c.outStepHeight &+ phase.row) &* c.outWidth &+ phase.column) &* size
            var column = 0
            while column < phase.columns {
                let lanes = min(I.width, phase.columns &- column)
                var value = I.load(from, column) + shift  // the scratch row has a vector of slack
                if relu { value = I.select(value, lessThan: .zero, .zero, value) }
                if c.outStepWidth == 1 {
                    scatterRun(I.self, value, plane + line, column, lanes)
                } else {
                    scatter(I.self, value, plane + line, c.outStepWidth, column, lanes)
                }
                column &+= lanes
            }
        }
    }
}

/// The register tile: R output channels × V vectors of positions over `depth` channels and all taps.
@inlinable @inline(never)
func flatTile<I: ISA, let R: Int, let V: Int>(
    _: I.Type, _: InlineArray<R, Void>.Type, _: InlineArray<V, Void>.Type, _ depth: Int, _ taps: Int,
    _ offsets: UnsafePointer<Int>, _ x: UnsafeRawPointer, _ planeSize: Int, _ w: UnsafeRawPointer,
    _ sums: UnsafeMutableRawPointer, _ sumStride: Int, _ first: Bool
) {
    var acc = InlineArray<R, InlineArray<V, I.V>>(repeating: .init(repeating: .zero))
    if !first {
        for r in 0..<R { for v in 0..<V { acc[r][v] = I.load(sums, r &* sumStride &+ v &* I.width) } }
    }
    var (plane, weight) = (x, w)
    for _ in 0..<depth {
        for tap in 0..<taps {
            let source = plane + offsets[tap] &* I.scalarSize
            addTerm(I.self, &acc, source, weight)
            weight += R &* I.scalarSize
        }
        plane += planeSize &* I.scalarSize
    }
    for r in 0..<R { for v in 0..<V { I.store(acc[r][v], sums, r &* sumStride &+ v &* I.width) } }
}

/// A term of R×V sums; of the two kinds of factors, the fewer are held in registers.
@inlinable @inline(__always)
func addTerm<I: ISA, let R: Int, let V: Int>(
    _: I.Type, _ acc: inout InlineArray<R, InlineArray<V, I.V>>, _ x: UnsafeRawPointer, _ w: UnsafeRawPointer
) {
    if R < V {
        var weights = InlineArray<R, I.V>(repeating: .zero)
        for r in 0..<R { weights[r] = I.broadcast(w, r) }
        for v in 0..<V {
            let value = I.load(x, v &* I.width)
            for r in 0..<R { I.fma(&acc[r][v], weights[r], value) }
        }
    } else {
        var values = InlineArray<V, I.V>(repeating: .zero)
        for v in 0..<V { values[v] = I.load(x, v &* I.width) }
        for r in 0..<R {
            let value = I.broadcast(w, r)
            for v in 0..<V { I.fma(&acc[r][v], value, values[v]) }
        }
    }
}

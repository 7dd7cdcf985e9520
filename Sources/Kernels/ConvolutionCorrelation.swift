// The flat correlation kernel under convolution forward and backward-data.
//
// For each image the input channels lie in padded planes. An output is computed at flat positions row·rowStride + column
// of the plane, so that the vector runs straight over row ends; the few garbage positions between rows are dropped when
// rows are copied out, and that copy adds the bias and applies ReLU for nothing.
// Register tile: R output channels × V vectors of positions; inner loop over channel and tap: V unaligned loads, R
// broadcast weights, R·V FMA. AVX2 (16 registers) 4×3: 12 accumulators + 3 + 1. AVX-512 (32) 8×3: 24 + 3 + 1. Baseline
// 4×2: 8 + 2 + 2 (a product needs a register of its own). What is left of a row of tiles takes tiles of 2 and 1 vectors.
// Blocking: 32 input channels at a time, so that a tile's weights (32·9·R scalars) stay in the first-level cache;
// partial sums wait in a scratch row of R·positions. Weights are packed once a call as [block][channel][tap][R].

/// A convolution as a correlation over padded planes, for every image and group.
@usableFromInline struct Correlation {
    @usableFromInline let images, groups, inChannels, outChannels, height, width: Int
    /// The input is split into this many phases along each axis.
    @usableFromInline let splitHeight, splitWidth: Int
    /// For each phase of the output along an axis, its taps.
    @usableFromInline let verticalTaps, horizontalTaps: [[AxisTap]]
    @usableFromInline let outHeight, outWidth: Int
    /// Distance of one output phase's neighbours.
    @usableFromInline let stepHeight, stepWidth: Int
    /// Strides of the weight along output channels, input channels and groups of the correlation.
    @usableFromInline let weightOut, weightIn, weightGroup, kernelWidth: Int

    /// Geometry of a padded plane, derived.
    @usableFromInline let contentHeight, contentWidth, top, left, rowStride, phaseSize: Int
    @usableFromInline let usedPhases: [Int]

    @inlinable
    init(
        images: Int, groups: Int, inChannels: Int, outChannels: Int, height: Int, width: Int, splitHeight: Int,
        splitWidth: Int, verticalTaps: [[AxisTap]], horizontalTaps: [[AxisTap]], outHeight: Int, outWidth: Int,
        stepHeight: Int, stepWidth: Int, weightOut: Int, weightIn: Int, weightGroup: Int,
        kernelWidth: Int
    ) {
        (self.images, self.groups, self.inChannels, self.outChannels) = (images, groups, inChannels, outChannels)
        (self.height, self.width, self.splitHeight, self.splitWidth) = (height, width, splitHeight, splitWidth)
        (self.verticalTaps, self.horizontalTaps) = (verticalTaps, horizontalTaps)
        (self.outHeight, self.outWidth) = (outHeight, outWidth)
        (self.stepHeight, self.stepWidth) = (stepHeight, stepWidth)
        (self.weightOut, self.weightIn, self.weightGroup) = (weightOut, weightIn, weightGroup)
        self.kernelWidth = kernelWidth
        contentHeight = (height + splitHeight - 1) / splitHeight
        contentWidth = (width + splitWidth - 1) / splitWidth
        let gridHeight = (outHeight + stepHeight - 1) / stepHeight
        let gridWidth = (outWidth + stepWidth - 1) / stepWidth
        let vertical = verticalTaps.joined().map(\.shift)
        let horizontal = horizontalTaps.joined().map(\.shift)
        top = max(0, -(vertical.min() ?? 0))
        left = max(0, -(horizontal.min() ?? 0))
        let bottom = max(0, gridHeight + (vertical.max() ?? 0) - contentHeight)
        let right = max(0, gridWidth + (horizontal.max() ?? 0) - contentWidth)
        // The padding behind a row is the padding before the next one.
        rowStride = contentWidth + max(left, right)
        phaseSize = (top + contentHeight + bottom) * rowStride + max(left, right)
        var phases = Set<Int>()
        for v in verticalTaps.joined() { for h in horizontalTaps.joined() { phases.insert(v.phase * splitWidth + h.phase) } }
        usedPhases = phases.sorted()
    }

    /// Scalars of one channel's planes.
    @inlinable var planeSize: Int { usedPhases.count * phaseSize }
    @inlinable var multiplications: Int {
        images * groups * inChannels * outChannels * outHeight * outWidth
            * verticalTaps.reduce(0) { $0 + $1.count } * horizontalTaps.reduce(0) { $0 + $1.count }
            / (stepHeight * stepWidth)
    }
}

/// One output phase: its taps as offsets into a channel's planes, its grid, its packed weights.
@usableFromInline struct OutputPhase {
    @usableFromInline let offsets: [Int]
    /// Element of the filter for each tap.
    @usableFromInline let elements: [Int]
    @usableFromInline let row, column, rows, columns: Int
    /// Where its packed weights begin, in scalars.
    @usableFromInline var weights: Int

    @inlinable
    init(_ c: Correlation, _ row: Int, _ column: Int, weights: Int) {
        var (offsets, elements): ([Int], [Int]) = ([], [])
        for v in c.verticalTaps[row] {
            for h in c.horizontalTaps[column] {
                let phase = c.usedPhases.firstIndex(of: v.phase * c.splitWidth + h.phase)!
                offsets.append(phase * c.phaseSize + (c.top + v.shift) * c.rowStride + c.left + h.shift)
                elements.append(v.index * c.kernelWidth + h.index)
            }
        }
        (self.offsets, self.elements) = (offsets, elements)
        (self.row, self.column, self.weights) = (row, column, weights)
        rows = (c.outHeight - row + c.stepHeight - 1) / c.stepHeight
        columns = (c.outWidth - column + c.stepWidth - 1) / c.stepWidth
    }
}

/// Channels of the input that are worked through at a time.
@usableFromInline let correlationDepth = 32

/// Runs a correlation over all images: plans, packs, then one chunk an image and group (or, when there are few, a chunk
/// a block of output channels).
@inlinable @inline(never)
func correlate<I: ISA, let R: Int, let V: Int>(
    _: I.Type, _ rowsType: InlineArray<R, Void>.Type, _ vectorsType: InlineArray<V, Void>.Type, _ c: Correlation,
    _ x: UnsafeRawPointer, _ w: UnsafeRawPointer, _ bias: UnsafeRawPointer?, _ relu: Bool, _ y: UnsafeMutableRawPointer
) {
    let size = I.scalarSize
    let blocks = (c.outChannels + R - 1) / R
    var phases: [OutputPhase] = []
    var weightCount = 0
    for row in 0..<min(c.stepHeight, c.outHeight) {
        for column in 0..<min(c.stepWidth, c.outWidth) {
            let phase = OutputPhase(c, row, column, weights: weightCount)
            weightCount += blocks * c.inChannels * phase.offsets.count * R
            phases.append(phase)
        }
    }
    let positions = ((c.outHeight + c.stepHeight - 1) / c.stepHeight) * c.rowStride + V * I.width
    let planes = c.inChannels * c.planeSize + V * I.width  // a tile may read past its last position
    let units = c.images * c.groups
    let perImage = units >= 8
    let planesCount = perImage ? Parallel.threads : units
    let work = c.multiplications / 16
    let total = c.groups * weightCount + planesCount * planes + Parallel.threads * R * positions
    BufferPool.withScratch((total + 64) * size) { scratch in
        let packed = scratch
        let planeMemory = packed + c.groups * weightCount * size
        let rowMemory = planeMemory + planesCount * planes * size
        Parallel.forEach(chunks: c.groups * blocks, work: c.groups * weightCount) { _, chunk in
            let (group, block) = (chunk / blocks, chunk % blocks)
            let source = w + group * c.weightGroup * size
            for phase in phases {
                let count = c.inChannels * phase.offsets.count * R
                packFilters(
                    I.self, rowsType, c, phase, block, source,
                    packed + (group * weightCount + phase.weights + block * count) * size)
            }
        }
        let imageIn = c.groups * c.inChannels * c.height * c.width
        func fillUnit(_ unit: Int, _ channels: Range<Int>, _ target: UnsafeMutableRawPointer) {
            let (image, group) = (unit / c.groups, unit % c.groups)
            let source = x + (image * imageIn + group * c.inChannels * c.height * c.width) * size
            for channel in channels {
                fillPlanes(
                    I.self, c, source + channel * c.height * c.width * size, target + channel * c.planeSize * size)
            }
        }
        func computeUnit(_ unit: Int, _ blockRange: Range<Int>, _ planes: UnsafeRawPointer, _ worker: Int) {
            let group = unit % c.groups
            let area = c.outHeight * c.outWidth
            let output = y + unit * c.outChannels * area * size
            let sums = rowMemory + worker * R * positions * size
            for phase in phases {
                let count = c.inChannels * phase.offsets.count * R
                for block in blockRange {
                    correlateBlock(
                        I.self, rowsType, vectorsType, c, phase, planes,
                        packed + (group * weightCount + phase.weights + block * count) * size, sums, positions,
                        output + block * R * area * size, min(R, c.outChannels - block * R),
                        bias.map { $0 + (group * c.outChannels + block * R) * size }, relu)
                }
            }
        }
        if perImage {
            Parallel.forEach(chunks: units, work: work) { worker, unit in
                let target = planeMemory + worker * planes * size
                fillUnit(unit, 0..<c.inChannels, target)
                computeUnit(unit, 0..<blocks, target, worker)
            }
        } else {
            Parallel.forEach(chunks: units * c.inChannels, work: units * planes) { _, chunk in
                let unit = chunk / c.inChannels
                let channel = chunk % c.inChannels
                fillUnit(unit, channel..<channel + 1, planeMemory + unit * planes * size)
            }
            Parallel.forEach(chunks: units * blocks, work: work) { worker, chunk in
                let unit = chunk / blocks
                let block = chunk % blocks
                computeUnit(unit, block..<block + 1, planeMemory + unit * planes * size, worker)
            }
        }
    }
}

/// Weights of R output channels as [channel][tap][R], zeros where there are fewer.
@inlinable @inline(__always)
func packFilters<I: ISA, let R: Int>(
    _: I.Type, _: InlineArray<R, Void>.Type, _ c: Correlation, _ phase: OutputPhase, _ block: Int, _ w: UnsafeRawPointer,
    _ target: UnsafeMutableRawPointer
) {
    let from = w.assumingMemoryBound(to: I.Scalar.self)
    var to = target.assumingMemoryBound(to: I.Scalar.self)
    let used = min(R, c.outChannels - block * R)
    let taps = phase.elements.count
    phase.elements.withUnsafeBufferPointer { elements in
        for channel in 0..<c.inChannels {
            let source = from + (channel &* c.weightIn &+ block &* R &* c.weightOut)
            for tap in 0..<taps {
                let element = elements[tap]
                for r in 0..<used { to[r] = source[r &* c.weightOut &+ element] }
                for r in used..<R { to[r] = 0 }
                to += R
            }
        }
    }
}

/// Copies one channel into its padded phase planes.
@inlinable @inline(__always)
func fillPlanes<I: ISA>(_: I.Type, _ c: Correlation, _ x: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
    let from = x.assumingMemoryBound(to: I.Scalar.self)
    var to = target.assumingMemoryBound(to: I.Scalar.self)
    for phase in c.usedPhases {
        let (firstRow, firstColumn) = (phase / c.splitWidth, phase % c.splitWidth)
        let columns = max(0, (c.width - firstColumn + c.splitWidth - 1) / c.splitWidth)
        let end = to + c.phaseSize
        to.update(repeating: 0, count: c.top * c.rowStride)
        to += c.top * c.rowStride
        var row = firstRow
        while row < c.height {
            let source = from + (row * c.width + firstColumn)
            for column in 0..<c.left { to[column] = 0 }
            let inner = to + c.left
            if c.splitWidth == 1 {
                inner.update(from: source, count: columns)
            } else {
                for column in 0..<columns { inner[column] = source[column &* c.splitWidth] }
            }
            for column in c.left + columns..<max(c.rowStride, c.left + columns) { to[column] = 0 }
            to += c.rowStride
            row += c.splitHeight
        }
        to.update(repeating: 0, count: end - to)
        to = end
    }
}

/// R output channels of one image: all positions, then the rows copied out.
@inlinable @inline(never)
func correlateBlock<I: ISA, let R: Int, let V: Int>(
    _: I.Type, _ rowsType: InlineArray<R, Void>.Type, _ vectorsType: InlineArray<V, Void>.Type, _ c: Correlation,
    _ phase: OutputPhase, _ planes: UnsafeRawPointer, _ weights: UnsafeRawPointer, _ sums: UnsafeMutableRawPointer,
    _ sumStride: Int, _ y: UnsafeMutableRawPointer, _ used: Int, _ bias: UnsafeRawPointer?, _ relu: Bool
) {
    let size = I.scalarSize
    let taps = phase.offsets.count
    let positions = phase.rows == 0 ? 0 : (phase.rows - 1) * c.rowStride + phase.columns
    let vectors = (positions + I.width - 1) / I.width
    phase.offsets.withUnsafeBufferPointer { buffer in
        let offsets = buffer.baseAddress ?? UnsafePointer(bitPattern: 8)!
        var channel = 0
        repeat {
            let depth = min(correlationDepth, c.inChannels - channel)
            let first = channel == 0
            let x = planes + channel * c.planeSize * size
            let w = weights + channel * taps * R * size
            var vector = 0
            while vector < vectors {
                let at = vector &* I.width &* size
                let rest = vectors &- vector
                // What remains of a row of tiles is shared evenly: four vectors are 2 + 2, not 3 + 1.
                if rest >= V, rest != V &+ 1 || V < 3 {
                    correlationTile(
                        I.self, rowsType, vectorsType, depth, taps, offsets, x + at, c.planeSize, w, sums + at, sumStride,
                        first)
                    vector &+= V
                } else if rest >= 2 {
                    correlationTile(
                        I.self, rowsType, InlineArray<2, Void>.self, depth, taps, offsets, x + at, c.planeSize, w,
                        sums + at, sumStride, first)
                    vector &+= 2
                } else {
                    correlationTile(
                        I.self, rowsType, InlineArray<1, Void>.self, depth, taps, offsets, x + at, c.planeSize, w,
                        sums + at, sumStride, first)
                    vector &+= 1
                }
            }
            channel += depth
        } while channel < c.inChannels
    }
    for r in 0..<used {
        let shift = bias.map { I.broadcast($0, r) } ?? .zero
        let source = sums + r * sumStride * size
        let plane = y + r * c.outHeight * c.outWidth * size
        for row in 0..<phase.rows {
            let from = source + row &* c.rowStride &* size
            let line = ((row &* c.stepHeight &+ phase.row) &* c.outWidth &+ phase.column) &* size
            var column = 0
            while column < phase.columns {
                let lanes = min(I.width, phase.columns &- column)
                var value = I.load(from, column) + shift  // the scratch row has a vector of slack
                if relu { value = I.select(value, lessThan: .zero, .zero, value) }
                if c.stepWidth == 1 {
                    scatterRun(I.self, value, plane + line, column, lanes)
                } else {
                    scatter(I.self, value, plane + line, c.stepWidth, column, lanes)
                }
                column &+= lanes
            }
        }
    }
}

/// The register tile: R output channels × V vectors of positions over `depth` channels and all taps.
@inlinable @inline(never)
func correlationTile<I: ISA, let R: Int, let V: Int>(
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
            var xv = InlineArray<V, I.V>(repeating: .zero)
            for v in 0..<V { xv[v] = I.load(source, v &* I.width) }
            for r in 0..<R {
                let value = I.broadcast(weight, r)
                for v in 0..<V { I.fma(&acc[r][v], value, xv[v]) }
            }
            weight += R &* I.scalarSize
        }
        plane += planeSize &* I.scalarSize
    }
    for r in 0..<R { for v in 0..<V { I.store(acc[r][v], sums, r &* sumStride &+ v &* I.width) } }
}

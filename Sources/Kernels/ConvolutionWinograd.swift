// The correlation kernel for 3×3 filters with stride 1 and many channels on both sides: Winograd's F(2×2, 3×3).
//
// A tile of 2×2 outputs takes 16 multiplications for each pair of channels, where the direct sum takes 36:
// Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A, with d the 4×4 inputs under the tile and g the filter (S. Winograd, "Arithmetic
// Complexity of Computations", 1980; A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2016).
// The products with A, B and G are sums, differences and halves. Each of the 16 places of a transformed tile is summed over
// input channels on its own: 16 matrix products [tiles, C] · [C, O].
// Input: the rows of a unit of tiles are turned to [row][column][channel] with zeros around them, so that all three
// transforms run along channels. Transformed tiles: [place][tile][channel]; filters, once a call:
// [place][block of channels][channel][lane]; sums: [place][block][tile][lane]. The 2×2 outputs go to [pixel][lane],
// and from there to planes with bias and ReLU as in the kernel with vectors over channels.
// Register tile: R tiles × V vectors of output channels, as there: 6×2 (16 registers) or 6×4 (32), remainders 3 high.
// Blocking: a unit is about 84 tiles. Place after place, its tiles (up to 168 KiB) stay in the second-level cache while
// block after block of filters, at most 16 KiB, stays in the first and meets them all; so every unit reads all filters
// once, and 56 to 112 tiles measured alike. With blocks outside and places inside, all tiles pass by for every block, and
// from the third level: a third slower. Planes of places are an odd number of cache lines apart, or they would crowd one
// set.
// Rounding: see `Tensor.conv2d`.
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Whether 3×3 convolutions may take the way with fewer multiplications.
public enum Winograd {
    /// False if the environment variable `TAPESTRY_WINOGRAD` is 0.
    @usableFromInline static let isAllowed = getenv("TAPESTRY_WINOGRAD").map { String(cString: $0) != "0" } ?? true

    /// Whether it pays for a correlation: channels enough that the products outweigh the transforms, and tiles enough to
    /// make up for transforming the filters.
    @inlinable
    static func pays(_ s: ConvolutionShape) -> Bool {
        s.kernelHeight == 3 && s.kernelWidth == 3 && s.strideHeight == 1 && s.strideWidth == 1 && s.dilationHeight == 1
            && s.dilationWidth == 1 && s.groups == 1 && s.inChannels >= 32 && s.outChannels >= 32
            && s.batch * ((s.outHeight + 1) / 2) * ((s.outWidth + 1) / 2) >= 256 && isAllowed
    }
}

/// Runs a correlation by Winograd's F(2×2, 3×3). Made for a shape, used for any number of inputs.
@usableFromInline final class WinogradCorrelation<I: ISA>: Sendable {
    @usableFromInline let c: Correlation
    @usableFromInline let blocks: [ChannelBlock]
    /// The filter's elements from top left to bottom right of the input under it, and where that is for output 0.
    @usableFromInline let elements: [Int]
    @usableFromInline let top, left: Int
    /// Tiles of an image.
    @usableFromInline let tileRows, tileColumns: Int
    /// What a unit of work takes: so many images, so many rows of tiles. And how many units there are.
    @usableFromInline let imagesAtOnce, rowsAtOnce, strips, units: Int
    /// Input channels and output channels, rounded up to whole vectors.
    @usableFromInline let depth, lanes: Int
    /// Tiles that a unit has room for.
    @usableFromInline let room: Int
    /// Columns of the padded rows; scalars from place to place of a unit's transformed tiles, and of its sums.
    @usableFromInline let columns, tilePlane, sumPlane: Int
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
        (top, left) = (vertical[0].position, horizontal[0].position)
        blocks = ChannelBlock.cut(I.self, c.outChannels)
        depth = (c.inChannels + I.width - 1) / I.width * I.width
        lanes = (c.outChannels + I.width - 1) / I.width * I.width
        (tileRows, tileColumns) = ((c.outHeight + 1) / 2, (c.outWidth + 1) / 2)
        columns = 2 * tileColumns + 2
        imagesAtOnce = max(1, min(winogradTiles / (tileRows * tileColumns), c.images / 4))
        let height = max(1, min(tileRows, winogradTiles / tileColumns))
        strips = (tileRows + height - 1) / height
        rowsAtOnce = (tileRows + strips - 1) / strips
        units = (c.images + imagesAtOnce - 1) / imagesAtOnce * strips
        let line = 64 / I.scalarSize
        let room = (imagesAtOnce * rowsAtOnce * tileColumns + 2) / 3 * 3
        self.room = room
        tilePlane = ((room * depth + line - 1) / line | 1) * line
        sumPlane = ((room * lanes + line - 1) / line | 1) * line
        pixels = PlaceTable(Array(0..<2 * rowsAtOnce * c.outWidth))
    }

    /// Transforms the filters, then computes the units in parallel.
    @inlinable @inline(never)
    func run(
        _ x: UnsafeRawPointer, _ w: UnsafeRawPointer, _ bias: UnsafeRawPointer?, _ relu: Bool,
        _ y: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let threads = min(Parallel.threads, units)
        let widest = I.tileVectors * I.width
        let filterBytes = 16 * lanes * c.inChannels * size
        let inputBytes = imagesAtOnce * (2 * rowsAtOnce + 2) * columns * depth * size
        let outputBytes = imagesAtOnce * 2 * rowsAtOnce * c.outWidth * widest * size
        let tileBytes = 16 * tilePlane * size
        let sumBytes = 16 * sumPlane * size
        let workerBytes = (inputBytes + outputBytes + tileBytes + sumBytes + 63) & ~63
        let shiftBytes = (lanes * size + 63) & ~63
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
            Parallel.forEach(chunks: units, work: c.multiplications / (4 * I.width), workers: threads) { worker, unit in
                let input = workers + worker * workerBytes
                let tiles = input + inputBytes
                let sums = tiles + tileBytes
                compute(
                    unit, x, filters, bias == nil ? nil : UnsafeRawPointer(shifts), relu, y, input: input, tiles: tiles,
                    sums: sums, output: sums + sumBytes)
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
        let place = lanes * c.inChannels
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
                    let to = target + (channel * width + v * I.width) * size
                    transformFilter(g, to, place)
                }
            }
        }
    }

    /// `G g Gᵀ` for a vector of filters.
    @inlinable @inline(__always)
    func transformFilter(_ g: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _ place: Int) {
        let half = I.V(repeating: 0.5)
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

    /// A unit: its input turned and transformed, then block after block multiplied, transformed back and written.
    @inlinable @inline(__always)
    func compute(
        _ unit: Int, _ x: UnsafeRawPointer, _ filters: UnsafeRawPointer, _ bias: UnsafeRawPointer?, _ relu: Bool,
        _ y: UnsafeMutableRawPointer, input: UnsafeMutableRawPointer, tiles: UnsafeMutableRawPointer,
        sums: UnsafeMutableRawPointer, output: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let firstImage = unit / strips * imagesAtOnce
        let images = min(imagesAtOnce, c.images - firstImage)
        let firstRow = unit % strips * rowsAtOnce
        let rows = min(rowsAtOnce, tileRows - firstRow)
        let count = images * rows * tileColumns
        let outRows = min(2 * rows, c.outHeight - 2 * firstRow)
        for image in 0..<images {
            let planes = x + (firstImage + image) * c.inChannels * c.height * c.width * size
            for row in 0..<2 * rows + 2 {
                turnRow(2 * firstRow + row + top, planes, input + row * columns * depth * size)
            }
            for row in 0..<rows {
                transformRow(
                    input + 2 * row * columns * depth * size,
                    tiles + (image * rows + row) * tileColumns * depth * size)
            }
        }
        let depthAtOnce = 16_384 / (I.tileVectors * I.width * size)
        for place in 0..<16 {
            for block in blocks {
                var channel = 0
                while channel < c.inChannels {
                    let channels = min(depthAtOnce, c.inChannels - channel)
                    let product = WinogradProduct(
                        tiles: tiles + (place * tilePlane + channel) * size, depth: depth, count: count,
                        filters: filters
                            + (place * lanes * c.inChannels + block.first * c.inChannels
                                + channel * block.vectors * I.width) * size,
                        channels: channels, sums: sums + (place * sumPlane + block.first * room) * size,
                        continues: channel > 0)
                    if I.hasManyRegisters, block.vectors == 4 {
                        product.compute(I.self, InlineArray<4, Void>.self)
                    } else if block.vectors == 2 {
                        product.compute(I.self, InlineArray<2, Void>.self)
                    } else {
                        product.compute(I.self, InlineArray<1, Void>.self)
                    }
                    channel += channels
                }
            }
        }
        for block in blocks {
            let width = block.vectors * I.width
            for image in 0..<images {
                for row in 0..<rows {
                    transformBack(
                        sums + (block.first * room + (image * rows + row) * tileColumns * width) * size, width,
                        output + 2 * row * c.outWidth * width * size, min(2, outRows - 2 * row))
                }
                let plane = ((firstImage + image) * c.outChannels + block.first) * c.outHeight + 2 * firstRow
                turn(
                    I.self, outRows * c.outWidth, min(width, c.outChannels - block.first), width, output,
                    bias.map { $0 + block.first * size }, relu, pixels.address(0), y + plane * c.outWidth * size,
                    c.outHeight * c.outWidth)
            }
        }
    }

    /// A row of the input as [column][channel], zeros outside of the image and in lanes without a channel.
    @inlinable @inline(__always)
    func turnRow(_ row: Int, _ planes: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let size = I.scalarSize
        let first = max(0, -left)
        let from = max(0, left)
        let visible = min(columns - first, c.width - from)
        guard row >= 0, row < c.height, visible > 0 else { return fill(I.self, columns * depth, 0, target) }
        if depth > c.inChannels {
            fill(I.self, columns * depth, 0, target)
        } else {
            fill(I.self, first * depth, 0, target)
            fill(
                I.self, (columns - first - visible) * depth, 0, target + (first + visible) * depth * size)
        }
        let area = c.height * c.width
        for channel in stride(from: 0, to: c.inChannels, by: I.width) {
            interleave(
                I.self, visible, min(I.width, c.inChannels - channel),
                planes + (channel * area + row * c.width + from) * size, area: area,
                target + (first * depth + channel) * size, pixel: depth)
        }
    }

    /// `Bᵀ d B` for a row of tiles.
    @inlinable @inline(never)
    func transformRow(_ input: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let (pixel, line, place) = (depth, columns &* depth, tilePlane)
        for tile in 0..<tileColumns {
            for channel in stride(from: 0, to: depth, by: I.width) {
                let at = 2 &* tile &* pixel &+ channel
                let to = tile &* pixel &+ channel
                @inline(__always) func write(_ row: Int, _ a: I.V, _ b: I.V, _ d: I.V, _ e: I.V) {
                    I.store(a - d, target, 4 &* row &* place &+ to)
                    I.store(b + d, target, (4 &* row &+ 1) &* place &+ to)
                    I.store(d - b, target, (4 &* row &+ 2) &* place &+ to)
                    I.store(b - e, target, (4 &* row &+ 3) &* place &+ to)
                }
                @inline(__always) func read(_ row: Int, _ column: Int) -> I.V {
                    I.load(input, at &+ row &* line &+ column &* pixel)
                }
                write(
                    0, read(0, 0) - read(2, 0), read(0, 1) - read(2, 1), read(0, 2) - read(2, 2),
                    read(0, 3) - read(2, 3))
                write(
                    1, read(1, 0) + read(2, 0), read(1, 1) + read(2, 1), read(1, 2) + read(2, 2),
                    read(1, 3) + read(2, 3))
                write(
                    2, read(2, 0) - read(1, 0), read(2, 1) - read(1, 1), read(2, 2) - read(1, 2),
                    read(2, 3) - read(1, 3))
                write(
                    3, read(1, 0) - read(3, 0), read(1, 1) - read(3, 1), read(1, 2) - read(3, 2),
                    read(1, 3) - read(3, 3))
            }
        }
    }

    /// `Aᵀ m A` for a row of tiles: one or two rows of outputs, [pixel][lane].
    @inlinable @inline(never)
    func transformBack(_ sums: UnsafeRawPointer, _ width: Int, _ target: UnsafeMutableRawPointer, _ rows: Int) {
        let (place, outWidth) = (sumPlane, c.outWidth)
        for tile in 0..<tileColumns {
            for lane in stride(from: 0, to: width, by: I.width) {
                let at = tile &* width &+ lane
                let to = 2 &* tile &* width &+ lane
                @inline(__always) func read(_ row: Int, _ column: Int) -> I.V {
                    I.load(sums, at &+ (4 &* row &+ column) &* place)
                }
                @inline(__always) func write(_ row: Int, _ a: I.V, _ b: I.V, _ d: I.V, _ e: I.V) {
                    I.store(a + b + d, target, row &* outWidth &* width &+ to)
                    if 2 &* tile &+ 1 < outWidth {
                        I.store(b - d - e, target, (row &* outWidth &+ 1) &* width &+ to)
                    }
                }
                @inline(__always) func upper(_ column: Int) -> I.V {
                    read(0, column) + read(1, column) + read(2, column)
                }
                @inline(__always) func lower(_ column: Int) -> I.V {
                    read(1, column) - read(2, column) - read(3, column)
                }
                write(0, upper(0), upper(1), upper(2), upper(3))
                if rows > 1 { write(1, lower(0), lower(1), lower(2), lower(3)) }
            }
        }
    }
}

/// Tiles of a unit, at most (or a row of them).
@usableFromInline let winogradTiles = 84

/// One of the 16 products: [tile][channel] · [channel][lane], added up over channels.
@usableFromInline struct WinogradProduct {
    @usableFromInline let tiles, filters: UnsafeRawPointer
    /// Scalars from tile to tile; tiles; channels to sum over.
    @usableFromInline let depth, count, channels: Int
    /// [tile][lane], with room for a multiple of three tiles.
    @usableFromInline let sums: UnsafeMutableRawPointer
    /// Whether the sums go on from what is there.
    @usableFromInline let continues: Bool

    @inlinable @inline(__always)
    init(
        tiles: UnsafeRawPointer, depth: Int, count: Int, filters: UnsafeRawPointer, channels: Int,
        sums: UnsafeMutableRawPointer, continues: Bool
    ) {
        (self.tiles, self.depth, self.count) = (tiles, depth, count)
        (self.filters, self.channels, self.sums, self.continues) = (filters, channels, sums, continues)
    }

    @inlinable @inline(never)
    func compute<I: ISA, let V: Int>(_: I.Type, _ vectors: InlineArray<V, Void>.Type) {
        var tile = 0
        while tile < count {
            if count &- tile > 3 {
                compute(I.self, InlineArray<6, Void>.self, vectors, tile)
                tile &+= 6
            } else {
                compute(I.self, InlineArray<3, Void>.self, vectors, tile)
                tile &+= 3
            }
        }
    }

    /// The register tile, R tiles × V vectors of output channels.
    @inlinable @inline(__always)
    func compute<I: ISA, let R: Int, let V: Int>(
        _: I.Type, _: InlineArray<R, Void>.Type, _: InlineArray<V, Void>.Type, _ first: Int
    ) {
        let target = sums + first &* V &* I.width &* I.scalarSize
        var acc = InlineArray<R, InlineArray<V, I.V>>(repeating: .init(repeating: .zero))
        if continues {
            for r in 0..<R { for v in 0..<V { acc[r][v] = I.load(target, (r &* V &+ v) &* I.width) } }
        }
        let rows = tiles + first &* depth &* I.scalarSize
        var filter = filters
        for channel in 0..<channels {
            var weights = InlineArray<V, I.V>(repeating: .zero)
            for v in 0..<V { weights[v] = I.load(filter, v &* I.width) }
            for r in 0..<R {
                let value = I.broadcast(rows, r &* depth &+ channel)
                for v in 0..<V { I.fma(&acc[r][v], value, weights[v]) }
            }
            filter += V &* I.width &* I.scalarSize
        }
        for r in 0..<R { for v in 0..<V { I.store(acc[r][v], target, (r &* V &+ v) &* I.width) } }
    }
}

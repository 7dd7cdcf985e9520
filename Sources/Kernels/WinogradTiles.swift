// Winograd's F(2×2, 3×3) for 3×3 convolutions with stride 1 and many channels on both sides: what forward and the
// gradients of input and weight have in common.
//
// A tile of 2×2 outputs takes 16 multiplications for each pair of channels, where the direct sum takes 36:
// Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A, with d the 4×4 inputs under the tile and g the filter (S. Winograd, "Arithmetic
// Complexity of Computations", 1980; A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2016).
// The products with A, B and G are sums, differences and halves. The gradient of g is Gᵀ [Σ (A dY Aᵀ) ⊙ (Bᵀ d B)] G.
// Input: the rows of a unit of tiles are turned to [row][column][channel] with zeros around them, so that all transforms
// run along channels; transformed tiles lie as [place][tile][channel], 16 places. Planes of places, and rows of tiles,
// are an odd number of cache lines apart, or they would crowd few sets of the caches.
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

/// Tiles of a unit, at most (or a row of them).
@usableFromInline let winogradTiles = 84

/// Channel planes of an image, some rows of which are turned to [column][channel] with zeros around. What stands in lanes
/// without a channel is not defined, and comes to nothing.
@usableFromInline struct PlaneRows<I: ISA>: Sendable {
    /// Channels, and scalars from column to column of a turned row: at least the channels, in whole vectors.
    @usableFromInline let channels, depth: Int
    @usableFromInline let height, width: Int
    /// The column of the image where a turned row begins, and its length.
    @usableFromInline let left, columns: Int

    @inlinable
    init(channels: Int, depth: Int, height: Int, width: Int, left: Int, columns: Int) {
        (self.channels, self.depth, self.height, self.width) = (channels, depth, height, width)
        (self.left, self.columns) = (left, columns)
    }

    /// Scalars of a turned row.
    @inlinable var size: Int { columns * depth }

    /// Turns a row, which may lie outside of the image.
    @inlinable @inline(__always)
    func turn(_ row: Int, _ planes: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let scalar = I.scalarSize
        let (first, from) = (max(0, -left), max(0, left))
        let visible = min(columns - first, width - from)
        guard row >= 0, row < height, visible > 0 else { return fill(I.self, size, 0, target) }
        fill(I.self, first * depth, 0, target)
        fill(I.self, (columns - first - visible) * depth, 0, target + (first + visible) * depth * scalar)
        let area = height * width
        for channel in stride(from: 0, to: channels, by: I.width) {
            interleave(
                I.self, visible, min(I.width, channels - channel),
                planes + (channel * area + row * width + from) * scalar, area: area,
                target + (first * depth + channel) * scalar, pixel: depth)
        }
    }
}

/// The tiles of a convolution's input, in units of work: of a large image some rows of tiles, of small ones several
/// images.
@usableFromInline struct WinogradTiles<I: ISA>: Sendable {
    @usableFromInline let rows: PlaneRows<I>
    @usableFromInline let images: Int
    /// The row of the image where the first tile begins.
    @usableFromInline let top: Int
    /// Tiles of an image.
    @usableFromInline let tileRows, tileColumns: Int
    /// What a unit takes: so many images, so many rows of tiles, `strips` of them an image. And how many units there are.
    @usableFromInline let imagesAtOnce, rowsAtOnce, strips, units: Int
    /// Tiles that a unit has room for, a multiple of three; scalars from place to place.
    @usableFromInline let room, plane: Int

    @inlinable
    init(_ c: Correlation) {
        images = c.images
        (tileRows, tileColumns) = ((c.outHeight + 1) / 2, (c.outWidth + 1) / 2)
        top = c.verticalTaps[0].lazy.map(\.position).min()!
        rows = PlaneRows(
            channels: c.inChannels, depth: oddLines(I.self, c.inChannels), height: c.height, width: c.width,
            left: c.horizontalTaps[0].lazy.map(\.position).min()!, columns: 2 * tileColumns + 2)
        imagesAtOnce = max(1, min(winogradTiles / (tileRows * tileColumns), c.images / 4))
        let height = max(1, min(tileRows, winogradTiles / tileColumns))
        strips = (tileRows + height - 1) / height
        rowsAtOnce = (tileRows + strips - 1) / strips
        units = (c.images + imagesAtOnce - 1) / imagesAtOnce * strips
        room = (imagesAtOnce * rowsAtOnce * tileColumns + 2) / 3 * 3
        plane = oddLines(I.self, room * rows.depth)
    }

    /// A unit: its images, its rows of tiles.
    @inlinable
    func unit(_ index: Int) -> (images: Range<Int>, rows: Range<Int>) {
        let (image, row) = (index / strips * imagesAtOnce, index % strips * rowsAtOnce)
        return (image..<min(images, image + imagesAtOnce), row..<min(tileRows, row + rowsAtOnce))
    }

    /// Bytes that `transform` takes for the turned rows of an image.
    @inlinable var rowBytes: Int { (2 * rowsAtOnce + 2) * rows.size * I.scalarSize }
    /// Bytes of a unit's transformed tiles; what works on six channels at a time reads a little beyond the last.
    @inlinable var tileBytes: Int { (16 * plane + 64) * I.scalarSize }

    /// Transforms a unit's tiles.
    @inlinable @inline(__always)
    func transform(
        _ unit: Int, _ x: UnsafeRawPointer, _ turned: UnsafeMutableRawPointer, _ tiles: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let (images, tileRows) = self.unit(unit)
        var target = tiles
        for image in images {
            let planes = x + image * rows.channels * rows.height * rows.width * size
            for row in 0..<2 * tileRows.count + 2 {
                rows.turn(2 * tileRows.lowerBound + row + top, planes, turned + row * rows.size * size)
            }
            for row in 0..<tileRows.count {
                transformRow(turned + 2 * row * rows.size * size, target)
                target += tileColumns * rows.depth * size
            }
        }
    }

    /// `Bᵀ d B` for a row of tiles.
    @inlinable @inline(never)
    func transformRow(_ turned: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let (pixel, line, place) = (rows.depth, rows.size, plane)
        for tile in 0..<tileColumns {
            for channel in stride(from: 0, to: rows.channels, by: I.width) {
                let at = 2 &* tile &* pixel &+ channel
                let to = tile &* pixel &+ channel
                @inline(__always) func write(_ row: Int, _ a: I.V, _ b: I.V, _ d: I.V, _ e: I.V) {
                    I.store(a - d, target, 4 &* row &* place &+ to)
                    I.store(b + d, target, (4 &* row &+ 1) &* place &+ to)
                    I.store(d - b, target, (4 &* row &+ 2) &* place &+ to)
                    I.store(b - e, target, (4 &* row &+ 3) &* place &+ to)
                }
                @inline(__always) func read(_ row: Int, _ column: Int) -> I.V {
                    I.load(turned, at &+ row &* line &+ column &* pixel)
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
}

/// At least `count` scalars, in an odd number of cache lines.
@inlinable
func oddLines<I: ISA>(_: I.Type, _ count: Int) -> Int {
    let line = 64 / I.scalarSize
    return ((count + line - 1) / line | 1) * line
}

/// One of the 16 products: sums[row][lane] += Σ over steps of a[row, step] · b[step][lane], for a block of lanes.
@usableFromInline struct WinogradProduct {
    @usableFromInline let a, b: UnsafeRawPointer
    /// Scalars of `a` from row to row and from step to step; how many of them.
    @usableFromInline let rowStride, stepStride, rows, steps: Int
    /// Room for a multiple of three rows.
    @usableFromInline let sums: UnsafeMutableRawPointer
    /// Whether the sums go on from what is there.
    @usableFromInline let continues: Bool

    @inlinable @inline(__always)
    init(
        a: UnsafeRawPointer, rowStride: Int, stepStride: Int, rows: Int, steps: Int, b: UnsafeRawPointer,
        sums: UnsafeMutableRawPointer, continues: Bool
    ) {
        (self.a, self.rowStride, self.stepStride, self.rows, self.steps) = (a, rowStride, stepStride, rows, steps)
        (self.b, self.sums, self.continues) = (b, sums, continues)
    }

    /// For a block of so many vectors of lanes.
    @inlinable @inline(__always)
    func compute<I: ISA>(_: I.Type, vectors: Int) {
        if I.hasManyRegisters, vectors == 4 {
            compute(I.self, InlineArray<4, Void>.self)
        } else if vectors == 2 {
            compute(I.self, InlineArray<2, Void>.self)
        } else {
            compute(I.self, InlineArray<1, Void>.self)
        }
    }

    @inlinable @inline(never)
    func compute<I: ISA, let V: Int>(_: I.Type, _ vectors: InlineArray<V, Void>.Type) {
        var row = 0
        while row < rows {
            if rows &- row > 3 {
                tile(I.self, InlineArray<6, Void>.self, vectors, row)
                row &+= 6
            } else {
                tile(I.self, InlineArray<3, Void>.self, vectors, row)
                row &+= 3
            }
        }
    }

    /// The register tile: R rows × V vectors. AVX2 and SSE (16 registers) 6×2 = 12 sums, 2 vectors of b, 1 broadcast;
    /// AVX-512 and NEON (32) 6×4.
    @inlinable @inline(__always)
    func tile<I: ISA, let R: Int, let V: Int>(
        _: I.Type, _: InlineArray<R, Void>.Type, _: InlineArray<V, Void>.Type, _ first: Int
    ) {
        let target = sums + first &* V &* I.width &* I.scalarSize
        var acc = InlineArray<R, InlineArray<V, I.V>>(repeating: .init(repeating: .zero))
        if continues {
            for r in 0..<R { for v in 0..<V { acc[r][v] = I.load(target, (r &* V &+ v) &* I.width) } }
        }
        var (factors, vectors) = (a + first &* rowStride &* I.scalarSize, b)
        for _ in 0..<steps {
            var row = InlineArray<V, I.V>(repeating: .zero)
            for v in 0..<V { row[v] = I.load(vectors, v &* I.width) }
            for r in 0..<R {
                let value = I.broadcast(factors, r &* rowStride)
                for v in 0..<V { I.fma(&acc[r][v], value, row[v]) }
            }
            factors += stepStride &* I.scalarSize
            vectors += V &* I.width &* I.scalarSize
        }
        for r in 0..<R { for v in 0..<V { I.store(acc[r][v], target, (r &* V &+ v) &* I.width) } }
    }
}

// The input's side of Winograd's F(2×2, k×k), which forward and the gradients of input and weight have in common.
//
// The rows of a unit of tiles are turned to [row][column][channel] with zeros around them, so that all transforms run along
// channels; transformed tiles lie as [place][tile][channel], (k + 1)² places. Planes of places, and rows of tiles, are an
// odd number of cache lines apart, or they would crowd few sets of the caches.
// With stride 2 the four phases of the input are as many channels: even and odd rows of the image are tiles of their own,
// and two columns of a turned row are one of the convolution with stride 1: [phase][channel]. There numbers lie without
// gaps, and a vector goes on into the next column.
// Where channels are few, stride 1: see WinogradPlanes.swift.
// 3×3: a tile is transformed in registers. Larger filters have too many places for that: first along columns, a row of
// tiles at once, where neighbouring tiles share most of the work, then along rows.

/// Tiles of a unit, at most (or a row of them), and where a tile has few numbers at a place.
@usableFromInline let winogradTiles = 84
@usableFromInline let smallWinogradTiles = 200

/// Channel planes of an image, some rows of which are turned to [column][channel] with zeros around. What stands in lanes
/// without a channel is not defined, and comes to nothing.
@usableFromInline struct PlaneRows<I: ISA>: Sendable {
    /// Scalars from column to column of a turned row: at least the channels.
    @usableFromInline let depth: Int
    @usableFromInline let height, width: Int
    /// The column of the image where a turned row begins, and its length.
    @usableFromInline let left, columns: Int
    /// Scalars of a turned row.
    @usableFromInline let size: Int

    @inlinable
    init(depth: Int, height: Int, width: Int, left: Int, columns: Int) {
        (self.depth, self.height, self.width, self.left, self.columns) = (depth, height, width, left, columns)
        size = columns * depth
    }

    /// Turns a row of so many planes, which may lie outside of the image.
    @inlinable @inline(__always)
    func turn(_ row: Int, _ planes: UnsafeRawPointer, _ channels: Int, _ target: UnsafeMutableRawPointer) {
        let (first, visible) = visibleColumns
        guard row >= 0, row < height, visible > 0 else { return fill(I.self, size, 0, target) }
        fill(I.self, first * depth, 0, target)
        fill(I.self, (columns - first - visible) * depth, 0, target + (first + visible) * depth * I.scalarSize)
        let (size, area) = (I.scalarSize, height * width)
        for channel in stride(from: 0, to: channels, by: I.width) {
            interleave(
                I.self, visible, min(I.width, channels - channel),
                planes + (channel * area + row * width + max(0, left)) * size, area: area,
                target + (first * depth + channel) * size, pixel: depth)
        }
    }

    /// The first column of a turned row that lies in the image, and how many do.
    @inlinable var visibleColumns: (first: Int, count: Int) {
        let first = max(0, -left)
        return (first, min(columns - first, width - max(0, left)))
    }
}

/// The tiles of a convolution's input, in units of work: of a large image some rows of tiles, of small ones several
/// images.
@usableFromInline struct WinogradTiles<I: ISA>: Sendable {
    /// Rows of the image, turned.
    @usableFromInline let rows: PlaneRows<I>
    @usableFromInline let images, channels: Int
    /// Taps of a phase along columns and rows; the convolution's stride.
    @usableFromInline let rowTaps, taps, stride: Int
    /// The row of the image where the first tile begins.
    @usableFromInline let top: Int
    /// Rows of tiles of an image, and tiles in a row.
    @usableFromInline let tileRows, tileColumns: Int
    /// What a unit takes: so many images, so many rows of tiles, `pieces` of them an image. And how many units there are.
    @usableFromInline let imagesAtOnce, rowsAtOnce, pieces, units: Int
    /// Numbers at a place of a tile, and scalars from one tile to the next.
    @usableFromInline let used, depth: Int
    /// Scalars of a turned row.
    @usableFromInline let line: Int
    /// Tiles that a unit has room for, a multiple of three; scalars from place to place.
    @usableFromInline let room, plane: Int
    /// Where channels are few: tiles lie as [place][channel][tile].
    @usableFromInline let planes: WinogradPlanes<I>?

    /// Of the rows of the image that leave this remainder by the stride.
    @inlinable
    init(_ c: Correlation, rowTaps: Int, taps: Int, phase: Int = 0) {
        (images, channels, stride, self.rowTaps, self.taps) = (c.images, c.inChannels, c.inStepHeight, rowTaps, taps)
        (tileRows, tileColumns) = ((c.outHeight + 1) / 2, (c.outWidth + 1) / 2)
        top = c.verticalTaps[0].lazy.map(\.position).min()! + phase
        let (isDense, isPlanar) = (stride > 1, stride == 1 && channels <= max(4, I.width / 2))
        rows = PlaneRows(
            depth: isDense ? channels : oddLines(I.self, channels), height: c.height, width: c.width,
            left: c.horizontalTaps[0].lazy.map(\.position).min()!, columns: stride * (2 * tileColumns + taps - 1))
        depth = stride * rows.depth
        used = isDense ? depth : channels
        // Vectors may begin at the last number of a row.
        line = isDense ? (rows.size + 2 * I.width - 1) / I.width * I.width : rows.size
        let atOnce = isPlanar || isDense && rows.depth <= 16 ? smallWinogradTiles : winogradTiles
        imagesAtOnce = max(1, min(atOnce / (tileRows * tileColumns), c.images / 4))
        let height = max(1, min(tileRows, atOnce / tileColumns))
        pieces = (tileRows + height - 1) / height
        rowsAtOnce = (tileRows + pieces - 1) / pieces
        units = (c.images + imagesAtOnce - 1) / imagesAtOnce * pieces
        room = (imagesAtOnce * rowsAtOnce * tileColumns + 2) / 3 * 3
        planes =
            isPlanar
            ? WinogradPlanes(
                rows, channels: channels, top: top, taps: taps, tileColumns: tileColumns, tileRows: rowsAtOnce,
                tiles: room) : nil
        plane = planes?.plane ?? oddLines(I.self, room * depth + (isDense ? depth + I.width : 0))
    }

    /// A unit: its images, its rows of tiles.
    @inlinable
    func unit(_ index: Int) -> (images: Range<Int>, rows: Range<Int>) {
        let (image, row) = (index / pieces * imagesAtOnce, index % pieces * rowsAtOnce)
        return (image..<min(images, image + imagesAtOnce), row..<min(tileRows, row + rowsAtOnce))
    }

    /// Places of a tile.
    @inlinable var places: Int { (rowTaps + 1) * (taps + 1) }
    /// Turned rows under so many rows of tiles.
    @inlinable func rowsUnder(_ count: Int) -> Int { 2 * count + rowTaps - 1 }
    /// Scalars of transformed tiles from channel to channel, and from tile to tile.
    @inlinable var channelStride: Int { planes?.room ?? 1 }
    @inlinable var tileStride: Int { planes == nil ? depth : 1 }
    /// Bytes that `transform` takes for the turned rows of an image, and for a row of tiles transformed along columns.
    @inlinable var rowBytes: Int {
        planes?.rowBytes(taps + 1) ?? (rowsUnder(rowsAtOnce) + rowTaps + 1) * line * I.scalarSize
    }
    /// Bytes of a unit's transformed tiles; what works on six channels at a time reads a little beyond the last.
    @inlinable var tileBytes: Int { (places * plane + (planes.map { 3 * $0.room } ?? 64)) * I.scalarSize }

    /// Transforms a unit's tiles. If the unit before was transformed in the same memory, rows that both stand on are taken
    /// from there.
    @inlinable @inline(__always)
    func transform(
        _ unit: Int, continues: Bool, _ x: UnsafeRawPointer, _ turned: UnsafeMutableRawPointer,
        _ tiles: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let (images, tileRows) = self.unit(unit)
        if let planes {
            @inline(__always) func transform<let N: Int>(_ points: InlineArray<N, Void>.Type) {
                planes.transform(images, tileRows, continues: continues, x, turned, tiles, points)
            }
            switch taps {
            case 3: transform(InlineArray<4, Void>.self)
            case 4: transform(InlineArray<5, Void>.self)
            default: transform(InlineArray<6, Void>.self)
            }
            return
        }
        let between = turned + rowsUnder(rowsAtOnce) * line * size
        var (target, known) = (tiles, 0)
        if continues, tileRows.lowerBound > 0 {
            known = rowTaps - 1
            turned.copyMemory(from: turned + 2 * rowsAtOnce * line * size, byteCount: known * line * size)
        }
        for image in images {
            let planes = x + image * channels * rows.height * rows.width * size
            for row in known..<rowsUnder(tileRows.count) {
                rows.turn(stride * (2 * tileRows.lowerBound + row) + top, planes, channels, turned + row * line * size)
            }
            for row in 0..<tileRows.count {
                let from = turned + 2 * row * line * size
                switch (rowTaps, taps) {
                case (1, _), (2, _): transformPhases(from, target)
                case (3, 3): transformRow(from, target)
                case (3, _): transformRow(from, between, target, InlineArray<4, Void>.self, InlineArray<5, Void>.self)
                case (4, _): transformRow(from, between, target, InlineArray<5, Void>.self, InlineArray<5, Void>.self)
                default: transformRow(from, between, target, InlineArray<6, Void>.self, InlineArray<6, Void>.self)
                }
                target += tileColumns * depth * size
            }
        }
    }

    /// `Bᵀ d B` for a row of tiles, 3×3.
    @inlinable @inline(never)
    func transformRow(_ turned: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let (pixel, line, place) = (depth, line, plane)
        for tile in 0..<tileColumns {
            for channel in Swift.stride(from: 0, to: used, by: I.width) {
                let at = 2 &* tile &* pixel &+ channel
                let to = tile &* pixel &+ channel
                @inline(__always) func write(_ row: Int, _ a: I.V, _ b: I.V, _ d: I.V, _ e: I.V) {
                    I.store(a - d, target, 4 &* row &* place &+ to)
                    I.store(b + d, target, (4 &* row &+ 1) &* place &+ to)
                    I.store(d - b, target, (4 &* row &+ 2) &* place &+ to)
                    I.store(e - b, target, (4 &* row &+ 3) &* place &+ to)
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
                    3, read(3, 0) - read(1, 0), read(3, 1) - read(1, 1), read(3, 2) - read(1, 2),
                    read(3, 3) - read(1, 3))
            }
        }
    }

    /// `Bᵀ d B` for a row of tiles of 3×3 filters with stride 2: even rows and columns have two taps and the points 0, 1 and
    /// infinity, odd ones have one tap, which counts at 0 and infinity. Both phases of columns have whole vectors.
    @inlinable @inline(never)
    func transformPhases(_ turned: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
        let (pixel, line, place) = (depth, line, plane)
        let places = rowTaps &+ 1
        for tile in 0..<tileColumns {
            for lane in Swift.stride(from: 0, to: used, by: I.width) {
                let from = turned + (2 &* tile &* pixel &+ lane) &* I.scalarSize
                for i in 0..<places {
                    // Row i of Bᵀ d.
                    @inline(__always) func column(_ j: Int) -> I.V {
                        let at = i &* line &+ j &* pixel
                        if rowTaps == 1 || i == 1 { return I.load(from, at) }
                        let middle = I.load(from, line &+ j &* pixel)
                        return I.load(from, at) - middle
                    }
                    let to = target + (3 &* i &* place &+ tile &* pixel &+ lane) &* I.scalarSize
                    let middle = column(1)
                    if lane < channels {
                        I.store(column(0) - middle, to, 0)
                        I.store(middle, to, place)
                        I.store(column(2) - middle, to, 2 &* place)
                    } else {
                        I.store(column(0), to, 0)
                        I.store(middle, to, 2 &* place)
                    }
                }
            }
        }
    }

    /// The same for M places along columns and N along rows: `between` takes the tiles after the first axis.
    @inlinable @inline(never)
    func transformRow<let M: Int, let N: Int>(
        _ turned: UnsafeRawPointer, _ between: UnsafeMutableRawPointer, _ target: UnsafeMutableRawPointer,
        _: InlineArray<M, Void>.Type, _: InlineArray<N, Void>.Type
    ) {
        let (line, pixel, place) = (line, depth, plane)
        for at in Swift.stride(from: 0, to: line, by: I.width) {
            var column = InlineArray<M, I.V>(repeating: .zero)
            for i in 0..<M { column[i] = I.load(turned, i &* line &+ at) }
            let places = Winograd.inputs(I.self, column)
            for i in 0..<M { I.store(places[i], between, i &* line &+ at) }
        }
        for tile in 0..<tileColumns {
            for lane in Swift.stride(from: 0, to: used, by: I.width) {
                for i in 0..<M {
                    let from = between + (i &* line &+ 2 &* tile &* pixel &+ lane) &* I.scalarSize
                    let to = target + (N &* i &* place &+ tile &* pixel &+ lane) &* I.scalarSize
                    var row = InlineArray<N, I.V>(repeating: .zero)
                    for j in 0..<N { row[j] = I.load(from, j &* pixel) }
                    let places = Winograd.inputs(I.self, row)
                    for j in 0..<N { I.store(places[j], to, j &* place) }
                }
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

// The input's side of Winograd's F(2×2, k×k) where there are few channels and stride 1: the vector runs along tiles, since
// a vector of channels would be mostly idle.
//
// Planes stay planes. The columns of a row are split into even and odd ones, E and O; tile t stands on E[t], O[t], E[t+1],
// O[t+1] and so on, vectors at any alignment. First every row is transformed along columns, with neighbouring tiles in
// neighbouring lanes, to [point][parity of the row][row][tile]. Rows of tiles follow each other there without gaps, and
// what lies a row below is as many scalars further for all of them: the transform along rows takes vectors that run on
// from row to row, and hardly a lane is idle. Transformed tiles lie as [place][channel][tile].
// Surplus lanes at the end of a row are overwritten by the next row, those of an image by the next image; the products
// take none beyond the last tile.
// Blocking: all rows of a channel of a unit (10 KiB) are transformed along columns, then along rows.

/// Transforms rows of tiles of planes with few channels.
@usableFromInline struct WinogradPlanes<I: ISA>: Sendable {
    @usableFromInline let channels, height, width: Int
    /// The row and the column of the image where the first tile begins.
    @usableFromInline let top, left: Int
    /// Tiles in a row.
    @usableFromInline let tileColumns: Int
    /// Rows of the image under a unit.
    @usableFromInline let lines: Int
    /// Scalars of the even columns of a row, of a plane of rows transformed along columns, and of a plane of tiles.
    @usableFromInline let lineRoom, rowRoom, room: Int
    /// Scalars from place to place.
    @usableFromInline let plane: Int

    /// For units of at most so many tiles in so many rows of an image.
    @inlinable
    init(_ rows: PlaneRows<I>, channels: Int, top: Int, taps: Int, tileColumns: Int, tileRows: Int, tiles: Int) {
        (self.channels, height, width, self.top, left) = (channels, rows.height, rows.width, top, rows.left)
        self.tileColumns = tileColumns
        lines = 2 * tileRows + taps - 1
        // Vectors may begin at the last tile, and rows before the first one.
        lineRoom = oddLines(I.self, tileColumns + (width + abs(left)) / 2 + 2 * I.width + 4)
        rowRoom = oddLines(I.self, (tileRows + taps / 2) * tileColumns + 2 * I.width)
        room = oddLines(I.self, tiles + I.width)
        plane = oddLines(I.self, channels * room)
    }

    /// Bytes that `transform` takes: columns of the rows, even and odd ones, then those transformed.
    @inlinable
    func rowBytes(_ points: Int) -> Int { (2 * lines * lineRoom + 2 * points * rowRoom) * I.scalarSize }

    /// Transforms some rows of tiles of some images, N = k + 1 points; `continues` if it did so before in the same memory.
    @inlinable @inline(__always)
    func transform<let N: Int>(
        _ images: Range<Int>, _ rows: Range<Int>, continues: Bool, _ x: UnsafeRawPointer,
        _ between: UnsafeMutableRawPointer, _ target: UnsafeMutableRawPointer, _ points: InlineArray<N, Void>.Type
    ) {
        let size = I.scalarSize
        let transformed = between + 2 * lines * lineRoom * size
        // The zeros around the rows stay.
        if !continues { fill(I.self, 2 * lines * lineRoom, 0, between) }
        var to = target
        for image in images {
            for channel in 0..<channels {
                let plane = x + (image * channels + channel) * height * width * size
                transformColumns(plane, rows, between, transformed, points)
                transformRows(rows.count * tileColumns, transformed, to + channel * room * size, points)
            }
            to += rows.count * tileColumns * size
        }
    }

    /// Splits a row, after `first` columns that are not there, into even and odd places. A row of less than two vectors is
    /// followed by zeros; then `between` takes two vectors.
    @inlinable @inline(__always)
    func split(
        _ row: UnsafeRawPointer, first: Int, _ even: UnsafeMutableRawPointer, _ odd: UnsafeMutableRawPointer,
        _ between: UnsafeMutableRawPointer
    ) {
        @inline(__always) func block(_ from: UnsafeRawPointer, _ start: Int, _ place: Int) {
            var (a, b) = (I.load(from, start), I.load(from, start &+ I.width))
            I.split(&a, &b)
            if place & 1 == 0 {
                I.store(a, even, place >> 1)
                I.store(b, odd, place >> 1)
            } else {
                I.store(a, odd, place >> 1)
                I.store(b, even, place >> 1 &+ 1)
            }
        }
        let last = width &- 2 &* I.width
        if last < 0 {
            fill(I.self, 2 &* I.width, 0, between)
            copyRow(I.self, width, row, between)
            return block(between, 0, first)
        }
        var start = 0
        while start < last {
            block(row, start, first &+ start)
            start &+= 2 &* I.width
        }
        // It may overlap the one before.
        block(row, last, first &+ last)
    }

    /// `d B` for the rows of a plane under some rows of tiles.
    @inlinable @inline(never)
    func transformColumns<let N: Int>(
        _ plane: UnsafeRawPointer, _ rows: Range<Int>, _ split: UnsafeMutableRawPointer,
        _ target: UnsafeMutableRawPointer, _: InlineArray<N, Void>.Type
    ) {
        let (size, columns, line) = (I.scalarSize, tileColumns, lineRoom &* I.scalarSize)
        let point = 2 &* rowRoom
        let (above, count) = (2 &* rows.lowerBound &+ top, 2 &* rows.count &+ N &- 2)
        // The rows in the image.
        let first = min(count, max(0, 0 &- above))
        let last = max(first, min(count, height &- above))
        // All of them before one is read again: a load that spans two stores waits for both.
        for row in first..<last {
            let even = split + 2 &* row &* line
            self.split(plane + (above &+ row) &* width &* size, first: 0 &- left, even, even + line, target)
        }
        for row in 0..<count {
            let to = target + ((row & 1) &* rowRoom &+ (row >> 1) &* columns) &* size
            if row < first || row >= last {
                for j in 0..<N { fill(I.self, columns, 0, to + j &* point &* size) }
                continue
            }
            let even = split + 2 &* row &* line
            let odd = even + line
            var tile = 0
            while tile < columns {
                var column = InlineArray<N, I.V>(repeating: .zero)
                for j in 0..<N { column[j] = I.load(j % 2 == 0 ? even : odd, tile &+ j / 2) }
                let places = Winograd.inputs(I.self, column)
                for j in 0..<N { I.store(places[j], to, j &* point &+ tile) }
                tile &+= I.width
            }
        }
    }

    /// `Bᵀ d` of those, for so many tiles.
    @inlinable @inline(never)
    func transformRows<let N: Int>(
        _ tiles: Int, _ rows: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, _: InlineArray<N, Void>.Type
    ) {
        let (line, parity, place) = (tileColumns, rowRoom, N &* plane)
        for j in 0..<N {
            var from = rows + 2 &* j &* parity &* I.scalarSize
            var to = target + j &* plane &* I.scalarSize
            for _ in 0..<(tiles &+ I.width &- 1) / I.width {
                var column = InlineArray<N, I.V>(repeating: .zero)
                for i in 0..<N { column[i] = I.load(from, (i & 1) &* parity &+ i / 2 &* line) }
                let places = Winograd.inputs(I.self, column)
                for i in 0..<N { I.store(places[i], to, i &* place) }
                from += I.width &* I.scalarSize
                to += I.width &* I.scalarSize
            }
        }
    }
}

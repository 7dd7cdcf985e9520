// Register tiles of the matrix product: R rows of A times V = 2 vectors of columns of B (1 at a narrow edge), all
// sums in registers.
//
// Register budget. 32 registers (AVX-512, NEON): 12×2 = 24 sums, 2 vectors of B, broadcasts of A. 16 registers:
// 6×2 = 12 sums, 2 of B, 1 broadcast (AVX2); 4×2 without FMA, where products need registers too (SSE). With FMA
// there are more independent sums than latency × throughput (4 × 2) and fewer loads than FMA. Remaining rows are
// done by tiles of 8, 4, 2 and 1 rows.
//
// All sums must stay in registers, which they do only while the loops over them are unrolled whole. `+` on a SIMD
// type known through the protocol is a loop over lanes at that stage and too much for it, hence FMA with 1.

extension GEMM {
    /// Rows of the largest tile.
    @inlinable @inline(__always)
    static var tileRows: Int {
        #if arch(arm64)
            12
        #else
            I.width &* I.scalarSize == 64 ? 12 : I.width &* I.scalarSize == 32 ? 6 : 4
        #endif
    }

    /// Vectors of a tile's row.
    @inlinable @inline(__always)
    static var tileVectors: Int { 2 }

    /// Columns of a tile.
    @inlinable @inline(__always)
    static var tileColumns: Int { 2 &* I.width }

    /// Rows of the tile to take when `rows` rows are left. The panels of A are cut in this way too.
    @inlinable @inline(__always)
    static func tileHeight(_ rows: Int) -> Int {
        if rows >= tileRows { return tileRows }
        if rows >= 8 { return 8 }  // only where the largest tile is higher
        return rows >= 4 ? 4 : rows >= 2 ? 2 : 1
    }

    /// What a tile reads and writes. Pointers are to its first scalar.
    @usableFromInline
    struct TileArguments {
        /// Length of the sums.
        @usableFromInline var k: Int
        /// A panel: for each of the k steps, one scalar per row. Or, with `aRow`, rows of A that many scalars apart.
        @usableFromInline var a: UnsafeRawPointer
        @usableFromInline var aRow: Int?
        /// Rows of B, `bStride` scalars apart.
        @usableFromInline var b: UnsafeRawPointer
        @usableFromInline var bStride: Int
        @usableFromInline var c: UnsafeMutableRawPointer
        @usableFromInline var cRow: Int
        /// Whether to add to C.
        @usableFromInline var accumulate: Bool
        /// One scalar per column to add.
        @usableFromInline var bias: UnsafeRawPointer?

        @inlinable @inline(__always)
        init(
            k: Int, a: UnsafeRawPointer, aRow: Int?, b: UnsafeRawPointer, bStride: Int, c: UnsafeMutableRawPointer,
            cRow: Int, accumulate: Bool, bias: UnsafeRawPointer?
        ) {
            (self.k, self.a, self.aRow, self.b, self.bStride) = (k, a, aRow, b, bStride)
            (self.c, self.cRow) = (c, cRow)
            (self.accumulate, self.bias) = (accumulate, bias)
        }
    }

    /// Runs the tile of `rows` rows, a height that `tileHeight` gives, and 1 or 2 vectors.
    @inlinable @inline(__always)
    static func tile(rows: Int, vectors: Int, _ t: TileArguments) {
        if vectors == 2 {
            tile(rows: rows, InlineArray<2, Void>.self, t)
        } else {
            tile(rows: rows, InlineArray<1, Void>.self, t)
        }
    }

    @inlinable @inline(__always)
    static func tile<let V: Int>(rows: Int, _ vectors: InlineArray<V, Void>.Type, _ t: TileArguments) {
        if tileRows == 12 {
            switch rows {
            case 12: return tile(InlineArray<12, Void>.self, vectors, t)
            case 8: return tile(InlineArray<8, Void>.self, vectors, t)
            default: break
            }
        } else if tileRows == 6, rows == 6 {
            return tile(InlineArray<6, Void>.self, vectors, t)
        }
        switch rows {
        case 4: tile(InlineArray<4, Void>.self, vectors, t)
        case 2: tile(InlineArray<2, Void>.self, vectors, t)
        default: tile(InlineArray<1, Void>.self, vectors, t)
        }
    }

    /// One tile of `R` rows: C (R×V) = A·B (+ C) (+ bias).
    @inlinable @inline(never)
    static func tile<let R: Int, let V: Int>(
        _: InlineArray<R, Void>.Type, _: InlineArray<V, Void>.Type, _ t: TileArguments
    ) {
        if let aRow = t.aRow {
            tile(InlineArray<R, Void>.self, InlineArray<V, Void>.self, t, aRow: aRow, aStep: 1)
        } else {
            tile(InlineArray<R, Void>.self, InlineArray<V, Void>.self, t, aRow: 1, aStep: R)
        }
    }

    /// The same with a row of A `aRow` scalars and a step of k `aStep` scalars behind the one before.
    @inlinable @inline(__always)
    static func tile<let R: Int, let V: Int>(
        _: InlineArray<R, Void>.Type, _: InlineArray<V, Void>.Type, _ t: TileArguments, aRow: Int, aStep: Int
    ) {
        let size = I.scalarSize
        var sums = InlineArray<R, InlineArray<V, I.V>>(repeating: .init(repeating: .zero))
        var a = t.a
        var b = t.b
        let bStep = t.bStride &* size
        var left = t.k
        while left > 0 {
            var columns = InlineArray<V, I.V>(repeating: .zero)
            for v in 0..<V { columns[v] = I.load(b, v &* I.width) }
            for r in 0..<R {
                let value = I.broadcast(a, r &* aRow)
                for v in 0..<V { I.fma(&sums[r][v], value, columns[v]) }
            }
            a += aStep &* size
            b += bStep
            left &-= 1
        }
        let one = I.V(repeating: 1)
        if let bias = t.bias {
            for v in 0..<V {
                let value = I.load(bias, v &* I.width)
                for r in 0..<R { I.fma(&sums[r][v], one, value) }
            }
        }
        if t.accumulate {
            for r in 0..<R {
                let c = t.c + r &* t.cRow &* size
                for v in 0..<V { I.fma(&sums[r][v], one, I.load(c, v &* I.width)) }
            }
        }
        for r in 0..<R {
            let c = t.c + r &* t.cRow &* size
            for v in 0..<V { I.store(sums[r][v], c, v &* I.width) }
        }
    }

    /// Adds the first `columns` columns of a tile in scratch memory to C, where C's edge cuts the tile.
    @inlinable @inline(never)
    static func copyOut(rows: Int, columns: Int, tile: UnsafeRawPointer, _ t: TileArguments) {
        for r in 0..<rows {
            let from = tile + r &* tileColumns &* I.scalarSize
            let to = t.c + r &* t.cRow &* I.scalarSize
            var j = 0
            if columns >= I.width {
                var value = I.load(from, 0)
                if let bias = t.bias { value += I.load(bias, 0) }
                if t.accumulate { value += I.load(to, 0) }
                I.store(value, to, 0)
                j = I.width
            }
            while j < columns {
                var value = scalar(from, j)
                if let bias = t.bias { value += scalar(bias, j) }
                if t.accumulate { value += scalar(to, j) }
                put(value, to, j)
                j &+= 1
            }
        }
    }
}

// Packing of operands: panels that the register tiles read from front to back.
//
// A panel of A holds, for each step of k, one scalar per row of the tile; panels are as high as the tiles that
// `tileHeight` cuts the rows into, so that the panel of the row `i` starts `i × k` scalars behind the first.
// A panel of B holds, for each step of k, `tileColumns` scalars; columns beyond the matrix are zero.

extension GEMM {
    /// Packs `rows` rows of A, `k` columns each, into panels.
    @inlinable
    static func packA(
        rows: Int, k: Int, _ a: UnsafeRawPointer, aRow: Int, aColumn: Int, into panels: UnsafeMutableRawPointer,
        panelLength: Int
    ) {
        let size = I.scalarSize
        var i = 0
        while i < rows {
            let height = tileHeight(rows &- i)
            let from = a + i &* aRow &* size
            let to = panels + i &* panelLength &* size
            switch height {
            case 12 where tileRows == 12: packA(InlineArray<12, Void>.self, k, from, aRow, aColumn, to)
            case 8 where tileRows == 12: packA(InlineArray<8, Void>.self, k, from, aRow, aColumn, to)
            case 6 where tileRows == 6: packA(InlineArray<6, Void>.self, k, from, aRow, aColumn, to)
            case 4: packA(InlineArray<4, Void>.self, k, from, aRow, aColumn, to)
            case 2: packA(InlineArray<2, Void>.self, k, from, aRow, aColumn, to)
            default: packA(InlineArray<1, Void>.self, k, from, aRow, aColumn, to)
            }
            i &+= height
        }
    }

    /// Packs one panel of `R` rows.
    @inlinable @inline(never)
    static func packA<let R: Int>(
        _: InlineArray<R, Void>.Type, _ k: Int, _ a: UnsafeRawPointer, _ aRow: Int, _ aColumn: Int,
        _ panel: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        if aRow == 1 {
            for p in 0..<k {
                for r in 0..<R { copy(a + p &* aColumn &* size, r, panel + p &* R &* size, r) }
            }
            return
        }
        var p = 0
        if aColumn == 1 {
            while p &+ 4 <= k {
                for r in 0..<R / 4 {
                    transpose(
                        a + (r &* 4 &* aRow &+ p) &* size, aRow, to: panel + (p &* R &+ r &* 4) &* size, R)
                }
                for r in R / 4 * 4..<R {
                    for q in 0..<4 { copy(a + r &* aRow &* size, p &+ q, panel + r &* size, (p &+ q) &* R) }
                }
                p &+= 4
            }
        }
        while p < k {
            for r in 0..<R { copy(a + p &* aColumn &* size, r &* aRow, panel + p &* R &* size, r) }
            p &+= 1
        }
    }

    /// Copies one scalar.
    @inlinable @inline(__always)
    static func copy(_ from: UnsafeRawPointer, _ i: Int, _ to: UnsafeMutableRawPointer, _ j: Int) {
        put(scalar(from, i), to, j)
    }

    /// Transposes 4 × 4 scalars; rows are `fromRow` and `toRow` scalars apart.
    @inlinable @inline(__always)
    static func transpose(_ from: UnsafeRawPointer, _ fromRow: Int, to: UnsafeMutableRawPointer, _ toRow: Int) {
        let size = I.scalarSize
        let a = from.loadUnaligned(as: SIMD4<I.Scalar>.self)
        let b = (from + fromRow &* size).loadUnaligned(as: SIMD4<I.Scalar>.self)
        let c = (from + 2 &* fromRow &* size).loadUnaligned(as: SIMD4<I.Scalar>.self)
        let d = (from + 3 &* fromRow &* size).loadUnaligned(as: SIMD4<I.Scalar>.self)
        for i in 0..<4 {
            (to + i &* toRow &* size).storeBytes(
                of: SIMD4(a[i], b[i], c[i], d[i]), as: SIMD4<I.Scalar>.self)
        }
    }

    /// Packs `k` rows of B, `columns` columns each, into panels `panelLength` steps long.
    @inlinable
    static func packB(
        k: Int, columns: Int, _ b: UnsafeRawPointer, bRow: Int, bColumn: Int, into panels: UnsafeMutableRawPointer,
        panelLength: Int
    ) {
        let size = I.scalarSize
        var j = 0
        while j < columns {
            let width = min(tileColumns, columns &- j)
            packB(k, width, b + j &* bColumn &* size, bRow, bColumn, panels + j &* panelLength &* size)
            j &+= tileColumns
        }
    }

    /// Packs one panel, `width` columns of B.
    @inlinable @inline(never)
    static func packB(
        _ k: Int, _ width: Int, _ b: UnsafeRawPointer, _ bRow: Int, _ bColumn: Int,
        _ panel: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        if width == tileColumns, bColumn == 1 {
            var from = b
            var to = panel
            for _ in 0..<k {
                I.store(I.load(from, 0), to, 0)
                I.store(I.load(from, I.width), to, I.width)
                from += bRow &* size
                to += tileColumns &* size
            }
            return
        }
        if width < tileColumns { panel.initializeMemory(as: UInt8.self, repeating: 0, count: k &* tileColumns &* size) }
        var p = 0
        if bRow == 1, width == tileColumns {
            while p &+ I.width <= k {
                for v in 0..<2 {
                    let from = b + (v &* I.width &* bColumn &+ p) &* size
                    let to = panel + (p &* tileColumns &+ v &* I.width) &* size
                    var square = InlineArray<16, I.V>(repeating: .zero)
                    for i in 0..<I.width { square[i] = I.load(from, i &* bColumn) }
                    I.transpose(&square)
                    for i in 0..<I.width { I.store(square[i], to, i &* tileColumns) }
                }
                p &+= I.width
            }
        }
        if bRow == 1 {
            while p &+ 4 <= k {
                let from = b + p &* size
                let to = panel + p &* tileColumns &* size
                var j = 0
                while j &+ 4 <= width {
                    transpose(from + j &* bColumn &* size, bColumn, to: to + j &* size, tileColumns)
                    j &+= 4
                }
                while j < width {
                    for q in 0..<4 { copy(from + j &* bColumn &* size, q, to + j &* size, q &* tileColumns) }
                    j &+= 1
                }
                p &+= 4
            }
        }
        while p < k {
            for j in 0..<width {
                copy(b + p &* bRow &* size, j &* bColumn, panel + p &* tileColumns &* size, j)
            }
            p &+= 1
        }
    }
}

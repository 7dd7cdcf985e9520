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
        var from = a
        var to = panel
        if aRow == 1 {
            for _ in 0..<k {
                for r in 0..<R {
                    to.storeBytes(
                        of: from.load(fromByteOffset: r &* size, as: I.Scalar.self), toByteOffset: r &* size,
                        as: I.Scalar.self)
                }
                from += aColumn &* size
                to += R &* size
            }
        } else {
            for _ in 0..<k {
                for r in 0..<R {
                    to.storeBytes(
                        of: from.load(fromByteOffset: r &* aRow &* size, as: I.Scalar.self),
                        toByteOffset: r &* size, as: I.Scalar.self)
                }
                from += aColumn &* size
                to += R &* size
            }
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
        var from = b
        var to = panel
        if width == tileColumns, bColumn == 1 {
            for _ in 0..<k {
                I.store(I.load(from, 0), to, 0)
                I.store(I.load(from, I.width), to, I.width)
                from += bRow &* size
                to += tileColumns &* size
            }
        } else {
            for _ in 0..<k {
                for j in 0..<width {
                    to.storeBytes(
                        of: from.load(fromByteOffset: j &* bColumn &* size, as: I.Scalar.self),
                        toByteOffset: j &* size, as: I.Scalar.self)
                }
                for j in width..<tileColumns {
                    to.storeBytes(of: 0, toByteOffset: j &* size, as: I.Scalar.self)
                }
                from += bRow &* size
                to += tileColumns &* size
            }
        }
    }
}

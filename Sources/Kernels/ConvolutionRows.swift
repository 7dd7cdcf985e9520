// Tiles of the flat correlation kernel that keep to a row of outputs, and write them at once.
//
// Planes and weights are those of ConvolutionFlat.swift, and so is the register tile but with AVX2: there, 4×2 sums are just
// as many as the latency of FMA asks for, and 6×2 leave it some slack (12 + 2 + 1 registers; 4×2 for the last channels).
// A row is cut into tiles from the left; the last one ends with the row and computes some outputs a second time. So nothing
// is read or written beside the rows, there is no scratch memory for sums, and bias and ReLU cost nothing. V, at most that
// of the flat tile, divides the vectors of a row: two for 28 or 224 columns, three for 24 (AVX2). Tiles follow each other
// along a row, as memory is written fastest in order: one column of tiles after the other took half as long again.
// With one channel and 3×3 filters, where a sum has nine terms, storing sums and copying them out takes longer than summing.

/// R output channels of one image: what is summed and where it goes.
@usableFromInline struct FlatRows {
    /// Bytes from an output's place in the planes to each factor.
    @usableFromInline let terms: UnsafePointer<Int>
    @usableFromInline let termCount: Int
    /// Padded planes, whose rows are `rowStride` scalars apart.
    @usableFromInline let x: UnsafeRawPointer
    @usableFromInline let rowStride: Int
    /// R biases, then weights as [term][R].
    @usableFromInline let w: UnsafeRawPointer
    @usableFromInline let relu: Bool
    /// Planes of `area` scalars; the first `used` of R are written.
    @usableFromInline let y: UnsafeMutableRawPointer
    @usableFromInline let rows, columns, area, used: Int

    @inlinable @inline(__always)
    init(
        terms: UnsafePointer<Int>, termCount: Int, x: UnsafeRawPointer, rowStride: Int, w: UnsafeRawPointer,
        relu: Bool, y: UnsafeMutableRawPointer, rows: Int, columns: Int, area: Int, used: Int
    ) {
        (self.terms, self.termCount, self.x, self.rowStride, self.w) = (terms, termCount, x, rowStride, w)
        (self.relu, self.y) = (relu, y)
        (self.rows, self.columns, self.area, self.used) = (rows, columns, area, used)
    }

    /// All rows, with tiles of so many vectors.
    @inlinable @inline(__always)
    func compute<I: ISA, let R: Int>(_: I.Type, _ rowsType: InlineArray<R, Void>.Type, vectors: Int) {
        switch vectors {
        case 4 where R < 4: compute(I.self, rowsType, InlineArray<4, Void>.self)
        case 3: compute(I.self, rowsType, InlineArray<3, Void>.self)
        case 2: compute(I.self, rowsType, InlineArray<2, Void>.self)
        default: compute(I.self, rowsType, InlineArray<1, Void>.self)
        }
    }

    @inlinable @inline(never)
    func compute<I: ISA, let R: Int, let V: Int>(
        _: I.Type, _: InlineArray<R, Void>.Type, _: InlineArray<V, Void>.Type
    ) {
        let size = I.scalarSize
        let floor = I.V(repeating: relu ? 0 : -.infinity)
        for row in 0..<rows {
            var column = 0
            while column < columns {
                let start = min(column, columns &- V &* I.width)
                let place = x + (row &* rowStride &+ start) &* size
                let target = y + (row &* columns &+ start) &* size
                var acc = InlineArray<R, InlineArray<V, I.V>>(repeating: .init(repeating: .zero))
                for r in 0..<R { for v in 0..<V { acc[r][v] = I.broadcast(w, r) } }
                var weight = w + R &* size
                for term in 0..<termCount {
                    let source = place + terms[term]
                    addTerm(I.self, &acc, source, weight)
                    weight += R &* size
                }
                // Backwards: what is too much of R goes where the last that is used follows. No branch, so that the loop is
                // unrolled and sums are in registers.
                for i in 0..<R {
                    let r = R &- 1 &- i
                    let plane = min(r, used &- 1) &* area
                    for v in 0..<V {
                        let value = I.select(acc[r][v], lessThan: floor, floor, acc[r][v])
                        I.store(value, target, plane &+ v &* I.width)
                    }
                }
                column &+= V &* I.width
            }
        }
    }
}

// The matrix products of Winograd's F(2×2, k×k), one for each place of a tile: forward and backward-data sum over
// channels, backward-weights over tiles; there b is evaluated at a point as it is loaded.

/// A product: sums[row][lane] += Σ over steps of a[row, step] · b[step][lane], for a block of lanes.
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
        compute(I.self, vectors: vectors, other: 0, InlineArray<0, Void>.self)
    }

    /// The same with b[step] + p · c[step] in the place of b[step], p the point with this index in `Winograd.points`; c lies
    /// `other` scalars behind b.
    @inlinable @inline(__always)
    func compute<I: ISA>(_: I.Type, vectors: Int, other: Int, point: Int) {
        switch point {
        case 1: compute(I.self, vectors: vectors, other: other, InlineArray<1, Void>.self)
        case 2: compute(I.self, vectors: vectors, other: other, InlineArray<2, Void>.self)
        case 3: compute(I.self, vectors: vectors, other: other, InlineArray<3, Void>.self)
        case 4: compute(I.self, vectors: vectors, other: other, InlineArray<4, Void>.self)
        default: compute(I.self, vectors: vectors, other: other, InlineArray<0, Void>.self)
        }
    }

    @inlinable @inline(__always)
    func compute<I: ISA, let P: Int>(_: I.Type, vectors: Int, other: Int, _ point: InlineArray<P, Void>.Type) {
        if I.hasManyRegisters, vectors == 4 {
            compute(I.self, InlineArray<4, Void>.self, other, point)
        } else if vectors == 2 {
            compute(I.self, InlineArray<2, Void>.self, other, point)
        } else {
            compute(I.self, InlineArray<1, Void>.self, other, point)
        }
    }

    @inlinable @inline(never)
    func compute<I: ISA, let V: Int, let P: Int>(
        _: I.Type, _ vectors: InlineArray<V, Void>.Type, _ other: Int, _ point: InlineArray<P, Void>.Type
    ) {
        var row = 0
        while row < rows {
            if rows &- row > 3 {
                tile(I.self, InlineArray<6, Void>.self, vectors, InlineArray<1, Void>.self, other, point, row)
                row &+= 6
            } else {
                tile(I.self, InlineArray<3, Void>.self, vectors, InlineArray<2, Void>.self, other, point, row)
                row &+= 3
            }
        }
    }

    /// The register tile: R rows × V vectors, U steps at a time in sums of their own. AVX2 and SSE (16 registers) 6×2 = 12
    /// sums, 2 vectors of b, 1 broadcast; AVX-512 and NEON (32) 6×4. The 3 rows that remain take two steps at a time: 6 sums
    /// alone would wait for each other.
    @inlinable @inline(__always)
    func tile<I: ISA, let R: Int, let V: Int, let U: Int, let P: Int>(
        _: I.Type, _: InlineArray<R, Void>.Type, _: InlineArray<V, Void>.Type, _: InlineArray<U, Void>.Type,
        _ other: Int, _: InlineArray<P, Void>.Type, _ first: Int
    ) {
        let size = I.scalarSize
        let target = sums + first &* V &* I.width &* size
        var acc = InlineArray<U, InlineArray<R, InlineArray<V, I.V>>>(
            repeating: .init(repeating: .init(repeating: .zero)))
        if continues {
            for r in 0..<R { for v in 0..<V { acc[0][r][v] = I.load(target, (r &* V &+ v) &* I.width) } }
        }
        var (factors, vectors) = (a + first &* rowStride &* size, b)
        for _ in 0..<steps / U {
            for u in 0..<U {
                var row = InlineArray<V, I.V>(repeating: .zero)
                for v in 0..<V { row[v] = value(I.self, P, vectors, v &* I.width, other) }
                for r in 0..<R {
                    let factor = I.broadcast(factors, r &* rowStride)
                    for v in 0..<V { I.fma(&acc[u][r][v], factor, row[v]) }
                }
                factors += stepStride &* size
                vectors += V &* I.width &* size
            }
        }
        for _ in 0..<steps % U {
            for r in 0..<R {
                let factor = I.broadcast(factors, r &* rowStride)
                for v in 0..<V { I.fma(&acc[0][r][v], factor, value(I.self, P, vectors, v &* I.width, other)) }
            }
            factors += stepStride &* size
            vectors += V &* I.width &* size
        }
        for r in 0..<R {
            for v in 0..<V {
                for u in 1..<U { acc[0][r][v] += acc[u][r][v] }
                I.store(acc[0][r][v], target, (r &* V &+ v) &* I.width)
            }
        }
    }

    /// A vector of b, at the point with this index in `Winograd.points`.
    @inlinable @inline(__always)
    func value<I: ISA>(_: I.Type, _ point: Int, _ b: UnsafeRawPointer, _ at: Int, _ other: Int) -> I.V {
        let first = I.load(b, at)
        if point == 0 { return first }
        let second = I.load(b, at &+ other)
        switch point {
        case 1: return first + second
        case 2: return first - second
        case 3: return first + (second + second)
        default: return first - (second + second)
        }
    }
}

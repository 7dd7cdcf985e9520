// Matrix product: C (m×n) = A (m×k) · B (k×n), any strides, in batches.
//
// Blocking (Goto & van de Geijn, 2008): K in slabs of 256; of each slab A is packed into panels of R rows and B into
// panels of V vectors of columns, so that the inner loop reads both front to back. A chunk of work is a block of 12·R
// rows and 16 panels of columns: its panels of A (about 72 KiB with AVX2) stay in the second-level cache, the panel of B
// in use (16 KiB) in the first.
// Registers: R·V accumulators + V vectors of B + 1 broadcast. AVX2 has 16: 6×2 + 2 + 1 = 15. AVX-512 has 32:
// 8×3 + 3 + 1 = 28. Baseline: 4×2 + 2 + 2 = 12 (the product needs a register of its own without FMA).
// Where A's rows and B's columns are contiguous along k and m is small (a linear layer's forward), nothing is packed:
// dot products, 3 rows by 4 columns, the vector running along k, in blocks of 1024.

/// `C[b] = (accumulate ? C[b] : 0) + A[b] · B[b] + columnBias`; strides count scalars.
public struct GEMMArguments {
    public var batch, m, n, k: Int
    public var a: UnsafeRawPointer
    public var aRow, aColumn, aBatch: Int
    public var b: UnsafeRawPointer
    public var bRow, bColumn, bBatch: Int
    /// Columns of C are contiguous.
    public var c: UnsafeMutableRawPointer
    public var cRow, cBatch: Int
    public var accumulate: Bool
    /// Added to every row if given: n contiguous scalars.
    public var columnBias: UnsafeRawPointer?

    public init(
        batch: Int = 1, m: Int, n: Int, k: Int, a: UnsafeRawPointer, aRow: Int, aColumn: Int, aBatch: Int = 0,
        b: UnsafeRawPointer, bRow: Int, bColumn: Int, bBatch: Int = 0, c: UnsafeMutableRawPointer, cRow: Int,
        cBatch: Int = 0, accumulate: Bool = false, columnBias: UnsafeRawPointer? = nil
    ) {
        (self.batch, self.m, self.n, self.k) = (batch, m, n, k)
        (self.a, self.aRow, self.aColumn, self.aBatch) = (a, aRow, aColumn, aBatch)
        (self.b, self.bRow, self.bColumn, self.bBatch) = (b, bRow, bColumn, bBatch)
        (self.c, self.cRow, self.cBatch) = (c, cRow, cBatch)
        (self.accumulate, self.columnBias) = (accumulate, columnBias)
    }
}

/// Depth of a slab of K.
@usableFromInline let gemmDepth = 256

/// The product, batch after batch; see `GEMMArguments`.
@inlinable @inline(never)
func gemm<I: ISA, let R: Int, let V: Int>(
    _: I.Type, _ rows: InlineArray<R, Void>.Type, _ vectors: InlineArray<V, Void>.Type, _ g: GEMMArguments
) {
    guard g.batch > 0, g.m > 0, g.n > 0 else { return }
    if g.batch == 1 { return gemmOne(I.self, rows, vectors, g) }
    Parallel.forEach(chunks: g.batch, work: g.batch * g.m * g.n * g.k / 16) { _, index in
        var one = g
        one.batch = 1
        one.a += index * g.aBatch * I.scalarSize
        one.b += index * g.bBatch * I.scalarSize
        one.c += index * g.cBatch * I.scalarSize
        gemmOne(I.self, rows, vectors, one)
    }
}

@inlinable @inline(never)
func gemmOne<I: ISA, let R: Int, let V: Int>(
    _: I.Type, _ rows: InlineArray<R, Void>.Type, _ vectors: InlineArray<V, Void>.Type, _ g: GEMMArguments
) {
    if g.k == 0 || g.m * g.n * g.k <= 512 { return gemmSmall(I.self, g) }
    if g.aColumn == 1, g.bRow == 1, g.m <= 64, g.k >= 8 * I.width { return gemmDots(I.self, g) }
    let size = I.scalarSize
    let width = V * I.width
    let panelsA = (g.m + R - 1) / R
    let panelsB = (g.n + width - 1) / width
    let depth = Swift.min(g.k, gemmDepth)
    BufferPool.withScratch((panelsA * R + panelsB * width) * depth * size) { scratch in
        let packedA = scratch
        let packedB = scratch + panelsA * R * depth * size
        var start = 0
        while start < g.k {
            let slab = Swift.min(depth, g.k - start)
            let first = start == 0
            let packing = (g.m + g.n) * slab
            Parallel.forEach(chunks: panelsA + panelsB, work: packing) { _, panel in
                if panel < panelsA {
                    let row = panel * R
                    let source = g.a + (row * g.aRow + start * g.aColumn) * size
                    pack(
                        I.self, source, along: g.aColumn, across: g.aRow, slab, Swift.min(R, g.m - row), R,
                        packedA + row * slab * size)
                } else {
                    let column = (panel - panelsA) * width
                    let source = g.b + (start * g.bRow + column * g.bColumn) * size
                    pack(
                        I.self, source, along: g.bRow, across: g.bColumn, slab, Swift.min(width, g.n - column), width,
                        packedB + column * slab * size)
                }
            }
            // A block of rows by a block of columns is a chunk.
            let (rowsAtOnce, columnsAtOnce) = (12, 16)
            let blocksA = (panelsA + rowsAtOnce - 1) / rowsAtOnce
            let blocksB = (panelsB + columnsAtOnce - 1) / columnsAtOnce
            Parallel.forEach(chunks: blocksA * blocksB, work: g.m * g.n * slab / 16) { _, block in
                let firstA = block % blocksA * rowsAtOnce
                let firstB = block / blocksA * columnsAtOnce
                for panelB in firstB..<Swift.min(panelsB, firstB + columnsAtOnce) {
                    let column = panelB * width
                    for panelA in firstA..<Swift.min(panelsA, firstA + rowsAtOnce) {
                        let row = panelA * R
                        gemmTile(
                            I.self, rows, vectors, slab, packedA + row * slab * size, packedB + column * slab * size,
                            g.c + (row * g.cRow + column) * size, g.cRow, Swift.min(R, g.m - row),
                            Swift.min(width, g.n - column), g.accumulate || !first,
                            first ? g.columnBias.map { $0 + column * size } : nil)
                    }
                }
            }
            start += slab
        }
    }
}

/// Packs `depth` steps of `used` lines into a panel `[depth][lines]`, zeros in the lines that are not used.
@inlinable @inline(__always)
func pack<I: ISA>(
    _: I.Type, _ source: UnsafeRawPointer, along: Int, across: Int, _ depth: Int, _ used: Int, _ lines: Int,
    _ target: UnsafeMutableRawPointer
) {
    let from = source.assumingMemoryBound(to: I.Scalar.self)
    let to = target.assumingMemoryBound(to: I.Scalar.self)
    if across == 1, used == lines, lines % I.width == 0 {
        for step in 0..<depth {
            var line = 0
            while line < lines {
                I.store(I.load(from + step &* along, line), to + step &* lines, line)
                line &+= I.width
            }
        }
    } else if across == 1 {
        for step in 0..<depth {
            for line in 0..<used { to[step &* lines &+ line] = from[step &* along &+ line] }
            for line in used..<lines { to[step &* lines &+ line] = 0 }
        }
    } else {
        for line in 0..<used {
            let row = from + line &* across
            for step in 0..<depth { to[step &* lines &+ line] = row[step &* along] }
        }
        for line in used..<lines { for step in 0..<depth { to[step &* lines &+ line] = 0 } }
    }
}

/// R rows by V vectors of C from packed panels.
@inlinable @inline(never)
func gemmTile<I: ISA, let R: Int, let V: Int>(
    _: I.Type, _: InlineArray<R, Void>.Type, _: InlineArray<V, Void>.Type, _ depth: Int, _ a: UnsafeRawPointer,
    _ b: UnsafeRawPointer, _ c: UnsafeMutableRawPointer, _ cRow: Int, _ rows: Int, _ columns: Int, _ accumulate: Bool,
    _ bias: UnsafeRawPointer?
) {
    var acc = InlineArray<R, InlineArray<V, I.V>>(repeating: .init(repeating: .zero))
    var (left, right) = (a, b)
    for _ in 0..<depth {
        var bv = InlineArray<V, I.V>(repeating: .zero)
        for v in 0..<V { bv[v] = I.load(right, v &* I.width) }
        for r in 0..<R {
            let value = I.broadcast(left, r)
            for v in 0..<V { I.fma(&acc[r][v], value, bv[v]) }
        }
        left += R &* I.scalarSize
        right += V &* I.width &* I.scalarSize
    }
    for r in 0..<R {
        if r >= rows { break }
        let row = c + r &* cRow &* I.scalarSize
        for v in 0..<V {
            let lanes = Swift.min(I.width, columns &- v &* I.width)
            if lanes <= 0 { break }
            var value = acc[r][v]
            if let bias { value += gather(I.self, bias, 1, v &* I.width, lanes) }
            if accumulate { value += gather(I.self, row, 1, v &* I.width, lanes) }
            scatterRun(I.self, value, row, v &* I.width, lanes)
        }
    }
}

/// Dot products of contiguous rows: A's rows with B's columns, both along k.
@inlinable @inline(never)
func gemmDots<I: ISA>(_: I.Type, _ g: GEMMArguments) {
    let size = I.scalarSize
    let block = 1024
    // Columns in groups, each a chunk: all rows of A against it.
    Parallel.forRanges(of: g.n, size: 16, work: g.m * g.n * g.k / 12) { _, columns in
        var start = 0
        while start < g.k {
            let depth = Swift.min(block, g.k &- start)
            var column = columns.lowerBound
            while column < columns.upperBound {
                let wide = column &+ 4 <= columns.upperBound
                var row = 0
                while row < g.m {
                    let a = g.a + (row &* g.aRow &+ start) &* size
                    let b = g.b + (column &* g.bColumn &+ start) &* size
                    let c = g.c + (row &* g.cRow &+ column) &* size
                    let bias = start == 0 ? g.columnBias.map { $0 + column &* size } : nil
                    let add = g.accumulate || start > 0
                    if wide, row &+ 3 <= g.m {
                        dots(
                            I.self, InlineArray<3, Void>.self, InlineArray<4, Void>.self, depth, a, g.aRow, b, g.bColumn,
                            c, g.cRow, add, bias)
                        row &+= 3
                    } else if wide {
                        dots(
                            I.self, InlineArray<1, Void>.self, InlineArray<4, Void>.self, depth, a, g.aRow, b, g.bColumn,
                            c, g.cRow, add, bias)
                        row &+= 1
                    } else {
                        dots(
                            I.self, InlineArray<1, Void>.self, InlineArray<1, Void>.self, depth, a, g.aRow, b, g.bColumn,
                            c, g.cRow, add, bias)
                        row &+= 1
                    }
                }
                column &+= wide ? 4 : 1
            }
            start &+= depth
        }
    }
}

@inlinable @inline(__always)
func dots<I: ISA, let R: Int, let N: Int>(
    _: I.Type, _: InlineArray<R, Void>.Type, _: InlineArray<N, Void>.Type, _ depth: Int, _ a: UnsafeRawPointer,
    _ aRow: Int, _ b: UnsafeRawPointer, _ bColumn: Int, _ c: UnsafeMutableRawPointer, _ cRow: Int, _ accumulate: Bool,
    _ bias: UnsafeRawPointer?
) {
    var acc = InlineArray<R, InlineArray<N, I.V>>(repeating: .init(repeating: .zero))
    var index = 0
    while index &+ I.width <= depth {
        var av = InlineArray<R, I.V>(repeating: .zero)
        for r in 0..<R { av[r] = I.load(a, r &* aRow &+ index) }
        for n in 0..<N {
            let value = I.load(b, n &* bColumn &+ index)
            for r in 0..<R { I.fma(&acc[r][n], av[r], value) }
        }
        index &+= I.width
    }
    let rest = depth &- index
    for r in 0..<R {
        for n in 0..<N {
            if rest > 0 {
                I.fma(
                    &acc[r][n], I.loadPartial(a, r &* aRow &+ index, rest), I.loadPartial(b, n &* bColumn &+ index, rest))
            }
            var value = acc[r][n].sum()
            let target = c + (r &* cRow &+ n) &* I.scalarSize
            if let bias { value += bias.load(fromByteOffset: n &* I.scalarSize, as: I.Scalar.self) }
            if accumulate { value += target.load(as: I.Scalar.self) }
            target.storeBytes(of: value, as: I.Scalar.self)
        }
    }
}

/// A few multiplications: plain loops.
@inlinable @inline(never)
func gemmSmall<I: ISA>(_: I.Type, _ g: GEMMArguments) {
    let a = g.a.assumingMemoryBound(to: I.Scalar.self)
    let b = g.b.assumingMemoryBound(to: I.Scalar.self)
    let c = g.c.assumingMemoryBound(to: I.Scalar.self)
    let bias = g.columnBias?.assumingMemoryBound(to: I.Scalar.self)
    for row in 0..<g.m {
        for column in 0..<g.n {
            var sum = g.accumulate ? c[row &* g.cRow &+ column] : 0
            if let bias { sum += bias[column] }
            for index in 0..<g.k {
                sum += a[row &* g.aRow &+ index &* g.aColumn] * b[index &* g.bRow &+ column &* g.bColumn]
            }
            c[row &* g.cRow &+ column] = sum
        }
    }
}

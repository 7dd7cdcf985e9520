// Products whose rows of A and columns of B are both contiguous along k (x·Wᵀ of a fully connected layer, a matrix
// times a vector): every element of C is a dot product, vectors run along k, and nothing needs packing or
// transposing. Where C is narrow, packing would cost as much as the product itself.
//
// Register budget: a tile of 4 rows × 3 columns has 12 sums; each step loads 7 vectors for 12 FMA. A single row
// takes 6 columns, as the latency of FMA asks for several sums at once. The horizontal sums at the end of a tile
// cost about as much as a dozen steps, hence long steps of k: four rows of it stay in the first-level cache while
// three columns at a time pass by from the second.

extension GEMM {
    /// Longest step of k.
    @inlinable @inline(__always)
    static var dotDepth: Int { 4096 / I.scalarSize }

    /// Whether the dot product form serves `g` better than packing: C is narrow in one direction.
    @inlinable @inline(__always)
    static func prefersDot(_ g: GEMMArguments) -> Bool {
        guard g.aColumn == 1, g.bRow == 1 else { return false }
        let narrow = min(g.m, g.n)
        return narrow == 1 ? g.k >= 2 &* I.width : narrow <= 40 && g.k >= 12 &* I.width
    }

    /// Computes `g` by dot products.
    @inlinable @inline(never)
    static func dot(_ g: GEMMArguments) {
        let total = work(g.batch &* g.m &* g.n &* g.k)
        // Pieces of some 20 µs at least, cut along the longer side of C.
        let wanted = max(1, min(32, total / 20_000))
        let cutsRows = g.m > g.n
        let length = cutsRows ? g.m : g.n
        let pieces = min(ceilDivide(wanted, g.batch), ceilDivide(length, 12))
        let size = ceilDivide(ceilDivide(length, pieces), 12) &* 12
        let perMatrix = ceilDivide(length, size)
        let items = g.batch &* perMatrix
        Parallel.forRanges(of: items, size: max(1, items / 32), work: total) { _, range in
            for item in range {
                let start = item % perMatrix &* size
                let piece = start..<min(length, start &+ size)
                dotBlock(
                    g, batch: item / perMatrix, rows: cutsRows ? piece : 0..<g.m, columns: cutsRows ? 0..<g.n : piece)
            }
        }
    }

    /// Computes one block of C.
    @inlinable @inline(never)
    static func dotBlock(_ g: GEMMArguments, batch: Int, rows: Range<Int>, columns: Range<Int>) {
        let size = I.scalarSize
        let depth = ceilDivide(g.k, ceilDivide(g.k, dotDepth))
        var start = 0
        while start < g.k {
            var t = DotArguments(
                k: min(depth, g.k &- start), aRow: g.aRow, bColumn: g.bColumn, cRow: g.cRow,
                accumulate: g.accumulate || start > 0)
            let a = g.a + (batch &* g.aBatch &+ start) &* size
            let b = g.b + (batch &* g.bBatch &+ start) &* size
            let c = g.c + batch &* g.cBatch &* size
            let bias = start > 0 ? nil : g.columnBias
            var row = rows.lowerBound
            while row < rows.upperBound {
                let high = rows.upperBound &- row >= 4
                t.a = a + row &* g.aRow &* size
                var column = columns.lowerBound
                while column < columns.upperBound {
                    let left = columns.upperBound &- column
                    let width = !high && left >= 6 ? 6 : left >= 3 ? 3 : 1
                    t.b = b + column &* g.bColumn &* size
                    t.bias = bias.map { $0 + column &* size }
                    t.c = c + (row &* g.cRow &+ column) &* size
                    switch (high, width) {
                    case (true, 3): dotTile(InlineArray<4, Void>.self, InlineArray<3, Void>.self, t)
                    case (true, _): dotTile(InlineArray<4, Void>.self, InlineArray<1, Void>.self, t)
                    case (false, 6): dotTile(InlineArray<1, Void>.self, InlineArray<6, Void>.self, t)
                    case (false, 3): dotTile(InlineArray<1, Void>.self, InlineArray<3, Void>.self, t)
                    default: dotTile(InlineArray<1, Void>.self, InlineArray<1, Void>.self, t)
                    }
                    column &+= width
                }
                row &+= high ? 4 : 1
            }
            start &+= depth
        }
    }

    /// What a tile of dot products reads and writes.
    @usableFromInline
    struct DotArguments {
        @usableFromInline var k: Int
        @usableFromInline var a = UnsafeRawPointer(bitPattern: 64)!
        @usableFromInline var aRow: Int
        @usableFromInline var b = UnsafeRawPointer(bitPattern: 64)!
        @usableFromInline var bColumn: Int
        @usableFromInline var c = UnsafeMutableRawPointer(bitPattern: 64)!
        @usableFromInline var cRow: Int
        @usableFromInline var accumulate: Bool
        @usableFromInline var bias: UnsafeRawPointer?

        @inlinable @inline(__always)
        init(k: Int, aRow: Int, bColumn: Int, cRow: Int, accumulate: Bool) {
            (self.k, self.aRow, self.bColumn, self.cRow) = (k, aRow, bColumn, cRow)
            self.accumulate = accumulate
        }
    }

    /// `R` × `S` dot products of length `t.k`, a vector at least.
    @inlinable @inline(never)
    static func dotTile<let R: Int, let S: Int>(
        _: InlineArray<R, Void>.Type, _: InlineArray<S, Void>.Type, _ t: DotArguments
    ) {
        let size = I.scalarSize
        var sums = InlineArray<R, InlineArray<S, I.V>>(repeating: .init(repeating: .zero))
        var a = t.a
        var b = t.b
        let aRow = t.aRow &* size
        let bColumn = t.bColumn &* size
        var left = t.k
        while left >= I.width {
            var columns = InlineArray<S, I.V>(repeating: .zero)
            for s in 0..<S { columns[s] = I.load(b + s &* bColumn, 0) }
            for r in 0..<R {
                let row = I.load(a + r &* aRow, 0)
                for s in 0..<S { I.fma(&sums[r][s], row, columns[s]) }
            }
            a += I.width &* size
            b += I.width &* size
            left &-= I.width
        }
        if left > 0 {
            // The last vector ends with the sum; its lanes that are already counted become zero in both factors.
            let back = (I.width &- left) &* size
            var counted = I.V.zero
            for lane in 0..<I.width { counted[lane] = lane < I.width &- left ? -1 : 1 }
            var columns = InlineArray<S, I.V>(repeating: .zero)
            for s in 0..<S {
                columns[s] = I.select(counted, lessThan: .zero, .zero, I.load(b + s &* bColumn - back, 0))
            }
            for r in 0..<R {
                let row = I.select(counted, lessThan: .zero, .zero, I.load(a + r &* aRow - back, 0))
                for s in 0..<S { I.fma(&sums[r][s], row, columns[s]) }
            }
        }
        // Lanes are added up in memory: unrolled here, they would push the sums out of their registers above.
        withUnsafeTemporaryAllocation(byteCount: R &* S &* I.width &* size, alignment: 16) { buffer in
            let lanes = buffer.baseAddress!
            for r in 0..<R {
                for s in 0..<S { I.store(sums[r][s], lanes, (r &* S &+ s) &* I.width) }
            }
            addLanes(rows: R, columns: S, lanes, t)
        }
    }

    /// Adds up the lanes of a tile's sums into C.
    @inlinable @inline(never)
    static func addLanes(rows: Int, columns: Int, _ lanes: UnsafeRawPointer, _ t: DotArguments) {
        var vector = lanes
        for r in 0..<rows {
            let c = t.c + r &* t.cRow &* I.scalarSize
            for s in 0..<columns {
                var sum = total(vector)
                if let bias = t.bias { sum += scalar(bias, s) }
                if t.accumulate { sum += scalar(c, s) }
                put(sum, c, s)
                vector += I.width &* I.scalarSize
            }
        }
    }

    /// The sum of a vector's lanes in memory: halves of four lanes first, for fewer dependent additions.
    @inlinable @inline(__always)
    static func total(_ lanes: UnsafeRawPointer) -> I.Scalar {
        if I.width < 4 { return scalar(lanes, 0) + scalar(lanes, 1) }
        var four = lanes.loadUnaligned(as: SIMD4<I.Scalar>.self)
        var lane = 4
        while lane < I.width {
            four += (lanes + lane &* I.scalarSize).loadUnaligned(as: SIMD4<I.Scalar>.self)
            lane &+= 4
        }
        return (four[0] + four[2]) + (four[1] + four[3])
    }
}

// Products with a few rows, whose B has contiguous rows (a gradient of a batch of one through a fully connected
// layer, a vector times a matrix): C's rows are sums of B's rows. B is read once, in the order in which it lies;
// the sums stay in the first-level cache.

extension GEMM {
    /// Columns that are done at a time: a row of sums and eight pieces of B's rows fit the first-level cache.
    @inlinable @inline(__always)
    static var rowsColumns: Int { 2048 / I.scalarSize }

    /// Whether the form by rows serves `g`.
    @inlinable @inline(__always)
    static func prefersRows(_ g: GEMMArguments) -> Bool {
        g.bColumn == 1 && g.m <= 3 && g.n >= I.width
    }

    /// Computes `g` by adding up rows of B.
    @inlinable @inline(never)
    static func addRows(_ g: GEMMArguments) {
        let pieces = ceilDivide(g.n, rowsColumns)
        let total = work(g.batch &* g.m &* g.n &* g.k)
        let items = g.batch &* pieces
        let perChunk = max(1, min(items / 16, 20_000 / max(1, total / items)))
        Parallel.forRanges(of: items, size: perChunk, work: total) { _, range in
            for item in range {
                let column = item % pieces &* rowsColumns
                addRows(g, batch: item / pieces, columns: column..<min(g.n, column &+ rowsColumns))
            }
        }
    }

    /// Computes the columns `columns` of one product.
    @inlinable @inline(never)
    static func addRows(_ g: GEMMArguments, batch: Int, columns: Range<Int>) {
        let size = I.scalarSize
        let c = g.c + (batch &* g.cBatch &+ columns.lowerBound) &* size
        let bias = g.columnBias.map { $0 + columns.lowerBound &* size }
        var p = 0
        while p < g.k {
            let b = g.b + (batch &* g.bBatch &+ p &* g.bRow &+ columns.lowerBound) &* size
            let count = g.k &- p >= 8 ? 8 : g.k &- p >= 2 ? 2 : 1
            for i in 0..<g.m {
                let t = RowsArguments(
                    count: columns.count, a: g.a + (batch &* g.aBatch &+ i &* g.aRow &+ p &* g.aColumn) &* size,
                    aStep: g.aColumn &* size, b: b, bStep: g.bRow &* size, c: c + i &* g.cRow &* size,
                    accumulate: g.accumulate || p > 0, bias: p > 0 ? nil : bias)
                switch count {
                case 8: addRows(InlineArray<8, Void>.self, t)
                case 2: addRows(InlineArray<2, Void>.self, t)
                default: addRows(InlineArray<1, Void>.self, t)
                }
            }
            p &+= count
        }
    }

    /// What `addRows` reads and writes. Steps are in bytes.
    @usableFromInline
    struct RowsArguments {
        @usableFromInline let count: Int
        @usableFromInline let a: UnsafeRawPointer
        @usableFromInline let aStep: Int
        @usableFromInline let b: UnsafeRawPointer
        @usableFromInline let bStep: Int
        @usableFromInline let c: UnsafeMutableRawPointer
        @usableFromInline let accumulate: Bool
        @usableFromInline let bias: UnsafeRawPointer?

        @inlinable @inline(__always)
        init(
            count: Int, a: UnsafeRawPointer, aStep: Int, b: UnsafeRawPointer, bStep: Int,
            c: UnsafeMutableRawPointer, accumulate: Bool, bias: UnsafeRawPointer?
        ) {
            (self.count, self.a, self.aStep, self.b, self.bStep, self.c) = (count, a, aStep, b, bStep, c)
            (self.accumulate, self.bias) = (accumulate, bias)
        }
    }

    /// c = the sum of `P` rows of B, each times its scalar of A (+ c) (+ bias).
    @inlinable @inline(never)
    static func addRows<let P: Int>(_: InlineArray<P, Void>.Type, _ t: RowsArguments) {
        var factors = InlineArray<P, I.V>(repeating: .zero)
        for p in 0..<P { factors[p] = I.broadcast(t.a + p &* t.aStep, 0) }
        var j = 0
        while j &+ I.width <= t.count {
            var sum = t.accumulate ? I.load(t.c, j) : .zero
            if let bias = t.bias { sum += I.load(bias, j) }
            for p in 0..<P { I.fma(&sum, factors[p], I.load(t.b + p &* t.bStep, j)) }
            I.store(sum, t.c, j)
            j &+= I.width
        }
        while j < t.count {
            var sum = t.accumulate ? scalar(t.c, j) : 0
            if let bias = t.bias { sum += scalar(bias, j) }
            for p in 0..<P { sum += factors[p][0] * scalar(t.b + p &* t.bStep, j) }
            put(sum, t.c, j)
            j &+= 1
        }
    }
}

// Products of a small result with long sums (the gradient of a layer's weights over a large batch, a wide layer with few
// outputs): k is cut, not C. Each of 8 to 32 parts sums into a result of its own and packs what it reads in its own
// caches; with C cut instead, every piece reads its rows of A and columns of B in their whole length, several times over
// from the third level. The parts are added up in order. They are few, as their sums are written and read once more, and
// a multiple of 8, which threads share evenly.

extension GEMM {
    /// Parts that k is cut into.
    @inlinable @inline(__always)
    static func deepParts(_ k: Int) -> Int { min(32, max(8, k / 4096 &* 8)) }

    /// Whether the form by parts of k serves `g`.
    @inlinable @inline(__always)
    static func prefersDeep(_ g: GEMMArguments) -> Bool {
        g.batch == 1 && g.k >= 2048 && g.k >= 16 &* max(g.m, g.n) && g.m &* g.n <= 32_768
    }

    /// Computes `g` in parts of k, the last few steps of k after them.
    @inlinable @inline(never)
    static func deep(_ g: GEMMArguments) {
        let size = I.scalarSize
        let parts = deepParts(g.k)
        let depth = g.k / parts
        let elements = g.m &* g.n
        BufferPool.withScratch(parts &* elements &* size) { sums in
            blocked(
                GEMMArguments(
                    batch: parts, m: g.m, n: g.n, k: depth,
                    a: g.a, aRow: g.aRow, aColumn: g.aColumn, aBatch: depth &* g.aColumn,
                    b: g.b, bRow: g.bRow, bColumn: g.bColumn, bBatch: depth &* g.bRow,
                    c: sums, cRow: g.n, cBatch: elements))
            let work = parts &* elements / I.width
            Parallel.forRanges(of: g.m, size: max(1, 4096 / g.n), work: work) { _, rows in
                for row in rows { addParts(g, parts, row, UnsafeRawPointer(sums)) }
            }
        }
        let done = depth &* parts
        guard done < g.k else { return }
        var rest = g
        rest.k = g.k &- done
        rest.a += done &* g.aColumn &* size
        rest.b += done &* g.bRow &* size
        (rest.accumulate, rest.columnBias) = (true, nil)
        blocked(rest)
    }

    /// A row of C: the parts' sums, the bias, and what is to be added to.
    @inlinable @inline(never)
    static func addParts(_ g: GEMMArguments, _ parts: Int, _ row: Int, _ sums: UnsafeRawPointer) {
        let c = g.c + row &* g.cRow &* I.scalarSize
        var column = 0
        while column < g.n {
            let lanes = min(I.width, g.n &- column)
            @inline(__always) func read(_ pointer: UnsafeRawPointer, _ index: Int) -> I.V {
                lanes == I.width ? I.load(pointer, index) : I.loadPartial(pointer, index, lanes)
            }
            var total = read(sums, row &* g.n &+ column)
            for part in 1..<max(1, parts) { total += read(sums, (part &* g.m &+ row) &* g.n &+ column) }
            if let bias = g.columnBias { total += read(bias, column) }
            if g.accumulate { total += read(UnsafeRawPointer(c), column) }
            if lanes == I.width { I.store(total, c, column) } else { I.storePartial(total, c, column, lanes) }
            column &+= lanes
        }
    }
}

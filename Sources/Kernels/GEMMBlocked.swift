// The blocked matrix product: which blocks there are, who packs what, and the loops around the register tile.
//
// C is cut into blocks of at most `blockRows` × `blockColumns`, and each block is one piece of work with all of
// k inside, so no two threads add to one sum. k is cut into steps of about `blockDepth`: a panel of B of this
// length (18 KB at two AVX2 vectors) stays in the first-level cache while all panels of A, a block of
// `blockRows` × `blockDepth` (166 KB of Float) from the second level, pass by.
//
// An operand that several blocks share is packed whole before; one that a single block uses is packed by the
// block, piece by piece into a small scratch memory that never leaves the cache.

extension GEMM {
    /// Longest step of k.
    @inlinable @inline(__always)
    static var blockDepth: Int { 288 }
    /// Most rows of a block.
    @inlinable @inline(__always)
    static var blockRows: Int { 144 }
    /// Most columns of a block.
    @inlinable @inline(__always)
    static var blockColumns: Int { 512 }
    /// Columns of B that a block packs at a time: long enough pieces of its rows to read memory well.
    @inlinable @inline(__always)
    static var groupColumns: Int { 4 &* tileColumns }

    /// How a product is cut, by its shape alone.
    @usableFromInline
    struct Plan {
        @usableFromInline let depth: Int
        @usableFromInline let rows: Int
        @usableFromInline let columns: Int
        @usableFromInline let rowBlocks: Int
        @usableFromInline let columnBlocks: Int
        /// Whether A, B are packed whole before the loop over the blocks.
        @usableFromInline let packsA: Bool
        @usableFromInline let packsB: Bool
        /// Whether tiles read A or B where it lies: its rows are contiguous, and too little is done with it to move it.
        /// (Rows of A that are a multiple of 1 KiB apart would crowd few sets of the caches.)
        @usableFromInline let readsA: Bool
        @usableFromInline let readsB: Bool

        @inlinable
        init(_ g: GEMMArguments) {
            depth = ceilDivide(g.k, ceilDivide(g.k, blockDepth))
            var rowBlocks = ceilDivide(g.m, blockRows)
            var columnBlocks = ceilDivide(g.n, blockColumns)
            // Large products have pieces for several threads, of some tens of microseconds at least.
            let wanted = min(16, work(g.batch &* g.m &* g.n &* g.k) / 20_000)
            if g.batch &* rowBlocks &* columnBlocks < wanted {
                columnBlocks = min(ceilDivide(wanted, g.batch &* rowBlocks), ceilDivide(g.n, tileColumns))
                columnBlocks = max(columnBlocks, ceilDivide(g.n, blockColumns))
            }
            if g.batch &* rowBlocks &* columnBlocks < wanted {
                rowBlocks = max(
                    rowBlocks, min(ceilDivide(wanted, g.batch &* columnBlocks), ceilDivide(g.m, 2 &* tileRows)))
            }
            rows = ceilDivide(ceilDivide(g.m, rowBlocks), tileRows) &* tileRows
            columns = ceilDivide(ceilDivide(g.n, columnBlocks), tileColumns) &* tileColumns
            self.rowBlocks = ceilDivide(g.m, rows)
            self.columnBlocks = ceilDivide(g.n, columns)
            readsA = g.aColumn == 1 && g.n <= 8 &* tileColumns && g.aRow &* I.scalarSize % 1024 != 0
            packsA = !readsA && (self.columnBlocks > 1 || (g.batch > 1 && g.aBatch == 0))
            readsB = g.bColumn == 1 && (g.m <= 2 &* tileRows || g.k <= 16)
            packsB = !readsB && (self.rowBlocks > 1 || (g.batch > 1 && g.bBatch == 0))
        }
    }

    @inlinable @inline(__always)
    static func ceilDivide(_ a: Int, _ b: Int) -> Int { (a &+ b &- 1) / b }

    /// Computes `g`, k > 0.
    @inlinable @inline(never)
    static func blocked(_ g: GEMMArguments) {
        let plan = Plan(g)
        // Large products whose operands would be packed whole are done one after the other: less is packed at a time.
        let packsEach = (plan.packsA && g.aBatch != 0) || (plan.packsB && g.bBatch != 0)
        if g.batch > 1, packsEach, g.m &* g.n &* g.k > 1 << 24 {
            var one = g
            one.batch = 1
            for _ in 0..<g.batch {
                blocked(one)
                one.a += g.aBatch &* I.scalarSize
                one.b += g.bBatch &* I.scalarSize
                one.c += g.cBatch &* I.scalarSize
            }
            return
        }
        let size = I.scalarSize
        let paddedN = ceilDivide(g.n, tileColumns) &* tileColumns
        let countA = g.aBatch == 0 ? 1 : g.batch
        let countB = g.bBatch == 0 ? 1 : g.batch
        let bytesA = plan.packsA ? aligned(countA &* g.m &* g.k &* size) : 0
        let bytesB = plan.packsB ? aligned(countB &* paddedN &* g.k &* size) : 0
        let items = g.batch &* plan.rowBlocks &* plan.columnBlocks
        let total = work(g.batch &* g.m &* g.n &* g.k)
        let itemsPerChunk = max(1, min(items / 16, 20_000 / max(1, total / items)))
        let workers = min(Parallel.threads, ceilDivide(items, itemsPerChunk))
        let bytesBlockA = plan.packsA || plan.readsA ? 0 : aligned(plan.rows &* plan.depth &* size)
        let bytesBlockB = plan.packsB ? 0 : aligned(min(groupColumns, plan.columns) &* plan.depth &* size)
        let bytesTile = aligned(tileRows &* tileColumns &* size)
        let bytesWorker = bytesBlockA &+ bytesBlockB &+ bytesTile

        BufferPool.withScratch(bytesA &+ bytesB &+ workers &* bytesWorker) { scratch in
            let packedA = scratch
            let packedB = scratch + bytesA
            // Both in one loop, since to wake another thread takes longer than many a packing.
            let panels = plan.packsA ? ceilDivide(g.m, tileRows) : 0
            let groups = plan.packsB ? ceilDivide(g.n, groupColumns) : 0
            let panelsAtOnce = 8
            let chunksA = ceilDivide(countA &* panels, panelsAtOnce)
            let packed = (plan.packsA ? countA &* g.m &* g.k : 0) &+ (plan.packsB ? countB &* g.n &* g.k : 0)
            Parallel.forEach(chunks: chunksA &+ countB &* groups, work: packed) { _, chunk in
                if chunk < chunksA {
                    for index in chunk &* panelsAtOnce..<min(countA &* panels, (chunk &+ 1) &* panelsAtOnce) {
                        let (batch, panel) = (index / panels, index % panels)
                        let row = panel &* tileRows
                        packA(
                            rows: min(tileRows, g.m &- row), k: g.k,
                            g.a + (batch &* g.aBatch &+ row &* g.aRow) &* size, aRow: g.aRow, aColumn: g.aColumn,
                            into: packedA + (batch &* g.m &+ row) &* g.k &* size, panelLength: g.k)
                    }
                } else {
                    let (batch, group) = ((chunk &- chunksA) / groups, (chunk &- chunksA) % groups)
                    let column = group &* groupColumns
                    packB(
                        k: g.k, columns: min(groupColumns, g.n &- column),
                        g.b + (batch &* g.bBatch &+ column &* g.bColumn) &* size, bRow: g.bRow,
                        bColumn: g.bColumn, into: packedB + (batch &* paddedN &+ column) &* g.k &* size,
                        panelLength: g.k)
                }
            }
            Parallel.forRanges(of: items, size: itemsPerChunk, work: total, workers: workers) { worker, range in
                let own = scratch + bytesA + bytesB + worker &* bytesWorker
                for item in range {
                    let batch = item / (plan.rowBlocks &* plan.columnBlocks)
                    let rest = item % (plan.rowBlocks &* plan.columnBlocks)
                    let row = rest / plan.columnBlocks &* plan.rows
                    let column = rest % plan.columnBlocks &* plan.columns
                    block(
                        g, plan, batch: batch, rows: row..<min(g.m, row &+ plan.rows),
                        columns: column..<min(g.n, column &+ plan.columns),
                        packedA: plan.packsA
                            ? packedA + (countA == 1 ? 0 : batch &* g.m &* g.k &* size) : nil,
                        packedB: plan.packsB
                            ? packedB + (countB == 1 ? 0 : batch &* paddedN &* g.k &* size) : nil,
                        ownA: own, ownB: own + bytesBlockA, tile: own + bytesBlockA + bytesBlockB)
                }
            }
        }
    }

    /// `bytes` rounded up to whole cache lines.
    @inlinable @inline(__always)
    static func aligned(_ bytes: Int) -> Int { (bytes &+ 63) & ~63 }

    /// Computes one block of C.
    @inlinable @inline(never)
    static func block(
        _ g: GEMMArguments, _ plan: Plan, batch: Int, rows: Range<Int>, columns: Range<Int>,
        packedA: UnsafeRawPointer?, packedB: UnsafeRawPointer?, ownA: UnsafeMutableRawPointer,
        ownB: UnsafeMutableRawPointer, tile scratch: UnsafeMutableRawPointer
    ) {
        let size = I.scalarSize
        let a = g.a + batch &* g.aBatch &* size
        let b = g.b + batch &* g.bBatch &* size
        let c = g.c + batch &* g.cBatch &* size
        var start = 0
        while start < g.k {
            let depth = min(plan.depth, g.k &- start)
            if packedA == nil, !plan.readsA {
                packA(
                    rows: rows.count, k: depth, a + (rows.lowerBound &* g.aRow &+ start &* g.aColumn) &* size,
                    aRow: g.aRow, aColumn: g.aColumn, into: ownA, panelLength: depth)
            }
            var column = columns.lowerBound
            while column < columns.upperBound {
                let width = min(tileColumns, columns.upperBound &- column)
                let vectors = width > I.width ? 2 : 1
                let isWhole = width == vectors &* I.width
                let fromB = b + (start &* g.bRow &+ column &* g.bColumn) &* size
                var panelB = UnsafeRawPointer(ownB)
                var strideB = tileColumns
                if let packedB {
                    panelB = packedB + (column &* g.k &+ start &* tileColumns) &* size
                } else if plan.readsB, isWhole {
                    (panelB, strideB) = (fromB, g.bRow)
                } else {
                    let offset = plan.readsB ? 0 : (column &- columns.lowerBound) % groupColumns
                    if offset == 0 {
                        packB(
                            k: depth, columns: min(groupColumns, columns.upperBound &- column), fromB,
                            bRow: g.bRow, bColumn: g.bColumn, into: ownB, panelLength: depth)
                    }
                    panelB += offset &* depth &* size
                }
                var row = rows.lowerBound
                while row < rows.upperBound {
                    let height = tileHeight(rows.upperBound &- row)
                    var panelA = UnsafeRawPointer(ownA + (row &- rows.lowerBound) &* depth &* size)
                    if let packedA { panelA = packedA + (row &* g.k &+ start &* height) &* size }
                    if plan.readsA { panelA = a + (row &* g.aRow &+ start) &* size }
                    var t = TileArguments(
                        k: depth, a: panelA, aRow: plan.readsA ? g.aRow : nil, b: panelB, bStride: strideB,
                        c: c + (row &* g.cRow &+ column) &* size, cRow: g.cRow,
                        accumulate: g.accumulate || start > 0,
                        bias: start > 0 ? nil : g.columnBias.map { $0 + column &* size })
                    if isWhole {
                        tile(rows: height, vectors: vectors, t)
                    } else {
                        let edge = t
                        (t.c, t.cRow, t.accumulate, t.bias) = (scratch, tileColumns, false, nil)
                        tile(rows: height, vectors: vectors, t)
                        copyOut(rows: height, columns: width, tile: scratch, edge)
                    }
                    row &+= height
                }
                column &+= tileColumns
            }
            start &+= depth
        }
    }
}

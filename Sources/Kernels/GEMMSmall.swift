// The product by its definition, for products too small to prepare anything, and for an inner size of 0.

extension GEMM {
    /// Computes the products `batches` of `g`, one scalar after the other.
    @inlinable @inline(never)
    static func direct(_ g: GEMMArguments, _ batches: Range<Int>) {
        let size = I.scalarSize
        for batch in batches {
            for i in 0..<g.m {
                let a = g.a + (batch &* g.aBatch &+ i &* g.aRow) &* size
                let c = g.c + (batch &* g.cBatch &+ i &* g.cRow) &* size
                for j in 0..<g.n {
                    let b = g.b + (batch &* g.bBatch &+ j &* g.bColumn) &* size
                    var sum: I.Scalar = 0
                    for p in 0..<g.k { sum += scalar(a, p &* g.aColumn) * scalar(b, p &* g.bRow) }
                    if g.accumulate { sum += scalar(c, j) }
                    if let bias = g.columnBias { sum += scalar(bias, j) }
                    put(sum, c, j)
                }
            }
        }
    }
}

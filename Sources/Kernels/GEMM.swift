// Matrix products. One entry, `GEMM.run`, and five ways to the result:
//
// - `direct`: a handful of multiplications; scalar loops, nothing is set up (GEMMSmall.swift).
// - `dot`: rows of A and columns of B both lie contiguously along k and the result is narrow in one direction;
//   vectors run along k, nothing is packed (GEMMDot.swift).
// - `addRows`: few rows, and B's rows are contiguous; vectors run along n, nothing is packed (GEMMRows.swift).
// - `deep`: a small result with long sums; parts of k are products of their own, blocked (GEMMDeep.swift).
// - `blocked` (GEMMBlocked.swift): all else, in the manner of GotoBLAS (Goto and van de Geijn, 2008). Operands
//   are packed into panels (GEMMPacking.swift) that a register tile (GEMMTile.swift) streams through.
//
// Which way is taken and how the work is cut depends on the shape and the strides alone, never on the number of
// threads, so results are bitwise the same for any number.

/// A batch of matrix products, `C[i] = (accumulate ? C[i] : 0) + A[i]·B[i] + columnBias`, on raw pointers to the
/// scalars of the kernel table it is handed to. A: m×k, B: k×n, C: m×n. Strides are in scalars.
public struct GEMMArguments {
    /// Number of products.
    public var batch: Int
    /// Rows of A and C.
    public var m: Int
    /// Columns of B and C.
    public var n: Int
    /// Columns of A, rows of B. With 0, the product is zero.
    public var k: Int

    /// First factor. Any strides: a transposed matrix, a batch stride of 0 for a factor common to all products.
    public var a: UnsafeRawPointer
    public var aRow: Int
    public var aColumn: Int
    public var aBatch: Int

    /// Second factor. Any strides, as `a`.
    public var b: UnsafeRawPointer
    public var bRow: Int
    public var bColumn: Int
    public var bBatch: Int

    /// Result. Its columns are contiguous; it overlaps neither factor.
    public var c: UnsafeMutableRawPointer
    public var cRow: Int
    public var cBatch: Int

    /// Whether the product is added to what C holds.
    public var accumulate: Bool
    /// `n` contiguous scalars that are added to each row of C.
    public var columnBias: UnsafeRawPointer?

    public init(
        batch: Int = 1, m: Int, n: Int, k: Int,
        a: UnsafeRawPointer, aRow: Int, aColumn: Int, aBatch: Int = 0,
        b: UnsafeRawPointer, bRow: Int, bColumn: Int, bBatch: Int = 0,
        c: UnsafeMutableRawPointer, cRow: Int, cBatch: Int = 0,
        accumulate: Bool = false, columnBias: UnsafeRawPointer? = nil
    ) {
        (self.batch, self.m, self.n, self.k) = (batch, m, n, k)
        (self.a, self.aRow, self.aColumn, self.aBatch) = (a, aRow, aColumn, aBatch)
        (self.b, self.bRow, self.bColumn, self.bBatch) = (b, bRow, bColumn, bBatch)
        (self.c, self.cRow, self.cBatch) = (c, cRow, cBatch)
        (self.accumulate, self.columnBias) = (accumulate, columnBias)
    }
}

/// Matrix products for one instruction set and scalar type.
public enum GEMM<I: ISA> {
    /// Computes `g`.
    @inlinable
    public static func run(_ g: GEMMArguments) {
        guard g.batch > 0, g.m > 0, g.n > 0 else { return }
        let g = oriented(folded(g))
        if g.m &* g.n &* max(g.k, 1) <= directLimit, g.batch == 1 { return direct(g, 0..<1) }
        if g.k <= 0 { return direct(g, 0..<g.batch) }
        if prefersDot(g) { return dot(g) }
        if prefersRows(g) { return addRows(g) }
        if prefersDeep(g) { return deep(g) }
        blocked(g)
    }

    /// Products up to this many multiplications are not worth any preparation.
    @inlinable @inline(__always)
    static var directLimit: Int { 64 }

    /// `g` with the batch folded into the rows, where B is common and the rows of A and C go on with one stride.
    @inlinable
    static func folded(_ g: GEMMArguments) -> GEMMArguments {
        guard g.batch > 1, g.bBatch == 0, g.aBatch == g.m * g.aRow, g.cBatch == g.m * g.cRow else { return g }
        var g = g
        g.m *= g.batch
        g.batch = 1
        return g
    }

    /// `g` transposed, where C is one contiguous column: the same scalars as a row, which vectors can run along.
    ///
    /// The bias of a single column is one scalar; it is put into C beforehand.
    @inlinable
    static func oriented(_ g: GEMMArguments) -> GEMMArguments {
        guard g.n == 1, g.m > 1, g.cRow == 1 else { return g }
        var t = g
        (t.m, t.n) = (1, g.m)
        (t.a, t.aRow, t.aColumn, t.aBatch) = (g.b, g.bColumn, g.bRow, g.bBatch)
        (t.b, t.bRow, t.bColumn, t.bBatch) = (g.a, g.aColumn, g.aRow, g.aBatch)
        t.cRow = g.m
        if g.columnBias != nil {
            var bias = g
            bias.k = 0
            direct(bias, 0..<g.batch)
            (t.columnBias, t.accumulate) = (nil, true)
        }
        return t
    }

    /// Reads the scalar at `index`.
    @inlinable @inline(__always)
    static func scalar(_ pointer: UnsafeRawPointer, _ index: Int) -> I.Scalar {
        pointer.load(fromByteOffset: index &* I.scalarSize, as: I.Scalar.self)
    }

    /// Writes the scalar at `index`.
    @inlinable @inline(__always)
    static func put(_ value: I.Scalar, _ pointer: UnsafeMutableRawPointer, _ index: Int) {
        pointer.storeBytes(of: value, toByteOffset: index &* I.scalarSize, as: I.Scalar.self)
    }

    /// Estimated nanoseconds of `count` multiply-adds on one core.
    @inlinable @inline(__always)
    static func work(_ count: Int) -> Int { count / (2 &* I.width) }
}

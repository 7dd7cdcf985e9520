// The functions that an instruction set offers for one scalar type; the engine calls kernels only through it.

/// All kernels of one instruction set for one scalar type, as specialised functions.
public struct KernelTable: Sendable {
    /// Name of the instruction set: "baseline", "avx2" or "avx512".
    public let name: String

    /// Matrix products: see `GEMM.run`.
    public let gemm: @Sendable (GEMMArguments) -> Void
    /// Maximum pooling (shape, x, y, winners): see `Pooling.maxForward`.
    public let maxPoolForward:
        @Sendable (PoolingShape, UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeMutableRawPointer?) -> Void
    /// Its gradient (shape, dy, winners, dx): see `Pooling.maxBackward`.
    public let maxPoolBackward:
        @Sendable (PoolingShape, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
    /// Average pooling (shape, x, y, countIncludePad, divisorOverride): see `Pooling.averageForward`.
    public let avgPoolForward:
        @Sendable (PoolingShape, UnsafeRawPointer, UnsafeMutableRawPointer, Bool, Int?) -> Void
    /// Its gradient (shape, dy, dx, countIncludePad, divisorOverride): see `Pooling.averageBackward`.
    public let avgPoolBackward:
        @Sendable (PoolingShape, UnsafeRawPointer, UnsafeMutableRawPointer, Bool, Int?) -> Void

    /// Instantiates every kernel for `I`. Called once in each instruction set's module, where it is specialised.
    @inlinable @inline(__always)
    public init<I: ISA>(_ isa: I.Type, name: String) {
        self.name = name
        gemm = { GEMM<I>.run($0) }
        maxPoolForward = { Pooling<I>.maxForward($0, $1, $2, $3) }
        maxPoolBackward = { Pooling<I>.maxBackward($0, $1, $2, $3) }
        avgPoolForward = { Pooling<I>.averageForward($0, $1, $2, countIncludePad: $3, divisorOverride: $4) }
        avgPoolBackward = { Pooling<I>.averageBackward($0, $1, $2, countIncludePad: $3, divisorOverride: $4) }
    }
}

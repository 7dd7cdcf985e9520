// The functions that an instruction set offers for one scalar type; the engine calls kernels only through it.

/// All kernels of one instruction set for one scalar type, as specialised functions.
public struct KernelTable: Sendable {
    /// Name of the instruction set: "baseline", "avx2" or "avx512".
    public let name: String

    /// Instantiates every kernel for `I`. Called once in each instruction set's module, where it is specialised.
    @inlinable @inline(__always)
    public init<I: ISA>(_ isa: I.Type, name: String) {
        self.name = name
    }
}

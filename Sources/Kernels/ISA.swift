// The instruction-set abstraction: what a kernel needs of the processor, for one scalar type.
// Every algorithm in this module is generic over `ISA`, `@inlinable`, and instantiated once per
// instruction set by the modules KernelsBaseline, KernelsAVX2 and KernelsAVX512.

/// One instruction set, for one floating-point scalar type.
///
/// Comparisons on a SIMD type that is known only through a protocol become lane-by-lane loops even after
/// specialisation, so everything that compares is a requirement here, written on the concrete vector type.
public protocol ISA: SendableMetatype {
    associatedtype Scalar: BinaryFloatingPoint & SIMDScalar & Sendable
    associatedtype V: SIMD where V.Scalar == Scalar

    /// `acc += a * b`, fused where the instruction set has it.
    static func fma(_ acc: inout V, _ a: V, _ b: V)
    /// Lane-wise `a < b ? yes : no`; false for NaN.
    static func select(_ a: V, lessThan b: V, _ yes: V, _ no: V) -> V
    /// Lane-wise maximum: `a < b ? b : a`, so that NaN in `a` stays and NaN in `b` is passed over.
    static func max(_ a: V, _ b: V) -> V
    /// Lane-wise minimum: `b < a ? b : a`, so that NaN in `a` stays and NaN in `b` is passed over.
    static func min(_ a: V, _ b: V) -> V
    /// Lane-wise square root, correctly rounded.
    static func sqrt(_ a: V) -> V
}

extension ISA {
    /// Lanes of a vector.
    @inlinable @inline(__always)
    public static var width: Int { V.scalarCount }

    /// Bytes of a scalar.
    @inlinable @inline(__always)
    public static var scalarSize: Int { MemoryLayout<Scalar>.size }

    /// Loads a vector from `pointer + index` (in scalars), any alignment.
    @inlinable @inline(__always)
    public static func load(_ pointer: UnsafeRawPointer, _ index: Int) -> V {
        pointer.loadUnaligned(fromByteOffset: index &* MemoryLayout<Scalar>.size, as: V.self)
    }

    /// Stores a vector to `pointer + index` (in scalars), any alignment.
    @inlinable @inline(__always)
    public static func store(_ value: V, _ pointer: UnsafeMutableRawPointer, _ index: Int) {
        pointer.storeBytes(of: value, toByteOffset: index &* MemoryLayout<Scalar>.size, as: V.self)
    }

    /// A vector whose lanes all hold `pointer[index]`.
    @inlinable @inline(__always)
    public static func broadcast(_ pointer: UnsafeRawPointer, _ index: Int) -> V {
        V(repeating: pointer.load(fromByteOffset: index &* MemoryLayout<Scalar>.size, as: Scalar.self))
    }
}

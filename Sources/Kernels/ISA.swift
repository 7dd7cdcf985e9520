// The instruction-set abstraction: what a kernel needs of the processor, for one scalar type.
// Every algorithm in this module is generic over `ISA`, `@inlinable`, and instantiated once per
// instruction set by the modules KernelsBaseline, KernelsAVX2 and KernelsAVX512.

/// One instruction set, for one floating-point scalar type.
///
/// Comparisons on a SIMD type that is known only through a protocol become lane-by-lane loops even after
/// specialisation, so everything that compares is a requirement here, written on the concrete vector type.
public protocol ISA: SendableMetatype {
    associatedtype Scalar: RealScalar
    associatedtype V: SIMD where V.Scalar == Scalar
    /// Integers of the scalar's width, as many as a vector has lanes: for work on exponents and signs.
    associatedtype Bits: SIMD where Bits.Scalar: FixedWidthInteger

    /// `acc += a * b`, fused where the instruction set has it.
    static func fma(_ acc: inout V, _ a: V, _ b: V)
    /// Lane-wise `a < b ? yes : no`; false for NaN.
    static func select(_ a: V, lessThan b: V, _ yes: V, _ no: V) -> V
    /// Lane-wise maximum: `a < b ? b : a`, so that NaN in `a` stays and NaN in `b` is passed over.
    static func max(_ a: V, _ b: V) -> V
    /// Lane-wise minimum: `b < a ? b : a`, so that NaN in `a` stays and NaN in `b` is passed over.
    static func min(_ a: V, _ b: V) -> V
    /// Lane-wise maximum that is NaN where either is.
    static func maximum(_ a: V, _ b: V) -> V
    /// Lane-wise minimum that is NaN where either is.
    static func minimum(_ a: V, _ b: V) -> V
    /// Lane-wise square root, correctly rounded. Never inlined: in a function of its own it is an instruction, within a loop
    /// a call for each lane.
    static func sqrt(_ a: V) -> V
    /// Lane-wise e^a.
    static func exp(_ a: V) -> V
    /// Lane-wise natural logarithm.
    static func log(_ a: V) -> V
    /// Lane-wise hyperbolic tangent.
    static func tanh(_ a: V) -> V
    /// Transposes the square of the first `width` vectors, in registers.
    static func transpose(_ rows: inout InlineArray<16, V>)
    /// Of the scalars of a and then b, leaves those at even places in a and the others in b.
    static func split(_ a: inout V, _ b: inout V)
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

extension ISA {
    /// The first `count` lanes from memory, zeros behind them: the end of a row, without reading past it.
    @inlinable @inline(__always)
    public static func loadPartial(_ pointer: UnsafeRawPointer, _ index: Int, _ count: Int) -> V {
        var value = V.zero
        for lane in 0..<count {
            value[lane] = pointer.load(fromByteOffset: (index &+ lane) &* scalarSize, as: Scalar.self)
        }
        return value
    }

    /// The first `count` lanes to memory, nothing behind them.
    @inlinable @inline(__always)
    public static func storePartial(_ value: V, _ pointer: UnsafeMutableRawPointer, _ index: Int, _ count: Int) {
        for lane in 0..<count {
            pointer.storeBytes(of: value[lane], toByteOffset: (index &+ lane) &* scalarSize, as: Scalar.self)
        }
    }

    /// `f` on each lane: for functions that have no vector form.
    @inlinable @inline(__always)
    public static func lanes(_ a: V, _ f: (Scalar) -> Scalar) -> V {
        var result = a
        for lane in 0..<V.scalarCount { result[lane] = f(a[lane]) }
        return result
    }
}

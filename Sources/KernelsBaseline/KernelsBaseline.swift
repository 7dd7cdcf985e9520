// Baseline: the vector types of this instruction set and the kernel tables made of them. Nothing else lives here.
import Kernels

/// Float vectors of 4 lanes.
@usableFromInline
enum BaselineFloat: ISA {
    @usableFromInline typealias Scalar = Float
    @usableFromInline typealias V = SIMD4<Float>
    @usableFromInline typealias Bits = SIMD4<Int32>
    #if arch(arm64)
        @inlinable @inline(__always)
        static func fma(_ acc: inout V, _ a: V, _ b: V) { acc.addProduct(a, b) }
    #else
        @inlinable @inline(__always)
        static func fma(_ acc: inout V, _ a: V, _ b: V) { acc += a * b }
    #endif
    @inlinable @inline(__always)
    static func select(_ a: V, lessThan b: V, _ yes: V, _ no: V) -> V { no.replacing(with: yes, where: a .< b) }
    @inlinable @inline(__always)
    static func max(_ a: V, _ b: V) -> V { a.replacing(with: b, where: a .< b) }
    @inlinable @inline(__always)
    static func min(_ a: V, _ b: V) -> V { a.replacing(with: b, where: b .< a) }
    @inlinable @inline(__always)
    static func maximum(_ a: V, _ b: V) -> V { a.replacing(with: b, where: (a .< b) .| (b .!= b)) }
    @inlinable @inline(__always)
    static func minimum(_ a: V, _ b: V) -> V { a.replacing(with: b, where: (b .< a) .| (b .!= b)) }
    @usableFromInline @inline(never)
    static func sqrt(_ a: V) -> V { a.squareRoot() }
}

/// Double vectors of 2 lanes.
@usableFromInline
enum BaselineDouble: ISA {
    @usableFromInline typealias Scalar = Double
    @usableFromInline typealias V = SIMD2<Double>
    @usableFromInline typealias Bits = SIMD2<Int64>
    #if arch(arm64)
        @inlinable @inline(__always)
        static func fma(_ acc: inout V, _ a: V, _ b: V) { acc.addProduct(a, b) }
    #else
        @inlinable @inline(__always)
        static func fma(_ acc: inout V, _ a: V, _ b: V) { acc += a * b }
    #endif
    @inlinable @inline(__always)
    static func select(_ a: V, lessThan b: V, _ yes: V, _ no: V) -> V { no.replacing(with: yes, where: a .< b) }
    @inlinable @inline(__always)
    static func max(_ a: V, _ b: V) -> V { a.replacing(with: b, where: a .< b) }
    @inlinable @inline(__always)
    static func min(_ a: V, _ b: V) -> V { a.replacing(with: b, where: b .< a) }
    @inlinable @inline(__always)
    static func maximum(_ a: V, _ b: V) -> V { a.replacing(with: b, where: (a .< b) .| (b .!= b)) }
    @inlinable @inline(__always)
    static func minimum(_ a: V, _ b: V) -> V { a.replacing(with: b, where: (b .< a) .| (b .!= b)) }
    @usableFromInline @inline(never)
    static func sqrt(_ a: V) -> V { a.squareRoot() }
}

/// The kernels of this instruction set for Float.
public let baselineFloat = KernelTable(
    BaselineFloat.self, name: "baseline", weights: InlineArray<4, Void>.self, by: InlineArray<2, Void>.self)
/// The kernels of this instruction set for Double.
public let baselineDouble = KernelTable(
    BaselineDouble.self, name: "baseline", weights: InlineArray<4, Void>.self, by: InlineArray<2, Void>.self)

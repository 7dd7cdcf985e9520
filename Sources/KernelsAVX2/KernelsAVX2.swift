// AVX2: the vector types of this instruction set and the kernel tables made of them. Nothing else lives here.
import Kernels

/// Float vectors of 8 lanes.
@usableFromInline
enum AVX2Float: ISA {
    @usableFromInline typealias Scalar = Float
    @usableFromInline typealias V = SIMD8<Float>
    @usableFromInline typealias Bits = SIMD8<Int32>
    @inlinable @inline(__always)
    static func fma(_ acc: inout V, _ a: V, _ b: V) { acc.addProduct(a, b) }
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

/// Double vectors of 4 lanes.
@usableFromInline
enum AVX2Double: ISA {
    @usableFromInline typealias Scalar = Double
    @usableFromInline typealias V = SIMD4<Double>
    @usableFromInline typealias Bits = SIMD4<Int64>
    @inlinable @inline(__always)
    static func fma(_ acc: inout V, _ a: V, _ b: V) { acc.addProduct(a, b) }
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
public let avx2Float = KernelTable(
    AVX2Float.self, name: "avx2", weights: InlineArray<6, Void>.self, by: InlineArray<2, Void>.self)
/// The kernels of this instruction set for Double.
public let avx2Double = KernelTable(
    AVX2Double.self, name: "avx2", weights: InlineArray<6, Void>.self, by: InlineArray<2, Void>.self)

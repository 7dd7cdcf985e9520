// Exponential, logarithm and hyperbolic tangent of vectors, and libm for everything that is not hot.
//
// Float: Cody-Waite reduction and the minimax polynomials of the Cephes library (S. Moshier, 1992); errors below 2 ulp.
// Exponents are taken from and put into the bits, so there is no table and no branch.
// Double: libm, lane by lane.
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Float or Double, with the functions of libm that elementwise ops need.
public protocol RealScalar: BinaryFloatingPoint, SIMDScalar, Codable, Sendable {
    /// libm's function for an op.
    static func function(_ op: UnaryOp) -> @Sendable (Self) -> Self
    /// libm's function of two arguments for an op.
    static func function(_ op: BinaryOp) -> @Sendable (Self, Self) -> Self
}

extension ISA where Scalar == Float, Bits.Scalar == Int32 {
    /// e^a = 2^n · e^r with |r| <= ln 2 / 2.
    @inlinable @inline(__always)
    public static func exp(_ a: V) -> V {
        // Beyond these bounds the result is 0 or infinity anyway.
        let x = max(min(a, V(repeating: 89)), V(repeating: -104.5))
        let magic = V(repeating: 12_582_912)  // 1.5 · 2^23: adding it rounds to an integer, which is in the low bits
        var shifted = magic
        fma(&shifted, x, V(repeating: 1.442_695_04))
        let n = shifted - magic
        var r = x
        fma(&r, n, V(repeating: -0.693_359_375))
        fma(&r, n, V(repeating: 2.121_944_4e-4))
        var p = V(repeating: 5.000_000_1e-1)
        var q = V(repeating: 1.666_666_5e-1)
        var s = V(repeating: 4.166_579_6e-2)
        var t = V(repeating: 8.333_452e-3)
        var u = V(repeating: 1.398_2e-3)
        fma(&u, r, V(repeating: 1.987_569_2e-4))
        fma(&t, r, u)
        fma(&s, r, t)
        fma(&q, r, s)
        fma(&p, r, q)
        var y = r + V(repeating: 1)
        fma(&y, r * r, p)
        // 2^n in two factors, so that results near the ends of the range are neither lost nor infinite too early.
        let bits = unsafeBitCast(shifted, to: Bits.self) &- unsafeBitCast(magic, to: Bits.self)
        let half = bits &>> Bits(repeating: 1)
        let bias = Bits(repeating: 127)
        let first = unsafeBitCast((half &+ bias) &<< Bits(repeating: 23), to: V.self)
        let second = unsafeBitCast((bits &- half &+ bias) &<< Bits(repeating: 23), to: V.self)
        return y * first * second
    }

    /// ln a = e · ln 2 + ln m with m in [√½, √2).
    @inlinable @inline(__always)
    public static func log(_ a: V) -> V {
        let tiny = V(repeating: Float.leastNormalMagnitude)
        // Denormals are scaled up first.
        let x = select(a, lessThan: tiny, a * V(repeating: 8_388_608), a)
        let correction = select(a, lessThan: tiny, V(repeating: 23), V.zero)
        let bits = unsafeBitCast(x, to: Bits.self)
        // The biased exponent as the low bits of 2^23 + exponent.
        let exponentBits = (bits &>> Bits(repeating: 23)) | Bits(repeating: 0x4B00_0000)
        var e = unsafeBitCast(exponentBits, to: V.self) - V(repeating: 8_388_608 + 126) - correction
        var m = unsafeBitCast((bits & Bits(repeating: 0x7F_FFFF)) | Bits(repeating: 0x3F00_0000), to: V.self)
        let small = V(repeating: 0.707_106_78)
        e = select(m, lessThan: small, e - V(repeating: 1), e)
        m = select(m, lessThan: small, m + m, m) - V(repeating: 1)
        let coefficients: (Float, Float, Float, Float, Float, Float, Float, Float, Float) = (
            7.037_683_6e-2, -1.151_461e-1, 1.167_699_8e-1, -1.242_014_1e-1, 1.424_932_3e-1, -1.666_805_7e-1,
            2.000_071_4e-1, -2.499_999_3e-1, 3.333_333_1e-1
        )
        var p = V(repeating: coefficients.0)
        p = horner(p, m, coefficients.1)
        p = horner(p, m, coefficients.2)
        p = horner(p, m, coefficients.3)
        p = horner(p, m, coefficients.4)
        p = horner(p, m, coefficients.5)
        p = horner(p, m, coefficients.6)
        p = horner(p, m, coefficients.7)
        p = horner(p, m, coefficients.8)
        let square = m * m
        var y = p * m * square
        fma(&y, e, V(repeating: -2.121_944_4e-4))
        fma(&y, square, V(repeating: -0.5))
        var result = m + y
        fma(&result, e, V(repeating: 0.693_359_375))
        // ln 0 = −∞, ln ∞ = ∞, NaN below zero and for NaN.
        let zero = V.zero
        let infinity = V(repeating: Float.infinity)
        result = select(a, lessThan: infinity, result, a)
        let notPositive = select(a, lessThan: zero, V(repeating: Float.nan), -infinity)
        return select(zero, lessThan: a, result, select(a, lessThan: infinity, notPositive, a))
    }

    /// tanh a = sign(a) · (1 − 2 / (e^(2|a|) + 1)); a polynomial where that would cancel.
    @inlinable @inline(__always)
    public static func tanh(_ a: V) -> V {
        let magnitude = max(a, -a)
        let e = exp(magnitude + magnitude)
        let one = V(repeating: 1)
        let large = one - V(repeating: 2) / (e + one)
        let z = a * a
        var p = V(repeating: -5.704_988_7e-3)
        p = horner(p, z, 2.063_908_9e-2)
        p = horner(p, z, -5.373_971_8e-2)
        p = horner(p, z, 1.333_144_2e-1)
        p = horner(p, z, -3.333_328_2e-1)
        var small = a
        fma(&small, p * z, a)
        let signed = select(a, lessThan: V.zero, -large, large)
        return select(magnitude, lessThan: V(repeating: 0.625), small, signed)
    }

    @inlinable @inline(__always)
    static func horner(_ p: V, _ x: V, _ c: Float) -> V {
        var result = V(repeating: c)
        fma(&result, p, x)
        return result
    }
}

extension ISA where Scalar == Double {
    @inlinable @inline(__always)
    public static func exp(_ a: V) -> V { lanes(a) { libm.exp($0) } }
    @inlinable @inline(__always)
    public static func log(_ a: V) -> V { lanes(a) { libm.log($0) } }
    @inlinable @inline(__always)
    public static func tanh(_ a: V) -> V { lanes(a) { libm.tanh($0) } }
}

/// The C library's functions under names that no method hides.
public enum libm {
    @inline(never) public static func exp(_ a: Double) -> Double { sysExp(a) }
    @inline(never) public static func log(_ a: Double) -> Double { sysLog(a) }
    @inline(never) public static func tanh(_ a: Double) -> Double { sysTanh(a) }
}
private func sysExp(_ a: Double) -> Double { exp(a) }
private func sysLog(_ a: Double) -> Double { log(a) }
private func sysTanh(_ a: Double) -> Double { tanh(a) }

extension Double: RealScalar {
    public static func function(_ op: UnaryOp) -> @Sendable (Double) -> Double {
        switch op {
        case .neg: { -$0 }
        case .abs: { Swift.abs($0) }
        case .sign: { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }
        case .square: { $0 * $0 }
        case .sqrt: { $0.squareRoot() }
        case .rsqrt: { 1 / $0.squareRoot() }
        case .reciprocal: { 1 / $0 }
        case .exp: { exp($0) }
        case .expm1: { expm1($0) }
        case .exp2: { exp2($0) }
        case .log: { log($0) }
        case .log1p: { log1p($0) }
        case .log2: { log2($0) }
        case .log10: { log10($0) }
        case .sin: { sin($0) }
        case .cos: { cos($0) }
        case .tan: { tan($0) }
        case .asin: { asin($0) }
        case .acos: { acos($0) }
        case .atan: { atan($0) }
        case .sinh: { sinh($0) }
        case .cosh: { cosh($0) }
        case .tanh: { tanh($0) }
        case .sigmoid: { 1 / (1 + exp(-$0)) }
        case .relu: { $0 > 0 || $0.isNaN ? $0 : 0 }
        case .floor: { $0.rounded(.down) }
        case .ceil: { $0.rounded(.up) }
        case .round: { $0.rounded(.toNearestOrEven) }
        case .trunc: { $0.rounded(.towardZero) }
        case .erf: { erf($0) }
        case .erfc: { erfc($0) }
        }
    }

    public static func function(_ op: BinaryOp) -> @Sendable (Double, Double) -> Double {
        switch op {
        case .add: { $0 + $1 }
        case .sub: { $0 - $1 }
        case .mul: { $0 * $1 }
        case .div: { $0 / $1 }
        case .maximum: { $0.isNaN || $0 >= $1 ? $0 : $1 }
        case .minimum: { $0.isNaN || $0 <= $1 ? $0 : $1 }
        case .pow: { pow($0, $1) }
        case .fmod: { fmod($0, $1) }
        case .remainder:
            { a, b in
                let rest = fmod(a, b)
                return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest
            }
        case .floorDiv:
            { a, b in
                // As torch: exact where a / b rounds up to an integer that it is not.
                if b == 0 { return a / b }
                let rest = fmod(a, b)
                var quotient = (a - rest) / b
                if rest != 0, (b < 0) != (rest < 0) { quotient -= 1 }
                if quotient == 0 { return 0 * (a / b) }
                let floor = quotient.rounded(.down)
                return quotient - floor > 0.5 ? floor + 1 : floor
            }
        case .truncDiv: { ($0 / $1).rounded(.towardZero) }
        case .atan2: { atan2($0, $1) }
        case .reluBackward: { $1 > 0 ? $0 : 0 }
        case .sigmoidBackward: { $0 * (1 - $1) * $1 }
        case .tanhBackward: { $0 * (1 - $1 * $1) }
        }
    }
}

extension Float: RealScalar {
    // Through Double: one rounding at the end, and none of these is hot in Float (exp, log, tanh have vector forms).
    public static func function(_ op: UnaryOp) -> @Sendable (Float) -> Float {
        let wide = Double.function(op)
        return { Float(wide(Double($0))) }
    }
    public static func function(_ op: BinaryOp) -> @Sendable (Float, Float) -> Float {
        let wide = Double.function(op)
        return { Float(wide(Double($0), Double($1))) }
    }
}

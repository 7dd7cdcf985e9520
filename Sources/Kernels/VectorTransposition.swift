// Squares of vectors transposed in registers, and pairs of them split into even and odd places, for each type of vector.
//
// Two steps within each 128 bits (scalars, then pairs of them, interleaved), then blocks of 128 bits change places. Written
// lane by lane on concrete types, each call of a step becomes one shuffle instruction. Neighbouring steps look at the
// vectors as lanes of different size on purpose: otherwise the optimiser melts them into one permutation of many vectors,
// which the processor does not have.

extension SIMD4 where Scalar == Float {
    /// (a0, b0, a1, b1) and (a2, b2, a3, b3) of each 128 bits.
    @inlinable @inline(__always)
    static func interleaveScalars(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (a, b)
        a = Self(x[0], y[0], x[1], y[1])
        b = Self(x[2], y[2], x[3], y[3])
    }

    /// (a0, a1, b0, b1) and (a2, a3, b2, b3) of each 128 bits.
    @inlinable @inline(__always)
    static func interleavePairs(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (unsafeBitCast(a, to: SIMD2<UInt64>.self), unsafeBitCast(b, to: SIMD2<UInt64>.self))
        a = unsafeBitCast(SIMD2<UInt64>(x[0], y[0]), to: Self.self)
        b = unsafeBitCast(SIMD2<UInt64>(x[1], y[1]), to: Self.self)
    }
}

extension SIMD8 where Scalar == Float {
    /// (a0, b0, a1, b1) and (a2, b2, a3, b3) of each 128 bits.
    @inlinable @inline(__always)
    static func interleaveScalars(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (a, b)
        a = Self(x[0], y[0], x[1], y[1], x[4], y[4], x[5], y[5])
        b = Self(x[2], y[2], x[3], y[3], x[6], y[6], x[7], y[7])
    }

    /// (a0, a1, b0, b1) and (a2, a3, b2, b3) of each 128 bits.
    @inlinable @inline(__always)
    static func interleavePairs(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (unsafeBitCast(a, to: SIMD4<UInt64>.self), unsafeBitCast(b, to: SIMD4<UInt64>.self))
        a = unsafeBitCast(SIMD4<UInt64>(x[0], y[0], x[2], y[2]), to: Self.self)
        b = unsafeBitCast(SIMD4<UInt64>(x[1], y[1], x[3], y[3]), to: Self.self)
    }

    /// The low halves of a and b, and the high ones.
    @inlinable @inline(__always)
    static func exchangeHalves(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (unsafeBitCast(a, to: SIMD4<UInt64>.self), unsafeBitCast(b, to: SIMD4<UInt64>.self))
        a = unsafeBitCast(SIMD4<UInt64>(x[0], x[1], y[0], y[1]), to: Self.self)
        b = unsafeBitCast(SIMD4<UInt64>(x[2], x[3], y[2], y[3]), to: Self.self)
    }
}

extension SIMD16 where Scalar == Float {
    /// (a0, b0, a1, b1) and (a2, b2, a3, b3) of each 128 bits.
    @inlinable @inline(__always)
    static func interleaveScalars(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (a, b)
        a = Self(x[0], y[0], x[1], y[1], x[4], y[4], x[5], y[5], x[8], y[8], x[9], y[9], x[12], y[12], x[13], y[13])
        b = Self(x[2], y[2], x[3], y[3], x[6], y[6], x[7], y[7], x[10], y[10], x[11], y[11], x[14], y[14], x[15], y[15])
    }

    /// (a0, a1, b0, b1) and (a2, a3, b2, b3) of each 128 bits.
    @inlinable @inline(__always)
    static func interleavePairs(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (unsafeBitCast(a, to: SIMD8<UInt64>.self), unsafeBitCast(b, to: SIMD8<UInt64>.self))
        a = unsafeBitCast(SIMD8<UInt64>(x[0], y[0], x[2], y[2], x[4], y[4], x[6], y[6]), to: Self.self)
        b = unsafeBitCast(SIMD8<UInt64>(x[1], y[1], x[3], y[3], x[5], y[5], x[7], y[7]), to: Self.self)
    }

    /// The low halves of a and b, and the high ones.
    @inlinable @inline(__always)
    static func exchangeHalves(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (unsafeBitCast(a, to: SIMD8<UInt64>.self), unsafeBitCast(b, to: SIMD8<UInt64>.self))
        a = unsafeBitCast(SIMD8<UInt64>(x[0], x[1], x[2], x[3], y[0], y[1], y[2], y[3]), to: Self.self)
        b = unsafeBitCast(SIMD8<UInt64>(x[4], x[5], x[6], x[7], y[4], y[5], y[6], y[7]), to: Self.self)
    }

    /// In each half, the low 128 bits of a and b, and the high ones.
    @inlinable @inline(__always)
    static func exchangeQuarters(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (a, b)
        a = Self(x[0], x[1], x[2], x[3], y[0], y[1], y[2], y[3], x[8], x[9], x[10], x[11], y[8], y[9], y[10], y[11])
        b = Self(x[4], x[5], x[6], x[7], y[4], y[5], y[6], y[7], x[12], x[13], x[14], x[15], y[12], y[13], y[14], y[15])
    }
}

extension SIMD2 where Scalar == Double {
    /// (a0, b0) and (a1, b1) of each 128 bits.
    @inlinable @inline(__always)
    static func interleaveScalars(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (a, b)
        a = Self(x[0], y[0])
        b = Self(x[1], y[1])
    }
}

extension SIMD4 where Scalar == Double {
    /// (a0, b0) and (a1, b1) of each 128 bits.
    @inlinable @inline(__always)
    static func interleaveScalars(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (a, b)
        a = Self(x[0], y[0], x[2], y[2])
        b = Self(x[1], y[1], x[3], y[3])
    }

    /// The low halves of a and b, and the high ones.
    @inlinable @inline(__always)
    static func exchangeHalves(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (unsafeBitCast(a, to: SIMD8<Float>.self), unsafeBitCast(b, to: SIMD8<Float>.self))
        a = unsafeBitCast(SIMD8<Float>(x[0], x[1], x[2], x[3], y[0], y[1], y[2], y[3]), to: Self.self)
        b = unsafeBitCast(SIMD8<Float>(x[4], x[5], x[6], x[7], y[4], y[5], y[6], y[7]), to: Self.self)
    }
}

extension SIMD8 where Scalar == Double {
    /// (a0, b0) and (a1, b1) of each 128 bits.
    @inlinable @inline(__always)
    static func interleaveScalars(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (a, b)
        a = Self(x[0], y[0], x[2], y[2], x[4], y[4], x[6], y[6])
        b = Self(x[1], y[1], x[3], y[3], x[5], y[5], x[7], y[7])
    }

    /// The low halves of a and b, and the high ones.
    @inlinable @inline(__always)
    static func exchangeHalves(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (a, b)
        a = Self(x[0], x[1], x[2], x[3], y[0], y[1], y[2], y[3])
        b = Self(x[4], x[5], x[6], x[7], y[4], y[5], y[6], y[7])
    }

    /// In each half, the low 128 bits of a and b, and the high ones.
    @inlinable @inline(__always)
    static func exchangeQuarters(_ a: inout Self, _ b: inout Self) {
        let (x, y) = (unsafeBitCast(a, to: SIMD16<Float>.self), unsafeBitCast(b, to: SIMD16<Float>.self))
        a = unsafeBitCast(
            SIMD16<Float>(
                x[0], x[1], x[2], x[3], y[0], y[1], y[2], y[3],
                x[8], x[9], x[10], x[11], y[8], y[9], y[10], y[11]), to: Self.self)
        b = unsafeBitCast(
            SIMD16<Float>(
                x[4], x[5], x[6], x[7], y[4], y[5], y[6], y[7],
                x[12], x[13], x[14], x[15], y[12], y[13], y[14], y[15]), to: Self.self)
    }
}

extension ISA {
    /// Calls `step` for vectors i and i + distance, for every i whose bit `distance` is not set.
    @inlinable @inline(__always)
    static func pairs(_ rows: inout InlineArray<16, V>, _ distance: Int, _ step: (inout V, inout V) -> Void) {
        for i in 0..<width / 2 {
            let first = i / distance &* 2 &* distance &+ i % distance
            var (a, b) = (rows[first], rows[first &+ distance])
            step(&a, &b)
            rows[first] = a
            rows[first &+ distance] = b
        }
    }

    /// Interleaving leaves the second and third vector of four exchanged.
    @inlinable @inline(__always)
    static func order(_ rows: inout InlineArray<16, V>) {
        for quad in 0..<width / 4 {
            let second = rows[4 &* quad &+ 1]
            rows[4 &* quad &+ 1] = rows[4 &* quad &+ 2]
            rows[4 &* quad &+ 2] = second
        }
    }
}

extension ISA where V == SIMD4<Float> {
    @inlinable @inline(__always)
    public static func transpose(_ rows: inout InlineArray<16, V>) {
        pairs(&rows, 1) { V.interleaveScalars(&$0, &$1) }
        pairs(&rows, 2) { V.interleavePairs(&$0, &$1) }
        order(&rows)
    }

    @inlinable @inline(__always)
    public static func split(_ a: inout V, _ b: inout V) {
        let (x, y) = (a, b)
        a = V(x[0], x[2], y[0], y[2])
        b = V(x[1], x[3], y[1], y[3])
    }
}

extension ISA where V == SIMD8<Float> {
    @inlinable @inline(__always)
    public static func transpose(_ rows: inout InlineArray<16, V>) {
        pairs(&rows, 4) { V.exchangeHalves(&$0, &$1) }
        pairs(&rows, 1) { V.interleaveScalars(&$0, &$1) }
        pairs(&rows, 2) { V.interleavePairs(&$0, &$1) }
        order(&rows)
    }

    @inlinable @inline(__always)
    public static func split(_ a: inout V, _ b: inout V) {
        V.exchangeHalves(&a, &b)
        let (x, y) = (a, b)
        a = V(x[0], x[2], y[0], y[2], x[4], x[6], y[4], y[6])
        b = V(x[1], x[3], y[1], y[3], x[5], x[7], y[5], y[7])
    }
}

extension ISA where V == SIMD16<Float> {
    @inlinable @inline(__always)
    public static func transpose(_ rows: inout InlineArray<16, V>) {
        pairs(&rows, 1) { V.interleaveScalars(&$0, &$1) }
        pairs(&rows, 8) { V.exchangeHalves(&$0, &$1) }
        pairs(&rows, 4) { V.exchangeQuarters(&$0, &$1) }
        pairs(&rows, 2) { V.interleavePairs(&$0, &$1) }
        order(&rows)
    }

    @inlinable @inline(__always)
    public static func split(_ a: inout V, _ b: inout V) {
        let (x, y) = (a, b)
        a = V(x[0], x[2], x[4], x[6], x[8], x[10], x[12], x[14], y[0], y[2], y[4], y[6], y[8], y[10], y[12], y[14])
        b = V(x[1], x[3], x[5], x[7], x[9], x[11], x[13], x[15], y[1], y[3], y[5], y[7], y[9], y[11], y[13], y[15])
    }
}

extension ISA where V == SIMD2<Double> {
    @inlinable @inline(__always)
    public static func transpose(_ rows: inout InlineArray<16, V>) {
        pairs(&rows, 1) { V.interleaveScalars(&$0, &$1) }
    }

    @inlinable @inline(__always)
    public static func split(_ a: inout V, _ b: inout V) {
        V.interleaveScalars(&a, &b)
    }
}

extension ISA where V == SIMD4<Double> {
    @inlinable @inline(__always)
    public static func transpose(_ rows: inout InlineArray<16, V>) {
        pairs(&rows, 1) { V.interleaveScalars(&$0, &$1) }
        pairs(&rows, 2) { V.exchangeHalves(&$0, &$1) }
    }

    @inlinable @inline(__always)
    public static func split(_ a: inout V, _ b: inout V) {
        V.exchangeHalves(&a, &b)
        V.interleaveScalars(&a, &b)
    }
}

extension ISA where V == SIMD8<Double> {
    @inlinable @inline(__always)
    public static func transpose(_ rows: inout InlineArray<16, V>) {
        pairs(&rows, 1) { V.interleaveScalars(&$0, &$1) }
        pairs(&rows, 2) { V.exchangeQuarters(&$0, &$1) }
        pairs(&rows, 4) { V.exchangeHalves(&$0, &$1) }
    }

    @inlinable @inline(__always)
    public static func split(_ a: inout V, _ b: inout V) {
        let (x, y) = (a, b)
        a = V(x[0], x[2], x[4], x[6], y[0], y[2], y[4], y[6])
        b = V(x[1], x[3], x[5], x[7], y[1], y[3], y[5], y[7])
    }
}

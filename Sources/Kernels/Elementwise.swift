// Elementwise kernels: one pass over a run of elements with one stride for each operand.
//
// Each op is written once, as a function of vectors. Full vectors take it as it is; the last few elements and strided
// runs go through a partly filled vector, so an element's result does not depend on where in a run it lies. No register
// blocking: these loops are bound by memory.

/// Elementwise functions of one argument.
public enum UnaryOp: UInt8, Sendable, CaseIterable {
    case neg, abs, sign, square, sqrt, rsqrt, reciprocal, exp, expm1, exp2, log, log1p, log2, log10
    case sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, sigmoid, relu, floor, ceil, round, trunc, erf, erfc
}

/// Elementwise functions of two arguments. The last three are gradients: `dy` first, then the function's output.
public enum BinaryOp: UInt8, Sendable, CaseIterable {
    case add, sub, mul, div, maximum, minimum, pow, fmod, remainder, floorDiv, truncDiv, atan2
    case reluBackward, sigmoidBackward, tanhBackward
}

/// Comparisons; false for NaN, but `ne` is true.
public enum CompareOp: UInt8, Sendable, CaseIterable {
    case eq, ne, lt, le, gt, ge
}

/// Elements `index * stride ..< (index + count) * stride` as a vector, zeros behind them.
@inlinable @inline(__always)
func gather<I: ISA>(_: I.Type, _ x: UnsafeRawPointer, _ stride: Int, _ index: Int, _ count: Int) -> I.V {
    if stride == 1, count == I.width { return I.load(x, index) }
    if stride == 0 { return I.broadcast(x, 0) }
    var value = I.V.zero
    for lane in 0..<count {
        value[lane] = x.load(fromByteOffset: (index &+ lane) &* stride &* I.scalarSize, as: I.Scalar.self)
    }
    return value
}

@inlinable @inline(__always)
func scatter<I: ISA>(
    _: I.Type, _ value: I.V, _ y: UnsafeMutableRawPointer, _ stride: Int, _ index: Int, _ count: Int
) {
    for lane in 0..<count {
        y.storeBytes(of: value[lane], toByteOffset: (index &+ lane) &* stride &* I.scalarSize, as: I.Scalar.self)
    }
}

@inlinable @inline(__always)
func map<I: ISA>(
    _: I.Type, _ count: Int, _ x: UnsafeRawPointer, _ xStride: Int, _ y: UnsafeMutableRawPointer, _ yStride: Int,
    _ f: (I.V) -> I.V
) {
    var index = 0
    if xStride == 1, yStride == 1 {
        while index &+ I.width <= count {
            I.store(f(I.load(x, index)), y, index)
            index &+= I.width
        }
    }
    while index < count {
        let lanes = Swift.min(I.width, count &- index)
        scatter(I.self, f(gather(I.self, x, xStride, index, lanes)), y, yStride, index, lanes)
        index &+= lanes
    }
}

@inlinable @inline(__always)
func zip<I: ISA>(
    _: I.Type, _ count: Int, _ a: UnsafeRawPointer, _ aStride: Int, _ b: UnsafeRawPointer, _ bStride: Int,
    _ y: UnsafeMutableRawPointer, _ yStride: Int, _ f: (I.V, I.V) -> I.V
) {
    var index = 0
    if yStride == 1, aStride | bStride | 1 == 1, count >= I.width {
        // Each stride is 0 or 1; a stride of 0 reads the same vector again.
        let (p, q) = (aStride == 0 ? I.broadcast(a, 0) : .zero, bStride == 0 ? I.broadcast(b, 0) : .zero)
        if aStride == 1, bStride == 1 {
            while index &+ I.width <= count {
                I.store(f(I.load(a, index), I.load(b, index)), y, index)
                index &+= I.width
            }
        } else {
            while index &+ I.width <= count {
                let left = aStride == 0 ? p : I.load(a, index)
                let right = bStride == 0 ? q : I.load(b, index)
                I.store(f(left, right), y, index)
                index &+= I.width
            }
        }
    }
    while index < count {
        let lanes = Swift.min(I.width, count &- index)
        let left = gather(I.self, a, aStride, index, lanes)
        let right = gather(I.self, b, bStride, index, lanes)
        scatter(I.self, f(left, right), y, yStride, index, lanes)
        index &+= lanes
    }
}

/// `y[i] = op(x[i])`.
@inlinable @inline(never)
func unary<I: ISA>(
    _: I.Type, _ op: UnaryOp, _ count: Int, _ x: UnsafeRawPointer, _ xStride: Int, _ y: UnsafeMutableRawPointer,
    _ yStride: Int
) {
    let one = I.V(repeating: 1)
    // What is more than an instruction is a local function: a closure that is called in two places is a call for each vector.
    @inline(__always) func exp(_ v: I.V) -> I.V { I.exp(v) }
    @inline(__always) func log(_ v: I.V) -> I.V { I.log(v) }
    @inline(__always) func tanh(_ v: I.V) -> I.V { I.tanh(v) }
    @inline(__always) func sigmoid(_ v: I.V) -> I.V { one / (one + I.exp(-v)) }
    @inline(__always) func relu(_ v: I.V) -> I.V { I.select(v, lessThan: .zero, .zero, v) }
    switch op {
    case .neg: map(I.self, count, x, xStride, y, yStride) { -$0 }
    case .abs: map(I.self, count, x, xStride, y, yStride) { I.maximum($0, -$0) }
    case .square: map(I.self, count, x, xStride, y, yStride) { $0 * $0 }
    case .sqrt: map(I.self, count, x, xStride, y, yStride) { I.sqrt($0) }
    case .reciprocal: map(I.self, count, x, xStride, y, yStride) { one / $0 }
    case .exp: map(I.self, count, x, xStride, y, yStride, exp)
    case .log: map(I.self, count, x, xStride, y, yStride, log)
    case .tanh: map(I.self, count, x, xStride, y, yStride, tanh)
    case .sigmoid: map(I.self, count, x, xStride, y, yStride, sigmoid)
    case .relu: map(I.self, count, x, xStride, y, yStride, relu)
    default:
        let f = I.Scalar.function(op)
        for index in 0..<count {
            let value = x.load(fromByteOffset: index &* xStride &* I.scalarSize, as: I.Scalar.self)
            y.storeBytes(of: f(value), toByteOffset: index &* yStride &* I.scalarSize, as: I.Scalar.self)
        }
    }
}

/// `y[i] = op(a[i], b[i])`; `y` may be `a` or `b`.
@inlinable @inline(never)
func binary<I: ISA>(
    _: I.Type, _ op: BinaryOp, _ count: Int, _ a: UnsafeRawPointer, _ aStride: Int, _ b: UnsafeRawPointer,
    _ bStride: Int, _ y: UnsafeMutableRawPointer, _ yStride: Int
) {
    let one = I.V(repeating: 1)
    @inline(__always) func maximum(_ a: I.V, _ b: I.V) -> I.V { I.maximum(a, b) }
    @inline(__always) func minimum(_ a: I.V, _ b: I.V) -> I.V { I.minimum(a, b) }
    @inline(__always) func reluBackward(_ dy: I.V, _ y: I.V) -> I.V { I.select(.zero, lessThan: y, dy, .zero) }
    switch op {
    case .add: zip(I.self, count, a, aStride, b, bStride, y, yStride) { $0 + $1 }
    case .sub: zip(I.self, count, a, aStride, b, bStride, y, yStride) { $0 - $1 }
    case .mul: zip(I.self, count, a, aStride, b, bStride, y, yStride) { $0 * $1 }
    case .div: zip(I.self, count, a, aStride, b, bStride, y, yStride) { $0 / $1 }
    case .maximum: zip(I.self, count, a, aStride, b, bStride, y, yStride, maximum)
    case .minimum: zip(I.self, count, a, aStride, b, bStride, y, yStride, minimum)
    case .reluBackward: zip(I.self, count, a, aStride, b, bStride, y, yStride, reluBackward)
    case .sigmoidBackward: zip(I.self, count, a, aStride, b, bStride, y, yStride) { $0 * (one - $1) * $1 }
    case .tanhBackward: zip(I.self, count, a, aStride, b, bStride, y, yStride) { $0 * (one - $1 * $1) }
    default:
        let f = I.Scalar.function(op)
        let size = I.scalarSize
        for index in 0..<count {
            let left = a.load(fromByteOffset: index &* aStride &* size, as: I.Scalar.self)
            let right = b.load(fromByteOffset: index &* bStride &* size, as: I.Scalar.self)
            y.storeBytes(of: f(left, right), toByteOffset: index &* yStride &* size, as: I.Scalar.self)
        }
    }
}

/// `y[i] = a[i] op b[i]` as 0 or 1.
@inlinable @inline(never)
func compare<I: ISA>(
    _: I.Type, _ op: CompareOp, _ count: Int, _ a: UnsafeRawPointer, _ aStride: Int, _ b: UnsafeRawPointer,
    _ bStride: Int, _ y: UnsafeMutablePointer<UInt8>
) {
    let (p, q) = (a.assumingMemoryBound(to: I.Scalar.self), b.assumingMemoryBound(to: I.Scalar.self))
    switch op {
    case .eq: for i in 0..<count { y[i] = p[i &* aStride] == q[i &* bStride] ? 1 : 0 }
    case .ne: for i in 0..<count { y[i] = p[i &* aStride] != q[i &* bStride] ? 1 : 0 }
    case .lt: for i in 0..<count { y[i] = p[i &* aStride] < q[i &* bStride] ? 1 : 0 }
    case .le: for i in 0..<count { y[i] = p[i &* aStride] <= q[i &* bStride] ? 1 : 0 }
    case .gt: for i in 0..<count { y[i] = p[i &* aStride] > q[i &* bStride] ? 1 : 0 }
    case .ge: for i in 0..<count { y[i] = p[i &* aStride] >= q[i &* bStride] ? 1 : 0 }
    }
}

/// `y[i] = condition[i] ? a[i] : b[i]`.
@inlinable @inline(never)
func select<I: ISA>(
    _: I.Type, _ count: Int, _ condition: UnsafePointer<UInt8>, _ cStride: Int, _ a: UnsafeRawPointer, _ aStride: Int,
    _ b: UnsafeRawPointer, _ bStride: Int, _ y: UnsafeMutableRawPointer
) {
    let (p, q) = (a.assumingMemoryBound(to: I.Scalar.self), b.assumingMemoryBound(to: I.Scalar.self))
    let target = y.assumingMemoryBound(to: I.Scalar.self)
    for i in 0..<count { target[i] = condition[i &* cStride] != 0 ? p[i &* aStride] : q[i &* bStride] }
}

/// `y[i] = value`.
@inlinable @inline(never)
func fill<I: ISA>(_: I.Type, _ count: Int, _ value: Double, _ y: UnsafeMutableRawPointer) {
    let vector = I.V(repeating: I.Scalar(value))
    var index = 0
    while index &+ I.width <= count {
        I.store(vector, y, index)
        index &+= I.width
    }
    if index < count { I.storePartial(vector, y, index, count &- index) }
}

// Max and average pooling of planes. Bound by memory: one pass over the input forward, one over the gradient backward.
//
// Max pooling remembers the winner of each window as its offset kh·KW + kw in a byte (Int32 for windows over 256
// elements), a quarter of what a flat index would take. 2×2 windows with stride 2, the usual ones, have a branchless form
// that the compiler turns into vectors. Backward, where windows tile the plane each input belongs to one
// window, so every element is written once and nothing is cleared first.

/// Geometry of a pooling op over `planes` planes (batch times channels). The caller gives the output's size.
public struct PoolingShape: Sendable, Hashable {
    public var planes, height, width, kernelHeight, kernelWidth, strideHeight, strideWidth: Int
    public var padTop, padLeft, dilationHeight, dilationWidth, outHeight, outWidth: Int

    public init(
        planes: Int, height: Int, width: Int, kernelHeight: Int, kernelWidth: Int, strideHeight: Int, strideWidth: Int,
        padTop: Int = 0, padLeft: Int = 0, dilationHeight: Int = 1, dilationWidth: Int = 1, outHeight: Int, outWidth: Int
    ) {
        (self.planes, self.height, self.width) = (planes, height, width)
        (self.kernelHeight, self.kernelWidth) = (kernelHeight, kernelWidth)
        (self.strideHeight, self.strideWidth) = (strideHeight, strideWidth)
        (self.padTop, self.padLeft) = (padTop, padLeft)
        (self.dilationHeight, self.dilationWidth) = (dilationHeight, dilationWidth)
        (self.outHeight, self.outWidth) = (outHeight, outWidth)
    }

    /// Whether winners fit in bytes.
    public var hasSmallWindow: Bool { kernelHeight * kernelWidth <= 256 }
    /// Windows of 2×2, side by side, without padding.
    @usableFromInline var isTwoByTwo: Bool {
        kernelHeight == 2 && kernelWidth == 2 && strideHeight == 2 && strideWidth == 2 && padTop == 0 && padLeft == 0
            && dilationHeight == 1 && dilationWidth == 1 && outHeight <= height / 2 && outWidth <= width / 2
    }
}

/// How an average counts its elements, as torch's avg_pool2d.
public struct AveragePoolingRule: Sendable, Hashable {
    public var countIncludePad: Bool
    /// Divides by this instead of the number of elements, if not 0.
    public var divisorOverride: Int
    public var padBottom, padRight: Int

    public init(countIncludePad: Bool = true, divisorOverride: Int = 0, padBottom: Int = 0, padRight: Int = 0) {
        (self.countIncludePad, self.divisorOverride) = (countIncludePad, divisorOverride)
        (self.padBottom, self.padRight) = (padBottom, padRight)
    }
}

@inlinable @inline(__always)
func forPlanes(_ shape: PoolingShape, _ body: (Int) -> Void) {
    let work = shape.planes * (shape.height * shape.width + shape.outHeight * shape.outWidth)
    let size = Swift.max(1, 16_384 / Swift.max(1, shape.height * shape.width))
    Parallel.forRanges(of: shape.planes, size: size, work: work) { _, range in
        for plane in range { body(plane) }
    }
}

/// The largest element of each window: ties go to the first, NaN wins; padding is −∞. Winners are optional.
@inlinable @inline(never)
func maxPoolForward<I: ISA>(
    _: I.Type, _ s: PoolingShape, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer,
    _ winners: UnsafeMutableRawPointer?
) {
    let (area, outArea) = (s.height * s.width, s.outHeight * s.outWidth)
    let bytes = s.hasSmallWindow
    forPlanes(s) { plane in
        let source = (x + plane * area * I.scalarSize).assumingMemoryBound(to: I.Scalar.self)
        let target = (y + plane * outArea * I.scalarSize).assumingMemoryBound(to: I.Scalar.self)
        if s.isTwoByTwo {
            let marks = winners.map { $0.assumingMemoryBound(to: UInt8.self) + plane * outArea }
            for row in 0..<s.outHeight {
                maxPoolRow(
                    I.self, s.outWidth, source + 2 * row * s.width, s.width, target + row * s.outWidth,
                    marks.map { $0 + row * s.outWidth })
            }
            return
        }
        for row in 0..<s.outHeight {
            for column in 0..<s.outWidth {
                var best = -I.Scalar.infinity
                var winner = -1
                for kh in 0..<s.kernelHeight {
                    let h = row &* s.strideHeight &- s.padTop &+ kh &* s.dilationHeight
                    if h < 0 || h >= s.height { continue }
                    for kw in 0..<s.kernelWidth {
                        let w = column &* s.strideWidth &- s.padLeft &+ kw &* s.dilationWidth
                        if w < 0 || w >= s.width { continue }
                        let value = source[h &* s.width &+ w]
                        if winner < 0 || value > best || (value.isNaN && !best.isNaN) {
                            best = value
                            winner = kh &* s.kernelWidth &+ kw
                        }
                    }
                }
                let place = row &* s.outWidth &+ column
                target[place] = best
                guard let winners else { continue }
                let mark = plane &* outArea &+ place
                if bytes {
                    winners.storeBytes(of: UInt8(truncatingIfNeeded: winner), toByteOffset: mark, as: UInt8.self)
                } else {
                    winners.storeBytes(of: Int32(winner), toByteOffset: 4 &* mark, as: Int32.self)
                }
            }
        }
    }
}

/// A row of 2×2 windows.
@inlinable @inline(__always)
func maxPoolRow<I: ISA>(
    _: I.Type, _ count: Int, _ x: UnsafePointer<I.Scalar>, _ step: Int, _ y: UnsafeMutablePointer<I.Scalar>,
    _ winners: UnsafeMutablePointer<UInt8>?
) {
    for index in 0..<count {
        let (a, b) = (x[2 &* index], x[2 &* index &+ 1])
        let (c, d) = (x[step &+ 2 &* index], x[step &+ 2 &* index &+ 1])
        // NaN counts as larger than everything, the first of equals wins: "b beats a" is not (a >= b) and a is a number.
        let bBeatsA = !(a >= b) && a == a
        let top = bBeatsA ? b : a
        let dBeatsC = !(c >= d) && c == c
        let bottom = dBeatsC ? d : c
        let bottomWins = !(top >= bottom) && top == top
        y[index] = bottomWins ? bottom : top
        if let winners {
            let first: UInt8 = bBeatsA ? 1 : 0
            let second: UInt8 = dBeatsC ? 3 : 2
            winners[index] = bottomWins ? second : first
        }
    }
}

/// `dx`: each output's gradient goes to its window's winner, summed where windows overlap.
@inlinable @inline(never)
func maxPoolBackward<I: ISA>(
    _: I.Type, _ s: PoolingShape, _ dy: UnsafeRawPointer, _ winners: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer
) {
    let (area, outArea) = (s.height * s.width, s.outHeight * s.outWidth)
    let bytes = s.hasSmallWindow
    forPlanes(s) { plane in
        let gradient = (dy + plane * outArea * I.scalarSize).assumingMemoryBound(to: I.Scalar.self)
        let target = (dx + plane * area * I.scalarSize).assumingMemoryBound(to: I.Scalar.self)
        if s.isTwoByTwo {
            let marks = winners.assumingMemoryBound(to: UInt8.self) + plane * outArea
            for row in 0..<s.outHeight {
                let (top, mark, g) = (target + 2 * row * s.width, marks + row * s.outWidth, gradient + row * s.outWidth)
                let bottom = top + s.width
                for column in 0..<s.outWidth {
                    let (winner, value) = (mark[column], g[column])
                    top[2 &* column] = winner == 0 ? value : 0
                    top[2 &* column &+ 1] = winner == 1 ? value : 0
                    bottom[2 &* column] = winner == 2 ? value : 0
                    bottom[2 &* column &+ 1] = winner == 3 ? value : 0
                }
                for column in 2 * s.outWidth..<Swift.max(2 * s.outWidth, s.width) {
                    top[column] = 0
                    bottom[column] = 0
                }
            }
            for index in 2 * s.outHeight * s.width..<Swift.max(2 * s.outHeight * s.width, area) { target[index] = 0 }
            return
        }
        target.update(repeating: 0, count: area)
        for row in 0..<s.outHeight {
            for column in 0..<s.outWidth {
                let place = row &* s.outWidth &+ column
                let mark = plane &* outArea &+ place
                let winner =
                    bytes
                    ? Int(winners.load(fromByteOffset: mark, as: UInt8.self))
                    : Int(winners.load(fromByteOffset: 4 &* mark, as: Int32.self))
                let h = row &* s.strideHeight &- s.padTop &+ winner / s.kernelWidth &* s.dilationHeight
                let w = column &* s.strideWidth &- s.padLeft &+ winner % s.kernelWidth &* s.dilationWidth
                target[h &* s.width &+ w] += gradient[place]
            }
        }
    }
}

/// The window of one output along one axis, clipped to the input, and its length with padding counted.
@inlinable @inline(__always)
func averageWindow(_ index: Int, _ stride: Int, _ kernel: Int, _ pad: Int, _ padEnd: Int, _ length: Int) -> (
    start: Int, end: Int, padded: Int
) {
    let start = index &* stride &- pad
    let end = Swift.min(start &+ kernel, length &+ padEnd)
    return (Swift.max(start, 0), Swift.min(end, length), end &- start)
}

@inlinable @inline(__always)
func averageDivisor(
    _ rule: AveragePoolingRule, _ h: (start: Int, end: Int, padded: Int), _ w: (start: Int, end: Int, padded: Int)
) -> Int {
    if rule.divisorOverride != 0 { return rule.divisorOverride }
    return rule.countIncludePad ? h.padded &* w.padded : (h.end &- h.start) &* (w.end &- w.start)
}

/// The mean of each window.
@inlinable @inline(never)
func avgPoolForward<I: ISA>(
    _: I.Type, _ s: PoolingShape, _ rule: AveragePoolingRule, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer
) {
    let (area, outArea) = (s.height * s.width, s.outHeight * s.outWidth)
    forPlanes(s) { plane in
        let source = (x + plane * area * I.scalarSize).assumingMemoryBound(to: I.Scalar.self)
        let target = (y + plane * outArea * I.scalarSize).assumingMemoryBound(to: I.Scalar.self)
        for row in 0..<s.outHeight {
            let h = averageWindow(row, s.strideHeight, s.kernelHeight, s.padTop, rule.padBottom, s.height)
            for column in 0..<s.outWidth {
                let w = averageWindow(column, s.strideWidth, s.kernelWidth, s.padLeft, rule.padRight, s.width)
                var sum: I.Scalar = 0
                for i in h.start..<Swift.max(h.start, h.end) {
                    for j in w.start..<Swift.max(w.start, w.end) { sum += source[i &* s.width &+ j] }
                }
                target[row &* s.outWidth &+ column] = sum / I.Scalar(averageDivisor(rule, h, w))
            }
        }
    }
}

/// `dx`: each output's gradient, divided as forward, to all of its window.
@inlinable @inline(never)
func avgPoolBackward<I: ISA>(
    _: I.Type, _ s: PoolingShape, _ rule: AveragePoolingRule, _ dy: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer
) {
    let (area, outArea) = (s.height * s.width, s.outHeight * s.outWidth)
    forPlanes(s) { plane in
        let gradient = (dy + plane * outArea * I.scalarSize).assumingMemoryBound(to: I.Scalar.self)
        let target = (dx + plane * area * I.scalarSize).assumingMemoryBound(to: I.Scalar.self)
        target.update(repeating: 0, count: area)
        for row in 0..<s.outHeight {
            let h = averageWindow(row, s.strideHeight, s.kernelHeight, s.padTop, rule.padBottom, s.height)
            for column in 0..<s.outWidth {
                let w = averageWindow(column, s.strideWidth, s.kernelWidth, s.padLeft, rule.padRight, s.width)
                let value = gradient[row &* s.outWidth &+ column] / I.Scalar(averageDivisor(rule, h, w))
                for i in h.start..<Swift.max(h.start, h.end) {
                    for j in w.start..<Swift.max(w.start, w.end) { target[i &* s.width &+ j] += value }
                }
            }
        }
    }
}

// Reductions of [outer, length, inner] to [outer, inner].
//
// Sums of Float are accurate to about a rounding for any length: blocks of a fixed number of elements are summed in
// four vector accumulators (enough to hide the latency of an addition), and the blocks' sums are added in Double.
// Where inner > 1 the vector runs over inner and rows are taken block by block. Work is cut by shape alone and partial
// results are combined in order, so the result does not depend on the number of threads.

/// What a reduction computes.
public enum ReduceOp: UInt8, Sendable, CaseIterable {
    case sum, prod, max, min, sumSquares
}

/// Elements that one chunk of a long reduction takes.
@usableFromInline let reductionBlock = 4096

@inlinable @inline(__always)
func combine<I: ISA>(_: I.Type, _ op: ReduceOp, _ a: I.V, _ b: I.V) -> I.V {
    switch op {
    case .sum: return a + b
    case .sumSquares:
        var result = a
        I.fma(&result, b, b)
        return result
    case .prod: return a * b
    case .max: return I.maximum(a, b)
    case .min: return I.minimum(a, b)
    }
}

@inlinable @inline(__always)
func combineScalars<S: RealScalar>(_ op: ReduceOp, _ a: S, _ b: S) -> S {
    switch op {
    case .sum: return a + b
    case .sumSquares: return a + b * b
    case .prod: return a * b
    case .max: return a.isNaN || a >= b ? a : b
    case .min: return a.isNaN || a <= b ? a : b
    }
}

@inlinable @inline(__always)
func identity<S: RealScalar>(_ op: ReduceOp, _: S.Type) -> S {
    switch op {
    case .sum, .sumSquares: return 0
    case .prod: return 1
    case .max: return -S.infinity
    case .min: return S.infinity
    }
}

/// Reduction of up to a block of contiguous elements.
@inlinable @inline(__always)
func reduceBlock<I: ISA>(_: I.Type, _ op: ReduceOp, _ count: Int, _ x: UnsafeRawPointer) -> I.Scalar {
    let start = identity(op, I.Scalar.self)
    var (a, b, c, d) = (
        I.V(repeating: start), I.V(repeating: start), I.V(repeating: start), I.V(repeating: start)
    )
    var index = 0
    while index &+ 4 &* I.width <= count {
        a = combine(I.self, op, a, I.load(x, index))
        b = combine(I.self, op, b, I.load(x, index &+ I.width))
        c = combine(I.self, op, c, I.load(x, index &+ 2 &* I.width))
        d = combine(I.self, op, d, I.load(x, index &+ 3 &* I.width))
        index &+= 4 &* I.width
    }
    while index &+ I.width <= count {
        a = combine(I.self, op, a, I.load(x, index))
        index &+= I.width
    }
    let partial: ReduceOp = op == .sumSquares ? .sum : op
    let lanes = combine(I.self, partial, combine(I.self, partial, a, b), combine(I.self, partial, c, d))
    var result = start
    for lane in 0..<I.width { result = combineScalars(partial, result, lanes[lane]) }
    while index < count {
        let value = x.load(fromByteOffset: index &* I.scalarSize, as: I.Scalar.self)
        result = combineScalars(op, result, value)
        index &+= 1
    }
    return result
}

/// Reduction of contiguous elements, blocks combined in Double and in order.
@inlinable @inline(__always)
func reduceRow<I: ISA>(_: I.Type, _ op: ReduceOp, _ count: Int, _ x: UnsafeRawPointer) -> I.Scalar {
    if count <= reductionBlock { return reduceBlock(I.self, op, count, x) }
    var total = identity(op, Double.self)
    let partial: ReduceOp = op == .sumSquares ? .sum : op
    var index = 0
    while index < count {
        let size = Swift.min(reductionBlock, count &- index)
        let value = reduceBlock(I.self, op, size, x + index &* I.scalarSize)
        total = combineScalars(partial, total, Double(value))
        index &+= size
    }
    return I.Scalar(total)
}

/// `y[o, i]` = the reduction of `x[o, :, i]`. An empty reduction is 0, 1 for `prod`, ∓∞ for `max` and `min`.
@inlinable @inline(never)
func reduce<I: ISA>(
    _: I.Type, _ op: ReduceOp, _ outer: Int, _ length: Int, _ inner: Int, _ x: UnsafeRawPointer,
    _ y: UnsafeMutableRawPointer
) {
    let size = I.scalarSize
    let work = outer * length * inner / 4
    if inner == 1 {
        if outer == 1, length > 8 * reductionBlock {
            // One long row: fixed pieces in parallel, their results combined in order.
            let piece = 8 * reductionBlock
            let pieces = (length + piece - 1) / piece
            BufferPool.withScratch(pieces * size) { partials in
                Parallel.forRanges(of: length, size: piece, work: work) { _, range in
                    let value = reduceRow(I.self, op, range.count, x + range.lowerBound * size)
                    partials.storeBytes(of: value, toByteOffset: range.lowerBound / piece * size, as: I.Scalar.self)
                }
                var total = identity(op, Double.self)
                for index in 0..<pieces {
                    let value = partials.load(fromByteOffset: index * size, as: I.Scalar.self)
                    total = combineScalars(op == .sumSquares ? .sum : op, total, Double(value))
                }
                y.storeBytes(of: I.Scalar(total), as: I.Scalar.self)
            }
            return
        }
        Parallel.forRanges(of: outer, size: Swift.max(1, 16_384 / Swift.max(length, 1)), work: work) { _, range in
            for row in range {
                let value = reduceRow(I.self, op, length, x + row * length * size)
                y.storeBytes(of: value, toByteOffset: row * size, as: I.Scalar.self)
            }
        }
        return
    }
    // The vector runs over inner: columns in strips that stay in the first-level cache, rows in blocks.
    let strip = 256
    let strips = (inner + strip - 1) / strip
    Parallel.forEach(chunks: outer * strips, work: work) { _, chunk in
        let row = chunk / strips
        let first = chunk % strips * strip
        let columns = Swift.min(strip, inner - first)
        let source = x + (row * length * inner + first) * size
        let target = y + (row * inner + first) * size
        var column = 0
        while column < columns {
            let lanes = Swift.min(I.width, columns - column)
            reduceColumns(I.self, op, length, inner, source + column * size, target + column * size, lanes)
            column += lanes
        }
    }
}

/// Reduction of up to a vector of neighbouring columns of `length` rows that lie `step` apart.
@inlinable @inline(__always)
func reduceColumns<I: ISA>(
    _: I.Type, _ op: ReduceOp, _ length: Int, _ step: Int, _ x: UnsafeRawPointer, _ y: UnsafeMutableRawPointer,
    _ lanes: Int
) {
    let start = I.V(repeating: identity(op, I.Scalar.self))
    let partial: ReduceOp = op == .sumSquares ? .sum : op
    let block = 128
    var total = start
    var row = 0
    while row < length {
        let end = Swift.min(length, row &+ block)
        var (a, b) = (start, start)
        if lanes == I.width {
            while row &+ 2 <= end {
                a = combine(I.self, op, a, I.load(x, row &* step))
                b = combine(I.self, op, b, I.load(x, (row &+ 1) &* step))
                row &+= 2
            }
        }
        while row < end {
            let value = lanes == I.width ? I.load(x, row &* step) : I.loadPartial(x, row &* step, lanes)
            a = combine(I.self, op, a, value)
            row &+= 1
        }
        total = combine(I.self, partial, total, combine(I.self, partial, a, b))
    }
    if lanes == I.width { I.store(total, y, 0) } else { I.storePartial(total, y, 0, lanes) }
}

/// Where the largest (or smallest) of `x[o, :, i]` is: the first of equals; NaN counts as the extreme.
@inlinable @inline(never)
func argReduce<I: ISA>(
    _: I.Type, _ largest: Bool, _ outer: Int, _ length: Int, _ inner: Int, _ x: UnsafeRawPointer,
    _ indices: UnsafeMutablePointer<Int64>
) {
    let source = x.assumingMemoryBound(to: I.Scalar.self)
    Parallel.forRanges(
        of: outer, size: Swift.max(1, 16_384 / Swift.max(1, length * inner)), work: outer * length * inner
    ) {
        _, range in
        for row in range {
            for column in 0..<inner {
                let start = source + (row &* length &* inner &+ column)
                var best = start[0]
                var place = 0
                for index in 1..<Swift.max(1, length) {
                    if best.isNaN { break }
                    let value = start[index &* inner]
                    if value.isNaN || (largest ? value > best : value < best) {
                        best = value
                        place = index
                    }
                }
                indices[row &* inner &+ column] = Int64(place)
            }
        }
    }
}

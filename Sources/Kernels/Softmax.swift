// Softmax and its logarithm along the middle of [outer, length, inner], forward and backward, stable for any input:
// the largest element is taken off first. A row is read three times (maximum, sum, result) while it is in the cache.

/// `y = log softmax(x)` along `length`, or softmax itself.
@inlinable @inline(never)
func softmax<I: ISA>(
    _: I.Type, _ logarithm: Bool, _ outer: Int, _ length: Int, _ inner: Int, _ x: UnsafeRawPointer,
    _ y: UnsafeMutableRawPointer
) {
    let size = I.scalarSize
    forStrips(I.self, outer, length, inner, cost: 4) { at, step, lanes, contiguous in
        let (source, target) = (x + at * size, y + at * size)
        if contiguous {
            // The row is contiguous: the vector runs along it.
            let largest = I.V(repeating: reduceBlock(I.self, .max, length, source))
            var total = I.V.zero
            var index = 0
            while index < length {
                let count = Swift.min(I.width, length &- index)
                var e = I.exp(gather(I.self, source, 1, index, count) - largest)
                if count < I.width { for lane in count..<I.width { e[lane] = 0 } }
                total += e
                if !logarithm { scatterRun(I.self, e, target, index, count) }
                index &+= count
            }
            let sum = I.V(repeating: total.sum())
            // The largest is taken off first: far from zero it would swallow the logarithm.
            let logSum = I.log(sum)
            index = 0
            while index < length {
                let count = Swift.min(I.width, length &- index)
                let value = gather(I.self, logarithm ? source : UnsafeRawPointer(target), 1, index, count)
                scatterRun(I.self, logarithm ? (value - largest) - logSum : value / sum, target, index, count)
                index &+= count
            }
            return
        }
        var largest = gather(I.self, source, 1, 0, lanes)
        for index in 1..<Swift.max(1, length) {
            largest = I.maximum(largest, gather(I.self, source, 1, index &* step, lanes))
        }
        var sum = I.V.zero
        for index in 0..<length { sum += I.exp(gather(I.self, source, 1, index &* step, lanes) - largest) }
        let logSum = I.log(sum)
        for index in 0..<length {
            let value = gather(I.self, source, 1, index &* step, lanes)
            let result = logarithm ? (value - largest) - logSum : I.exp(value - largest) / sum
            scatterRun(I.self, result, target, index &* step, lanes)
        }
    }
}

/// The gradient of softmax, `dx = y · (dy − Σ dy·y)`, or of its logarithm, `dx = dy − e^y · Σ dy`.
@inlinable @inline(never)
func softmaxBackward<I: ISA>(
    _: I.Type, _ logarithm: Bool, _ outer: Int, _ length: Int, _ inner: Int, _ dy: UnsafeRawPointer,
    _ y: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer
) {
    let size = I.scalarSize
    forStrips(I.self, outer, length, inner, cost: 4) { at, step, lanes, contiguous in
        let (gradient, output, target) = (dy + at * size, y + at * size, dx + at * size)
        // Along a contiguous row a "step" is a vector of the row, else it is one row of the strip.
        let count = contiguous ? (length &+ I.width &- 1) / I.width : length
        var sum = I.V.zero
        for index in 0..<count {
            let place = contiguous ? index &* I.width : index &* step
            let used = contiguous ? Swift.min(I.width, length &- place) : lanes
            let g = gather(I.self, gradient, 1, place, used)
            sum += logarithm ? g : g * gather(I.self, output, 1, place, used)
        }
        if contiguous { sum = I.V(repeating: sum.sum()) }
        for index in 0..<count {
            let place = contiguous ? index &* I.width : index &* step
            let used = contiguous ? Swift.min(I.width, length &- place) : lanes
            let g = gather(I.self, gradient, 1, place, used)
            let o = gather(I.self, output, 1, place, used)
            scatterRun(I.self, logarithm ? g - I.exp(o) * sum : o * (g - sum), target, place, used)
        }
    }
}

@inlinable @inline(__always)
func scatterRun<I: ISA>(_: I.Type, _ value: I.V, _ y: UnsafeMutableRawPointer, _ index: Int, _ count: Int) {
    if count == I.width { I.store(value, y, index) } else { I.storePartial(value, y, index, count) }
}

/// Calls `body(first element, step, lanes, contiguous)` for each row (inner == 1) or each vector of neighbouring
/// columns, in parallel.
@inlinable @inline(__always)
func forStrips<I: ISA>(
    _: I.Type, _ outer: Int, _ length: Int, _ inner: Int, cost: Int, _ body: (Int, Int, Int, Bool) -> Void
) {
    guard length > 0, inner > 0 else { return }
    let strips = inner == 1 ? 1 : (inner + I.width - 1) / I.width
    let perChunk = Swift.max(1, 4096 / (length * (inner == 1 ? 1 : I.width)))
    Parallel.forRanges(of: outer * strips, size: perChunk, work: outer * length * inner * cost) { _, range in
        for strip in range {
            let row = strip / strips
            let column = strip % strips * I.width
            body(row * length * inner + column, inner, Swift.min(I.width, inner - column), inner == 1)
        }
    }
}

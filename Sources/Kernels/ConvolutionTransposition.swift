// Moving data between the layouts of the convolution kernels: rows, and pixels × channels.

/// Copies `count` contiguous scalars.
@inlinable @inline(__always)
func copyRow<I: ISA>(_: I.Type, _ count: Int, _ from: UnsafeRawPointer, _ to: UnsafeMutableRawPointer) {
    if count < I.width {
        for i in 0..<count {
            to.storeBytes(
                of: from.load(fromByteOffset: i &* I.scalarSize, as: I.Scalar.self), toByteOffset: i &* I.scalarSize,
                as: I.Scalar.self)
        }
        return
    }
    var i = 0
    while i &+ I.width <= count {
        I.store(I.load(from, i), to, i)
        i &+= I.width
    }
    // The last vector overlaps the one before.
    if i < count { I.store(I.load(from, count &- I.width), to, count &- I.width) }
}

/// `count` neighbouring pixels of at most a vector of channel planes, as [pixel][channel] with `pixel` scalars from one to
/// the next.
@inlinable @inline(__always)
func interleave<I: ISA>(
    _: I.Type, _ count: Int, _ channels: Int, _ planes: UnsafeRawPointer, area: Int, _ target: UnsafeMutableRawPointer,
    pixel: Int
) {
    if count < I.width || channels < I.width {
        let (from, to) = (planes.assumingMemoryBound(to: I.Scalar.self), target.assumingMemoryBound(to: I.Scalar.self))
        for lane in 0..<channels {
            for i in 0..<count { to[i &* pixel &+ lane] = from[lane &* area &+ i] }
        }
        return
    }
    var first = 0
    while first < count {
        // The last square overlaps the one before.
        let start = min(first, count &- I.width)
        var square = InlineArray<16, I.V>(repeating: .zero)
        for lane in 0..<I.width { square[lane] = I.load(planes, lane &* area &+ start) }
        I.transpose(&square)
        for i in 0..<I.width { I.store(square[i], target, (start &+ i) &* pixel) }
        first &+= I.width
    }
}

/// The way back: [pixel][lane] to channel planes; of the lanes, the first `channels` are taken.
@inlinable @inline(__always)
func separate<I: ISA>(
    _: I.Type, _ count: Int, _ channels: Int, _ source: UnsafeRawPointer, pixel: Int, _ planes: UnsafeMutableRawPointer,
    area: Int
) {
    if count < I.width {
        let (from, to) = (source.assumingMemoryBound(to: I.Scalar.self), planes.assumingMemoryBound(to: I.Scalar.self))
        for lane in 0..<channels {
            for i in 0..<count { to[lane &* area &+ i] = from[i &* pixel &+ lane] }
        }
        return
    }
    var first = 0
    while first < count {
        let start = min(first, count &- I.width)
        var square = InlineArray<16, I.V>(repeating: .zero)
        for i in 0..<I.width { square[i] = I.load(source, (start &+ i) &* pixel) }
        I.transpose(&square)
        for lane in 0..<channels { I.store(square[lane], planes, lane &* area &+ start) }
        first &+= I.width
    }
}

/// Turns sums [pixel][lane] into channel planes: `y[channel · area + outputs[pixel]]`, plus bias (a scalar for each
/// lane), then ReLU if asked.
@inlinable @inline(never)
func turn<I: ISA>(
    _: I.Type, _ pixels: Int, _ channels: Int, _ lanes: Int, _ sums: UnsafeRawPointer, _ bias: UnsafeRawPointer?,
    _ relu: Bool, _ outputs: UnsafePointer<Int>, _ y: UnsafeMutableRawPointer, _ area: Int
) {
    let size = I.scalarSize
    var first = 0
    while first < channels {
        let used = min(I.width, channels &- first)
        let shift = bias.map { I.load($0, first) } ?? .zero
        let from = sums + first &* size
        let plane = y + first &* area &* size
        var pixel = 0
        while pixel < pixels {
            let count = min(I.width, pixels &- pixel)
            let place = outputs[pixel]
            // Neighbours in a row, or every other pixel of it in a phase of backward-data: places rise by one step.
            let step = count > 1 ? outputs[pixel &+ 1] &- place : 1
            if count == I.width, used == I.width,
                outputs[pixel &+ count &- 1] == place &+ (count &- 1) &* step
            {
                var rows = InlineArray<16, I.V>(repeating: .zero)
                for i in 0..<I.width {
                    var value = I.load(from, (pixel &+ i) &* lanes) + shift
                    if relu { value = I.select(value, lessThan: .zero, .zero, value) }
                    rows[i] = value
                }
                I.transpose(&rows)
                for channel in 0..<I.width {
                    let target = plane + (channel &* area &+ place) &* size
                    if step == 1 {
                        I.store(rows[channel], target, 0)
                    } else {
                        scatter(I.self, rows[channel], target, step, 0, I.width)
                    }
                }
            } else {
                turnScalars(I.self, pixel..<pixel &+ count, used, lanes, from, shift, relu, outputs, plane, area)
            }
            pixel &+= count
        }
        first &+= I.width
    }
}

/// The same for pixels at uneven distances, and for less than a vector of channels.
@inlinable @inline(never)
func turnScalars<I: ISA>(
    _: I.Type, _ pixels: Range<Int>, _ channels: Int, _ lanes: Int, _ sums: UnsafeRawPointer, _ shift: I.V,
    _ relu: Bool, _ outputs: UnsafePointer<Int>, _ y: UnsafeMutableRawPointer, _ area: Int
) {
    let from = sums.assumingMemoryBound(to: I.Scalar.self)
    let to = y.assumingMemoryBound(to: I.Scalar.self)
    for channel in 0..<channels {
        let shift = shift[channel]
        for pixel in pixels {
            var value = from[pixel &* lanes &+ channel] + shift
            if relu, value < 0 { value = 0 }
            to[channel &* area &+ outputs[pixel]] = value
        }
    }
}

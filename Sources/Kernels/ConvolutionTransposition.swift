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

/// Turns sums [pixel][lane] into channel planes: `y[channel · area + outputs[pixel]]`, plus bias (a scalar for
/// each lane), then ReLU if asked.
@inlinable @inline(never)
func turn<I: ISA>(
    _: I.Type, _ pixels: Int, _ channels: Int, _ lanes: Int, _ sums: UnsafeRawPointer, _ bias: UnsafeRawPointer?,
    _ relu: Bool, _ outputs: UnsafePointer<Int>, _ y: UnsafeMutableRawPointer, _ area: Int
) {
    var first = 0
    while first < channels {
        let used = min(I.width, channels &- first)
        let shift = bias.map { I.load($0, first) } ?? .zero
        var pixel = 0
        while pixel < pixels {
            let count = min(I.width, pixels &- pixel)
            var rows = InlineArray<16, I.V>(repeating: .zero)
            for i in 0..<I.width {
                // Behind the last pixel this reads sums that nobody uses.
                var value = I.load(sums, (pixel &+ i) &* lanes &+ first) + shift
                if relu { value = I.select(value, lessThan: .zero, .zero, value) }
                rows[i] = value
            }
            I.transpose(&rows)
            let place = outputs[pixel]
            if count == I.width, outputs[pixel &+ count &- 1] == place &+ count &- 1 {
                if used == I.width {
                    for channel in 0..<I.width { I.store(rows[channel], y, (first &+ channel) &* area &+ place) }
                } else {
                    for channel in 0..<I.width where channel < used { I.store(rows[channel], y, (first &+ channel) &* area &+ place) }
                }
            } else {
                for channel in 0..<I.width where channel < used {
                    let value = rows[channel]
                    for i in 0..<I.width where i < count {
                        y.storeBytes(
                            of: value[i], toByteOffset: ((first &+ channel) &* area &+ outputs[pixel &+ i]) &* I.scalarSize,
                            as: I.Scalar.self)
                    }
                }
            }
            pixel &+= count
        }
        first &+= I.width
    }
}

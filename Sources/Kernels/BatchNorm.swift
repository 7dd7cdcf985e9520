// Batch normalisation of [batch, channels, area], forward and backward.
//
// A channel is normalised by one thread: its planes are read for the mean, for the variance (about the mean, so that a
// large offset costs no digits) and once more for the result, the latter two from the caches if the channel fits. Sums
// of a plane are taken in four vectors, planes are added in Double and in order: the result depends on no thread.
// Register budget: 4 sums, 1 broadcast, up to 3 loads.

/// Sizes of a batch of planes.
public struct BatchNormShape: Sendable {
    public var batch, channels, area: Int

    public init(batch: Int, channels: Int, area: Int) {
        (self.batch, self.channels, self.area) = (batch, channels, area)
    }

    /// Nanoseconds of a pass, about.
    @usableFromInline var work: Int { batch * channels * area }
}

/// `Σ (a − shift) · (b − other)` over a plane.
@inlinable @inline(__always)
func centredProducts<I: ISA>(
    _: I.Type, _ count: Int, _ a: UnsafeRawPointer, _ shift: I.Scalar, _ b: UnsafeRawPointer, _ other: I.Scalar
) -> I.Scalar {
    var sums = InlineArray<4, I.V>(repeating: .zero)
    let (left, right) = (I.V(repeating: shift), I.V(repeating: other))
    var index = 0
    while index &+ 4 &* I.width <= count {
        for part in 0..<4 {
            let at = index &+ part &* I.width
            I.fma(&sums[part], I.load(a, at) - left, I.load(b, at) - right)
        }
        index &+= 4 &* I.width
    }
    while index &+ I.width <= count {
        I.fma(&sums[0], I.load(a, index) - left, I.load(b, index) - right)
        index &+= I.width
    }
    let lanes = (sums[0] + sums[1]) + (sums[2] + sums[3])
    var result = I.Scalar.zero
    for lane in 0..<I.width { result += lanes[lane] }
    while index < count {
        let x = a.load(fromByteOffset: index &* I.scalarSize, as: I.Scalar.self) - shift
        result += x * (b.load(fromByteOffset: index &* I.scalarSize, as: I.Scalar.self) - other)
        index &+= 1
    }
    return result
}

/// Batch statistics and `y = (x − mean) / √(variance + ε) · weight + bias` for each channel.
@inlinable @inline(never)
func batchNormForward<I: ISA>(
    _: I.Type, _ s: BatchNormShape, _ eps: Double, _ x: UnsafeRawPointer, _ weight: UnsafeRawPointer?,
    _ bias: UnsafeRawPointer?, _ mean: UnsafeMutableRawPointer, _ variance: UnsafeMutableRawPointer,
    _ y: UnsafeMutableRawPointer
) {
    let size = I.scalarSize
    Parallel.forEach(chunks: s.channels, work: s.work) { _, channel in
        let plane = x + channel * s.area * size
        let step = s.channels * s.area * size
        let count = Double(s.batch * s.area)
        var total = 0.0
        for image in 0..<s.batch { total += Double(reduceRow(I.self, .sum, s.area, plane + image * step)) }
        let centre = I.Scalar(total / count)
        total = 0
        for image in 0..<s.batch {
            let row = plane + image * step
            total += Double(centredProducts(I.self, s.area, row, centre, row, centre))
        }
        let spread = total / count
        mean.storeBytes(of: centre, toByteOffset: channel * size, as: I.Scalar.self)
        variance.storeBytes(of: I.Scalar(spread), toByteOffset: channel * size, as: I.Scalar.self)
        var scale = 1 / (spread + eps).squareRoot()
        if let weight { scale *= Double(weight.load(fromByteOffset: channel * size, as: I.Scalar.self)) }
        let shift = bias?.load(fromByteOffset: channel * size, as: I.Scalar.self) ?? 0
        for image in 0..<s.batch {
            let target = y + (channel * s.area * size + image * step)
            scaleRow(I.self, s.area, plane + image * step, centre, I.Scalar(scale), shift, target)
        }
    }
}

/// `y = (x − centre) · scale + shift` over a plane.
@inlinable @inline(__always)
func scaleRow<I: ISA>(
    _: I.Type, _ count: Int, _ x: UnsafeRawPointer, _ centre: I.Scalar, _ scale: I.Scalar, _ shift: I.Scalar,
    _ y: UnsafeMutableRawPointer
) {
    let (c, a, b) = (I.V(repeating: centre), I.V(repeating: scale), I.V(repeating: shift))
    var index = 0
    while index &+ I.width <= count {
        var value = b
        I.fma(&value, I.load(x, index) - c, a)
        I.store(value, y, index)
        index &+= I.width
    }
    if index < count {
        var value = b
        I.fma(&value, I.loadPartial(x, index, count &- index) - c, a)
        I.storePartial(value, y, index, count &- index)
    }
}

/// The gradients, with x̂ = (x − mean) / √(variance + ε) and n elements a channel: `dbias = Σ dy`, `dweight = Σ dy·x̂`,
/// `dx = weight / √(variance + ε) · (dy − dbias / n − x̂ · dweight / n)`.
@inlinable @inline(never)
func batchNormBackward<I: ISA>(
    _: I.Type, _ s: BatchNormShape, _ eps: Double, _ dy: UnsafeRawPointer, _ x: UnsafeRawPointer,
    _ weight: UnsafeRawPointer?, _ mean: UnsafeRawPointer, _ variance: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer?,
    _ dweight: UnsafeMutableRawPointer, _ dbias: UnsafeMutableRawPointer
) {
    let size = I.scalarSize
    Parallel.forEach(chunks: s.channels, work: s.work) { _, channel in
        let first = channel * s.area * size
        let step = s.channels * s.area * size
        let count = Double(s.batch * s.area)
        let centre = mean.load(fromByteOffset: channel * size, as: I.Scalar.self)
        let spread = Double(variance.load(fromByteOffset: channel * size, as: I.Scalar.self)) + eps
        let inverse = 1 / spread.squareRoot()
        var (sum, products) = (0.0, 0.0)
        for image in 0..<s.batch {
            let at = first + image * step
            sum += Double(reduceRow(I.self, .sum, s.area, dy + at))
            products += Double(centredProducts(I.self, s.area, dy + at, 0, x + at, centre))
        }
        dbias.storeBytes(of: I.Scalar(sum), toByteOffset: channel * size, as: I.Scalar.self)
        dweight.storeBytes(of: I.Scalar(products * inverse), toByteOffset: channel * size, as: I.Scalar.self)
        guard let dx else { return }
        let gain = weight.map { Double($0.load(fromByteOffset: channel * size, as: I.Scalar.self)) } ?? 1
        let (a, c) = (I.Scalar(gain * inverse), I.Scalar(-gain * inverse * products / spread / count))
        let b = I.Scalar(-gain * inverse * sum / count)
        let (scale, slope, shift) = (I.V(repeating: a), I.V(repeating: c), I.V(repeating: b))
        let centres = I.V(repeating: centre)
        for image in 0..<s.batch {
            let at = first + image * step
            let (gradient, source, target) = (dy + at, x + at, dx + at)
            var index = 0
            while index &+ I.width <= s.area {
                var value = shift
                I.fma(&value, I.load(gradient, index), scale)
                I.fma(&value, I.load(source, index) - centres, slope)
                I.store(value, target, index)
                index &+= I.width
            }
            if index < s.area {
                let left = s.area &- index
                var value = shift
                I.fma(&value, I.loadPartial(gradient, index, left), scale)
                I.fma(&value, I.loadPartial(source, index, left) - centres, slope)
                I.storePartial(value, target, index, left)
            }
        }
    }
}

/// `y = x · scale + shift` with numbers of each channel.
@inlinable @inline(never)
func channelAffine<I: ISA>(
    _: I.Type, _ s: BatchNormShape, _ x: UnsafeRawPointer, _ scale: UnsafeRawPointer, _ shift: UnsafeRawPointer,
    _ y: UnsafeMutableRawPointer
) {
    let size = I.scalarSize
    let rows = max(1, 16_384 / max(1, s.area))
    Parallel.forRanges(of: s.batch * s.channels, size: rows, work: s.work / 2) { _, range in
        for row in range {
            let channel = row % s.channels * size
            scaleRow(
                I.self, s.area, x + row * s.area * size, 0, scale.load(fromByteOffset: channel, as: I.Scalar.self),
                shift.load(fromByteOffset: channel, as: I.Scalar.self), y + row * s.area * size)
        }
    }
}

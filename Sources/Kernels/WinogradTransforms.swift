// Winograd's F(2×2, k×k): convolutions with fewer multiplications. Where it pays, and its transforms along one axis.
//
// A tile of 2×2 outputs takes (k + 1)² multiplications for each pair of channels, where the direct sum takes 4k²:
// Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A, with d the (k + 1)×(k + 1) inputs under the tile and g the filter (S. Winograd,
// "Arithmetic Complexity of Computations", 1980; A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks",
// 2016). The gradient of g is Gᵀ [Σ (A dY Aᵀ) ⊙ (Bᵀ d B)] G. A and G evaluate polynomials at k + 1 points: 0, 1, −1 and
// infinity for k = 3, then also 2; the products with A and B are sums of a few small multiples. k = 2, of which stride 2
// makes 3×3 filters, does without −1. k = 5 takes 0, ±3/4, ±3/2 and infinity: half of the rounding error of ±1 and ±2, 2.2
// times that of a direct sum (measured with 16 channels).
// Rounding: see `Tensor.conv2d`.
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Where convolutions may take the way with fewer multiplications, and its transforms along one axis.
public enum Winograd {
    /// False if the environment variable `TAPESTRY_WINOGRAD` is 0.
    @usableFromInline static let isAllowed = getenv("TAPESTRY_WINOGRAD").map { String(cString: $0) != "0" } ?? true

    /// Whether it pays for a correlation: channels enough that the products outweigh the transforms, and tiles enough to
    /// make up for transforming the filters. Filters of 5×5 must save nearly half of the products that the direct kernel,
    /// which leaves out taps in the padding, would compute.
    @inlinable
    static func pays(_ s: ConvolutionShape, isBackward: Bool = false) -> Bool {
        let kernel = s.kernelHeight
        guard isPlain(s), kernel == 3 || kernel == 5, s.strideHeight == 1 else { return false }
        let channels = min(s.inChannels, s.outChannels)
        if kernel == 3 { return channels >= 32 }
        let (rows, columns) = isBackward ? (s.height, s.width) : (s.outHeight, s.outWidth)
        let products =
            visibleTaps(5, s.outHeight, s.height, s.padTop) * visibleTaps(5, s.outWidth, s.width, s.padLeft)
        return channels >= 16 && products * 10 >= 19 * 36 * tiles(rows, columns)
    }

    /// Along an axis, how many taps of all outputs lie in the image.
    @inlinable
    static func visibleTaps(_ kernel: Int, _ outputs: Int, _ size: Int, _ pad: Int) -> Int {
        (0..<kernel).reduce(0) { $0 + max(0, min(outputs, size + pad - $1) - max(0, pad - $1)) }
    }

    /// Whether it pays forward with stride 2: 25 products for each tile in the place of 36, if few tiles stand over. The
    /// phases of columns must be whole vectors.
    @inlinable
    static func paysWithStride<I: ISA>(_: I.Type, _ s: ConvolutionShape) -> Bool {
        isPlain(s) && s.kernelHeight == 3 && s.strideHeight == 2 && min(s.inChannels, s.outChannels) >= 32
            && s.inChannels % I.width == 0 && s.outHeight * s.outWidth * 36 >= tiles(s.outHeight, s.outWidth) * 130
    }

    /// Whether it pays for the gradient of the weights: 3×3 filters as above; larger ones with three input channels already.
    /// A convolution with stride 2 is one with stride 1 over the four phases of its input, if they have three to five taps
    /// along an axis; nearly half of the multiplications at least must be saved. The sums of all places had better fit the
    /// third-level cache.
    @inlinable
    static func paysForWeights(_ s: ConvolutionShape) -> Bool {
        let (stride, kernel) = (s.strideHeight, s.kernelHeight)
        guard isPlain(s), stride <= 2, 3...5 ~= taps(s, phase: 0) else { return false }
        let products = (0..<stride).reduce(0) { $0 + stride * (taps(s, phase: 0) + 1) * (rowTaps(s, phase: $1) + 1) }
        guard products * s.inChannels * s.outChannels <= 1_440_000 else { return false }
        if kernel == 3 { return pays(s) }
        return s.inChannels >= 3 && s.outChannels >= 16
            && s.outHeight * s.outWidth * kernel * kernel * 10 >= 19 * tiles(s.outHeight, s.outWidth) * products
    }

    /// Taps along an axis in a phase of the input.
    @inlinable
    static func taps(_ s: ConvolutionShape, phase: Int) -> Int {
        (s.kernelHeight - phase + s.strideHeight - 1) / s.strideHeight
    }

    /// The same for the gradient of the weights, whose phases of rows all take their points from those of the first: with one
    /// tap less a phase does without 2, but not where the points are other ones.
    @inlinable
    static func rowTaps(_ s: ConvolutionShape, phase: Int) -> Int { taps(s, phase: taps(s, phase: 0) == 5 ? 0 : phase) }

    /// What all ways ask for: a square filter with one stride, no dilation, one group, and many tiles.
    @inlinable
    static func isPlain(_ s: ConvolutionShape) -> Bool {
        s.kernelWidth == s.kernelHeight && s.strideWidth == s.strideHeight && s.dilationHeight == 1
            && s.dilationWidth == 1 && s.groups == 1 && s.batch * tiles(s.outHeight, s.outWidth) >= 256 && isAllowed
    }

    /// Tiles of an image with so many outputs.
    @inlinable static func tiles(_ rows: Int, _ columns: Int) -> Int { ((rows + 1) / 2) * ((columns + 1) / 2) }

    /// `A y` for the two outputs of an axis, N = k + 1 points; the second times `unit`.
    @inlinable @inline(__always)
    static func outputs<I: ISA, let N: Int>(_: I.Type, _ a: I.V, _ b: I.V) -> InlineArray<N, I.V> {
        var points = InlineArray<N, I.V>(repeating: a)
        points[1] = a + b
        points[2] = a - b
        if N > 4 { points[3] = a + (b + b) }
        if N > 5 { points[4] = a - (b + b) }
        points[N - 1] = b
        return points
    }

    /// What the points of N are multiples of.
    @inlinable @inline(__always)
    static func unit(_ points: Int) -> Double { points == 6 ? 0.75 : 1 }

    /// `Aᵀ m`, the two outputs of N = k + 1 points of an axis (3 for k = 2).
    @inlinable @inline(__always)
    static func results<I: ISA, let N: Int>(_: I.Type, _ m: InlineArray<N, I.V>) -> (I.V, I.V) {
        var (first, second) = (m[0] + m[1], m[1] + m[N - 1])
        if N > 3 { (first, second) = (first + m[2], second - m[2]) }
        if N > 5 {
            let difference = m[3] - m[4]
            (first, second) = (first + (m[3] + m[4]), second + (difference + difference))
            second *= I.Scalar(unit(N))
        }
        return (first, second)
    }

    /// `Bᵀ d` for the N = k + 1 inputs of an axis.
    @inlinable @inline(__always)
    static func inputs<I: ISA, let N: Int>(_: I.Type, _ d: InlineArray<N, I.V>) -> InlineArray<N, I.V> {
        var points = d
        if N == 4 {
            points[0] = d[0] - d[2]
            points[1] = d[1] + d[2]
            points[2] = d[2] - d[1]
            points[3] = d[3] - d[1]
        } else if N == 5 {
            let odd = d[3] - d[1]
            let difference = d[1] - d[2]
            points[0] = odd + (d[0] - d[2]) * 2
            points[1] = odd - (d[1] + d[2])
            points[2] = odd + difference * 3
            points[3] = odd
            points[4] = (d[4] - d[2]) - (odd + odd)
        } else {
            // ±a and ±b with a = 3/4, b = 3/2.
            let (even, odd) = (d[4] - d[2] * 2.25, (d[3] - d[1] * 2.25) * 0.75)
            let (evenTwo, oddTwo) = (d[4] - d[2] * 0.5625, (d[3] - d[1] * 0.5625) * 1.5)
            points[0] = d[4] + (d[0] * 1.265625 - d[2] * 2.8125)
            points[1] = even + odd
            points[2] = even - odd
            points[3] = evenTwo + oddTwo
            points[4] = evenTwo - oddTwo
            points[5] = d[5] + (d[1] * 1.265625 - d[3] * 2.8125)
        }
        return points
    }

    /// The points but infinity, of which k taps take k, in units of `unit`.
    @usableFromInline static let points = [0, 1, -1, 2, -2]

    /// G, [point][tap], for so many taps.
    @inlinable
    static func filterMatrix(taps: Int) -> [Double] {
        let unit = unit(taps + 1)
        let denominators = taps == 3 ? [1, 2, 2] : taps == 4 ? [2, -2, -6, 6] : [4, -6, -6, 24, 24]
        var matrix: [Double] = []
        for (point, denominator) in zip(points, denominators) {
            // As many factors as there are other points.
            var power = (1..<taps).reduce(1 / Double(denominator)) { value, _ in value / unit }
            for _ in 0..<taps {
                matrix.append(power)
                power *= Double(point) * unit
            }
        }
        return matrix + Array(repeating: 0, count: taps - 1) + [1 / unit]
    }
}

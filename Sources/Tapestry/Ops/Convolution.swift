// 2-d convolution by the direct kernels, and its two gradients, each a primitive with gradients of its own.
import Kernels

/// `y = x ⋆ w + bias`, then ReLU if asked; x [N, C, H, W], w [O, C / groups, KH, KW].
struct Conv2d: Primitive {
    let geometry: ConvolutionShape
    var relu = false
    var saves: Saves { relu ? [.factors, .output] : .factors }

    func forward(_ x: [Tensor]) -> Tensor {
        let y = Tensor(
            uninitialized: [geometry.batch, geometry.outChannels, geometry.outHeight, geometry.outWidth], x[0].dtype)
        let bias = x.count > 2 ? x[2].packed() : nil
        defer { withExtendedLifetime(bias) {} }
        Profiler.count(operations: 2 * geometry.multiplications)
        withPacked(x[0], x[1]) { x, w in
            Engine.kernels(y.dtype).convolutionForward(
                geometry, x, w, bias.map { UnsafeRawPointer($0.pointer) }, relu, y.pointer)
        }
        return y
    }

    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let dy = relu ? ReluGradient()(dy, saved.y.detach(), at: nil) : dy
        let dx = saved.needs(0) ? Conv2dInputGradient(geometry: geometry)(dy, saved.input(1), at: nil) : nil
        let hasBias = saved.node.inputCount > 2
        if hasBias, !GradMode.isEnabled, saved.needs(1), saved.needs(2) {
            let (dw, dbias) = weightGradients(geometry, saved.input(0), dy)
            return [dx, dw, dbias]
        }
        let dw = saved.needs(1) ? Conv2dWeightGradient(geometry: geometry)(saved.input(0), dy, at: nil) : nil
        guard hasBias else { return [dx, dw] }
        return [dx, dw, saved.needs(2) ? dy.sum(dims: [0, 2, 3]) : nil]
    }
}

/// The gradient of the input, linear in `dy` and `w`.
struct Conv2dInputGradient: Primitive {
    let geometry: ConvolutionShape
    var saves: Saves { .factors }

    func forward(_ x: [Tensor]) -> Tensor {
        let dx = Tensor(
            uninitialized: [geometry.batch, geometry.inChannels, geometry.height, geometry.width], x[0].dtype)
        Profiler.count(operations: 2 * geometry.multiplications)
        withPacked(x[0], x[1]) { dy, w in
            Engine.kernels(dx.dtype).convolutionBackwardData(geometry, dy, w, dx.pointer)
        }
        return dx
    }

    func gradient(_ saved: Saved, _ ddx: Tensor) -> [Tensor?] {
        [
            saved.needs(0) ? Conv2d(geometry: geometry)(ddx, saved.input(1), at: nil) : nil,
            saved.needs(1) ? Conv2dWeightGradient(geometry: geometry)(ddx, saved.input(0), at: nil) : nil,
        ]
    }
}

/// The gradient of the weight, linear in `x` and `dy`.
struct Conv2dWeightGradient: Primitive {
    let geometry: ConvolutionShape
    var saves: Saves { .factors }

    func forward(_ x: [Tensor]) -> Tensor { weightGradients(geometry, x[0], x[1], bias: false).weight }

    func gradient(_ saved: Saved, _ ddw: Tensor) -> [Tensor?] {
        [
            saved.needs(0) ? Conv2dInputGradient(geometry: geometry)(saved.input(1), ddw, at: nil) : nil,
            saved.needs(1) ? Conv2d(geometry: geometry)(saved.input(0), ddw, at: nil) : nil,
        ]
    }
}

private func withPacked(_ a: Tensor, _ b: Tensor, _ body: (UnsafeRawPointer, UnsafeRawPointer) -> Void) {
    let (a, b) = (a.packed(), b.packed())
    withExtendedLifetime((a, b)) { body(UnsafeRawPointer(a.pointer), UnsafeRawPointer(b.pointer)) }
}

private func weightGradients(
    _ geometry: ConvolutionShape, _ x: Tensor, _ dy: Tensor, bias: Bool = true
) -> (weight: Tensor, bias: Tensor?) {
    let dw = Tensor(
        uninitialized: [geometry.outChannels, geometry.groupIn, geometry.kernelHeight, geometry.kernelWidth], x.dtype)
    let dbias = bias ? Tensor(uninitialized: [geometry.outChannels], x.dtype) : nil
    Profiler.count(operations: 2 * geometry.multiplications)
    withPacked(x, dy) { x, dy in
        Engine.kernels(dw.dtype).convolutionBackwardWeights(geometry, x, dy, dw.pointer, dbias?.pointer)
    }
    return (dw, dbias)
}

/// Two lengths, of a window's height and width: `3` or `[3, 5]`.
public struct Pair: Sendable, Equatable, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral, CustomStringConvertible
{
    public var height, width: Int

    public init(_ height: Int, _ width: Int) { (self.height, self.width) = (height, width) }
    public init(_ both: Int) { self.init(both, both) }
    public init(integerLiteral value: Int) { self.init(value) }
    /// One or two lengths; traps on another number of them.
    public init(arrayLiteral elements: Int...) {
        require(elements.count == 1 || elements.count == 2, "Pair: \(elements) is not one or two numbers", nil)
        self.init(elements[0], elements[elements.count - 1])
    }
    /// As in torch's printed modules: `(5, 5)`.
    public var description: String { "(\(height), \(width))" }
}

/// How a convolution or pooling pads its input.
public enum Padding: Sendable, Equatable, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
    /// So many zeros on both sides of each axis.
    case both(Pair)
    /// None.
    case valid
    /// As many as keep the size at stride 1, the odd one at the bottom or right. At larger strides TensorFlow's rule,
    /// which torch refuses: the output is ⌈size / stride⌉.
    case same

    public init(integerLiteral value: Int) { self = .both(Pair(value)) }
    public init(arrayLiteral elements: Int...) {
        require(elements.count == 1 || elements.count == 2, "Padding: \(elements) is not one or two numbers", nil)
        self = .both(Pair(elements[0], elements[elements.count - 1]))
    }

    /// Padding before and after along one axis.
    func amounts(size: Int, kernel: Int, stride: Int, dilation: Int, vertical: Bool) -> (before: Int, after: Int) {
        switch self {
        case .both(let pair):
            let amount = vertical ? pair.height : pair.width
            return (amount, amount)
        case .valid: return (0, 0)
        case .same:
            let out = (size + stride - 1) / stride
            let total = Swift.max(0, (out - 1) * stride + dilation * (kernel - 1) + 1 - size)
            return (total / 2, total - total / 2)
        }
    }
}

extension Tensor {
    /// 2-d convolution: input [N, C, H, W] or [C, H, W], weight [O, C / groups, KH, KW], bias [O]; the result is
    /// [N, O, H′, W′] with `H′ = (H + 2P − D(KH − 1) − 1) / S + 1`; with `relu`, max(·, 0) of it, in the same pass.
    /// Mirrors `torch.nn.functional.conv2d`.
    ///
    /// A float32 element is off by at most `γₖ · Σ|terms|`, γₖ = k·u / (1 − k·u), u = 2⁻²⁴, on every instruction set;
    /// the terms are the products that it is the sum of, and the bias, and
    /// - k = C / groups · KH · KW + 1 for the result,
    /// - k = O / groups · KH · KW for the input's gradient,
    /// - k = N · H′ · W′ for the gradients of weight and bias.
    ///
    /// Filters with dilation 1 and one group are applied with fewer multiplications (Winograd's F(2×2, k×k); Lavin and Gray,
    /// 2016) where it pays: 3×3 ones with stride 1 and at least 32 channels on both sides, 5×5 ones with at least 16, unless
    /// the image is small or mostly padding; there must be 256 tiles of 2×2 results. Of a tile, let |x| be the largest of the
    /// (k + 1)² inputs that it depends on, and f = 16, e = 12 for 3×3, f = 206, e = 40 for larger filters. The bounds are then
    /// - γₖ · (f · Σ over channels of |x| · Σ|w| + |bias|), k = C + e, for the result,
    /// - the same with the result's gradient in place of x and k = O + e for the input's gradient,
    /// - γₖ · f · Σ over tiles of |x| · Σ|dy|, k = number of tiles + e, for the weight's gradient (if C · O · (k + 1)² is at
    ///   most 1,440,000),
    ///
    /// and a NaN or an infinity under a tile reaches all that is computed with it. 3×3 filters with stride 2, and whole
    /// vectors of input channels, make the result alone in this way, of 5×5 inputs under a tile, k = 4 · C + 12. From 3 input
    /// and 16 output channels on, the weight's gradient alone is made so: of 4×4 and 5×5 filters with stride 1, 6×6 to 10×10
    /// with stride 2. The environment variable `TAPESTRY_WINOGRAD=0` switches all of this off.
    public static func conv2d(
        _ input: Tensor, _ weight: Tensor, bias: Tensor? = nil, stride: Pair = 1, padding: Padding = 0,
        dilation: Pair = 1, groups: Int = 1, relu: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        if input.rank == 3 {
            let y = conv2d(
                input.unsqueeze(0), weight, bias: bias, stride: stride, padding: padding, dilation: dilation,
                groups: groups, relu: relu, file: file, line: line)
            return y.squeeze(0)
        }
        require(
            input.rank == 4 && weight.rank == 4,
            "conv2d: expected input [N, C, H, W] and weight [O, C, KH, KW], got \(input.shape) and \(weight.shape)",
            site)
        require(
            stride.height > 0 && stride.width > 0 && dilation.height > 0 && dilation.width > 0 && groups > 0,
            "conv2d: stride \(stride), dilation \(dilation) and groups \(groups) must be positive", site)
        require(
            input.shape[1] == weight.shape[1] * groups && weight.shape[0] % groups == 0,
            "conv2d: input \(input.shape) has \(input.shape[1]) channels, weight \(weight.shape) with groups \(groups) "
                + "expects \(weight.shape[1] * groups)", site)
        require(
            bias == nil || bias!.shape == [weight.shape[0]],
            "conv2d: bias \(bias?.shape ?? []) does not fit the \(weight.shape[0]) output channels", site)
        require(
            input.dtype == weight.dtype && input.dtype.isFloatingPoint && (bias?.dtype ?? input.dtype) == input.dtype,
            "conv2d: dtypes differ or are not floating point: input \(input.dtype), weight \(weight.dtype)", site)
        let vertical = padding.amounts(
            size: input.shape[2], kernel: weight.shape[2], stride: stride.height, dilation: dilation.height,
            vertical: true)
        let horizontal = padding.amounts(
            size: input.shape[3], kernel: weight.shape[3], stride: stride.width, dilation: dilation.width,
            vertical: false)
        require(
            vertical.before >= 0 && horizontal.before >= 0, "conv2d: padding \(padding) is negative", site)
        let geometry = ConvolutionShape(
            batch: input.shape[0], inChannels: input.shape[1], height: input.shape[2], width: input.shape[3],
            outChannels: weight.shape[0], kernelHeight: weight.shape[2], kernelWidth: weight.shape[3],
            strideHeight: stride.height, strideWidth: stride.width, padTop: vertical.before,
            padBottom: vertical.after, padLeft: horizontal.before, padRight: horizontal.after,
            dilationHeight: dilation.height, dilationWidth: dilation.width, groups: groups)
        require(
            geometry.outHeight > 0 && geometry.outWidth > 0,
            "conv2d: the kernel \(weight.shape) does not fit the padded input \(input.shape)", site)
        return record(Conv2d(geometry: geometry, relu: relu), [input, weight] + (bias.map { [$0] } ?? []), at: site)
    }
}

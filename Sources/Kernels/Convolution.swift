// Direct 2-d convolution: the geometry, and how forward and backward-data become flat correlations.
//
// There is no im2col buffer. Input channels are copied once into padded planes; in such a plane a filter tap is a
// constant offset, so a kernel has no edge cases. With stride s the plane is split into s×s phase planes, and again each
// tap is one offset. Backward-data is the same kernel with the weights transposed: one correlation for each output phase,
// over planes of the output's gradient. Dilation changes offsets only.
// The kernels: ConvolutionFlat.swift for few output channels or short sums, ConvolutionChannels.swift for many,
// ConvolutionPointwise.swift for 1×1 filters, Winograd….swift for 3×3 ones with many channels on both sides and for the
// gradient of the weights of larger ones.

/// Geometry of a 2-d convolution of NCHW tensors; the weight is [O, C / groups, KH, KW].
public struct ConvolutionShape: Sendable, Hashable {
    public var batch, inChannels, height, width, outChannels, kernelHeight, kernelWidth: Int
    public var strideHeight, strideWidth, padTop, padBottom, padLeft, padRight: Int
    public var dilationHeight, dilationWidth, groups: Int

    public init(
        batch: Int, inChannels: Int, height: Int, width: Int, outChannels: Int, kernelHeight: Int, kernelWidth: Int,
        strideHeight: Int = 1, strideWidth: Int = 1, padTop: Int = 0, padBottom: Int = 0, padLeft: Int = 0,
        padRight: Int = 0, dilationHeight: Int = 1, dilationWidth: Int = 1, groups: Int = 1
    ) {
        (self.batch, self.inChannels, self.height, self.width) = (batch, inChannels, height, width)
        (self.outChannels, self.kernelHeight, self.kernelWidth) = (outChannels, kernelHeight, kernelWidth)
        (self.strideHeight, self.strideWidth) = (strideHeight, strideWidth)
        (self.padTop, self.padBottom, self.padLeft, self.padRight) = (padTop, padBottom, padLeft, padRight)
        (self.dilationHeight, self.dilationWidth, self.groups) = (dilationHeight, dilationWidth, groups)
    }

    /// `(A + 2P − D(K − 1) − 1) / S + 1`, 0 where the kernel does not fit.
    public var outHeight: Int {
        let span = height + padTop + padBottom - dilationHeight * (kernelHeight - 1) - 1
        return span < 0 ? 0 : span / strideHeight + 1
    }
    public var outWidth: Int {
        let span = width + padLeft + padRight - dilationWidth * (kernelWidth - 1) - 1
        return span < 0 ? 0 : span / strideWidth + 1
    }
    /// Channels of one group.
    public var groupIn: Int { inChannels / groups }
    public var groupOut: Int { outChannels / groups }
    /// Weights of one output channel.
    public var filterSize: Int { groupIn * kernelHeight * kernelWidth }
    /// Multiplications (and as many additions) of a pass.
    public var multiplications: Int { batch * outChannels * outHeight * outWidth * filterSize }

    @usableFromInline var isEmpty: Bool { batch == 0 || outChannels == 0 || outHeight == 0 || outWidth == 0 }
}

/// `y = x ⋆ w + bias`, then ReLU if asked.
@inlinable @inline(never)
func convolutionForward<I: ISA>(
    _: I.Type, _ s: ConvolutionShape, _ x: UnsafeRawPointer, _ w: UnsafeRawPointer, _ bias: UnsafeRawPointer?,
    _ relu: Bool, _ y: UnsafeMutableRawPointer
) {
    if s.isEmpty { return }
    correlate(I.self, s, isBackward: false, x, w, bias, relu, y)
}

/// `dx`: the gradient of the input, given that of the output.
@inlinable @inline(never)
func convolutionBackwardData<I: ISA>(
    _: I.Type, _ s: ConvolutionShape, _ dy: UnsafeRawPointer, _ w: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer
) {
    let count = s.batch * s.inChannels * s.height * s.width
    if count == 0 { return }
    if s.isEmpty { return fill(I.self, count, 0, dx) }
    let sparse = SparseBackward<I>(s, whole: true)
    if sparse.pays(dy) { return sparse.data(dy, w, dx) }
    correlate(I.self, s, isBackward: true, dy, w, nil, false, dx)
}

/// Computes a correlation with the kernel that suits its shape.
@inlinable @inline(never)
func correlate<I: ISA>(
    _: I.Type, _ s: ConvolutionShape, isBackward: Bool, _ x: UnsafeRawPointer, _ w: UnsafeRawPointer,
    _ bias: UnsafeRawPointer?, _ relu: Bool, _ y: UnsafeMutableRawPointer
) {
    if s.isPointwise { return pointwise(I.self, s, isBackward: isBackward, x, w, bias, relu, y) }
    if Winograd.pays(s, isBackward: isBackward) || (!isBackward && Winograd.paysWithStride(I.self, s)) {
        let plan = PlanCache.plan(s, isBackward: isBackward) {
            WinogradCorrelation<I>(isBackward ? Correlation(backward: s) : Correlation(forward: s))
        }
        return plan.run(x, w, bias, relu, y)
    }
    let outChannels = isBackward ? s.groupIn : s.groupOut
    if 2 * outChannels > I.width * I.tileVectors / (I.hasManyRegisters ? 2 : 1),
        !FlatPlan<I>.suitsShortSums(s, isBackward: isBackward)
    {
        let plan = PlanCache.plan(s, isBackward: isBackward) {
            ChannelCorrelation<I>(isBackward ? Correlation(backward: s) : Correlation(forward: s))
        }
        return plan.run(x, w, bias, relu, y)
    }
    PlanCache.plan(s, isBackward: isBackward) { FlatPlan<I>(s, isBackward: isBackward) }.run(x, w, bias, relu, y)
}

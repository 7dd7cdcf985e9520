// Direct 2-d convolution: the geometry, and how forward and backward-data become flat correlations.
//
// There is no im2col buffer. Input channels are copied once into padded planes; in such a plane a filter tap is a
// constant offset, so the kernel (ConvolutionCorrelation.swift) has no edge cases. With stride s the plane is split
// into s×s phase planes, and again each tap is one offset. Backward-data is the same kernel with the weights transposed:
// one correlation for each output phase, over planes of the output's gradient. Dilation changes offsets only.

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

/// One tap of a filter along one axis: which phase of the input it reads, how many steps from the output's position, and
/// which element of the filter it is.
@usableFromInline struct AxisTap {
    @usableFromInline let phase, shift, index: Int
    @inlinable init(phase: Int, shift: Int, index: Int) {
        (self.phase, self.shift, self.index) = (phase, shift, index)
    }
}

/// Taps of one axis forward: input position `o·stride + k·dilation − pad` is step `o + shift` of phase `phase`.
@inlinable
func forwardTaps(_ kernel: Int, _ stride: Int, _ dilation: Int, _ pad: Int) -> [AxisTap] {
    (0..<kernel).map { k in
        let position = k * dilation - pad
        let phase = ((position % stride) + stride) % stride
        return AxisTap(phase: phase, shift: (position - phase) / stride, index: k)
    }
}

/// Taps of one axis backward: input position `i·stride + phase` got its share from outputs `i + shift`.
@inlinable
func backwardTaps(_ kernel: Int, _ stride: Int, _ dilation: Int, _ pad: Int, phase: Int) -> [AxisTap] {
    (0..<kernel).compactMap { k in
        let position = phase + pad - k * dilation
        return position % stride == 0 ? AxisTap(phase: 0, shift: position / stride, index: k) : nil
    }
}

/// `y = x ⋆ w + bias`, then ReLU if asked.
@inlinable @inline(never)
func convolutionForward<I: ISA, let R: Int, let V: Int>(
    _: I.Type, _ rows: InlineArray<R, Void>.Type, _ vectors: InlineArray<V, Void>.Type, _ s: ConvolutionShape,
    _ x: UnsafeRawPointer, _ w: UnsafeRawPointer, _ bias: UnsafeRawPointer?, _ relu: Bool, _ y: UnsafeMutableRawPointer
) {
    if s.isEmpty { return }
    let (outHeight, outWidth) = (s.outHeight, s.outWidth)
    let correlation = Correlation(
        images: s.batch, groups: s.groups, inChannels: s.groupIn, outChannels: s.groupOut, height: s.height,
        width: s.width, splitHeight: s.strideHeight, splitWidth: s.strideWidth,
        verticalTaps: [forwardTaps(s.kernelHeight, s.strideHeight, s.dilationHeight, s.padTop)],
        horizontalTaps: [forwardTaps(s.kernelWidth, s.strideWidth, s.dilationWidth, s.padLeft)],
        outHeight: outHeight, outWidth: outWidth, stepHeight: 1, stepWidth: 1,
        weightOut: s.filterSize, weightIn: s.kernelHeight * s.kernelWidth, weightGroup: s.groupOut * s.filterSize,
        kernelWidth: s.kernelWidth)
    correlate(I.self, rows, vectors, correlation, x, w, bias, relu, y)
}

/// `dx`: the gradient of the input, given that of the output.
@inlinable @inline(never)
func convolutionBackwardData<I: ISA, let R: Int, let V: Int>(
    _: I.Type, _ rows: InlineArray<R, Void>.Type, _ vectors: InlineArray<V, Void>.Type, _ s: ConvolutionShape,
    _ dy: UnsafeRawPointer, _ w: UnsafeRawPointer, _ dx: UnsafeMutableRawPointer
) {
    let count = s.batch * s.inChannels * s.height * s.width
    if count == 0 { return }
    if s.isEmpty { return fill(I.self, count, 0, dx) }
    let (strideHeight, strideWidth) = (s.strideHeight, s.strideWidth)
    let correlation = Correlation(
        images: s.batch, groups: s.groups, inChannels: s.groupOut, outChannels: s.groupIn, height: s.outHeight,
        width: s.outWidth, splitHeight: 1, splitWidth: 1,
        verticalTaps: (0..<strideHeight).map {
            backwardTaps(s.kernelHeight, strideHeight, s.dilationHeight, s.padTop, phase: $0)
        },
        horizontalTaps: (0..<strideWidth).map {
            backwardTaps(s.kernelWidth, strideWidth, s.dilationWidth, s.padLeft, phase: $0)
        },
        outHeight: s.height, outWidth: s.width, stepHeight: strideHeight, stepWidth: strideWidth,
        weightOut: s.kernelHeight * s.kernelWidth, weightIn: s.filterSize, weightGroup: s.groupOut * s.filterSize,
        kernelWidth: s.kernelWidth)
    correlate(I.self, rows, vectors, correlation, dy, w, nil, false, dx)
}

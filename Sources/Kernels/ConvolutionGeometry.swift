// What forward and backward-data have in common: a correlation, for which the kernels are written.

/// One tap of a filter along one axis: the input position it reads for output 0, and which element of the filter it is.
@usableFromInline struct AxisTap: Sendable {
    @usableFromInline let position, index: Int
    @inlinable init(position: Int, index: Int) { (self.position, self.index) = (position, index) }
}

/// Taps of one axis forward: output `o` reads input `o·stride + k·dilation − pad`.
@inlinable
func forwardTaps(_ kernel: Int, _ dilation: Int, _ pad: Int) -> [AxisTap] {
    (0..<kernel).map { AxisTap(position: $0 * dilation - pad, index: $0) }
}

/// Taps of one axis backward: input `i·stride + phase` has its share from outputs `i + position`.
@inlinable
func backwardTaps(_ kernel: Int, _ stride: Int, _ dilation: Int, _ pad: Int, phase: Int) -> [AxisTap] {
    (0..<kernel).compactMap { k in
        let position = phase + pad - k * dilation
        return position % stride == 0 ? AxisTap(position: position / stride, index: k) : nil
    }
}

/// `y[o, i·outStep + phase] = Σ over channels c and taps of w[o, c, tap.index] · x[c, i·inStep + tap.position]`, zeros
/// around x, for every image and group. Forward has steps in the input (its stride) and one output phase; backward-data
/// reads dy in steps of 1 and has a phase, with taps of its own, for each remainder by the stride.
@usableFromInline struct Correlation: Sendable {
    /// Channels are those of one group.
    @usableFromInline let images, groups, inChannels, outChannels, height, width: Int
    @usableFromInline let inStepHeight, inStepWidth: Int
    /// For each phase of the output along an axis, its taps.
    @usableFromInline let verticalTaps, horizontalTaps: [[AxisTap]]
    @usableFromInline let outHeight, outWidth, outStepHeight, outStepWidth: Int
    /// Strides of the weight along output channels, input channels and groups of the correlation.
    @usableFromInline let weightOut, weightIn, weightGroup, kernelWidth: Int

    /// Forward.
    @inlinable
    init(forward s: ConvolutionShape) {
        (images, groups, inChannels, outChannels) = (s.batch, s.groups, s.groupIn, s.groupOut)
        (height, width) = (s.height, s.width)
        (inStepHeight, inStepWidth) = (s.strideHeight, s.strideWidth)
        verticalTaps = [forwardTaps(s.kernelHeight, s.dilationHeight, s.padTop)]
        horizontalTaps = [forwardTaps(s.kernelWidth, s.dilationWidth, s.padLeft)]
        (outHeight, outWidth, outStepHeight, outStepWidth) = (s.outHeight, s.outWidth, 1, 1)
        (weightOut, weightIn) = (s.filterSize, s.kernelHeight * s.kernelWidth)
        (weightGroup, kernelWidth) = (s.groupOut * s.filterSize, s.kernelWidth)
    }

    /// Backward-data: from the gradient of the output to that of the input.
    @inlinable
    init(backward s: ConvolutionShape) {
        (images, groups, inChannels, outChannels) = (s.batch, s.groups, s.groupOut, s.groupIn)
        (height, width) = (s.outHeight, s.outWidth)
        (inStepHeight, inStepWidth) = (1, 1)
        verticalTaps = (0..<s.strideHeight).map {
            backwardTaps(s.kernelHeight, s.strideHeight, s.dilationHeight, s.padTop, phase: $0)
        }
        horizontalTaps = (0..<s.strideWidth).map {
            backwardTaps(s.kernelWidth, s.strideWidth, s.dilationWidth, s.padLeft, phase: $0)
        }
        (outHeight, outWidth) = (s.height, s.width)
        (outStepHeight, outStepWidth) = (s.strideHeight, s.strideWidth)
        (weightOut, weightIn) = (s.kernelHeight * s.kernelWidth, s.filterSize)
        (weightGroup, kernelWidth) = (s.groupOut * s.filterSize, s.kernelWidth)
    }

    /// Multiplications, over all images and groups.
    @inlinable var multiplications: Int {
        var taps = 0
        for row in 0..<min(outStepHeight, outHeight) {
            for column in 0..<min(outStepWidth, outWidth) {
                let grid = phaseRows(row) * phaseColumns(column)
                taps += grid * verticalTaps[row].count * horizontalTaps[column].count
            }
        }
        return images * groups * inChannels * outChannels * taps
    }

    /// Rows and columns of the grid of outputs in a phase.
    @inlinable func phaseRows(_ row: Int) -> Int { (outHeight - row + outStepHeight - 1) / outStepHeight }
    @inlinable func phaseColumns(_ column: Int) -> Int { (outWidth - column + outStepWidth - 1) / outStepWidth }

    /// The output phases that have outputs.
    @inlinable var phases: [(row: Int, column: Int)] {
        (0..<min(outStepHeight, outHeight)).flatMap { row in
            (0..<min(outStepWidth, outWidth)).map { (row, $0) }
        }
    }
}

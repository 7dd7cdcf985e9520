// Layers without parameters of their own, as functions. Mirrors torch.nn.functional.

/// The functional forms of layers: `F.relu(x)`, `F.crossEntropy(logits, labels)`.
public enum F {
    /// x · weightᵀ + bias. Mirrors `F.linear`.
    public static func linear(
        _ x: Tensor, _ weight: Tensor, bias: Tensor? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { Tensor.linear(x, weight, bias: bias, file: file, line: line) }
    /// 2-d convolution, see `Tensor.conv2d`. Mirrors `F.conv2d`.
    public static func conv2d(
        _ x: Tensor, _ weight: Tensor, bias: Tensor? = nil, stride: Pair = 1, padding: Padding = 0, dilation: Pair = 1,
        groups: Int = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        Tensor.conv2d(
            x, weight, bias: bias, stride: stride, padding: padding, dilation: dilation, groups: groups, file: file,
            line: line)
    }
    /// 1-d convolution, see `Tensor.conv1d`. Mirrors `F.conv1d`.
    public static func conv1d(
        _ x: Tensor, _ weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Padding = 0, dilation: Int = 1,
        groups: Int = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        Tensor.conv1d(
            x, weight, bias: bias, stride: stride, padding: padding, dilation: dilation, groups: groups, file: file,
            line: line)
    }
    /// Transposed 2-d convolution, see `Tensor.convTranspose2d`. Mirrors `F.conv_transpose2d`.
    ///
    /// With padding `.same`, which torch does not have, the output is `stride` times as large as the input, and the odd
    /// pixel is cut at the bottom or right, as in Keras' `Conv2DTranspose`; then `outputPadding` is not used.
    public static func convTranspose2d(
        _ x: Tensor, _ weight: Tensor, bias: Tensor? = nil, stride: Pair = 1, padding: Padding = 0,
        outputPadding: Pair = 0, groups: Int = 1, dilation: Pair = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        func transposed(_ padding: Pair, _ outputPadding: Pair) -> Tensor {
            Tensor.convTranspose2d(
                x, weight, bias: bias, stride: stride, padding: padding, outputPadding: outputPadding, groups: groups,
                dilation: dilation, file: file, line: line)
        }
        switch padding {
        case .both(let pair): return transposed(pair, outputPadding)
        case .valid: return transposed(0, outputPadding)
        case .same:
            // What the kernel reaches beyond a stride is cut, half before and half after.
            let excess = Pair(
                dilation.height * (weight.size(2) - 1) + 1 - stride.height,
                dilation.width * (weight.size(3) - 1) + 1 - stride.width)
            let y = transposed(
                Pair(Swift.max(0, excess.height) / 2, Swift.max(0, excess.width) / 2),
                Pair(Swift.max(0, -excess.height), Swift.max(0, -excess.width)))
            return y.narrow(dim: -2, start: 0, length: x.size(-2) * stride.height)
                .narrow(dim: -1, start: 0, length: x.size(-1) * stride.width)
        }
    }
    /// The largest element of each window, see `Tensor.maxPool2d`. Mirrors `F.max_pool2d`.
    public static func maxPool2d(
        _ x: Tensor, kernelSize: Pair, stride: Pair? = nil, padding: Padding = 0, dilation: Pair = 1,
        ceilMode: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        x.maxPool2d(
            kernelSize: kernelSize, stride: stride, padding: padding, dilation: dilation, ceilMode: ceilMode,
            file: file, line: line)
    }
    /// The mean of each window, see `Tensor.avgPool2d`. Mirrors `F.avg_pool2d`.
    public static func avgPool2d(
        _ x: Tensor, kernelSize: Pair, stride: Pair? = nil, padding: Padding = 0, ceilMode: Bool = false,
        countIncludePad: Bool = true, divisorOverride: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        x.avgPool2d(
            kernelSize: kernelSize, stride: stride, padding: padding, ceilMode: ceilMode,
            countIncludePad: countIncludePad, divisorOverride: divisorOverride, file: file, line: line)
    }
    /// Cross-entropy of logits and classes, see `Tensor.crossEntropy`. Mirrors `F.cross_entropy`.
    public static func crossEntropy(
        _ input: Tensor, _ target: Tensor, weight: Tensor? = nil, ignoreIndex: Int = -100,
        reduction: Tensor.Reduction = .mean, labelSmoothing: Double = 0, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        Tensor.crossEntropy(
            input, target, weight: weight, ignoreIndex: ignoreIndex, reduction: reduction,
            labelSmoothing: labelSmoothing, file: file, line: line)
    }
    /// Negative log-likelihood of log-probabilities and classes, see `Tensor.nllLoss`. Mirrors `F.nll_loss`.
    public static func nllLoss(
        _ input: Tensor, _ target: Tensor, weight: Tensor? = nil, ignoreIndex: Int = -100,
        reduction: Tensor.Reduction = .mean, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        Tensor.nllLoss(
            input, target, weight: weight, ignoreIndex: ignoreIndex, reduction: reduction, file: file, line: line)
    }
}

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

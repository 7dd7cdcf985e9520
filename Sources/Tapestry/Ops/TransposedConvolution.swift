// Convolutions in one dimension, and transposed ones: the gradient of a convolution's input as an op of its own.
import Kernels

extension Tensor {
    /// 1-d convolution: input [N, C, L] or [C, L], weight [O, C / groups, K]. Mirrors `F.conv1d`.
    public static func conv1d(
        _ input: Tensor, _ weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Padding = 0,
        dilation: Int = 1, groups: Int = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(
            (input.rank == 2 || input.rank == 3) && weight.rank == 3,
            "conv1d: expected input [N, C, L] and weight [O, C, K], got \(input.shape) and \(weight.shape)", site)
        var flat = padding
        if case .both(let pair) = padding { flat = .both(Pair(0, pair.width)) }
        let y = conv2d(
            input.unsqueeze(-2), weight.unsqueeze(-2), bias: bias, stride: Pair(1, stride), padding: flat,
            dilation: Pair(1, dilation), groups: groups, file: file, line: line)
        return y.squeeze(-2)
    }

    /// Transposed 2-d convolution: input [N, C, H, W] or [C, H, W], weight [C, O / groups, KH, KW], result
    /// `(H − 1)·S − 2P + D(KH − 1) + outputPadding + 1` high. Mirrors `F.conv_transpose2d`.
    ///
    /// The kernels are those of `conv2d`, and so are the bounds of their errors, with k = C / groups · KH · KW + 1 for
    /// the result, O / groups · KH · KW for the input's gradient and N · H · W for the weight's.
    public static func convTranspose2d(
        _ input: Tensor, _ weight: Tensor, bias: Tensor? = nil, stride: Pair = 1, padding: Pair = 0,
        outputPadding: Pair = 0, groups: Int = 1, dilation: Pair = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        if input.rank == 3 {
            return convTranspose2d(
                input.unsqueeze(0), weight, bias: bias, stride: stride, padding: padding, outputPadding: outputPadding,
                groups: groups, dilation: dilation, file: file, line: line
            ).squeeze(0)
        }
        require(
            input.rank == 4 && weight.rank == 4 && input.shape[1] == weight.shape[0] && groups > 0
                && input.shape[1] % groups == 0,
            "convTranspose2d: input \(input.shape) does not fit weight \(weight.shape) with groups \(groups)", site)
        require(
            input.dtype == weight.dtype && input.dtype.isFloatingPoint,
            "convTranspose2d: dtypes differ or are not floating point: \(input.dtype) and \(weight.dtype)", site)
        require(
            outputPadding.height < Swift.max(stride.height, dilation.height)
                && outputPadding.width < Swift.max(stride.width, dilation.width),
            "convTranspose2d: outputPadding \(outputPadding) is not smaller than stride or dilation", site)
        let (kh, kw) = (weight.shape[2], weight.shape[3])
        let height =
            (input.shape[2] - 1) * stride.height - 2 * padding.height + dilation.height * (kh - 1)
            + outputPadding.height + 1
        let width =
            (input.shape[3] - 1) * stride.width - 2 * padding.width + dilation.width * (kw - 1) + outputPadding.width
            + 1
        require(height > 0 && width > 0, "convTranspose2d: nothing is left of \(input.shape)", site)
        let channels = weight.shape[1] * groups
        let geometry = ConvolutionShape(
            batch: input.shape[0], inChannels: channels, height: height, width: width, outChannels: input.shape[1],
            kernelHeight: kh, kernelWidth: kw, strideHeight: stride.height, strideWidth: stride.width,
            padTop: padding.height, padBottom: padding.height, padLeft: padding.width, padRight: padding.width,
            dilationHeight: dilation.height, dilationWidth: dilation.width, groups: groups)
        let y = Conv2dInputGradient(geometry: geometry)(input, weight, at: site)
        guard let bias else { return y }
        require(bias.shape == [channels], "convTranspose2d: bias \(bias.shape) does not fit \(channels) channels", site)
        return y + bias.reshape([channels, 1, 1])
    }
}

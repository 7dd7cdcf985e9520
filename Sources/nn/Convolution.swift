// Convolutions, and windows as columns. Mirrors torch.nn.

/// 1-d convolution, x [N, inChannels, L] to [N, outChannels, L′]. Mirrors `torch.nn.Conv1d`.
public final class Conv1d: Module {
    public let inChannels, outChannels, kernelSize, stride, dilation, groups: Int
    /// In its second number the padding of the axis; see `Padding`.
    public let padding: Padding
    /// What the padding holds.
    public let paddingMode: Tensor.PadMode
    /// [outChannels, inChannels / groups, K]
    public let weight: Tensor
    /// [outChannels]
    public let bias: Tensor?

    public init(
        _ inChannels: Int, _ outChannels: Int, kernelSize: Int, stride: Int = 1, padding: Padding = 0,
        dilation: Int = 1,
        groups: Int = 1, bias: Bool = true, paddingMode: Tensor.PadMode = .constant
    ) {
        requireGroups("Conv1d", inChannels, outChannels, groups)
        (self.inChannels, self.outChannels, self.kernelSize) = (inChannels, outChannels, kernelSize)
        (self.stride, self.dilation, self.groups) = (stride, dilation, groups)
        (self.padding, self.paddingMode) = (padding, paddingMode)
        (weight, self.bias) = defaultParameters(
            [outChannels, inChannels / groups, kernelSize], biasLength: bias ? outChannels : nil)
    }

    public override func forward(_ x: Tensor) -> Tensor {
        if paddingMode == .constant {
            return F.conv1d(x, weight, bias: bias, stride: stride, padding: padding, dilation: dilation, groups: groups)
        }
        let sides = padding.sides(kernel: Pair(1, kernelSize), dilation: Pair(1, dilation))
        return F.conv1d(
            x.pad(Array(sides.prefix(2)), mode: paddingMode), weight, bias: bias, stride: stride, dilation: dilation,
            groups: groups)
    }
    public override func multiplyAdds(_ inputs: [Tensor], _ outputs: [Tensor]) -> Int {
        outputs[0].count * weight.count / max(1, outChannels)
    }
    public override var extraDescription: String {
        describe(
            (inChannels, outChannels), kernel: Pair(kernelSize), stride: Pair(stride), padding,
            dilation: Pair(dilation), groups: groups, bias, paddingMode
        ) { "(\($0.width),)" }
    }
}

/// 2-d convolution, x [N, inChannels, H, W] to [N, outChannels, H′, W′]. Mirrors `torch.nn.Conv2d`.
public final class Conv2d: Module {
    public let inChannels, outChannels, groups: Int
    public let kernelSize, stride, dilation: Pair
    public let padding: Padding
    /// What the padding holds.
    public let paddingMode: Tensor.PadMode
    /// [outChannels, inChannels / groups, KH, KW]
    public let weight: Tensor
    /// [outChannels]
    public let bias: Tensor?

    public init(
        _ inChannels: Int, _ outChannels: Int, kernelSize: Pair, stride: Pair = 1, padding: Padding = 0,
        dilation: Pair = 1, groups: Int = 1, bias: Bool = true, paddingMode: Tensor.PadMode = .constant
    ) {
        self.paddingMode = paddingMode
        requireGroups("Conv2d", inChannels, outChannels, groups)
        (self.inChannels, self.outChannels, self.groups) = (inChannels, outChannels, groups)
        (self.kernelSize, self.stride, self.padding, self.dilation) = (kernelSize, stride, padding, dilation)
        (weight, self.bias) = defaultParameters(
            [outChannels, inChannels / groups, kernelSize.height, kernelSize.width],
            biasLength: bias ? outChannels : nil)
    }

    public override func forward(_ x: Tensor) -> Tensor { forward(x, relu: false) }

    /// The same, then ReLU if asked, in the same pass over memory.
    func forward(_ x: Tensor, relu: Bool) -> Tensor {
        if paddingMode == .constant {
            return Tensor.conv2d(
                x, weight, bias: bias, stride: stride, padding: padding, dilation: dilation, groups: groups, relu: relu)
        }
        return Tensor.conv2d(
            x.pad(padding.sides(kernel: kernelSize, dilation: dilation), mode: paddingMode), weight, bias: bias,
            stride: stride, dilation: dilation, groups: groups, relu: relu)
    }
    public override func multiplyAdds(_ inputs: [Tensor], _ outputs: [Tensor]) -> Int {
        outputs[0].count * weight.count / max(1, outChannels)
    }
    public override var extraDescription: String {
        describe(
            (inChannels, outChannels), kernel: kernelSize, stride: stride, padding, dilation: dilation, groups: groups,
            bias, paddingMode)
    }
}

/// Transposed 2-d convolution, x [N, inChannels, H, W] to [N, outChannels, H′, W′]. Mirrors `torch.nn.ConvTranspose2d`;
/// padding `.same` is Keras', see `F.convTranspose2d`.
public final class ConvTranspose2d: Module {
    public let inChannels, outChannels, groups: Int
    public let kernelSize, stride, outputPadding, dilation: Pair
    public let padding: Padding
    /// [inChannels, outChannels / groups, KH, KW]
    public let weight: Tensor
    /// [outChannels]
    public let bias: Tensor?

    public init(
        _ inChannels: Int, _ outChannels: Int, kernelSize: Pair, stride: Pair = 1, padding: Padding = 0,
        outputPadding: Pair = 0, groups: Int = 1, bias: Bool = true, dilation: Pair = 1
    ) {
        requireGroups("ConvTranspose2d", inChannels, outChannels, groups)
        (self.inChannels, self.outChannels, self.groups) = (inChannels, outChannels, groups)
        (self.kernelSize, self.stride, self.padding) = (kernelSize, stride, padding)
        (self.outputPadding, self.dilation) = (outputPadding, dilation)
        (weight, self.bias) = defaultParameters(
            [inChannels, outChannels / groups, kernelSize.height, kernelSize.width],
            biasLength: bias ? outChannels : nil)
    }

    public override func forward(_ x: Tensor) -> Tensor {
        F.convTranspose2d(
            x, weight, bias: bias, stride: stride, padding: padding, outputPadding: outputPadding, groups: groups,
            dilation: dilation)
    }
    public override func multiplyAdds(_ inputs: [Tensor], _ outputs: [Tensor]) -> Int {
        inputs[0].count * weight.count / max(1, inChannels)
    }
    public override var extraDescription: String {
        describe(
            (inChannels, outChannels), kernel: kernelSize, stride: stride, padding, dilation: dilation,
            outputPadding: outputPadding, groups: groups, bias, .constant)
    }
}

private func requireGroups(_ name: String, _ inChannels: Int, _ outChannels: Int, _ groups: Int) {
    precondition(
        groups > 0 && inChannels % groups == 0 && outChannels % groups == 0,
        "\(name): \(inChannels) and \(outChannels) channels are not divisible by \(groups) groups")
}

/// What torch prints of a convolution; `tuple` writes what belongs to the axes.
private func describe(
    _ channels: (Int, Int), kernel: Pair, stride: Pair, _ padding: Padding, dilation: Pair, outputPadding: Pair = 0,
    groups: Int, _ bias: Tensor?, _ mode: Tensor.PadMode, tuple: (Pair) -> String = { "\($0)" }
) -> String {
    var text = "\(channels.0), \(channels.1), kernel_size=\(tuple(kernel)), stride=\(tuple(stride))"
    switch padding {
    case .both(let pair) where tuple(pair) != tuple(0): text += ", padding=\(tuple(pair))"
    case .same: text += ", padding=same"
    default: break
    }
    if dilation != 1 { text += ", dilation=\(tuple(dilation))" }
    if outputPadding != 0 { text += ", output_padding=\(tuple(outputPadding))" }
    if groups != 1 { text += ", groups=\(groups)" }
    if bias == nil { text += ", bias=False" }
    if mode != .constant { text += ", padding_mode=\(mode.rawValue)" }
    return text
}

extension Padding {
    /// Amounts left, right, top and bottom, as `Tensor.pad` takes them.
    fileprivate func sides(kernel: Pair, dilation: Pair) -> [Int] {
        switch self {
        case .both(let pair): return [pair.width, pair.width, pair.height, pair.height]
        case .valid: return [0, 0, 0, 0]
        case .same:
            let (height, width) = (dilation.height * (kernel.height - 1), dilation.width * (kernel.width - 1))
            return [width / 2, width - width / 2, height / 2, height - height / 2]
        }
    }
}

/// Windows as columns. Mirrors `torch.nn.Unfold`.
public final class Unfold: FunctionModule {
    public init(_ kernelSize: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1) {
        super.init(
            "kernel_size=\(short(kernelSize)), dilation=\(short(dilation)), padding=\(short(padding)), "
                + "stride=\(short(stride))"
        ) {
            $0.unfold(kernelSize: kernelSize, dilation: dilation, padding: padding, stride: stride)
        }
    }
}

/// Columns summed into an image. Mirrors `torch.nn.Fold`.
public final class Fold: FunctionModule {
    public init(_ outputSize: Pair, _ kernelSize: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1) {
        super.init(
            "output_size=\(outputSize), kernel_size=\(short(kernelSize)), dilation=\(short(dilation)), "
                + "padding=\(short(padding)), stride=\(short(stride))"
        ) {
            $0.fold(
                outputSize: outputSize, kernelSize: kernelSize, dilation: dilation, padding: padding, stride: stride)
        }
    }
}

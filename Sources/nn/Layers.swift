// Linear maps, convolutions, pooling, activations and flattening as modules. Mirrors torch.nn.
import Foundation

/// The default initialisation of weight and bias in linear and convolution layers: uniform within 1 / √fanIn.
func defaultParameters(_ weightShape: [Int], biasLength: Int?, dtype: DType = .float32) -> (Tensor, Tensor?) {
    let weight = Tensor.empty(weightShape, dtype: dtype)
    `init`.kaimingUniform_(weight, a: 5.0.squareRoot())
    let bias = biasLength.map { length in
        let fanIn = `init`.fans(weight).fanIn
        let bound = fanIn > 0 ? 1 / Double(fanIn).squareRoot() : 0
        return `init`.uniform_(Tensor.empty([length], dtype: dtype), a: -bound, b: bound).requiresGrad()
    }
    return (weight.requiresGrad(), bias)
}

/// `x · weightᵀ + bias`, x [*, inFeatures] to [*, outFeatures]. Mirrors `torch.nn.Linear`.
public final class Linear: Module {
    public let inFeatures, outFeatures: Int
    /// [outFeatures, inFeatures]
    public let weight: Tensor
    /// [outFeatures]
    public let bias: Tensor?

    public init(_ inFeatures: Int, _ outFeatures: Int, bias: Bool = true) {
        precondition(inFeatures >= 0 && outFeatures >= 0, "Linear: \(inFeatures) to \(outFeatures) features")
        (self.inFeatures, self.outFeatures) = (inFeatures, outFeatures)
        (weight, self.bias) = defaultParameters([outFeatures, inFeatures], biasLength: bias ? outFeatures : nil)
    }

    public override func forward(_ x: Tensor) -> Tensor { F.linear(x, weight, bias: bias) }
    public override var extraDescription: String {
        "in_features=\(inFeatures), out_features=\(outFeatures), bias=\(bias != nil ? "True" : "False")"
    }
    public override func multiplyAdds(_ inputs: [Tensor], _ outputs: [Tensor]) -> Int { outputs[0].count * inFeatures }
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
        precondition(
            groups > 0 && inChannels % groups == 0 && outChannels % groups == 0,
            "Conv2d: \(inChannels) and \(outChannels) channels are not divisible by \(groups) groups")
        (self.inChannels, self.outChannels, self.groups) = (inChannels, outChannels, groups)
        (self.kernelSize, self.stride, self.padding, self.dilation) = (kernelSize, stride, padding, dilation)
        (weight, self.bias) = defaultParameters(
            [outChannels, inChannels / groups, kernelSize.height, kernelSize.width],
            biasLength: bias ? outChannels : nil)
    }

    public override func forward(_ x: Tensor) -> Tensor {
        guard paddingMode != .constant else {
            return F.conv2d(x, weight, bias: bias, stride: stride, padding: padding, dilation: dilation, groups: groups)
        }
        var amounts = [0, 0, 0, 0]
        switch padding {
        case .both(let pair): amounts = [pair.width, pair.width, pair.height, pair.height]
        case .valid: break
        case .same:
            let (height, width) = (dilation.height * (kernelSize.height - 1), dilation.width * (kernelSize.width - 1))
            amounts = [width / 2, width - width / 2, height / 2, height - height / 2]
        }
        return F.conv2d(
            x.pad(amounts, mode: paddingMode), weight, bias: bias, stride: stride, dilation: dilation, groups: groups)
    }
    public override var extraDescription: String {
        var text = "\(inChannels), \(outChannels), kernel_size=\(kernelSize), stride=\(stride)"
        switch padding {
        case .both(let pair) where pair != 0: text += ", padding=\(pair)"
        case .same: text += ", padding=same"
        default: break
        }
        if dilation != 1 { text += ", dilation=\(dilation)" }
        if groups != 1 { text += ", groups=\(groups)" }
        if bias == nil { text += ", bias=False" }
        if paddingMode != .constant { text += ", padding_mode=\(paddingMode.rawValue)" }
        return text
    }
    public override func multiplyAdds(_ inputs: [Tensor], _ outputs: [Tensor]) -> Int {
        outputs[0].count * weight.count / max(1, outChannels)
    }
}

/// A pair as torch prints a pooling layer's: one number if both are equal because one was given.
private func short(_ pair: Pair) -> String { pair.height == pair.width ? "\(pair.height)" : pair.description }

private func short(_ padding: Padding) -> String {
    switch padding {
    case .both(let pair): short(pair)
    case .valid: "0"
    case .same: "same"
    }
}

/// The largest element of each window. Mirrors `torch.nn.MaxPool2d`.
public final class MaxPool2d: Module {
    public let kernelSize, stride, dilation: Pair
    public let padding: Padding
    public let ceilMode: Bool

    public init(
        _ kernelSize: Pair, stride: Pair? = nil, padding: Padding = 0, dilation: Pair = 1, ceilMode: Bool = false
    ) {
        (self.kernelSize, self.stride, self.padding) = (kernelSize, stride ?? kernelSize, padding)
        (self.dilation, self.ceilMode) = (dilation, ceilMode)
    }
    public convenience init(
        kernelSize: Pair, stride: Pair? = nil, padding: Padding = 0, dilation: Pair = 1, ceilMode: Bool = false
    ) { self.init(kernelSize, stride: stride, padding: padding, dilation: dilation, ceilMode: ceilMode) }

    public override func forward(_ x: Tensor) -> Tensor {
        F.maxPool2d(
            x, kernelSize: kernelSize, stride: stride, padding: padding, dilation: dilation, ceilMode: ceilMode)
    }
    public override var extraDescription: String {
        "kernel_size=\(short(kernelSize)), stride=\(short(stride)), padding=\(short(padding)), "
            + "dilation=\(short(dilation)), ceil_mode=\(ceilMode ? "True" : "False")"
    }
}

/// The mean of each window. Mirrors `torch.nn.AvgPool2d`.
public final class AvgPool2d: Module {
    public let kernelSize, stride: Pair
    public let padding: Padding
    public let ceilMode, countIncludePad: Bool
    public let divisorOverride: Int?

    public init(
        _ kernelSize: Pair, stride: Pair? = nil, padding: Padding = 0, ceilMode: Bool = false,
        countIncludePad: Bool = true, divisorOverride: Int? = nil
    ) {
        (self.kernelSize, self.stride, self.padding) = (kernelSize, stride ?? kernelSize, padding)
        (self.ceilMode, self.countIncludePad, self.divisorOverride) = (ceilMode, countIncludePad, divisorOverride)
    }
    public convenience init(
        kernelSize: Pair, stride: Pair? = nil, padding: Padding = 0, ceilMode: Bool = false,
        countIncludePad: Bool = true, divisorOverride: Int? = nil
    ) {
        self.init(
            kernelSize, stride: stride, padding: padding, ceilMode: ceilMode, countIncludePad: countIncludePad,
            divisorOverride: divisorOverride)
    }

    public override func forward(_ x: Tensor) -> Tensor {
        F.avgPool2d(
            x, kernelSize: kernelSize, stride: stride, padding: padding, ceilMode: ceilMode,
            countIncludePad: countIncludePad, divisorOverride: divisorOverride)
    }
    public override var extraDescription: String {
        "kernel_size=\(short(kernelSize)), stride=\(short(stride)), padding=\(short(padding))"
    }
}

/// max(x, 0). Mirrors `torch.nn.ReLU`.
public final class ReLU: Module {
    public override init() {}
    public override func forward(_ x: Tensor) -> Tensor { F.relu(x) }
}

/// Dimensions `startDim...endDim` merged into one. Mirrors `torch.nn.Flatten`.
public final class Flatten: Module {
    public let startDim, endDim: Int
    public init(startDim: Int = 1, endDim: Int = -1) { (self.startDim, self.endDim) = (startDim, endDim) }
    public override func forward(_ x: Tensor) -> Tensor { x.flatten(startDim: startDim, endDim: endDim) }
    public override var extraDescription: String { "start_dim=\(startDim), end_dim=\(endDim)" }
}

// Convolutions beyond Conv2d, adaptive pooling, resizing, padding, folding. Mirrors torch.nn.

/// 1-d convolution, x [N, C, L]. Mirrors `torch.nn.Conv1d`.
public final class Conv1d: Module {
    public let stride, dilation, groups: Int
    public let padding: Padding
    public let weight: Tensor
    public let bias: Tensor?
    public init(
        _ inChannels: Int, _ outChannels: Int, kernelSize: Int, stride: Int = 1, padding: Padding = 0, dilation: Int = 1,
        groups: Int = 1, bias: Bool = true
    ) {
        (self.stride, self.padding, self.dilation, self.groups) = (stride, padding, dilation, groups)
        (weight, self.bias) = defaultParameters(
            [outChannels, inChannels / groups, kernelSize], biasLength: bias ? outChannels : nil)
    }
    public override func forward(_ x: Tensor) -> Tensor {
        Tensor.conv1d(x, weight, bias: bias, stride: stride, padding: padding, dilation: dilation, groups: groups)
    }
    public override func multiplyAdds(_ inputs: [Tensor], _ outputs: [Tensor]) -> Int {
        outputs[0].count * weight.count / max(1, weight.shape[0])
    }
}

/// Transposed 2-d convolution, x [N, C, H, W]. Mirrors `torch.nn.ConvTranspose2d`.
public final class ConvTranspose2d: Module {
    public let stride, padding, outputPadding, dilation: Pair
    public let groups: Int
    /// [inChannels, outChannels / groups, KH, KW]
    public let weight: Tensor
    public let bias: Tensor?
    public init(
        _ inChannels: Int, _ outChannels: Int, kernelSize: Pair, stride: Pair = 1, padding: Pair = 0,
        outputPadding: Pair = 0, groups: Int = 1, bias: Bool = true, dilation: Pair = 1
    ) {
        (self.stride, self.padding, self.outputPadding) = (stride, padding, outputPadding)
        (self.dilation, self.groups) = (dilation, groups)
        (weight, self.bias) = defaultParameters(
            [inChannels, outChannels / groups, kernelSize.height, kernelSize.width], biasLength: bias ? outChannels : nil)
    }
    public override func forward(_ x: Tensor) -> Tensor {
        Tensor.convTranspose2d(
            x, weight, bias: bias, stride: stride, padding: padding, outputPadding: outputPadding, groups: groups,
            dilation: dilation)
    }
    public override func multiplyAdds(_ inputs: [Tensor], _ outputs: [Tensor]) -> Int {
        inputs[0].count * weight.count / max(1, weight.shape[0])
    }
}

/// The mean of a fixed number of bins; nil keeps a size. Mirrors `torch.nn.AdaptiveAvgPool2d`.
public final class AdaptiveAvgPool2d: Module {
    public let outputSize: (Int?, Int?)
    public init(_ outputSize: (Int?, Int?)) { self.outputSize = outputSize }
    public convenience init(_ size: Int) { self.init((size, size)) }
    public override func forward(_ x: Tensor) -> Tensor { F.adaptiveAvgPool2d(x, outputSize) }
    public override var extraDescription: String {
        if let (height, width) = outputSize as? (Int, Int), height == width { return "output_size=\(height)" }
        return "output_size=(\(outputSize.0.map(String.init) ?? "None"), \(outputSize.1.map(String.init) ?? "None"))"
    }
}
/// The largest element of each of a fixed number of bins. Mirrors `torch.nn.AdaptiveMaxPool2d`.
public final class AdaptiveMaxPool2d: Module {
    public let outputSize: (Int?, Int?)
    public init(_ outputSize: (Int?, Int?)) { self.outputSize = outputSize }
    public convenience init(_ size: Int) { self.init((size, size)) }
    public override func forward(_ x: Tensor) -> Tensor { F.adaptiveMaxPool2d(x, outputSize).output }
}
/// The mean of each channel over all its places: [N, C, H, W] to [N, C], or [N, C, 1, 1] with `keepdim`. What Keras calls
/// `GlobalAveragePooling2D`, and torch writes as `AdaptiveAvgPool2d(1)` and `Flatten()`.
public final class GlobalAvgPool2d: FunctionModule {
    public init(keepdim: Bool = false) {
        super.init("keepdim=\(keepdim ? "True" : "False")") { F.globalAvgPool2d($0, keepdim: keepdim) }
    }
}
/// The largest element of each window of [N, C, L]. Mirrors `torch.nn.MaxPool1d`.
public final class MaxPool1d: FunctionModule {
    public init(_ kernelSize: Int, stride: Int? = nil, padding: Int = 0) {
        super.init("kernel_size=\(kernelSize), stride=\(stride ?? kernelSize), padding=\(padding)") {
            F.maxPool1d($0, kernelSize: kernelSize, stride: stride, padding: padding)
        }
    }
}
/// The mean of each window of [N, C, L]. Mirrors `torch.nn.AvgPool1d`.
public final class AvgPool1d: FunctionModule {
    public init(_ kernelSize: Int, stride: Int? = nil, padding: Int = 0) {
        super.init("kernel_size=\(kernelSize), stride=\(stride ?? kernelSize), padding=\(padding)") {
            F.avgPool1d($0, kernelSize: kernelSize, stride: stride, padding: padding)
        }
    }
}

/// Zeros around images: left, right, top, bottom, or one number for all. Mirrors `torch.nn.ZeroPad2d`.
public final class ZeroPad2d: FunctionModule {
    public init(_ padding: [Int]) { super.init(tuple(fourfold(padding))) { $0.pad(fourfold(padding)) } }
}
/// The image mirrored at its edges. Mirrors `torch.nn.ReflectionPad2d`.
public final class ReflectionPad2d: FunctionModule {
    public init(_ padding: [Int]) {
        super.init(tuple(fourfold(padding))) { $0.pad(fourfold(padding), mode: .reflect) }
    }
}
/// One number for all sides, or one for each.
private func fourfold(_ padding: [Int]) -> [Int] {
    precondition([1, 4].contains(padding.count), "padding: expected one number or four, got \(padding)")
    return padding.count == 1 ? [Int](repeating: padding[0], count: 4) : padding
}
private func tuple(_ values: [Int]) -> String { "(\(values.map(String.init).joined(separator: ", ")))" }

/// The outermost pixels repeated. Mirrors `torch.nn.ReplicationPad2d`.
public final class ReplicationPad2d: FunctionModule {
    public init(_ padding: [Int]) {
        super.init(tuple(fourfold(padding))) { $0.pad(fourfold(padding), mode: .replicate) }
    }
}
/// Channels as pixels: [N, C·r², H, W] to [N, C, H·r, W·r]. Mirrors `torch.nn.PixelShuffle` (Shi et al., 2016).
public final class PixelShuffle: FunctionModule {
    public init(_ upscaleFactor: Int) {
        super.init("upscale_factor=\(upscaleFactor)") { $0.pixelShuffle(upscaleFactor) }
    }
}

/// Images at another size. Mirrors `torch.nn.Upsample`.
public final class Upsample: FunctionModule {
    public init(
        size: [Int]? = nil, scaleFactor: [Double]? = nil, mode: F.InterpolationMode = .nearest, alignCorners: Bool = false
    ) {
        super.init("mode='\(mode.rawValue)'") {
            F.interpolate($0, size: size, scaleFactor: scaleFactor, mode: mode, alignCorners: alignCorners)
        }
    }
    public convenience init(scaleFactor: Double, mode: F.InterpolationMode = .nearest) {
        self.init(scaleFactor: [scaleFactor], mode: mode)
    }
}
/// One dimension as several. Mirrors `torch.nn.Unflatten`.
public final class Unflatten: FunctionModule {
    public init(_ dim: Int, _ sizes: [Int]) { super.init("dim=\(dim), unflattened_size=\(sizes)") { $0.unflatten(dim: dim, sizes) } }
}
/// Windows as columns. Mirrors `torch.nn.Unfold`.
public final class Unfold: FunctionModule {
    public init(_ kernelSize: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1) {
        super.init("kernel_size=\(kernelSize), dilation=\(dilation), padding=\(padding), stride=\(stride)") {
            $0.unfold(kernelSize: kernelSize, dilation: dilation, padding: padding, stride: stride)
        }
    }
}
/// Columns summed into an image. Mirrors `torch.nn.Fold`.
public final class Fold: FunctionModule {
    public init(_ outputSize: Pair, _ kernelSize: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1) {
        super.init("output_size=\(outputSize), kernel_size=\(kernelSize)") {
            $0.fold(
                outputSize: outputSize, kernelSize: kernelSize, dilation: dilation, padding: padding, stride: stride)
        }
    }
}

/// `x₁ᵀ W x₂ + b` for each output. Mirrors `torch.nn.Bilinear`.
public final class Bilinear: Module {
    /// [out, in1, in2]
    public let weight: Tensor
    public let bias: Tensor?
    public init(_ in1: Int, _ in2: Int, _ out: Int, bias: Bool = true) {
        let bound = 1 / Double(in1).squareRoot()
        weight = `init`.uniform_(Tensor.empty([out, in1, in2]), a: -bound, b: bound).requiresGrad()
        self.bias = bias ? `init`.uniform_(Tensor.empty([out]), a: -bound, b: bound).requiresGrad() : nil
    }
    public func callAsFunction(_ x1: Tensor, _ x2: Tensor) -> Tensor {
        withHooks([x1, x2]) { x in
            let y = Tensor.einsum("...i,oij,...j->...o", [x[0], weight, x[1]])
            return [bias.map { y + $0 } ?? y]
        }[0]
    }
    public override func multiplyAdds(_ inputs: [Tensor], _ outputs: [Tensor]) -> Int {
        outputs[0].count * weight.count / max(1, weight.shape[0])
    }
}

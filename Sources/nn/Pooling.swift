// Pooling. Mirrors torch.nn.

/// A pair as torch prints that of a layer without weights: one number if both are equal because one was given.
func short(_ pair: Pair) -> String { pair.height == pair.width ? "\(pair.height)" : pair.description }

private func short(_ padding: Padding) -> String {
    switch padding {
    case .both(let pair): short(pair)
    case .valid: "0"
    case .same: "same"
    }
}

/// The largest element of each window of [N, C, L]. Mirrors `torch.nn.MaxPool1d`.
public final class MaxPool1d: FunctionModule {
    public init(_ kernelSize: Int, stride: Int? = nil, padding: Int = 0, dilation: Int = 1, ceilMode: Bool = false) {
        super.init(
            "kernel_size=\(kernelSize), stride=\(stride ?? kernelSize), padding=\(padding), dilation=\(dilation), "
                + "ceil_mode=\(ceilMode ? "True" : "False")"
        ) {
            F.maxPool1d(
                $0, kernelSize: kernelSize, stride: stride, padding: padding, dilation: dilation, ceilMode: ceilMode)
        }
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

/// The mean of each window of [N, C, L]. Mirrors `torch.nn.AvgPool1d`.
public final class AvgPool1d: FunctionModule {
    public init(
        _ kernelSize: Int, stride: Int? = nil, padding: Int = 0, ceilMode: Bool = false, countIncludePad: Bool = true
    ) {
        super.init("kernel_size=(\(kernelSize),), stride=(\(stride ?? kernelSize),), padding=(\(padding),)") {
            F.avgPool1d(
                $0, kernelSize: kernelSize, stride: stride, padding: padding, ceilMode: ceilMode,
                countIncludePad: countIncludePad)
        }
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

/// The mean of a fixed number of bins; nil keeps a size. Mirrors `torch.nn.AdaptiveAvgPool2d`.
public final class AdaptiveAvgPool2d: Module {
    public let outputSize: (Int?, Int?)
    public init(_ outputSize: (Int?, Int?)) { self.outputSize = outputSize }
    public convenience init(_ size: Int) { self.init((size, size)) }
    public override func forward(_ x: Tensor) -> Tensor { F.adaptiveAvgPool2d(x, outputSize) }
    public override var extraDescription: String { describe(outputSize) }
}

/// The largest element of each of a fixed number of bins. Mirrors `torch.nn.AdaptiveMaxPool2d`.
public final class AdaptiveMaxPool2d: Module {
    public let outputSize: (Int?, Int?)
    public init(_ outputSize: (Int?, Int?)) { self.outputSize = outputSize }
    public convenience init(_ size: Int) { self.init((size, size)) }
    public override func forward(_ x: Tensor) -> Tensor { F.adaptiveMaxPool2d(x, outputSize).output }
    public override var extraDescription: String { describe(outputSize) }
}

private func describe(_ outputSize: (Int?, Int?)) -> String {
    if let (height, width) = outputSize as? (Int, Int), height == width { return "output_size=\(height)" }
    return "output_size=(\(outputSize.0.map(String.init) ?? "None"), \(outputSize.1.map(String.init) ?? "None"))"
}

/// The mean of each channel over all its places: [N, C, H, W] to [N, C], or [N, C, 1, 1] with `keepdim`. What Keras
/// calls `GlobalAveragePooling2D`, and torch writes as `AdaptiveAvgPool2d(1)` and `Flatten()`.
public final class GlobalAvgPool2d: FunctionModule {
    public init(keepdim: Bool = false) {
        super.init("keepdim=\(keepdim ? "True" : "False")") { F.globalAvgPool2d($0, keepdim: keepdim) }
    }
}

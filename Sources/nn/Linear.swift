// Linear and bilinear maps, and the shapes around them. Mirrors torch.nn.
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
    public override var extraDescription: String {
        "in1_features=\(weight.shape[1]), in2_features=\(weight.shape[2]), out_features=\(weight.shape[0]), "
            + "bias=\(bias != nil ? "True" : "False")"
    }
}

/// Dimensions `startDim...endDim` merged into one. Mirrors `torch.nn.Flatten`.
public final class Flatten: Module {
    public let startDim, endDim: Int
    public init(startDim: Int = 1, endDim: Int = -1) { (self.startDim, self.endDim) = (startDim, endDim) }
    public override func forward(_ x: Tensor) -> Tensor { x.flatten(startDim: startDim, endDim: endDim) }
    public override var extraDescription: String { "start_dim=\(startDim), end_dim=\(endDim)" }
}

/// One dimension as several. Mirrors `torch.nn.Unflatten`.
public final class Unflatten: FunctionModule {
    public init(_ dim: Int, _ sizes: [Int]) {
        super.init("dim=\(dim), unflattened_size=\(tuple(sizes))") { $0.unflatten(dim: dim, sizes) }
    }
}

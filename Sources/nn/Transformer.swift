// The transformer's encoder (Vaswani et al., 2017). Mirrors torch.nn.

/// Self-attention and a feed-forward network, each with a residual connection and layer normalisation.
/// Mirrors `torch.nn.TransformerEncoderLayer`.
public final class TransformerEncoderLayer: Module {
    /// The feed-forward network's activation.
    public enum Activation: String, Sendable { case relu, gelu }
    public let selfAttn: MultiheadAttention
    public let linear1: Linear
    public let dropout: Dropout
    public let linear2: Linear
    public let norm1, norm2: LayerNorm
    public let dropout1, dropout2: Dropout
    public let activation: Activation
    public let normFirst: Bool

    public init(
        _ dModel: Int, _ nhead: Int, dimFeedforward: Int = 2048, dropout: Double = 0.1, activation: Activation = .relu,
        layerNormEps: Double = 1e-5, batchFirst: Bool = false, normFirst: Bool = false, bias: Bool = true
    ) {
        selfAttn = MultiheadAttention(dModel, nhead, dropout: dropout, bias: bias, batchFirst: batchFirst)
        linear1 = Linear(dModel, dimFeedforward, bias: bias)
        self.dropout = Dropout(dropout)
        linear2 = Linear(dimFeedforward, dModel, bias: bias)
        norm1 = LayerNorm([dModel], eps: layerNormEps, bias: bias)
        norm2 = LayerNorm([dModel], eps: layerNormEps, bias: bias)
        (dropout1, dropout2) = (Dropout(dropout), Dropout(dropout))
        (self.activation, self.normFirst) = (activation, normFirst)
    }

    /// Another layer with the same settings and weights of the same values.
    func copy() -> TransformerEncoderLayer {
        // What the new layer's weights begin with is overwritten: its random numbers are not taken from the program's.
        let state = Generator.default.state
        defer { Generator.default.state = state }
        let layer = TransformerEncoderLayer(
            selfAttn.embedDim, selfAttn.numHeads, dimFeedforward: linear1.outFeatures, dropout: dropout.p,
            activation: activation, layerNormEps: norm1.eps, batchFirst: selfAttn.batchFirst, normFirst: normFirst,
            bias: linear1.bias != nil)
        layer.to(linear1.weight.dtype).train(training)
        noGrad {
            for (copy, original) in zip(layer.parameters(), parameters()) {
                copy.copy_(original)
                copy.requiresGrad(original.requiresGrad)
            }
        }
        return layer
    }

    /// - Parameters:
    ///   - src: [L, N, E], [N, L, E] with `batchFirst`, or [L, E].
    ///   - srcMask, srcKeyPaddingMask: see `MultiheadAttention`.
    public func callAsFunction(_ src: Tensor, srcMask: Tensor? = nil, srcKeyPaddingMask: Tensor? = nil) -> Tensor {
        withHooks([src]) { [encode($0[0], srcMask, srcKeyPaddingMask)] }[0]
    }
    public override func forward(_ x: Tensor) -> Tensor { encode(x, nil, nil) }

    private func encode(_ src: Tensor, _ mask: Tensor?, _ paddingMask: Tensor?) -> Tensor {
        func attend(_ x: Tensor) -> Tensor {
            dropout1(selfAttn(x, x, x, keyPaddingMask: paddingMask, needWeights: false, attnMask: mask).output)
        }
        func feed(_ x: Tensor) -> Tensor {
            let hidden = linear1(x)
            return dropout2(linear2(dropout(activation == .relu ? hidden.relu() : hidden.gelu())))
        }
        if normFirst {
            let x = src + attend(norm1(src))
            return x + feed(norm2(x))
        }
        let x = norm1(src + attend(src))
        return norm2(x + feed(x))
    }
}

/// Encoder layers one after another, and a normalisation at the end if given. All layers begin as copies of the one
/// given, as in torch. Mirrors `torch.nn.TransformerEncoder`.
public final class TransformerEncoder: Module {
    public let layers: [TransformerEncoderLayer]
    public let norm: LayerNorm?

    public init(_ encoderLayer: TransformerEncoderLayer, numLayers: Int, norm: LayerNorm? = nil) {
        precondition(numLayers >= 0, "TransformerEncoder: \(numLayers) layers")
        layers = (0..<numLayers).map { _ in encoderLayer.copy() }
        self.norm = norm
    }

    /// - Parameters:
    ///   - src: [L, N, E], [N, L, E] with `batchFirst`, or [L, E].
    ///   - mask, srcKeyPaddingMask: given to every layer, see `MultiheadAttention`.
    public func callAsFunction(_ src: Tensor, mask: Tensor? = nil, srcKeyPaddingMask: Tensor? = nil) -> Tensor {
        withHooks([src]) { [encode($0[0], mask, srcKeyPaddingMask)] }[0]
    }
    public override func forward(_ x: Tensor) -> Tensor { encode(x, nil, nil) }

    private func encode(_ src: Tensor, _ mask: Tensor?, _ paddingMask: Tensor?) -> Tensor {
        let x = layers.reduce(src) { $1($0, srcMask: mask, srcKeyPaddingMask: paddingMask) }
        return norm?(x) ?? x
    }
}

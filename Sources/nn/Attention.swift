// Attention and the transformer's encoder (Vaswani et al., 2017). Mirrors torch.nn.

/// Attention in several heads: [L, N, E] each ([N, L, E] with `batchFirst`, [L, E] for one).
/// Mirrors `torch.nn.MultiheadAttention`.
public final class MultiheadAttention: Module {
    public let embedDim, numHeads: Int
    public let batchFirst: Bool
    /// [3E, E], unless key and value have dimensions of their own.
    public let inProjWeight: Tensor?
    public let qProjWeight, kProjWeight, vProjWeight: Tensor?
    public let inProjBias: Tensor?
    public let outProj: Linear

    public init(
        _ embedDim: Int, _ numHeads: Int, bias: Bool = true, kdim: Int? = nil, vdim: Int? = nil, batchFirst: Bool = false
    ) {
        precondition(embedDim % numHeads == 0, "MultiheadAttention: \(embedDim) is not divisible by \(numHeads) heads")
        (self.embedDim, self.numHeads, self.batchFirst) = (embedDim, numHeads, batchFirst)
        // The order of random draws is torch's: the output projection first.
        outProj = Linear(embedDim, embedDim, bias: bias)
        let (keyDim, valueDim) = (kdim ?? embedDim, vdim ?? embedDim)
        func drawn(_ shape: [Int]) -> Tensor { `init`.xavierUniform_(Tensor.empty(shape)).requiresGrad() }
        if keyDim == embedDim && valueDim == embedDim {
            inProjWeight = drawn([3 * embedDim, embedDim])
            (qProjWeight, kProjWeight, vProjWeight) = (nil, nil, nil)
        } else {
            inProjWeight = nil
            qProjWeight = drawn([embedDim, embedDim])
            kProjWeight = drawn([embedDim, keyDim])
            vProjWeight = drawn([embedDim, valueDim])
        }
        inProjBias = bias ? Tensor.zeros([3 * embedDim], requiresGrad: true) : nil
        if let bias = outProj.bias { noGrad { _ = bias.zero_() } }
    }

    /// Output and, if wanted, the attention weights (their mean over heads, or [N, heads, L, S]).
    ///
    /// - Parameters:
    ///   - keyPaddingMask: [N, S]; bool: true leaves a key out; else added to the scores.
    ///   - attnMask: [L, S] or [N · heads, L, S]; as `keyPaddingMask`.
    public func callAsFunction(
        _ query: Tensor, _ key: Tensor, _ value: Tensor, keyPaddingMask: Tensor? = nil, needWeights: Bool = true,
        attnMask: Tensor? = nil, averageAttnWeights: Bool = true
    ) -> (output: Tensor, weights: Tensor?) {
        let isSingle = query.rank == 2
        // [N, L, E] inside.
        func arranged(_ x: Tensor) -> Tensor { isSingle ? x.unsqueeze(0) : batchFirst ? x : x.transpose(0, 1) }
        let (q, k, v) = (arranged(query), arranged(key), arranged(value))
        let weights = inProjWeight?.chunk(3) ?? [qProjWeight!, kProjWeight!, vProjWeight!]
        let biases = inProjBias?.chunk(3)
        let (n, length, source, depth) = (q.shape[0], q.shape[1], k.shape[1], embedDim / numHeads)
        func heads(_ x: Tensor, _ index: Int) -> Tensor {
            F.linear(x, weights[index], bias: biases?[index]).reshape([n, x.shape[1], numHeads, depth]).transpose(1, 2)
        }
        var scores = (heads(q, 0) * (1 / Double(depth).squareRoot())).matmul(heads(k, 1).transpose(-2, -1))
        if let mask = attnMask { scores = masked(scores, mask.rank == 3 ? mask.reshape([n, numHeads, length, source]) : mask) }
        if let mask = keyPaddingMask { scores = masked(scores, mask.reshape([n, 1, 1, source])) }
        let attention = scores.softmax(dim: -1)
        let joined = attention.matmul(heads(v, 2)).transpose(1, 2).reshape([n, length, embedDim])
        let y = outProj(joined)
        var shown: Tensor?
        if needWeights {
            shown = averageAttnWeights ? attention.mean(dim: 1) : attention
            if isSingle { shown = shown!.squeeze(0) }
        }
        return (isSingle ? y.squeeze(0) : batchFirst ? y : y.transpose(0, 1), shown)
    }

    private func masked(_ scores: Tensor, _ mask: Tensor) -> Tensor {
        mask.dtype == .bool ? scores.maskedFill(mask, -Double.infinity) : scores + mask
    }
}

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
        layerNormEps: Double = 1e-5, batchFirst: Bool = false, normFirst: Bool = false
    ) {
        selfAttn = MultiheadAttention(dModel, nhead, batchFirst: batchFirst)
        linear1 = Linear(dModel, dimFeedforward)
        self.dropout = Dropout(dropout)
        linear2 = Linear(dimFeedforward, dModel)
        (norm1, norm2) = (LayerNorm(dModel, eps: layerNormEps), LayerNorm(dModel, eps: layerNormEps))
        (dropout1, dropout2) = (Dropout(dropout), Dropout(dropout))
        (self.activation, self.normFirst) = (activation, normFirst)
    }

    public func callAsFunction(_ src: Tensor, srcMask: Tensor? = nil, srcKeyPaddingMask: Tensor? = nil) -> Tensor {
        func attend(_ x: Tensor) -> Tensor {
            dropout1(
                selfAttn(x, x, x, keyPaddingMask: srcKeyPaddingMask, needWeights: false, attnMask: srcMask).output)
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
    public override func forward(_ x: Tensor) -> Tensor { self(x, srcMask: nil, srcKeyPaddingMask: nil) }
}

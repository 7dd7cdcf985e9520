// Attention (Vaswani et al., 2017). Mirrors torch.nn.

/// Attention in several heads: [L, N, E] each ([N, L, E] with `batchFirst`, [L, E] for one).
/// Mirrors `torch.nn.MultiheadAttention`.
public final class MultiheadAttention: Module {
    public let embedDim, numHeads: Int
    /// The probability with which an attention weight is dropped in training.
    public let dropout: Double
    public let batchFirst, addZeroAttn: Bool
    /// [3E, E], unless key and value have dimensions of their own.
    public let inProjWeight: Tensor?
    public let qProjWeight, kProjWeight, vProjWeight: Tensor?
    public let inProjBias: Tensor?
    /// [1, 1, E]: one more key and value, learned; nil without `addBiasKv`.
    public let biasK, biasV: Tensor?
    public let outProj: Linear

    /// Traps unless `embedDim` is divisible by `numHeads`. `addZeroAttn` adds a key and a value of zeros.
    public init(
        _ embedDim: Int, _ numHeads: Int, dropout: Double = 0, bias: Bool = true, addBiasKv: Bool = false,
        addZeroAttn: Bool = false, kdim: Int? = nil, vdim: Int? = nil, batchFirst: Bool = false
    ) {
        precondition(
            numHeads > 0 && embedDim % numHeads == 0,
            "MultiheadAttention: \(embedDim) is not divisible by \(numHeads) heads")
        (self.embedDim, self.numHeads, self.dropout) = (embedDim, numHeads, dropout)
        (self.batchFirst, self.addZeroAttn) = (batchFirst, addZeroAttn)
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
        func extra() -> Tensor? {
            addBiasKv ? `init`.xavierNormal_(Tensor.empty([1, 1, embedDim])).requiresGrad() : nil
        }
        biasK = extra()
        biasV = extra()
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
        let outputs = withHooks([query, key, value]) { x in
            let (output, weights) = attend(x[0], x[1], x[2], keyPaddingMask, attnMask)
            guard needWeights else { return [output] }
            let shown = averageAttnWeights ? weights.mean(dim: 1) : weights
            return [output, x[0].rank == 2 ? shown.squeeze(0) : shown]
        }
        return (outputs[0], outputs.count > 1 ? outputs[1] : nil)
    }

    /// The output, and the weights [N, heads, L, S].
    private func attend(
        _ query: Tensor, _ key: Tensor, _ value: Tensor, _ keyPaddingMask: Tensor?, _ attnMask: Tensor?
    ) -> (Tensor, Tensor) {
        let isSingle = query.rank == 2
        // [N, L, E] inside.
        func arranged(_ x: Tensor) -> Tensor { isSingle ? x.unsqueeze(0) : batchFirst ? x : x.transpose(0, 1) }
        let (q, k, v) = (arranged(query), arranged(key), arranged(value))
        let weights = inProjWeight?.chunk(3) ?? [qProjWeight!, kProjWeight!, vProjWeight!]
        let biases = inProjBias?.chunk(3)
        let (n, length, depth) = (q.shape[0], q.shape[1], embedDim / numHeads)
        func projected(_ x: Tensor, _ index: Int) -> Tensor { F.linear(x, weights[index], bias: biases?[index]) }
        /// With the learned and the zero key or value behind the others.
        func extended(_ x: Tensor, _ learned: Tensor?) -> Tensor {
            var parts = [x]
            if let learned { parts.append(learned.expand([n, 1, embedDim])) }
            if addZeroAttn { parts.append(Tensor.zeros([n, 1, embedDim], dtype: x.dtype)) }
            return parts.count == 1 ? x : Tensor.cat(parts, dim: 1)
        }
        func heads(_ x: Tensor) -> Tensor { x.reshape([n, x.shape[1], numHeads, depth]).transpose(1, 2) }
        let keys = heads(extended(projected(k, 1), biasK))
        let values = heads(extended(projected(v, 2), biasV))
        var scores = (heads(projected(q, 0)) * (1 / Double(depth).squareRoot())).matmul(keys.transpose(-2, -1))
        // Masks say nothing of the added keys: those are always seen.
        let added = keys.shape[2] - k.shape[1]
        if let mask = attnMask {
            let mask = added == 0 ? mask : mask.pad([0, added])
            scores = masked(
                scores, mask.rank == 3 ? mask.reshape([n, numHeads, length, keys.shape[2]]) : mask)
        }
        if let mask = keyPaddingMask {
            scores = masked(scores, (added == 0 ? mask : mask.pad([0, added])).reshape([n, 1, 1, keys.shape[2]]))
        }
        let attention = F.dropout(scores.softmax(dim: -1), p: dropout, training: training)
        let y = outProj(attention.matmul(values).transpose(1, 2).reshape([n, length, embedDim]))
        return (isSingle ? y.squeeze(0) : batchFirst ? y : y.transpose(0, 1), attention)
    }

    private func masked(_ scores: Tensor, _ mask: Tensor) -> Tensor {
        mask.dtype == .bool ? scores.maskedFill(mask, -Double.infinity) : scores + mask
    }
    public override func multiplyAdds(_ inputs: [Tensor], _ outputs: [Tensor]) -> Int {
        // Projections of query, key and value; scores and their product with the values. `outProj` counts its own.
        let rows = inputs.map { $0.count / max(1, $0.shape.last ?? 1) }
        let projections = inputs.reduce(0) { $0 + $1.count } * embedDim
        let batch = inputs[0].rank == 2 ? 1 : inputs[0].shape[batchFirst ? 0 : 1]
        return projections + 2 * rows[0] * rows[1] / max(1, batch) * embedDim
    }
}

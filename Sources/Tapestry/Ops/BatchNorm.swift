// Batch normalisation in training.

extension Tensor {
    /// `(x − mean) / √(var + ε) · weight + bias` for each channel (dimension 1), mean and variance over all other
    /// dimensions; running statistics move towards them, the variance unbiased. See `F.batchNorm`.
    public static func batchNormTraining(
        _ x: Tensor, runningMean: Tensor?, runningVar: Tensor?, weight: Tensor?, bias: Tensor?, momentum: Double,
        eps: Double, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let dims = [0] + Array(2..<x.rank)
        let count = dims.reduce(1) { $0 * x.shape[$1] }
        require(count > 1, "batchNorm: one value per channel in training, shape \(x.shape)", site)
        let channels = [1, x.shape[1]] + [Int](repeating: 1, count: x.rank - 2)
        let mean = x.mean(dims: dims, keepdim: true, file: file, line: line)
        let centred = x - mean
        let variance = centred.square().mean(dims: dims, keepdim: true, file: file, line: line)
        noGrad {
            if let runningMean {
                runningMean.copy_(runningMean * (1 - momentum) + mean.reshape(runningMean.shape) * momentum)
            }
            if let runningVar {
                let unbiased = variance.reshape(runningVar.shape) * (Double(count) / Double(count - 1))
                runningVar.copy_(runningVar * (1 - momentum) + unbiased * momentum)
            }
        }
        var y = centred * (variance + eps).rsqrt()
        if let weight { y = y * weight.reshape(channels) }
        if let bias { y = y + bias.reshape(channels) }
        return y
    }
}

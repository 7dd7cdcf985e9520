// Normalisation, written in tensor ops. Mirrors torch.nn.functional.
import Foundation

extension F {
    /// `(x − mean) / √(var + ε) · weight + bias` for each channel (dimension 1) over all others. In training the
    /// batch's own statistics are used, and the running ones, if given, move towards them (variance unbiased); else the
    /// running ones. Mirrors `F.batch_norm` (Ioffe & Szegedy, 2015).
    public static func batchNorm(
        _ x: Tensor, runningMean: Tensor? = nil, runningVar: Tensor? = nil, weight: Tensor? = nil, bias: Tensor? = nil,
        training: Bool = false, momentum: Double = 0.1, eps: Double = 1e-5, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        if training || runningMean == nil || runningVar == nil {
            return Tensor.batchNormTraining(
                x, runningMean: training ? runningMean : nil, runningVar: training ? runningVar : nil, weight: weight,
                bias: bias, momentum: momentum, eps: eps, file: file, line: line)
        }
        return Tensor.batchNormInference(
            x, mean: runningMean!, variance: runningVar!, weight: weight, bias: bias, eps: eps, file: file, line: line)
    }

    /// `(x − mean) / √(var + ε)` over the last dimensions, then weight and bias of their shape. Mirrors `F.layer_norm`
    /// (Ba et al., 2016).
    public static func layerNorm(
        _ x: Tensor, normalizedShape: [Int], weight: Tensor? = nil, bias: Tensor? = nil, eps: Double = 1e-5,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        require(
            Array(x.shape.suffix(normalizedShape.count)) == normalizedShape,
            "layerNorm: shape \(x.shape) does not end with \(normalizedShape)", SourceSite(file, line))
        var y = standardized(x, Array(x.rank - normalizedShape.count..<x.rank), eps)
        if let weight { y = y * weight }
        if let bias { y = y + bias }
        return y
    }

    /// x / √(mean(x²) + ε) over the last dimensions, times weight. Mirrors `F.rms_norm` (Zhang & Sennrich, 2019).
    public static func rmsNorm(
        _ x: Tensor, normalizedShape: [Int], weight: Tensor? = nil, eps: Double? = nil, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        require(
            Array(x.shape.suffix(normalizedShape.count)) == normalizedShape,
            "rmsNorm: shape \(x.shape) does not end with \(normalizedShape)", SourceSite(file, line))
        let dims = Array(x.rank - normalizedShape.count..<x.rank)
        let epsilon = eps ?? (x.dtype == .float64 ? Double.ulpOfOne : Double(Float.ulpOfOne))
        let y = overRootMeanSquare(x, dims, epsilon)
        return weight.map { y * $0 } ?? y
    }

    /// Layer normalisation over groups of channels of [N, C, …]. Mirrors `F.group_norm` (Wu & He, 2018).
    public static func groupNorm(
        _ x: Tensor, numGroups: Int, weight: Tensor? = nil, bias: Tensor? = nil, eps: Double = 1e-5,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        require(
            x.rank >= 2 && numGroups > 0 && x.shape[1] % numGroups == 0,
            "groupNorm: the channels of \(x.shape) are not divisible by \(numGroups)", SourceSite(file, line))
        let size = x.shape[0] == 0 ? 0 : x.count / (x.shape[0] * numGroups)
        var y = standardized(x.reshape([x.shape[0], numGroups, size]), [2], eps).reshape(x.shape)
        let channels = [1, x.shape[1]] + [Int](repeating: 1, count: x.rank - 2)
        if let weight { y = y * weight.reshape(channels) }
        if let bias { y = y + bias.reshape(channels) }
        return y
    }

    /// Normalisation of each channel of each sample of [N, C, …]. Running statistics are used if `useInputStats` is
    /// false, and else move towards the mean of the samples'. Mirrors `F.instance_norm` (Ulyanov et al., 2016).
    public static func instanceNorm(
        _ x: Tensor, runningMean: Tensor? = nil, runningVar: Tensor? = nil, weight: Tensor? = nil, bias: Tensor? = nil,
        useInputStats: Bool = true, momentum: Double = 0.1, eps: Double = 1e-5, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        if !useInputStats {
            return batchNorm(
                x, runningMean: runningMean, runningVar: runningVar, weight: weight, bias: bias, eps: eps, file: file,
                line: line)
        }
        if let runningMean, let runningVar {
            noGrad {
                let dims = Array(2..<x.rank)
                runningMean.copy_(runningMean * (1 - momentum) + x.mean(dims: dims).mean(dim: 0) * momentum)
                runningVar.copy_(runningVar * (1 - momentum) + x.variance(dims: dims).mean(dim: 0) * momentum)
            }
        }
        return groupNorm(x, numGroups: x.shape[1], weight: weight, bias: bias, eps: eps, file: file, line: line)
    }

    /// `x / (k + α/n · Σ x²)^β` over n neighbouring channels. Mirrors `F.local_response_norm` (Krizhevsky et al.,
    /// 2012).
    public static func localResponseNorm(
        _ x: Tensor, size: Int, alpha: Double = 1e-4, beta: Double = 0.75, k: Double = 1
    ) -> Tensor {
        let channels = x.shape[1]
        let flat = x.reshape([x.shape[0], channels, -1])
        let padded = flat.square().pad([0, 0, size / 2, (size - 1) / 2])
        var sum = padded.narrow(dim: 1, start: 0, length: channels)
        for offset in 1..<Swift.max(1, size) where offset < size {
            sum = sum + padded.narrow(dim: 1, start: offset, length: channels)
        }
        return (flat / (sum * (alpha / Double(size)) + k).pow(beta)).reshape(x.shape)
    }

    private static func standardized(_ x: Tensor, _ dims: [Int], _ eps: Double) -> Tensor {
        overRootMeanSquare(x - x.mean(dims: dims, keepdim: true), dims, eps)
    }

    /// x / √(mean(x²) + ε). Squares need not be within the dtype's range.
    private static func overRootMeanSquare(_ x: Tensor, _ dims: [Int], _ eps: Double) -> Tensor {
        let squares = x.square().mean(dims: dims, keepdim: true)
        if squares.detach().isAllFinite { return x * (squares + eps).rsqrt() }
        // A power of two is taken out of groups whose squares are not finite, which leaves numbers so large that ε does
        // not count.
        let one = Tensor.ones([], dtype: x.dtype)
        let part = x / Tensor.where(squares.detach().isFinite(), one, x.binades(dims) * 0x1p-32)
        return part * (part.square().mean(dims: dims, keepdim: true) + eps).rsqrt()
    }
}

// Batch normalisation (Ioffe & Szegedy, 2015), by statistics of the batch or by given ones.
import Kernels

/// `(x − mean) / √(var + ε) · weight + bias` for each channel of [N, C, …], mean and variance over all other dimensions.
/// Inputs: x, then weight and bias if there are any. Keeps the mean and the biased variance, each [C].
struct BatchNorm: KeepingPrimitive {
    let eps: Double
    let hasWeight, hasBias: Bool
    var saves: Saves { hasWeight ? [.input0, .input1] : .input0 }

    func forward(_ x: [Tensor], keeping kept: inout [Tensor]) -> Tensor {
        let parameters = x.dropFirst().map { $0.packed() }
        let x = x[0].packed()
        defer { withExtendedLifetime((x, parameters)) {} }
        let y = Tensor(uninitializedLike: x)
        let (mean, variance) = (
            Tensor(uninitialized: [x.shape[1]], x.dtype), Tensor(uninitialized: [x.shape[1]], x.dtype)
        )
        Engine.kernels(x.dtype).batchNormForward(
            BatchNormShape(x.shape), eps, x.pointer, hasWeight ? UnsafeRawPointer(parameters[0].pointer) : nil,
            hasBias ? UnsafeRawPointer(parameters[parameters.count - 1].pointer) : nil, mean.pointer, variance.pointer,
            y.pointer)
        kept = [mean, variance]
        return y
    }

    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let weight = hasWeight ? saved.input(1) : nil
        let (dx, dweight, dbias) =
            GradMode.isEnabled
            ? recordedGradient(saved.x, weight, dy) : fusedGradient(saved.x, weight, dy, saved)
        return [dx] + (hasWeight ? [dweight] : []) + (hasBias ? [dbias] : [])
    }

    private func fusedGradient(
        _ x: Tensor, _ weight: Tensor?, _ dy: Tensor, _ saved: Saved
    ) -> (Tensor?, Tensor, Tensor) {
        let (x, dy, weight) = (x.packed(), dy.packed(), weight?.packed())
        defer { withExtendedLifetime((x, dy, weight)) {} }
        let dx = saved.needs(0) ? Tensor(uninitializedLike: x) : nil
        let (dweight, dbias) = (
            Tensor(uninitialized: [x.shape[1]], x.dtype), Tensor(uninitialized: [x.shape[1]], x.dtype)
        )
        Engine.kernels(x.dtype).batchNormBackward(
            BatchNormShape(x.shape), eps, dy.pointer, x.pointer, weight.map { UnsafeRawPointer($0.pointer) },
            saved.kept(0).pointer, saved.kept(1).pointer, dx?.pointer, dweight.pointer, dbias.pointer)
        return (dx, dweight, dbias)
    }

    /// The same in tensor ops, for the gradient's own gradient.
    private func recordedGradient(_ x: Tensor, _ weight: Tensor?, _ dy: Tensor) -> (Tensor, Tensor, Tensor) {
        let dims = [0] + Array(2..<x.rank)
        let centred = x - x.mean(dims: dims, keepdim: true)
        let scale = (centred.square().mean(dims: dims, keepdim: true) + eps).rsqrt()
        let normalized = centred * scale
        let g = weight.map { dy * $0.reshape([1, -1] + [Int](repeating: 1, count: x.rank - 2)) } ?? dy
        let shift = g.mean(dims: dims, keepdim: true)
        let slope = (g * normalized).mean(dims: dims, keepdim: true)
        return (scale * (g - shift - normalized * slope), (dy * normalized).sum(dims: dims), dy.sum(dims: dims))
    }
}

/// `x · scale + shift` with a number of each for every channel of [N, C, …]; scale and shift are [C].
struct ChannelAffine: Primitive {
    var saves: Saves { [.input0, .input1] }

    func forward(_ x: [Tensor]) -> Tensor {
        let (x, scale, shift) = (x[0].packed(), x[1].packed(), x[2].packed())
        defer { withExtendedLifetime((x, scale, shift)) {} }
        let y = Tensor(uninitializedLike: x)
        Engine.kernels(x.dtype).channelAffine(
            BatchNormShape(x.shape), x.pointer, scale.pointer, shift.pointer, y.pointer)
        return y
    }

    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let dims = [0] + Array(2..<dy.rank)
        let scale = saved.input(1).reshape([1, -1] + [Int](repeating: 1, count: dy.rank - 2))
        return [
            saved.needs(0) ? dy * scale : nil, saved.needs(1) ? (dy * saved.x).sum(dims: dims) : nil,
            saved.needs(2) ? dy.sum(dims: dims) : nil,
        ]
    }
}

extension BatchNormShape {
    /// [N, C, …] as planes.
    init(_ shape: [Int]) { self.init(batch: shape[0], channels: shape[1], area: shape[2...].reduce(1, *)) }
}

extension Tensor {
    /// `(x − mean) / √(var + ε) · weight + bias` for each channel (dimension 1), mean and variance over all other
    /// dimensions; running statistics move towards them, the variance unbiased. See `F.batchNorm`.
    public static func batchNormTraining(
        _ x: Tensor, runningMean: Tensor?, runningVar: Tensor?, weight: Tensor?, bias: Tensor?, momentum: Double,
        eps: Double, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        checkChannels("batchNorm", x, [runningMean, runningVar, weight, bias], site)
        if x.rank == 2 {
            // Channels as rows: a kernel that walks along them reads memory in order.
            let y = batchNormTraining(
                x.transpose(0, 1).unsqueeze(0), runningMean: runningMean, runningVar: runningVar, weight: weight,
                bias: bias, momentum: momentum, eps: eps, file: file, line: line)
            return y.squeeze(0).transpose(0, 1)
        }
        let count = x.shape[1] == 0 ? x.shape[0] : x.count / x.shape[1]
        require(count > 1, "batchNorm: one value per channel in training, shape \(x.shape)", site)
        let primitive = BatchNorm(eps: eps, hasWeight: weight != nil, hasBias: bias != nil)
        let parameters = [weight, bias].compactMap { $0 }
        var (y, kept) = record(keeping: primitive, [x] + parameters, at: site)
        if !kept[1].isAllFinite {
            // Squares beyond the type's range: a power of two is taken out of such channels, which leaves numbers so
            // large that ε does not count.
            let others = [0] + Array(2..<x.rank)
            let channels = x.shape.indices.map { $0 == 1 ? x.shape[1] : 1 }
            let large = kept[1].isFinite().logicalNot().reshape(channels)
            let scale = Tensor.where(large, x.binades(others) * 0x1p-32, .number(1, x.dtype))
            (y, kept) = record(keeping: primitive, [x / scale] + parameters, at: site)
            let factor = scale.reshape([-1])
            kept = [kept[0] * factor, kept[1] * factor * factor]
        }
        noGrad {
            if let runningMean { runningMean.copy_(runningMean * (1 - momentum) + kept[0] * momentum) }
            if let runningVar {
                let unbiased = kept[1] * (Double(count) / Double(count - 1))
                runningVar.copy_(runningVar * (1 - momentum) + unbiased * momentum)
            }
        }
        return y
    }

    /// `(x − mean) / √(var + ε) · weight + bias` for each channel (dimension 1) with given statistics, constants for
    /// gradients. See `F.batchNorm`.
    public static func batchNormInference(
        _ x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor?, bias: Tensor?, eps: Double,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        checkChannels("batchNorm", x, [mean, variance, weight, bias], site)
        var scale = (variance.detach() + eps).rsqrt()
        if let weight { scale = scale * weight }
        let shift = -mean.detach() * scale
        return ChannelAffine()(x, scale, bias.map { shift + $0 } ?? shift, at: site)
    }

    private static func checkChannels(_ op: String, _ x: Tensor, _ parameters: [Tensor?], _ site: SourceSite) {
        require(x.rank >= 2, "\(op): expected [N, C, …], got \(x.shape)", site)
        for case let parameter? in parameters {
            require(
                parameter.shape == [x.shape[1]] && parameter.dtype == x.dtype,
                "\(op): input \(x.shape) of \(x.dtype) has \(x.shape[1]) channels; a statistic, weight or bias is "
                    + "\(parameter.shape) of \(parameter.dtype)", site)
        }
    }
}

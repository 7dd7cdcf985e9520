// Softmax and the losses of classification.
import Kernels

/// Softmax along a dimension, or its logarithm. The gradient is y · (dy − Σ dy·y), or dy − e^y · Σ dy.
struct Softmax: Primitive {
    let dim: Int
    let logarithm: Bool
    var name: String { logarithm ? "LogSoftmax" : "Softmax" }
    var saves: Saves { .output }

    func forward(_ x: [Tensor]) -> Tensor {
        let source = x[0].packed()
        defer { withExtendedLifetime(source) {} }
        let y = Tensor(uninitializedLike: source)
        let (outer, length, inner) = extents(source.shape)
        Engine.kernels(y.dtype).softmax(
            logarithm, outer, length, inner, UnsafeRawPointer(source.pointer), y.pointer)
        return y
    }

    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let y = saved.y
        if GradMode.isEnabled {
            return logarithm
                ? [dy - y.exp() * dy.sum(dim: dim, keepdim: true)]
                : [y * (dy - (dy * y).sum(dim: dim, keepdim: true))]
        }
        let (outer, length, inner) = extents(y.shape)
        let gradient = dy.packed()
        defer { withExtendedLifetime(gradient) {} }
        let dx = Tensor(uninitializedLike: y)
        Engine.kernels(y.dtype).softmaxBackward(
            logarithm, outer, length, inner, UnsafeRawPointer(gradient.pointer), UnsafeRawPointer(y.pointer), dx.pointer
        )
        return [dx]
    }

    private func extents(_ shape: [Int]) -> (Int, Int, Int) {
        (shape[..<dim].reduce(1, *), shape[dim], shape[(dim + 1)...].reduce(1, *))
    }
}

extension Tensor {
    /// `e^x / Σ e^x` along `dim`. Mirrors `torch.softmax`.
    ///
    /// The largest element is taken off first. A float32 result of n elements that span D = max − min is off by at most
    /// (2D + n + 10)·u of itself, u = 2⁻²⁴, on every instruction set: D·u by the difference, 4u by the exponential, both
    /// once more and n·u by the sum, u by the quotient.
    public func softmax(dim: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        softmax(dim, false, "softmax", SourceSite(file, line))
    }
    /// `x − ln Σ e^x` along `dim`. Mirrors `torch.log_softmax`.
    public func logSoftmax(dim: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        softmax(dim, true, "logSoftmax", SourceSite(file, line))
    }

    private func softmax(_ dim: Int, _ logarithm: Bool, _ op: StaticString, _ site: SourceSite) -> Tensor {
        let axis = normalized(dim, op, site)
        let x = real
        if rank == 0 { return Softmax(dim: 0, logarithm: logarithm)(x.reshape([1]), at: site).reshape([]) }
        return Softmax(dim: axis, logarithm: logarithm)(x, at: site)
    }

    /// How a loss's elements become its value.
    public enum Reduction: String, Sendable { case none, mean, sum }

    /// The element of each row's log-probabilities at its class, negated: input [N, C], [C] or [N, C, d…], target int64
    /// [N], [] or [N, d…]. `mean` divides by the sum of the classes' weights; rows of `ignoreIndex` do not count.
    /// Mirrors `torch.nn.functional.nll_loss`.
    public static func nllLoss(
        _ input: Tensor, _ target: Tensor, weight: Tensor? = nil, ignoreIndex: Int = -100,
        reduction: Reduction = .mean, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let classDim = input.rank == 1 ? 0 : 1
        var expected = input.shape
        if input.rank > 0 { expected.remove(at: classDim) }
        require(
            input.rank > 0 && target.shape == expected,
            "nllLoss: target \(target.shape) does not fit input \(input.shape), expected \(expected)", site)
        require(target.dtype == .int64, "nllLoss: the target is \(target.dtype), not int64", site)
        let classes = input.shape[classDim]
        require(
            weight == nil || weight!.shape == [classes],
            "nllLoss: weight \(weight?.shape ?? []) does not fit the \(classes) classes", site)
        let labels = target.array(Int.self)
        var ignored = [Bool](repeating: false, count: labels.count)
        for (index, label) in labels.enumerated() {
            ignored[index] = label == ignoreIndex
            require(
                ignored[index] || (label >= 0 && label < classes),
                "nllLoss: target \(label) is not one of the \(classes) classes", site)
        }
        let places = Tensor(zip(labels, ignored).map { $1 ? 0 : $0 }, shape: target.shape)
        let picked = Gather(dim: classDim, index: places.unsqueeze(classDim))(input, at: site)
            .squeeze(classDim, file: file, line: line)
        let counted = Tensor(ignored.map { !$0 }, shape: target.shape)
        var scale = counted.to(input.dtype)
        if let weight {
            scale = scale * weight.detach().indexSelect(dim: 0, index: places.flatten()).reshape(target.shape)
        }
        // A place that does not count is 0, even where the input is infinite.
        let zero = Tensor.number(0, input.dtype)
        let losses = ignored.contains(true) ? Tensor.where(counted, -(picked * scale), zero) : -(picked * scale)
        switch reduction {
        case .none: return losses
        case .sum: return losses.sum(file: file, line: line)
        case .mean: return losses.sum(file: file, line: line) / scale.sum()
        }
    }

    /// Cross-entropy of logits [N, C], [C] or [N, C, d…] with int64 classes [N], [] or [N, d…], or with probabilities of
    /// the logits' shape. Mirrors `torch.nn.functional.cross_entropy`.
    public static func crossEntropy(
        _ input: Tensor, _ target: Tensor, weight: Tensor? = nil, ignoreIndex: Int = -100,
        reduction: Reduction = .mean, labelSmoothing: Double = 0, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(input.rank > 0, "crossEntropy: the input is 0-d", site)
        let classDim = input.rank == 1 ? 0 : 1
        let classes = Double(input.shape[classDim])
        let logProbabilities = input.logSoftmax(dim: classDim, file: file, line: line)
        var classShape = [Int](repeating: 1, count: input.rank)
        classShape[classDim] = input.shape[classDim]
        if target.dtype.isFloatingPoint {
            require(
                target.shape == input.shape,
                "crossEntropy: probabilities \(target.shape) do not fit input \(input.shape)", site)
            let smoothed = labelSmoothing == 0 ? target : target * (1 - labelSmoothing) + labelSmoothing / classes
            var terms = -(logProbabilities * smoothed)
            if let weight { terms = terms * weight.reshape(classShape) }
            let losses = terms.sum(dim: classDim)
            switch reduction {
            case .none: return losses
            case .sum: return losses.sum()
            case .mean: return losses.sum() / Double(input.rank == 1 ? 1 : input.count / input.shape[classDim])
            }
        }
        let exact = nllLoss(
            logProbabilities, target, weight: weight, ignoreIndex: ignoreIndex, reduction: reduction, file: file,
            line: line)
        if labelSmoothing == 0 { return exact }
        let counted = target.ne(ignoreIndex).to(input.dtype)
        let weighted = weight.map { logProbabilities * $0.reshape(classShape) } ?? logProbabilities
        var smooth = -weighted.sum(dim: classDim) * counted
        switch reduction {
        case .none: break
        case .sum: smooth = smooth.sum()
        case .mean:
            let places = Tensor.where(target.eq(ignoreIndex), Tensor(0), target)
            let scale = weight.map { counted * $0.indexSelect(dim: 0, index: places.flatten()).reshape(target.shape) }
            smooth = smooth.sum() / (scale ?? counted).sum()
        }
        return exact * (1 - labelSmoothing) + smooth * (labelSmoothing / classes)
    }
}

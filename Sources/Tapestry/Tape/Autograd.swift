// What users call to get gradients.

extension Tensor {
    /// Replays the tape from this tensor and adds what arrives at leaves to their `grad`.
    ///
    /// The graph is freed unless `retainGraph`; with `createGraph` the gradients are on the tape themselves, for
    /// gradients of gradients. Traps if this tensor does not require gradients, or is not a single number and no
    /// `gradient` of its shape is given. Mirrors `Tensor.backward`.
    public func backward(
        gradient: Tensor? = nil, retainGraph: Bool? = nil, createGraph: Bool = false, file: StaticString = #fileID,
        line: UInt = #line
    ) {
        let site = SourceSite(file, line)
        Replay.backward(
            [(self, startingGradient(gradient, "backward", site))], retainGraph: retainGraph ?? createGraph,
            createGraph: createGraph)
    }

    /// The gradient of this tensor that a replay starts with.
    func startingGradient(_ gradient: Tensor?, _ op: StaticString, _ site: SourceSite) -> Tensor {
        require(requiresGrad, "\(op): the tensor of shape \(shape) does not require gradients", site)
        guard let gradient else {
            require(
                count == 1, "\(op): the tensor of shape \(shape) is not a single number; give its gradient", site)
            return Tensor.ones(like: self)
        }
        require(
            gradient.shape == shape && gradient.dtype == dtype,
            "\(op): the gradient is \(gradient.shape) \(gradient.dtype), the tensor \(shape) \(dtype)", site)
        return gradient
    }

    /// Calls `hook` with this tensor's gradient whenever one is computed; what it returns, if anything, replaces the
    /// gradient. Remove it with the handle. Mirrors `Tensor.register_hook`.
    @discardableResult
    public func registerHook(_ hook: @escaping (Tensor) -> Tensor?) -> HookHandle {
        if let node = gradientNode {
            let key = (node.hooks?.keys.max() ?? -1) + 1
            node.hooks = (node.hooks ?? [:]).merging([key: hook]) { $1 }
            return HookHandle { [weak node] in node?.hooks?[key] = nil }
        }
        let key = (leafHooks?.keys.max() ?? -1) + 1
        leafHooks = (leafHooks ?? [:]).merging([key: hook]) { $1 }
        return HookHandle { [weak self] in self?.leafHooks?[key] = nil }
    }

    /// Keeps the gradient of this intermediate result in `grad` too. Mirrors `Tensor.retain_grad`.
    public func retainGrad() { gradientNode?.retained = self }
}

/// Removes a hook.
public struct HookHandle {
    private let action: () -> Void
    package init(_ action: @escaping () -> Void) { self.action = action }
    /// Takes the hook away; calling it again does nothing.
    public func remove() { action() }
}

/// The gradients of `outputs` with respect to `inputs`, leaves or intermediate results, without touching any `grad`.
///
/// - Parameters:
///   - gradOutputs: the gradients of the outputs; may be left out for single numbers.
///   - allowUnused: an input that no output depends on then has nil instead of trapping.
///
/// Mirrors `torch.autograd.grad`.
public func grad(
    outputs: [Tensor], inputs: [Tensor], gradOutputs: [Tensor?]? = nil, retainGraph: Bool? = nil,
    createGraph: Bool = false, allowUnused: Bool = false, file: StaticString = #fileID, line: UInt = #line
) -> [Tensor?] {
    let site = SourceSite(file, line)
    require(!outputs.isEmpty, "grad: no outputs", site)
    require(
        gradOutputs == nil || gradOutputs!.count == outputs.count,
        "grad: \(outputs.count) outputs, but \(gradOutputs?.count ?? 0) gradients of outputs", site)
    for input in inputs {
        require(input.requiresGrad, "grad: an input of shape \(input.shape) does not require gradients", site)
    }
    let starts = outputs.enumerated().map { ($1, $1.startingGradient(gradOutputs?[$0], "grad", site)) }
    let gradients = Replay.gradients(
        starts, of: inputs, retainGraph: retainGraph ?? createGraph, createGraph: createGraph)
    for (index, gradient) in gradients.enumerated() {
        require(
            gradient != nil || allowUnused, "grad: no output depends on input \(index); pass allowUnused: true", site)
    }
    return gradients
}

/// The gradients of a single number with respect to `inputs`.
public func grad(
    of output: Tensor, _ inputs: [Tensor], retainGraph: Bool? = nil, createGraph: Bool = false,
    file: StaticString = #fileID, line: UInt = #line
) -> [Tensor] {
    grad(
        outputs: [output], inputs: inputs, retainGraph: retainGraph, createGraph: createGraph, file: file, line: line
    ).map { $0! }
}

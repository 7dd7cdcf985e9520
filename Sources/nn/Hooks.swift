// Functions of the user's own around a module's computation. Mirrors torch.nn.Module's hooks.

extension Module {
    /// Sees a module's inputs before `forward`; what it returns, if anything, takes their place.
    public typealias ForwardPreHook = (_ module: Module, _ inputs: [Tensor]) -> [Tensor]?
    /// Sees a module's inputs and outputs after `forward`; what it returns, if anything, replaces the outputs.
    public typealias ForwardHook = (_ module: Module, _ inputs: [Tensor], _ outputs: [Tensor]) -> [Tensor]?
    /// Sees the gradients of a module's inputs and outputs, nil where none flows; what it returns, if anything,
    /// replaces those of the inputs.
    public typealias BackwardHook = (_ module: Module, _ gradInput: [Tensor?], _ gradOutput: [Tensor?]) -> [Tensor?]?

    /// Calls `hook` before each `forward`, until the handle removes it. Mirrors `register_forward_pre_hook`.
    @discardableResult
    public func registerForwardPreHook(_ hook: @escaping ForwardPreHook) -> HookHandle { register(hook, \.forwardPre) }

    /// Calls `hook` after each `forward`, until the handle removes it. Mirrors `register_forward_hook`.
    @discardableResult
    public func registerForwardHook(_ hook: @escaping ForwardHook) -> HookHandle { register(hook, \.forward) }

    /// Calls `hook` in backward once the gradients of all inputs of a call are known (those of its outputs, if no input
    /// needs one), until the handle removes it. Mirrors `register_full_backward_hook`.
    @discardableResult
    public func registerFullBackwardHook(_ hook: @escaping BackwardHook) -> HookHandle { register(hook, \.backward) }

    private func register<Hook>(
        _ hook: Hook, _ list: ReferenceWritableKeyPath<ModuleHooks, HookList<Hook>>
    ) -> HookHandle {
        let hooks = self.hooks ?? ModuleHooks()
        self.hooks = hooks
        let key = hooks[keyPath: list].add(hook)
        return HookHandle { [weak self, weak hooks] in
            guard let hooks else { return }
            hooks[keyPath: list].remove(key)
            // Without hooks a call costs nothing more than `forward`.
            if hooks.isEmpty { self?.hooks = nil }
        }
    }

    /// Runs `body` as this module's computation, with its hooks around it. A layer of the user's own that takes or
    /// gives several tensors calls it from its `callAsFunction`; calls with one tensor do it by themselves.
    public func withHooks(_ inputs: [Tensor], _ body: ([Tensor]) -> [Tensor]) -> [Tensor] {
        guard let hooks else { return body(inputs) }
        var inputs = inputs
        for hook in hooks.forwardPre.all {
            guard let changed = hook(self, inputs) else { continue }
            precondition(
                changed.count == inputs.count,
                "\(type(of: self)): a forward pre-hook returned \(changed.count) tensors for \(inputs.count) inputs")
            inputs = changed
        }
        let call = hooks.backward.all.isEmpty || !GradMode.isEnabled ? nil : BackwardCall(self, hooks.backward.all)
        if let call { inputs = call.watch(inputs: inputs) }
        var outputs = body(inputs)
        for hook in hooks.forward.all {
            guard let changed = hook(self, inputs, outputs) else { continue }
            precondition(
                changed.count == outputs.count,
                "\(type(of: self)): a forward hook returned \(changed.count) tensors for \(outputs.count) outputs")
            outputs = changed
        }
        return call?.watch(outputs: outputs) ?? outputs
    }
}

/// A module's hooks, each kind in order of registration.
final class ModuleHooks {
    var forwardPre = HookList<Module.ForwardPreHook>()
    var forward = HookList<Module.ForwardHook>()
    var backward = HookList<Module.BackwardHook>()
    var isEmpty: Bool { forwardPre.all.isEmpty && forward.all.isEmpty && backward.all.isEmpty }
}

struct HookList<Hook> {
    private var entries: [(key: Int, hook: Hook)] = []
    private var nextKey = 0
    var all: [Hook] { entries.map(\.hook) }

    mutating func add(_ hook: Hook) -> Int {
        defer { nextKey += 1 }
        entries.append((nextKey, hook))
        return nextKey
    }
    mutating func remove(_ key: Int) { entries.removeAll { $0.key == key } }
}

/// One call of a module whose gradients are watched: the outputs' come first, then the inputs'.
private final class BackwardCall {
    private let module: Module
    private let hooks: [Module.BackwardHook]
    private var inputCount = 0
    private var reachesInputs = false
    private var gradOutput: [Tensor?] = []

    init(_ module: Module, _ hooks: [Module.BackwardHook]) { (self.module, self.hooks) = (module, hooks) }

    func watch(inputs: [Tensor]) -> [Tensor] {
        inputCount = inputs.count
        reachesInputs = inputs.contains { $0.requiresGrad }
        return watched(inputs) { [self] in run($0) }
    }

    func watch(outputs: [Tensor]) -> [Tensor] {
        watched(outputs) { [self] gradients in
            gradOutput = gradients
            if !reachesInputs { _ = run([Tensor?](repeating: nil, count: inputCount)) }
            return gradients
        }
    }

    /// The inputs' gradients after all hooks.
    private func run(_ gradInput: [Tensor?]) -> [Tensor?] {
        hooks.reduce(gradInput) { gradients, hook in
            guard let changed = hook(module, gradients, gradOutput) else { return gradients }
            precondition(
                changed.count == gradients.count,
                "\(type(of: module)): a backward hook returned \(changed.count) gradients for \(gradients.count) inputs"
            )
            return changed
        }
    }

    /// The tensors as they are, such that `change` sees (and may replace) all their gradients at once. Several go
    /// through one tensor, which has its gradient when all of them have theirs; a gradient that does not come is zero
    /// then.
    private func watched(_ tensors: [Tensor], _ change: @escaping ([Tensor?]) -> [Tensor?]) -> [Tensor] {
        let shapes = tensors.map(\.shape)
        let tracked = tensors.indices.filter { tensors[$0].requiresGrad }
        var result = tensors
        if tracked.count == 1 {
            let index = tracked[0]
            // Another node on the tape, so that only what flows through this call is seen.
            result[index] = tensors[index].unsqueeze(0).squeeze(0)
            result[index].registerHook { gradient in
                var gradients = [Tensor?](repeating: nil, count: shapes.count)
                gradients[index] = gradient
                return change(gradients)[index]
            }
        } else if tracked.count > 1 {
            let sizes = tracked.map { tensors[$0].count }
            let joined = Tensor.cat(tracked.map { tensors[$0].reshape([-1]) })
            joined.registerHook { gradient in
                var gradients = [Tensor?](repeating: nil, count: shapes.count)
                for (index, part) in zip(tracked, gradient.split(sizes)) {
                    gradients[index] = part.reshape(shapes[index])
                }
                let changed = change(gradients)
                return Tensor.cat(
                    zip(tracked, sizes).map { changed[$0]?.reshape([-1]) ?? Tensor.zeros([$1], dtype: gradient.dtype) })
            }
            for (index, part) in zip(tracked, joined.split(sizes)) {
                result[index] = part.reshape(shapes[index]).to(tensors[index].dtype)
            }
        }
        return result
    }
}

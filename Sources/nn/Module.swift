// The base of all layers and models.
@_exported import Tapestry

/// A layer or model: parameters, buffers and submodules are its stored properties, `forward` says what it computes.
///
///     final class MLP: nn.Module {
///         let hidden = nn.Linear(784, 128)
///         let out = nn.Linear(128, 10)
///         override func forward(_ x: Tensor) -> Tensor { out(F.relu(hidden(x))) }
///     }
///
/// Properties are found by reflection: a `Tensor` is a parameter (or a buffer, if named in `bufferNames`), a `Module`
/// or an array or dictionary of modules a child; others can be registered by name. Names are those of torch's
/// `state_dict`: the property's name in snake case, joined with points (`layers.0.weight`, `bn1.running_mean`). Mirrors
/// `torch.nn.Module`.
open class Module: CustomStringConvertible {
    /// Whether layers behave as in training (dropout drops, batch norm takes the batch's statistics).
    public var training = true
    /// What was registered by name instead of being a property.
    var registered: [(name: String, member: Member)] = []
    /// What is called around `forward`; nil as long as nothing was registered.
    var hooks: ModuleHooks?

    public init() {}

    /// What the module computes. Subclasses override it; call the module itself, `model(x)`, to run it.
    open func forward(_ x: Tensor) -> Tensor {
        preconditionFailure("\(type(of: self)) does not override forward(_:)")
    }

    /// Runs `forward` and the hooks around it.
    public func callAsFunction(_ x: Tensor) -> Tensor {
        hooks == nil ? forward(x) : withHooks([x]) { [forward($0[0])] }[0]
    }

    /// Names (of properties) of tensors that are state but not trained: running statistics.
    open var bufferNames: Set<String> { [] }
    /// Those of the buffers that `stateDict` leaves out, because they can be computed anew.
    open var nonPersistentBufferNames: Set<String> { [] }

    /// What stands in the brackets when the module is printed: `1, 16, kernel_size=(5, 5)`.
    open var extraDescription: String { "" }

    /// Multiplications with an addition in this module's own products and convolutions (not those of its children),
    /// given what went into a call and came out: what `summary` counts.
    open func multiplyAdds(_ inputs: [Tensor], _ outputs: [Tensor]) -> Int { 0 }

    /// Own tensors and children in order of declaration, inherited ones first.
    open var members: [(name: String, member: Member)] {
        var result: [(String, Member)] = []
        var mirror: Mirror? = Mirror(reflecting: self)
        var levels: [Mirror] = []
        while let level = mirror {
            levels.append(level)
            mirror = level.superclassMirror
        }
        for level in levels.reversed() {
            for (label, value) in level.children {
                guard let label else { continue }
                let name = label.hasPrefix("$__lazy_storage_$_") ? String(label.dropFirst(18)) : label
                let role: Role =
                    !bufferNames.contains(name)
                    ? .parameter : nonPersistentBufferNames.contains(name) ? .nonPersistentBuffer : .buffer
                if let member = Member(value, role) {
                    result.append((snakeCase(name), member))
                }
            }
        }
        return result
    }

    /// Something that a module is made of.
    public enum Member {
        case tensor(Tensor, Role)
        case module(Module)
        /// An array, whose modules are named by their places.
        case list([Module])
        case dictionary([(name: String, module: Module)])

        init?(_ value: Any, _ role: Role) {
            switch value {
            case let tensor as Tensor: self = .tensor(tensor, role)
            case let module as Module: self = .module(module)
            // An empty array or dictionary of anything passes for one of modules.
            case let modules as [Module] where !modules.isEmpty: self = .list(modules)
            case let modules as [String: Module] where !modules.isEmpty:
                self = .dictionary(modules.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
            case let optional as Tensor?:
                guard let tensor = optional else { return nil }
                self.init(tensor, role)
            case let optional as Module?:
                guard let module = optional else { return nil }
                self = .module(module)
            default: return nil
            }
        }
    }

    /// What a tensor is to its module: trained, or state that is not, which `stateDict` has or leaves out.
    public enum Role: Sendable { case parameter, buffer, nonPersistentBuffer }

    // MARK: Registering by name

    /// Adds a tensor that is state but not trained, by its name in `stateDict`; one that is not persistent is left out
    /// there. Under a name that was registered before, it takes that one's place. Traps if the name is a property's, is
    /// empty or has a point in it. Mirrors `register_buffer`.
    public func registerBuffer(_ name: String, _ tensor: Tensor, persistent: Bool = true) {
        register(name, .tensor(tensor, persistent ? .buffer : .nonPersistentBuffer))
    }
    /// Adds a parameter by its name in `stateDict`, see `registerBuffer`. Mirrors `register_parameter`.
    public func registerParameter(_ name: String, _ tensor: Tensor) { register(name, .tensor(tensor, .parameter)) }
    /// Adds a child by its name, see `registerBuffer`. Mirrors `register_module`.
    public func registerModule(_ name: String, _ module: Module) { register(name, .module(module)) }

    private func register(_ name: String, _ member: Member) {
        precondition(!name.isEmpty && !name.contains("."), "\(type(of: self)): '\(name)' is no name for a member")
        precondition(
            !members.contains { $0.name == name }, "\(type(of: self)): there is a property named '\(name)' already")
        registered.removeAll { $0.name == name }
        registered.append((name, member))
    }

    /// The module at a path, nil if there is none: `getSubmodule("layers.0.linear")`. Mirrors `get_submodule`.
    public func getSubmodule(_ target: String) -> Module? { namedModules().first { $0.name == target }?.module }
    /// The parameter at a path, nil if there is none. Mirrors `get_parameter`.
    public func getParameter(_ target: String) -> Tensor? {
        namedTensors(prefix: "").first { $0.name == target && $0.role == .parameter }?.tensor
    }
    /// The buffer at a path, nil if there is none. Mirrors `get_buffer`.
    public func getBuffer(_ target: String) -> Tensor? {
        namedTensors(prefix: "").first { $0.name == target && $0.role != .parameter }?.tensor
    }

    // MARK: Walking

    /// Direct submodules with their names. Mirrors `named_children`.
    public var namedChildren: [(name: String, module: Module)] {
        (members + registered).flatMap { name, member -> [(name: String, module: Module)] in
            switch member {
            case .tensor: []
            case .module(let module): [(name, module)]
            case .list(let modules): modules.enumerated().map { ("\(name).\($0)", $1) }
            case .dictionary(let modules): modules.map { ("\(name).\($0.name)", $0.module) }
            }
        }
    }

    /// This module and all below it, with their paths; each module once. Mirrors `named_modules`.
    public func namedModules(prefix: String = "") -> [(name: String, module: Module)] {
        var seen = Set<ObjectIdentifier>()
        func walk(_ module: Module, _ path: String) -> [(name: String, module: Module)] {
            guard seen.insert(ObjectIdentifier(module)).inserted else { return [] }
            return [(path, module)] + module.namedChildren.flatMap { walk($1, join(path, $0)) }
        }
        return walk(self, prefix)
    }

    /// This module and all below it.
    public var modules: [Module] { namedModules().map(\.module) }

    /// All parameters with their paths; a shared one once, under its first name. Mirrors `named_parameters`.
    public func namedParameters(prefix: String = "") -> [(name: String, parameter: Tensor)] {
        firstOfEach(namedTensors(prefix: prefix).filter { $0.role == .parameter }).map { ($0.name, $0.tensor) }
    }

    /// All parameters. Mirrors `parameters`.
    public func parameters() -> [Tensor] { namedParameters().map(\.parameter) }

    /// All buffers with their paths; a shared one once, under its first name. Mirrors `named_buffers`.
    public func namedBuffers(prefix: String = "") -> [(name: String, buffer: Tensor)] {
        firstOfEach(namedTensors(prefix: prefix).filter { $0.role != .parameter }).map { ($0.name, $0.tensor) }
    }

    private typealias NamedTensor = (name: String, tensor: Tensor, role: Role)

    private func namedTensors(prefix: String) -> [NamedTensor] {
        ownTensors.map { (join(prefix, $0), $1, $2) }
            + namedChildren.flatMap { $1.namedTensors(prefix: join(prefix, $0)) }
    }

    /// This module's tensors without those of its children.
    var ownTensors: [(name: String, tensor: Tensor, role: Role)] {
        (members + registered).compactMap { name, member in
            if case .tensor(let tensor, let role) = member { (name, tensor, role) } else { nil }
        }
    }

    private func firstOfEach(_ tensors: [NamedTensor]) -> [NamedTensor] {
        var seen = Set<ObjectIdentifier>()
        return tensors.filter { seen.insert(ObjectIdentifier($0.tensor)).inserted }
    }

    /// Calls `body` on every module below this one and on itself, children first. Mirrors `Module.apply`.
    @discardableResult
    public func apply(_ body: (Module) -> Void) -> Self {
        for (_, child) in namedChildren { child.apply(body) }
        body(self)
        return self
    }

    // MARK: Modes and gradients

    /// Sets training mode here and below. Mirrors `Module.train`.
    @discardableResult
    public func train(_ mode: Bool = true) -> Self { apply { $0.training = mode } }

    /// Sets evaluation mode here and below. Mirrors `Module.eval`.
    @discardableResult
    public func eval() -> Self { train(false) }

    /// Forgets the parameters' gradients. Mirrors `Module.zero_grad`.
    public func zeroGrad() { for parameter in parameters() { parameter.grad = nil } }

    /// Makes all parameters gather gradients, or stop. Mirrors `Module.requires_grad_`.
    @discardableResult
    public func requiresGrad(_ value: Bool = true) -> Self {
        for parameter in parameters() { parameter.requiresGrad(value) }
        return self
    }

    /// Stops the parameters here and below from being trained. Optimisers pass over them, for they get no gradients.
    @discardableResult
    public func freeze() -> Self { requiresGrad(false) }
    /// Lets the parameters here and below be trained again.
    @discardableResult
    public func unfreeze() -> Self { requiresGrad(true) }

    /// Casts floating-point parameters and buffers to another dtype. Mirrors `Module.to(dtype)`.
    ///
    /// Parameters keep their identity; their gradients are forgotten.
    @discardableResult
    public func to(_ dtype: DType) -> Self {
        for (_, tensor, _) in namedTensors(prefix: "") where tensor.dtype.isFloatingPoint { tensor.cast(to: dtype) }
        return self
    }

    // MARK: State

    /// Parameters and persistent buffers by name, in order; the tensors themselves, off the tape. A shared one is there
    /// under each of its names. Mirrors `state_dict`.
    public func stateDict(prefix: String = "") -> [(name: String, tensor: Tensor)] {
        namedTensors(prefix: prefix).filter { $0.role != .nonPersistentBuffer }
            .map { (name: $0.name, tensor: $0.tensor.detach()) }
    }

    /// Copies tensors into the parameters and persistent buffers of the same names, converted to their dtypes. Mirrors
    /// `load_state_dict`.
    ///
    /// - Returns: What is missing and unexpected; nothing unless `strict` is false.
    /// - Throws: `StateDictError` naming every missing and unexpected key (unless not `strict`) and every tensor of
    ///   another shape; then nothing has been changed.
    @discardableResult
    public func loadStateDict(
        _ state: [String: Tensor], strict: Bool = true
    ) throws -> (missing: [String], unexpected: [String]) {
        let misfit = misfit(of: state)
        if strict ? !misfit.isEmpty : !misfit.misshapen.isEmpty { throw misfit }
        for (name, tensor, role) in namedTensors(prefix: "") where role != .nonPersistentBuffer {
            if let source = state[name] { tensor.assign(source.detach()) }
        }
        return (misfit.missing, misfit.unexpected)
    }

    /// The same for what another module's `stateDict` gave.
    @discardableResult
    public func loadStateDict(
        _ state: [(name: String, tensor: Tensor)], strict: Bool = true
    ) throws -> (missing: [String], unexpected: [String]) {
        try loadStateDict(Dictionary(state.map { ($0.name, $0.tensor) }) { $1 }, strict: strict)
    }

    /// How tensors differ from what `loadStateDict` would take.
    package func misfit(of state: [String: Tensor]) -> StateDictError {
        let own = namedTensors(prefix: "").filter { $0.role != .nonPersistentBuffer }
        var error = StateDictError(model: String(describing: type(of: self)))
        for (name, tensor, _) in own {
            guard let source = state[name] else {
                error.missing.append(name)
                continue
            }
            if source.shape != tensor.shape { error.misshapen.append((name, tensor.shape, source.shape)) }
        }
        error.unexpected = Set(state.keys).subtracting(own.map(\.name)).sorted()
        return error
    }

    // MARK: Printing

    /// The tree of modules, as torch prints it.
    public var description: String {
        let children = namedChildrenForPrinting
        return children.isEmpty ? "\(className)(\(extraDescription))" : bracketed(className, children)
    }

    /// Children as `description` lists them; arrays and dictionaries of modules are a level of their own.
    private var namedChildrenForPrinting: [(String, String)] {
        (members + registered).compactMap { name, member in
            switch member {
            case .tensor: nil
            case .module(let module): (name, module.description)
            case .list(let modules): (name, Module.listDescription(modules))
            case .dictionary(let modules): (name, Module.dictionaryDescription(modules))
            }
        }
    }

    /// Equal neighbours in one line, `(0-2): 3 x Linear(…)`, as torch prints its `ModuleList`.
    static func listDescription(_ modules: [Module]) -> String {
        var runs: [(start: Int, count: Int, text: String)] = []
        for (index, module) in modules.enumerated() {
            let text = module.description
            if runs.last?.text == text { runs[runs.count - 1].count += 1 } else { runs.append((index, 1, text)) }
        }
        return bracketed(
            "ModuleList",
            runs.map { start, count, text in
                count == 1 ? ("\(start)", text) : ("\(start)-\(start + count - 1)", "\(count) x \(text)")
            })
    }
    static func dictionaryDescription(_ modules: [(name: String, module: Module)]) -> String {
        bracketed("ModuleDict", modules.map { ($0.name, $0.module.description) })
    }
}

private func bracketed(_ title: String, _ children: [(name: String, text: String)]) -> String {
    if children.isEmpty { return title + "()" }
    return ([title + "("] + children.map { "  (\($0.name)): " + indented($0.text) } + [")"]).joined(separator: "\n")
}

/// What did not fit when weights were loaded.
public struct StateDictError: Error, CustomStringConvertible {
    let model: String
    public var missing: [String] = []
    public var unexpected: [String] = []
    public var misshapen: [(name: String, expected: [Int], found: [Int])] = []

    package var isEmpty: Bool { missing.isEmpty && unexpected.isEmpty && misshapen.isEmpty }

    public var description: String {
        var parts: [String] = []
        if !missing.isEmpty { parts.append("missing keys: " + list(missing)) }
        if !unexpected.isEmpty { parts.append("unexpected keys: " + list(unexpected)) }
        if !misshapen.isEmpty {
            parts.append(list(misshapen.map { "\($0.name) has shape \($0.found), the model's has \($0.expected)" }))
        }
        return "these weights do not fit \(model): " + parts.joined(separator: "; ")
    }

    /// The first few, so that another model's thousand keys still make one readable line.
    private func list(_ items: [String]) -> String {
        items.prefix(6).joined(separator: ", ") + (items.count > 6 ? " and \(items.count - 6) more" : "")
    }
}

private func join(_ path: String, _ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

private func indented(_ text: String) -> String { text.split(separator: "\n").joined(separator: "\n  ") }

/// `runningMean` → `running_mean`.
private func snakeCase(_ name: String) -> String {
    var result = ""
    for character in name {
        if character.isUppercase {
            if !result.isEmpty { result += "_" }
            result += character.lowercased()
        } else {
            result.append(character)
        }
    }
    return result
}

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
/// Properties are found by reflection: a `Tensor` is a parameter (or a buffer, if named in `bufferNames`), a `Module` or
/// an array or dictionary of modules a child. Names are those of torch's `state_dict`: the property's name in
/// snake case, joined with points (`layers.0.weight`, `bn1.running_mean`). Mirrors `torch.nn.Module`.
open class Module: CustomStringConvertible {
    /// Whether layers behave as in training (dropout drops, batch norm takes the batch's statistics).
    public internal(set) var training = true

    public init() {}

    /// What the module computes. Subclasses override it; call the module itself, `model(x)`, to run it.
    open func forward(_ x: Tensor) -> Tensor {
        preconditionFailure("\(type(of: self)) does not override forward(_:)")
    }

    /// Runs `forward`.
    public func callAsFunction(_ x: Tensor) -> Tensor { forward(x) }

    /// Names (of properties) of tensors that are state but not trained: running statistics.
    open var bufferNames: Set<String> { [] }

    /// What stands in the brackets when the module is printed: `1, 16, kernel_size=(5, 5)`.
    open var extraDescription: String { "" }

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
                if let member = Member(value, isBuffer: bufferNames.contains(name)) {
                    result.append((snakeCase(name), member))
                }
            }
        }
        return result
    }

    /// Something that a module is made of.
    public enum Member {
        case parameter(Tensor)
        case buffer(Tensor)
        case module(Module)
        case modules([(name: String, module: Module)])

        init?(_ value: Any, isBuffer: Bool) {
            switch value {
            case let tensor as Tensor: self = isBuffer ? .buffer(tensor) : .parameter(tensor)
            case let module as Module: self = .module(module)
            case let modules as [Module]: self = .modules(modules.enumerated().map { (String($0), $1) })
            case let modules as [String: Module]:
                self = .modules(modules.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
            case let optional as Tensor?:
                guard let tensor = optional else { return nil }
                self = isBuffer ? .buffer(tensor) : .parameter(tensor)
            case let optional as Module?:
                guard let module = optional else { return nil }
                self = .module(module)
            default: return nil
            }
        }
    }

    // MARK: Walking

    /// Direct submodules with their names. Mirrors `named_children`.
    public var namedChildren: [(name: String, module: Module)] {
        members.flatMap { name, member -> [(name: String, module: Module)] in
            switch member {
            case .module(let module): [(name, module)]
            case .modules(let modules): modules.map { ("\(name).\($0.name)", $0.module) }
            default: []
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
        var seen = Set<ObjectIdentifier>()
        return namedTensors(prefix: prefix).compactMap { name, tensor, isBuffer in
            !isBuffer && seen.insert(ObjectIdentifier(tensor)).inserted ? (name, tensor) : nil
        }
    }

    /// All parameters. Mirrors `parameters`.
    public func parameters() -> [Tensor] { namedParameters().map(\.parameter) }

    /// All buffers with their paths. Mirrors `named_buffers`.
    public func namedBuffers(prefix: String = "") -> [(name: String, buffer: Tensor)] {
        namedTensors(prefix: prefix).compactMap { $2 ? ($0, $1) : nil }
    }

    private func namedTensors(prefix: String) -> [(name: String, tensor: Tensor, isBuffer: Bool)] {
        let own = members.compactMap { name, member -> (name: String, tensor: Tensor, isBuffer: Bool)? in
            switch member {
            case .parameter(let tensor): (join(prefix, name), tensor, false)
            case .buffer(let tensor): (join(prefix, name), tensor, true)
            default: nil
            }
        }
        return own + namedChildren.flatMap { $1.namedTensors(prefix: join(prefix, $0)) }
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

    /// Casts floating-point parameters and buffers to another dtype. Mirrors `Module.to(dtype)`.
    ///
    /// Parameters keep their identity; their gradients are forgotten.
    @discardableResult
    public func to(_ dtype: DType) -> Self {
        for (_, tensor, _) in namedTensors(prefix: "") where tensor.dtype.isFloatingPoint { tensor.cast(to: dtype) }
        return self
    }

    // MARK: State

    /// Parameters and buffers by name, in order; the tensors themselves, off the tape. Mirrors `state_dict`.
    public func stateDict(prefix: String = "") -> [(name: String, tensor: Tensor)] {
        namedTensors(prefix: prefix).map { (name: $0.name, tensor: $0.tensor.detach()) }
    }

    /// Copies tensors into the parameters and buffers of the same names.
    ///
    /// - Throws: `StateDictError` naming every missing and unexpected key (unless not `strict`) and every tensor of
    ///   another shape; then nothing has been changed. Mirrors `load_state_dict`.
    public func loadStateDict(_ state: [String: Tensor], strict: Bool = true) throws {
        let own = namedTensors(prefix: "")
        let names = Set(own.map(\.name))
        var error = StateDictError(model: String(describing: type(of: self)))
        for (name, tensor, _) in own {
            guard let source = state[name] else {
                if strict { error.missing.append(name) }
                continue
            }
            if source.shape != tensor.shape { error.misshapen.append((name, tensor.shape, source.shape)) }
        }
        if strict { error.unexpected = state.keys.filter { !names.contains($0) }.sorted() }
        if !error.isEmpty { throw error }
        for (name, tensor, _) in own { if let source = state[name] { tensor.assign(source.detach()) } }
    }

    // MARK: Printing

    /// The tree of modules, as torch prints it.
    public var description: String {
        let children = namedChildrenForPrinting
        let name = String(describing: type(of: self))
        if children.isEmpty { return "\(name)(\(extraDescription))" }
        let lines = children.map { "  (\($0)): " + indented($1) }
        return ([name + "("] + lines + [")"]).joined(separator: "\n")
    }

    /// Children as `description` lists them; arrays of modules are a level of their own.
    var namedChildrenForPrinting: [(String, String)] {
        members.compactMap { name, member in
            switch member {
            case .module(let module): return (name, module.description)
            case .modules(let modules):
                let lines = modules.map { "  (\($0.name)): " + indented($0.module.description) }
                return (name, (["ModuleList("] + lines + [")"]).joined(separator: "\n"))
            default: return nil
            }
        }
    }
}

/// What did not fit when weights were loaded.
public struct StateDictError: Error, CustomStringConvertible {
    let model: String
    public var missing: [String] = []
    public var unexpected: [String] = []
    public var misshapen: [(name: String, expected: [Int], found: [Int])] = []

    var isEmpty: Bool { missing.isEmpty && unexpected.isEmpty && misshapen.isEmpty }

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

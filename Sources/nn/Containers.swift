// Modules made of modules.

/// Modules one after another. Mirrors `torch.nn.Sequential`.
public final class Sequential: Module, ExpressibleByArrayLiteral {
    /// The modules in order; their names are their positions, unless given.
    public private(set) var layers: [Module]
    private var names: [String]

    public init(_ layers: [Module]) {
        self.layers = layers
        names = layers.indices.map(String.init)
    }
    public convenience init(_ layers: Module...) { self.init(layers) }
    public convenience init(arrayLiteral layers: Module...) { self.init(layers) }
    /// With names of its own for the modules: `Sequential([("conv", …), ("relu", …)])`.
    public init(_ layers: [(name: String, module: Module)]) {
        self.layers = layers.map(\.module)
        names = layers.map(\.name)
    }

    /// Adds a module at the end. Mirrors `append`.
    @discardableResult
    public func append(_ layer: Module) -> Self {
        names.append(String(layers.count))
        layers.append(layer)
        return self
    }

    public subscript(index: Int) -> Module {
        get { layers[index] }
        set { layers[index] = newValue }
    }
    public var count: Int { layers.count }

    public override var members: [(name: String, member: Member)] { zip(names, layers).map { ($0, .module($1)) } }

    /// Runs the modules one after another. Where nobody can see it (no hooks), a ReLU before max pooling runs behind it,
    /// on fewer elements, and one behind a convolution in the convolution's own pass: `max` and ReLU commute, so that
    /// values and gradients are the same.
    public override func forward(_ x: Tensor) -> Tensor {
        var x = x
        var index = 0
        while index < layers.count {
            let next = unobserved(index + 1)
            if let relu = unobserved(index) as? ReLU, let pool = next as? MaxPool2d {
                x = relu(pool(x))
                index += 2
            } else if let convolution = unobserved(index) as? Conv2d, next is ReLU,
                !(unobserved(index + 2) is MaxPool2d)
            {
                x = convolution.forward(x, relu: true)
                index += 2
            } else {
                x = layers[index](x)
                index += 1
            }
        }
        return x
    }

    /// The module at a place, if there is one and nobody watches it.
    private func unobserved(_ index: Int) -> Module? {
        index < layers.count && layers[index].hooks == nil ? layers[index] : nil
    }
}

/// A list of modules that a model calls as it likes; their names are their places. Lists grow and change as arrays do.
/// (A property that is an array of modules does as well; a list can be handed around.) Mirrors `torch.nn.ModuleList`.
public final class ModuleList<Element: Module>: Module, RandomAccessCollection, MutableCollection,
    ExpressibleByArrayLiteral
{
    private var layers: [Element]

    public init(_ layers: [Element] = []) { self.layers = layers }
    public convenience init(arrayLiteral layers: Element...) { self.init(layers) }

    public var startIndex: Int { layers.startIndex }
    public var endIndex: Int { layers.endIndex }
    public subscript(index: Int) -> Element {
        get { layers[index] }
        set { layers[index] = newValue }
    }

    /// Adds a module at the end. Mirrors `append`.
    @discardableResult
    public func append(_ layer: Element) -> Self { extend([layer]) }
    /// Adds modules at the end. Mirrors `extend`.
    @discardableResult
    public func extend(_ layers: some Sequence<Element>) -> Self {
        self.layers += layers
        return self
    }
    /// Adds a module before the one at `index`. Mirrors `insert`.
    public func insert(_ layer: Element, at index: Int) { layers.insert(layer, at: index) }
    /// Takes a module out. Mirrors `pop`.
    @discardableResult
    public func remove(at index: Int) -> Element { layers.remove(at: index) }

    public override var members: [(name: String, member: Member)] {
        layers.enumerated().map { (String($0), .module($1)) }
    }
    public override var description: String { Module.listDescription(layers) }
}

/// Modules by name, in the order in which they were added. Mirrors `torch.nn.ModuleDict`.
public final class ModuleDict<Element: Module>: Module, ExpressibleByDictionaryLiteral {
    private var entries: [(name: String, module: Element)] = []

    /// Traps if a name comes twice.
    public init(_ entries: [(name: String, module: Element)] = []) {
        precondition(Set(entries.map(\.name)).count == entries.count, "ModuleDict: a name comes twice")
        self.entries = entries
    }
    public convenience init(dictionaryLiteral elements: (String, Element)...) {
        self.init(elements.map { (name: $0, module: $1) })
    }

    /// The module of a name; setting nil takes it out, a new name adds to the end.
    public subscript(name: String) -> Element? {
        get { entries.first { $0.name == name }?.module }
        set {
            let place = entries.firstIndex { $0.name == name }
            switch (place, newValue) {
            case (let place?, let module?): entries[place].module = module
            case (let place?, nil): entries.remove(at: place)
            case (nil, let module?): entries.append((name, module))
            case (nil, nil): break
            }
        }
    }
    public var count: Int { entries.count }
    /// Names in order.
    public var keys: [String] { entries.map(\.name) }
    /// Modules in order.
    public var values: [Element] { entries.map(\.module) }

    public override var members: [(name: String, member: Member)] { entries.map { ($0.name, .module($0.module)) } }
    public override var description: String {
        Module.dictionaryDescription(entries.map { (name: $0.name, module: $0.module) })
    }
}

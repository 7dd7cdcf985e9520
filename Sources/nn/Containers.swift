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

    public subscript(index: Int) -> Module { layers[index] }
    public var count: Int { layers.count }

    public override var members: [(name: String, member: Member)] { zip(names, layers).map { ($0, .module($1)) } }
    public override func forward(_ x: Tensor) -> Tensor { layers.reduce(x) { $1($0) } }
}

// What a primitive op is, and how calling one records it.

/// One differentiable op: its forward and its gradient in one value.
///
/// The tape does the rest: it records the op if some input needs a gradient, keeps what `saves` names (without a
/// cycle through the op's own output), notices in-place changes of what was saved, calls `gradient` unrecorded in
/// plain backward and recorded when the gradient's own gradient is wanted, and sums gradients of broadcast inputs
/// back to their shapes.
public protocol Primitive: Sendable {
    /// Which of its inputs and its output the gradient reads. Nothing, unless said.
    var saves: Saves { get }
    /// The op's name in errors, profiles and drawn graphs: that of its type, unless said.
    var name: String { get }
    /// The output, a new tensor or a view. Runs unrecorded.
    func forward(_ x: [Tensor]) -> Tensor
    /// The gradients of the inputs, in their order, given that of the output; nil where none flows.
    /// Written in tensor ops, so that it can be differentiated again.
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?]
}

extension Primitive {
    public var saves: Saves { .nothing }

    public var name: String { String(describing: Self.self) }

    /// Applies the op and records it: the one way from an op's public function to the tape.
    @inline(__always)
    func callAsFunction(_ x: Tensor..., at site: SourceSite?) -> Tensor { record(self, x, at: site) }
}

/// Which tensors a primitive keeps for its gradient.
public struct Saves: OptionSet, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let nothing: Saves = []
    public static let input0 = Saves(rawValue: 1)
    public static let input1 = Saves(rawValue: 2)
    public static let input2 = Saves(rawValue: 4)
    /// All inputs, however many.
    public static let inputs = Saves(rawValue: 0x3f)
    /// The first two inputs, when the op multiplies them with each other in whatever way: each is read for the other's
    /// gradient alone, so that it is kept only if that is wanted. A long product with constants keeps no product.
    public static let factors: Saves = [.input0, .input1, Saves(rawValue: 0x40)]
    public static let output = Saves(rawValue: 0x80)

    func contains(input index: Int) -> Bool { rawValue & (1 << UInt8(Swift.min(index, 5))) != 0 }
}

/// A primitive whose forward finds something else that its gradient needs or its caller wants: the places of the
/// maxima, a random mask. Kept tensors have no gradient.
public protocol KeepingPrimitive: Primitive {
    /// The output; what is appended to `kept` can be read with `Saved.kept(_:)`.
    func forward(_ x: [Tensor], keeping kept: inout [Tensor]) -> Tensor
}

extension KeepingPrimitive {
    public func forward(_ x: [Tensor]) -> Tensor {
        var kept: [Tensor] = []
        return forward(x, keeping: &kept)
    }
}

/// Applies a primitive to its inputs and records it on the tape if a gradient may flow through it.
func record(_ primitive: some Primitive, _ inputs: [Tensor], at site: SourceSite?) -> Tensor {
    if Profiler.isActive {
        return Profiler.measure(primitive.name, "forward", inputs, site, { [$0] }) {
            unprofiled(primitive, inputs, site)
        }
    }
    return unprofiled(primitive, inputs, site)
}

@inline(__always)
private func unprofiled(_ primitive: some Primitive, _ inputs: [Tensor], _ site: SourceSite?) -> Tensor {
    let isRecording = GradMode.isEnabled
    let output = GradMode.inside(type(of: primitive)) { primitive.forward(inputs) }
    guard isRecording else { return output }
    return record(primitive, inputs, output, [], site)
}

/// The same for a primitive that keeps something, which is returned too.
func record(
    keeping primitive: some KeepingPrimitive, _ inputs: [Tensor], at site: SourceSite?
) -> (output: Tensor, kept: [Tensor]) {
    func run() -> (output: Tensor, kept: [Tensor]) {
        var kept: [Tensor] = []
        let isRecording = GradMode.isEnabled
        let output = GradMode.inside(type(of: primitive)) { primitive.forward(inputs, keeping: &kept) }
        guard isRecording else { return (output, kept) }
        return (record(primitive, inputs, output, kept, site), kept)
    }
    return Profiler.isActive
        ? Profiler.measure(primitive.name, "forward", inputs, site, { [$0.output] + $0.kept }, run) : run()
}

private func record(
    _ primitive: some Primitive, _ inputs: [Tensor], _ output: Tensor, _ kept: [Tensor], _ site: SourceSite?
) -> Tensor {
    var output = output
    if inputs.contains(where: { $0 === output }) { output = output.alias() }
    if let input = inputs.first, output.storage === input.storage {
        let base = input.viewed?.base ?? input
        output.viewed = Tensor.View(base: base, generation: base.generation)
    }
    if output.dtype.isFloatingPoint, inputs.contains(where: { $0.requiresGrad }) {
        output.producer = Recorded(primitive, inputs, output, keeping: kept, at: site)
    }
    return output
}

/// What the tape kept of a recorded op: given to `Primitive.gradient`.
public struct Saved {
    let node: Node
    /// Which inputs' gradients are wanted, when not all that can be had are.
    let wanted: ((Edge) -> Bool)?

    /// Whether the gradient of an input is wanted at all; computing others is wasted work.
    public func needs(_ index: Int) -> Bool {
        let edge = node.edge(index)
        if case .none = edge { return false }
        return wanted?(edge) ?? true
    }
    /// A saved input.
    public func input(_ index: Int) -> Tensor { node.unpack(index) }
    /// The first input.
    public var x: Tensor { node.unpack(0) }
    /// The output.
    public var y: Tensor { node.unpack(node.inputCount) }
    /// What the forward kept besides.
    public func kept(_ index: Int) -> Tensor { node.kept[index] }
    /// The output's shape.
    public var outputShape: [Int] { node.shape }
    /// The shape of an input, saved or not.
    public func shape(_ index: Int) -> [Int] { node.shape(index) }
}

// A recorded op: what the tape remembers of it.
//
// The tape of a long chain is larger than the processor's caches, so that each op's share of it is time, forward,
// backward and when it is freed. A node is therefore one heap object: its op, what is known of two inputs and what it
// saves of them lie in it, and what few nodes have lies in another one. It takes 128 bytes unless the op has
// parameters; larger ones glibc does not keep ready when they are freed, but merges with their neighbours.
import Synchronization

/// Where a gradient goes: to a recorded op, to a leaf, or nowhere.
enum Edge {
    case none
    case leaf(Tensor)
    case node(Node)
}

/// One recorded op, without the op itself: that is in `Recorded`.
class Node: @unchecked Sendable {  // Safe: changed only by the thread that runs backward over its graph.
    final let sequence: UInt64
    private final var extras: Extras?
    private final let layout: Layout
    final let site: SourceSite?
    private final let storedInputCount: Int32
    private final var first: Slot
    /// Whether what was saved has been dropped by a backward that did not retain the graph.
    private final var isReleased = false
    private final var second: Slot

    private static let counter = Atomic<UInt64>(0)

    /// What is known of an input; after the inputs, the output has a slot too if the op saves it.
    private struct Slot {
        var edge = Edge.none
        let layout: Layout?
        /// The memory, if the op saves this tensor.
        var storage: Storage?
        /// How often that had been changed in place.
        let version: UInt32
        let dtype: DType

        /// A slot that is not used.
        init() { (layout, version, dtype) = (nil, 0, .bool) }

        init(_ tensor: Tensor, isSaved: Bool) {
            layout = tensor.layout
            storage = isSaved ? tensor.storage : nil
            version = tensor.storage.version
            dtype = tensor.dtype
        }
    }

    /// What few nodes have.
    private final class Extras {
        /// Slots from the third on.
        var slots: [Slot] = []
        var kept: [Tensor] = []
        var hooks: [Int: (Tensor) -> Tensor?]?
        weak var retained: Tensor?
    }

    fileprivate init(_ inputs: [Tensor], _ output: Tensor, _ saves: Saves, _ kept: [Tensor], _ site: SourceSite?) {
        sequence = Node.counter.wrappingAdd(1, ordering: .relaxed).newValue
        self.site = site
        layout = output.layout
        storedInputCount = Int32(inputs.count)
        func slot(_ index: Int) -> Slot {
            guard index < inputs.count else { return Slot(output, isSaved: true) }
            let input = inputs[index]
            let isRead = !saves.contains(.factors) || index > 1 || inputs[1 - index].requiresGrad
            var slot = Slot(input, isSaved: isRead && saves.contains(input: index))
            if let node = input.gradientNode {
                slot.edge = .node(node)
            } else if input.isTrainableLeaf {
                slot.edge = .leaf(input)
            }
            return slot
        }
        let count = inputs.count + (saves.contains(.output) ? 1 : 0)
        first = count > 0 ? slot(0) : Slot()
        second = count > 1 ? slot(1) : Slot()
        if count > 2 || !kept.isEmpty {
            let extras = Extras()
            if count > 2 { extras.slots = (2..<count).map(slot) }
            extras.kept = kept
            self.extras = extras
        }
    }

    /// The op's name.
    var name: String { preconditionFailure("a node without an op") }
    /// The gradients of the inputs.
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { preconditionFailure("a node without an op") }

    /// The output's shape.
    final var shape: [Int] { layout.shape }
    final var inputCount: Int { Int(storedInputCount) }
    /// Where the gradient of an input goes.
    final func edge(_ index: Int) -> Edge { index == 0 ? first.edge : index == 1 ? second.edge : further(index).edge }
    final var edges: some Sequence<Edge> { (0..<inputCount).lazy.map { self.edge($0) } }
    /// The shape of an input, saved or not.
    final func shape(_ index: Int) -> [Int] { slot(index).layout!.shape }

    private final func slot(_ index: Int) -> Slot { index == 0 ? first : index == 1 ? second : further(index) }

    private final func further(_ index: Int) -> Slot {
        guard let slots = extras?.slots, index - 2 < slots.count else { return Slot() }
        return slots[index - 2]
    }

    /// What a keeping primitive kept besides.
    final var kept: [Tensor] { extras?.kept ?? [] }
    /// Called with the gradient of this op's output, in order of registration.
    final var hooks: [Int: (Tensor) -> Tensor?]? {
        get { extras?.hooks }
        set { ownExtras.hooks = newValue }
    }
    /// The output tensor, if its gradient is to be kept.
    final var retained: Tensor? {
        get { extras?.retained }
        set { ownExtras.retained = newValue }
    }

    private final var ownExtras: Extras {
        if let extras { return extras }
        let made = Extras()
        extras = made
        return made
    }

    /// A saved tensor, on the tape if recording is on (then its own gradient may be wanted), else off it.
    final func unpack(_ index: Int) -> Tensor {
        guard !isReleased else {
            fail("backward: \(name) was freed by an earlier backward(); pass retainGraph: true to the first", site)
        }
        let slot = slot(index)
        guard let storage = slot.storage, let layout = slot.layout else {
            fail("backward: \(name) reads a tensor that it does not save", site)
        }
        require(
            storage.version == slot.version,
            "backward: a tensor of shape \(layout.shape) that \(name) needs for its gradient was "
                + "changed in place (version \(storage.version), saved at \(slot.version))", site)
        let tensor = Tensor(storage: storage, layout: layout, dtype: slot.dtype)
        if GradMode.isEnabled {
            if index == inputCount {
                tensor.producer = self
            } else {
                switch slot.edge {
                case .none: break
                case .leaf(let leaf): return leaf
                case .node(let node): tensor.producer = node
                }
            }
        }
        return tensor
    }

    /// Drops what was saved for the gradient.
    final func release() {
        if first.storage != nil || second.storage != nil { isReleased = true }
        first.storage = nil
        second.storage = nil
        guard let extras else { return }
        for index in extras.slots.indices where extras.slots[index].storage != nil {
            isReleased = true
            extras.slots[index].storage = nil
        }
        extras.kept = []
    }

    deinit {
        // Iterative: freeing a chain of a million nodes by recursion would overflow the stack.
        var stack: [Node] = []
        takeInputs(into: &stack)
        while var node = stack.popLast() {
            if isKnownUniquelyReferenced(&node) { node.takeInputs(into: &stack) }
        }
    }

    private final func takeInputs(into stack: inout [Node]) {
        for edge in edges {
            if case .node(let node) = edge { stack.append(node) }
        }
        first.edge = .none
        second.edge = .none
        extras?.slots = []
    }
}

/// A node with its op, which lies in it without a box: most ops have no parameters and take no memory.
final class Recorded<Op: Primitive>: Node, @unchecked Sendable {
    private let primitive: Op

    init(
        _ primitive: Op, _ inputs: [Tensor], _ output: Tensor, keeping kept: [Tensor] = [], at site: SourceSite?
    ) {
        self.primitive = primitive
        super.init(inputs, output, primitive.saves, kept, site)
    }

    override var name: String { primitive.name }

    override func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { primitive.gradient(saved, dy) }
}

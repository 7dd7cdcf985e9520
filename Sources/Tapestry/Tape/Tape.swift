// The tape's replay, from the last recorded op to the first.
//
// Recording appends a node with an increasing sequence number; a node's inputs always have smaller numbers than
// the node. So backward needs no sorting of the graph: it takes the node with the largest number among those that
// have a gradient waiting, runs its gradient, hands the results to its inputs, and goes on.

/// One run from outputs back to leaves.
struct Replay {
    /// Nodes that have a gradient waiting, a heap with the largest sequence number on top.
    private var heap: [Node] = []
    private var waiting: [UInt64: Tensor] = [:]
    private var leaves: [Tensor] = []
    private var leafGradients: [ObjectIdentifier: Tensor] = [:]
    /// Gradients of these nodes are handed out instead of being lost (`grad(outputs:inputs:)`).
    private var captured: [UInt64: Tensor] = [:]
    private let retainGraph: Bool
    private let createGraph: Bool
    private var wanted: ((Edge) -> Bool)?

    init(retainGraph: Bool, createGraph: Bool) {
        self.retainGraph = retainGraph
        self.createGraph = createGraph
    }

    /// Replays from `outputs` with their gradients and adds what arrives at leaves to their `grad`.
    static func backward(_ outputs: [(Tensor, Tensor)], retainGraph: Bool, createGraph: Bool) {
        var replay = Replay(retainGraph: retainGraph, createGraph: createGraph)
        GradMode.with(createGraph) {
            replay.run(outputs)
            for leaf in replay.leaves {
                guard let gradient = replay.finishedGradient(of: leaf) else { continue }
                guard leaf.grad != nil else {
                    leaf.grad = gradient
                    continue
                }
                replay.add(gradient, to: &leaf.grad!)
            }
        }
    }

    /// Replays from `outputs` and returns the gradients of `inputs`, leaves or not; leaves' `grad` stays as it is.
    static func gradients(
        _ outputs: [(Tensor, Tensor)], of inputs: [Tensor], retainGraph: Bool, createGraph: Bool
    ) -> [Tensor?] {
        var replay = Replay(retainGraph: retainGraph, createGraph: createGraph)
        replay.wanted = Replay.edgesLeading(from: outputs.map(\.0), to: inputs)
        let targets = Set(inputs.compactMap { $0.gradientNode?.sequence })
        return GradMode.with(createGraph) {
            replay.run(outputs, capturing: targets)
            var leafGradients: [ObjectIdentifier: Tensor] = [:]
            for leaf in replay.leaves {
                leafGradients[ObjectIdentifier(leaf)] = replay.finishedGradient(of: leaf)
            }
            return inputs.map { input in
                if let node = input.gradientNode { return replay.captured[node.sequence] }
                return leafGradients[ObjectIdentifier(input)]
            }
        }
    }

    private mutating func run(_ outputs: [(Tensor, Tensor)], capturing targets: Set<UInt64> = []) {
        for (output, gradient) in outputs {
            if let node = output.gradientNode {
                receive(node, gradient)
            } else if output.isTrainableLeaf {
                receive(leaf: output, gradient)
            }
        }
        while let node = popLast() {
            guard var dy = waiting.removeValue(forKey: node.sequence) else { continue }
            if let hooks = node.hooks { dy = Replay.apply(hooks, to: dy) }
            if let tensor = node.retained { tensor.grad = tensor.grad.map { $0 + dy } ?? dy }
            if targets.contains(node.sequence) { captured[node.sequence] = dy }
            replay(node, dy)
        }
    }

    private mutating func replay(_ node: Node, _ dy: Tensor) {
        if let wanted, !node.edges.contains(where: wanted) { return }
        let gradients =
            Profiler.isActive
            ? Profiler.measure(
                "\(node.name).backward", "backward", [dy], node.site, { $0.compactMap(\.self) }
            ) {
                node.gradient(Saved(node: node, wanted: wanted), dy)
            } : node.gradient(Saved(node: node, wanted: wanted), dy)
        if Anomaly.isEnabled { Anomaly.check(gradients, of: node) }
        if !retainGraph { node.release() }
        for index in gradients.indices {
            guard let gradient = gradients[index] else { continue }
            switch node.edge(index) {
            case .none: break
            case .node(let input): receive(input, fitted(gradient, to: input.shape))
            case .leaf(let leaf): receive(leaf: leaf, fitted(gradient, to: leaf.shape))
            }
        }
    }

    /// Gradients of a broadcast input are summed back to its shape.
    private func fitted(_ gradient: Tensor, to shape: [Int]) -> Tensor {
        gradient.shape == shape ? gradient : gradient.sum(to: shape)
    }

    private mutating func receive(_ node: Node, _ gradient: Tensor) {
        if let wanted, !wanted(.node(node)) { return }
        if var sum = waiting.removeValue(forKey: node.sequence) {
            add(gradient, to: &sum)
            waiting[node.sequence] = sum
        } else {
            waiting[node.sequence] = gradient
            push(node)
        }
    }

    private mutating func receive(leaf: Tensor, _ gradient: Tensor) {
        let id = ObjectIdentifier(leaf)
        if var sum = leafGradients.removeValue(forKey: id) {
            add(gradient, to: &sum)
            leafGradients[id] = sum
        } else {
            leafGradients[id] = gradient
            leaves.append(leaf)
        }
    }

    /// What arrived at a leaf, after its hooks; memory of its own, since the user may change it in place.
    private mutating func finishedGradient(of leaf: Tensor) -> Tensor? {
        guard var gradient = leafGradients.removeValue(forKey: ObjectIdentifier(leaf)) else { return nil }
        if let hooks = leaf.leafHooks { gradient = Replay.apply(hooks, to: gradient) }
        if createGraph { return gradient }
        return Replay.isExclusive(&gradient) ? gradient : gradient.copied()
    }

    /// `sum += gradient`: into the same memory if nobody else can see it, else into new memory.
    private func add(_ gradient: Tensor, to sum: inout Tensor) {
        if !createGraph, gradient.shape == sum.shape, gradient.dtype == sum.dtype, Replay.isExclusive(&sum) {
            sum.accumulate(gradient)
        } else {
            sum = sum + gradient
        }
    }

    private static func isExclusive(_ tensor: inout Tensor) -> Bool {
        isKnownUniquelyReferenced(&tensor) && isKnownUniquelyReferenced(&tensor.storage) && tensor.isContiguous
    }

    private static func apply(_ hooks: [Int: (Tensor) -> Tensor?], to gradient: Tensor) -> Tensor {
        hooks.sorted { $0.key < $1.key }.reduce(gradient) { $1.value($0) ?? $0 }
    }

    /// Which edges lie on a way from `outputs` to `inputs`: the gradients of all others are not computed.
    private static func edgesLeading(from outputs: [Tensor], to inputs: [Tensor]) -> (Edge) -> Bool {
        let targets = Set(inputs.compactMap { $0.gradientNode?.sequence })
        let leaves = Set(inputs.filter { $0.gradientNode == nil }.map { ObjectIdentifier($0) })
        var reached: [UInt64: Node] = [:]
        var stack = outputs.compactMap(\.gradientNode)
        while let node = stack.popLast() {
            guard reached.updateValue(node, forKey: node.sequence) == nil else { continue }
            for edge in node.edges {
                if case .node(let node) = edge { stack.append(node) }
            }
        }
        var leading = targets
        func leads(_ edge: Edge) -> Bool {
            switch edge {
            case .none: false
            case .leaf(let leaf): leaves.contains(ObjectIdentifier(leaf))
            case .node(let node): leading.contains(node.sequence)
            }
        }
        for (sequence, node) in reached.sorted(by: { $0.key < $1.key })
        where node.edges.contains(where: leads) {
            leading.insert(sequence)
        }
        return { [leading] edge in
            switch edge {
            case .none: false
            case .leaf(let leaf): leaves.contains(ObjectIdentifier(leaf))
            case .node(let node): leading.contains(node.sequence)
            }
        }
    }

    // MARK: The heap

    private mutating func push(_ node: Node) {
        heap.append(node)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if heap[parent].sequence >= heap[child].sequence { break }
            heap.swapAt(parent, child)
            child = parent
        }
    }

    private mutating func popLast() -> Node? {
        guard let top = heap.first else { return nil }
        let last = heap.removeLast()
        if heap.isEmpty { return top }
        heap[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            if child >= heap.count { break }
            if child + 1 < heap.count, heap[child + 1].sequence > heap[child].sequence { child += 1 }
            if heap[parent].sequence >= heap[child].sequence { break }
            heap.swapAt(parent, child)
            parent = child
        }
        return top
    }
}

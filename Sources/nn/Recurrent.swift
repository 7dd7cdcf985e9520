// Recurrent layers and their cells. Mirrors torch.nn: names, order of gates and of random draws.

/// One step of a recurrent layer: weights of input and state, gates stacked.
public class RecurrentCell: Module {
    public let inputSize, hiddenSize: Int
    /// [gates · hidden, input], [gates · hidden, hidden], [gates · hidden] twice.
    public let weightIh, weightHh: Tensor
    public let biasIh, biasHh: Tensor?

    init(_ inputSize: Int, _ hiddenSize: Int, gates: Int, bias: Bool) {
        (self.inputSize, self.hiddenSize) = (inputSize, hiddenSize)
        let bound = 1 / Double(max(hiddenSize, 1)).squareRoot()
        func weights(_ shape: [Int]) -> Tensor {
            `init`.uniform_(Tensor.empty(shape), a: -bound, b: bound).requiresGrad()
        }
        weightIh = weights([gates * hiddenSize, inputSize])
        weightHh = weights([gates * hiddenSize, hiddenSize])
        biasIh = bias ? weights([gates * hiddenSize]) : nil
        biasHh = bias ? weights([gates * hiddenSize]) : nil
    }
    fileprivate func zeroState(_ x: Tensor) -> Tensor {
        Tensor.zeros(Array(x.shape.dropLast()) + [hiddenSize], dtype: x.dtype)
    }
    fileprivate func gates(_ x: Tensor, _ h: Tensor) -> (input: Tensor, state: Tensor) {
        (F.linear(x, weightIh, bias: biasIh), F.linear(h, weightHh, bias: biasHh))
    }
    public override var extraDescription: String {
        "\(inputSize), \(hiddenSize)" + (biasIh == nil ? ", bias=False" : "")
    }
    public override func multiplyAdds(_ inputs: [Tensor], _ outputs: [Tensor]) -> Int {
        inputs[0].count / max(1, inputSize) * (weightIh.count + weightHh.count)
    }
}

/// tanh (or ReLU) of input and state. Mirrors `torch.nn.RNNCell` (Elman, 1990).
public final class RNNCell: RecurrentCell {
    let relu: Bool
    public override var extraDescription: String { super.extraDescription + (relu ? ", nonlinearity=relu" : "") }
    public init(_ inputSize: Int, _ hiddenSize: Int, bias: Bool = true, relu: Bool = false) {
        self.relu = relu
        super.init(inputSize, hiddenSize, gates: 1, bias: bias)
    }
    public func callAsFunction(_ x: Tensor, _ h: Tensor? = nil) -> Tensor {
        withHooks([x, h ?? zeroState(x)]) { [step($0[0], $0[1])] }[0]
    }
    public override func forward(_ x: Tensor) -> Tensor { step(x, zeroState(x)) }
    private func step(_ x: Tensor, _ h: Tensor) -> Tensor {
        let (a, b) = gates(x, h)
        return relu ? (a + b).relu() : (a + b).tanh()
    }
}

/// Gates: reset, update, new. Mirrors `torch.nn.GRUCell` (Cho et al., 2014).
public final class GRUCell: RecurrentCell {
    public init(_ inputSize: Int, _ hiddenSize: Int, bias: Bool = true) {
        super.init(inputSize, hiddenSize, gates: 3, bias: bias)
    }
    public func callAsFunction(_ x: Tensor, _ h: Tensor? = nil) -> Tensor {
        withHooks([x, h ?? zeroState(x)]) { [step($0[0], $0[1])] }[0]
    }
    public override func forward(_ x: Tensor) -> Tensor { step(x, zeroState(x)) }
    private func step(_ x: Tensor, _ h: Tensor) -> Tensor {
        let (a, b) = gates(x, h)
        return gruStep(a, b, h)
    }
}

/// Gates: input, forget, cell, output. Mirrors `torch.nn.LSTMCell` (Hochreiter & Schmidhuber, 1997).
public final class LSTMCell: RecurrentCell {
    public init(_ inputSize: Int, _ hiddenSize: Int, bias: Bool = true) {
        super.init(inputSize, hiddenSize, gates: 4, bias: bias)
    }
    public func callAsFunction(_ x: Tensor, _ state: (h: Tensor, c: Tensor)? = nil) -> (h: Tensor, c: Tensor) {
        let state = state ?? (zeroState(x), zeroState(x))
        let outputs = withHooks([x, state.h, state.c]) {
            let (a, b) = gates($0[0], $0[1])
            let (h, c) = lstmStep(a + b, $0[2])
            return [h, c]
        }
        return (outputs[0], outputs[1])
    }
}

/// `n = tanh(xₙ + r · hₙ)`, `h′ = (1 − z) n + z h`.
private func gruStep(_ a: Tensor, _ b: Tensor, _ h: Tensor) -> Tensor {
    let (x, s) = (a.chunk(3, dim: -1), b.chunk(3, dim: -1))
    let reset = (x[0] + s[0]).sigmoid()
    let update = (x[1] + s[1]).sigmoid()
    let new = (x[2] + reset * s[2]).tanh()
    return new + update * (h - new)
}

/// `c′ = σ(f) c + σ(i) tanh(g)`, `h′ = σ(o) tanh(c′)`.
private func lstmStep(_ gates: Tensor, _ c: Tensor) -> (h: Tensor, c: Tensor) {
    let g = gates.chunk(4, dim: -1)
    let cell = g[1].sigmoid() * c + g[0].sigmoid() * g[2].tanh()
    return (g[3].sigmoid() * cell.tanh(), cell)
}

/// Layers of recurrent steps over sequences [L, N, input] ([N, L, input] with `batchFirst`, [L, input] for one).
public class RecurrentLayer: Module {
    enum Kind { case tanh, relu, gru, lstm }
    public let inputSize, hiddenSize, numLayers, projSize: Int
    public let batchFirst, bidirectional: Bool
    /// The probability with which outputs of every layer but the last are dropped in training.
    public let dropout: Double
    let kind: Kind
    private var weights: [(name: String, tensor: Tensor)] = []

    init(
        _ kind: Kind, _ inputSize: Int, _ hiddenSize: Int, numLayers: Int, bias: Bool, batchFirst: Bool,
        dropout: Double, bidirectional: Bool, projSize: Int = 0
    ) {
        precondition(dropout >= 0 && dropout <= 1, "recurrent layer: probability \(dropout) is not between 0 and 1")
        self.dropout = dropout
        (self.kind, self.inputSize, self.hiddenSize) = (kind, inputSize, hiddenSize)
        (self.numLayers, self.batchFirst, self.bidirectional, self.projSize) = (
            numLayers, batchFirst, bidirectional, projSize
        )
        super.init()
        let gates = kind == .lstm ? 4 : kind == .gru ? 3 : 1
        let bound = 1 / Double(max(hiddenSize, 1)).squareRoot()
        let outSize = projSize > 0 ? projSize : hiddenSize
        let directions = bidirectional ? 2 : 1
        for layer in 0..<numLayers {
            for direction in 0..<directions {
                let suffix = "_l\(layer)" + (direction == 1 ? "_reverse" : "")
                var shapes = [
                    ("weight_ih", [gates * hiddenSize, layer == 0 ? inputSize : outSize * directions]),
                    ("weight_hh", [gates * hiddenSize, outSize]),
                ]
                if bias { shapes += [("bias_ih", [gates * hiddenSize]), ("bias_hh", [gates * hiddenSize])] }
                if projSize > 0 { shapes.append(("weight_hr", [projSize, hiddenSize])) }
                for (name, shape) in shapes {
                    weights.append(
                        (name + suffix, `init`.uniform_(Tensor.empty(shape), a: -bound, b: bound).requiresGrad()))
                }
            }
        }
    }

    public override var members: [(name: String, member: Member)] {
        weights.map { ($0.name, .tensor($0.tensor, .parameter)) }
    }
    private var hasBias: Bool { weights.contains { $0.name.hasPrefix("bias") } }
    private func weight(_ name: String) -> Tensor? { weights.first { $0.name == name }?.tensor }

    /// The output alone, from zero states: so that a recurrent layer can stand in a `Sequential`.
    public override func forward(_ x: Tensor) -> Tensor { run(x, nil, nil).output }

    /// A call with states, if given: output and final states.
    func callWithHooks(_ x: Tensor, _ states: [Tensor]) -> [Tensor] {
        withHooks([x] + states) {
            let (output, h, c) = run($0[0], $0.count > 1 ? $0[1] : nil, $0.count > 2 ? $0[2] : nil)
            return kind == .lstm ? [output, h, c] : [output, h]
        }
    }

    /// All steps of all layers: output, final h, final c.
    private func run(_ input: Tensor, _ h0: Tensor?, _ c0: Tensor?) -> (output: Tensor, h: Tensor, c: Tensor) {
        let isSingle = input.rank == 2
        var x = isSingle ? input.unsqueeze(1) : batchFirst ? input.transpose(0, 1) : input
        let (batch, directions) = (x.shape[1], bidirectional ? 2 : 1)
        let outSize = projSize > 0 ? projSize : hiddenSize
        func initial(_ given: Tensor?, _ index: Int, _ size: Int) -> Tensor {
            guard let given else { return Tensor.zeros([batch, size], dtype: x.dtype) }
            let state = given.select(dim: 0, index: index)
            return isSingle ? state.unsqueeze(0) : state
        }
        var (finalH, finalC): ([Tensor], [Tensor]) = ([], [])
        for layer in 0..<numLayers {
            var outputs: [Tensor] = []
            for direction in 0..<directions {
                let suffix = "_l\(layer)" + (direction == 1 ? "_reverse" : "")
                let index = layer * directions + direction
                var (h, c) = (initial(h0, index, outSize), initial(c0, index, hiddenSize))
                let weightHh = weight("weight_hh" + suffix)!
                let (biasHh, project) = (weight("bias_hh" + suffix), weight("weight_hr" + suffix))
                // The input's share of all steps at once.
                let shares = F.linear(x, weight("weight_ih" + suffix)!, bias: weight("bias_ih" + suffix)).unbind(dim: 0)
                var steps: [Tensor] = []
                for share in direction == 0 ? shares : shares.reversed() {
                    let state = F.linear(h, weightHh, bias: biasHh)
                    switch kind {
                    case .tanh: h = (share + state).tanh()
                    case .relu: h = (share + state).relu()
                    case .gru: h = gruStep(share, state, h)
                    case .lstm:
                        (h, c) = lstmStep(share + state, c)
                        if let project { h = F.linear(h, project) }
                    }
                    steps.append(h)
                }
                outputs.append(Tensor.stack(direction == 0 ? steps : steps.reversed()))
                finalH.append(h)
                finalC.append(c)
            }
            x = outputs.count == 1 ? outputs[0] : Tensor.cat(outputs, dim: -1)
            if layer < numLayers - 1 { x = F.dropout(x, p: dropout, training: training) }
        }
        func stacked(_ states: [Tensor]) -> Tensor {
            let all = Tensor.stack(states)
            return isSingle ? all.squeeze(1) : all
        }
        let output = isSingle ? x.squeeze(1) : batchFirst ? x.transpose(0, 1) : x
        return (output, stacked(finalH), stacked(finalC))
    }

    public override var extraDescription: String {
        "\(inputSize), \(hiddenSize)" + (projSize > 0 ? ", proj_size=\(projSize)" : "")
            + (numLayers > 1 ? ", num_layers=\(numLayers)" : "") + (hasBias ? "" : ", bias=False")
            + (batchFirst ? ", batch_first=True" : "") + (dropout != 0 ? ", dropout=\(dropout)" : "")
            + (bidirectional ? ", bidirectional=True" : "")
    }
    public override func multiplyAdds(_ inputs: [Tensor], _ outputs: [Tensor]) -> Int {
        // Every step of every sample meets every matrix once.
        inputs[0].count / max(1, inputSize) * weights.reduce(0) { $0 + ($1.tensor.rank == 2 ? $1.tensor.count : 0) }
    }
}

/// A recurrent network of tanh (or ReLU) steps. Mirrors `torch.nn.RNN`.
public final class RNN: RecurrentLayer {
    public init(
        _ inputSize: Int, _ hiddenSize: Int, numLayers: Int = 1, relu: Bool = false, bias: Bool = true,
        batchFirst: Bool = false, dropout: Double = 0, bidirectional: Bool = false
    ) {
        super.init(
            relu ? .relu : .tanh, inputSize, hiddenSize, numLayers: numLayers, bias: bias, batchFirst: batchFirst,
            dropout: dropout, bidirectional: bidirectional)
    }
    public func callAsFunction(_ x: Tensor, _ h: Tensor? = nil) -> (output: Tensor, h: Tensor) {
        let outputs = callWithHooks(x, h.map { [$0] } ?? [])
        return (outputs[0], outputs[1])
    }
}
/// Gated recurrent units. Mirrors `torch.nn.GRU`.
public final class GRU: RecurrentLayer {
    public init(
        _ inputSize: Int, _ hiddenSize: Int, numLayers: Int = 1, bias: Bool = true, batchFirst: Bool = false,
        dropout: Double = 0, bidirectional: Bool = false
    ) {
        super.init(
            .gru, inputSize, hiddenSize, numLayers: numLayers, bias: bias, batchFirst: batchFirst,
            dropout: dropout, bidirectional: bidirectional)
    }
    public func callAsFunction(_ x: Tensor, _ h: Tensor? = nil) -> (output: Tensor, h: Tensor) {
        let outputs = callWithHooks(x, h.map { [$0] } ?? [])
        return (outputs[0], outputs[1])
    }
}
/// Long short-term memory. Mirrors `torch.nn.LSTM`.
public final class LSTM: RecurrentLayer {
    public init(
        _ inputSize: Int, _ hiddenSize: Int, numLayers: Int = 1, bias: Bool = true, batchFirst: Bool = false,
        dropout: Double = 0, bidirectional: Bool = false, projSize: Int = 0
    ) {
        super.init(
            .lstm, inputSize, hiddenSize, numLayers: numLayers, bias: bias, batchFirst: batchFirst,
            dropout: dropout, bidirectional: bidirectional, projSize: projSize)
    }
    public func callAsFunction(
        _ x: Tensor, _ state: (h: Tensor, c: Tensor)? = nil
    ) -> (output: Tensor, state: (h: Tensor, c: Tensor)) {
        let outputs = callWithHooks(x, state.map { [$0.h, $0.c] } ?? [])
        return (outputs[0], (outputs[1], outputs[2]))
    }
}

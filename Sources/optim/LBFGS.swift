// Limited-memory BFGS: a quasi-Newton method that evaluates the loss several times a step.
import Tapestry

/// L-BFGS with an optional line search by the strong Wolfe conditions. Mirrors `torch.optim.LBFGS` (Liu & Nocedal,
/// 1989); step lengths and dot products are kept in Double. Use `step(_:)` with a closure that forgets the gradients,
/// works out the loss, goes backward and returns the loss.
public final class LBFGS: Optimizer {
    /// How the length of a step is found: not at all (`lr`), or by the strong Wolfe conditions.
    public enum LineSearch: Sendable { case strongWolfe }

    /// One remembered step: change of gradient, change of parameters, `1 / (y · s)`.
    private struct Memory {
        let y, s: Tensor
        let ro: Double
    }
    private let lineSearch: LineSearch?
    private let total: Int
    private var memory: [Memory] = []
    private var direction, previousGradient: Tensor?
    private var length = 0.0, scale = 1.0
    private var iterations = 0
    /// Calls of the closure so far.
    public private(set) var evaluations = 0

    /// - Parameters:
    ///   - maxIter: iterations per step; `maxEval`: calls of the closure per step, by default `maxIter · 5 / 4`.
    ///   - toleranceGrad: ends the step when no element of the gradient is larger.
    ///   - toleranceChange: ends the step when parameters or loss change less.
    public init(
        _ parameters: [Tensor], lr: Double = 1, maxIter: Int = 20, maxEval: Int? = nil, toleranceGrad: Double = 1e-7,
        toleranceChange: Double = 1e-9, historySize: Int = 100, lineSearch: LineSearch? = nil, maximize: Bool = false
    ) {
        precondition(lr >= 0, "LBFGS: lr \(lr) is negative")
        self.lineSearch = lineSearch
        total = parameters.reduce(0) { $0 + $1.count }
        super.init(
            [ParameterGroup(parameters)],
            defaults: [
                "lr": lr, "maxIter": Double(maxIter), "maxEval": Double(maxEval ?? maxIter * 5 / 4),
                "toleranceGrad": toleranceGrad, "toleranceChange": toleranceChange, "historySize": Double(historySize),
                "maximize": flag(maximize),
            ])
    }

    public override func step() { preconditionFailure("LBFGS: step needs a closure that returns the loss") }

    @discardableResult
    public override func step(_ closure: () -> Tensor) -> Tensor { noGrad { minimise(closure) } }

    private func minimise(_ closure: () -> Tensor) -> Tensor {
        let group = parameterGroups[0]
        let (maxIter, maxEval) = (Int(group["maxIter"]), Int(group["maxEval"]))
        let (toleranceGrad, toleranceChange) = (group["toleranceGrad"], group["toleranceChange"])
        func evaluate() -> (loss: Double, result: Tensor) {
            let result = enableGrad(closure)
            evaluations += 1
            return (group["maximize"] != 0 ? -result.item() : result.item(), result)
        }

        var (loss, first) = evaluate()
        var gradient = flatGradient()
        if largest(gradient) <= toleranceGrad { return first }
        var (calls, iteration) = (1, 0)
        while iteration < maxIter {
            iteration += 1
            iterations += 1
            let d = nextDirection(gradient)
            (direction, previousGradient) = (d, gradient)
            let previousLoss = loss
            length = iterations == 1 ? min(1, 1 / gradient.abs().sum().item()) * group.lr : group.lr

            let slope: Double = gradient.dot(d).item()
            if slope > -toleranceChange { break }
            var isOptimal = false
            if lineSearch != nil {
                let start = parameterGroups[0].parameters.map { $0.detach().clone() }
                let before = evaluations
                let search = StrongWolfe(maximum: maxEval - calls, directionSize: largest(d))
                let origin = StrongWolfe.Point(t: 0, loss: loss, gradient: gradient, slope: slope)
                let point = search.search(from: origin, first: length) { t in
                    move(t, d)
                    let loss = evaluate().loss
                    let gradient = flatGradient()
                    for (parameter, own) in zip(group.parameters, start) { parameter.assign(own) }
                    return StrongWolfe.Point(t: t, loss: loss, gradient: gradient, slope: gradient.dot(d).item())
                }
                (length, loss, gradient) = (point.t, point.loss, point.gradient)
                calls += evaluations - before
                move(length, d)
                isOptimal = largest(gradient) <= toleranceGrad
            } else {
                move(length, d)
                if iteration != maxIter {
                    loss = evaluate().loss
                    gradient = flatGradient()
                    isOptimal = largest(gradient) <= toleranceGrad
                    calls += 1
                }
            }
            if iteration == maxIter || calls >= maxEval || isOptimal { break }
            if largest(d * length) <= toleranceChange || abs(loss - previousLoss) < toleranceChange { break }
        }
        return first
    }

    /// The gradient times the approximate inverse Hessian, turned downhill, by the two-loop recursion.
    private func nextDirection(_ gradient: Tensor) -> Tensor {
        guard let direction, let previousGradient else { return -gradient }
        let (y, s) = (gradient - previousGradient, direction * length)
        let ys: Double = y.dot(s).item()
        if ys > 1e-10 {
            if !memory.isEmpty, memory.count >= Int(parameterGroups[0]["historySize"]) { memory.removeFirst() }
            memory.append(Memory(y: y, s: s, ro: 1 / ys))
            scale = ys / y.dot(y).item()
        }
        var q = -gradient
        var shares: [Double] = []
        for step in memory.reversed() {
            let share = step.s.dot(q).item() * step.ro
            shares.append(share)
            q = q - step.y * share
        }
        var r = q * scale
        for (step, share) in zip(memory, shares.reversed()) {
            r = r + step.s * (share - step.y.dot(r).item() * step.ro)
        }
        return r
    }

    /// All gradients in one row, zeros where there are none, a copy; turned round for ascent.
    private func flatGradient() -> Tensor {
        let rows = parameterGroups[0].parameters.map { parameter in
            parameter.grad.map { $0.detach().reshape([parameter.count]) }
                ?? Tensor.zeros([parameter.count], dtype: parameter.dtype)
        }
        let flat = Tensor.cat(rows)
        return parameterGroups[0]["maximize"] != 0 ? -flat : flat
    }

    /// Moves all parameters by `t · d`.
    private func move(_ t: Double, _ d: Tensor) {
        var start = 0
        for parameter in parameterGroups[0].parameters {
            let part = d.narrow(dim: 0, start: start, length: parameter.count).reshape(parameter.shape)
            parameter.assign(parameter.detach() + part * t)
            start += parameter.count
        }
    }

    private func largest(_ x: Tensor) -> Double { x.abs().max().item() }

    // MARK: State

    override var countedOptions: Set<String> { ["maxIter", "maxEval", "historySize"] }

    override func stateShape(of parameter: Tensor) -> [Int] { [total] }

    /// All state belongs to the first parameter, as in torch.
    override func prepareForSaving() {
        guard let direction, let previousGradient else { return }
        let key = ObjectIdentifier(parameterGroups[0].parameters[0])
        var tensors = ["d": direction, "prevFlatGrad": previousGradient]
        var values = [
            "t": length, "hDiag": scale, "nIter": Double(iterations), "funcEvals": Double(evaluations),
            "history": Double(memory.count),
        ]
        for (index, step) in memory.enumerated() {
            (tensors["oldDirs.\(index)"], tensors["oldStps.\(index)"]) = (step.y, step.s)
            values["ro.\(index)"] = step.ro
        }
        (state[key], numbers[key]) = (tensors, values)
    }

    override func restoreAfterLoading() {
        let key = ObjectIdentifier(parameterGroups[0].parameters[0])
        let (tensors, values) = (state[key] ?? [:], numbers[key] ?? [:])
        (direction, previousGradient) = (tensors["d"], tensors["prevFlatGrad"])
        (length, scale) = (values["t"] ?? 0, values["hDiag"] ?? 1)
        (iterations, evaluations) = (count(values["nIter"]) ?? 0, count(values["funcEvals"]) ?? 0)
        memory = []
        for index in 0..<(count(values["history"]) ?? 0) {
            guard let y = tensors["oldDirs.\(index)"], let s = tensors["oldStps.\(index)"] else { break }
            memory.append(Memory(y: y, s: s, ro: values["ro.\(index)"] ?? 0))
        }
    }
}

// Derivatives of functions as functions: products with the Jacobian, Jacobians, Hessians; recomputation; own gradients.

/// The value of `function` at `inputs` and the product of its transposed Jacobian with `cotangent` (ones for a single
/// number): one gradient an input. Mirrors `torch.autograd.functional.vjp`.
public func vjp(
    _ function: ([Tensor]) -> Tensor, _ inputs: [Tensor], _ cotangent: Tensor? = nil, createGraph: Bool = false
) -> (output: Tensor, gradients: [Tensor]) {
    enableGrad {
        let leaves = inputs.map { createGraph && $0.requiresGrad ? $0.clone() : $0.detach().requiresGrad() }
        let output = function(leaves)
        guard output.requiresGrad else { return (output, inputs.map { Tensor.zeros(like: $0) }) }
        let gradients = grad(
            outputs: [output], inputs: leaves, gradOutputs: [cotangent], createGraph: createGraph, allowUnused: true)
        return (createGraph ? output : output.detach(), zip(gradients, leaves).map { $0 ?? Tensor.zeros(like: $1) })
    }
}

/// The value of `function` at `inputs` and the product of its Jacobian with `tangents`: how the value changes when the
/// inputs move along them. By double backward: the transposed product is linear in its cotangent, and differentiating it
/// there transposes it again. Mirrors `torch.autograd.functional.jvp`.
public func jvp(
    _ function: ([Tensor]) -> Tensor, _ inputs: [Tensor], _ tangents: [Tensor], file: StaticString = #fileID,
    line: UInt = #line
) -> (output: Tensor, tangent: Tensor) {
    require(
        inputs.map(\.shape) == tangents.map(\.shape),
        "jvp: tangents \(tangents.map(\.shape)) do not fit inputs \(inputs.map(\.shape))", SourceSite(file, line))
    return enableGrad {
        let leaves = inputs.map { $0.detach().requiresGrad() }
        let output = function(leaves)
        let none = (output.detach(), Tensor.zeros(like: output))
        guard output.requiresGrad else { return none }
        let cotangent = Tensor.zeros(like: output).requiresGrad()
        let gradients = grad(
            outputs: [output], inputs: leaves, gradOutputs: [cotangent], createGraph: true, allowUnused: true)
        let pairs = zip(gradients, tangents).compactMap { gradient, tangent in
            gradient.flatMap { $0.requiresGrad ? ($0, tangent) : nil }
        }
        if pairs.isEmpty { return none }
        let tangent = grad(
            outputs: pairs.map(\.0), inputs: [cotangent], gradOutputs: pairs.map(\.1), allowUnused: true)[0]
        return (output.detach(), tangent ?? none.1)
    }
}

/// Every derivative of every output element by every input element: for each input a tensor of the output's shape
/// followed by the input's. Mirrors `torch.autograd.functional.jacobian`.
public func jacobian(
    _ function: ([Tensor]) -> Tensor, _ inputs: [Tensor], createGraph: Bool = false
) -> [Tensor] {
    enableGrad {
        let leaves = inputs.map { createGraph && $0.requiresGrad ? $0.clone() : $0.detach().requiresGrad() }
        let output = function(leaves)
        var rows = leaves.map { _ in [Tensor]() }
        for element in 0..<output.count {
            var unit = [Double](repeating: 0, count: output.count)
            unit[element] = 1
            let gradients: [Tensor?] =
                output.requiresGrad
                ? grad(
                    outputs: [output], inputs: leaves,
                    gradOutputs: [Tensor(unit, shape: output.shape).to(output.dtype)], retainGraph: true,
                    createGraph: createGraph, allowUnused: true) : leaves.map { _ in nil }
            for (index, gradient) in gradients.enumerated() {
                rows[index].append(gradient ?? Tensor.zeros(like: leaves[index]))
            }
        }
        return zip(rows, leaves).map { rows, leaf in
            rows.isEmpty
                ? Tensor.zeros(output.shape + leaf.shape, dtype: leaf.dtype)
                : Tensor.stack(rows).reshape(output.shape + leaf.shape)
        }
    }
}

/// Every second derivative of a single number: `[i][j]` has the shape of input i followed by that of input j.
/// Mirrors `torch.autograd.functional.hessian`.
public func hessian(
    _ function: ([Tensor]) -> Tensor, _ inputs: [Tensor], file: StaticString = #fileID, line: UInt = #line
) -> [[Tensor]] {
    inputs.indices.map { index in
        jacobian(
            { leaves in
                let value = function(leaves)
                require(
                    value.count == 1, "hessian: the function's value has shape \(value.shape), not a single number",
                    SourceSite(file, line))
                guard value.requiresGrad else { return Tensor.zeros(like: leaves[index]) }
                return grad(outputs: [value], inputs: [leaves[index]], createGraph: true, allowUnused: true)[0]
                    ?? Tensor.zeros(like: leaves[index])
            }, inputs)
    }
}

/// The value of a function with a single number as its value, and the product of its Hessian with `vectors`: by double
/// backward, without ever forming the Hessian. Mirrors `torch.autograd.functional.hvp`.
public func hvp(
    _ function: ([Tensor]) -> Tensor, _ inputs: [Tensor], _ vectors: [Tensor], file: StaticString = #fileID,
    line: UInt = #line
) -> (output: Tensor, products: [Tensor]) {
    let site = SourceSite(file, line)
    require(
        inputs.map(\.shape) == vectors.map(\.shape),
        "hvp: inputs of shapes \(inputs.map(\.shape)) and vectors of shapes \(vectors.map(\.shape))", site)
    return enableGrad {
        let leaves = inputs.map { $0.detach().requiresGrad() }
        let value = function(leaves)
        require(value.count == 1, "hvp: the function's value has shape \(value.shape), not a single number", site)
        guard value.requiresGrad else { return (value, leaves.map { Tensor.zeros(like: $0) }) }
        let gradients = grad(outputs: [value], inputs: leaves, createGraph: true, allowUnused: true)
        let slopes = zip(gradients, vectors).compactMap { gradient, vector in
            gradient.flatMap { $0.requiresGrad ? ($0 * vector).sum() : nil }
        }
        guard let first = slopes.first else { return (value.detach(), leaves.map { Tensor.zeros(like: $0) }) }
        let products = grad(outputs: [slopes.dropFirst().reduce(first, +)], inputs: leaves, allowUnused: true)
        return (value.detach(), zip(products, leaves).map { $0 ?? Tensor.zeros(like: $1) })
    }
}

/// Runs `function` without keeping what its ops save, and again during backward when that is needed: memory for time.
/// `function` must give the same result each time. Mirrors `torch.utils.checkpoint.checkpoint` (Chen et al., 2016).
public func checkpoint(
    _ inputs: [Tensor], file: StaticString = #fileID, line: UInt = #line, _ function: @escaping ([Tensor]) -> Tensor
) -> Tensor { record(Recomputed(function: function), inputs, at: SourceSite(file, line)) }

/// A function whose tape is made anew in backward.
private struct Recomputed: Primitive, @unchecked Sendable {  // Safe: called only by the thread that runs the tape.
    let function: ([Tensor]) -> Tensor
    var name: String { "Checkpoint" }
    var saves: Saves { .inputs }
    func forward(_ x: [Tensor]) -> Tensor { function(x) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let count = saved.node.inputCount
        let isRecording = GradMode.isEnabled
        let leaves = (0..<count).map { index in
            let input = saved.input(index)
            return isRecording || !saved.needs(index) ? input : input.detach().requiresGrad()
        }
        let output = enableGrad { function(leaves) }
        // Parameters that the function caught are leaves of the new tape: their gradients go straight to them.
        if !isRecording {
            output.backward(gradient: dy)
            return leaves.indices.map { saved.needs($0) ? leaves[$0].grad : nil }
        }
        let wanted = leaves.indices.filter { saved.needs($0) }
        let gradients = grad(
            outputs: [output], inputs: wanted.map { leaves[$0] }, gradOutputs: [dy], createGraph: true,
            allowUnused: true)
        var result = [Tensor?](repeating: nil, count: count)
        for (index, gradient) in zip(wanted, gradients) { result[index] = gradient }
        return result
    }
}

/// An op with a gradient of its own: conform, then call `apply`.
///
///     struct Cube: CustomFunction {
///         func forward(_ x: [Tensor]) -> Tensor { x[0] * x[0] * x[0] }
///         func backward(_ inputs: [Tensor], _ output: Tensor, _ dy: Tensor) -> [Tensor?] { [dy * inputs[0] * inputs[0] * 3] }
///     }
///     let y = Cube().apply(x)
///
/// Mirrors `torch.autograd.Function`.
public protocol CustomFunction: Sendable {
    /// The value. Runs unrecorded.
    func forward(_ x: [Tensor]) -> Tensor
    /// The gradients of the inputs, nil where none flows. In tensor ops, if it is to be differentiated again.
    func backward(_ inputs: [Tensor], _ output: Tensor, _ dy: Tensor) -> [Tensor?]
}

extension CustomFunction {
    /// Runs the function and records it.
    public func apply(_ inputs: Tensor..., file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        record(Custom(function: self), inputs, at: SourceSite(file, line))
    }
}

private struct Custom<Function: CustomFunction>: Primitive {
    let function: Function
    var name: String { String(describing: Function.self) }
    var saves: Saves { [.inputs, .output] }
    func forward(_ x: [Tensor]) -> Tensor { function.forward(x) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        function.backward((0..<saved.node.inputCount).map { saved.input($0) }, saved.y, dy)
    }
}

// Gradients against differences: does what the tape says agree with what the function does?
import Foundation

/// What a gradient check found wrong: the first element beyond the tolerance and both values.
public struct GradientMismatch: Error, CustomStringConvertible {
    /// Which input, and which of its elements in row-major order.
    public let input, element: Int
    /// Which output and element of it the derivative is of.
    public let output: Int
    /// The derivative that the tape computed, and that of central differences.
    public let analytic, numeric: Double
    let shape: [Int]
    let what: String

    public var description: String {
        "\(what): input \(input) (shape \(shape)), element \(element), output element \(output): the tape says "
            + "\(analytic), differences say \(numeric)"
    }
}

/// Compares the tape's gradients of `function` with central differences, `(f(x + ε) − f(x − ε)) / 2ε`, in float64.
///
/// The inputs must be float64; those that require gradients are checked. Every element of every output is checked
/// against every element of every input. A non-contiguous input is checked as it is.
///
/// - Throws: `GradientMismatch` for the first derivative with `|analytic − numeric| > atol + rtol · |numeric|`.
///
/// Mirrors `torch.autograd.gradcheck`.
public func gradcheck(
    _ function: ([Tensor]) -> [Tensor], _ inputs: [Tensor], eps: Double = 1e-6, atol: Double = 1e-5,
    rtol: Double = 1e-3, file: StaticString = #fileID, line: UInt = #line
) throws {
    let site = SourceSite(file, line)
    require(
        inputs.allSatisfy { !$0.requiresGrad || $0.dtype == .float64 },
        "gradcheck: inputs that require gradients must be float64", site)
    let leaves = inputs.map { input in
        input.requiresGrad ? input.detach().requiresGrad() : input
    }
    try compare("gradcheck", function, leaves, eps, atol, rtol)
}

/// The same for a function with one output, which may have any shape.
public func gradcheck(
    _ function: ([Tensor]) -> Tensor, _ inputs: [Tensor], eps: Double = 1e-6, atol: Double = 1e-5,
    rtol: Double = 1e-3, file: StaticString = #fileID, line: UInt = #line
) throws {
    try gradcheck(
        { [function($0)] } as ([Tensor]) -> [Tensor], inputs, eps: eps, atol: atol, rtol: rtol, file: file, line: line)
}

/// Checks the gradients of the gradients: that `function`'s gradients, as functions of the inputs and of the outputs'
/// gradients, agree with differences. Mirrors `torch.autograd.gradgradcheck`.
public func gradgradcheck(
    _ function: ([Tensor]) -> Tensor, _ inputs: [Tensor], eps: Double = 1e-6, atol: Double = 1e-5,
    rtol: Double = 1e-3, seed: UInt64 = 0, file: StaticString = #fileID, line: UInt = #line
) throws {
    let leaves = inputs.map { $0.requiresGrad ? $0.detach().requiresGrad() : $0 }
    let output = function(leaves)
    let cotangent = Tensor.randn(output.shape, dtype: .float64, generator: Generator(seed: seed), requiresGrad: true)
    let count = leaves.count
    func gradients(_ all: [Tensor]) -> [Tensor] {
        let y = function(Array(all[..<count]))
        let wanted = all[..<count].filter { $0.requiresGrad }
        // Differences move inputs that are off the tape: the gradient is still to be had.
        return grad(
            outputs: [y], inputs: Array(wanted), gradOutputs: [all[count]], createGraph: true, allowUnused: true
        ).enumerated().map { $1 ?? Tensor.zeros(like: wanted[wanted.startIndex + $0]) }
    }
    try compare("gradgradcheck", gradients, leaves + [cotangent], eps, atol, rtol)
}

private func compare(
    _ what: String, _ function: ([Tensor]) -> [Tensor], _ leaves: [Tensor], _ eps: Double, _ atol: Double,
    _ rtol: Double
) throws {
    let outputs = function(leaves)
    let wanted = leaves.indices.filter { leaves[$0].requiresGrad }
    // analytic[output element][input] as flat arrays
    var analytic: [[Int: [Double]]] = []
    for output in outputs {
        for element in 0..<output.count {
            var seed = [Double](repeating: 0, count: output.count)
            seed[element] = 1
            let gradients: [Tensor?] =
                output.requiresGrad
                ? grad(
                    outputs: [output], inputs: wanted.map { leaves[$0] },
                    gradOutputs: [Tensor(seed, shape: output.shape)], retainGraph: true, allowUnused: true)
                : wanted.map { _ in nil }
            var row: [Int: [Double]] = [:]
            for (index, gradient) in zip(wanted, gradients) {
                row[index] = gradient?.array(Double.self) ?? [Double](repeating: 0, count: leaves[index].count)
            }
            analytic.append(row)
        }
    }
    func values(_ leaves: [Tensor]) -> [Double] { function(leaves).flatMap { $0.array(Double.self) } }
    for index in wanted {
        let leaf = leaves[index]
        for element in 0..<leaf.count {
            func moved(_ by: Double) -> [Double] {
                var copies = leaves
                copies[index] = leaf.moved(element: element, by: by)
                return values(copies)
            }
            let (above, below) = (moved(eps), moved(-eps))
            for output in above.indices {
                let numeric = (above[output] - below[output]) / (2 * eps)
                let value = analytic[output][index]![element]
                if !(abs(value - numeric) <= atol + rtol * abs(numeric)) {
                    throw GradientMismatch(
                        input: index, element: element, output: output, analytic: value, numeric: numeric,
                        shape: leaf.shape, what: what)
                }
            }
        }
    }
}

extension Tensor {
    /// A copy of the same layout with one element (in row-major order) moved; a leaf that requires gradients.
    fileprivate func moved(element: Int, by amount: Double) -> Tensor {
        let storage = Tensor(uninitialized: [self.storage.byteCount], .uint8).storage
        storage.pointer.copyMemory(from: self.storage.pointer, byteCount: self.storage.byteCount)
        let copy = Tensor(storage: storage, layout: layout, dtype: dtype)
        var (rest, place) = (element, layout.offset)
        for dim in (0..<rank).reversed() {
            place += rest % shape[dim] * strides[dim]
            rest /= shape[dim]
        }
        storage.pointer.assumingMemoryBound(to: Double.self)[place] += amount
        return copy.requiresGrad()
    }
}

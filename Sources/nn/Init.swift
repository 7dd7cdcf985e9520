// How weights begin. Mirrors torch.nn.init; with the same seed the numbers are torch's.
import Foundation

/// Functions that fill a tensor in place, off the tape.
public enum `init` {
    /// Inputs and outputs of one unit of a weight [out, in, …window]: `in · window` and `out · window`.
    public static func fans(_ weight: Tensor) -> (fanIn: Int, fanOut: Int) {
        precondition(weight.rank >= 2, "init: a weight of shape \(weight.shape) has no fan in and fan out")
        let window = weight.shape[2...].reduce(1, *)
        return (weight.shape[1] * window, weight.shape[0] * window)
    }

    /// Uniform in `a ..< b`. Mirrors `init.uniform_`.
    @discardableResult
    public static func uniform_(_ x: Tensor, a: Double = 0, b: Double = 1, generator: Generator = .default) -> Tensor {
        noGrad { x.uniform_(a, b, generator: generator) }
    }

    /// He's uniform initialisation: bound `gain · √(3 / fanIn)`, `gain = √(2 / (1 + a²))` for a leaky ReLU of slope `a`.
    /// Mirrors `init.kaiming_uniform_` (He et al., 2015).
    @discardableResult
    public static func kaimingUniform_(_ x: Tensor, a: Double = 0, generator: Generator = .default) -> Tensor {
        let gain = (2 / (1 + a * a)).squareRoot()
        let std = gain / Double(fans(x).fanIn).squareRoot()
        let bound = 3.0.squareRoot() * std
        return uniform_(x, a: -bound, b: bound, generator: generator)
    }
}

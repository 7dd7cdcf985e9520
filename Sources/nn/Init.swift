// How weights begin. Mirrors torch.nn.init; with the same seed the numbers are torch's. Each function fills its tensor
// in place, off the tape, and returns it.
import Foundation

/// Functions that fill a tensor: `` nn.`init`.xavierUniform_(weight) ``.
public enum `init` {
    /// Which of a weight's fans keeps its variance: that of the forward or the backward pass.
    public enum FanMode: String, Sendable { case fanIn = "fan_in", fanOut = "fan_out" }

    /// Inputs and outputs of one unit of a weight [out, in, …window]: `in · window` and `out · window`.
    public static func fans(_ weight: Tensor) -> (fanIn: Int, fanOut: Int) {
        precondition(weight.rank >= 2, "init: a weight of shape \(weight.shape) has no fan in and fan out")
        let window = weight.shape[2...].reduce(1, *)
        return (weight.shape[1] * window, weight.shape[0] * window)
    }

    /// What a nonlinearity does to the standard deviation. Mirrors `init.calculate_gain`.
    public static func gain(_ nonlinearity: String, _ a: Double = 0.01) -> Double {
        switch nonlinearity {
        case "relu": 2.0.squareRoot()
        case "leaky_relu": (2 / (1 + a * a)).squareRoot()
        case "tanh": 5.0 / 3
        case "selu": 0.75
        default: 1
        }
    }

    /// Uniform in `a ..< b`. Mirrors `init.uniform_`.
    @discardableResult
    public static func uniform_(_ x: Tensor, a: Double = 0, b: Double = 1, generator: Generator = .default) -> Tensor {
        noGrad { x.uniform_(a, b, generator: generator) }
    }
    /// Normal. Mirrors `init.normal_`.
    @discardableResult
    public static func normal_(
        _ x: Tensor, mean: Double = 0, std: Double = 1, generator: Generator = .default
    ) -> Tensor { noGrad { x.normal_(mean, std, generator: generator) } }
    /// One value. Mirrors `init.constant_`.
    @discardableResult
    public static func constant_(_ x: Tensor, _ value: Double) -> Tensor { noGrad { x.fill_(value) } }
    /// Zeros. Mirrors `init.zeros_`.
    @discardableResult
    public static func zeros_(_ x: Tensor) -> Tensor { constant_(x, 0) }
    /// Ones. Mirrors `init.ones_`.
    @discardableResult
    public static func ones_(_ x: Tensor) -> Tensor { constant_(x, 1) }
    /// The identity. Mirrors `init.eye_`.
    @discardableResult
    public static func eye_(_ x: Tensor) -> Tensor {
        precondition(x.rank == 2, "eye_: shape \(x.shape) is no matrix")
        return noGrad { x.copy_(Tensor.eye(x.shape[0], x.shape[1], dtype: x.dtype)) }
    }
    /// Convolutions that pass their channels on. Mirrors `init.dirac_`.
    @discardableResult
    public static func dirac_(_ x: Tensor, groups: Int = 1) -> Tensor {
        precondition(
            (3...5).contains(x.rank) && x.shape[0] % groups == 0, "dirac_: shape \(x.shape) is no convolution's")
        return noGrad {
            x.zero_()
            let perGroup = x.shape[0] / groups
            for group in 0..<groups {
                for channel in 0..<Swift.min(perGroup, x.shape[1]) {
                    var place = x.select(dim: 0, index: group * perGroup + channel).select(dim: 0, index: channel)
                    while place.rank > 0 { place = place.select(dim: 0, index: place.shape[0] / 2) }
                    place.fill_(1)
                }
            }
            return x
        }
    }

    /// Uniform with bound `gain · √(6 / (fanIn + fanOut))`. Mirrors `init.xavier_uniform_` (Glorot & Bengio, 2010).
    @discardableResult
    public static func xavierUniform_(_ x: Tensor, gain: Double = 1, generator: Generator = .default) -> Tensor {
        let (fanIn, fanOut) = fans(x)
        let bound = 3.0.squareRoot() * gain * (2 / Double(fanIn + fanOut)).squareRoot()
        return uniform_(x, a: -bound, b: bound, generator: generator)
    }
    /// Normal with deviation `gain · √(2 / (fanIn + fanOut))`. Mirrors `init.xavier_normal_`.
    @discardableResult
    public static func xavierNormal_(_ x: Tensor, gain: Double = 1, generator: Generator = .default) -> Tensor {
        let (fanIn, fanOut) = fans(x)
        return normal_(x, std: gain * (2 / Double(fanIn + fanOut)).squareRoot(), generator: generator)
    }
    /// Uniform with bound `gain · √(3 / fan)`. Mirrors `init.kaiming_uniform_` (He et al., 2015).
    @discardableResult
    public static func kaimingUniform_(
        _ x: Tensor, a: Double = 0, mode: FanMode = .fanIn, nonlinearity: String = "leaky_relu",
        generator: Generator = .default
    ) -> Tensor {
        let fan = mode == .fanIn ? fans(x).fanIn : fans(x).fanOut
        let bound = 3.0.squareRoot() * (gain(nonlinearity, a) / Double(fan).squareRoot())
        return uniform_(x, a: -bound, b: bound, generator: generator)
    }
    /// Normal with deviation `gain / √fan`. Mirrors `init.kaiming_normal_`.
    @discardableResult
    public static func kaimingNormal_(
        _ x: Tensor, a: Double = 0, mode: FanMode = .fanIn, nonlinearity: String = "leaky_relu",
        generator: Generator = .default
    ) -> Tensor {
        let fan = mode == .fanIn ? fans(x).fanIn : fans(x).fanOut
        return normal_(x, std: gain(nonlinearity, a) / Double(fan).squareRoot(), generator: generator)
    }
    /// Normal, drawn anew wherever it lies outside [a, b]. Mirrors `init.trunc_normal_`.
    @discardableResult
    public static func truncNormal_(
        _ x: Tensor, mean: Double = 0, std: Double = 1, a: Double = -2, b: Double = 2, generator: Generator = .default
    ) -> Tensor {
        noGrad {
            x.normal_(mean, std, generator: generator)
            while true {
                let outside = x.lt(a).logicalOr(x.gt(b))
                if !outside.any().item(Bool.self) { return x }
                let again = Tensor.empty(like: x).normal_(mean, std, generator: generator)
                x.copy_(Tensor.where(outside, again, x))
            }
        }
    }
    /// A share of each column zero, the rest normal. Mirrors `init.sparse_` (Martens, 2010).
    @discardableResult
    public static func sparse_(_ x: Tensor, sparsity: Double, std: Double = 0.01, generator: Generator = .default)
        -> Tensor
    {
        precondition(x.rank == 2, "sparse_: shape \(x.shape) is no matrix")
        return noGrad {
            x.normal_(0, std, generator: generator)
            let zeros = Int((sparsity * Double(x.shape[0])).rounded(.up))
            for column in 0..<x.shape[1] {
                for row in generator.permutation(x.shape[0]).prefix(zeros) {
                    x.select(dim: 0, index: row).select(dim: 0, index: column).fill_(0)
                }
            }
            return x
        }
    }
    /// Rows (or columns) of a random orthogonal matrix, times `gain`. Mirrors `init.orthogonal_` (Saxe et al., 2014).
    @discardableResult
    public static func orthogonal_(_ x: Tensor, gain: Double = 1, generator: Generator = .default) -> Tensor {
        precondition(x.rank >= 2, "orthogonal_: shape \(x.shape) has less than two dimensions")
        return noGrad {
            let (rows, columns) = (x.shape[0], x.shape[1...].reduce(1, *))
            var drawn = Tensor.empty([rows, columns], dtype: x.dtype).normal_(generator: generator)
            if rows < columns { drawn = drawn.T }
            var q = orthonormal(drawn.to(.float64))
            if rows < columns { q = q.T }
            return x.copy_((q * gain).reshape(x.shape).to(x.dtype))
        }
    }

    /// The Q of a matrix's QR decomposition with a positive diagonal in R, by Gram-Schmidt applied twice.
    private static func orthonormal(_ matrix: Tensor) -> Tensor {
        var columns: [Tensor] = []
        for column in matrix.unbind(dim: 1) {
            var rest = column
            for _ in 0..<2 { for done in columns { rest = rest - done * done.dot(rest) } }
            columns.append(rest / rest.norm())
        }
        return Tensor.stack(columns, dim: 1)
    }
}

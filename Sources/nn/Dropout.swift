// Layers that drop what they are given at random, in training. Mirrors torch.nn and torch.nn.functional; with the same
// seed the same elements are dropped as in torch.

extension F {
    /// In training, each element is 0 with probability `p` and else scaled by 1 / (1 − p); otherwise x itself.
    /// Traps unless 0 ≤ p ≤ 1. Mirrors `F.dropout` (Srivastava et al., 2014).
    public static func dropout(
        _ x: Tensor, p: Double = 0.5, training: Bool = true, generator: Generator = .default,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        requireProbability(p, "dropout", site)
        if !training || p == 0 { return x }
        if p == 1 { return x * 0 }
        let mask = Tensor.empty(x.shape, dtype: x.dtype)
        return x.mul(mask.fillBernoulli("dropout", 1 - p, value: 1 / (1 - p), generator, site), file: file, line: line)
    }

    /// In training, each channel of [N, C, …] is 0 with probability `p` and else scaled by 1 / (1 − p).
    /// Traps unless 0 ≤ p ≤ 1. Mirrors `F.dropout1d`, `F.dropout2d` and `F.dropout3d` (Tompson et al., 2015).
    public static func channelDropout(
        _ x: Tensor, p: Double = 0.5, training: Bool = true, generator: Generator = .default,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        requireProbability(p, "channelDropout", site)
        require(x.rank >= 2, "channelDropout: expected [N, C, …], got \(x.shape)", site)
        if !training || p == 0 { return x }
        let shape = Array(x.shape.prefix(2)) + [Int](repeating: 1, count: x.rank - 2)
        return x.mul(
            dropout(Tensor.ones(shape, dtype: x.dtype), p: p, generator: generator), file: file, line: line)
    }

    /// Dropout that keeps mean and variance of what a SELU gives: a dropped element is α′ = −1.758…, then everything is
    /// mapped by `a x + b` with `a = 1 / √((1 − p)(1 + p α′²))` and `b = −a α′ p`.
    /// Traps unless 0 ≤ p ≤ 1. Mirrors `F.alpha_dropout` (Klambauer et al., 2017).
    public static func alphaDropout(
        _ x: Tensor, p: Double = 0.5, training: Bool = false, generator: Generator = .default,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        requireProbability(p, "alphaDropout", site)
        if !training || p == 0 { return x }
        if p == 1 { return x * 0 }
        // α′ = −λα, of SELU's two constants.
        let lowest = 1.7580993408473766
        let a = 1 / ((lowest * lowest * p + 1) * (1 - p)).squareRoot()
        let kept = Tensor.empty(x.shape, dtype: x.dtype).bernoulli_(1 - p, generator: generator)
        let (scale, shift) = noGrad { (kept * a, (kept - 1) * (lowest * a) + lowest * a * p) }
        return x.mul(scale, file: file, line: line) + shift
    }

    private static func requireProbability(_ p: Double, _ op: StaticString, _ site: SourceSite) {
        require(p >= 0 && p <= 1, "\(op): probability \(p) is not between 0 and 1", site)
    }
}

/// What the dropout layers share: the probability, and how they print.
public class DropoutLayer: Module {
    public let p: Double
    /// Traps unless 0 ≤ p ≤ 1.
    public init(_ p: Double = 0.5) {
        precondition(p >= 0 && p <= 1, "\(type(of: self)): probability \(p) is not between 0 and 1")
        self.p = p
    }
    public convenience init(p: Double) { self.init(p) }
    public override var extraDescription: String { "p=\(p), inplace=False" }
}

/// In training, elements are dropped with probability `p`, the others scaled up. Mirrors `torch.nn.Dropout`.
public final class Dropout: DropoutLayer {
    public override func forward(_ x: Tensor) -> Tensor { F.dropout(x, p: p, training: training) }
}
/// In training, whole channels of [N, C, L] are dropped. Mirrors `torch.nn.Dropout1d`.
public final class Dropout1d: DropoutLayer {
    public override func forward(_ x: Tensor) -> Tensor { F.channelDropout(x, p: p, training: training) }
}
/// In training, whole channels of [N, C, H, W] are dropped. Mirrors `torch.nn.Dropout2d` (Tompson et al., 2015).
public final class Dropout2d: DropoutLayer {
    public override func forward(_ x: Tensor) -> Tensor { F.channelDropout(x, p: p, training: training) }
}
/// Dropout for networks of SELUs. Mirrors `torch.nn.AlphaDropout` (Klambauer et al., 2017).
public final class AlphaDropout: DropoutLayer {
    public override func forward(_ x: Tensor) -> Tensor { F.alphaDropout(x, p: p, training: training) }
}

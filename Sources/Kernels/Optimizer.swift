// Optimiser updates in one pass over a parameter: every element of parameter, gradient and state is read and written
// once. The order of operations is that of torch's single-tensor implementations, so that curves can be laid side by side.

/// The settings of one SGD update; torch.optim.SGD's names.
public struct SGDSettings: Sendable {
    public var lr, momentum, dampening, weightDecay: Double
    public var nesterov, maximize, isFirstStep: Bool

    public init(
        lr: Double, momentum: Double, dampening: Double, weightDecay: Double, nesterov: Bool, maximize: Bool,
        isFirstStep: Bool
    ) {
        (self.lr, self.momentum, self.dampening, self.weightDecay) = (lr, momentum, dampening, weightDecay)
        (self.nesterov, self.maximize, self.isFirstStep) = (nesterov, maximize, isFirstStep)
    }
}

/// `g += λp; b = μb + (1−τ)g (b = g at first); p −= lr · (nesterov ? g + μb : b)`.
@inlinable @inline(never)
func sgdStep<I: ISA>(
    _: I.Type, _ s: SGDSettings, _ count: Int, _ p: UnsafeMutableRawPointer, _ g: UnsafeRawPointer,
    _ buffer: UnsafeMutableRawPointer?
) {
    let lr = I.V(repeating: I.Scalar(-s.lr))
    let decay = I.V(repeating: I.Scalar(s.weightDecay))
    let momentum = I.V(repeating: I.Scalar(s.momentum))
    let damped = I.V(repeating: I.Scalar(1 - s.dampening))
    let sign = I.V(repeating: s.maximize ? -1 : 1)
    forVectors(I.self, count) { index, lanes in
        var w = gather(I.self, p, 1, index, lanes)
        var d = gather(I.self, g, 1, index, lanes) * sign
        I.fma(&d, w, decay)
        if let buffer {
            var b = d
            if !s.isFirstStep {
                b = gather(I.self, buffer, 1, index, lanes) * momentum
                I.fma(&b, d, damped)
            }
            scatterRun(I.self, b, buffer, index, lanes)
            if s.nesterov { I.fma(&d, b, momentum) } else { d = b }
        }
        I.fma(&w, d, lr)
        scatterRun(I.self, w, p, index, lanes)
    }
}

/// The settings of one Adam or AdamW update; torch.optim.Adam's names, the bias corrections worked out.
public struct AdamSettings: Sendable {
    public var lr, beta1, beta2, eps, weightDecay: Double
    /// `1 − β₁^t` and `1 − β₂^t`.
    public var correction1, correction2: Double
    public var decoupled, maximize: Bool

    public init(
        lr: Double, beta1: Double, beta2: Double, eps: Double, weightDecay: Double, correction1: Double,
        correction2: Double, decoupled: Bool, maximize: Bool
    ) {
        (self.lr, self.beta1, self.beta2, self.eps, self.weightDecay) = (lr, beta1, beta2, eps, weightDecay)
        (self.correction1, self.correction2) = (correction1, correction2)
        (self.decoupled, self.maximize) = (decoupled, maximize)
    }
}

/// What Adam and NAdam share: weight decay and the two moments.
@usableFromInline struct Moments<I: ISA> {
    @usableFromInline let shrink, decay, rest1, beta2, rest2, sign: I.V

    @inlinable @inline(__always)
    init(lr: Double, beta1: Double, beta2: Double, weightDecay: Double, decoupled: Bool, maximize: Bool) {
        shrink = I.V(repeating: I.Scalar(decoupled ? 1 - lr * weightDecay : 1))
        decay = I.V(repeating: I.Scalar(decoupled ? 0 : weightDecay))
        rest1 = I.V(repeating: I.Scalar(1 - beta1))
        self.beta2 = I.V(repeating: I.Scalar(beta2))
        rest2 = I.V(repeating: I.Scalar(1 - beta2))
        sign = I.V(repeating: maximize ? -1 : 1)
    }

    /// `m += (1−β₁)(g−m); v = β₂v + (1−β₂)g²` for some lanes; returns the parameter and the gradient, both after weight
    /// decay, and the moments.
    @inlinable @inline(__always)
    func update(
        _ p: UnsafeRawPointer, _ g: UnsafeRawPointer, _ m: UnsafeMutableRawPointer, _ v: UnsafeMutableRawPointer,
        _ index: Int, _ lanes: Int
    ) -> (w: I.V, d: I.V, first: I.V, second: I.V) {
        let w = gather(I.self, p, 1, index, lanes) * shrink
        var d = gather(I.self, g, 1, index, lanes) * sign
        I.fma(&d, w, decay)
        var first = gather(I.self, m, 1, index, lanes)
        I.fma(&first, d - first, rest1)
        scatterRun(I.self, first, m, index, lanes)
        var second = gather(I.self, v, 1, index, lanes) * beta2
        I.fma(&second, d * d, rest2)
        scatterRun(I.self, second, v, index, lanes)
        return (w, d, first, second)
    }
}

/// `p −= lr/(1−β₁^t) · m / (√v/√(1−β₂^t) + ε)` (Kingma & Ba, 2015), `v` replaced by its largest value so far where `vMax`
/// is given (AMSGrad). Weight decay is added to `g`, or to `p` if decoupled.
@inlinable @inline(never)
func adamStep<I: ISA>(
    _: I.Type, _ s: AdamSettings, _ count: Int, _ p: UnsafeMutableRawPointer, _ g: UnsafeRawPointer,
    _ m: UnsafeMutableRawPointer, _ v: UnsafeMutableRawPointer, _ vMax: UnsafeMutableRawPointer?
) {
    let moments = Moments<I>(
        lr: s.lr, beta1: s.beta1, beta2: s.beta2, weightDecay: s.weightDecay, decoupled: s.decoupled,
        maximize: s.maximize)
    let step = I.V(repeating: I.Scalar(-s.lr / s.correction1))
    let root = I.V(repeating: I.Scalar(1 / s.correction2.squareRoot()))
    let eps = I.V(repeating: I.Scalar(s.eps))
    forVectors(I.self, count) { index, lanes in
        var (w, _, first, second) = moments.update(p, g, m, v, index, lanes)
        if let vMax {
            second = I.max(gather(I.self, vMax, 1, index, lanes), second)
            scatterRun(I.self, second, vMax, index, lanes)
        }
        I.fma(&w, first / (I.sqrt(second) * root + eps), step)
        scatterRun(I.self, w, p, index, lanes)
    }
}

/// The settings of one NAdam update; torch.optim.NAdam's names, the factors that depend on the step worked out.
public struct NAdamSettings: Sendable {
    public var lr, beta1, beta2, eps, weightDecay, correction2: Double
    /// `lr (1 − μₜ) / (1 − Πμ)` and `lr μₜ₊₁ / (1 − Πμ μₜ₊₁)`.
    public var gradientScale, momentumScale: Double
    public var decoupled, maximize: Bool

    public init(
        lr: Double, beta1: Double, beta2: Double, eps: Double, weightDecay: Double, correction2: Double,
        gradientScale: Double, momentumScale: Double, decoupled: Bool, maximize: Bool
    ) {
        (self.lr, self.beta1, self.beta2, self.eps, self.weightDecay) = (lr, beta1, beta2, eps, weightDecay)
        (self.correction2, self.gradientScale, self.momentumScale) = (correction2, gradientScale, momentumScale)
        (self.decoupled, self.maximize) = (decoupled, maximize)
    }
}

/// `d = √(v / (1−β₂^t)) + ε; p −= gradientScale · g/d + momentumScale · m/d`, m and v as in Adam (Dozat, 2016).
@inlinable @inline(never)
func nadamStep<I: ISA>(
    _: I.Type, _ s: NAdamSettings, _ count: Int, _ p: UnsafeMutableRawPointer, _ g: UnsafeRawPointer,
    _ m: UnsafeMutableRawPointer, _ v: UnsafeMutableRawPointer
) {
    let moments = Moments<I>(
        lr: s.lr, beta1: s.beta1, beta2: s.beta2, weightDecay: s.weightDecay, decoupled: s.decoupled,
        maximize: s.maximize)
    let correction = I.V(repeating: I.Scalar(1 / s.correction2))
    let eps = I.V(repeating: I.Scalar(s.eps))
    let gradientScale = I.V(repeating: I.Scalar(-s.gradientScale))
    let momentumScale = I.V(repeating: I.Scalar(-s.momentumScale))
    forVectors(I.self, count) { index, lanes in
        let (w, d, first, second) = moments.update(p, g, m, v, index, lanes)
        var change = d * gradientScale
        I.fma(&change, first, momentumScale)
        scatterRun(I.self, w + change / (I.sqrt(second * correction) + eps), p, index, lanes)
    }
}

/// Calls `body(index, lanes)` for each vector of `count` elements, the last one partly filled, in parallel where the
/// array is long.
@inlinable @inline(__always)
func forVectors<I: ISA>(_: I.Type, _ count: Int, _ body: (Int, Int) -> Void) {
    Parallel.forRanges(of: count, size: 16_384, work: count / 4) { _, range in
        var index = range.lowerBound
        while index &+ I.width <= range.upperBound {
            body(index, I.width)
            index &+= I.width
        }
        if index < range.upperBound { body(index, range.upperBound &- index) }
    }
}

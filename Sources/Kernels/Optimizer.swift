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
    forVectors(I.self, count, SGDUpdate<I>(s, p, g, buffer))
}

@usableFromInline struct SGDUpdate<I: ISA>: VectorUpdate {
    @usableFromInline let lr, decay, momentum, damped, sign: I.V
    @usableFromInline let isFirstStep, nesterov: Bool
    @usableFromInline let p: UnsafeMutableRawPointer
    @usableFromInline let g: UnsafeRawPointer
    @usableFromInline let buffer: UnsafeMutableRawPointer?

    @inlinable @inline(__always)
    init(
        _ s: SGDSettings, _ p: UnsafeMutableRawPointer, _ g: UnsafeRawPointer, _ buffer: UnsafeMutableRawPointer?
    ) {
        lr = I.V(repeating: I.Scalar(-s.lr))
        decay = I.V(repeating: I.Scalar(s.weightDecay))
        momentum = I.V(repeating: I.Scalar(s.momentum))
        damped = I.V(repeating: I.Scalar(1 - s.dampening))
        sign = I.V(repeating: s.maximize ? -1 : 1)
        (isFirstStep, nesterov) = (s.isFirstStep, s.nesterov)
        (self.p, self.g, self.buffer) = (p, g, buffer)
    }

    @inlinable @inline(__always)
    func callAsFunction(_ index: Int, _ lanes: Int) {
        var w = gather(I.self, p, 1, index, lanes)
        var d = gather(I.self, g, 1, index, lanes) * sign
        I.fma(&d, w, decay)
        if let buffer {
            var b = d
            if !isFirstStep {
                b = gather(I.self, buffer, 1, index, lanes) * momentum
                I.fma(&b, d, damped)
            }
            scatterRun(I.self, b, buffer, index, lanes)
            if nesterov { I.fma(&d, b, momentum) } else { d = b }
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
    @usableFromInline let p, m, v: UnsafeMutableRawPointer
    @usableFromInline let g: UnsafeRawPointer

    @inlinable @inline(__always)
    init(
        _ rates: (lr: Double, beta1: Double, beta2: Double), weightDecay: Double, decoupled: Bool, maximize: Bool,
        _ p: UnsafeMutableRawPointer, _ g: UnsafeRawPointer, _ m: UnsafeMutableRawPointer, _ v: UnsafeMutableRawPointer
    ) {
        shrink = I.V(repeating: I.Scalar(decoupled ? 1 - rates.lr * weightDecay : 1))
        decay = I.V(repeating: I.Scalar(decoupled ? 0 : weightDecay))
        rest1 = I.V(repeating: I.Scalar(1 - rates.beta1))
        beta2 = I.V(repeating: I.Scalar(rates.beta2))
        rest2 = I.V(repeating: I.Scalar(1 - rates.beta2))
        sign = I.V(repeating: maximize ? -1 : 1)
        (self.p, self.g, self.m, self.v) = (p, g, m, v)
    }

    /// `m += (1−β₁)(g−m); v = β₂v + (1−β₂)g²` for some lanes; returns the parameter and the gradient, both after weight
    /// decay, and the moments.
    @inlinable @inline(__always)
    func update(_ index: Int, _ lanes: Int) -> (w: I.V, d: I.V, first: I.V, second: I.V) {
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
    forVectors(I.self, count, AdamUpdate<I>(s, p, g, m, v, vMax))
}

@usableFromInline struct AdamUpdate<I: ISA>: VectorUpdate {
    @usableFromInline let moments: Moments<I>
    @usableFromInline let step, root, eps: I.V
    @usableFromInline let vMax: UnsafeMutableRawPointer?

    @inlinable @inline(__always)
    init(
        _ s: AdamSettings, _ p: UnsafeMutableRawPointer, _ g: UnsafeRawPointer, _ m: UnsafeMutableRawPointer,
        _ v: UnsafeMutableRawPointer, _ vMax: UnsafeMutableRawPointer?
    ) {
        moments = Moments(
            (s.lr, s.beta1, s.beta2), weightDecay: s.weightDecay, decoupled: s.decoupled, maximize: s.maximize, p, g, m,
            v)
        step = I.V(repeating: I.Scalar(-s.lr / s.correction1))
        root = I.V(repeating: I.Scalar(1 / s.correction2.squareRoot()))
        eps = I.V(repeating: I.Scalar(s.eps))
        self.vMax = vMax
    }

    @inlinable @inline(__always)
    func callAsFunction(_ index: Int, _ lanes: Int) {
        var (w, _, first, second) = moments.update(index, lanes)
        if let vMax {
            second = I.max(gather(I.self, vMax, 1, index, lanes), second)
            scatterRun(I.self, second, vMax, index, lanes)
        }
        I.fma(&w, first / (I.sqrt(second) * root + eps), step)
        scatterRun(I.self, w, moments.p, index, lanes)
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
    forVectors(I.self, count, NAdamUpdate<I>(s, p, g, m, v))
}

@usableFromInline struct NAdamUpdate<I: ISA>: VectorUpdate {
    @usableFromInline let moments: Moments<I>
    @usableFromInline let correction, eps, gradientScale, momentumScale: I.V

    @inlinable @inline(__always)
    init(
        _ s: NAdamSettings, _ p: UnsafeMutableRawPointer, _ g: UnsafeRawPointer, _ m: UnsafeMutableRawPointer,
        _ v: UnsafeMutableRawPointer
    ) {
        moments = Moments(
            (s.lr, s.beta1, s.beta2), weightDecay: s.weightDecay, decoupled: s.decoupled, maximize: s.maximize, p, g, m,
            v)
        correction = I.V(repeating: I.Scalar(1 / s.correction2))
        eps = I.V(repeating: I.Scalar(s.eps))
        gradientScale = I.V(repeating: I.Scalar(-s.gradientScale))
        momentumScale = I.V(repeating: I.Scalar(-s.momentumScale))
    }

    @inlinable @inline(__always)
    func callAsFunction(_ index: Int, _ lanes: Int) {
        let (w, d, first, second) = moments.update(index, lanes)
        var change = d * gradientScale
        I.fma(&change, first, momentumScale)
        scatterRun(I.self, w + change / (I.sqrt(second * correction) + eps), moments.p, index, lanes)
    }
}

/// What an optimiser does to some neighbouring elements. A type and not a closure, so that the loop has it inside and no
/// call for each vector.
@usableFromInline protocol VectorUpdate {
    /// Updates `lanes` elements from `index` on: a vector, or at the end fewer.
    func callAsFunction(_ index: Int, _ lanes: Int)
}

/// Updates all of `count` elements, in parallel where they are many.
@inlinable @inline(__always)
func forVectors<I: ISA>(_: I.Type, _ count: Int, _ update: some VectorUpdate) {
    Parallel.forRanges(of: count, size: 16_384, work: count / 4) { _, range in
        var index = range.lowerBound
        while index &+ I.width <= range.upperBound {
            update(index, I.width)
            index &+= I.width
        }
        if index < range.upperBound { update(index, range.upperBound &- index) }
    }
}

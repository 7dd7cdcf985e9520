// Where numbers lie along an axis, and which of them are written at it.
import Foundation

/// How an axis maps numbers to lengths.
public enum Scale: Sendable {
    case linear
    /// Equal ratios are equal lengths; numbers that are not positive are not drawn.
    case log
}

/// Whether a number can be drawn at all: what is not finite cannot, nor what is so large that differences overflow.
func isDrawable(_ value: Double) -> Bool { abs(value) <= 1e300 }

/// One direction of a panel: the numbers from its low to its high end.
struct Axis {
    let scale: Scale
    /// The ends: logarithms for a log scale. `low` < `high` always.
    let low, high: Double
    /// Whether the low end lies right (or up) of the high one.
    var isReversed = false

    /// An axis over the drawable ones of some numbers, with `margin` of its length added on both sides; with
    /// `standsOnZero` not where it ends at zero, and on a log scale down to a power of ten.
    init(_ scale: Scale, containing values: some Sequence<Double>, margin: Double, standsOnZero: Bool = false) {
        var (low, high) = (Double.infinity, -Double.infinity)
        for value in values {
            guard let value = Axis.transformed(value, scale) else { continue }
            (low, high) = (min(low, value), max(high, value))
        }
        if low > high || standsOnZero && low == 0 && high == 0 { (low, high) = (0, 1) }
        let space = (high - low) * margin
        switch (standsOnZero, scale) {
        case (true, .log): self.init(scale, from: (low - 0.01).rounded(.down), to: high + space)
        case (true, .linear) where low < high:
            self.init(scale, from: low == 0 ? 0 : low - space, to: high == 0 ? 0 : high + space)
        default: self.init(scale, from: low - space, to: high + space)
        }
    }

    /// An axis with given ends; what cannot be an end is replaced.
    init(_ scale: Scale, limits: ClosedRange<Double>) {
        let low = Axis.transformed(limits.lowerBound, scale), high = Axis.transformed(limits.upperBound, scale)
        self.init(scale, from: low ?? min(0, (high ?? 1) - 1), to: high ?? max(1, (low ?? 0) + 1))
    }

    /// Widens ends that can hardly be told apart.
    private init(_ scale: Scale, from low: Double, to high: Double) {
        let needed = max(1e-290, max(abs(low), abs(high)) * 1e-10)
        let widening = high - low < needed ? max(needed, low == 0 && high == 0 ? 0.5 : abs(low) * 0.05) : 0
        // What can be drawn lies within a power of ±300: the ends, and on a log scale their powers of ten, stay numbers.
        let bound = scale == .log ? 306 : 1e306
        (self.scale, self.low, self.high) = (scale, max(-bound, low - widening), min(bound, high + widening))
    }

    /// The same with space above: `share` of the new length.
    func raised(by share: Double) -> Axis { Axis(scale, from: low, to: low + (high - low) / (1 - share)) }

    private static func transformed(_ value: Double, _ scale: Scale) -> Double? {
        guard isDrawable(value) else { return nil }
        switch scale {
        case .linear: return value
        case .log: return value >= 1e-300 ? log10(value) : nil
        }
    }

    /// 0 at the low end, 1 at the high end, beyond them less or more; nil for what cannot be drawn.
    func position(_ value: Double) -> Double? {
        guard let value = Axis.transformed(value, scale) else { return nil }
        let share = (value - low) / (high - low)
        return isReversed ? 1 - share : share
    }

    // MARK: Ticks

    struct Tick: Equatable {
        let value: Double
        /// Empty for the small marks between.
        let label: String
    }

    /// At most about `most` labelled ticks: at steps of 1, 2 or 5 times a power of ten.
    func ticks(atMost most: Int) -> [Tick] {
        let most = max(2, most)
        guard scale == .log else { return Axis.linearTicks(low, high, most) }
        let (first, last) = (Int((low - 1e-9).rounded(.up)), Int((high + 1e-9).rounded(.down)))
        // Less than a decade: as on a linear scale.
        guard last > first else {
            return Axis.linearTicks(pow(10, low), pow(10, high), most).filter { $0.value > 0 }
        }
        let step = (last - first) / most + 1
        var ticks: [Tick] = []
        for exponent in first - 1...last {
            let isLabelled = exponent >= first && exponent % step == 0
            if isLabelled { ticks.append(Tick(value: pow(10, Double(exponent)), label: "10" + superscript(exponent))) }
            guard step == 1 else { continue }
            for digit in 2...9 {
                let value = Double(digit) * pow(10, Double(exponent))
                if let place = position(value), place >= 0, place <= 1 { ticks.append(Tick(value: value, label: "")) }
            }
        }
        return ticks
    }

    private static func linearTicks(_ low: Double, _ high: Double, _ most: Int) -> [Tick] {
        let (step, exponent) = niceStep((high - low) / Double(most))
        let (first, last) = ((low / step - 1e-6).rounded(.up), (high / step + 1e-6).rounded(.down))
        guard first <= last, last - first < 1000 else { return [] }
        let largest = max(abs(low), abs(high))
        return stride(from: first, through: last, by: 1).map { index in
            let value = index == 0 ? 0 : index * step  // Not −0.
            return Tick(value: value, label: label(value, stepExponent: exponent, largest: largest))
        }
    }

    /// The smallest of 1, 2, 5 × 10ⁿ that is not below `raw`, with its n.
    private static func niceStep(_ raw: Double) -> (step: Double, exponent: Int) {
        let exponent = Int(log10(raw).rounded(.down))
        let power = pow(10, Double(exponent))
        for factor in [1.0, 2, 5] where factor * power >= raw * (1 - 1e-9) { return (factor * power, exponent) }
        return (10 * power, exponent + 1)
    }

    /// With as many decimals as the step has; very large and very small numbers as `1.5e9`, but what lies close together
    /// around 1 in full: `1.000015`.
    private static func label(_ value: Double, stepExponent: Int, largest: Double) -> String {
        if largest < 1e6, stepExponent >= (largest < 0.1 ? -5 : -9) {
            return signed(String(format: "%.\(max(0, -stepExponent))f", value))
        }
        guard value != 0 else { return "0" }
        let exponent = Int(log10(abs(value) * (1 + 1e-12)).rounded(.down))
        let digits = min(12, max(0, exponent - stepExponent))
        // 1e-310 and the like cannot be divided by its power of ten in one step.
        let mantissa = value / pow(10, Double(exponent / 2)) / pow(10, Double(exponent - exponent / 2))
        return signed(String(format: "%.\(digits)fe%d", mantissa, exponent))
    }

    /// With a minus sign as long as a plus.
    private static func signed(_ text: String) -> String { text.replacingOccurrences(of: "-", with: "−") }
}

/// A whole number in small raised digits.
private func superscript(_ value: Int) -> String {
    let digits = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
    return String(String(value).map { $0.wholeNumberValue.map { digits[$0] } ?? "⁻" })
}

/// A number as short as it can be written with about three digits: for cells and captions.
func brief(_ value: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "−∞" : "∞" }
    let text: String
    if value == value.rounded(), abs(value) < 1e7 {
        text = String(Int(value))
    } else if abs(value) >= 1e5 || abs(value) < 1e-3 {
        text = String(format: "%.1e", value)
    } else {
        text = String(format: abs(value) >= 100 ? "%.0f" : abs(value) >= 10 ? "%.1f" : "%.2f", value)
    }
    return text.replacingOccurrences(of: "-", with: "−")
}

/// The panel's inner area with its axes: where a pair of numbers lies.
struct Frame {
    let area: Rect
    let x, y: Axis

    /// The place of a point, also outside of the area; nil for what cannot be drawn.
    func place(_ x: Double, _ y: Double) -> Point? {
        guard let right = self.x.position(x), let up = self.y.position(y) else { return nil }
        // Far outside it does not matter how far; rounding does.
        func bounded(_ share: Double) -> Double { min(1e4, max(-1e4, share)) }
        return Point(x: area.x + bounded(right) * area.width, y: area.bottom - bounded(up) * area.height)
    }

    /// The part of the line from `a` to `b` inside the area (Liang & Barsky, 1984).
    func clipped(_ a: Point, _ b: Point) -> (Point, Point)? {
        let (dx, dy) = (b.x - a.x, b.y - a.y)
        var (enter, leave) = (0.0, 1.0)
        for (step, room) in [
            (-dx, a.x - area.x), (dx, area.right - a.x), (-dy, a.y - area.y), (dy, area.bottom - a.y),
        ] {
            if step == 0 {
                if room < 0 { return nil }
            } else if step < 0 {
                enter = max(enter, room / step)
            } else {
                leave = min(leave, room / step)
            }
        }
        guard enter <= leave else { return nil }
        return (
            Point(x: a.x + enter * dx, y: a.y + enter * dy), Point(x: a.x + leave * dx, y: a.y + leave * dy)
        )
    }
}

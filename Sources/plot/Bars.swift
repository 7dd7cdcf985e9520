// Bars: values of named things, and how often numbers fall into intervals.
import Foundation

/// Bars from zero, each over an interval.
struct Bars: Layer {
    /// Left and right end of each interval.
    let intervals: [(Double, Double)]
    let heights: [Double]
    /// Names at 0, 1, 2, … instead of numbers; empty for numbers.
    let names: [String]
    let label: String?
    let color: Color
    /// Series of bars share their intervals: which part is this one's, of how many; a histogram's have them whole.
    var share: (index: Int, count: Int)?

    var xValues: [Double] { intervals.flatMap { [$0.0, $0.1] } }
    var yValues: [Double] { heights + [0] }
    var xText: AxisText { names.isEmpty ? .numbers : .names(names) }
    var standsOnZero: Bool { true }
    var entry: LegendEntry? { label.map { LegendEntry(label: $0, color: color, sample: .box) } }

    private var edges: [(Double, Double)] {
        guard let share else { return intervals }
        return intervals.map { low, high in
            let width = (high - low) / Double(share.count)
            return (low + width * Double(share.index), low + width * Double(share.index + 1))
        }
    }

    func places(in frame: Frame) -> [Point] {
        zip(edges, heights).flatMap { edge, height -> [Point] in
            guard let box = rect(edge, height, frame) else { return [] }
            return (0..<32).map {
                Point(x: box.x + box.width * (Double($0 % 2) + 0.5) / 2, y: box.y + box.height * Double($0) / 31)
            }
        }
    }

    func draw(on canvas: any Canvas, in frame: Frame) {
        for (edge, height) in zip(edges, heights) {
            if let box = rect(edge, height, frame) { canvas.fill(box, color) }
        }
    }

    /// From the base, or where that is not on the axis (on a log scale) from the panel's lower end.
    private func rect(_ edge: (Double, Double), _ height: Double, _ frame: Frame) -> Rect? {
        guard height != 0, let corner = frame.place(edge.0, height), let other = frame.place(edge.1, height) else {
            return nil
        }
        let base = frame.place(edge.0, 0)?.y ?? frame.area.bottom
        return Rect(corner, Point(x: other.x, y: base)).clipped(to: frame.area)
    }
}

/// Counts of numbers in intervals of equal width. Mirrors `numpy.histogram`.
struct Bins {
    let edges: [Double]
    let counts: [Int]

    /// Numbers outside of `range` (by default all that can be drawn) are not counted, NaN never. The last interval
    /// contains its upper end. Without a number of bins it is chosen from the data.
    init(_ values: [Double], _ bins: Int?, range: ClosedRange<Double>?) {
        let drawable = values.filter(isDrawable)
        var low = range?.lowerBound ?? drawable.min() ?? 0
        var high = range?.upperBound ?? drawable.max() ?? 1
        if !isDrawable(low) || !isDrawable(high) { (low, high) = (0, 1) }
        if high - low <= max(abs(low), abs(high)) * 1e-12 {
            let space = max(0.5, abs(low) * 1e-9)
            (low, high) = (low - space, high + space)
        }
        let inside = drawable.filter { $0 >= low && $0 <= high }
        let count = bins ?? Bins.suitableCount(inside, high - low)
        var counts = [Int](repeating: 0, count: count)
        for value in inside { counts[min(count - 1, Int((value - low) / (high - low) * Double(count)))] += 1 }
        self.counts = counts
        edges = (0...count).map { low + (high - low) * (Double($0) / Double(count)) }
    }

    /// The larger of what Sturges' rule (1926) and that of Freedman & Diaconis (1981) say, as numpy's "auto"; at most
    /// 200.
    private static func suitableCount(_ values: [Double], _ span: Double) -> Int {
        guard values.count > 1 else { return 1 }
        let sorted = values.sorted()
        let (quarter, threeQuarters) = (sorted[sorted.count / 4], sorted[sorted.count * 3 / 4])
        let sturges = log2(Double(values.count)) + 1
        let width = 2 * (threeQuarters - quarter) / cbrt(Double(values.count))
        return Int(min(200, max(sturges, width > 0 ? span / width : 1)).rounded(.up))
    }
}

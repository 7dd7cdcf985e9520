// A panel of a figure: what is plotted in it, and how it is labelled.
import Tapestry

/// One plot with its axes. Take it from a figure: `figure[0, 0]`.
///
/// Series get the colours of `Color.palette` in turn. Numbers that cannot be drawn (NaN, infinities, on a log scale what
/// is not positive) leave a gap. Lengths that do not belong together trap.
public final class Panel {
    /// Over the panel; empty for none.
    public var title = ""
    /// Beside the axes; empty for none.
    public var xLabel = "", yLabel = ""
    /// Linear or logarithmic.
    public var xScale = Scale.linear, yScale = Scale.linear
    /// The ends of an axis; nil: those of the data.
    public var xLimits: ClosedRange<Double>?, yLimits: ClosedRange<Double>?
    /// Where the names of the series stand; series without a label have none.
    public var legend = Legend.automatic
    private(set) var layers: [any Layer] = []
    private var colorsUsed = 0

    /// A place for the legend.
    public enum Legend: Sendable {
        /// The corner that covers the least.
        case automatic
        case topLeft, topRight, bottomLeft, bottomRight
        case hidden
    }

    init() {}

    private func nextColor(_ color: Color?) -> Color {
        if let color { return color }
        defer { colorsUsed += 1 }
        return Color.palette[colorsUsed % Color.palette.count]
    }

    private func paired(_ x: [Double], _ y: [Double], _ kind: StaticString, _ site: SourceSite) {
        require(x.count == y.count, "\(kind): \(x.count) x and \(y.count) y", site)
    }

    // MARK: Series

    /// Points connected in order. With `points` each is marked too. Without a style lines are solid, and dashed and dotted
    /// once the palette's colours have all been used.
    @discardableResult
    public func line(
        _ x: some Numbers, _ y: some Numbers, label: String? = nil, style: LineStyle? = nil, points: Bool = false,
        color: Color? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Panel {
        let (x, y) = (x.numbers, y.numbers)
        paired(x, y, "line", SourceSite(file, line))
        let round = color == nil ? colorsUsed / Color.palette.count : 0
        layers.append(
            Curve(
                xValues: x, yValues: y, label: label, color: nextColor(color),
                style: style ?? [.solid, .dashed, .dotted][round % 3], showsPoints: points))
        return self
    }

    /// Numbers over 0, 1, 2, …
    @discardableResult
    public func line(
        _ y: some Numbers, label: String? = nil, style: LineStyle? = nil, points: Bool = false, color: Color? = nil
    ) -> Panel {
        let y = y.numbers
        return line(0..<y.count, y, label: label, style: style, points: points, color: color)
    }

    /// Points by themselves. `size` is in multiples of the usual one.
    @discardableResult
    public func scatter(
        _ x: some Numbers, _ y: some Numbers, label: String? = nil, size: Double = 1, color: Color? = nil,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Panel {
        let (x, y) = (x.numbers, y.numbers)
        paired(x, y, "scatter", SourceSite(file, line))
        layers.append(
            Scatter(
                xValues: x, yValues: y, label: label, colors: [nextColor(color).opacity(0.8)], size: bounded(size)))
        return self
    }

    /// Points coloured by a number each.
    @discardableResult
    public func scatter(
        _ x: some Numbers, _ y: some Numbers, values: some Numbers, colors: ColorMap = .viridis, size: Double = 1,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Panel {
        let (x, y, values) = (x.numbers, y.numbers, values.numbers)
        paired(x, y, "scatter", SourceSite(file, line))
        paired(x, values, "scatter, values", SourceSite(file, line))
        let range = drawableRange(values)
        layers.append(
            Scatter(
                xValues: x, yValues: y, label: nil, colors: values.map { colors.color($0, in: range).opacity(0.8) },
                size: bounded(size)))
        return self
    }

    /// Bars at numbers on the axis. Several series stand side by side.
    @discardableResult
    public func bar(
        _ x: some Numbers, _ heights: some Numbers, label: String? = nil, color: Color? = nil,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Panel {
        let (x, heights) = (x.numbers, heights.numbers)
        paired(x, heights, "bar", SourceSite(file, line))
        let sorted = x.filter(isDrawable).sorted()
        let distance = zip(sorted.dropFirst(), sorted).map(-).filter { $0 > 0 }.min() ?? 1
        addBars(x, heights, width: 0.8 * distance, names: [], label, color)
        return self
    }

    /// Bars with names. Several series stand side by side.
    @discardableResult
    public func bar(
        _ names: [String], _ heights: some Numbers, label: String? = nil, color: Color? = nil,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Panel {
        let heights = heights.numbers
        require(
            names.count == heights.count, "bar: \(names.count) names and \(heights.count) heights",
            SourceSite(file, line))
        addBars((0..<names.count).numbers, heights, width: 0.8, names: names, label, color)
        return self
    }

    private func addBars(
        _ x: [Double], _ heights: [Double], width: Double, names: [String], _ label: String?, _ color: Color?
    ) {
        let intervals = x.map { ($0 - width / 2, $0 + width / 2) }
        let series = Bars(
            intervals: intervals, heights: heights, names: names, label: label, color: nextColor(color), share: (0, 1))
        layers.append(series)
        let grouped = layers.indices.filter { (layers[$0] as? Bars)?.share != nil }
        for (place, index) in grouped.enumerated() {
            guard var bars = layers[index] as? Bars else { continue }
            bars.share = (place, grouped.count)
            layers[index] = bars
        }
    }

    /// How many numbers fall into each of `bins` intervals (chosen from the data if nil) of `range`; with `density`
    /// scaled to an area of 1. Traps unless `bins` is in 1...10,000. Mirrors `numpy.histogram`.
    @discardableResult
    public func histogram(
        _ values: some Numbers, bins: Int? = nil, range: ClosedRange<Double>? = nil, density: Bool = false,
        label: String? = nil, color: Color? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Panel {
        require(
            bins.map { (1...10_000).contains($0) } ?? true, "histogram: \(bins ?? 0) bins, expected 1 to 10,000",
            SourceSite(file, line))
        let result = Bins(values.numbers, bins, range: range)
        let total = Double(max(1, result.counts.reduce(0, +)))
        let intervals = Array(zip(result.edges, result.edges.dropFirst()))
        let heights = zip(result.counts, intervals).map { count, interval in
            density ? Double(count) / total / (interval.1 - interval.0) : Double(count)
        }
        layers.append(
            Bars(
                intervals: intervals, heights: heights, names: [], label: label, color: nextColor(color).opacity(0.65)))
        return self
    }

    /// A line across the panel at a height.
    @discardableResult
    public func horizontalLine(
        at y: Double, label: String? = nil, style: LineStyle = .dashed, color: Color = .grey(0.35)
    ) -> Panel {
        layers.append(Rule(value: y, isHorizontal: true, label: label, color: color, style: style))
        return self
    }

    /// A line from bottom to top.
    @discardableResult
    public func verticalLine(
        at x: Double, label: String? = nil, style: LineStyle = .dashed, color: Color = .grey(0.35)
    ) -> Panel {
        layers.append(Rule(value: x, isHorizontal: false, label: label, color: color, style: style))
        return self
    }

    // MARK: Pictures

    /// An image: [H, W] or [1, H, W] in grey or through a map of colours, [3, H, W] in colour.
    ///
    /// `range` are the numbers of black and white: by default 0...1 for floating point, 0...255 for integers. Traps for
    /// another shape. Lines in the same panel are in pixels.
    @discardableResult
    public func image(
        _ image: Tensor, range: ClosedRange<Double>? = nil, colors: ColorMap? = nil, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Panel {
        let pixels = Pixels(image, range: range, colors: colors, SourceSite(file, line))
        layers.append(ImageGrid(images: [pixels], captions: [], columns: 1))
        return self
    }

    /// Images in a grid: [N, H, W], [N, 1, H, W] or [N, 3, H, W], each with a caption below if there are any.
    ///
    /// Without `columns` the grid is about square. Traps for another shape or another number of captions.
    @discardableResult
    public func images(
        _ images: Tensor, columns: Int? = nil, captions: [String] = [], range: ClosedRange<Double>? = nil,
        colors: ColorMap? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Panel {
        let site = SourceSite(file, line)
        require(
            images.rank == 3 || images.rank == 4,
            "images: shape \(images.shape) is not [N, H, W], [N, 1, H, W] or [N, 3, H, W]", site)
        let count = images.shape[0]
        require(
            captions.isEmpty || captions.count == count, "images: \(captions.count) captions for \(count) images", site)
        let pixels = (0..<count).map {
            Pixels(images.select(dim: 0, index: $0), range: range, colors: colors, site)
        }
        let columns = columns ?? Int(Double(count).squareRoot().rounded(.up))
        layers.append(ImageGrid(images: pixels, captions: captions, columns: max(1, min(columns, max(1, count)))))
        return self
    }

    /// A matrix [rows, columns] as coloured cells, the first row on top, with the numbers in the cells where they fit
    /// and a bar of colours where not: a confusion matrix, attention weights.
    ///
    /// `range` are the numbers at the ends of the colours, by default the smallest and the largest. NaN is left blank.
    /// Traps unless the matrix has two dimensions and names are as many as rows and columns.
    @discardableResult
    public func heatMap(
        _ matrix: Tensor, rows: [String]? = nil, columns: [String]? = nil, colors: ColorMap = .viridis,
        range: ClosedRange<Double>? = nil, numbers: Bool = true, file: StaticString = #fileID, line: UInt = #line
    ) -> Panel {
        let site = SourceSite(file, line)
        require(matrix.rank == 2, "heatMap: shape \(matrix.shape) is not [rows, columns]", site)
        let (height, width) = (matrix.shape[0], matrix.shape[1])
        require(
            (rows?.count ?? height) == height && (columns?.count ?? width) == width,
            "heatMap: \(rows?.count ?? height) and \(columns?.count ?? width) names for a matrix of \(matrix.shape)",
            site)
        let all = matrix.numbers
        let values = (0..<height).map { Array(all[$0 * width..<($0 + 1) * width]) }
        layers.append(
            HeatMap(
                values: values, rowNames: rows, columnNames: columns, colors: colors, showsNumbers: numbers,
                range: range ?? drawableRange(all)))
        return self
    }

    /// The same for rows of numbers: `heatMap([[50, 2], [1, 47]])`.
    @discardableResult
    public func heatMap<T: TensorElement>(
        _ matrix: [[T]], rows: [String]? = nil, columns: [String]? = nil, colors: ColorMap = .viridis,
        range: ClosedRange<Double>? = nil, numbers: Bool = true, file: StaticString = #fileID, line: UInt = #line
    ) -> Panel {
        heatMap(
            Tensor(matrix, file: file, line: line), rows: rows, columns: columns, colors: colors, range: range,
            numbers: numbers, file: file, line: line)
    }
}

/// Sizes of points between hardly visible and as large as the panel.
private func bounded(_ size: Double) -> Double { size.isFinite ? min(100, max(0.1, size)) : 1 }

/// From the smallest to the largest number that can be drawn; 0...1 if there is none.
private func drawableRange(_ values: [Double]) -> ClosedRange<Double> {
    let drawable = values.filter(isDrawable)
    guard let low = drawable.min(), let high = drawable.max() else { return 0...1 }
    return low...high
}

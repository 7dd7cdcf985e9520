// Pictures in a panel: images one by one or in a grid, and matrices as colours.
import Tapestry

/// Images in rows, each with an optional caption below.
struct ImageGrid: Layer {
    let images: [Pixels]
    let captions: [String]
    let columns: Int

    private var rows: Int { (images.count + columns - 1) / columns }
    private var cell: (width: Int, height: Int) { (images.map(\.width).max() ?? 1, images.map(\.height).max() ?? 1) }
    /// One image is placed on axes of its pixels, so that lines can be drawn over it; a grid fills the panel.
    private var isSingle: Bool { images.count == 1 && captions.isEmpty }

    var xValues: [Double] { isSingle ? [-0.5, Double(cell.width) - 0.5] : [0, 1] }
    var yValues: [Double] { isSingle ? [-0.5, Double(cell.height) - 0.5] : [0, 1] }
    var xText: AxisText { .none }
    var yText: AxisText { .none }
    var xMargin: Double { 0 }
    var yMargin: Double { 0 }
    var aspect: Double? { isSingle ? Double(cell.width) / Double(cell.height) : nil }
    var goesDown: Bool { true }

    func draw(on canvas: any Canvas, in frame: Frame) {
        guard !images.isEmpty else { return }
        if isSingle { return canvas.image(images[0], in: frame.area) }
        let metrics = canvas.metrics
        let size = metrics.textSize * 0.85
        let captionHeight = captions.isEmpty ? 0 : metrics.lineHeight(size)
        let space = metrics.isFine ? metrics.gap * 0.6 : 2
        let (width, height) = (
            frame.area.width / Double(columns) - space, frame.area.height / Double(rows) - space - captionHeight
        )
        guard width > 0, height > 0 else { return }
        // All cells as small as the images need, below the title.
        var box = Rect(x: 0, y: 0, width: width, height: height).fitting(
            width: Double(cell.width), height: Double(cell.height))
        if !metrics.isFine {
            // Whole characters, so that captions stand below their images.
            (box.width, box.height) = (max(1, box.width.rounded(.down)), max(2, (box.height / 2).rounded(.down) * 2))
        }
        let step = Point(x: captions.isEmpty ? box.width + space : width + space, y: box.height + space + captionHeight)
        let left = frame.area.center.x - step.x * Double(columns) / 2
        let top = frame.area.y
        for (index, image) in images.enumerated() {
            let slot = Rect(
                x: left + Double(index % columns) * step.x, y: top + Double(index / columns) * step.y, width: step.x,
                height: box.height)
            canvas.image(
                image, in: slot.fitting(width: Double(cell.width), height: Double(cell.height)))
            guard index < captions.count else { continue }
            canvas.text(
                metrics.fitted(captions[index], size, to: step.x),
                at: Point(x: slot.center.x, y: slot.bottom + captionHeight / 2), size: size, .black, anchor: .middle)
        }
    }
}

/// A matrix as coloured cells, with its numbers in them where they fit.
struct HeatMap: Layer {
    let values: [[Double]]
    let rowNames, columnNames: [String]?
    let colors: ColorMap
    let showsNumbers: Bool
    /// The numbers at the ends of the colours.
    let range: ClosedRange<Double>

    private var width: Int { values.first?.count ?? 0 }
    private var hasCells: Bool { !values.isEmpty && width > 0 }

    var xValues: [Double] { hasCells ? [-0.5, Double(width) - 0.5] : [] }
    var yValues: [Double] { hasCells ? [-0.5, Double(values.count) - 0.5] : [] }
    var xText: AxisText { .names(columnNames ?? (0..<width).map(String.init)) }
    var yText: AxisText { .names(rowNames ?? values.indices.map(String.init)) }
    var xMargin: Double { 0 }
    var yMargin: Double { 0 }
    var goesDown: Bool { true }
    var cells: (columns: Int, rows: Int)? { hasCells ? (width, values.count) : nil }

    func draw(on canvas: any Canvas, in frame: Frame) {
        guard hasCells else { return }
        let shades = values.map { $0.map { colors.color($0, in: range) } }
        canvas.image(Pixels(width: width, height: values.count, colors: Array(shades.joined())), in: frame.area)
        guard let size = numberSize(canvas, frame) else { return }
        let cell = cell(frame)
        for (row, numbers) in values.enumerated() {
            for (column, number) in numbers.enumerated() where !number.isNaN {
                let place = Point(
                    x: frame.area.x + (Double(column) + 0.5) * cell.width,
                    y: frame.area.y + (Double(row) + 0.5) * cell.height)
                canvas.text(brief(number), at: place, size: size, shades[row][column].readable, anchor: .middle)
            }
        }
    }

    /// Where the numbers cannot be read in the cells, a bar says what the colours mean.
    func colorBar(on canvas: any Canvas, in frame: Frame) -> ColorBar? {
        hasCells && numberSize(canvas, frame) == nil ? ColorBar(colors: colors, range: range) : nil
    }

    private func cell(_ frame: Frame) -> (width: Double, height: Double) {
        (frame.area.width / Double(width), frame.area.height / Double(values.count))
    }

    /// The text size at which every number fits into its cell; nil if they are not wanted or would be too small.
    private func numberSize(_ canvas: any Canvas, _ frame: Frame) -> Double? {
        guard showsNumbers, values.count * width <= 2500 else { return nil }
        let (metrics, cell) = (canvas.metrics, cell(frame))
        let widest = values.joined().map { metrics.textWidth(brief($0), metrics.textSize) }.max() ?? 0
        let byWidth = (cell.width * 0.9) / max(widest, 1e-6),
            byHeight = cell.height / metrics.lineHeight(metrics.textSize)
        let size = metrics.textSize * min(1, byWidth, byHeight)
        return size >= metrics.smallestText ? size : nil
    }
}

extension Pixels {
    /// An image: [H, W] or [1, H, W] through a map of colours, [3, H, W] as red, green and blue. Numbers from the low
    /// to the high end of `range` are black to white; by default 0...1 for floating point, 0...255 for integers, false to
    /// true for booleans.
    init(_ tensor: Tensor, range: ClosedRange<Double>?, colors map: ColorMap?, _ site: SourceSite) {
        var shape = tensor.shape
        if shape.count == 2 { shape.insert(1, at: 0) }
        require(
            shape.count == 3 && (shape[0] == 1 || shape[0] == 3),
            "image: shape \(tensor.shape) is not [H, W], [1, H, W] or [3, H, W]", site)
        let numbers = tensor.numbers
        let usual = tensor.dtype.isFloatingPoint || tensor.dtype == .bool ? 0...1.0 : 0...255.0
        let (low, high) = ((range ?? usual).lowerBound, (range ?? usual).upperBound)
        func share(_ value: Double) -> Double { high > low ? (value - low) / (high - low) : value.isNaN ? .nan : 0.5 }
        let plane = shape[1] * shape[2]
        self.init(
            width: shape[2], height: shape[1],
            colors: (0..<plane).map { index in
                if shape[0] == 1 { return (map ?? .grey).color(share(numbers[index])) }
                let channels = (0..<3).map { share(numbers[$0 * plane + index]) }
                guard !channels.contains(where: \.isNaN) else { return ColorMap.missing }
                let bytes = channels.map { UInt8((min(1, max(0, $0)) * 255).rounded()) }
                return Color(bytes[0], bytes[1], bytes[2])
            })
    }
}

// Lines and points.

/// Points in order, connected; a number that cannot be drawn leaves a gap.
struct Curve: Layer {
    let xValues, yValues: [Double]
    let label: String?
    let color: Color
    let style: LineStyle
    let showsPoints: Bool

    var entry: LegendEntry? { label.map { LegendEntry(label: $0, color: color, sample: .line(style)) } }

    func places(in frame: Frame) -> [Point] {
        let places = plottedPlaces(xValues, yValues, frame)
        guard places.count < 500 else { return places }
        // Between far points the line covers something too.
        return places
            + zip(places, places.dropFirst()).flatMap { a, b in
                (1..<16).map {
                    let t = Double($0) / 16
                    return Point(x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t)
                }
            }
    }

    func draw(on canvas: any Canvas, in frame: Frame) {
        let metrics = canvas.metrics
        let dash = style.dash(metrics.line)
        var run: [Point] = []
        func finish() {
            // A point without neighbours would not be seen as a line.
            if run.count == 1, frame.area.contains(run[0]) { canvas.disc(run[0], radius: metrics.radius * 0.8, color) }
            for piece in visiblePieces(thinned(run, to: frame.area.width), frame) {
                canvas.stroke(piece, color, width: metrics.line, dash: dash)
            }
            run = []
        }
        for (x, y) in zip(xValues, yValues) {
            if let place = frame.place(x, y) { run.append(place) } else { finish() }
        }
        finish()
        if showsPoints {
            for place in plottedPlaces(xValues, yValues, frame) { canvas.disc(place, radius: metrics.radius, color) }
        }
    }

    /// The parts of connected lines inside the area.
    private func visiblePieces(_ points: [Point], _ frame: Frame) -> [[Point]] {
        var pieces: [[Point]] = []
        for (a, b) in zip(points, points.dropFirst()) {
            guard let (start, end) = frame.clipped(a, b) else { continue }
            if pieces.last?.last == start {
                pieces[pieces.count - 1].append(end)
            } else {
                pieces.append([start, end])
            }
        }
        return pieces
    }

    /// Of many points that lie in one column of pixels the first, the lowest, the highest and the last: the picture
    /// is the same.
    private func thinned(_ points: [Point], to width: Double) -> [Point] {
        guard Double(points.count) > 8 * width else { return points }
        var result: [Point] = []
        var column: ArraySlice<Point> = []
        func keep() {
            guard let low = column.indices.min(by: { column[$0].y < column[$1].y }),
                let high = column.indices.max(by: { column[$0].y < column[$1].y })
            else { return }
            for index in Set([column.startIndex, low, high, column.endIndex - 1]).sorted() {
                result.append(column[index])
            }
        }
        for index in points.indices {
            if let first = column.first, abs(points[index].x - first.x) < 0.5 {
                column = points[column.startIndex...index]
            } else {
                keep()
                column = points[index...index]
            }
        }
        keep()
        return result
    }
}

/// Points by themselves.
struct Scatter: Layer {
    let xValues, yValues: [Double]
    let label: String?
    /// One, or one for each point.
    let colors: [Color]
    /// In multiples of the usual radius.
    let size: Double

    var entry: LegendEntry? {
        label.map { LegendEntry(label: $0, color: colors.first ?? .black, sample: .disc) }
    }

    func places(in frame: Frame) -> [Point] { plottedPlaces(xValues, yValues, frame) }

    func draw(on canvas: any Canvas, in frame: Frame) {
        for (index, (x, y)) in zip(xValues, yValues).enumerated() {
            guard let place = frame.place(x, y), frame.area.contains(place) else { continue }
            canvas.disc(
                place, radius: canvas.metrics.radius * size, colors.count == 1 ? colors[0] : colors[index])
        }
    }
}

/// A straight line across the panel at one number.
struct Rule: Layer {
    let value: Double
    let isHorizontal: Bool
    let label: String?
    let color: Color
    let style: LineStyle

    var xValues: [Double] { isHorizontal ? [] : [value] }
    var yValues: [Double] { isHorizontal ? [value] : [] }
    var entry: LegendEntry? { label.map { LegendEntry(label: $0, color: color, sample: .line(style)) } }

    func draw(on canvas: any Canvas, in frame: Frame) {
        guard let share = (isHorizontal ? frame.y : frame.x).position(value), (0...1).contains(share) else { return }
        let (area, width) = (frame.area, canvas.metrics.line)
        let (x, y) = (area.x + share * area.width, area.bottom - share * area.height)
        let ends =
            isHorizontal
            ? [Point(x: area.x, y: y), Point(x: area.right, y: y)]
            : [Point(x: x, y: area.y), Point(x: x, y: area.bottom)]
        canvas.stroke(ends, color, width: width * 0.8, dash: style.dash(width))
    }
}

/// The places inside the area of the points that can be drawn.
private func plottedPlaces(_ x: [Double], _ y: [Double], _ frame: Frame) -> [Point] {
    zip(x, y).compactMap { x, y in frame.place(x, y).flatMap { frame.area.contains($0) ? $0 : nil } }
}

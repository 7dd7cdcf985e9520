// The legend: names of the series with a sample of each, in the corner where it covers the least.

extension Panel {
    /// A legend laid out but for its place.
    private struct Content {
        var entries: [LegendEntry] = []
        var labels: [String] = []
        var width = 0.0, height = 0.0, line = 0.0, sample = 0.0
    }

    /// As many entries as there is room for, with names cut to it; nil if there are none.
    private func legendContent(_ metrics: Metrics, _ area: Rect) -> Content? {
        var content = Content()
        let (size, gap) = (metrics.textSize, metrics.gap)
        content.line = metrics.lineHeight(size) * (metrics.isFine ? 1.1 : 1)
        content.sample = size * 1.6
        let room = Int((area.height - 2 * gap) / content.line)
        content.entries = Array(layers.compactMap(\.entry).prefix(max(0, room)))
        guard legend != .hidden, !content.entries.isEmpty else { return nil }
        content.labels = content.entries.map {
            metrics.fitted($0.label, size, to: area.width * 0.6 - content.sample - 3 * gap)
        }
        let widest = content.labels.map { metrics.textWidth($0, size) }.max() ?? 0
        content.width = content.sample + widest + 2.5 * gap
        content.height = Double(content.entries.count) * content.line + gap * 0.6
        return content
    }

    /// The height that the legend needs above the data because it would cover some in every corner; nil if there is a
    /// place for it.
    func missingLegendRoom(_ canvas: any Canvas, _ frame: Frame) -> Double? {
        guard legend == .automatic, let content = legendContent(canvas.metrics, frame.area) else { return nil }
        let place = place(content.width, content.height, frame, inset: canvas.metrics.gap)
        return place.covered > 0 ? content.height + 2 * canvas.metrics.gap : nil
    }

    func drawLegend(on canvas: any Canvas, _ frame: Frame) {
        let metrics = canvas.metrics
        guard let content = legendContent(metrics, frame.area) else { return }
        let (size, gap, line, sample) = (metrics.textSize, metrics.gap, content.line, content.sample)
        let box = place(content.width, content.height, frame, inset: gap).box
        canvas.fill(box, Color.white.opacity(0.85))
        if metrics.isFine { canvas.outline(box, .grey(0.8), width: metrics.hairline) }
        for (index, (entry, label)) in zip(content.entries, content.labels).enumerated() {
            let y = box.y + gap * 0.3 + (Double(index) + 0.5) * line
            let (left, right) = (box.x + gap * 0.7, box.x + gap * 0.7 + sample)
            switch entry.sample {
            case .line(let style):
                canvas.stroke(
                    [Point(x: left, y: y), Point(x: right, y: y)], entry.color, width: metrics.line,
                    dash: style.dash(metrics.line))
            case .disc: canvas.disc(Point(x: (left + right) / 2, y: y), radius: metrics.radius, entry.color)
            case .box:
                canvas.fill(Rect(x: left, y: y - size * 0.35, width: sample, height: size * 0.7), entry.color)
            }
            canvas.text(label, at: Point(x: right + gap, y: y), size: size, .grey(0.15), anchor: .start)
        }
    }

    /// The wanted corner, or that with the fewest points of data, and how many these are.
    private func place(_ width: Double, _ height: Double, _ frame: Frame, inset: Double) -> (box: Rect, covered: Int) {
        let area = frame.area
        let (left, right) = (area.x + inset, max(area.x, area.right - inset - width))
        let (top, bottom) = (area.y + inset, max(area.y, area.bottom - inset - height))
        func box(_ x: Double, _ y: Double) -> Rect {
            Rect(x: x.rounded(), y: y.rounded(), width: width.rounded(), height: height.rounded())
        }
        switch legend {
        case .topLeft: return (box(left, top), 0)
        case .topRight: return (box(right, top), 0)
        case .bottomLeft: return (box(left, bottom), 0)
        case .bottomRight: return (box(right, bottom), 0)
        case .automatic, .hidden:
            let places = layers.flatMap { $0.places(in: frame) }
            let corners = [box(right, top), box(left, top), box(right, bottom), box(left, bottom)]
            let covered = corners.map { corner in
                let around = corner.inset(left: -inset / 2, top: -inset / 2, right: -inset / 2, bottom: -inset / 2)
                return places.count { around.contains($0) }
            }
            let best = corners.indices.min { covered[$0] < covered[$1] } ?? 0
            return (corners[best], covered[best])
        }
    }
}

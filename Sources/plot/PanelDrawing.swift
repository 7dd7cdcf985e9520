// How a panel is laid out and drawn: title, axes, grid, layers, legend.

private let textColor = Color.grey(0.15), axisColor = Color.grey(0.35), gridColor = Color.grey(0.91)

extension Panel {
    /// Draws the panel with all its labels inside a rectangle.
    func draw(on canvas: any Canvas, in rect: Rect) {
        let metrics = canvas.metrics
        let texts = (x: axisText(\.xText), y: axisText(\.yText))
        var (xAxis, yAxis) = axes
        let goesDown = layers.contains(where: \.goesDown)
        if goesDown { yAxis.isReversed = true }

        let titleHeight = title.isEmpty ? 0 : metrics.lineHeight(metrics.titleSize) + metrics.gap * 0.5
        let inner = rect.inset(top: titleHeight)
        var area = labelled(inner, xAxis, yAxis, texts, metrics)
        guard area.width > 1, area.height > 1 else { return }
        let aspect = layers.lazy.compactMap(\.aspect).first
        if let aspect, xLimits == nil, yLimits == nil {
            area = snapped(area.fitting(width: aspect, height: 1), metrics)
        }
        var frame = Frame(area: area, x: xAxis, y: yAxis)
        // Where every corner is full and nobody has set the ends, the axis goes on above for the legend.
        if !goesDown, yLimits == nil, let height = missingLegendRoom(canvas, frame), height < area.height / 2 {
            yAxis = yAxis.raised(by: height / area.height)
            area = labelled(inner, xAxis, yAxis, texts, metrics)
            frame = Frame(area: area, x: xAxis, y: yAxis)
        }
        if let bar = layers.lazy.compactMap({ $0.colorBar(on: canvas, in: frame) }).first {
            area = draw(bar, on: canvas, beside: area)
            frame = Frame(area: area, x: xAxis, y: yAxis)
        }

        if !title.isEmpty {
            // Over the middle of the area, but never beyond the panel.
            let text = metrics.fitted(title, metrics.titleSize, to: rect.width)
            let half = metrics.textWidth(text, metrics.titleSize) / 2
            let x = min(max(area.center.x, rect.x + half), rect.right - half)
            let y = area.y - (areaTop(texts.y, metrics) + titleHeight - metrics.lineHeight(metrics.titleSize) / 2)
            canvas.text(text, at: Point(x: x, y: y), size: metrics.titleSize, textColor, anchor: .middle)
        }
        drawAxes(on: canvas, frame, texts, rect)
        for layer in layers { layer.draw(on: canvas, in: frame) }
        drawLegend(on: canvas, frame)
    }

    // MARK: Layout

    private func axisText(_ text: (any Layer) -> AxisText) -> AxisText {
        for layer in layers {
            let wanted = text(layer)
            if case .numbers = wanted { continue }
            return wanted
        }
        return .numbers
    }

    private var axes: (x: Axis, y: Axis) {
        let isAnchored = layers.contains(where: \.standsOnZero)
        return (
            xLimits.map { Axis(xScale, limits: $0) }
                ?? Axis(xScale, containing: layers.flatMap(\.xValues), margin: layers.map(\.xMargin).min() ?? 0),
            yLimits.map { Axis(yScale, limits: $0) }
                ?? Axis(
                    yScale, containing: layers.flatMap(\.yValues), margin: layers.map(\.yMargin).min() ?? 0,
                    standsOnZero: isAnchored)
        )
    }

    /// Space above the area for the upper half of its highest number.
    private func areaTop(_ text: AxisText, _ metrics: Metrics) -> Double {
        if case .numbers = text { return metrics.lineHeight(metrics.textSize) / 2 }
        return 0
    }

    /// What remains of a rectangle for the data when the axes have their labels.
    private func labelled(
        _ rect: Rect, _ xAxis: Axis, _ yAxis: Axis, _ texts: (x: AxisText, y: AxisText), _ metrics: Metrics
    ) -> Rect {
        let size = metrics.textSize
        let line = metrics.lineHeight(size)
        let beside = metrics.tick + metrics.gap * 0.5
        var area = rect.inset(top: areaTop(texts.y, metrics))
        area = area.inset(
            left: yLabel.isEmpty ? 0 : line + metrics.gap * 0.8, bottom: xLabel.isEmpty ? 0 : line + metrics.gap * 0.3)
        // The height of names below depends on the width, the width on the numbers at the side: those first, for an
        // area that is at most a line too high.
        switch texts.y {
        case .none: break
        case .names(let names):
            let widest = names.map { metrics.textWidth($0, size) }.max() ?? 0
            area = area.inset(left: min(widest, rect.width * 0.35) + beside)
        case .numbers:
            let ticks = yTicks(yAxis, area.height - line - beside, metrics)
            let widest = ticks.map { metrics.textWidth($0.label, size) }.max() ?? 0
            area = area.inset(left: min(widest, rect.width * 0.5) + beside)
        }
        switch texts.x {
        case .none: break
        case .names(let names):
            let widest = names.map { metrics.textWidth($0, size) }.max() ?? 0
            let isVertical = namesAreVertical(names, width: area.width, xAxis, metrics)
            area = area.inset(
                bottom: (isVertical ? min(widest * metrics.turned, rect.height * 0.35) : line) + beside)
        case .numbers:
            area = area.inset(bottom: line + beside)
            // Half of the last number may stand out at the right.
            if let last = xTicks(xAxis, area.width, metrics).last(where: { !$0.label.isEmpty }),
                let place = xAxis.position(last.value)
            {
                let room = (1 - place) * area.width
                area = area.inset(right: max(0, metrics.textWidth(last.label, size) / 2 - room))
            }
        }
        return snapped(area, metrics)
    }

    /// On whole pixels or characters, so that lines and cells are sharp; there cells are whole characters too.
    private func snapped(_ rect: Rect, _ metrics: Metrics) -> Rect {
        let row = metrics.isFine ? 1 : metrics.lineHeight(metrics.textSize)
        let (x, y) = (rect.x.rounded(.up), (rect.y / row).rounded(.up) * row)
        var (width, height) = ((rect.right - x).rounded(.down), ((rect.bottom - y) / row).rounded(.down) * row)
        if !metrics.isFine, let cells = layers.lazy.compactMap(\.cells).first {
            let (columns, rows) = (Double(cells.columns), Double(cells.rows) * row)
            if width >= columns { width = (width / columns).rounded(.down) * columns }
            if height >= rows { height = (height / rows).rounded(.down) * rows }
        }
        return Rect(x: x, y: y, width: max(0, width), height: max(0, height))
    }

    private func yTicks(_ axis: Axis, _ height: Double, _ metrics: Metrics) -> [Axis.Tick] {
        visible(axis.ticks(atMost: Int(max(0, height) / (2.2 * metrics.lineHeight(metrics.textSize)))), axis)
    }

    /// As many as fit side by side.
    private func xTicks(_ axis: Axis, _ width: Double, _ metrics: Metrics) -> [Axis.Tick] {
        for most in stride(from: max(2, min(10, Int(width / (5 * metrics.textSize)))), to: 2, by: -1) {
            let ticks = visible(axis.ticks(atMost: most), axis)
            let labelled = ticks.filter { !$0.label.isEmpty }
            let needed = labelled.reduce(0) { $0 + metrics.textWidth($1.label, metrics.textSize) + metrics.gap }
            if needed <= width { return ticks }
        }
        return visible(axis.ticks(atMost: 2), axis)
    }

    private func visible(_ ticks: [Axis.Tick], _ axis: Axis) -> [Axis.Tick] {
        ticks.filter { axis.position($0.value).map { (-1e-6...1 + 1e-6).contains($0) } ?? false }
    }

    /// Whether names have to be turned to fit below an axis; numbers are rather left out here and there.
    private func namesAreVertical(_ names: [String], width: Double, _ axis: Axis, _ metrics: Metrics) -> Bool {
        let widest = names.map { metrics.textWidth($0, metrics.textSize) }.max() ?? 0
        return widest + metrics.gap > nameStep(axis, width) && names.contains { Double($0) == nil }
    }

    /// Distance between names on an axis of a length.
    private func nameStep(_ axis: Axis, _ length: Double) -> Double { length / (axis.high - axis.low) }

    // MARK: Axes

    private func drawAxes(
        on canvas: any Canvas, _ frame: Frame, _ texts: (x: AxisText, y: AxisText), _ rect: Rect
    ) {
        let (metrics, area) = (canvas.metrics, frame.area)
        let (size, line) = (metrics.textSize, metrics.lineHeight(metrics.textSize))
        let beside = metrics.tick + metrics.gap * 0.5
        // Lines lie on the pixels next to the area.
        let (left, bottom) = (area.x - 0.5, area.bottom + 0.5)
        var below = area.bottom
        switch texts.x {
        case .none: break
        case .numbers:
            for tick in xTicks(frame.x, area.width, metrics) {
                guard let share = frame.x.position(tick.value) else { continue }
                let x = (area.x + share * area.width).rounded(.down) + 0.5
                drawTick(on: canvas, tick, from: Point(x: x, y: bottom), to: Point(x: x, y: area.y), isDown: true)
                canvas.text(
                    tick.label, at: Point(x: x, y: area.bottom + beside + line / 2), size: size, textColor,
                    anchor: .middle)
            }
            below += beside + line
        case .names(let names):
            let isVertical = namesAreVertical(names, width: area.width, frame.x, metrics)
            let room = isVertical ? rect.height * 0.35 / metrics.turned : .infinity
            let widest = names.map { metrics.textWidth($0, size) }.max() ?? 0
            let every = thinning(nameStep(frame.x, area.width), isVertical ? line : widest + metrics.gap)
            for (index, name) in names.enumerated() where index % every == 0 {
                guard let share = frame.x.position(Double(index)), (0...1).contains(share) else { continue }
                let fitted = metrics.fitted(name, size, to: room)
                canvas.text(
                    fitted,
                    at: Point(x: area.x + share * area.width, y: area.bottom + beside + (isVertical ? 0 : line / 2)),
                    size: size, textColor, anchor: isVertical ? .end : .middle, isVertical: isVertical)
                let extent = isVertical ? metrics.textWidth(fitted, size) * metrics.turned : line
                below = max(below, area.bottom + beside + extent)
            }
        }
        var beyond = area.x
        switch texts.y {
        case .none: break
        case .numbers:
            for tick in yTicks(frame.y, area.height, metrics) {
                guard let share = frame.y.position(tick.value) else { continue }
                let y = (area.bottom - share * area.height).rounded(.down) + 0.5
                drawTick(on: canvas, tick, from: Point(x: left, y: y), to: Point(x: area.right, y: y), isDown: false)
                canvas.text(tick.label, at: Point(x: area.x - beside, y: y), size: size, textColor, anchor: .end)
                beyond = min(beyond, area.x - beside - metrics.textWidth(tick.label, size))
            }
        case .names(let names):
            let every = thinning(nameStep(frame.y, area.height), line)
            for (index, name) in names.enumerated() where index % every == 0 {
                guard let share = frame.y.position(Double(index)), (0...1).contains(share) else { continue }
                let fitted = metrics.fitted(name, size, to: rect.width * 0.35)
                canvas.text(
                    fitted, at: Point(x: area.x - beside, y: area.bottom - share * area.height), size: size, textColor,
                    anchor: .end)
                beyond = min(beyond, area.x - beside - metrics.textWidth(fitted, size))
            }
        }
        if case .numbers = texts.y {
            let width = metrics.hairline
            canvas.fill(Rect(x: left - width / 2, y: area.y, width: width, height: area.height + width), axisColor)
            canvas.fill(Rect(x: area.x, y: bottom - width / 2, width: area.width, height: width), axisColor)
        }
        let xText = metrics.fitted(xLabel, size, to: rect.width),
            yText = metrics.fitted(yLabel, size, to: rect.height / metrics.turned)
        canvas.text(
            xText, at: Point(x: area.center.x, y: min(below + metrics.gap * 0.3, rect.bottom - line) + line / 2),
            size: size, textColor, anchor: .middle)
        canvas.text(
            yText, at: Point(x: max(rect.x + line / 2, beyond - metrics.gap * 0.8 - line / 2), y: area.center.y),
            size: size, textColor, anchor: .middle, isVertical: true)
    }

    /// Every which name is written, so that they do not overlap: each, or every second, fifth, tenth, …
    private func thinning(_ step: Double, _ needed: Double) -> Int {
        var every = 1
        while Double(every) * step < needed, every < 1_000_000 {
            every = String(every).first == "2" ? every / 2 * 5 : every * 2
        }
        return every
    }

    /// The mark outside of the area and, for a labelled tick, the line of the grid inside.
    private func drawTick(on canvas: any Canvas, _ tick: Axis.Tick, from: Point, to: Point, isDown: Bool) {
        let metrics = canvas.metrics
        guard metrics.isFine else { return }
        if !tick.label.isEmpty { canvas.stroke([from, to], gridColor, width: metrics.hairline) }
        let length = tick.label.isEmpty ? metrics.tick / 2 : metrics.tick
        let end = isDown ? Point(x: from.x, y: from.y + length) : Point(x: from.x - length, y: from.y)
        canvas.stroke([from, end], axisColor, width: metrics.hairline)
    }

    /// Draws the bar at the right of the area; returns what remains for the data.
    private func draw(_ bar: ColorBar, on canvas: any Canvas, beside area: Rect) -> Rect {
        let metrics = canvas.metrics
        let axis = Axis(.linear, limits: bar.range)
        let ticks = yTicks(axis, area.height, metrics)
        let widest = ticks.map { metrics.textWidth($0.label, metrics.textSize) }.max() ?? 0
        let thickness = metrics.textSize
        let rest = snapped(
            area.inset(right: min(area.width / 2, thickness + widest + 2.5 * metrics.gap)), metrics)
        let box = Rect(x: rest.right + metrics.gap, y: area.y, width: thickness, height: area.height)
        let shades = (0..<128).map { bar.colors.color(1 - Double($0) / 127) }
        canvas.image(Pixels(width: 1, height: shades.count, colors: shades), in: box)
        for tick in ticks {
            guard let share = axis.position(tick.value) else { continue }
            canvas.text(
                tick.label, at: Point(x: box.right + metrics.gap * 0.6, y: box.bottom - share * box.height),
                size: metrics.textSize, textColor, anchor: .start)
        }
        return rest
    }
}

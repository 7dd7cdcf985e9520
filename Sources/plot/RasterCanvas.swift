// A canvas of pixels with smooth edges.

/// Draws into pixels on a white ground, every length multiplied by a scale.
///
/// A shape first leaves how much of each pixel it covers in a mask, the largest of its parts, and is then laid over the
/// picture in one go: where the parts of a line meet, nothing is painted twice.
final class RasterCanvas: Canvas {
    let width, height: Int
    let metrics: Metrics
    private let scale: Double
    private(set) var pixels: Pixels
    private var mask: [Float]
    /// What of the mask is in use.
    private var touched: (columns: Range<Int>, rows: Range<Int>)?

    init(width: Int, height: Int, scale: Double, metrics: Metrics = .pixels) {
        (self.width, self.height) = (max(1, Int(Double(width) * scale)), max(1, Int(Double(height) * scale)))
        (self.scale, self.metrics) = (scale, metrics)
        let count = self.width * self.height
        pixels = Pixels(width: self.width, height: self.height, colors: Array(repeating: .white, count: count))
        mask = Array(repeating: 0, count: count)
    }

    // MARK: Shapes

    func fill(_ rect: Rect, _ color: Color) {
        let (left, right) = (rect.x * scale, rect.right * scale)
        let (top, bottom) = (rect.y * scale, rect.bottom * scale)
        guard let area = touch(left, right, top, bottom) else { return }
        for y in area.rows {
            let covered = min(bottom, Double(y + 1)) - max(top, Double(y))
            for x in area.columns {
                cover(x, y, covered * (min(right, Double(x + 1)) - max(left, Double(x))))
            }
        }
        blend(color)
    }

    func disc(_ center: Point, radius: Double, _ color: Color) {
        let (x0, y0, radius) = (center.x * scale, center.y * scale, radius * scale)
        guard let area = touch(x0 - radius - 1, x0 + radius + 1, y0 - radius - 1, y0 + radius + 1) else { return }
        for y in area.rows {
            for x in area.columns {
                let (dx, dy) = (Double(x) + 0.5 - x0, Double(y) + 0.5 - y0)
                cover(x, y, radius + 0.5 - (dx * dx + dy * dy).squareRoot())
            }
        }
        blend(color)
    }

    func stroke(_ points: [Point], _ color: Color, width: Double, dash: [Double]) {
        let scaled = points.map { Point(x: $0.x * scale, y: $0.y * scale) }
        for piece in dash.isEmpty ? [scaled] : dashed(scaled, dash.map { $0 * scale }) {
            trace(piece, halfWidth: width * scale / 2)
        }
        blend(color)
    }

    func text(_ text: String, at place: Point, size: Double, _ color: Color, anchor: Anchor, isVertical: Bool) {
        let length = StrokeFont.width(text, size)
        let shift =
            switch anchor {
            case .start: 0.0
            case .middle: length / 2
            case .end: length
            }
        for stroke in StrokeFont.strokes(text, size) {
            let points = stroke.map { point in
                let (along, down) = (point.x - shift, point.y)
                return isVertical
                    ? Point(x: (place.x + down) * scale, y: (place.y - along) * scale)
                    : Point(x: (place.x + along) * scale, y: (place.y + down) * scale)
            }
            trace(points, halfWidth: StrokeFont.penWidth(size) * scale / 2)
        }
        blend(color)
    }

    /// Enlarged pixels stay sharp; shrunk ones are averaged.
    func image(_ image: Pixels, in rect: Rect) {
        guard image.width > 0, image.height > 0 else { return }
        let (left, top) = (Int((rect.x * scale).rounded()), Int((rect.y * scale).rounded()))
        let (right, bottom) = (Int((rect.right * scale).rounded()), Int((rect.bottom * scale).rounded()))
        func sources(_ place: Int, _ extent: Int, _ count: Int) -> Range<Int> {
            let first = min(count - 1, place * count / extent)
            return first..<max(first + 1, min(count, (place + 1) * count / extent))
        }
        for y in max(0, top)..<max(0, top, min(height, bottom)) {
            let rows = sources(y - top, bottom - top, image.height)
            for x in max(0, left)..<max(0, left, min(width, right)) {
                let columns = sources(x - left, right - left, image.width)
                pixels.colors[y * width + x] = image.average(columns, rows)
            }
        }
    }

    // MARK: The mask

    /// The pixels of a box inside the picture, which become part of the mask in use; nil if there are none.
    private func touch(_ left: Double, _ right: Double, _ top: Double, _ bottom: Double)
        -> (columns: Range<Int>, rows: Range<Int>)?
    {
        func range(_ low: Double, _ high: Double, _ limit: Int) -> Range<Int>? {
            guard low < high, high > 0, low < Double(limit) else { return nil }
            return Int(max(0, low))..<Int(min(Double(limit), high.rounded(.up)))
        }
        guard let columns = range(left, right, width), let rows = range(top, bottom, height) else { return nil }
        if let before = touched {
            touched = (
                min(before.columns.lowerBound, columns.lowerBound)..<max(before.columns.upperBound, columns.upperBound),
                min(before.rows.lowerBound, rows.lowerBound)..<max(before.rows.upperBound, rows.upperBound)
            )
        } else {
            touched = (columns, rows)
        }
        return (columns, rows)
    }

    private func cover(_ x: Int, _ y: Int, _ share: Double) {
        let index = y * width + x
        mask[index] = max(mask[index], Float(min(1, share)))
    }

    /// Lays the mask over the picture in one colour and clears it.
    private func blend(_ color: Color) {
        guard let area = touched else { return }
        for y in area.rows {
            for index in y * width + area.columns.lowerBound..<y * width + area.columns.upperBound where mask[index] > 0
            {
                pixels.colors[index] = color.over(pixels.colors[index], coverage: Double(mask[index]))
                mask[index] = 0
            }
        }
        touched = nil
    }

    /// Covers what lies within `halfWidth` of connected lines.
    private func trace(_ points: [Point], halfWidth: Double) {
        for (a, b) in zip(points, points.dropFirst()) {
            let reach = halfWidth + 0.5
            guard
                let area = touch(
                    min(a.x, b.x) - reach, max(a.x, b.x) + reach, min(a.y, b.y) - reach, max(a.y, b.y) + reach)
            else { continue }
            let (dx, dy) = (b.x - a.x, b.y - a.y)
            let lengthSquared = dx * dx + dy * dy
            for y in area.rows {
                let py = Double(y) + 0.5
                var columns = area.columns
                if abs(dy) > reach {
                    // Of a steep line only the part near this row counts; the rest of its box is not looked at.
                    let t0 = min(1, max(0, (py - reach - a.y) / dy)), t1 = min(1, max(0, (py + reach - a.y) / dy))
                    let (x0, x1) = (a.x + t0 * dx, a.x + t1 * dx)
                    let low = max(columns.lowerBound, Int(max(0, min(x0, x1) - reach)))
                    columns = low..<max(low, min(columns.upperBound, Int(max(x0, x1) + reach + 1)))
                }
                for x in columns {
                    let px = Double(x) + 0.5
                    let t = lengthSquared > 0 ? min(1, max(0, ((px - a.x) * dx + (py - a.y) * dy) / lengthSquared)) : 0
                    let (ex, ey) = (px - a.x - t * dx, py - a.y - t * dy)
                    let distance = (ex * ex + ey * ey).squareRoot()
                    if distance < reach { cover(x, y, min(reach - distance, 2 * halfWidth)) }
                }
            }
        }
    }

    /// A line cut into strokes and gaps.
    private func dashed(_ points: [Point], _ pattern: [Double]) -> [[Point]] {
        var pieces: [[Point]] = []
        var (entry, left) = (0, pattern[0])
        var piece = points.prefix(1).map { $0 }
        for (a, b) in zip(points, points.dropFirst()) {
            let length = ((b.x - a.x) * (b.x - a.x) + (b.y - a.y) * (b.y - a.y)).squareRoot()
            var done = 0.0
            while length - done > left {
                done += left
                let cut = Point(x: a.x + (b.x - a.x) * done / length, y: a.y + (b.y - a.y) * done / length)
                if entry % 2 == 0 { pieces.append(piece + [cut]) }
                piece = [cut]
                entry += 1
                left = pattern[entry % pattern.count]
            }
            left -= length - done
            piece.append(b)
        }
        if entry % 2 == 0 { pieces.append(piece) }
        return pieces
    }
}

extension Pixels {
    /// The mean colour of a part.
    func average(_ columns: Range<Int>, _ rows: Range<Int>) -> Color {
        if columns.count == 1, rows.count == 1 { return self[columns.lowerBound, rows.lowerBound] }
        var (red, green, blue) = (0, 0, 0)
        for y in rows {
            for x in columns {
                let color = self[x, y]
                red += Int(color.red)
                green += Int(color.green)
                blue += Int(color.blue)
            }
        }
        let count = columns.count * rows.count
        func mean(_ sum: Int) -> UInt8 { UInt8((sum + count / 2) / count) }
        return Color(mean(red), mean(green), mean(blue))
    }
}

extension Metrics {
    /// For pictures made of pixels and for SVG, whose letters may be wider than those of the stroke font.
    static let pixels = Metrics(
        textSize: 12, titleSize: 14, smallestText: 6, turned: 1, gap: 7, tick: 4, line: 1.8, hairline: 1, radius: 3,
        isFine: true,
        lineHeight: { $0 * 1.25 }, textWidth: { StrokeFont.width($0, $1) * 1.12 })
}

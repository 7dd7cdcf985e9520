// What pictures are drawn on: a few shapes, which SVG, pixels and the terminal each draw in their own way.
import Tapestry

struct Point: Equatable { var x, y: Double }

/// An upright rectangle; y goes down.
struct Rect: Equatable {
    var x, y, width, height: Double
    var right: Double { x + width }
    var bottom: Double { y + height }
    var center: Point { Point(x: x + width / 2, y: y + height / 2) }

    /// The rectangle with two opposite corners.
    init(_ a: Point, _ b: Point) {
        self.init(x: min(a.x, b.x), y: min(a.y, b.y), width: abs(a.x - b.x), height: abs(a.y - b.y))
    }
    init(x: Double, y: Double, width: Double, height: Double) {
        (self.x, self.y, self.width, self.height) = (x, y, width, height)
    }

    /// Smaller by the given lengths, never less than empty.
    func inset(left: Double = 0, top: Double = 0, right: Double = 0, bottom: Double = 0) -> Rect {
        Rect(x: x + left, y: y + top, width: max(0, width - left - right), height: max(0, height - top - bottom))
    }

    /// The part inside another rectangle; nil if there is none.
    func clipped(to other: Rect) -> Rect? {
        let (left, top) = (max(x, other.x), max(y, other.y))
        let (right, bottom) = (min(self.right, other.right), min(self.bottom, other.bottom))
        return left < right && top < bottom ? Rect(x: left, y: top, width: right - left, height: bottom - top) : nil
    }

    func contains(_ point: Point) -> Bool { point.x >= x && point.x <= right && point.y >= y && point.y <= bottom }

    /// The largest rectangle of the given proportions in the middle of this one.
    func fitting(width: Double, height: Double) -> Rect {
        let scale = min(self.width / width, self.height / height)
        let (w, h) = (width * scale, height * scale)
        return Rect(x: x + (self.width - w) / 2, y: y + (self.height - h) / 2, width: w, height: h)
    }
}

/// Pixels in row-major order.
struct Pixels {
    let width, height: Int
    var colors: [Color]
    subscript(_ x: Int, _ y: Int) -> Color { colors[y * width + x] }

    /// The pixels as a PNG file.
    var png: [UInt8] {
        var samples: [UInt8] = []
        samples.reserveCapacity(3 * colors.count)
        for color in colors {
            samples.append(color.red)
            samples.append(color.green)
            samples.append(color.blue)
        }
        return PNG.encoded(samples, width: width, height: height, channels: 3)
    }
}

/// Which end of a text its place names; up and down the place is always the middle.
enum Anchor { case start, middle, end }

/// The lengths that a layout goes by; in pixels, for the terminal in half characters.
struct Metrics {
    let textSize, titleSize: Double
    /// Below this size numbers are left out instead of shrunk.
    let smallestText: Double
    /// How much longer a text is when it is turned upright.
    let turned: Double
    /// Distance between things that stand side by side.
    let gap: Double
    /// Length of the marks at an axis.
    let tick: Double
    /// Width of a series' line, and of axes.
    let line, hairline: Double
    /// Radius of a point.
    let radius: Double
    /// Whether there is room for hairlines: the grid, marks at the axes, frames.
    let isFine: Bool
    /// Height of a line of text of a size.
    let lineHeight: @Sendable (_ size: Double) -> Double
    let textWidth: @Sendable (_ text: String, _ size: Double) -> Double

    /// The text, cut with an ellipsis if it is wider than `width`.
    func fitted(_ text: String, _ size: Double, to width: Double) -> String {
        guard textWidth(text, size) > width else { return text }
        var kept = text
        while !kept.isEmpty, textWidth(kept + "…", size) > width { kept.removeLast() }
        return kept.isEmpty ? "" : kept + "…"
    }
}

/// Something to draw on. Coordinates lie within a few widths of the canvas: callers clip.
protocol Canvas: AnyObject {
    var metrics: Metrics { get }
    func fill(_ rect: Rect, _ color: Color)
    /// Connected lines; `dash` are lengths of strokes and gaps by turns, empty for an unbroken line.
    func stroke(_ points: [Point], _ color: Color, width: Double, dash: [Double])
    func disc(_ center: Point, radius: Double, _ color: Color)
    /// One line of text; with `isVertical` it reads upwards.
    func text(_ text: String, at place: Point, size: Double, _ color: Color, anchor: Anchor, isVertical: Bool)
    /// Pixels stretched over a rectangle, each one sharp.
    func image(_ pixels: Pixels, in rect: Rect)
}

extension Canvas {
    func stroke(_ points: [Point], _ color: Color, width: Double) {
        stroke(points, color, width: width, dash: [])
    }
    func text(_ text: String, at place: Point, size: Double, _ color: Color, anchor: Anchor) {
        self.text(text, at: place, size: size, color, anchor: anchor, isVertical: false)
    }
    /// The outline of a rectangle.
    func outline(_ rect: Rect, _ color: Color, width: Double) {
        let corners = [
            Point(x: rect.x, y: rect.y), Point(x: rect.right, y: rect.y), Point(x: rect.right, y: rect.bottom),
            Point(x: rect.x, y: rect.bottom), Point(x: rect.x, y: rect.y),
        ]
        stroke(corners, color, width: width)
    }
}

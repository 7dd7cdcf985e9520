// A canvas that writes SVG: one file that needs nothing else, its text still text.
import Foundation
import Tapestry

/// Draws as SVG 1.1 elements.
final class SVGCanvas: Canvas {
    let metrics = Metrics.pixels
    private let width, height: Int
    private var elements: [String] = []

    init(width: Int, height: Int) { (self.width, self.height) = (width, height) }

    /// The whole file.
    var document: String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="\(width)" \
        height="\(height)" viewBox="0 0 \(width) \(height)" font-family="Helvetica, Arial, sans-serif">
        <rect width="100%" height="100%" fill="#ffffff"/>
        \(elements.joined(separator: "\n"))
        </svg>

        """
    }

    func fill(_ rect: Rect, _ color: Color) {
        elements.append("<rect \(box(rect)) fill=\"\(color.hex)\"\(opacity("fill", color))/>")
    }

    func disc(_ center: Point, radius: Double, _ color: Color) {
        elements.append(
            "<circle cx=\"\(number(center.x))\" cy=\"\(number(center.y))\" r=\"\(number(radius))\" "
                + "fill=\"\(color.hex)\"\(opacity("fill", color))/>")
    }

    func stroke(_ points: [Point], _ color: Color, width: Double, dash: [Double]) {
        guard points.count > 1 else { return }
        let path = points.map { "\(number($0.x)),\(number($0.y))" }.joined(separator: " ")
        let dashes = dash.isEmpty ? "" : " stroke-dasharray=\"\(dash.map(number).joined(separator: " "))\""
        elements.append(
            "<polyline points=\"\(path)\" fill=\"none\" stroke=\"\(color.hex)\"\(opacity("stroke", color)) "
                + "stroke-width=\"\(number(width))\" stroke-linejoin=\"round\"\(dashes)/>")
    }

    func text(_ text: String, at place: Point, size: Double, _ color: Color, anchor: Anchor, isVertical: Bool) {
        // Half a capital's height below the middle lies the baseline.
        let drop = 0.36 * size
        let (x, y) = isVertical ? (place.x + drop, place.y) : (place.x, place.y + drop)
        let turn = isVertical ? " transform=\"rotate(-90 \(number(x)) \(number(y)))\"" : ""
        elements.append(
            "<text x=\"\(number(x))\" y=\"\(number(y))\" font-size=\"\(number(size))\" fill=\"\(color.hex)\" "
                + "text-anchor=\"\(anchor)\"\(turn)>\(escapedMarkup(text))</text>")
    }

    func image(_ pixels: Pixels, in rect: Rect) {
        guard pixels.width > 0, pixels.height > 0 else { return }
        elements.append(
            "<image \(box(rect)) preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" "
                + "xlink:href=\"data:image/png;base64,\(Data(pixels.png).base64EncodedString())\"/>")
    }

    private func box(_ rect: Rect) -> String {
        "x=\"\(number(rect.x))\" y=\"\(number(rect.y))\" width=\"\(number(rect.width))\" height=\"\(number(rect.height))\""
    }

    private func opacity(_ kind: String, _ color: Color) -> String {
        color.alpha < 1 ? " \(kind)-opacity=\"\(number(color.alpha))\"" : ""
    }

    /// To a hundredth of a pixel, without trailing zeros.
    private func number(_ value: Double) -> String {
        let rounded = (value * 100).rounded() / 100
        return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
    }
}

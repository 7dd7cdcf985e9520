// Pictures made of characters: two pixels in each, one above the other, and text as text.
import Foundation

/// Draws into half-block characters; a unit is a character's width and half its height.
final class TerminalCanvas: Canvas {
    let metrics = Metrics.characters
    private let raster: RasterCanvas
    private let usesColor: Bool
    private struct Letter {
        let character: Character
        let color: Color
    }
    /// The letters that stand in place of pixels, by row and column.
    private var letters: [Int: Letter] = [:]

    /// A picture of `width` × `height` / 2 characters.
    init(width: Int, height: Int, usesColor: Bool) {
        raster = RasterCanvas(width: width, height: height, scale: 1, metrics: .characters)
        self.usesColor = usesColor
    }

    // Pixels are so large here that everything is put on whole ones: soft edges would look like shapes of their own.

    func fill(_ rect: Rect, _ color: Color) {
        let corner = Point(x: rect.x.rounded(), y: rect.y.rounded())
        raster.fill(Rect(corner, Point(x: rect.right.rounded(), y: rect.bottom.rounded())), visible(color))
    }
    func disc(_ center: Point, radius: Double, _ color: Color) {
        raster.disc(middle(of: center), radius: radius, visible(color))
    }
    func stroke(_ points: [Point], _ color: Color, width: Double, dash: [Double]) {
        raster.stroke(points.map(middle), visible(color), width: width, dash: dash)
    }
    /// The middle of the pixel that a point lies in.
    private func middle(of point: Point) -> Point {
        Point(x: point.x.rounded(.down) + 0.5, y: point.y.rounded(.down) + 0.5)
    }
    func image(_ pixels: Pixels, in rect: Rect) { raster.image(pixels, in: rect) }

    func text(_ text: String, at place: Point, size: Double, _ color: Color, anchor: Anchor, isVertical: Bool) {
        let letters = Array(text)
        // Letters cannot be turned: what reads upwards elsewhere goes down, one below the other.
        let back =
            switch anchor {
            case .start: isVertical ? letters.count - 1 : 0
            case .middle: letters.count / 2
            case .end: isVertical ? 0 : letters.count
            }
        // Upright text that hangs from its place begins in the first whole line below.
        let y = isVertical && anchor == .end ? place.y + 1 : place.y
        let (column, row) = (Int(place.x.rounded()), Int((y / 2).rounded(.down)))
        for (index, character) in letters.enumerated() {
            let (x, y) = isVertical ? (column, row + index - back) : (column + index - back, row)
            guard x >= 0, x < raster.width, y >= 0, 2 * y < raster.height else { continue }
            self.letters[y * raster.width + x] = Letter(character: character, color: color)
        }
    }

    /// The lines of the picture.
    var lines: [String] {
        stride(from: 0, to: raster.height, by: 2).map { usesColor ? coloredLine($0) : plainLine($0) }
    }

    private func pixels(_ x: Int, _ y: Int) -> (top: Color, bottom: Color) {
        (raster.pixels[x, y], y + 1 < raster.height ? raster.pixels[x, y + 1] : .white)
    }

    /// 24-bit colours, told again only where they change.
    private func coloredLine(_ y: Int) -> String {
        var line = ""
        var last = ""
        for x in 0..<raster.width {
            let (top, bottom) = pixels(x, y)
            let letter = letters[y / 2 * raster.width + x]
            let ground = letter == nil ? bottom : top.over(bottom, coverage: 0.5)
            let ink = letter?.color ?? top
            let code =
                "\u{1b}[38;2;\(ink.red);\(ink.green);\(ink.blue);48;2;\(ground.red);\(ground.green);\(ground.blue)m"
            if code != last { line += code }
            last = code
            line.append(letter?.character ?? (top == bottom ? " " : "▀"))
        }
        return line + "\u{1b}[0m"
    }

    /// Black on white in shades.
    private func plainLine(_ y: Int) -> String {
        var line = ""
        for x in 0..<raster.width {
            let (top, bottom) = pixels(x, y)
            let ink = (top: 1 - top.luminance, bottom: 1 - bottom.luminance)
            if let letter = letters[y / 2 * raster.width + x] {
                line.append(letter.character)
            } else if ink.top - ink.bottom > 0.4 {
                line.append("▀")
            } else if ink.bottom - ink.top > 0.4 {
                line.append("▄")
            } else {
                line.append([" ", "░", "▒", "▓", "█"][Int(((ink.top + ink.bottom) * 2).rounded())])
            }
        }
        while line.last == " " { line.removeLast() }
        return line
    }

    /// Without colours, what is drawn in a light one would hardly be seen: it is darkened.
    private func visible(_ color: Color) -> Color {
        guard !usesColor, (0.45...0.95).contains(color.luminance) else { return color }
        return .grey(0.45).opacity(color.alpha)
    }
}

extension Metrics {
    /// For the terminal: a letter is one unit wide and two high.
    static let characters = Metrics(
        textSize: 2, titleSize: 2, smallestText: 2, turned: 2, gap: 1, tick: 1, line: 1, hairline: 1, radius: 0.5,
        isFine: false,
        lineHeight: { _ in 2 }, textWidth: { text, _ in Double(text.count) })
}

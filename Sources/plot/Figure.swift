// Figures: panels in a grid, written to files and shown in the terminal.
import Foundation
import Tapestry

/// A picture of one or more panels.
///
///     let figure = plot.Figure(rows: 1, columns: 2, width: 800, height: 320)
///     figure[0, 0].line(epochs, losses, label: "training").line(epochs, testLosses, label: "test", style: .dashed)
///     figure[0, 0].yScale = .log
///     figure[0, 1].heatMap(confusion)
///     try figure.write(to: "training.svg")
///     figure.show()
///
/// Text is drawn in a font of lines in PNG files and by the viewer in SVG files.
public final class Figure {
    /// How many panels there are below and beside each other.
    public let rows, columns: Int
    /// In pixels of an SVG file; a PNG file has a multiple of them.
    public let width, height: Int
    /// Over all panels.
    public var title = ""
    private let panels: [Panel]

    /// Empty panels in a grid. Traps unless there is at least one and at most 400, and both sides are in 16...8192.
    public init(
        rows: Int = 1, columns: Int = 1, width: Int = 640, height: Int = 400, file: StaticString = #fileID,
        line: UInt = #line
    ) {
        let site = SourceSite(file, line)
        require(
            (1...400).contains(rows) && (1...400).contains(columns) && rows * columns <= 400,
            "Figure: \(rows) × \(columns) panels, expected 1 to 400", site)
        require(
            (16...8192).contains(width) && (16...8192).contains(height),
            "Figure: a size of \(width) × \(height), expected 16 to 8192 on each side", site)
        (self.rows, self.columns, self.width, self.height) = (rows, columns, width, height)
        panels = (0..<rows * columns).map { _ in Panel() }
    }

    /// The panel in a row and a column. Traps if there is none.
    public subscript(_ row: Int, _ column: Int) -> Panel {
        precondition(
            (0..<rows).contains(row) && (0..<columns).contains(column),
            "Figure: panel [\(row), \(column)] of \(rows) × \(columns)")
        return panels[row * columns + column]
    }

    /// Draws everything on a canvas of a size.
    func draw(on canvas: any Canvas, width: Double, height: Double) {
        let metrics = canvas.metrics
        let gap = metrics.gap
        var rect = Rect(x: 0, y: 0, width: width, height: height).inset(left: gap, top: gap, right: gap, bottom: gap)
        if !title.isEmpty {
            let (size, line) = (metrics.titleSize * 1.1, metrics.lineHeight(metrics.titleSize * 1.1))
            canvas.text(
                metrics.fitted(title, size, to: rect.width), at: Point(x: rect.center.x, y: rect.y + line / 2),
                size: size,
                .black, anchor: .middle)
            rect = rect.inset(top: line + gap)
        }
        let space = 2 * gap
        let cellWidth = (rect.width - space * Double(columns - 1)) / Double(columns)
        let cellHeight = (rect.height - space * Double(rows - 1)) / Double(rows)
        guard cellWidth > 0, cellHeight > 0 else { return }
        for (index, panel) in panels.enumerated() {
            let x = rect.x + Double(index % columns) * (cellWidth + space)
            let y = rect.y + Double(index / columns) * (cellHeight + space)
            panel.draw(on: canvas, in: Rect(x: x, y: y, width: cellWidth, height: cellHeight))
        }
    }

    // MARK: Files

    /// The figure as an SVG file.
    public var svg: String {
        let canvas = SVGCanvas(width: width, height: height)
        draw(on: canvas, width: Double(width), height: Double(height))
        return canvas.document
    }

    /// The figure as a PNG file with `scale` pixels for one of its own. Traps unless `scale` is in 0.1...8 and the
    /// picture has at most 2^26 pixels.
    public func png(scale: Double = 2, file: StaticString = #fileID, line: UInt = #line) -> [UInt8] {
        require(
            (0.1...8).contains(scale) && Double(width * height) * scale * scale <= 0x1p26,
            "png: a scale of \(scale) for \(width) × \(height) pixels", SourceSite(file, line))
        let canvas = RasterCanvas(width: width, height: height, scale: scale)
        draw(on: canvas, width: Double(width), height: Double(height))
        return canvas.pixels.png
    }

    /// Writes a file, whole or not at all; its name's ending, `.svg` or `.png`, says which kind.
    ///
    /// - Throws: `FileError` for another ending or a file that cannot be written.
    public func write(to path: String) throws {
        let lowercase = path.lowercased()
        let bytes: [UInt8]
        if lowercase.hasSuffix(".svg") {
            bytes = Array(svg.utf8)
        } else if lowercase.hasSuffix(".png") {
            bytes = png()
        } else {
            throw FileError(path, "is the name of neither an .svg nor a .png file")
        }
        try writeAtomically(to: path) { append in try bytes.withUnsafeBytes { try append($0) } }
    }

    // MARK: Terminal

    /// The figure as lines of `width` characters, each two pixels one above the other: in 24-bit colours, or without
    /// colour in shades of black. Traps unless `width` is in 20...1000.
    public func terminalPicture(
        width: Int, color: Bool = true, file: StaticString = #fileID, line: UInt = #line
    ) -> String {
        require((20...1000).contains(width), "terminalPicture: a width of \(width)", SourceSite(file, line))
        // Letters are large there: the picture is at least so high that each row of panels has room.
        let proportional = Double(width) * Double(height) / Double(self.width)
        let rounded = min(2000, max(24 * rows, Int(proportional))) / 2 * 2
        let canvas = TerminalCanvas(width: width, height: rounded, usesColor: color)
        draw(on: canvas, width: Double(width), height: Double(rounded))
        return canvas.lines.joined(separator: "\n")
    }

    /// Prints the figure as wide as the terminal, at most 160 characters; where standard output is no terminal, without
    /// colours and 100 wide. In a notebook (`swift run notebook`) the figure appears in the page instead.
    public func show() {
        if NotebookFolder.take(svg) { return }
        var size = winsize()
        guard isatty(STDOUT_FILENO) != 0 else { return print(terminalPicture(width: 100, color: false)) }
        let known = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        print(terminalPicture(width: known ? min(160, max(20, Int(size.ws_col))) : 80))
    }
}

// Whole figures: every kind in every form, with ordinary and with hostile data.
import Foundation
import Tapestry
import Testing

@testable import plot

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// The texts and elements of an SVG file.
private final class Reader: NSObject, XMLParserDelegate {
    var texts: [String] = [], elements: [String: Int] = [:], references: [String] = []
    private var text = ""

    func parser(
        _: XMLParser, didStartElement name: String, namespaceURI _: String?, qualifiedName _: String?,
        attributes: [String: String]
    ) {
        elements[name, default: 0] += 1
        attributes["xlink:href"].map { references.append($0) }
        text = ""
    }
    func parser(_: XMLParser, foundCharacters characters: String) { text += characters }
    func parser(_: XMLParser, didEndElement name: String, namespaceURI _: String?, qualifiedName _: String?) {
        if name == "text" { texts.append(text) }
    }
}

private func read(_ svg: String) -> Reader {
    let reader = Reader()
    let parser = XMLParser(data: Data(svg.utf8))
    parser.delegate = reader
    #expect(parser.parse(), "\(String(describing: parser.parserError))")
    return reader
}

/// Draws a figure in every form; the SVG must be well-formed and free of numbers that are none.
@discardableResult
private func drawn(_ figure: Figure) -> Reader {
    let svg = figure.svg
    let numbers = svg.replacing(/>[^<]*<\/text>/, with: "").replacing(/base64,[^"]*/, with: "")
    #expect(!numbers.contains("nan") && !numbers.contains("inf"))
    #expect(figure.png(scale: 1).count > 60)
    let rows = figure.terminalPicture(width: 60).split(separator: "\n")
    #expect(Set(rows.map { $0.replacing(/\u{1b}\[[0-9;]*m/, with: "").count }) == [60])
    let plain = figure.terminalPicture(width: 60, color: false)
    #expect(!plain.contains("\u{1b}"))
    return read(svg)
}

private let hostile: [[Double]] = [
    [], [3], [.nan], [.infinity, -.infinity], [0, 0, 0], [1, .nan, 2, .infinity, -5], [-1e308, 1e308, 0],
    [1e300, 1e-300],
    [.leastNonzeroMagnitude, 0], [1e16, 1e16 + 2, 1e16 + 4], [-1, -10, -1000],
    [.greatestFiniteMagnitude, .leastNonzeroMagnitude],
]

@Suite struct FigureTests {
    @Test func aFigureSaysWhatItShows() {
        let figure = plot.Figure(rows: 1, columns: 2, width: 800, height: 300)
        figure.title = "Run 7"
        figure[0, 0].line([1, 2, 3], [0.5, 0.25, 0.125] as [Float], label: "training <1>")
            .line([1, 2, 3], Tensor([0.6, 0.3, 0.2]), label: "test & more", style: .dashed)
        figure[0, 0].title = "Loss"
        figure[0, 0].xLabel = "epoch"
        figure[0, 0].yLabel = "cross entropy"
        figure[0, 1].heatMap([[50, 2], [1, 47]], rows: ["cat", "dog"], columns: ["Katze", "Hund"])
        let reader = drawn(figure)
        let wanted = [
            "Run 7", "Loss", "epoch", "cross entropy", "training <1>", "test & more", "50", "2", "1", "47", "cat",
            "dog",
            "Katze", "Hund",
        ]
        for text in wanted { #expect(reader.texts.contains(text), "\(text)") }
        #expect(reader.references.allSatisfy { $0.hasPrefix("data:image/png;base64,") })
    }

    @Test(arguments: hostile)
    func noDataEndsTheProgram(_ values: [Double]) {
        for scale in [Scale.linear, .log] {
            let figure = Figure(rows: 2, columns: 3, width: 400, height: 300)
            figure[0, 0].line(values, label: "a", points: true).horizontalLine(at: values.first ?? 0)
            figure[0, 1].scatter(values, Array(values.reversed()), label: "b")
            figure[0, 2].scatter(values, values, values: values).verticalLine(at: .nan)
            figure[1, 0].bar(values.map { String($0) }, values, label: "c").bar(values, values)
            figure[1, 1].histogram(values, label: "d").histogram(values, density: true)
            figure[1, 2].heatMap([values, values]).line(values)
            for row in 0..<2 {
                for column in 0..<3 {
                    figure[row, column].xScale = scale
                    figure[row, column].yScale = scale
                    figure[row, column].title = "\(values)"
                }
            }
            figure[0, 1].xLimits = -.infinity ... .infinity
            figure[0, 1].yLimits = 5...5
            drawn(figure)
        }
    }

    @Test func imagesOfEveryKindAreShown() {
        let figure = Figure(rows: 2, columns: 3)
        figure[0, 0].image(Tensor.rand([5, 7]))
        figure[0, 1].image(Tensor.rand([3, 5, 7]) * 3 - 1, range: -1...2).line([0, 6], [0, 4])
        figure[0, 2].image(Tensor([0, 128, 255, 7] as [UInt8], shape: [1, 2, 2]), colors: .cividis)
        figure[1, 0].images(Tensor.rand([7, 1, 4, 4]), captions: (0..<7).map { "image \($0)" })
        figure[1, 1].images(Tensor.full([2, 3, 4, 4], Double.nan), columns: 9)
        figure[1, 2].images(Tensor.zeros([0, 3, 4, 4])).heatMap(Tensor.zeros([0, 4]))
        let reader = drawn(figure)
        #expect(reader.elements["image"] == 3 + 7 + 2)
        #expect(reader.texts.filter { $0.hasPrefix("im") }.count == 7)
    }

    @Test func pixelsHaveTheColorsOfTheTensor() {
        let site = SourceSite(#fileID, #line)
        let color = Pixels(Tensor([0, 0.5, 1] as [Float], shape: [3, 1, 1]), range: nil, colors: nil, site)
        #expect(color[0, 0] == Color(0, 128, 255))
        let grey = Pixels(Tensor([7, 255] as [UInt8], shape: [1, 2]), range: nil, colors: nil, site)
        #expect(grey[0, 0] == Color(7, 7, 7) && grey[1, 0] == .white)
        let stretched = Pixels(Tensor([-1.0, 1], shape: [2, 1]), range: -1...1, colors: .viridis, site)
        #expect(stretched[0, 0] == ColorMap.viridis.color(0) && stretched[0, 1] == ColorMap.viridis.color(1))
    }

    @Test func aMillionPointsMakeASmallFile() {
        let figure = Figure()
        figure[0, 0].line((0..<1_000_000).map { Double(($0 &* 2_654_435_761) % 1000) })
        #expect(figure.svg.utf8.count < 200_000)
    }

    @Test func theLegendKeepsOffTheData() {
        let frame = Frame(
            area: Rect(x: 0, y: 0, width: 400, height: 300), x: Axis(.linear, limits: 0...9),
            y: Axis(.linear, limits: 0...9))
        let rising = Panel()
        rising.line(0..<10, label: "name")
        #expect(rising.missingLegendRoom(SVGCanvas(width: 400, height: 300), frame) == nil)
        let full = Panel()
        full.scatter((0..<900).map { $0 % 30 }, (0..<900).map { $0 / 30 }, label: "name")
        full.bar(0..<10, [9, 9, 9, 9, 9, 9, 9, 9, 9, 9], label: "bars")
        #expect(full.missingLegendRoom(SVGCanvas(width: 400, height: 300), frame) != nil)
    }

    @Test func tinyAndCrowdedFiguresAreDrawn() {
        let figure = Figure(rows: 4, columns: 5, width: 60, height: 40)
        for row in 0..<4 {
            for column in 0..<5 {
                figure[row, column].line([1, 2], label: "a label").title = "title"
                figure[row, column].xLabel = "x"
                figure[row, column].yLabel = "y"
            }
        }
        drawn(figure)
        drawn(Figure(width: 16, height: 16))
    }

    @Test func filesAreWrittenByTheirEnding() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/plot-\(UInt32.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let figure = Figure()
        figure[0, 0].line([1, 4, 9])
        try figure.write(to: folder + "/a.svg")
        try figure.write(to: folder + "/a.PNG")
        #expect(try String(contentsOfFile: folder + "/a.svg", encoding: .utf8) == figure.svg)
        #expect(FileManager.default.contents(atPath: folder + "/a.PNG").map(Array.init) == figure.png())
        let wrong = #expect(throws: FileError.self) { try figure.write(to: folder + "/a.pdf") }
        #expect(wrong?.path == folder + "/a.pdf")
        #expect(throws: FileError.self) { try figure.write(to: folder + "/none/a.svg") }
    }

    @Test func mistakesEndTheProgram() async {
        await #expect(processExitsWith: .failure) { _ = Figure(rows: 0) }
        await #expect(processExitsWith: .failure) { _ = Figure(width: 1_000_000) }
        await #expect(processExitsWith: .failure) { _ = Figure()[1, 0] }
        await #expect(processExitsWith: .failure) { Figure()[0, 0].line([1, 2], [1]) }
        await #expect(processExitsWith: .failure) { Figure()[0, 0].bar(["a"], [1, 2]) }
        await #expect(processExitsWith: .failure) { Figure()[0, 0].image(Tensor.zeros([2, 3, 3])) }
        await #expect(processExitsWith: .failure) { Figure()[0, 0].heatMap(Tensor.zeros([3])) }
        await #expect(processExitsWith: .failure) { Figure()[0, 0].histogram([1], bins: 0) }
        await #expect(processExitsWith: .failure) { _ = Figure().terminalPicture(width: 5) }
    }
}

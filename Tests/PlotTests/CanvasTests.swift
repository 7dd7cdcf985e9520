// What canvases make of shapes: pixels, PNG files, letters.
import CZlib
import Foundation
import Testing

@testable import plot

private let everyCharacter = (32...126).map { Character(UnicodeScalar(UInt8($0))) } + Array("−×±°µλ→≤≥…·—⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

@Suite struct CanvasTests {
    @Test func rectanglesCoverPixelsByTheirShare() {
        let canvas = RasterCanvas(width: 6, height: 4, scale: 1)
        canvas.fill(Rect(x: 1, y: 1, width: 2.5, height: 1), .black)
        let row = (0..<6).map { canvas.pixels[$0, 1].red }
        #expect(row == [255, 0, 0, 128, 255, 255])
        #expect((0..<6).allSatisfy { canvas.pixels[$0, 0] == .white && canvas.pixels[$0, 2] == .white })
    }

    @Test func colorsAreLaidOverWhatIsThere() {
        let canvas = RasterCanvas(width: 2, height: 1, scale: 1)
        canvas.fill(Rect(x: 0, y: 0, width: 2, height: 1), Color(200, 0, 0))
        canvas.fill(Rect(x: 1, y: 0, width: 1, height: 1), Color(0, 100, 0, alpha: 0.5))
        #expect(canvas.pixels[0, 0] == Color(200, 0, 0))
        #expect(canvas.pixels[1, 0] == Color(100, 50, 0))
    }

    /// A line of width 2 along the border of two rows of pixels covers just these.
    @Test func linesAreAsWideAsTheyShould() {
        let canvas = RasterCanvas(width: 20, height: 8, scale: 1)
        canvas.stroke([Point(x: -5, y: 4), Point(x: 25, y: 4)], .black, width: 2)
        #expect((0..<8).map { canvas.pixels[10, $0].red } == [255, 255, 255, 0, 0, 255, 255, 255])
    }

    @Test(arguments: [0.0, 0.3, 1.1, 2.0, 2.9])
    func linesAndDiscsHaveTheRightAreaInEveryDirection(_ angle: Double) {
        func ink(_ draw: (RasterCanvas) -> Void) -> Double {
            let canvas = RasterCanvas(width: 60, height: 60, scale: 1)
            draw(canvas)
            return canvas.pixels.colors.reduce(0) { $0 + 1 - Double($1.red) / 255 }
        }
        let (dx, dy) = (20 * cos(angle), 20 * sin(angle))
        // Round ends: half a disc at each.
        let line = ink {
            $0.stroke([Point(x: 30 - dx, y: 30 - dy), Point(x: 30 + dx, y: 30 + dy)], .black, width: 3)
        }
        #expect(abs(line - (40 * 3 + Double.pi * 1.5 * 1.5)) < 4)
        let disc = ink { $0.disc(Point(x: 30 + angle, y: 30 - angle), radius: 8, .black) }
        #expect(abs(disc - Double.pi * 64) < 2)
    }

    @Test func dashesCoverTheirShare() {
        let canvas = RasterCanvas(width: 100, height: 4, scale: 1)
        canvas.stroke([Point(x: 0, y: 2), Point(x: 40, y: 2), Point(x: 100, y: 2)], .black, width: 2, dash: [10, 10])
        let dark = (0..<100).count { canvas.pixels[$0, 1].red < 128 }
        #expect((50...66).contains(dark))  // Ends are round: a little more than half.
        #expect(canvas.pixels[5, 1] == .black && canvas.pixels[15, 1] == .white && canvas.pixels[45, 1] == .black)
    }

    @Test func imagesStaySharpWhenEnlargedAndAreAveragedWhenShrunk() {
        let board = Pixels(width: 2, height: 2, colors: [.black, .white, .white, .black])
        let large = RasterCanvas(width: 6, height: 6, scale: 1)
        large.image(board, in: Rect(x: 0, y: 0, width: 6, height: 6))
        #expect(large.pixels.colors.allSatisfy { $0 == .black || $0 == .white })
        #expect(large.pixels[2, 2] == .black && large.pixels[3, 2] == .white)
        let small = RasterCanvas(width: 1, height: 1, scale: 1)
        small.image(board, in: Rect(x: 0, y: 0, width: 1, height: 1))
        #expect(small.pixels[0, 0] == Color(128, 128, 128))
        large.image(Pixels(width: 0, height: 0, colors: []), in: Rect(x: 0, y: 0, width: 6, height: 6))
        large.image(board, in: Rect(x: -9, y: -9, width: 3, height: 0))
    }

    @Test func shapesBeyondTheEdgesAreCut() {
        let canvas = RasterCanvas(width: 10, height: 10, scale: 2)
        canvas.fill(Rect(x: -100, y: -100, width: 1000, height: 1000), .black)
        canvas.disc(Point(x: 1000, y: 5), radius: 5, .white)
        canvas.stroke([Point(x: -1e6, y: -1e6), Point(x: 1e6, y: -1e6)], .white, width: 1)
        canvas.text("outside", at: Point(x: 500, y: -500), size: 12, .white, anchor: .middle)
        #expect(canvas.pixels.colors.allSatisfy { $0 == .black })
    }

    @Test func everyCharacterHasAGlyphOfItsOwn() {
        let box = StrokeFont.strokes("\u{4E00}", 10)
        for character in everyCharacter where character != " " {
            let strokes = StrokeFont.strokes(String(character), 10)
            #expect(!strokes.isEmpty && strokes != box, "\(character)")
            #expect(strokes.allSatisfy { $0.count > 1 }, "\(character)")
            // From the top of brackets to the bottom of descenders.
            #expect(strokes.joined().allSatisfy { abs($0.y) < 6.6 && $0.x > -0.01 && $0.x < 8 }, "\(character)")
        }
        let (plain, marked) = (StrokeFont.strokes("e", 10), StrokeFont.strokes("é", 10))
        #expect(marked.starts(with: plain) && marked.count == plain.count + 1)
        #expect(StrokeFont.width("é", 10) == StrokeFont.width("e", 10))
        // A mark stands above what it marks, and in the place of a dot.
        let above = StrokeFont.strokes("ä", 10).dropFirst(2).joined().map(\.y).max()!
        #expect(above < StrokeFont.strokes("a", 10).joined().map(\.y).min()!)
        #expect(StrokeFont.strokes("í", 10).count == StrokeFont.strokes("i", 10).count)
        let (lower, upper) = (StrokeFont.strokes("x₁", 10), StrokeFont.strokes("x1", 10))
        #expect(lower.joined().map(\.y).max()! > upper.joined().map(\.y).max()!)
        #expect(StrokeFont.width("", 10) == 0)
        #expect(StrokeFont.width("0123", 10) == StrokeFont.width("4567", 10))
    }

    @Test func pngFilesHoldThePixels() throws {
        let pixels = Pixels(
            width: 3, height: 2,
            colors: [.black, .white, Color(1, 2, 3), Color(255, 0, 0), Color(0, 255, 0), Color(0, 0, 255)])
        let file = pixels.png
        #expect(file.prefix(8) == [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])
        var chunks: [String: [UInt8]] = [:]
        var at = 8
        func word(_ place: Int) -> Int { file[place..<place + 4].reduce(0) { $0 << 8 | Int($1) } }
        while at < file.count {
            let body = Array(file[at + 4..<at + 8 + word(at)])
            chunks[String(decoding: body.prefix(4), as: UTF8.self)] = Array(body.dropFirst(4))
            at += 8 + word(at)
            #expect(UInt(word(at)) == crc32(0, body, UInt32(body.count)))
            at += 4
        }
        #expect(chunks["IHDR"] == [0, 0, 0, 3, 0, 0, 0, 2, 8, 2, 0, 0, 0])
        #expect(chunks["IEND"] == [])
        let data = try #require(chunks["IDAT"])
        var length: UInt = 100
        let rows = [UInt8](unsafeUninitializedCapacity: 100) { buffer, used in
            #expect(uncompress(buffer.baseAddress, &length, data, UInt(data.count)) == Z_OK)
            used = Int(length)
        }
        #expect(rows == [0, 0, 0, 0, 255, 255, 255, 1, 2, 3, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    }

    @Test func mapsGoFromTheFirstColorToTheLast() {
        #expect(ColorMap.viridis.color(0) == Color(68, 1, 84))
        #expect(ColorMap.viridis.color(1) == Color(253, 231, 37))
        #expect(ColorMap.viridis.color(-3) == ColorMap.viridis.color(0))
        #expect(ColorMap.viridis.color(.infinity) == ColorMap.viridis.color(1))
        #expect(ColorMap.viridis.color(.nan) == ColorMap.missing)
        #expect(ColorMap.grey.color(0.5) == Color(128, 128, 128))
        #expect(Color(1, 171, 255).hex == "#01abff")
        // Evenly brighter from end to end.
        for map in [ColorMap.viridis, .cividis] {
            let brightness = (0...16).map { map.color(Double($0) / 16).luminance }
            #expect(zip(brightness, brightness.dropFirst()).allSatisfy { $0 < $1 })
        }
    }
}

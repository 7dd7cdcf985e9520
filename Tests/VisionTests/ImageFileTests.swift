// PNG and PNM files: every kind read, written ones read back, and every way to be wrong.
import Foundation
import Tapestry
import TestSupport
import Testing
import vision

/// Every colour type with its bit depths.
private let kinds: [(color: Int, depth: Int)] = [
    (0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16), (6, 8),
    (6, 16),
]

@Suite struct ImageFileTests {
    private let folder = TemporaryFolder()

    private func write(_ bytes: some Collection<UInt8>, _ name: String = "image.png") throws -> String {
        let path = folder.path(name)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return path
    }

    private func maker(_ index: Int, isInterlaced: Bool) -> PNGMaker {
        var maker = PNGMaker(depth: kinds[index].depth, color: kinds[index].color, isInterlaced: isInterlaced)
        if maker.color == 3 { maker.palette = (0..<3 << maker.depth).map { UInt8($0 * 89 % 251) } }
        return maker
    }

    // MARK: PNG

    @Test(arguments: kinds.indices, [false, true]) func everyKindIsRead(_ index: Int, _ isInterlaced: Bool) throws {
        for (width, height) in [(13, 11), (1, 1), (3, 2), (8, 9)] {
            var maker = maker(index, isInterlaced: isInterlaced)
            (maker.width, maker.height) = (width, height)
            let image = try vision.io.readImage(try write(try maker.file()))
            let channels = maker.color == 3 ? 3 : maker.samples
            #expect(image.shape == [channels, height, width] && image.dtype == .uint8)
            var expected: [UInt8] = []
            for channel in 0..<channels {
                for y in 0..<height {
                    for x in 0..<width {
                        let value = maker.sample(x, y, maker.color == 3 ? 0 : channel)
                        let largest = Double(1 << maker.depth - 1)
                        let scaled = UInt8((Double(value) * 255 / largest).rounded())
                        expected.append(maker.color == 3 ? maker.palette[3 * value + channel] : scaled)
                    }
                }
            }
            #expect(image.array(UInt8.self) == expected)
        }
    }

    @Test func transparencyBecomesAlpha() throws {
        var maker = PNGMaker(depth: 2, color: 3, palette: [1, 2, 3, 4, 5, 6, 7, 8, 9], transparency: [10, 20])
        var image = try vision.io.readImage(try write(try maker.file()))
        #expect(image.shape[0] == 4)
        let entry = maker.sample(5, 3, 0)
        let pixel = image.array(UInt8.self)
        let alphas: [UInt8] = [10, 20, 255]
        let place = 3 * 13 + 5
        for channel in 0..<3 { #expect(pixel[channel * 143 + place] == maker.palette[3 * entry + channel]) }
        #expect(pixel[3 * 143 + place] == alphas[entry])
        for depth in [1, 4, 16] {
            maker = PNGMaker(depth: depth, color: 0)
            let key = maker.sample(2, 1, 0)
            maker.transparency = [UInt8(key >> 8), UInt8(key & 255)]
            image = try vision.io.readImage(try write(try maker.file()))
            let alpha = image.select(dim: 0, index: 1).array(UInt8.self)
            #expect(alpha == (0..<143).map { maker.sample($0 % 13, $0 / 13, 0) == key ? 0 : 255 })
        }
        maker = PNGMaker(depth: 8, color: 2)
        maker.transparency = (0..<3).flatMap { [0, UInt8(maker.sample(4, 4, $0))] }
        image = try vision.io.readImage(try write(try maker.file()))
        #expect(image.shape[0] == 4 && image.array(UInt8.self)[3 * 143 + 4 * 13 + 4] == 0)
        #expect(image.array(UInt8.self)[3 * 143] == 255)
    }

    @Test func pillowsFilesAreReadAsPillowReadsThem() throws {
        let references = try loadSafetensors(from: resource("images.safetensors"))
        for name in ["gray", "gray_alpha", "rgb", "rgba", "palette", "bits", "plain.pgm", "plain.ppm", "plain.pbm"] {
            let file = name.contains(".") ? name : name + ".png"
            let image = try vision.io.readImage(resource("images/\(file)"))
            #expect(image.array(UInt8.self) == references[name]?.array(UInt8.self), "\(name)")
            #expect(image.shape == references[name]?.shape, "\(name)")
        }
        for (mode, name) in [
            (vision.io.ImageReadMode.gray, "rgb.as_gray"), (.rgb, "rgba.as_rgb"), (.rgba, "gray.as_rgba"),
        ] {
            let image = try vision.io.readImage(resource("images/\(name.prefix { $0 != "." }).png"), mode: mode)
            #expect(image.array(UInt8.self) == references[name]?.array(UInt8.self), "\(name)")
        }
    }

    @Test func modesChangeChannels() throws {
        let rgba = try write(try PNGMaker(color: 6).file(), "rgba.png")
        let gray = try write(try PNGMaker(color: 0).file(), "gray.png")
        for (mode, channels) in [(vision.io.ImageReadMode.gray, 1), (.grayAlpha, 2), (.rgb, 3), (.rgba, 4)] {
            #expect(try vision.io.readImage(rgba, mode: mode).shape == [channels, 11, 13])
            #expect(try vision.io.readImage(gray, mode: mode).shape == [channels, 11, 13])
        }
        let alpha = try vision.io.readImage(rgba, mode: .grayAlpha).select(dim: 0, index: 1)
        #expect(alpha.array(UInt8.self) == (0..<143).map { UInt8(PNGMaker(color: 6).sample($0 % 13, $0 / 13, 3)) })
        #expect(try vision.io.readImage(gray, mode: .rgba).array(UInt8.self).suffix(143).allSatisfy { $0 == 255 })
    }

    @Test(arguments: 1...4) func writtenFilesAreReadBack(_ channels: Int) throws {
        let generator = Tapestry.Generator(seed: 3)
        for (height, width) in [(17, 23), (1, 1), (40, 3)] {
            let image = Tensor.randint(0, 256, [channels, height, width], generator: generator).to(.uint8)
            for level in [0, 6, 9] {
                try vision.io.writePNG(image, to: folder.path("a.png"), compressionLevel: level)
                #expect(try vision.io.readImage(folder.path("a.png")).array(UInt8.self) == image.array(UInt8.self))
            }
            if channels % 2 == 1 {
                try vision.io.writePNM(image, to: folder.path("a.pnm"))
                #expect(try vision.io.readImage(folder.path("a.pnm")).array(UInt8.self) == image.array(UInt8.self))
            }
        }
        // Views are written as they look.
        let turned = Tensor.arange(12).to(.uint8).reshape([1, 3, 4]).transpose(1, 2)
        try vision.io.writePNG(turned, to: folder.path("b.png"))
        #expect(try vision.io.readImage(folder.path("b.png")).shape == [1, 4, 3])
    }

    @Test func damagedPNGsAreNamedWithTheirByte() throws {
        func rejects(_ bytes: [UInt8], _ message: String, _ location: SourceLocation = #_sourceLocation) throws {
            let path = try write(bytes)
            expect(message, at: location) { _ = try vision.io.readImage(path) }
        }
        let good = try PNGMaker().file()
        try rejects([], "is neither a PNG nor a PNM file")
        try rejects(
            [0xff, 0xd8, 0xff, 0xe0],
            "is a JPEG file (by bytes 0 and 1); JPEG is not read here: convert it to PNG first")
        try rejects(Array(good.prefix(8)), "ends without IEND (at byte 8)")
        try rejects(Array(good.dropLast(12)), "ends without IEND (at byte \(good.count - 12))")
        var bytes = good
        bytes[20] ^= 1
        try rejects(bytes, "the checksum of the chunk IHDR is wrong (at byte 8)")
        bytes = good
        bytes[8] = 0x7f
        try rejects(bytes, "the chunk IHDR claims 2130706445 bytes, more than the file has left (at byte 8)")
        func maker(_ change: (inout PNGMaker) -> Void) throws -> [UInt8] {
            var maker = PNGMaker()
            change(&maker)
            return try maker.file()
        }
        try rejects(try maker { $0.extra = [("IHDR", [])] }, "there is a second IHDR")
        try rejects(try maker { $0.extra = [("FUNY", [1])] }, "the chunk FUNY is unknown")
        #expect(try vision.io.readImage(try write(try maker { $0.extra = [("teXt", [1])] })).shape == [3, 11, 13])
        try rejects(try maker { $0.extra = [("te t", [1])] }, "the type of a chunk is no four letters")
        try rejects(try maker { $0.transparency = [1] }, "1 bytes of transparency do not fit")
        try rejects(try maker { ($0.color, $0.transparency) = (6, [1, 2]) }, "2 bytes of transparency do not fit")
        try rejects(try maker { $0.palette = [1, 2] }, "a palette of 2 bytes")
        try rejects(try maker { $0.extra = [("IDAT", [])] + [("PLTE", [1, 2, 3])] }, "PLTE comes after the image data")
        try rejects(header(width: 0), "the size of the image is 0 × 11 (at byte 16)")
        try rejects(header(width: 1 << 31), "the size of the image is 2147483648 × 11 (at byte 16)")
        try rejects(header(width: 1 << 31 - 1, height: 1 << 31 - 1), "does not fit a file of")
        try rejects(header(width: 30_000, height: 30_000), "an image of 30000 × 30000 pixels does not fit a file of")
        try rejects(header(depth: 3), "colour type 2 with 3 bits a sample does not exist")
        try rejects(header(color: 5), "colour type 5 with 8 bits a sample does not exist")
        try rejects(header(color: 3), "the image data come before the palette")
        try rejects(header(interlace: 2), "compression, filter and interlacing 0, 0, 2 are unknown")
        try rejects(header(height: 12), "the image data end early: 440 of 480 bytes")
        try rejects(header(height: 10), "the image data hold more than 400 bytes")
        let signature = Array(good.prefix(33))
        try rejects(signature + PNGMaker.chunk("IEND", []), "there are no image data")
        try rejects(
            signature + PNGMaker.chunk("IDAT", [1, 2, 3, 4]) + PNGMaker.chunk("IEND", []), "the image data are damaged")
        var rows = PNGMaker().rows()
        rows[40] = 7
        try rejects(
            signature + PNGMaker.chunk("IDAT", try PNGMaker.deflated(rows)) + PNGMaker.chunk("IEND", []),
            "row 1 of the image data, at byte 40 unpacked, has the filter 7")
        let short = PNGMaker(depth: 8, color: 3, palette: [1, 2, 3])
        var indices = short.rows()
        indices[1] = 1
        try rejects(
            Array(try short.file().prefix(33)) + PNGMaker.chunk("PLTE", short.palette)
                + PNGMaker.chunk("IDAT", try PNGMaker.deflated(indices)) + PNGMaker.chunk("IEND", []),
            "pixel 0 of row 0 is colour 1 of a palette of 1")
        expect("cannot be read") { _ = try vision.io.readImage(folder.path("absent.png")) }
    }

    /// A good file but for its header.
    private func header(
        width: Int = 13, height: Int = 11, depth: UInt8 = 8, color: UInt8 = 2, interlace: UInt8 = 0
    ) throws -> [UInt8] {
        let data = PNGMaker.big(width) + PNGMaker.big(height) + [depth, color, 0, 0, interlace]
        let good = try PNGMaker().file()
        return Array(good.prefix(8)) + PNGMaker.chunk("IHDR", data) + good.dropFirst(33)
    }

    @Test func cutAndChangedFilesThrowOrRead() throws {
        let generator = Tapestry.Generator(seed: 11)
        func draw(_ range: Int) -> Int { Int(generator.random64() % UInt64(range)) }
        for index in kinds.indices {
            let good = try maker(index, isInterlaced: index % 2 == 0).file()
            for _ in 0..<12 {
                var bytes = good
                switch draw(3) {
                case 0: bytes = Array(bytes.prefix(draw(bytes.count)))
                case 1: for _ in 0...draw(3) { bytes[8 + draw(bytes.count - 8)] = UInt8(draw(256)) }
                default: rechecked(&bytes, draw)
                }
                let path = try write(bytes)
                do { _ = try vision.io.readImage(path) } catch { #expect(error is FileError) }
            }
        }
    }

    /// Changes a byte inside a chunk and makes its checksum right again, so that the change is believed.
    private func rechecked(_ bytes: inout [UInt8], _ draw: (Int) -> Int) {
        var chunks: [Range<Int>] = []
        var position = 8
        while position + 12 <= bytes.count {
            let length = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
            chunks.append(position + 8..<position + 8 + length)
            position += 12 + length
        }
        let chunk = chunks[draw(chunks.count)]
        guard !chunk.isEmpty else { return }
        bytes[chunk.lowerBound + draw(chunk.count)] = UInt8(draw(256))
        let sum = PNGMaker.crc(Array(bytes[chunk.lowerBound - 4..<chunk.upperBound]))
        bytes.replaceSubrange(chunk.upperBound..<chunk.upperBound + 4, with: PNGMaker.big(Int(sum)))
    }

    // MARK: PNM

    @Test func everyPNMIsRead() throws {
        func read(_ text: String, _ more: [UInt8] = []) throws -> [UInt8] {
            try vision.io.readImage(try write(Array(text.utf8) + more, "image.pnm")).array(UInt8.self)
        }
        #expect(try read("P1\n# a comment\n3 2\n101\n0 1 0") == [0, 255, 0, 255, 0, 255])
        #expect(try read("P2 2 1 15 0 15") == [0, 255])
        #expect(try read("P3\n1 2\n255\n1 2 3\n4 5 6\n") == [1, 4, 2, 5, 3, 6])
        #expect(
            try read("P4 9 2\n", [0b1010_1010, 0b1000_0000, 0, 0]) == [0, 255, 0, 255, 0, 255, 0, 255, 0]
                + [UInt8](repeating: 255, count: 9))
        #expect(try read("P5 2 1 255\n", [7, 200]) == [7, 200])
        #expect(try read("P5 2 1 65535\n", [255, 255, 128, 0]) == [255, 128])
        #expect(try read("P6 1 1 255\n", [1, 2, 3]) == [1, 2, 3])
    }

    @Test(arguments: [
        ("P5", "the width is missing (at byte 2)"), ("P5 0 1 255\n", "the width is 0, not 1 to 2147483647 (at byte 3)"),
        ("P5 2", "the height is missing"), ("P5 2 2 70000\n", "the largest value is 70000, not 1 to 65535"),
        ("P5 2 2 255", "a space is expected behind the header"), ("P5 99999 99999 255\n", "does not fit the 0 bytes"),
        ("P5 2147483647 2147483647 255\n", "does not fit the 0 bytes"),
        ("P3 1 1 9 1 2 10", "a sample is 10, not 0 to 9"),
        ("P3 1 1 9 1 2  ", "a sample is missing"), ("P1 2 2 0 1 2 0", "0 or 1 is expected"),
        ("P4 9 2\n123", "the file ends inside row 1"), ("P6 1 1 255\n12", "does not fit the 2 bytes"),
        ("P5 1 1 10\n\u{b}", "a sample is 11, more than 10"), ("P7 1 1", "is neither a PNG nor a PNM file"),
    ])
    func damagedPNMsAreNamedWithTheirByte(_ text: String, _ message: String) throws {
        let path = try write(Array(text.utf8), "image.pnm")
        expect(message) { _ = try vision.io.readImage(path) }
    }

    @Test func changedPNMsThrowOrRead() throws {
        let generator = Tapestry.Generator(seed: 12)
        func draw(_ range: Int) -> Int { Int(generator.random64() % UInt64(range)) }
        let samples = (0..<60).map { UInt8($0) }
        let texts = ["P1 5 4 ", "P2 5 4 99 ", "P3 5 4 99 ", "P4 5 4\n", "P5 5 4 99\n", "P6 5 4 99\n"]
        for text in texts {
            let body = text < "P4" ? Array(samples.map { String($0 % 2) }.joined(separator: " ").utf8) : samples
            for _ in 0..<30 {
                var bytes = Array(text.utf8) + body
                for _ in 0...draw(2) { bytes[draw(bytes.count)] = UInt8(draw(128)) }
                if draw(2) == 0 { bytes = Array(bytes.prefix(draw(bytes.count))) }
                let path = try write(bytes, "image.pnm")
                do { _ = try vision.io.readImage(path) } catch { #expect(error is FileError) }
            }
        }
    }
}

// Reading PNG. Nothing large is allocated because a header says so: first it is seen that the data are there.
import CZlib
import Tapestry

/// A PNG file, read front to back.
struct PNGDecoder {
    private let file: InputFile
    private var header: PNG.Header!
    /// Red, green, blue of each entry.
    private var palette: [UInt8] = []
    /// The chunk tRNS: alpha of palette entries, or the transparent colour in 16-bit samples.
    private var transparency: [UInt8] = []
    /// Where in the file the chunks IDAT have their data.
    private var imageData: [Range<Int>] = []
    /// Rows with their filters, pass after pass.
    private var rows: [UInt8] = []

    /// Reads and checks all chunks up to IEND.
    ///
    /// - Throws: `FileError` for anything that the format does not allow, naming the byte.
    init(_ file: InputFile) throws {
        self.file = file
        try readChunks()
        try unfilter()
    }

    // MARK: Chunks

    private mutating func readChunks() throws {
        var position = PNG.signature.count
        while true {
            let head = try file.bytes(8, at: position)
            guard head.count == 8 else { throw error("ends without IEND", at: position) }
            let length = word(head, 0)
            let type = Array(head[4...])
            let name = String(decoding: type, as: UTF8.self)
            guard type.allSatisfy({ (65...90).contains($0) || (97...122).contains($0) }) else {
                throw error("the type of a chunk is no four letters", at: position + 4)
            }
            guard length <= file.size - position - 12 else {
                throw error("the chunk \(name) claims \(length) bytes, more than the file has left", at: position)
            }
            let data = try file.bytes(length, at: position + 8)
            let checksum = try file.bytes(4, at: position + 8 + length)
            guard data.count == length, checksum.count == 4, word(checksum, 0) == Int(PNG.checksum(type, data)) else {
                throw error("the checksum of the chunk \(name) is wrong", at: position)
            }
            guard header != nil || name == "IHDR" else { throw error("\(name) comes before IHDR", at: position) }
            switch name {
            case "IHDR": try readHeader(data, at: position)
            case "PLTE", "tRNS":
                guard imageData.isEmpty else { throw error("\(name) comes after the image data", at: position) }
                if name == "PLTE" {
                    try readPalette(data, at: position)
                } else {
                    try readTransparency(data, at: position)
                }
            case "IDAT":
                if imageData.isEmpty { try checkHeader(at: position) }
                imageData.append(position + 8..<position + 8 + length)
            case "IEND":
                guard !imageData.isEmpty else { throw error("there are no image data", at: position) }
                return try unpack(end: position)
            default:
                // A capital first letter: without it the image cannot be understood.
                guard type[0] & 0x20 != 0 else { throw error("the chunk \(name) is unknown", at: position) }
            }
            position += 12 + length
        }
    }

    private mutating func readHeader(_ data: [UInt8], at position: Int) throws {
        guard header == nil else { throw error("there is a second IHDR", at: position) }
        guard data.count == 13 else { throw error("IHDR has \(data.count) bytes, expected 13", at: position) }
        let (width, height, depth) = (word(data, 0), word(data, 4), Int(data[8]))
        guard (1...Int(Int32.max)).contains(width), (1...Int(Int32.max)).contains(height) else {
            throw error("the size of the image is \(width) × \(height)", at: position + 8)
        }
        let depths: [PNG.Header.Color: [Int]] = [
            .gray: [1, 2, 4, 8, 16], .rgb: [8, 16], .palette: [1, 2, 4, 8], .grayAlpha: [8, 16], .rgba: [8, 16],
        ]
        guard let color = PNG.Header.Color(rawValue: Int(data[9])), depths[color]!.contains(depth) else {
            throw error("colour type \(data[9]) with \(depth) bits a sample does not exist", at: position + 16)
        }
        guard data[10] == 0, data[11] == 0, data[12] <= 1 else {
            throw error(
                "compression, filter and interlacing \(data[10]), \(data[11]), \(data[12]) are unknown",
                at: position + 18)
        }
        header = PNG.Header(width: width, height: height, depth: depth, color: color, isInterlaced: data[12] == 1)
    }

    private mutating func readPalette(_ data: [UInt8], at position: Int) throws {
        guard palette.isEmpty, !data.isEmpty, data.count % 3 == 0, data.count <= 768 else {
            throw error("a palette of \(data.count) bytes is not the only one of 1 to 256 colours", at: position)
        }
        palette = data
    }

    private mutating func readTransparency(_ data: [UInt8], at position: Int) throws {
        let isRight: Bool =
            switch header.color {
            case .gray: data.count == 2
            case .rgb: data.count == 6
            case .palette: !data.isEmpty && data.count <= palette.count / 3
            case .grayAlpha, .rgba: false
            }
        guard isRight, transparency.isEmpty else {
            throw error("\(data.count) bytes of transparency do not fit the colour type", at: position)
        }
        transparency = data
    }

    /// What can be known about the image before its data are unpacked.
    private func checkHeader(at position: Int) throws {
        guard header.color != .palette || !palette.isEmpty else {
            throw error("the image data come before the palette", at: position)
        }
        // Deflate makes a byte into no more than 1032.
        guard let bytes = header.dataBytes, bytes / 1032 <= file.size else {
            throw error(
                "an image of \(header.width) × \(header.height) pixels does not fit a file of \(file.size) bytes",
                at: 16)
        }
    }

    /// Unpacks the image data, whose checksums have been found right.
    private mutating func unpack(end: Int) throws {
        guard let expected = header.dataBytes else { return }
        func run(into output: UnsafeMutablePointer<UInt8>?) throws {
            let inflater = try Inflater(file.path, expected: expected)
            for range in imageData {
                let data = try file.bytes(range.count, at: range.lowerBound)
                try inflater.inflate(data, at: range.lowerBound, into: output)
            }
            try inflater.finish(at: end)
        }
        if expected > largestAffordable(file.size) { try run(into: nil) }
        rows = try [UInt8](unsafeUninitializedCapacity: expected) { buffer, used in
            try run(into: buffer.baseAddress)
            used = expected
        }
    }

    // MARK: Rows

    /// Undoes the filters, in place.
    private mutating func unfilter() throws {
        let step = header.filterStep
        var start = 0
        for pass in header.passes {
            let length = header.rowBytes(pass.width)
            for row in 0..<pass.height {
                let filter = rows[start]
                guard filter <= 4 else {
                    throw FileError(
                        file.path, "row \(row) of the image data, at byte \(start) unpacked, has the filter \(filter)")
                }
                rows.withUnsafeMutableBufferPointer { rows in
                    let line = rows.baseAddress! + start + 1
                    // The row above has the same length; above the first one are zeros.
                    Self.undo(filter, line, above: row > 0 ? line - length - 1 : nil, length, step)
                }
                start += 1 + length
            }
        }
    }

    private static func undo(
        _ filter: UInt8, _ line: UnsafeMutablePointer<UInt8>, above: UnsafeMutablePointer<UInt8>?, _ length: Int,
        _ step: Int
    ) {
        switch filter {
        case 1: for x in step..<max(step, length) { line[x] &+= line[x - step] }
        case 2: if let above { for x in 0..<length { line[x] &+= above[x] } }
        case 3:
            for x in 0..<length {
                let left = x >= step ? Int(line[x - step]) : 0
                line[x] &+= UInt8((left + Int(above?[x] ?? 0)) / 2)
            }
        case 4:
            for x in 0..<length {
                let left = x >= step ? Int(line[x - step]) : 0
                let corner = x >= step ? Int(above?[x - step] ?? 0) : 0
                line[x] &+= PNG.paeth(left, Int(above?[x] ?? 0), corner)
            }
        default: break
        }
    }

    // MARK: Pixels

    /// uint8 [C, H, W]; C is 1 to 4: grey or colour, with alpha where there is transparency.
    func image() throws -> Tensor {
        let hasAlpha = !transparency.isEmpty
        let channels = (header.color == .palette ? 3 : header.samples) + (hasAlpha ? 1 : 0)
        let image = Tensor.empty([channels, header.height, header.width], dtype: .uint8)
        try image.withElements(as: UInt8.self) { target in
            try rows.withUnsafeBufferPointer { rows in
                var start = 0
                for pass in header.passes {
                    for row in 0..<pass.height {
                        let place = (pass.y + row * pass.dy) * header.width + pass.x
                        try expand(rows.baseAddress! + start + 1, pass, target.baseAddress! + place, row)
                        start += 1 + header.rowBytes(pass.width)
                    }
                }
            }
        }
        return image
    }

    /// Writes a row of a pass to the planes.
    private func expand(
        _ line: UnsafePointer<UInt8>, _ pass: PNG.Pass, _ target: UnsafeMutablePointer<UInt8>, _ row: Int
    ) throws {
        let (plane, samples) = (header.height * header.width, header.samples)
        if header.color == .palette {
            for x in 0..<pass.width {
                let entry = sample(line, x)
                guard 3 * entry < palette.count else {
                    throw FileError(
                        file.path, "pixel \(x) of row \(row) is colour \(entry) of a palette of \(palette.count / 3)")
                }
                for channel in 0..<3 { target[channel * plane + x * pass.dx] = palette[3 * entry + channel] }
                if !transparency.isEmpty {
                    target[3 * plane + x * pass.dx] = entry < transparency.count ? transparency[entry] : 255
                }
            }
            return
        }
        // One division less for each sample: 255, 85, 17 and 1 are whole.
        let scale = header.depth < 8 ? 255 / (1 << header.depth - 1) : 1
        let key = (0..<transparency.count / 2).map { Int(transparency[2 * $0]) << 8 | Int(transparency[2 * $0 + 1]) }
        for x in 0..<pass.width {
            var isKey = true
            for channel in 0..<samples {
                let value = sample(line, x * samples + channel)
                target[channel * plane + x * pass.dx] =
                    header.depth == 16 ? UInt8((value * 255 + 32767) / 65535) : UInt8(value * scale)
                if !key.isEmpty, value != key[channel] { isKey = false }
            }
            if !key.isEmpty { target[samples * plane + x * pass.dx] = isKey ? 0 : 255 }
        }
    }

    /// The sample at a position in a row.
    @inline(__always)
    private func sample(_ line: UnsafePointer<UInt8>, _ index: Int) -> Int {
        switch header.depth {
        case 8: return Int(line[index])
        case 16: return Int(line[2 * index]) << 8 | Int(line[2 * index + 1])
        default:
            let bit = index * header.depth
            return Int(line[bit / 8]) >> (8 - header.depth - bit % 8) & (1 << header.depth - 1)
        }
    }

    private func word(_ bytes: [UInt8], _ at: Int) -> Int { bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }

    private func error(_ message: String, at position: Int) -> FileError {
        FileError(file.path, "\(message) (at byte \(position))")
    }
}

/// Unpacks the zlib stream that the chunks IDAT hold together.
private final class Inflater {
    private let path: String
    private let expected: Int
    private var stream = z_stream()
    private var hasEnded = false
    /// Bytes unpacked so far.
    private var count = 0
    /// Where bytes go that are only counted.
    private var nowhere = [UInt8](repeating: 0, count: 1 << 14)

    /// - Parameter expected: bytes that are to come; more are an error.
    init(_ path: String, expected: Int) throws {
        (self.path, self.expected) = (path, expected)
        guard inflateInit_(&stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw FileError(path, "zlib cannot be started")
        }
    }

    deinit { inflateEnd(&stream) }

    /// Unpacks what a chunk holds, `position` being that of its data in the file, into `output`, which has room for all
    /// that is expected; without it bytes are only counted.
    func inflate(_ data: [UInt8], at position: Int, into output: UnsafeMutablePointer<UInt8>?) throws {
        var data = data
        var taken = 0
        while taken < data.count {
            guard !hasEnded else {
                throw FileError(path, "bytes follow the image data's end (at byte \(position + taken))")
            }
            var status: Int32 = Z_OK
            data.withUnsafeMutableBufferPointer { input in
                nowhere.withUnsafeMutableBufferPointer { nowhere in
                    var (target, room) = (nowhere.baseAddress!, nowhere.count)
                    // Behind all that is expected, one byte more shows that there is too much.
                    if let output, count < expected {
                        (target, room) = (output + count, min(expected - count, 1 << 30))
                    }
                    stream.next_in = input.baseAddress! + taken
                    stream.avail_in = UInt32(input.count - taken)
                    stream.next_out = target
                    stream.avail_out = UInt32(room)
                    status = CZlib.inflate(&stream, Z_NO_FLUSH)
                    taken = input.count - Int(stream.avail_in)
                    count += room - Int(stream.avail_out)
                }
            }
            guard count <= expected else {
                throw FileError(path, "the image data hold more than \(expected) bytes (at byte \(position + taken))")
            }
            if status == Z_STREAM_END {
                hasEnded = true
            } else if status != Z_OK {
                let text = stream.msg.map { String(cString: $0) } ?? "code \(status)"
                throw FileError(path, "the image data are damaged (\(text), before byte \(position + taken))")
            }
        }
    }

    /// Throws unless everything has come; `position` is that of the file's end.
    func finish(at position: Int) throws {
        guard hasEnded, count == expected else {
            throw FileError(
                path, "the image data end early: \(count) of \(expected) bytes (at byte \(position))")
        }
    }
}

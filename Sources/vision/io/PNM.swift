// The portable bitmap, greymap and pixmap formats of Netpbm.
import Tapestry

/// A PNM file: P1 to P3 in digits, P4 to P6 in bytes.
struct PNMDecoder {
    private let path: String
    private let bytes: [UInt8]
    private var position = 2

    init(_ file: InputFile) throws {
        path = file.path
        bytes = try file.bytes(file.size, at: 0)
    }

    /// uint8 [C, H, W], C = 1 or 3; samples are scaled to 255.
    ///
    /// - Throws: `FileError` naming the byte at which the file is wrong or ends.
    mutating func image() throws -> Tensor {
        let kind = Int(bytes[1] - UInt8(ascii: "0"))
        let isBitmap = kind == 1 || kind == 4
        let channels = kind % 3 == 0 ? 3 : 1
        let width = try number("the width", 1...Int(Int32.max))
        let height = try number("the height", 1...Int(Int32.max))
        let largest = isBitmap ? 1 : try number("the largest value", 1...65535)
        if kind > 3 {
            guard position < bytes.count, isSpace(bytes[position]) else {
                throw error("a space is expected behind the header")
            }
            position += 1
        }
        // A sample takes at least so many bits: in digits a character, in bytes 8 or 16, in bitmaps one.
        let bits = kind == 4 ? 1 : kind > 3 && largest > 255 ? 16 : 8
        let (pixels, left) = (width * height, bytes.count - position)  // Two numbers of 31 bits: no overflow.
        guard pixels <= left * 8 / (channels * bits) else {
            throw error("an image of \(width) × \(height) pixels does not fit the \(left) bytes behind the header")
        }
        var samples = [UInt8](repeating: 0, count: pixels * channels)
        for row in 0..<height {
            for index in row * width * channels..<(row + 1) * width * channels {
                let value: Int
                switch kind {
                case 1: value = try digit()
                case 2, 3: value = try number("a sample", 0...largest)
                case 4: value = try bit(row, index - row * width, (width + 7) / 8)
                default: value = try byte(index, largest)
                }
                // In bitmaps 1 is black.
                samples[index] = isBitmap ? (value == 0 ? 255 : 0) : UInt8((value * 255 + largest / 2) / largest)
            }
        }
        return Tensor(samples, shape: [height, width, channels]).permute([2, 0, 1]).contiguous()
    }

    /// The next number in digits, behind spaces and comments.
    private mutating func number(_ name: String, _ range: ClosedRange<Int>) throws -> Int {
        skipSpaces()
        let start = position
        var value = 0
        while position < bytes.count, (48...57).contains(bytes[position]), position - start < 10 {
            value = value * 10 + Int(bytes[position] - 48)
            position += 1
        }
        guard position > start else { throw error("\(name) is missing") }
        guard range.contains(value) else {
            throw error("\(name) is \(value), not \(range.lowerBound) to \(range.upperBound)", at: start)
        }
        return value
    }

    /// The next 0 or 1 of a bitmap in digits, which needs no spaces between.
    private mutating func digit() throws -> Int {
        skipSpaces()
        guard position < bytes.count, bytes[position] == 48 || bytes[position] == 49 else {
            throw error("0 or 1 is expected")
        }
        position += 1
        return Int(bytes[position - 1] - 48)
    }

    private func bit(_ row: Int, _ column: Int, _ rowBytes: Int) throws -> Int {
        let place = position + row * rowBytes + column / 8
        guard place < bytes.count else { throw error("the file ends inside row \(row)", at: bytes.count) }
        return Int(bytes[place] >> (7 - column % 8) & 1)
    }

    private func byte(_ index: Int, _ largest: Int) throws -> Int {
        let size = largest > 255 ? 2 : 1
        let place = position + index * size
        guard place + size <= bytes.count else { throw error("the file ends inside the image", at: bytes.count) }
        let value = size == 1 ? Int(bytes[place]) : Int(bytes[place]) << 8 | Int(bytes[place + 1])
        guard value <= largest else { throw error("a sample is \(value), more than \(largest)", at: place) }
        return value
    }

    private mutating func skipSpaces() {
        while position < bytes.count {
            if bytes[position] == UInt8(ascii: "#") {
                while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
            } else if isSpace(bytes[position]) {
                position += 1
            } else {
                return
            }
        }
    }

    /// Blank, tab, line feed, vertical tab, form feed, carriage return.
    private func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }

    private func error(_ message: String, at place: Int? = nil) -> FileError {
        FileError(path, "\(message) (at byte \(place ?? position))")
    }
}

extension io {
    /// Writes an image, uint8 [1, H, W] as PGM (P5) or [3, H, W] as PPM (P6). The file is replaced as a whole. Traps on
    /// other shapes and dtypes.
    ///
    /// - Throws: `FileError` if the file cannot be written.
    public static func writePNM(
        _ image: Tensor, to path: String, file: StaticString = #fileID, line: UInt = #line
    ) throws {
        let site = SourceSite(file, line)
        let (channels, height, width) = extent("writePNM", image, channels: 1...3, site)
        require(channels != 2, "writePNM: an image of 2 channels is neither grey nor RGB", site)
        let bytes = Array("P\(channels == 1 ? 5 : 6)\n\(width) \(height)\n255\n".utf8) + interleaved(image)
        try bytes.withUnsafeBytes { bytes in try writeAtomically(to: path) { append in try append(bytes) } }
    }
}

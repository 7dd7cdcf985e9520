// Image files to tensors and back.
import Tapestry

/// Images in files. Mirrors `torchvision.io`.
public enum io {
    /// Which channels a read image gets. Mirrors `torchvision.io.ImageReadMode`.
    public enum ImageReadMode: Int, Sendable {
        /// Those of the file.
        case unchanged = 0
        case gray = 1, grayAlpha = 2, rgb = 3, rgba = 4
    }

    /// The image in a PNG or PNM file (told by its first bytes): uint8 [C, H, W]. JPEG is not read.
    ///
    /// PNG: every colour type and bit depth, interlaced or not; palettes become colours, transparency an alpha channel,
    /// samples are scaled to 8 bits. PNM: P1 to P6. Mirrors `torchvision.io.read_image`.
    ///
    /// - Parameter mode: channels of the result; grey is 0.299 R + 0.587 G + 0.114 B, alpha that the file lacks 255.
    /// - Throws: `FileError` naming the file, what is wrong, and at which byte.
    public static func readImage(_ path: String, mode: ImageReadMode = .unchanged) throws -> Tensor {
        let file = try InputFile(path)
        let start = try file.bytes(8, at: 0)
        if start == PNG.signature { return converted(try PNGDecoder(file).image(), to: mode) }
        if start.starts(with: [UInt8(ascii: "P")]), start.count > 1,
            (UInt8(ascii: "1")...UInt8(ascii: "6")).contains(start[1])
        {
            var decoder = try PNMDecoder(file)
            return converted(try decoder.image(), to: mode)
        }
        if start.starts(with: [0xff, 0xd8]) {
            throw FileError(path, "is a JPEG file (by bytes 0 and 1); \(jpegAdvice)")
        }
        throw FileError(path, "is neither a PNG nor a PNM file (by its first bytes, from byte 0)")
    }

    /// JPEG needs a decoder as large as everything else here, or a library that not every system has.
    static let jpegAdvice =
        "JPEG is not read here: convert it to PNG first, for example with `magick mogrify -format png *.jpg`"

    /// Grey, red, green, blue, alpha: from the channels that there are to those that are asked for.
    private static func converted(_ image: Tensor, to mode: ImageReadMode) -> Tensor {
        let channels = image.shape[0]
        guard mode != .unchanged, mode.rawValue != channels else { return image }
        let hasAlpha = channels == 2 || channels == 4
        var colours = image.narrow(dim: 0, start: 0, length: hasAlpha ? channels - 1 : channels)
        if mode.rawValue < 3, channels >= 3 { colours = luma(colours.contiguous()) }
        if mode.rawValue >= 3, channels < 3 { colours = colours.expand([3, image.shape[1], image.shape[2]]) }
        guard mode == .grayAlpha || mode == .rgba else { return colours.contiguous() }
        let alpha =
            hasAlpha
            ? image.narrow(dim: 0, start: channels - 1, length: 1)
            : Tensor.full([1, image.shape[1], image.shape[2]], 255, dtype: .uint8)
        return Tensor.cat([colours, alpha], dim: 0)
    }

    /// ITU-R 601 in 16-bit fixed point, as Pillow's `convert("L")`. rgb: uint8 [3, H, W].
    private static func luma(_ rgb: Tensor) -> Tensor {
        let gray = Tensor.empty([1, rgb.shape[1], rgb.shape[2]], dtype: .uint8)
        let area = gray.count
        rgb.withElements(as: UInt8.self) { source in
            gray.withElements(as: UInt8.self) { target in
                for place in 0..<area {
                    let red = 19595 * Int(source[place])
                    let green = 38470 * Int(source[area + place])
                    let blue = 7471 * Int(source[2 * area + place])
                    target[place] = UInt8((red + green + blue + 0x8000) >> 16)
                }
            }
        }
        return gray
    }

    /// Height and width of an image to be written, and its channels; traps unless it is uint8 [C, H, W] with one of
    /// the numbers of channels.
    static func extent(
        _ op: StaticString, _ image: Tensor, channels allowed: ClosedRange<Int>, _ site: SourceSite
    ) -> (channels: Int, height: Int, width: Int) {
        require(
            image.dtype == .uint8 && image.rank == 3 && allowed.contains(image.shape[0]) && image.count > 0,
            "\(op): expected uint8 [C, H, W] with \(allowed.lowerBound) to \(allowed.upperBound) channels, got "
                + "\(image.dtype) \(image.shape)", site)
        return (image.shape[0], image.shape[1], image.shape[2])
    }

    /// Planes [C, H, W] as pixels, row by row: [H, W, C].
    static func interleaved(_ image: Tensor) -> [UInt8] { image.permute([1, 2, 0]).array(UInt8.self) }
}

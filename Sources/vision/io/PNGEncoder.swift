// Writing images as PNG.
import Tapestry

extension io {
    /// The bytes of a PNG file with an image: uint8 [C, H, W], C = 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    /// Traps on other shapes and dtypes. Mirrors `torchvision.io.encode_png`.
    ///
    /// - Parameter compressionLevel: 0 (none) to 9 (small and slow).
    public static func encodePNG(
        _ image: Tensor, compressionLevel: Int = 6, file: StaticString = #fileID, line: UInt = #line
    ) -> [UInt8] {
        let site = SourceSite(file, line)
        let (channels, height, width) = extent("encodePNG", image, channels: 1...4, site)
        require(
            (0...9).contains(compressionLevel), "encodePNG: compression level \(compressionLevel) is not 0 to 9", site)
        return PNG.encoded(
            interleaved(image), width: width, height: height, channels: channels, compressionLevel: compressionLevel)
    }

    /// Writes an image, uint8 [C, H, W], as a PNG file; see `encodePNG`. The file is replaced as a whole.
    ///
    /// - Throws: `FileError` if the file cannot be written. Mirrors `torchvision.io.write_png`.
    public static func writePNG(
        _ image: Tensor, to path: String, compressionLevel: Int = 6, file: StaticString = #fileID, line: UInt = #line
    ) throws {
        let bytes = encodePNG(image, compressionLevel: compressionLevel, file: file, line: line)
        try bytes.withUnsafeBytes { bytes in try writeAtomically(to: path) { append in try append(bytes) } }
    }
}

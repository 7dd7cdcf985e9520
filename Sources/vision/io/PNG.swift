// The header of a PNG file and the geometry of interlacing (ISO/IEC 15948:2004).
import Tapestry

extension PNG {
    /// The chunk IHDR.
    struct Header {
        var width, height, depth: Int
        var color: Color
        var isInterlaced: Bool

        enum Color: Int { case gray = 0, rgb = 2, palette = 3, grayAlpha = 4, rgba = 6 }

        /// Samples of a pixel in the file.
        var samples: Int {
            switch color {
            case .gray, .palette: 1
            case .grayAlpha: 2
            case .rgb: 3
            case .rgba: 4
            }
        }
        var bitsPerPixel: Int { samples * depth }
        /// How far back filters look for the pixel to the left, in bytes.
        var filterStep: Int { max(1, bitsPerPixel / 8) }

        /// Bytes of a row of so many pixels, without its filter.
        func rowBytes(_ width: Int) -> Int { (width * bitsPerPixel + 7) / 8 }

        /// The images that follow each other in the data: one, or the seven of Adam7 as far as they have pixels.
        var passes: [Pass] {
            guard isInterlaced else { return [Pass(x: 0, y: 0, dx: 1, dy: 1, width: width, height: height)] }
            let starts = [
                (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
            ]
            return starts.map { x, y, dx, dy in
                Pass(x: x, y: y, dx: dx, dy: dy, width: (width - x + dx - 1) / dx, height: (height - y + dy - 1) / dy)
            }.filter { $0.width > 0 && $0.height > 0 }
        }

        /// Bytes of all rows with their filters; nil if there is no such number.
        var dataBytes: Int? {
            var total = 0
            for pass in passes {
                let (bytes, overflow) = pass.height.multipliedReportingOverflow(by: 1 + rowBytes(pass.width))
                let (sum, carry) = total.addingReportingOverflow(bytes)
                if overflow || carry { return nil }
                total = sum
            }
            return total
        }
    }

    /// Every `dx`-th pixel of every `dy`-th row.
    struct Pass {
        let x, y, dx, dy, width, height: Int
    }
}

// Transforms of colours: each pixel on its own, or with the image's mean.
import Foundation
import Tapestry

extension transforms.functional {
    /// uint8 in 0...255 to float32 in [0, 1]; other tensors as they are. Mirrors `functional.to_tensor`.
    public static func toTensor(_ image: Tensor) -> Tensor {
        image.dtype == .uint8 ? image.detach().to(.float32) / 255 : image
    }

    /// `(x − mean) / std` for each channel of a float32 image or batch; one number for all channels, or one for each.
    /// Traps on integers and on a deviation of 0. Mirrors `functional.normalize`.
    public static func normalize(
        _ image: Tensor, mean: [Double], std: [Double], file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let extent = ImageExtent("normalize", image, site)
        require(image.dtype == .float32, "normalize: expected float32, got \(image.dtype); use ToTensor first", site)
        require(
            [1, extent.channels].contains(mean.count) && [1, extent.channels].contains(std.count),
            "normalize: \(mean.count) means and \(std.count) deviations for \(extent.channels) channels", site)
        require(!std.contains(0), "normalize: a deviation is 0", site)
        return eachPlane(image, extent) { plane, from, to in
            let channel = plane % extent.channels
            let shift = Float(mean[mean.count == 1 ? 0 : channel])
            let scale = Float(std[std.count == 1 ? 0 : channel])
            for place in 0..<extent.area { to[place] = (from[place] - shift) / scale }
        }
    }

    /// 0.2989 R + 0.587 G + 0.114 B, as 1 channel or 3 equal ones. Traps unless there are 1 or 3 channels. Mirrors
    /// `functional.rgb_to_grayscale`.
    public static func rgbToGrayscale(
        _ image: Tensor, numOutputChannels: Int = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let extent = ColorExtent("rgbToGrayscale", image, site)
        require(
            numOutputChannels == 1 || numOutputChannels == 3,
            "rgbToGrayscale: \(numOutputChannels) channels are not 1 or 3", site)
        let gray = inBytesOrFloat(image) { source in
            let result = Tensor.empty(source.shape.dropLast(3) + [1, extent.height, extent.width])
            source.withElements(as: Float.self) { from in
                result.withElements(as: Float.self) { to in
                    for index in 0..<extent.images {
                        extent.gray(from, index, to.baseAddress! + index * extent.area)
                    }
                }
            }
            return result
        }
        return numOutputChannels == 1 ? gray : gray.expand(image.shape.dropLast(3) + [3, extent.height, extent.width])
    }

    /// All samples times a factor: 0 is black, 1 the image. Mirrors `functional.adjust_brightness`.
    public static func adjustBrightness(
        _ image: Tensor, _ factor: Double, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        mixed("adjustBrightness", image, factor, SourceSite(file, line)) { _, _, other in
            other.update(repeating: 0)
        }
    }

    /// Away from the mean grey of the image: 0 is grey, 1 the image. Mirrors `functional.adjust_contrast`.
    public static func adjustContrast(
        _ image: Tensor, _ factor: Double, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let isBytes = image.dtype == .uint8
        return mixed("adjustContrast", image, factor, SourceSite(file, line)) { extent, gray, other in
            gray(other.baseAddress!)
            var sum = 0.0
            for value in other { sum += Double(isBytes ? value.rounded(.towardZero) : value) }
            other.update(repeating: Float(sum / Double(other.count)))
        }
    }

    /// Away from grey: 0 is grey, 1 the image, which one channel always is. Mirrors `functional.adjust_saturation`.
    public static func adjustSaturation(
        _ image: Tensor, _ factor: Double, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let isBytes = image.dtype == .uint8
        return mixed("adjustSaturation", image, factor, SourceSite(file, line)) { extent, gray, other in
            gray(other.baseAddress!)
            if isBytes { for place in other.indices { other[place] = other[place].rounded(.towardZero) } }
        }
    }

    /// Colours turned round the colour circle by a share of it, −0.5 to 0.5. Float images are taken as in [0, 1].
    /// Mirrors `functional.adjust_hue`.
    public static func adjustHue(
        _ image: Tensor, _ factor: Double, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let extent = ColorExtent("adjustHue", image, site)
        require((-0.5...0.5).contains(factor), "adjustHue: \(factor) is not in −0.5 to 0.5", site)
        guard extent.channels == 3 else { return plain(image) }
        let source = toTensor(plain(image))
        let result = Tensor.empty(source.shape)
        source.withElements(as: Float.self) { from in
            result.withElements(as: Float.self) { to in
                for index in 0..<extent.images {
                    let start = index * 3 * extent.area
                    for place in start..<start + extent.area {
                        let color = SIMD3(from[place], from[place + extent.area], from[place + 2 * extent.area])
                        let turned = turnedHue(color, Float(factor))
                        for channel in 0..<3 { to[place + channel * extent.area] = turned[channel] }
                    }
                }
            }
        }
        // As torchvision goes back to bytes: almost 256 steps of equal width.
        return image.dtype == .uint8 ? (result * (256 - 1e-3)).to(.uint8) : result
    }

    /// `ratio · image + (1 − ratio) · other` within the range of the samples; `other` is one plane for all channels,
    /// written by `fill`, which can have the grey image written too.
    private static func mixed(
        _ op: StaticString, _ image: Tensor, _ ratio: Double, _ site: SourceSite,
        fill: (ColorExtent, _ gray: (UnsafeMutablePointer<Float>) -> Void, UnsafeMutableBufferPointer<Float>) -> Void
    ) -> Tensor {
        let extent = ColorExtent(op, image, site)
        require(ratio >= 0, "\(op): the factor \(ratio) is negative", site)
        let bound: Float = image.dtype == .uint8 ? 255 : 1
        let (share, rest) = (Float(ratio), Float(1 - ratio))
        return inBytesOrFloat(image) { source in
            let result = Tensor.empty(source.shape)
            source.withElements(as: Float.self) { from in
                result.withElements(as: Float.self) { to in
                    withUnsafeTemporaryAllocation(of: Float.self, capacity: extent.area) { other in
                        for index in 0..<extent.images {
                            fill(extent, { extent.gray(from, index, $0) }, other)
                            for channel in 0..<extent.channels {
                                let start = (index * extent.channels + channel) * extent.area
                                for place in 0..<extent.area {
                                    let value = share * from[start + place] + rest * other[place]
                                    to[start + place] = min(max(value, 0), bound)
                                }
                            }
                        }
                    }
                }
            }
            return result
        }
    }
}

/// Images of 1 or 3 channels.
private struct ColorExtent {
    let images, channels, height, width: Int
    var area: Int { height * width }

    /// Traps on other numbers of channels.
    init(_ op: StaticString, _ image: Tensor, _ site: SourceSite) {
        let extent = ImageExtent(op, image, site)
        require(
            extent.channels == 1 || extent.channels == 3, "\(op): \(extent.channels) channels are not 1 or 3", site)
        (channels, height, width) = (extent.channels, extent.height, extent.width)
        images = extent.planes / extent.channels
    }

    /// Writes the grey image.
    func gray(
        _ source: UnsafeMutableBufferPointer<Float>, _ index: Int, _ target: UnsafeMutablePointer<Float>
    ) {
        let from = source.baseAddress! + index * channels * area
        guard channels == 3 else { return target.update(from: from, count: area) }
        let (green, blue) = (from + area, from + 2 * area)
        for place in 0..<area { target[place] = 0.2989 * from[place] + 0.587 * green[place] + 0.114 * blue[place] }
    }
}

/// Runs `body` on a plain float32 image; for a uint8 image fractions are cut off, as torchvision's casts do.
private func inBytesOrFloat(_ image: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
    image.dtype == .uint8 ? body(plain(image).to(.float32)).to(.uint8) : body(plain(image))
}

/// Calls `body` with each plane of a float32 image and its place in the result.
private func eachPlane(
    _ image: Tensor, _ extent: ImageExtent,
    _ body: (_ plane: Int, _ from: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>) -> Void
) -> Tensor {
    let source = plain(image)
    let result = Tensor.empty(source.shape)
    source.withElements(as: Float.self) { from in
        result.withElements(as: Float.self) { to in
            for plane in 0..<extent.planes {
                body(plane, from.baseAddress! + plane * extent.area, to.baseAddress! + plane * extent.area)
            }
        }
    }
    return result
}

/// A colour with another hue: to hue, saturation and value, and back.
private func turnedHue(_ color: SIMD3<Float>, _ turn: Float) -> SIMD3<Float> {
    let (value, least) = (color.max(), color.min())
    let range = value - least
    guard range != 0 else { return SIMD3(repeating: min(max(value, 0), 1)) }
    let saturation = range / value
    let distance = (SIMD3(repeating: value) - color) / range
    var hue: Float =
        if value == color[0] {
            distance[2] - distance[1]
        } else if value == color[1] {
            2 + distance[0] - distance[2]
        } else {
            4 + distance[1] - distance[0]
        }
    hue = (hue / 6 + 1).truncatingRemainder(dividingBy: 1) + turn
    hue = (hue - hue.rounded(.down)) * 6
    let sector = hue.rounded(.down)
    let fraction = hue - sector
    func clamped(_ value: Float) -> Float { min(max(value, 0), 1) }
    let p = clamped(value * (1 - saturation))
    let q = clamped(value * (1 - saturation * fraction))
    let t = clamped(value * (1 - saturation * (1 - fraction)))
    switch Int(sector) % 6 {
    case 0: return [value, t, p]
    case 1: return [q, value, p]
    case 2: return [p, value, t]
    case 3: return [p, q, value]
    case 4: return [t, p, value]
    default: return [value, p, q]
    }
}

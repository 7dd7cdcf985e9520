// Resizing: each pixel of the result is a weighted mean of a run of pixels, first along rows, then along columns.
import Foundation
import Tapestry

extension transforms.functional {
    /// Height × width by interpolation. With `antialias`, bilinear shrinking averages over all pixels that are covered;
    /// it makes no difference for `.nearest`. uint8 images are rounded. Mirrors `functional.resize`.
    public static func resize(
        _ image: Tensor, _ size: Pair, interpolation: transforms.InterpolationMode = .bilinear,
        antialias: Bool = true, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let extent = ImageExtent("resize", image, site)
        require(size.height > 0 && size.width > 0, "resize: the size \(size) is not positive", site)
        switch interpolation {
        case .nearest, .nearestExact:
            // torch computes in float32.
            let offset: Float = interpolation == .nearestExact ? 0.5 : 0
            func table(_ length: Int, _ wanted: Int) -> Places {
                let scale = Float(length) / Float(wanted)
                return Places((0..<wanted).map { min(length - 1, Int((Float($0) + offset) * scale)) })
            }
            let places = PixelTable(
                rows: table(extent.height, size.height), columns: table(extent.width, size.width))
            return remapped(image, extent, places)
        case .bilinear:
            if size == Pair(extent.height, extent.width) { return plain(image) }
            let rows = Taps(extent.height, size.height, antialias: antialias)
            let columns = Taps(extent.width, size.width, antialias: antialias)
            return inFloat(image) { source in
                let result = emptyImage(like: source, size.height, size.width)
                source.withElements(as: Float.self) { from in
                    result.withElements(as: Float.self) { to in blend(from, to, extent, rows, columns) }
                }
                return result
            }
        }
    }

    /// The shorter edge becomes `size`, the longer one in proportion (its fraction cut off); if that exceeds `maxSize`,
    /// the longer edge becomes `maxSize` instead. Mirrors `functional.resize` with one number.
    public static func resize(
        _ image: Tensor, _ size: Int, interpolation: transforms.InterpolationMode = .bilinear, maxSize: Int? = nil,
        antialias: Bool = true, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let extent = ImageExtent("resize", image, site)
        require(
            size > 0 && maxSize.map { $0 > size } ?? true,
            "resize: size \(size) is not positive and below maxSize \(maxSize ?? .max)", site)
        let (short, long) = (min(extent.height, extent.width), max(extent.height, extent.width))
        var (newShort, newLong) = (size, Int(Double(size * long) / Double(short)))
        if let maxSize, newLong > maxSize { (newShort, newLong) = (maxSize * newShort / newLong, maxSize) }
        let target = extent.width <= extent.height ? Pair(newLong, newShort) : Pair(newShort, newLong)
        return resize(image, target, interpolation: interpolation, antialias: antialias, file: file, line: line)
    }

    /// A part, resized. Mirrors `functional.resized_crop`.
    public static func resizedCrop(
        _ image: Tensor, top: Int, left: Int, height: Int, width: Int, size: Pair,
        interpolation: transforms.InterpolationMode = .bilinear, antialias: Bool = true, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        let part = crop(image, top: top, left: left, height: height, width: width, file: file, line: line)
        return resize(part, size, interpolation: interpolation, antialias: antialias, file: file, line: line)
    }
}

/// Runs `body` on a plain float32 image; a uint8 image's result is rounded back.
func inFloat(_ image: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
    guard image.dtype == .uint8 else { return body(plain(image)) }
    return body(plain(image).to(.float32)).round().clamp(min: 0, max: 255).to(.uint8)
}

/// For each pixel of the result along one axis: the first pixel that it is made of, and the weights of the run.
private struct Taps {
    /// Weights of a pixel, the same number for all; unused ones are 0.
    let width: Int
    let starts: [Int]
    let weights: [Float]

    /// Linear interpolation between pixel centres. With `antialias` the triangle is as wide as shrinking demands.
    init(_ length: Int, _ wanted: Int, antialias: Bool) {
        let scale = Double(length) / Double(wanted)
        let stretch = antialias ? max(scale, 1) : 1
        width = min(length, antialias && scale > 1 ? Int(stretch.rounded(.up)) * 2 + 1 : 2)
        var (starts, weights) = ([Int](), [Float]())
        starts.reserveCapacity(wanted)
        weights.reserveCapacity(wanted * width)
        var run = [Double](repeating: 0, count: width)
        for place in 0..<wanted {
            // The centre in pixels of the source; a border pixel goes on beyond the border.
            let centre = scale * (Double(place) + 0.5)
            let first: Int
            if antialias {
                first = min(max(Int(centre - stretch + 0.5), 0), length - width)
                var total = 0.0
                for tap in 0..<width {
                    run[tap] = max(0, 1 - abs((Double(first + tap) - centre + 0.5) / stretch))
                    total += run[tap]
                }
                for tap in 0..<width { weights.append(Float(run[tap] / total)) }
            } else {
                // In float32, as torch: what lies half-way between two bytes is rounded by the last bit.
                let position = max(0, Float(length) / Float(wanted) * (Float(place) + 0.5) - 0.5)
                first = min(Int(position), length - width)
                let share = min(1, position - Float(first))
                weights.append(width == 1 ? 1 : 1 - share)
                if width == 2 { weights.append(share) }
            }
            starts.append(first)
        }
        (self.starts, self.weights) = (starts, weights)
    }
}

/// Rows shrunk or stretched into a buffer, then columns, plane by plane.
private func blend(
    _ source: UnsafeMutableBufferPointer<Float>, _ target: UnsafeMutableBufferPointer<Float>, _ extent: ImageExtent,
    _ rows: Taps, _ columns: Taps
) {
    guard let from = source.baseAddress, let to = target.baseAddress else { return }
    let (height, width) = (rows.starts.count, columns.starts.count)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: extent.height * width) { buffer in
        guard let lines = buffer.baseAddress else { return }
        for plane in 0..<extent.planes {
            for y in 0..<extent.height {
                shrink(from + (plane * extent.height + y) * extent.width, lines + y * width, columns)
            }
            for y in 0..<height {
                let line = to + (plane * height + y) * width
                mix(lines + rows.starts[y] * width, line, rows, y, width)
            }
        }
    }
}

/// One row: each pixel a weighted sum of a run of the source.
@inline(__always)
private func shrink(_ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ taps: Taps) {
    taps.starts.withUnsafeBufferPointer { starts in
        taps.weights.withUnsafeBufferPointer { weights in
            if taps.width == 2 {
                for x in 0..<starts.count {
                    let from = source + starts[x]
                    target[x] = from[0] * weights[2 * x] + from[1] * weights[2 * x + 1]
                }
            } else {
                for x in 0..<starts.count {
                    let from = source + starts[x]
                    var sum: Float = 0
                    for tap in 0..<taps.width { sum += from[tap] * weights[x * taps.width + tap] }
                    target[x] = sum
                }
            }
        }
    }
}

/// One row of the result: a weighted sum of rows.
@inline(__always)
private func mix(
    _ lines: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ taps: Taps, _ y: Int, _ width: Int
) {
    let first = taps.weights[y * taps.width]
    for x in 0..<width { target[x] = lines[x] * first }
    for tap in 1..<max(1, taps.width) {
        let weight = taps.weights[y * taps.width + tap]
        // Most runs are shorter than the longest.
        guard weight != 0 else { continue }
        let line = lines + tap * width
        for x in 0..<width { target[x] += line[x] * weight }
    }
}

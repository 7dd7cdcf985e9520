// Rotation and other affine maps: for each pixel of the result its place in the image is computed, and the pixel there
// or the four around it are taken.
import Foundation
import Tapestry

extension transforms.functional {
    /// Turned counter-clockwise by degrees about the image's middle, or about `center` (x, y in pixels from the upper
    /// left corner). uint8 images are rounded. Mirrors `functional.rotate`.
    ///
    /// - Parameters:
    ///   - expand: make the result large enough for the whole turned image.
    ///   - fill: the value outside the image for all channels, or one for each; without it zeros.
    public static func rotate(
        _ image: Tensor, _ angle: Double, interpolation: transforms.InterpolationMode = .nearest, expand: Bool = false,
        center: (x: Double, y: Double)? = nil, fill: [Double]? = nil, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let extent = ImageExtent("rotate", image, site)
        let map = AffineMap(
            "rotate", center: fromMiddle(center, extent), angle: -angle, translate: (0, 0), scale: 1, shear: (0, 0),
            site)
        let size = expand ? map.boundingSize(extent) : Pair(extent.height, extent.width)
        return mapped(image, extent, map, size, interpolation, fill, "rotate", site)
    }

    /// Turned clockwise by degrees, scaled, sheared by degrees, and moved by pixels, about the image's middle or
    /// `center` (x, y in pixels). uint8 images are rounded. Mirrors `functional.affine`.
    public static func affine(
        _ image: Tensor, angle: Double, translate: (x: Double, y: Double) = (0, 0), scale: Double = 1,
        shear: (x: Double, y: Double) = (0, 0), interpolation: transforms.InterpolationMode = .nearest,
        fill: [Double]? = nil, center: (x: Double, y: Double)? = nil, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let extent = ImageExtent("affine", image, site)
        let map = AffineMap(
            "affine", center: fromMiddle(center, extent), angle: angle, translate: translate, scale: scale,
            shear: shear, site)
        return mapped(image, extent, map, Pair(extent.height, extent.width), interpolation, fill, "affine", site)
    }

    private static func fromMiddle(_ center: (x: Double, y: Double)?, _ extent: ImageExtent) -> (x: Double, y: Double) {
        center.map { ($0.x - Double(extent.width) / 2, $0.y - Double(extent.height) / 2) } ?? (0, 0)
    }
}

/// From a pixel of the result to its place in the image, both measured from the middle:
/// x′ = xx · x + xy · y + x0, y′ = yx · x + yy · y + y0.
struct AffineMap {
    let xx, xy, x0, yx, yy, y0: Double

    /// The inverse of: shear, scale, turn about a centre, move. Traps on a scale that is not positive.
    init(
        _ op: StaticString, center: (x: Double, y: Double), angle: Double, translate: (x: Double, y: Double),
        scale: Double, shear: (x: Double, y: Double), _ site: SourceSite
    ) {
        require(
            scale > 0 && scale.isFinite && [angle, translate.x, translate.y, shear.x, shear.y].allSatisfy(\.isFinite),
            "\(op): angle \(angle), scale \(scale), shear \(shear) are not finite with a positive scale", site)
        let (turn, sx, sy) = (angle * .pi / 180, shear.x * .pi / 180, shear.y * .pi / 180)
        // Rotation · shear in y · shear in x, whose determinant is 1.
        let a = cos(turn - sy) / cos(sy)
        let b = -cos(turn - sy) * tan(sx) / cos(sy) - sin(turn)
        let c = sin(turn - sy) / cos(sy)
        let d = -sin(turn - sy) * tan(sx) / cos(sy) + cos(turn)
        (xx, xy, yx, yy) = (d / scale, -b / scale, -c / scale, a / scale)
        let (x, y) = (center.x + translate.x, center.y + translate.y)
        x0 = center.x - xx * x - xy * y
        y0 = center.y - yx * x - yy * y
    }

    /// Height and width of the smallest upright rectangle around the turned image.
    func boundingSize(_ extent: ImageExtent) -> Pair {
        let (w, h) = (Double(extent.width) / 2, Double(extent.height) / 2)
        let corners = [(-w, -h), (-w, h), (w, h), (w, -h)]
        func span(_ values: [Double], _ half: Double) -> Int {
            // Cut to 1/10,000 pixel, so that rounding does not add one.
            func cut(_ value: Double) -> Double { ((value + half) / 1e-4).rounded(.towardZero) * 1e-4 }
            return Int(cut(values.max()!).rounded(.up) - cut(values.min()!).rounded(.down))
        }
        return Pair(
            span(corners.map { yx * $0 + yy * $1 + y0 }, h), span(corners.map { xx * $0 + xy * $1 + x0 }, w))
    }
}

/// The image seen through a map.
private func mapped(
    _ image: Tensor, _ extent: ImageExtent, _ map: AffineMap, _ size: Pair,
    _ interpolation: transforms.InterpolationMode, _ fill: [Double]?, _ op: StaticString, _ site: SourceSite
) -> Tensor {
    require(
        fill.map { $0.count == 1 || $0.count == extent.channels } ?? true,
        "\(op): \(fill?.count ?? 0) values to fill with for \(extent.channels) channels", site)
    let fills = fill.map { fill in (0..<extent.channels).map { Float(fill[fill.count == 1 ? 0 : $0]) } }
    return inFloat(image) { source in
        let result = emptyImage(like: source, size.height, size.width)
        let sampler = Sampler(extent: extent, map: map, size: size)
        source.withElements(as: Float.self) { from in
            result.withElements(as: Float.self) { to in
                if interpolation == .bilinear {
                    sampler.blend(from.baseAddress!, to.baseAddress!, fills)
                } else {
                    sampler.pick(from.baseAddress!, to.baseAddress!, fills)
                }
            }
        }
        return result
    }
}

/// Goes through the result row by row; what is found for a row serves all planes.
///
/// Places are computed as torch's `grid_sample` is fed: scaled to [−1, 1] and back, in float32 and in that order. Turns
/// by right angles end on halves between pixels, and the last bit then decides which pixel is the nearest.
private struct Sampler {
    let extent: ImageExtent
    let size: Pair
    /// x′ = x · x + y · y + 0, scaled by half the image's width; likewise y′.
    private let toX, toY: (x: Float, y: Float, offset: Float)

    init(extent: ImageExtent, map: AffineMap, size: Pair) {
        (self.extent, self.size) = (extent, size)
        let (halfWidth, halfHeight) = (Float(extent.width) / 2, Float(extent.height) / 2)
        toX = (Float(map.xx) / halfWidth, Float(map.xy) / halfWidth, Float(map.x0) / halfWidth)
        toY = (Float(map.yx) / halfHeight, Float(map.yy) / halfHeight, Float(map.y0) / halfHeight)
    }

    /// The first pixel of a row or a column, from the middle.
    private func first(_ length: Int) -> Float { 0.5 - Float(length) / 2 }

    /// A coordinate in pixels from the centre of the first one.
    @inline(__always)
    private static func place(
        _ to: (x: Float, y: Float, offset: Float), _ x: Float, _ rowTerm: Float, _ half: Float
    ) -> Float {
        (x * to.x + rowTerm + to.offset + 1) * half - 0.5
    }

    /// The nearest pixel, halves to the even one.
    func pick(_ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ fills: [Float]?) {
        let (width, height) = (UInt32(extent.width), UInt32(extent.height))
        let (halfWidth, halfHeight) = (Float(extent.width) / 2, Float(extent.height) / 2)
        let left = first(size.width)
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: size.width) { places in
            for row in 0..<size.height {
                let y = first(size.height) + Float(row)
                let (termX, termY) = (y * toX.y, y * toY.y)
                for column in 0..<size.width {
                    let x = left + Float(column)
                    let fromX = rounded(Self.place(toX, x, termX, halfWidth))
                    let fromY = rounded(Self.place(toY, x, termY, halfHeight))
                    // Negative numbers are large ones without a sign.
                    let isInside = UInt32(bitPattern: fromX) < width && UInt32(bitPattern: fromY) < height
                    places[column] = isInside ? fromY &* Int32(truncatingIfNeeded: width) &+ fromX : -1
                }
                for plane in 0..<extent.planes {
                    let from = source + plane * extent.area
                    let to = target + (plane * size.height + row) * size.width
                    let fill = fills?[plane % extent.channels] ?? 0
                    for column in 0..<size.width {
                        let place = Int(places[column])
                        to[column] = place < 0 ? fill : from[place]
                    }
                }
            }
        }
    }

    /// The four pixels around, those outside as 0. With a fill, as torchvision does: the share of the weights that
    /// lie inside mixes the result with it once more.
    func blend(_ source: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ fills: [Float]?) {
        let (halfWidth, halfHeight) = (Float(extent.width) / 2, Float(extent.height) / 2)
        let left = first(size.width)
        withUnsafeTemporaryAllocation(of: Corners.self, capacity: size.width) { corners in
            for row in 0..<size.height {
                let y = first(size.height) + Float(row)
                let (termX, termY) = (y * toX.y, y * toY.y)
                for column in 0..<size.width {
                    let x = left + Float(column)
                    corners[column] = Corners(
                        Self.place(toX, x, termX, halfWidth), Self.place(toY, x, termY, halfHeight), extent)
                }
                for plane in 0..<extent.planes {
                    let from = source + plane * extent.area
                    let to = target + (plane * size.height + row) * size.width
                    for column in 0..<size.width {
                        let corner = corners[column]
                        var value = from[Int(corner.places[0])] * corner.weights[0]
                        value += from[Int(corner.places[1])] * corner.weights[1]
                        value += from[Int(corner.places[2])] * corner.weights[2]
                        value += from[Int(corner.places[3])] * corner.weights[3]
                        if let fill = fills?[plane % extent.channels] {
                            let inside = corner.weights.sum()
                            value = value * inside + (1 - inside) * fill
                        }
                        to[column] = value
                    }
                }
            }
        }
    }

    /// Where the four pixels around a place lie in the plane, and their weights.
    private struct Corners {
        var places = SIMD4<Int32>()
        var weights = SIMD4<Float>()

        init(_ x: Float, _ y: Float, _ extent: ImageExtent) {
            let (width, height) = (Float(extent.width), Float(extent.height))
            guard x > -1, y > -1, x < width, y < height else { return }
            // Both are above −1, so that cutting off the fraction of x + 1 rounds down.
            let (left, top) = (Int32(x + 1) - 1, Int32(y + 1) - 1)
            let (right, below) = (x - Float(left), y - Float(top))
            let columns = SIMD4<Int32>(left, left + 1, left, left + 1)
            let rows = SIMD4<Int32>(top, top, top + 1, top + 1)
            let isInside =
                (columns .>= 0) .& (columns .< Int32(extent.width)) .& (rows .>= 0) .& (rows .< Int32(extent.height))
            let shares = SIMD4<Float>(
                (1 - right) * (1 - below), right * (1 - below), (1 - right) * below, right * below)
            weights = SIMD4<Float>(repeating: 0).replacing(with: shares, where: isInside)
            places = SIMD4<Int32>(repeating: 0).replacing(
                with: rows &* Int32(extent.width) &+ columns, where: isInside)
        }
    }
}

extension SIMD4<Float> {
    @inline(__always) fileprivate func sum() -> Float { (self[0] + self[1]) + (self[2] + self[3]) }
}

/// The nearest integer, halves to the even one, for what is smaller than 2²² in size: adding 1.5 · 2²³ leaves no bits
/// for a fraction and the integer in the lowest ones. Other numbers become such that lie outside of every image. Unlike
/// a conversion that checks, it is done for several numbers at once.
@inline(__always)
private func rounded(_ value: Float) -> Int32 {
    let magic: Float = 12_582_912
    return Int32(bitPattern: (value + magic).bitPattern) &- Int32(bitPattern: magic.bitPattern)
}

// Images at another size. Mirrors torch.nn.functional.interpolate.
import Foundation

extension F {
    /// How `interpolate` finds a value between pixels. `nearest` takes the pixel below, as torch's; `nearestExact` the
    /// one whose centre is nearest; `area` the mean of the pixels covered.
    public enum InterpolationMode: String, Sendable {
        case nearest, bilinear, bicubic, area
        case nearestExact = "nearest-exact"
    }

    /// The image at another size, [N, C, H, W]: to `size`, or `⌊size · scale⌋` for each axis. Source coordinates use
    /// the given scale itself.
    ///
    /// `bicubic` is Keys' cubic convolution with a = −0.75. With `antialias` (bilinear and bicubic, then with a = −0.5)
    /// the kernel widens when the image shrinks, as in Pillow. Mirrors `F.interpolate`.
    public static func interpolate(
        _ x: Tensor, size: [Int]? = nil, scaleFactor: [Double]? = nil, mode: InterpolationMode = .nearest,
        alignCorners: Bool = false, antialias: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(
            x.rank == 4 && (size == nil) != (scaleFactor == nil),
            "interpolate: expected [N, C, H, W] and either size or scaleFactor, got \(x.shape)", site)
        require(
            [1, 2].contains(size?.count ?? scaleFactor!.count),
            "interpolate: size or scaleFactor is one number or two, got \(size?.count ?? scaleFactor!.count)", site)
        require(
            !antialias || mode == .bilinear || mode == .bicubic,
            "interpolate: antialias is for bilinear and bicubic, not \(mode.rawValue)", site)
        let axes = (0..<2).map { axis in
            let length = x.shape[2 + axis]
            let scale = scaleFactor.map { $0.count == 1 ? $0[0] : $0[axis] }
            let out = size.map { $0.count == 1 ? $0[0] : $0[axis] } ?? Int((Double(length) * scale!).rounded(.down))
            require(out > 0 && length > 0, "interpolate: size \(out) from \(length) is not positive", site)
            return ResizedAxis(
                length: length, out: out, step: scale.map { 1 / $0 } ?? Double(length) / Double(out),
                alignCorners: alignCorners)
        }
        switch mode {
        case .nearest, .nearestExact:
            let single = x.dtype == .float32
            return axes.enumerated().reduce(x) { y, axis in
                let places = axis.element.nearest(exact: mode == .nearestExact, single: single)
                return y.indexSelect(dim: 2 + axis.offset, index: Tensor(places), file: file, line: line)
            }
        case .area: return adaptiveAvgPool2d(x, (axes[0].out, axes[1].out), file: file, line: line)
        case .bilinear where !antialias:
            return axes.enumerated().reduce(x) { y, axis in
                let (lower, upper, shares) = axis.element.linear()
                let share = Tensor(shares, shape: axis.offset == 0 ? [axis.element.out, 1] : [axis.element.out]).to(
                    x.dtype)
                let dim = 2 + axis.offset
                let a = y.indexSelect(dim: dim, index: Tensor(lower), file: file, line: line)
                return a * (1 - share) + y.indexSelect(dim: dim, index: Tensor(upper), file: file, line: line) * share
            }
        case .bilinear, .bicubic:
            let cubic = mode == .bicubic
            // Weighted sums of pixels are products with matrices of weights: columns first, then rows.
            let matrices = axes.map { axis in
                let rows = antialias ? axis.antialiased(cubic: cubic) : axis.cubic()
                return Tensor(rows.flatMap { $0 }, shape: [axis.out, axis.length]).to(x.dtype)
            }
            let narrowed = x.matmul(matrices[1].T, file: file, line: line)
            return matrices[0].matmul(narrowed, file: file, line: line)
        }
    }
}

/// One axis of an image on its way to another length.
private struct ResizedAxis {
    let length, out: Int
    /// Pixels of the source for one of the result.
    let step: Double
    let alignCorners: Bool

    /// Where the centre of pixel `index` lies in the source.
    private func position(_ index: Int) -> Double {
        alignCorners
            ? (out > 1 ? Double(index) * Double(length - 1) / Double(out - 1) : 0) : (Double(index) + 0.5) * step - 0.5
    }

    /// The source pixel of each pixel, reckoned in the precision of the image: the product may fall just below an
    /// integer.
    func nearest(exact: Bool, single: Bool) -> [Int] {
        let shift = exact ? 0.5 : 0
        return (0..<out).map { index in
            let place =
                single
                ? Double((Float(index) + Float(shift)) * Float(step)) : (Double(index) + shift) * step
            return min(Int(place), length - 1)
        }
    }

    /// The two neighbours of each pixel, and the share of the upper.
    func linear() -> (lower: [Int], upper: [Int], shares: [Double]) {
        let positions = (0..<out).map { max(0, position($0)) }
        let lower = positions.map { min(Int($0), length - 1) }
        return (
            lower, lower.map { min($0 + 1, length - 1) },
            zip(positions, lower).map { min(max($0 - Double($1), 0), 1) }
        )
    }

    /// Weights of the source's pixels by cubic convolution; those beyond the edge count for the edge.
    func cubic() -> [[Double]] {
        (0..<out).map { index in
            var row = [Double](repeating: 0, count: length)
            let place = position(index)
            let base = place.rounded(.down)
            for tap in -1...2 {
                let weight = cubicKernel(place - base - Double(tap), a: -0.75)
                row[min(max(Int(base) + tap, 0), length - 1)] += weight
            }
            return row
        }
    }

    /// Weights of the source's pixels by a triangle or cubic kernel that is as wide as the step where that is above 1;
    /// pixels beyond the edge do not count.
    func antialiased(cubic: Bool) -> [[Double]] {
        let step = alignCorners ? (out > 1 ? Double(length - 1) / Double(out - 1) : 0) : self.step
        let width = max(step, 1)
        let support = (cubic ? 2 : 1) * width
        return (0..<out).map { index in
            var row = [Double](repeating: 0, count: length)
            let centre = step * (Double(index) + 0.5)
            let first = max(Int(centre - support + 0.5), 0)
            let last = min(Int(centre + support + 0.5), length)
            for pixel in first..<max(first, last) {
                let distance = (Double(pixel) - centre + 0.5) / width
                row[pixel] = cubic ? cubicKernel(distance, a: -0.5) : max(0, 1 - abs(distance))
            }
            let total = row.reduce(0, +)
            return total == 0 ? row : row.map { $0 / total }
        }
    }
}

/// Keys' cubic convolution kernel (1981).
private func cubicKernel(_ distance: Double, a: Double) -> Double {
    let x = abs(distance)
    if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
}

// Transforms that move pixels without mixing them: flips, crops, padding, nearest resizing. Each is a table of rows and
// one of columns: where the pixels of the result come from.
import Tapestry

extension transforms {
    /// Transforms with fixed parameters: of an image [C, H, W] or a batch [N, C, H, W], float32 or uint8. They trap on
    /// other shapes and dtypes. Mirrors `torchvision.transforms.functional` on tensors.
    public enum functional {}
}

/// The extent of an image or a batch, seen as planes one behind the other.
struct ImageExtent {
    let planes, channels, height, width: Int

    /// Traps unless the tensor is float32 or uint8, [C, H, W] or [N, C, H, W], with at least one pixel an image.
    init(_ op: StaticString, _ image: Tensor, _ site: SourceSite) {
        require(
            (image.rank == 3 || image.rank == 4) && (image.dtype == .float32 || image.dtype == .uint8)
                && image.shape.suffix(3).allSatisfy { $0 > 0 },
            "\(op): expected float32 or uint8, [C, H, W] or [N, C, H, W], got \(image.dtype) \(image.shape)", site)
        (channels, height, width) = (
            image.shape[image.rank - 3], image.shape[image.rank - 2], image.shape[image.rank - 1]
        )
        planes = image.rank == 4 ? image.shape[0] * channels : channels
    }

    var area: Int { height * width }
}

/// Memory for the result of a transform: the shape of `image` with another height and width.
func emptyImage(like image: Tensor, _ height: Int, _ width: Int) -> Tensor {
    Tensor.empty(image.shape.dropLast(2) + [height, width], dtype: image.dtype)
}

/// A tensor as plain memory, off the tape.
func plain(_ image: Tensor) -> Tensor { image.detach().contiguous() }

/// `result[y, x] = image[rows[y], columns[x]]` in every plane; `fill` where an index is −1.
func remapped(_ image: Tensor, _ extent: ImageExtent, rows: [Int], columns: [Int], fill: Double = 0) -> Tensor {
    let source = plain(image)
    let result = emptyImage(like: source, rows.count, columns.count)
    // The kernel is generic over the element; both kinds are named here, so that both are compiled as such.
    if image.dtype == .float32 {
        source.withElements(as: Float.self) { from in
            result.withElements(as: Float.self) { to in remap(from, to, extent, rows, columns, Float(fill)) }
        }
    } else {
        source.withElements(as: UInt8.self) { from in
            result.withElements(as: UInt8.self) { to in
                remap(from, to, extent, rows, columns, UInt8(max(0, min(255, fill))))
            }
        }
    }
    return result
}

private func remap<Element>(
    _ source: UnsafeMutableBufferPointer<Element>, _ target: UnsafeMutableBufferPointer<Element>,
    _ extent: ImageExtent, _ rows: [Int], _ columns: [Int], _ fill: Element
) {
    guard var line = target.baseAddress, let start = source.baseAddress else { return }
    // Columns are mostly a run, forwards or backwards, with filling before and behind.
    let lead = columns.firstIndex { $0 >= 0 } ?? columns.count
    let run = columns[lead...].prefix { $0 >= 0 }
    let step = run.count > 1 ? run[lead + 1] - run[lead] : 1
    let isRun =
        abs(step) == 1 && !columns[run.endIndex...].contains { $0 >= 0 }
        && run.indices.allSatisfy { run[$0] == run[lead] + ($0 - lead) * step }
    columns.withUnsafeBufferPointer { columns in
        for plane in 0..<extent.planes {
            for row in rows {
                let from = start + (plane * extent.height + max(0, row)) * extent.width
                if row < 0 {
                    line.update(repeating: fill, count: columns.count)
                } else if isRun {
                    line.update(repeating: fill, count: lead)
                    let (to, first) = (line + lead, run.isEmpty ? from : from + columns[lead])
                    if step == 1 {
                        to.update(from: first, count: run.count)
                    } else {
                        for x in 0..<run.count { to[x] = first[-x] }
                    }
                    (to + run.count).update(repeating: fill, count: columns.count - lead - run.count)
                } else {
                    for x in 0..<columns.count { line[x] = columns[x] < 0 ? fill : from[columns[x]] }
                }
                line += columns.count
            }
        }
    }
}

extension transforms.functional {
    /// Left and right exchanged. Mirrors `functional.hflip`.
    public static func hflip(_ image: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let extent = ImageExtent("hflip", image, SourceSite(file, line))
        return remapped(
            image, extent, rows: Array(0..<extent.height), columns: Array((0..<extent.width).reversed()))
    }

    /// Top and bottom exchanged. Mirrors `functional.vflip`.
    public static func vflip(_ image: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let extent = ImageExtent("vflip", image, SourceSite(file, line))
        return remapped(
            image, extent, rows: Array((0..<extent.height).reversed()), columns: Array(0..<extent.width))
    }

    /// The part with its upper left corner at row `top` and column `left`; zeros where it lies outside. Mirrors
    /// `functional.crop`.
    public static func crop(
        _ image: Tensor, top: Int, left: Int, height: Int, width: Int, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let extent = ImageExtent("crop", image, site)
        require(height > 0 && width > 0, "crop: the size \(height) × \(width) is not positive", site)
        return remapped(
            image, extent, rows: (top..<top + height).map { (0..<extent.height).contains($0) ? $0 : -1 },
            columns: (left..<left + width).map { (0..<extent.width).contains($0) ? $0 : -1 })
    }

    /// The middle part; zeros around an image that is too small. Mirrors `functional.center_crop`.
    public static func centerCrop(
        _ image: Tensor, _ size: Pair, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let extent = ImageExtent("centerCrop", image, SourceSite(file, line))
        // Python's round: halves to the even number. Too small images have the odd pixel of padding at the end.
        func start(_ length: Int, _ wanted: Int) -> Int {
            wanted > length
                ? -((wanted - length) / 2) : Int((Double(length - wanted) / 2).rounded(.toNearestOrEven))
        }
        return crop(
            image, top: start(extent.height, size.height), left: start(extent.width, size.width),
            height: size.height, width: size.width, file: file, line: line)
    }

    /// Pixels put around; negative numbers cut off. Traps if mirroring takes more pixels than there are. Mirrors
    /// `functional.pad`.
    public static func pad(
        _ image: Tensor, _ padding: transforms.Borders, fill: Double = 0,
        paddingMode: transforms.PaddingMode = .constant, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let extent = ImageExtent("pad", image, site)
        func table(_ length: Int, _ before: Int, _ after: Int) -> [Int] {
            require(
                length + before + after > 0,
                "pad: nothing is left of \(length) pixels with padding \(before) and \(after)", site)
            // What can be mirrored: for reflect without the outermost pixel.
            let most = paddingMode == .reflect ? length - 1 : paddingMode == .symmetric ? length : Int.max
            require(
                max(before, after) <= most, "pad: \(max(before, after)) pixels cannot be mirrored from \(length)", site)
            return (-before..<length + after).map { place in
                if (0..<length).contains(place) { return place }
                switch paddingMode {
                case .constant: return -1
                case .edge: return max(0, min(length - 1, place))
                case .reflect: return place < 0 ? -place : 2 * length - 2 - place
                case .symmetric: return place < 0 ? -place - 1 : 2 * length - 1 - place
                }
            }
        }
        return remapped(
            image, extent, rows: table(extent.height, padding.top, padding.bottom),
            columns: table(extent.width, padding.left, padding.right), fill: fill)
    }

    /// A rectangle overwritten with a value for all channels, or one for each, or with a tensor that broadcasts to
    /// [C, height, width]. Traps if it does not lie inside. Mirrors `functional.erase`.
    public static func erase(
        _ image: Tensor, top: Int, left: Int, height: Int, width: Int, value: Tensor, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let extent = ImageExtent("erase", image, site)
        require(
            top >= 0 && left >= 0 && height >= 0 && width >= 0 && top + height <= extent.height
                && left + width <= extent.width,
            "erase: \(height) × \(width) pixels from (\(top), \(left)) are not inside \(image.shape)", site)
        let result = plain(image).clone()
        let part = result.narrow(dim: -2, start: top, length: height).narrow(dim: -1, start: left, length: width)
        part.copy_(value.detach().to(image.dtype), file: file, line: line)
        return result
    }
}

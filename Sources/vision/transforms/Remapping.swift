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

/// Where pixels along one axis come from: filling, then a run of neighbours forwards or backwards, then filling. Or from
/// anywhere.
struct Places {
    let count: Int
    /// The run's place, length, first pixel and step.
    fileprivate let lead, length, first, step: Int
    /// The pixels of what is no run; filling where it says −1.
    fileprivate let list: [Int]?

    /// `length` pixels from `start` on, with filling where they lie outside of `0 ..< available`.
    init(from start: Int, _ length: Int, of available: Int) {
        count = length
        lead = min(length, max(0, -start))
        self.length = max(0, min(start + length, available) - max(0, start))
        first = self.length > 0 ? max(0, start) : 0
        (step, list) = (1, nil)
    }

    /// All of them, backwards.
    init(mirrored available: Int) {
        (count, lead, length, first, step, list) = (available, 0, available, available - 1, -1, nil)
    }

    /// Any, −1 for filling.
    init(_ list: [Int]) {
        (count, lead, length, first, step) = (list.count, 0, 0, 0, 0)
        self.list = list
    }

    /// Whether nothing is changed along an axis of a length.
    fileprivate func areAll(of available: Int) -> Bool {
        step == 1 && first == 0 && length == available && count == available
    }

    fileprivate subscript(_ index: Int) -> Int {
        if let list { return list[index] }
        return index >= lead && index < lead + length ? first + (index - lead) * step : -1
    }
}

/// Where the pixels of a plane come from: `result[y, x] = plane[rows[y], columns[x]]`.
struct PixelTable {
    let rows, columns: Places

    init(rows: Places, columns: Places) { (self.rows, self.columns) = (rows, columns) }

    /// The whole plane, mirrored or not.
    init(_ extent: ImageExtent, mirrorsColumns: Bool = false, mirrorsRows: Bool = false) {
        func places(_ length: Int, _ isMirrored: Bool) -> Places {
            isMirrored ? Places(mirrored: length) : Places(from: 0, length, of: length)
        }
        self.init(rows: places(extent.height, mirrorsRows), columns: places(extent.width, mirrorsColumns))
    }

    /// A part, with filling where it lies outside.
    init(_ extent: ImageExtent, top: Int, left: Int, size: Pair) {
        self.init(
            rows: Places(from: top, size.height, of: extent.height),
            columns: Places(from: left, size.width, of: extent.width))
    }
}

/// Every plane through a table.
func remapped(_ image: Tensor, _ extent: ImageExtent, _ table: PixelTable, fill: Double = 0) -> Tensor {
    remapped(image, extent, to: Pair(table.rows.count, table.columns.count), fill: fill) { _ in table }
}

/// The planes of each image through its table; all tables are of the same size.
func remapped(
    _ image: Tensor, _ extent: ImageExtent, to size: Pair, fill: Double = 0, table: (_ image: Int) -> PixelTable
) -> Tensor {
    let source = plain(image)
    let result = emptyImage(like: source, size.height, size.width)
    // The kernel is generic over the element; both kinds are named here, so that both are compiled as such.
    if image.dtype == .float32 {
        source.withElements(as: Float.self) { from in
            result.withElements(as: Float.self) { to in remap(from, to, extent, size, Float(fill), table) }
        }
    } else {
        source.withElements(as: UInt8.self) { from in
            result.withElements(as: UInt8.self) { to in
                remap(from, to, extent, size, UInt8(max(0, min(255, fill))), table)
            }
        }
    }
    return result
}

private func remap<Element>(
    _ source: UnsafeMutableBufferPointer<Element>, _ target: UnsafeMutableBufferPointer<Element>,
    _ extent: ImageExtent, _ size: Pair, _ fill: Element, _ table: (Int) -> PixelTable
) {
    guard var line = target.baseAddress, var plane = source.baseAddress else { return }
    for image in 0..<extent.planes / extent.channels {
        let table = table(image)
        let (rows, columns) = (table.rows, table.columns)
        if rows.areAll(of: extent.height), columns.areAll(of: extent.width) {
            line.update(from: plane, count: extent.channels * extent.area)
            line += extent.channels * extent.area
            plane += extent.channels * extent.area
            continue
        }
        for _ in 0..<extent.channels {
            for y in 0..<size.height {
                let row = rows[y]
                let from = plane + max(0, row) * extent.width
                if row < 0 {
                    line.update(repeating: fill, count: size.width)
                } else if let list = columns.list {
                    list.withUnsafeBufferPointer { list in
                        for x in 0..<size.width { line[x] = list[x] < 0 ? fill : from[list[x]] }
                    }
                } else {
                    let (to, length, first) = (line + columns.lead, columns.length, from + columns.first)
                    if columns.lead > 0 { line.update(repeating: fill, count: columns.lead) }
                    if columns.step == 1 {
                        to.update(from: first, count: length)
                    } else {
                        for x in 0..<length { to[x] = first[-x] }
                    }
                    let rest = size.width - columns.lead - length
                    if rest > 0 { (to + length).update(repeating: fill, count: rest) }
                }
                line += size.width
            }
            plane += extent.area
        }
    }
}

extension transforms.functional {
    /// Left and right exchanged. Mirrors `functional.hflip`.
    public static func hflip(_ image: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let extent = ImageExtent("hflip", image, SourceSite(file, line))
        return remapped(image, extent, PixelTable(extent, mirrorsColumns: true))
    }

    /// Top and bottom exchanged. Mirrors `functional.vflip`.
    public static func vflip(_ image: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let extent = ImageExtent("vflip", image, SourceSite(file, line))
        return remapped(image, extent, PixelTable(extent, mirrorsRows: true))
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
        return remapped(image, extent, PixelTable(extent, top: top, left: left, size: Pair(height, width)))
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
        func table(_ length: Int, _ before: Int, _ after: Int) -> Places {
            require(
                length + before + after > 0,
                "pad: nothing is left of \(length) pixels with padding \(before) and \(after)", site)
            // What can be mirrored: for reflect without the outermost pixel.
            let most = paddingMode == .reflect ? length - 1 : paddingMode == .symmetric ? length : Int.max
            require(
                max(before, after) <= most, "pad: \(max(before, after)) pixels cannot be mirrored from \(length)", site)
            if paddingMode == .constant { return Places(from: -before, before + length + after, of: length) }
            return Places(
                (-before..<length + after).map { place in
                    if (0..<length).contains(place) { return place }
                    switch paddingMode {
                    case .constant, .edge: return max(0, min(length - 1, place))
                    case .reflect: return place < 0 ? -place : 2 * length - 2 - place
                    case .symmetric: return place < 0 ? -place - 1 : 2 * length - 1 - place
                    }
                })
        }
        let table = PixelTable(
            rows: table(extent.height, padding.top, padding.bottom),
            columns: table(extent.width, padding.left, padding.right))
        return remapped(image, extent, table, fill: fill)
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

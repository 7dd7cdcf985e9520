// The tables of the correlation kernel for many output channels: which pixels are computed together, with which taps.
//
// Pixels near the border see fewer taps than those inside. All pixels of a strip that see the same taps form a class; a
// class is computed with its own list of taps, so nothing outside the image is ever read or multiplied, and the input
// needs no padded copy. (A 5×5 filter on a 14×14 image has a sixth of its taps in the padding, "full" correlations of
// backward-data up to a half.) Strips of like rows share their tables.

/// Pixels of a strip of a large image, about: their sums and rows stay in the caches.
@usableFromInline let stripPixels = 392

/// Bytes of the input under such a strip, at most: with a stride of 2 a strip of so many pixels sees twice the rows.
@usableFromInline let stripBytes = 262_144

/// Pixels of small images that are computed together, at most: classes of few pixels per image fill whole tiles.
@usableFromInline let unitPixels = 1568

/// A table that kernels read through pointers, good as long as it lives.
///
/// `@unchecked Sendable`: it is written once, before anybody else sees it.
@usableFromInline final class PlaceTable: @unchecked Sendable {
    @usableFromInline let start: UnsafeMutablePointer<Int>
    @usableFromInline let count: Int

    @inlinable
    init(_ places: [Int]) {
        count = places.count
        start = .allocate(capacity: max(1, places.count))
        start.initialize(from: places, count: places.count)
    }

    @inlinable
    deinit { start.deallocate() }

    @inlinable @inline(__always)
    func address(_ first: Int) -> UnsafePointer<Int> { UnsafePointer(start + first) }
}

/// Pixels of a strip that see the same taps.
@usableFromInline struct PixelClass: Sendable {
    /// Where in the table its pixels are.
    @usableFromInline let pixels: Range<Int>
    /// Where its terms begin, and how many there are of each channel.
    @usableFromInline let terms, taps: Int
    @inlinable init(pixels: Range<Int>, terms: Int, taps: Int) {
        (self.pixels, self.terms, self.taps) = (pixels, terms, taps)
    }
}

/// The pixels of a strip of rows, in every image of a unit, class by class.
@usableFromInline struct StripTable: Sendable {
    /// The taps that each row of the strip sees; strips of equal rows have equal tables.
    @usableFromInline let rows: [Range<Int>]
    @usableFromInline let classes: [PixelClass]
    /// For each pixel: bytes to its place in the input, and its number in the strip times bytes of a vector.
    @usableFromInline let inputs, slots: PlaceTable
    /// For each number in the strip, the scalars to its place in the output.
    @usableFromInline let outputs: PlaceTable

    @inlinable
    init(
        rows: [Range<Int>], classes: [PixelClass], inputs: [Int], slots: [Int], outputs: [Int]
    ) {
        (self.rows, self.classes) = (rows, classes)
        (self.inputs, self.slots, self.outputs) = (PlaceTable(inputs), PlaceTable(slots), PlaceTable(outputs))
    }
}

/// A strip: its table, and what to add to the places of its pixels.
@usableFromInline struct Strip: Sendable {
    @usableFromInline let table, input, output: Int
    @inlinable init(table: Int, input: Int, output: Int) {
        (self.table, self.input, self.output) = (table, input, output)
    }
}

/// One output phase of a correlation: its taps, and its pixels in strips.
@usableFromInline struct PixelPhase: Sendable {
    /// The filter's elements that belong to the phase, in the order of its packed weights.
    @usableFromInline let elements: [Int]
    /// Input channels that are worked through at a time.
    @usableFromInline let depth: Int
    /// For each class, the products of a pixel, for each channel of `depth` and each tap: in turn the bytes from the
    /// pixel to the factor, and the bytes to its weight, for weights of one vector.
    @usableFromInline let terms: PlaceTable
    @usableFromInline let strips: [Strip]
    @usableFromInline let tables: [StripTable]
    /// Where its packed weights begin, in scalars.
    @usableFromInline let weights: Int

    @inlinable
    init<I: ISA>(
        _: I.Type, _ c: Correlation, row: Int, column: Int, images: Int, planeSize: Int, imageIn: Int, imageOut: Int,
        weights: Int
    ) {
        let vectorBytes = I.width * I.scalarSize
        let (vertical, horizontal) = (c.verticalTaps[row], c.horizontalTaps[column])
        let elements = vertical.flatMap { v in horizontal.map { v.index * c.kernelWidth + $0.index } }
        (self.elements, self.weights) = (elements, weights)
        // Weights, and a cache line or two of each row under the filter, stay in the first-level cache.
        let bytes = elements.count * I.tileVectors * vectorBytes + vertical.count * 96
        let depth = max(1, min(c.inChannels, 24_576 / max(1, bytes)))
        self.depth = depth

        // What the pixels of each row and column see, and a list of taps for each pair of these.
        let (rows, columns) = (c.phaseRows(row), c.phaseColumns(column))
        let rowTaps = (0..<rows).map { visible(vertical, $0 * c.inStepHeight, c.height) }
        let columnTaps = (0..<columns).map { visible(horizontal, $0 * c.inStepWidth, c.width) }
        let (verticals, horizontals) = (distinct(rowTaps), distinct(columnTaps))
        var terms: [Int] = []
        var starts: [Int] = []
        for v in verticals {
            for h in horizontals {
                starts.append(terms.count)
                for channel in 0..<depth {
                    for y in v {
                        for x in h {
                            let place = vertical[y].position * c.width + horizontal[x].position
                            terms.append((channel * planeSize + place) * I.scalarSize)
                            terms.append((channel * elements.count + y * horizontal.count + x) * vectorBytes)
                        }
                    }
                }
            }
        }
        self.terms = PlaceTable(terms)

        func table(_ ranges: [Range<Int>]) -> StripTable {
            var (classes, inputs, slots, outputs): ([PixelClass], [Int], [Int], [Int]) = ([], [], [], [])
            let pixels = images * ranges.count * columns
            inputs.reserveCapacity(pixels)
            slots.reserveCapacity(pixels)
            outputs.reserveCapacity(pixels)
            for (v, verticalRange) in verticals.enumerated() {
                for (h, horizontalRange) in horizontals.enumerated() {
                    let start = inputs.count
                    for image in 0..<images {
                        for r in 0..<ranges.count where ranges[r] == verticalRange {
                            let place = image * imageIn + r * c.inStepHeight * c.width
                            let number = (image * ranges.count + r) * columns
                            for i in 0..<columns where columnTaps[i] == horizontalRange {
                                inputs.append((place + i * c.inStepWidth) * I.scalarSize)
                                slots.append((number + i) * vectorBytes)
                            }
                        }
                    }
                    if inputs.count > start {
                        classes.append(
                            PixelClass(
                                pixels: start..<inputs.count, terms: starts[v * horizontals.count + h],
                                taps: verticalRange.count * horizontalRange.count))
                    }
                }
            }
            for image in 0..<images {
                for r in 0..<ranges.count {
                    let place = image * imageOut + r * c.outStepHeight * c.outWidth
                    for i in 0..<columns { outputs.append(place + i * c.outStepWidth) }
                }
            }
            return StripTable(rows: ranges, classes: classes, inputs: inputs, slots: slots, outputs: outputs)
        }

        var (strips, tables): ([Strip], [StripTable]) = ([], [])
        // The rows under a strip stay in the second-level cache while the blocks of channels pass by.
        let inputRows = stripBytes / max(1, c.inChannels * c.width * I.scalarSize)
        let span = (vertical.map(\.position).max() ?? 0) - (vertical.map(\.position).min() ?? 0) + 1
        let fitting = (inputRows - span) / c.inStepHeight + 1
        let height = images > 1 ? rows : max(1, min(stripPixels / max(1, columns), fitting))
        for first in stride(from: 0, to: rows, by: height) {
            let ranges = Array(rowTaps[first..<min(rows, first + height)])
            let index = tables.lastIndex { $0.rows == ranges } ?? tables.count
            if index == tables.count { tables.append(table(ranges)) }
            strips.append(
                Strip(
                    table: index, input: first * c.inStepHeight * c.width * I.scalarSize,
                    output: (first * c.outStepHeight + row) * c.outWidth + column))
        }
        (self.strips, self.tables) = (strips, tables)
    }
}

/// The taps that a pixel at `place` sees in an image of `length`: a range, as positions rise or fall steadily.
@inlinable
func visible(_ taps: [AxisTap], _ place: Int, _ length: Int) -> Range<Int> {
    let inside = taps.indices.filter { (0..<length).contains(place + taps[$0].position) }
    return inside.isEmpty ? 0..<0 : inside.first!..<inside.last! + 1
}

/// Each value once, in order of appearance.
@inlinable
func distinct(_ ranges: [Range<Int>]) -> [Range<Int>] {
    var result: [Range<Int>] = []
    for range in ranges where result.last != range && !result.contains(range) { result.append(range) }
    return result
}

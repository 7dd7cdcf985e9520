// The tables of the flat correlation kernel: how planes lie in memory, and where a tap finds its factor in them.

/// The padded phase planes of a channel.
@usableFromInline struct FlatLayout: Sendable {
    @usableFromInline let top, left, rowStride, phaseSize: Int
    /// The phases of the input that taps read, as row · inStepWidth + column.
    @usableFromInline let usedPhases: [Int]

    @inlinable
    init(_ c: Correlation) {
        let vertical = c.verticalTaps.joined().map { floorDivide($0.position, c.inStepHeight).quotient }
        let horizontal = c.horizontalTaps.joined().map { floorDivide($0.position, c.inStepWidth).quotient }
        let gridHeight = (c.outHeight + c.outStepHeight - 1) / c.outStepHeight
        let gridWidth = (c.outWidth + c.outStepWidth - 1) / c.outStepWidth
        let contentHeight = (c.height + c.inStepHeight - 1) / c.inStepHeight
        let contentWidth = (c.width + c.inStepWidth - 1) / c.inStepWidth
        top = max(0, -(vertical.min() ?? 0))
        left = max(0, -(horizontal.min() ?? 0))
        let bottom = max(0, gridHeight + (vertical.max() ?? 0) - contentHeight)
        let right = max(0, gridWidth + (horizontal.max() ?? 0) - contentWidth)
        // The padding behind a row is the padding before the next one.
        rowStride = contentWidth + max(left, right)
        phaseSize = (top + contentHeight + bottom) * rowStride + max(left, right)
        var phases = Set<Int>()
        for v in c.verticalTaps.joined() {
            for h in c.horizontalTaps.joined() {
                phases.insert(
                    floorDivide(v.position, c.inStepHeight).remainder * c.inStepWidth
                        + floorDivide(h.position, c.inStepWidth).remainder)
            }
        }
        usedPhases = phases.sorted()
    }

    /// Scalars of one channel's planes.
    @inlinable var planeSize: Int { usedPhases.count * phaseSize }
}

/// Quotient rounded down, and a remainder that is not negative.
@inlinable
func floorDivide(_ a: Int, _ b: Int) -> (quotient: Int, remainder: Int) {
    let remainder = ((a % b) + b) % b
    return ((a - remainder) / b, remainder)
}

/// One output phase: its taps as offsets into a channel's planes, its grid, its packed weights.
@usableFromInline struct FlatPhase: Sendable {
    @usableFromInline let offsets: [Int]
    /// Element of the filter for each tap.
    @usableFromInline let elements: [Int]
    /// Bytes from an output's place in the first channel to each factor, of the channels worked through at a time.
    @usableFromInline let terms: PlaceTable
    @usableFromInline let row, column, rows, columns: Int
    /// Where its packed weights begin, in scalars.
    @usableFromInline let weights: Int

    @inlinable
    init<I: ISA>(_: I.Type, _ c: Correlation, _ layout: FlatLayout, _ row: Int, _ column: Int, weights: Int) {
        var (offsets, elements): ([Int], [Int]) = ([], [])
        for v in c.verticalTaps[row] {
            for h in c.horizontalTaps[column] {
                let (down, rowPhase) = floorDivide(v.position, c.inStepHeight)
                let (across, columnPhase) = floorDivide(h.position, c.inStepWidth)
                let phase = layout.usedPhases.firstIndex(of: rowPhase * c.inStepWidth + columnPhase)!
                offsets.append(
                    phase * layout.phaseSize + (layout.top + down) * layout.rowStride + layout.left + across)
                elements.append(v.index * c.kernelWidth + h.index)
            }
        }
        (self.offsets, self.elements) = (offsets, elements)
        terms = PlaceTable(
            (0..<min(c.inChannels, flatDepth)).flatMap { channel in
                offsets.map { (channel * layout.planeSize + $0) * I.scalarSize }
            })
        (self.row, self.column, self.weights) = (row, column, weights)
        (rows, columns) = (c.phaseRows(row), c.phaseColumns(column))
    }

    /// Rows of a block's packed weights: the bias, then one for each channel and tap.
    @inlinable func packedRows(_ c: Correlation) -> Int { c.inChannels * offsets.count + 1 }
}

/// Channels of the input that are worked through at a time.
@usableFromInline let flatDepth = 32

/// The output channels of a tile: the first of them, and for how many there is room.
@usableFromInline struct FlatBlock: Sendable {
    @usableFromInline let first, rows: Int
    @inlinable init(first: Int, rows: Int) { (self.first, self.rows) = (first, rows) }

    /// Cuts channels into blocks of `rows`, or of 6 and, where that leaves fewer in vain, some of 4.
    @inlinable
    static func cut(_ channels: Int, _ rows: Int, isTall: Bool) -> [FlatBlock] {
        var (blocks, first): ([FlatBlock], Int) = ([], 0)
        while first < channels {
            let left = channels - first
            let some = isTall && left > 4 && left != 8 && left != 7 ? 6 : rows
            blocks.append(FlatBlock(first: first, rows: some))
            first += some
        }
        return blocks
    }
}

/// What follows from the shape alone.
@usableFromInline final class FlatPlan<I: ISA>: Sendable {
    @usableFromInline let c: Correlation
    @usableFromInline let layout: FlatLayout
    @usableFromInline let phases: [FlatPhase]
    /// Output channels of a group: those of a tile each, and scalars of their packed weights.
    @usableFromInline let blocks: [FlatBlock]
    @usableFromInline let weightCount: Int
    /// Whether tiles keep to a row, of how many vectors they are then, and how many rows are worked on together.
    @usableFromInline let keepsToRows: Bool
    @usableFromInline let rowVectors, rowsAtOnce: Int

    @inlinable
    init(_ s: ConvolutionShape, isBackward: Bool) {
        let c = isBackward ? Correlation(backward: s) : Correlation(forward: s)
        let layout = FlatLayout(c)
        keepsToRows = Self.keepsToRows(s, isBackward: isBackward)
        // The widest that makes no more vectors of a row than one would.
        let vectors = Self.vectors(c.outWidth)
        let most = I.width * I.scalarSize == 16 && c.outChannels > 3 ? 2 : c.outChannels > 3 ? 3 : 4
        rowVectors = (1...most).last { vectors % $0 == 0 && $0 * I.width <= c.outWidth } ?? 1
        let isTall = keepsToRows && rowVectors < 3 && I.width * I.scalarSize == 32
        blocks = FlatBlock.cut(
            c.outChannels, c.outChannels < 4 ? max(1, c.outChannels) : I.hasManyRegisters ? 8 : 4, isTall: isTall)
        let rows = blocks.reduce(0) { $0 + $1.rows }
        var (phases, count): ([FlatPhase], Int) = ([], 0)
        for (row, column) in c.phases {
            let phase = FlatPhase(I.self, c, layout, row, column, weights: count)
            count += rows * phase.packedRows(c)
            phases.append(phase)
        }
        (self.c, self.layout, self.phases, weightCount) = (c, layout, phases, count)
        rowsAtOnce = max(4, 16_384 / max(1, c.inChannels * layout.usedPhases.count * layout.rowStride * I.scalarSize))
    }

    /// Vectors of a row of outputs.
    @inlinable static func vectors(_ columns: Int) -> Int { (columns + I.width - 1) / I.width }

    /// Whether tiles keep to a row: there is one phase of outputs, all channels of the input are summed at once, and at most
    /// an eighth of a row is computed twice.
    @inlinable
    static func keepsToRows(_ s: ConvolutionShape, isBackward: Bool) -> Bool {
        if isBackward, s.strideHeight > 1 || s.strideWidth > 1 { return false }
        let (channels, columns) = isBackward ? (s.groupOut, s.width) : (s.groupIn, s.outWidth)
        return channels <= flatDepth && columns >= I.width && vectors(columns) * I.width * 7 <= columns * 8
    }

    /// Whether it is faster than the kernel for many output channels however many there are: sums of at most 80 terms, fewer
    /// if parts of the rows are computed twice.
    @inlinable
    static func suitsShortSums(_ s: ConvolutionShape, isBackward: Bool) -> Bool {
        let terms = (isBackward ? s.groupOut : s.groupIn) * s.kernelHeight * s.kernelWidth
        let columns = isBackward ? s.width : s.outWidth
        return keepsToRows(s, isBackward: isBackward) && terms * vectors(columns) * I.width <= 80 * columns
    }

    /// Runs the correlation with the tile that suits the registers and the number of output channels.
    @inlinable
    func run(
        _ x: UnsafeRawPointer, _ w: UnsafeRawPointer, _ bias: UnsafeRawPointer?, _ relu: Bool,
        _ y: UnsafeMutableRawPointer
    ) {
        switch c.outChannels {
        case ...1: run(x, w, bias, relu, y, InlineArray<1, Void>.self, InlineArray<8, Void>.self)
        case 2: run(x, w, bias, relu, y, InlineArray<2, Void>.self, InlineArray<4, Void>.self)
        case 3: run(x, w, bias, relu, y, InlineArray<3, Void>.self, InlineArray<4, Void>.self)
        default:
            if I.hasManyRegisters {
                run(x, w, bias, relu, y, InlineArray<8, Void>.self, InlineArray<3, Void>.self)
            } else if I.width * I.scalarSize == 32 {
                run(x, w, bias, relu, y, InlineArray<4, Void>.self, InlineArray<3, Void>.self)
            } else {
                run(x, w, bias, relu, y, InlineArray<4, Void>.self, InlineArray<2, Void>.self)
            }
        }
    }

    @inlinable @inline(__always)
    func run<let R: Int, let V: Int>(
        _ x: UnsafeRawPointer, _ w: UnsafeRawPointer, _ bias: UnsafeRawPointer?, _ relu: Bool,
        _ y: UnsafeMutableRawPointer, _ rows: InlineArray<R, Void>.Type, _ vectors: InlineArray<V, Void>.Type
    ) {
        flatCorrelation(I.self, rows, vectors, self, x, w, bias, relu, y)
    }
}

// Pooling over planes (N·C of them, each height × width): shapes and what maximum and average pooling share.
//
// Forward, vectors run along a row of outputs, and all taps of their windows pass through registers: one load per
// tap at stride 1, two and a shuffle at stride 2. Rows of windows outside the plane are left out; columns outside
// are met in a copy of the plane with padding, made in the first-level cache and only where there are any. The
// last vector of a row overlaps the one before, so there is no scalar remainder. Planes are independent: they
// are what is divided among threads.

/// Shapes of a two-dimensional pooling over planes. Output sizes are the caller's: a ceiling mode is nothing else.
public struct PoolingShape: Sendable, Hashable {
    /// Number of planes, N·C.
    public var planes: Int
    public var height: Int
    public var width: Int
    public var kernelHeight: Int
    public var kernelWidth: Int
    public var strideHeight: Int
    public var strideWidth: Int
    public var padTop: Int
    public var padLeft: Int
    public var dilationHeight: Int
    public var dilationWidth: Int
    public var outHeight: Int
    public var outWidth: Int

    public init(
        planes: Int, height: Int, width: Int, kernelHeight: Int, kernelWidth: Int, strideHeight: Int,
        strideWidth: Int, padTop: Int = 0, padLeft: Int = 0, dilationHeight: Int = 1, dilationWidth: Int = 1,
        outHeight: Int, outWidth: Int
    ) {
        (self.planes, self.height, self.width) = (planes, height, width)
        (self.kernelHeight, self.kernelWidth) = (kernelHeight, kernelWidth)
        (self.strideHeight, self.strideWidth) = (strideHeight, strideWidth)
        (self.padTop, self.padLeft) = (padTop, padLeft)
        (self.dilationHeight, self.dilationWidth) = (dilationHeight, dilationWidth)
        (self.outHeight, self.outWidth) = (outHeight, outWidth)
    }

    /// Whether winners of maximum pooling are `UInt8`; else they are `Int32`.
    public var hasByteWinners: Bool { kernelHeight * kernelWidth <= 256 }

    /// Bytes of the winners of maximum pooling.
    public var winnerBytes: Int {
        planes * outHeight * outWidth * (hasByteWinners ? 1 : MemoryLayout<Int32>.size)
    }

    /// Whether windows lie side by side without gaps, overlaps or padding, and none leaves the plane.
    @inlinable
    var tiles: Bool {
        kernelHeight == strideHeight && kernelWidth == strideWidth && padTop == 0 && padLeft == 0
            && dilationHeight == 1 && dilationWidth == 1 && outHeight * kernelHeight <= height
            && outWidth * kernelWidth <= width
    }

    /// Column of the input under the tap `tap` of the output column 0; may lie outside.
    @inlinable @inline(__always)
    func firstColumn(tap: Int) -> Int { tap &* dilationWidth &- padLeft }

    /// The outputs of a row whose input under the tap `tap` exists.
    @inlinable @inline(__always)
    func outputs(tap: Int) -> Range<Int> {
        let first = firstColumn(tap: tap)
        let lower = first >= 0 ? 0 : (strideWidth &- 1 &- first) / strideWidth
        let upper = width > first ? (width &- 1 &- first) / strideWidth &+ 1 : 0
        return Swift.min(lower, outWidth)..<Swift.max(Swift.min(lower, outWidth), Swift.min(upper, outWidth))
    }

    /// Scalars of an input plane.
    @inlinable @inline(__always)
    var inputSize: Int { height &* width }

    /// Scalars of an output plane.
    @inlinable @inline(__always)
    var outputSize: Int { outHeight &* outWidth }

    /// The kernel rows whose input exists, for the output row `row`.
    @inlinable @inline(__always)
    func kernelRows(_ row: Int) -> Range<Int> {
        inside(row &* strideHeight &- padTop, step: dilationHeight, kernel: kernelHeight, size: height)
    }

    /// The kernel columns whose input exists, for the output column `column`.
    @inlinable @inline(__always)
    func kernelColumns(_ column: Int) -> Range<Int> {
        inside(column &* strideWidth &- padLeft, step: dilationWidth, kernel: kernelWidth, size: width)
    }

    /// Those of `kernel` taps from `start` on that lie in `0..<size`.
    @inlinable @inline(__always)
    func inside(_ start: Int, step: Int, kernel: Int, size: Int) -> Range<Int> {
        if start >= 0, start &+ (kernel &- 1) &* step < size { return 0..<kernel }
        let lower = start >= 0 ? 0 : (step &- 1 &- start) / step
        let upper = start < size ? Swift.min(kernel, (size &- 1 &- start) / step &+ 1) : 0
        return lower < upper ? lower..<upper : 0..<0
    }

    /// Whether the columns of some windows may all be padding.
    @inlinable
    var mayMissColumns: Bool {
        dilationWidth > 1 || padLeft >= kernelWidth || (outWidth &- 1) &* strideWidth &- padLeft >= width
    }

    /// Planes that one piece of work takes: some tens of thousands of taps.
    @inlinable
    var planesPerChunk: Int {
        Swift.max(1, 32_768 / Swift.max(1, Swift.max(inputSize, outputSize &* kernelHeight &* kernelWidth)))
    }

    /// The same pooling with all rows in one, where windows are as wide as the plane: pooling over whole planes
    /// then runs along contiguous memory. Taps keep their numbers.
    @inlinable
    var flattened: PoolingShape {
        guard outWidth == 1, kernelWidth == width, padLeft == 0, padTop == 0, dilationWidth == 1,
            dilationHeight == 1, height > 1, (outHeight &- 1) &* strideHeight &+ kernelHeight <= height
        else { return self }
        return PoolingShape(
            planes: planes, height: 1, width: height &* width, kernelHeight: 1,
            kernelWidth: kernelHeight &* width, strideHeight: 1, strideWidth: strideHeight &* width, outHeight: 1,
            outWidth: outHeight)
    }
}

/// Pooling for one instruction set and scalar type.
public enum Pooling<I: ISA> {
    /// Reads the scalar at `index`.
    @inlinable @inline(__always)
    static func value(_ pointer: UnsafeRawPointer, _ index: Int) -> I.Scalar {
        pointer.load(fromByteOffset: index &* I.scalarSize, as: I.Scalar.self)
    }

    /// Writes the scalar at `index`.
    @inlinable @inline(__always)
    static func put(_ value: I.Scalar, _ pointer: UnsafeMutableRawPointer, _ index: Int) {
        pointer.storeBytes(of: value, toByteOffset: index &* I.scalarSize, as: I.Scalar.self)
    }

    /// Sets `count` scalars to zero.
    @inlinable @inline(__always)
    static func clear(_ pointer: UnsafeMutableRawPointer, _ count: Int) {
        pointer.initializeMemory(as: UInt8.self, repeating: 0, count: count &* I.scalarSize)
    }

    /// How rows of a plane are read: where they lie, or from a copy with padding.
    @usableFromInline
    struct Rows {
        /// Scalars from one row to the next.
        @usableFromInline let stride: Int
        /// Whether a copy is needed: windows or vectors reach beyond the plane's columns.
        @usableFromInline let copies: Bool
        /// Outputs of a row, rounded up to whole vectors.
        @usableFromInline let outputs: Int

        @inlinable
        init(_ s: PoolingShape) {
            let reach = (s.kernelWidth &- 1) &* s.dilationWidth
            outputs = (s.outWidth &+ I.width &- 1) / I.width &* I.width
            copies =
                s.padLeft > 0 || s.outWidth < I.width || (s.outWidth &- 1) &* s.strideWidth &+ reach >= s.width
            stride =
                copies
                ? Swift.max(s.padLeft &+ s.width, (outputs &- 1) &* s.strideWidth &+ reach &+ 2) : s.width
        }

        /// Bytes of a copy of a plane.
        @inlinable
        func bytes(_ s: PoolingShape) -> Int { copies ? (s.height &* stride &* I.scalarSize &+ 63) & ~63 : 0 }
    }

    /// The vector of inputs under one tap for the outputs from `j` on: every `S`th scalar (`step`th, if `S` is 0),
    /// `tap` scalars on.
    ///
    /// At stride 2, the odd scalars one further ahead are the same and do not reach beyond the last input.
    @inlinable @inline(__always)
    static func taps<let S: Int>(
        _: InlineArray<S, Void>.Type, _ row: UnsafeRawPointer, _ j: Int, tap: Int, step: Int
    ) -> I.V {
        if S == 1 { return I.load(row, j &+ tap) }
        var result = I.V.zero
        if S == 2 {
            let half = I.width / 2
            if tap == 0 {
                let low = I.load(row, 2 &* j)
                let high = I.load(row, 2 &* j &+ I.width)
                for i in 0..<half { (result[i], result[i &+ half]) = (low[2 &* i], high[2 &* i]) }
            } else {
                let low = I.load(row, 2 &* j &+ tap &- 1)
                let high = I.load(row, 2 &* j &+ tap &- 1 &+ I.width)
                for i in 0..<half { (result[i], result[i &+ half]) = (low[2 &* i &+ 1], high[2 &* i &+ 1]) }
            }
        } else {
            for i in 0..<I.width { result[i] = value(row, (j &+ i) &* step &+ tap) }
        }
        return result
    }

    /// Copies a plane into rows with padding; what is around the copied scalars stays.
    @inlinable
    static func copy(_ plane: UnsafeRawPointer, _ s: PoolingShape, _ rows: Rows, _ to: UnsafeMutableRawPointer) {
        for row in 0..<s.height {
            (to + (row &* rows.stride &+ s.padLeft) &* I.scalarSize).copyMemory(
                from: plane + row &* s.width &* I.scalarSize, byteCount: s.width &* I.scalarSize)
        }
    }
}

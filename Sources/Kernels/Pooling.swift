// Pooling over planes (N·C of them, each height × width): shapes and what maximum and average pooling share.
//
// Both forms run over a row of outputs at a time, tap after tap: the inner loop goes along the row, for one tap
// of the window, over contiguous (stride 1) or interleaved (stride 2) inputs, without a test. Bounds are settled
// once per row and tap, as a range of outputs whose input exists. Planes are independent: they are what is
// divided among threads.

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

    /// Row of the input under the tap `tap` of the output row `row`, if there is one.
    @inlinable @inline(__always)
    func inputRow(_ row: Int, tap: Int) -> Int? {
        let input = row &* strideHeight &- padTop &+ tap &* dilationHeight
        return input >= 0 && input < height ? input : nil
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

    /// Planes that one piece of work takes: some tens of thousands of taps.
    @inlinable
    var planesPerChunk: Int {
        Swift.max(1, 32_768 / Swift.max(1, Swift.max(inputSize, outputSize &* kernelHeight &* kernelWidth)))
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
}

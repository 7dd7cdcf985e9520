// The functions that an instruction set offers for one scalar type; the engine calls kernels only through it.
//
// Each entry is a function of untyped pointers to the table's scalar type, specialised in the module of its instruction
// set. Counts and strides are in scalars.

/// All kernels of one instruction set for one scalar type. A class, since handing on a struct of so many closures costs
/// more than a small op.
public final class KernelTable: Sendable {
    public typealias Pointer = UnsafeRawPointer
    public typealias MutablePointer = UnsafeMutableRawPointer

    /// Name of the instruction set: "baseline", "avx2" or "avx512".
    public let name: String

    /// (op, count, x, x's stride, y, y's stride): `y = op(x)`.
    public let unary: @Sendable (UnaryOp, Int, Pointer, Int, MutablePointer, Int) -> Void
    /// (op, count, a, a's stride, b, b's stride, y, y's stride): `y = a op b`.
    public let binary: @Sendable (BinaryOp, Int, Pointer, Int, Pointer, Int, MutablePointer, Int) -> Void
    /// (op, count, a, a's stride, b, b's stride, y): `y = a op b` as 0 or 1.
    public let compare: @Sendable (CompareOp, Int, Pointer, Int, Pointer, Int, UnsafeMutablePointer<UInt8>) -> Void
    /// (count, condition, its stride, a, a's stride, b, b's stride, y): `y = condition ? a : b`.
    public let select: @Sendable (Int, UnsafePointer<UInt8>, Int, Pointer, Int, Pointer, Int, MutablePointer) -> Void
    /// (count, value, y): `y = value`.
    public let fill: @Sendable (Int, Double, MutablePointer) -> Void

    /// (op, outer, length, inner, x, y): reduction of the middle axis.
    public let reduce: @Sendable (ReduceOp, Int, Int, Int, Pointer, MutablePointer) -> Void
    /// (largest, outer, length, inner, x, indices): place of the extreme along the middle axis.
    public let argReduce: @Sendable (Bool, Int, Int, Int, Pointer, UnsafeMutablePointer<Int64>) -> Void
    /// (logarithm, outer, length, inner, x, y).
    public let softmax: @Sendable (Bool, Int, Int, Int, Pointer, MutablePointer) -> Void
    /// (logarithm, outer, length, inner, dy, y, dx).
    public let softmaxBackward: @Sendable (Bool, Int, Int, Int, Pointer, Pointer, MutablePointer) -> Void

    /// Matrix product.
    public let gemm: @Sendable (GEMMArguments) -> Void

    /// (shape, x, w, bias, relu, y).
    public let convolutionForward:
        @Sendable (ConvolutionShape, Pointer, Pointer, Pointer?, Bool, MutablePointer) -> Void
    /// (shape, dy, w, dx).
    public let convolutionBackwardData: @Sendable (ConvolutionShape, Pointer, Pointer, MutablePointer) -> Void
    /// (shape, x, dy, dw, dbias).
    public let convolutionBackwardWeights:
        @Sendable (ConvolutionShape, Pointer, Pointer, MutablePointer, MutablePointer?) -> Void

    /// (shape, x, y, winners).
    public let maxPoolForward: @Sendable (PoolingShape, Pointer, MutablePointer, MutablePointer?) -> Void
    /// (shape, dy, winners, dx).
    public let maxPoolBackward: @Sendable (PoolingShape, Pointer, Pointer, MutablePointer) -> Void
    /// (shape, x, y, countIncludePad, divisorOverride).
    public let avgPoolForward: @Sendable (PoolingShape, Pointer, MutablePointer, Bool, Int?) -> Void
    /// (shape, dy, dx, countIncludePad, divisorOverride).
    public let avgPoolBackward: @Sendable (PoolingShape, Pointer, MutablePointer, Bool, Int?) -> Void

    /// (shape, eps, x, weight, bias, mean, variance, y).
    public let batchNormForward:
        @Sendable (BatchNormShape, Double, Pointer, Pointer?, Pointer?, MutablePointer, MutablePointer, MutablePointer)
            -> Void
    /// (shape, eps, dy, x, weight, mean, variance, dx, dweight, dbias).
    public let batchNormBackward:
        @Sendable (
            BatchNormShape, Double, Pointer, Pointer, Pointer?, Pointer, Pointer, MutablePointer?, MutablePointer,
            MutablePointer
        ) -> Void
    /// (shape, x, scale, shift, y).
    public let channelAffine: @Sendable (BatchNormShape, Pointer, Pointer, Pointer, MutablePointer) -> Void

    /// (settings, count, parameter, gradient, momentum buffer).
    public let sgdStep: @Sendable (SGDSettings, Int, MutablePointer, Pointer, MutablePointer?) -> Void
    /// (settings, count, parameter, gradient, m, v, vMax).
    public let adamStep:
        @Sendable (AdamSettings, Int, MutablePointer, Pointer, MutablePointer, MutablePointer, MutablePointer?) -> Void
    /// (settings, count, parameter, gradient, m, v).
    public let nadamStep:
        @Sendable (NAdamSettings, Int, MutablePointer, Pointer, MutablePointer, MutablePointer) -> Void

    /// Runs that many rounds of multiply-adds on registers and returns how many operations they were: the peak that other
    /// kernels are measured by.
    public let multiplyAdds: @Sendable (Int) -> Int

    /// Instantiates every kernel for `I`, with the register tile of the convolution's backward-weights that suits its
    /// registers: sources by vectors.
    @inlinable @inline(__always)
    public init<I: ISA, let WT: Int, let WV: Int>(
        _: I.Type, name: String, weights wt: InlineArray<WT, Void>.Type, by wv: InlineArray<WV, Void>.Type
    ) {
        self.name = name
        unary = { Kernels.unary(I.self, $0, $1, $2, $3, $4, $5) }
        binary = { Kernels.binary(I.self, $0, $1, $2, $3, $4, $5, $6, $7) }
        compare = { Kernels.compare(I.self, $0, $1, $2, $3, $4, $5, $6) }
        select = { Kernels.select(I.self, $0, $1, $2, $3, $4, $5, $6, $7) }
        fill = { Kernels.fill(I.self, $0, $1, $2) }
        reduce = { Kernels.reduce(I.self, $0, $1, $2, $3, $4, $5) }
        argReduce = { Kernels.argReduce(I.self, $0, $1, $2, $3, $4, $5) }
        softmax = { Kernels.softmax(I.self, $0, $1, $2, $3, $4, $5) }
        softmaxBackward = { Kernels.softmaxBackward(I.self, $0, $1, $2, $3, $4, $5, $6) }
        gemm = { GEMM<I>.run($0) }
        convolutionForward = { Kernels.convolutionForward(I.self, $0, $1, $2, $3, $4, $5) }
        convolutionBackwardData = { Kernels.convolutionBackwardData(I.self, $0, $1, $2, $3) }
        convolutionBackwardWeights = {
            Kernels.convolutionBackwardWeights(
                I.self, InlineArray<WT, Void>.self, InlineArray<WV, Void>.self, $0, $1, $2, $3, $4)
        }
        maxPoolForward = { Pooling<I>.maxForward($0, $1, $2, $3) }
        maxPoolBackward = { Pooling<I>.maxBackward($0, $1, $2, $3) }
        avgPoolForward = { Pooling<I>.averageForward($0, $1, $2, countIncludePad: $3, divisorOverride: $4) }
        avgPoolBackward = { Pooling<I>.averageBackward($0, $1, $2, countIncludePad: $3, divisorOverride: $4) }
        batchNormForward = { Kernels.batchNormForward(I.self, $0, $1, $2, $3, $4, $5, $6, $7) }
        batchNormBackward = { Kernels.batchNormBackward(I.self, $0, $1, $2, $3, $4, $5, $6, $7, $8, $9) }
        channelAffine = { Kernels.channelAffine(I.self, $0, $1, $2, $3, $4) }
        sgdStep = { Kernels.sgdStep(I.self, $0, $1, $2, $3, $4) }
        nadamStep = { Kernels.nadamStep(I.self, $0, $1, $2, $3, $4, $5) }
        adamStep = { Kernels.adamStep(I.self, $0, $1, $2, $3, $4, $5, $6) }
        multiplyAdds = { Kernels.multiplyAdds(I.self, $0) }
    }
}

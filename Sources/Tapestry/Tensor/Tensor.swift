// The tensor: a strided view over shared storage, and its place on the tape.
import Kernels

/// An n-dimensional array that remembers how it was made, so that gradients can be taken through it.
///
/// Tensors share storage when one is a view of another (`reshape` when possible, `transpose`, `narrow`, …).
/// Mirrors `torch.Tensor`.
///
/// `@unchecked Sendable`: using one tensor from several threads is safe as long as none changes it (in-place ops,
/// `backward()` into its gradient), which is the caller's promise, as in torch.
public final class Tensor: @unchecked Sendable {
    /// The memory (a variable only so that the tape can ask whether anybody else holds it).
    var storage: Storage
    private(set) var layout: Layout
    /// Type of the elements.
    public private(set) var dtype: DType

    /// The recorded op that made this tensor; nil for leaves and for what no gradient flows through.
    var producer: Node?
    /// Whether this leaf gathers a gradient in `grad`.
    var isTrainableLeaf = false
    /// The gradient that `backward()` has gathered here. Mirrors `Tensor.grad`.
    public var grad: Tensor?
    /// Set on views: whose elements they are, and how far this tensor's history has followed that one's.
    var viewed: View?
    /// Counts in-place changes of history, on tensors that have views.
    var generation = 0
    /// Called with the gradient of this leaf, in order of registration.
    var leafHooks: [Int: (Tensor) -> Tensor?]?

    /// What a view remembers of the tensor it looks at.
    struct View {
        let base: Tensor
        var generation: Int
    }

    init(storage: Storage, layout: Layout, dtype: DType) {
        self.storage = storage
        self.layout = layout
        self.dtype = dtype
    }

    /// Uninitialised memory of a shape.
    init(uninitialized shape: [Int], _ dtype: DType) {
        var (byteCount, isTooLarge) = (dtype.size, false)
        for length in shape where !isTooLarge {
            (byteCount, isTooLarge) = byteCount.multipliedReportingOverflow(by: length)
        }
        if isTooLarge { Storage.failTooLarge("more bytes than can be counted", shape, dtype) }
        layout = Layout(contiguous: shape)
        guard let storage = Storage(byteCount: byteCount) else {
            Storage.failTooLarge("\(byteCount) bytes", shape, dtype)
        }
        self.storage = storage
        self.dtype = dtype
    }

    /// Uninitialised memory of another tensor's shape and dtype.
    convenience init(uninitializedLike other: Tensor) {
        guard other.layout.isPlain, let storage = Storage(byteCount: other.count * other.dtype.size) else {
            self.init(uninitialized: other.shape, other.dtype)
            return
        }
        self.init(storage: storage, layout: other.layout, dtype: other.dtype)
    }

    /// Length of each dimension.
    public var shape: [Int] { layout.shape }
    /// Step of each dimension in elements.
    public var strides: [Int] { layout.strides }
    /// Number of dimensions. Mirrors `Tensor.dim()`.
    public var rank: Int { layout.shape.count }
    /// Number of elements. Mirrors `Tensor.numel()`.
    public var count: Int { layout.count }
    /// Whether the elements lie in row-major order without gaps.
    public var isContiguous: Bool { layout.isContiguous }
    /// The shape; with `dim`, the length of that dimension (negative: from the back). Mirrors `Tensor.size()`.
    public func size(_ dim: Int, file: StaticString = #fileID, line: UInt = #line) -> Int {
        shape[normalized(dim, "size", SourceSite(file, line))]
    }

    /// A dimension counted from the front; traps if there is none.
    func normalized(_ dim: Int, _ op: StaticString, _ site: SourceSite?) -> Int {
        guard let result = Layout.normalized(dim, rank: rank) else {
            fail("\(op): dimension \(dim) is out of range for shape \(shape)", site)
        }
        return result
    }

    /// The first element's address. Only kernels' callers use it.
    var pointer: UnsafeMutableRawPointer { storage.pointer + layout.offset * dtype.size }

    /// The elements' addresses as a Swift type; the caller knows that the dtype fits.
    func pointer<T: TensorElement>(as type: T.Type) -> UnsafeMutablePointer<T> {
        pointer.assumingMemoryBound(to: T.self)
    }

    /// Element `index` of the first dimension over the same memory and off the tape, with none of `select`'s checks: for
    /// loops over the images of a batch.
    package func part(_ index: Int) -> Tensor { alias(layout.selected(dim: 0, index: index)) }

    /// Another tensor over the same memory and off the tape.
    func alias(_ layout: Layout? = nil) -> Tensor {
        Tensor(storage: storage, layout: layout ?? self.layout, dtype: dtype)
    }

    /// Itself if contiguous, else a copy that is, off the tape: for kernels that want plain memory.
    func packed() -> Tensor { isContiguous ? self : copied() }

    /// Becomes a tensor of another dtype with the same elements: for `Module.to`, whose parameters keep their identity.
    package func cast(to dtype: DType) {
        guard dtype != self.dtype else { return }
        require(isLeaf && viewed == nil, "to: only leaves that are no views can be cast in place", nil)
        let converted = Tensor(uninitialized: shape, dtype)
        converted.copyElements(from: self)
        (storage, layout, self.dtype) = (converted.storage, converted.layout, dtype)
        grad = nil
    }

    // MARK: Gradients

    /// Whether gradients flow to or through this tensor. Mirrors `Tensor.requires_grad`.
    public var requiresGrad: Bool { isTrainableLeaf || gradientNode != nil }

    /// Whether this tensor was made by the user and not by a recorded op. Mirrors `Tensor.is_leaf`.
    public var isLeaf: Bool { gradientNode == nil }

    /// Makes a leaf gather gradients, or stop. Traps for integer tensors and for non-leaves.
    /// Mirrors `Tensor.requires_grad_`.
    @discardableResult
    public func requiresGrad(
        _ value: Bool = true, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(!value || dtype.isFloatingPoint, "requiresGrad: \(dtype) tensors cannot require gradients", site)
        require(value || isLeaf, "requiresGrad: only leaves can stop requiring gradients; use detach()", site)
        if isLeaf { isTrainableLeaf = value }
        return self
    }

    /// The same elements off the tape: no gradient flows through the result. Shares memory.
    /// Mirrors `Tensor.detach`.
    public func detach() -> Tensor { alias() }
}

// Making tensors from numbers, arrays and nothing; reading their elements back.
import Kernels

extension Tensor {
    /// A tensor of the elements in row-major order. Traps unless there are as many as the shape holds.
    ///
    ///     Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
    public convenience init<T: TensorElement>(
        _ elements: [T], shape: [Int], requiresGrad: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) {
        let site = SourceSite(file, line)
        require(
            shape.allSatisfy { $0 >= 0 } && elements.count == shape.reduce(1, *),
            "Tensor: \(elements.count) elements do not fill shape \(shape)", site)
        self.init(uninitialized: shape, T.dtype)
        elements.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { pointer(as: T.self).update(from: start, count: source.count) }
        }
        if requiresGrad { self.requiresGrad(file: file, line: line) }
    }

    /// A 1-d tensor of the elements.
    public convenience init<T: TensorElement>(_ elements: [T], requiresGrad: Bool = false) {
        self.init(elements, shape: [elements.count], requiresGrad: requiresGrad)
    }

    /// A 0-d tensor.
    public convenience init<T: TensorElement>(_ value: T, requiresGrad: Bool = false) {
        self.init([value], shape: [], requiresGrad: requiresGrad)
    }

    /// A 2-d tensor of rows of equal length.
    public convenience init<T: TensorElement>(
        _ rows: [[T]], requiresGrad: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) {
        let width = rows.first?.count ?? 0
        require(rows.allSatisfy { $0.count == width }, "Tensor: rows differ in length", SourceSite(file, line))
        self.init(Array(rows.joined()), shape: [rows.count, width], requiresGrad: requiresGrad)
    }

    /// A 3-d tensor of matrices of equal shape.
    public convenience init<T: TensorElement>(
        _ blocks: [[[T]]], requiresGrad: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) {
        let (height, width) = (blocks.first?.count ?? 0, blocks.first?.first?.count ?? 0)
        require(
            blocks.allSatisfy { $0.count == height && $0.allSatisfy { $0.count == width } },
            "Tensor: nested arrays differ in length", SourceSite(file, line))
        self.init(
            blocks.flatMap { $0.flatMap { $0 } }, shape: [blocks.count, height, width], requiresGrad: requiresGrad)
    }

    // MARK: Filled tensors

    /// Every element is `value`. Mirrors `torch.full`.
    public static func full(
        _ shape: [Int], _ value: some TensorElement, dtype: DType = .float32, requiresGrad: Bool = false,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let result = empty(shape, dtype: dtype, file: file, line: line)
        result.fill(value.scalar)
        return requiresGrad ? result.requiresGrad(file: file, line: line) : result
    }

    /// All zeros. Mirrors `torch.zeros`.
    public static func zeros(
        _ shape: [Int], dtype: DType = .float32, requiresGrad: Bool = false, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor { full(shape, 0, dtype: dtype, requiresGrad: requiresGrad, file: file, line: line) }

    /// All ones. Mirrors `torch.ones`.
    public static func ones(
        _ shape: [Int], dtype: DType = .float32, requiresGrad: Bool = false, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor { full(shape, 1, dtype: dtype, requiresGrad: requiresGrad, file: file, line: line) }

    /// Memory as it was found: fill it before use. Mirrors `torch.empty`.
    public static func empty(
        _ shape: [Int], dtype: DType = .float32, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        require(shape.allSatisfy { $0 >= 0 }, "shape \(shape) has a negative length", SourceSite(file, line))
        return Tensor(uninitialized: shape, dtype)
    }

    /// Zeros of another tensor's shape and dtype. Mirrors `torch.zeros_like`.
    public static func zeros(like other: Tensor) -> Tensor { zeros(other.shape, dtype: other.dtype) }
    /// Ones of another tensor's shape and dtype. Mirrors `torch.ones_like`.
    public static func ones(like other: Tensor) -> Tensor { ones(other.shape, dtype: other.dtype) }
    /// `value` in another tensor's shape and dtype. Mirrors `torch.full_like`.
    public static func full(like other: Tensor, _ value: some TensorElement) -> Tensor {
        full(other.shape, value, dtype: other.dtype)
    }
    /// Uninitialised memory of another tensor's shape and dtype. Mirrors `torch.empty_like`.
    public static func empty(like other: Tensor) -> Tensor { empty(other.shape, dtype: other.dtype) }

    /// `start, start + step, …` up to, not including, `end`: int64 [⌈(end − start) / step⌉]. Mirrors `torch.arange`.
    public static func arange(
        _ start: Int, _ end: Int, step: Int = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        require(step != 0, "arange: step is 0", SourceSite(file, line))
        return Tensor(Array(stride(from: start, to: end, by: step)))
    }

    /// `0, 1, … end − 1`, int64.
    public static func arange(_ end: Int) -> Tensor { arange(0, end) }

    /// The same for floating-point numbers: float32 unless said.
    public static func arange(
        _ start: Double, _ end: Double, step: Double = 1, dtype: DType = .float32, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        require(step != 0, "arange: step is 0", SourceSite(file, line))
        let count = Swift.max(0, Int(((end - start) / step).rounded(.up)))
        return Tensor((0..<count).map { start + Double($0) * step }).to(dtype)
    }

    /// `steps` numbers from `start` to `end`, both included. Mirrors `torch.linspace`.
    public static func linspace(_ start: Double, _ end: Double, steps: Int, dtype: DType = .float32) -> Tensor {
        let step = steps > 1 ? (end - start) / Double(steps - 1) : 0
        // From both ends, so that the last number is exactly `end`.
        return Tensor(
            (0..<steps).map {
                $0 < steps / 2 || steps == 1 ? start + Double($0) * step : end - Double(steps - 1 - $0) * step
            }
        ).to(dtype)
    }

    /// The n × m identity (n × n without `m`). Mirrors `torch.eye`.
    public static func eye(_ n: Int, _ m: Int? = nil, dtype: DType = .float32) -> Tensor {
        let result = zeros([n, m ?? n], dtype: dtype)
        let diagonal = Layout(shape: [Swift.min(n, m ?? n)], strides: [(m ?? n) + 1])
        result.alias(diagonal).fill(1)
        return result
    }

    // MARK: Reading

    /// Grids of coordinates from vectors: for vectors of lengths A, B, … tensors [A, B, …], the first varying along the
    /// first dimension. Mirrors `torch.meshgrid(indexing="ij")`.
    public static func meshgrid(_ vectors: Tensor...) -> [Tensor] {
        let lengths = vectors.map(\.count)
        return vectors.enumerated().map { axis, vector in
            var shape = [Int](repeating: 1, count: lengths.count)
            shape[axis] = vector.count
            return vector.reshape(shape).expand(lengths)
        }
    }

    /// The elements in row-major order, converted to `T`.
    public func array<T: TensorElement>(_: T.Type = T.self) -> [T] {
        let plain = dtype == T.dtype ? packed() : detach().to(T.dtype).packed()
        return withExtendedLifetime(plain) {
            Array(UnsafeBufferPointer(start: plain.pointer(as: T.self), count: count))
        }
    }

    /// The only element, converted to `T`. Traps if there is another number of them. Mirrors `Tensor.item()`.
    ///
    /// Second to the one that gives a Double: else `1 - x.item()` would be a difference of integers, as the literal is.
    @_disfavoredOverload
    public func item<T: TensorElement>(
        _: T.Type = T.self, file: StaticString = #fileID, line: UInt = #line
    ) -> T {
        require(count == 1, "item: a tensor of shape \(shape) has \(count) elements, not one", SourceSite(file, line))
        return array(T.self)[0]
    }

    /// The only element as a Double.
    public func item(file: StaticString = #fileID, line: UInt = #line) -> Double {
        item(Double.self, file: file, line: line)
    }

    /// Calls `body` with the elements in row-major order; the tensor must have the dtype of `T` and be contiguous.
    /// The memory is only valid during the call.
    public func withElements<T: TensorElement, Result>(
        as _: T.Type, file: StaticString = #fileID, line: UInt = #line,
        _ body: (UnsafeMutableBufferPointer<T>) throws -> Result
    ) rethrows -> Result {
        let site = SourceSite(file, line)
        require(dtype == T.dtype, "withElements: the tensor is \(dtype), not \(T.dtype)", site)
        require(isContiguous, "withElements: the tensor is not contiguous", site)
        return try body(UnsafeMutableBufferPointer(start: pointer(as: T.self), count: count))
    }
}

// Matrix products.
import Kernels

/// Batched product of [B…, m, k] and [B…, k, n], batch dimensions broadcast. da = dy · bᵀ, db = aᵀ · dy.
struct MatMul: Primitive {
    var saves: Saves { .factors }
    func forward(_ x: [Tensor]) -> Tensor { product(x[0], x[1]) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        [
            saved.needs(0) ? MatMul()(dy, saved.input(1).transpose(-1, -2), at: nil) : nil,
            saved.needs(1) ? MatMul()(saved.input(0).transpose(-1, -2), dy, at: nil) : nil,
        ]
    }
}

/// `x · wᵀ + b` for x [m, k], w [n, k], b [n]: a linear layer in one pass. dx = dy · w, dw = dyᵀ · x, db = Σ dy.
struct LinearOp: Primitive {
    var saves: Saves { .factors }
    var name: String { "Linear" }
    func forward(_ x: [Tensor]) -> Tensor { product(x[0], x[1].transpose(0, 1), bias: x.count > 2 ? x[2] : nil) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let dx = saved.needs(0) ? MatMul()(dy, saved.input(1), at: nil) : nil
        let dw = saved.needs(1) ? MatMul()(dy.transpose(0, 1), saved.input(0), at: nil) : nil
        guard saved.node.inputCount > 2 else { return [dx, dw] }
        return [dx, dw, saved.needs(2) ? dy.sum(dim: 0) : nil]
    }
}

/// The product of matrices in the last two dimensions; integers by way of float64.
private func product(_ a: Tensor, _ b: Tensor, bias: Tensor? = nil) -> Tensor {
    guard a.dtype.isFloatingPoint else { return product(a.to(.float64), b.to(.float64)).to(a.dtype) }
    let (m, k, n) = (a.shape[a.rank - 2], a.shape[a.rank - 1], b.shape[b.rank - 1])
    let batchShape = Layout.broadcast(Array(a.shape.dropLast(2)), Array(b.shape.dropLast(2)))!
    let y = Tensor(uninitialized: batchShape + [m, n], a.dtype)
    if y.count == 0 { return y }
    let kernels = Engine.kernels(a.dtype)
    let bias = bias?.packed()
    defer { withExtendedLifetime(bias) {} }
    func run(
        _ batch: Int, _ a: Layout, _ aData: UnsafeMutableRawPointer, _ aBatch: Int, _ b: Layout,
        _ bData: UnsafeMutableRawPointer, _ bBatch: Int, _ offset: Int
    ) {
        Profiler.count(operations: 2 * batch * m * n * k)
        kernels.gemm(
            GEMMArguments(
                batch: batch, m: m, n: n, k: k, a: UnsafeRawPointer(aData), aRow: a.strides[a.rank - 2],
                aColumn: a.strides[a.rank - 1], aBatch: aBatch, b: UnsafeRawPointer(bData),
                bRow: b.strides[b.rank - 2], bColumn: b.strides[b.rank - 1], bBatch: bBatch,
                c: y.pointer + offset * y.dtype.size, cRow: n, cBatch: m * n,
                columnBias: bias.map { UnsafeRawPointer($0.pointer) }))
    }
    let left = a.layout.expanded(to: batchShape + [m, k])!
    let right = b.layout.expanded(to: batchShape + [k, n])!
    let batches = batchShape.reduce(1, *)
    // One step from batch to batch in both operands: a single call.
    func batchStep(_ layout: Layout) -> Int? {
        let dims = (0..<batchShape.count).filter { batchShape[$0] != 1 }
        guard let last = dims.last else { return 0 }
        var step = layout.strides[last]
        let first = step
        for dim in dims.reversed() {
            if layout.strides[dim] != step { return nil }
            step *= batchShape[dim]
        }
        return first
    }
    if let aStep = batchStep(left), let bStep = batchStep(right) {
        run(batches, left, a.pointer, aStep, right, b.pointer, bStep, 0)
        return y
    }
    var index = [Int](repeating: 0, count: batchShape.count)
    for batch in 0..<batches {
        let aOffset = left.offset + zip(index, left.strides).reduce(0) { $0 + $1.0 * $1.1 }
        let bOffset = right.offset + zip(index, right.strides).reduce(0) { $0 + $1.0 * $1.1 }
        run(
            1, left, a.storage.pointer + aOffset * a.dtype.size, 0, right, b.storage.pointer + bOffset * b.dtype.size,
            0, batch * m * n)
        var dim = batchShape.count - 1
        while dim >= 0 {
            index[dim] += 1
            if index[dim] < batchShape[dim] { break }
            index[dim] = 0
            dim -= 1
        }
    }
    return y
}

extension Tensor {
    /// Matrix product with all of torch's rank rules: vectors are rows on the left and columns on the right, more than
    /// two dimensions are batches and broadcast. Mirrors `torch.matmul`.
    ///
    /// A float32 element, a sum of k products, is off by at most `γₖ · Σ|aᵢ·bᵢ|`, γₖ = k·u / (1 − k·u), u = 2⁻²⁴, on
    /// every instruction set.
    public func matmul(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        require(rank > 0 && other.rank > 0, "matmul: 0-d tensors: \(shape) × \(other.shape)", site)
        require(dtype == other.dtype, "matmul: dtypes differ: \(dtype) × \(other.dtype)", site)
        let inner = (shape[rank - 1], other.shape[Swift.max(0, other.rank - 2)])
        require(
            inner.0 == inner.1,
            "matmul: inner dimensions differ: \(shape) × \(other.shape) (axis \(rank - 1) is \(inner.0), axis "
                + "\(Swift.max(0, other.rank - 2)) is \(inner.1))", site)
        let a = rank == 1 ? unsqueeze(0) : self
        let b = other.rank == 1 ? other.unsqueeze(1) : other
        require(
            Layout.broadcast(Array(a.shape.dropLast(2)), Array(b.shape.dropLast(2))) != nil,
            "matmul: batch dimensions do not broadcast: \(shape) × \(other.shape)", site)
        var y: Tensor
        if a.rank > 2, b.rank == 2 {
            // One large product instead of many small ones.
            let rows = a.reshape([a.shape.dropLast().reduce(1, *), a.shape[a.rank - 1]], file: file, line: line)
            y = MatMul()(rows, b, at: site).reshape(Array(a.shape.dropLast()) + [b.shape[1]])
        } else {
            y = MatMul()(a, b, at: site)
        }
        if other.rank == 1 { y = y.squeeze(-1) }
        if rank == 1 { y = y.squeeze(other.rank == 1 ? -1 : -2) }
        return y
    }

    /// `input · weightᵀ + bias`: input [*, in], weight [out, in], bias [out], result [*, out].
    /// Mirrors `torch.nn.functional.linear`.
    public static func linear(
        _ input: Tensor, _ weight: Tensor, bias: Tensor? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(
            weight.rank == 2 && input.rank >= 1 && input.shape[input.rank - 1] == weight.shape[1],
            "linear: the input's last dimension is not the weight's: \(input.shape) × \(weight.shape)ᵀ"
                + (weight.rank == 2 && input.rank >= 1
                    ? " (expected \(weight.shape[1]) features, got \(input.shape[input.rank - 1]))" : ""),
            site)
        require(
            bias == nil || bias!.shape == [weight.shape[0]],
            "linear: the bias has shape \(bias?.shape ?? []), expected [\(weight.shape[0])]", site)
        require(
            input.dtype == weight.dtype && input.dtype.isFloatingPoint,
            "linear: dtypes differ or are not floating point: \(input.dtype) × \(weight.dtype)", site)
        let rows =
            input.rank == 2
            ? input : input.reshape([input.shape.dropLast().reduce(1, *), weight.shape[1]], file: file, line: line)
        let y = record(LinearOp(), [rows, weight] + (bias.map { [$0] } ?? []), at: site)
        return input.rank == 2 ? y : y.reshape(Array(input.shape.dropLast()) + [weight.shape[0]])
    }
}

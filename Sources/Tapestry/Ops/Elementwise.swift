// How elementwise ops run: dtype and broadcasting first, then kernels over runs of elements. No gradients here.
import Kernels

extension Tensor {
    /// A 0-d tensor of a number, off the tape.
    static func number(_ value: Scalar, _ dtype: DType) -> Tensor {
        let result = Tensor(uninitialized: [], dtype)
        result.fill(value)
        return result
    }

    /// Sets every element.
    func fill(_ value: Scalar) {
        switch dtype {
        case .float32, .float64:
            let kernels = Engine.kernels(dtype)
            if isContiguous {
                Parallel.forRanges(of: count, size: 1 << 16, work: count / 4) { _, range in
                    kernels.fill(range.count, value.double, pointer + range.lowerBound * dtype.size)
                }
                return
            }
            copyElements(from: Tensor.number(value, dtype))
        case .int64: fill(Int(value))
        case .int32: fill(Int32(value))
        case .uint8: fill(UInt8(value))
        case .bool: fill(Bool(value))
        }
    }

    private func fill<T: TensorElement>(_ value: T) {
        let start = storage.pointer.assumingMemoryBound(to: T.self)
        let loop = StridedLoop([layout])
        let step = loop.runStrides[0]
        loop.forEachRun { count, at in
            for index in 0..<count { start[at[0] + index * step] = value }
        }
    }
}

/// `op` on every element of a floating-point tensor.
func elementwise(_ op: UnaryOp, _ x: Tensor) -> Tensor {
    let y = Tensor(uninitializedLike: x)
    let kernels = Engine.kernels(x.dtype)
    let size = x.dtype.size
    if x.isContiguous {
        let (source, target) = (x.pointer, y.pointer)
        Parallel.forRanges(of: y.count, size: 16_384, work: y.count * 2) { _, range in
            let at = range.lowerBound * size
            kernels.unary(op, range.count, UnsafeRawPointer(source + at), 1, target + at, 1)
        }
        return y
    }
    let loop = StridedLoop([x.layout, y.layout])
    let (source, target) = (x.storage.pointer, y.storage.pointer)
    loop.forEachRun(cost: 2) { count, at in
        kernels.unary(
            op, count, UnsafeRawPointer(source + at[0] * size), loop.runStrides[0], target + at[1] * size,
            loop.runStrides[1])
    }
    return y
}

/// `op` on every pair of elements of two tensors of one dtype, broadcast to each other.
func elementwise(_ op: BinaryOp, _ a: Tensor, _ b: Tensor) -> Tensor {
    let y =
        a.shape == b.shape
        ? Tensor(uninitializedLike: a) : Tensor(uninitialized: Layout.broadcast(a.shape, b.shape)!, a.dtype)
    elementwise(op, a, b, into: y)
    return y
}

/// The same, written over `y`, whose shape the operands broadcast to.
func elementwise(_ op: BinaryOp, _ a: Tensor, _ b: Tensor, into y: Tensor) {
    let dtype = a.dtype
    let size = dtype.size
    guard dtype.isFloatingPoint else { return integerElementwise(op, a, b, into: y) }
    let kernels = Engine.kernels(dtype)
    let aStride = a.shape == y.shape && a.isContiguous ? 1 : a.count == 1 ? 0 : -1
    let bStride = b.shape == y.shape && b.isContiguous ? 1 : b.count == 1 ? 0 : -1
    if aStride >= 0, bStride >= 0, y.isContiguous {
        let (left, right, target) = (a.pointer, b.pointer, y.pointer)
        Parallel.forRanges(of: y.count, size: 16_384, work: op == .pow ? y.count * 10 : y.count / 2) { _, range in
            let at = range.lowerBound * size
            kernels.binary(
                op, range.count, UnsafeRawPointer(left + at * aStride), aStride,
                UnsafeRawPointer(right + at * bStride), bStride, target + at, 1)
        }
        return
    }
    let loop = StridedLoop([a.layout.expanded(to: y.shape)!, b.layout.expanded(to: y.shape)!, y.layout])
    let (left, right, target) = (a.storage.pointer, b.storage.pointer, y.storage.pointer)
    loop.forEachRun { count, at in
        kernels.binary(
            op, count, UnsafeRawPointer(left + at[0] * size), loop.runStrides[0],
            UnsafeRawPointer(right + at[1] * size), loop.runStrides[1], target + at[2] * size, loop.runStrides[2])
    }
}

/// A comparison of every pair of elements of two tensors of one dtype, as a bool tensor.
func elementwise(_ op: CompareOp, _ a: Tensor, _ b: Tensor) -> Tensor {
    let shape = Layout.broadcast(a.shape, b.shape)!
    let y = Tensor(uninitialized: shape, .bool)
    let loop = StridedLoop([a.layout.expanded(to: shape)!, b.layout.expanded(to: shape)!, y.layout])
    let size = a.dtype.size
    let (left, right, target) = (a.storage.pointer, b.storage.pointer, y.pointer(as: UInt8.self))
    let (aStep, bStep) = (loop.runStrides[0], loop.runStrides[1])
    if a.dtype.isFloatingPoint {
        let kernels = Engine.kernels(a.dtype)
        loop.forEachRun { count, at in
            kernels.compare(
                op, count, UnsafeRawPointer(left + at[0] * size), aStep, UnsafeRawPointer(right + at[1] * size), bStep,
                target + at[2])
        }
    } else {
        loop.forEachRun { count, at in
            integerCompare(op, a.dtype, count, left + at[0] * size, aStep, right + at[1] * size, bStep, target + at[2])
        }
    }
    return y
}

/// `condition ? a : b` for every element; `a` and `b` of one dtype, all three broadcast.
func select(_ condition: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
    let shape = Layout.broadcast(Layout.broadcast(condition.shape, a.shape)!, b.shape)!
    let y = Tensor(uninitialized: shape, a.dtype)
    let loop = StridedLoop([condition, a, b].map { $0.layout.expanded(to: shape)! } + [y.layout])
    let size = a.dtype.size
    let steps = loop.runStrides
    let mask = condition.storage.pointer.assumingMemoryBound(to: UInt8.self)
    let (left, right, target) = (a.storage.pointer, b.storage.pointer, y.storage.pointer)
    let kernels = Engine.kernels(a.dtype)
    loop.forEachRun { count, at in
        let (p, q, r) = (left + at[1] * size, right + at[2] * size, target + at[3] * size)
        if a.dtype.isFloatingPoint {
            kernels.select(
                count, mask + at[0], steps[0], UnsafeRawPointer(p), steps[1], UnsafeRawPointer(q), steps[2], r)
            return
        }
        for index in 0..<count {
            let source = mask[at[0] + index * steps[0]] != 0 ? p + index * steps[1] * size : q + index * steps[2] * size
            (r + index * size).copyMemory(from: source, byteCount: size)
        }
    }
    return y
}

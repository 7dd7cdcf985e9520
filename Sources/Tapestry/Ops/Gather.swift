// Picking elements by index along a dimension, and adding to picked places.

/// `y[…, j, …] = x[…, index[…, j, …], …]` along `dim`. The gradient is added back to the places read.
struct Gather: Primitive {
    let dim: Int
    let index: Tensor
    func forward(_ x: [Tensor]) -> Tensor {
        let (source, places) = (x[0].packed(), index.packed())
        defer { withExtendedLifetime((source, places)) {} }
        let y = Tensor(uninitialized: index.shape, source.dtype)
        let size = source.dtype.size
        forEachPlace(places, dim, source.shape) { element, place in
            (y.pointer + element * size).copyMemory(from: source.pointer + place * size, byteCount: size)
        }
        return y
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        [ScatterAdd(dim: dim, index: index, shape: saved.shape(0))(dy, at: nil)]
    }
}

/// Zeros of `shape` with `dy` added at the places that `index` names along `dim`.
struct ScatterAdd: Primitive {
    let dim: Int
    let index: Tensor
    let shape: [Int]
    func forward(_ x: [Tensor]) -> Tensor {
        let (source, places) = (x[0].packed(), index.packed())
        defer { withExtendedLifetime((source, places)) {} }
        let y = Tensor.zeros(shape, dtype: source.dtype)
        func run<T: BinaryFloatingPoint>(_: T.Type) {
            let from = source.pointer.assumingMemoryBound(to: T.self)
            let to = y.pointer.assumingMemoryBound(to: T.self)
            forEachPlace(places, dim, shape) { element, place in to[place] += from[element] }
        }
        if y.dtype == .float64 { run(Double.self) } else { run(Float.self) }
        return y
    }
    func gradient(_ saved: Saved, _ ddx: Tensor) -> [Tensor?] { [Gather(dim: dim, index: index)(ddx, at: nil)] }
}

/// Calls `body(element of index, element of a contiguous tensor of shape)` for every element of `index` in order.
/// Indices are checked by the caller; negative ones count from the end.
func forEachPlace(_ index: Tensor, _ dim: Int, _ shape: [Int], _ body: (Int, Int) -> Void) {
    guard index.count > 0 else { return }
    let indices = index.pointer(as: Int.self)
    let strides = Layout.contiguousStrides(shape)
    let (length, step) = (shape[dim], strides[dim])
    var counter = [Int](repeating: 0, count: index.rank)
    var base = 0
    for element in 0..<index.count {
        let value = indices[element]
        body(element, base + (value < 0 ? value + length : value) * step)
        var axis = index.rank - 1
        while axis >= 0 {
            counter[axis] += 1
            if axis != dim { base += strides[axis] }
            if counter[axis] < index.shape[axis] { break }
            if axis != dim { base -= counter[axis] * strides[axis] }
            counter[axis] = 0
            axis -= 1
        }
    }
}

/// Traps unless every index lies in `-length ..< length`.
func requireIndices(_ index: Tensor, below length: Int, _ op: StaticString, _ site: SourceSite?) {
    require(index.dtype == .int64, "\(op): the index is \(index.dtype), not int64", site)
    let plain = index.packed()
    defer { withExtendedLifetime(plain) {} }
    let values = UnsafeBufferPointer(start: plain.pointer(as: Int.self), count: plain.count)
    if let wrong = values.first(where: { $0 < -length || $0 >= length }) {
        fail("\(op): index \(wrong) is out of range for a dimension of length \(length)", site)
    }
}

extension Tensor {
    /// Elements of `self` along `dim` at the places that `index` (int64, same rank) names. Mirrors `torch.gather`.
    public func gather(dim: Int, index: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        if rank == 0 { return reshape([1]).gather(dim: 0, index: index.reshape([-1])).reshape(index.shape) }
        let axis = normalized(dim, "gather", site)
        require(
            index.rank == rank
                && (0..<rank).allSatisfy { $0 == axis || index.shape[$0] <= shape[$0] },
            "gather: index shape \(index.shape) does not fit into \(shape) off dimension \(dim)", site)
        requireIndices(index, below: shape[axis], "gather", site)
        return Gather(dim: axis, index: index.detach())(self, at: site)
    }

    /// Rows of dimension `dim` in the order of a 1-d int64 `index`. Mirrors `torch.index_select`.
    public func indexSelect(dim: Int, index: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let axis = normalized(dim, "indexSelect", site)
        require(index.rank <= 1, "indexSelect: the index has shape \(index.shape), not one dimension", site)
        requireIndices(index, below: rank == 0 ? 1 : shape[axis], "indexSelect", site)
        return IndexSelect(dim: axis, index: index.detach().reshape([-1]))(self, at: site)
    }
}

/// Whole rows in another order.
struct IndexSelect: Primitive {
    let dim: Int
    let index: Tensor

    func forward(_ x: [Tensor]) -> Tensor {
        let (source, index) = (x[0].packed(), index.packed())
        defer { withExtendedLifetime((source, index)) {} }
        var shape = source.shape
        shape[dim] = index.count
        let y = Tensor(uninitialized: shape, source.dtype)
        let row = source.shape[(dim + 1)...].reduce(1, *) * source.dtype.size
        let (length, outer) = (source.shape[dim], source.shape[..<dim].reduce(1, *))
        let indices = index.pointer(as: Int.self)
        for block in 0..<outer {
            for target in 0..<index.count {
                let value = indices[target]
                let from = (block * length + (value < 0 ? value + length : value)) * row
                (y.pointer + (block * index.count + target) * row).copyMemory(
                    from: source.pointer + from, byteCount: row)
            }
        }
        return y
    }

    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let shape = saved.shape(0)
        var column = [Int](repeating: 1, count: shape.count)
        column[dim] = index.count
        let places = index.reshape(column).expand(dy.shape)
        return [ScatterAdd(dim: dim, index: places, shape: shape)(dy, at: nil)]
    }
}

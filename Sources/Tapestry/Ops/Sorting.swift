// Sorting and the largest few. The order is found off the tape; values are gathered on it.

extension Tensor {
    /// Places along `dim` in sorted order, int64 of this shape; stable, NaN last (first if descending).
    /// Mirrors `torch.argsort`.
    public func argsort(
        dim: Int = -1, descending: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        if rank == 0 { return Tensor(0) }
        let axis = normalized(dim, "argsort", site)
        let moved = detach().transpose(axis, -1)
        let length = shape[axis]
        let values = moved.array(Double.self)
        var places: [Int] = []
        places.reserveCapacity(values.count)
        for start in stride(from: 0, to: values.count, by: Swift.max(1, length)) {
            // NaN counts as larger than everything.
            func isLess(_ a: Double, _ b: Double) -> Bool { b.isNaN ? !a.isNaN : a < b }
            places += (0..<length).sorted { i, j in
                let (a, b) = (values[start + i], values[start + j])
                if descending ? isLess(b, a) : isLess(a, b) { return true }
                if descending ? isLess(a, b) : isLess(b, a) { return false }
                return i < j
            }
        }
        return Tensor(places, shape: moved.shape).transpose(axis, -1).packed()
    }

    /// Elements along `dim` in order, and where they were; stable, NaN last (first if descending). Mirrors `torch.sort`.
    public func sort(
        dim: Int = -1, descending: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> (values: Tensor, indices: Tensor) {
        let indices = argsort(dim: dim, descending: descending, file: file, line: line)
        if rank == 0 { return (clone(), indices) }
        return (gather(dim: dim, index: indices, file: file, line: line), indices)
    }

    /// The `k` largest (or smallest) elements along `dim` in order, and where they are. Mirrors `torch.topk`.
    public func topk(
        _ k: Int, dim: Int = -1, largest: Bool = true, file: StaticString = #fileID, line: UInt = #line
    ) -> (values: Tensor, indices: Tensor) {
        let site = SourceSite(file, line)
        let axis = normalized(dim, "topk", site)
        require(
            k >= 0 && k <= (rank == 0 ? 1 : shape[axis]), "topk: there are no \(k) elements along dimension \(dim) of \(shape)",
            site)
        let (values, indices) = sort(dim: dim, descending: largest, file: file, line: line)
        if rank == 0 { return (values, indices) }
        return (values.narrow(dim: axis, start: 0, length: k), indices.narrow(dim: axis, start: 0, length: k).packed())
    }
}

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

    /// The middle element along `dim` (the lower one of an even number), NaN if there is any, and where it is.
    /// Mirrors `torch.median`.
    public func median(
        dim: Int = -1, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> (values: Tensor, indices: Tensor) {
        let site = SourceSite(file, line)
        if rank == 0 { return (clone(), Tensor(0)) }
        let axis = normalized(dim, "median", site)
        require(shape[axis] > 0, "median: dimension \(dim) of \(shape) is empty", site)
        let order = argsort(dim: axis, file: file, line: line)
        let middle = order.narrow(dim: axis, start: (shape[axis] - 1) / 2, length: 1)
        // NaN sorts last.
        let last = order.narrow(dim: axis, start: shape[axis] - 1, length: 1)
        let place = Tensor.where(detach().gather(dim: axis, index: last.packed()).isNaN(), last, middle).packed()
        let values = gather(dim: axis, index: place, file: file, line: line)
        return keepdim ? (values, place) : (values.squeeze(axis), place.squeeze(axis))
    }

    /// The different elements in rising order, where each element of this tensor is among them, and how often each
    /// occurs. No gradients. Mirrors `torch.unique` with `sorted`, `return_inverse` and `return_counts`.
    public func unique() -> (values: Tensor, inverse: Tensor, counts: Tensor) {
        let flat = detach().flatten()
        let order = flat.argsort().array(Int.self)
        let elements = flat.array(Double.self)
        var (firsts, counts): ([Int], [Int]) = ([], [])
        var inverse = [Int](repeating: 0, count: elements.count)
        for (rank, place) in order.enumerated() {
            if rank == 0 || elements[place] != elements[order[rank - 1]] {
                firsts.append(place)
                counts.append(0)
            }
            counts[counts.count - 1] += 1
            inverse[place] = firsts.count - 1
        }
        let values = flat.indexSelect(dim: 0, index: Tensor(firsts, shape: [firsts.count]))
        return (values, Tensor(inverse, shape: shape), Tensor(counts, shape: [counts.count]))
    }

    /// How often each number 0, 1, … occurs in a tensor of integers, at least `minLength` counts; or the sums of `weights`
    /// of the elements. Traps on negative numbers. Mirrors `torch.bincount`.
    public func bincount(
        weights: Tensor? = nil, minLength: Int = 0, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(!dtype.isFloatingPoint && rank == 1, "bincount: expected integers [N], got \(shape) of \(dtype)", site)
        let numbers = array(Int.self)
        require(numbers.allSatisfy { $0 >= 0 }, "bincount: \(numbers.min() ?? 0) is negative", site)
        let length = Swift.max(minLength, (numbers.max() ?? -1) + 1)
        let counts = Tensor.zeros([length], dtype: weights?.dtype ?? .int64)
        let ones = weights ?? Tensor.ones([numbers.count], dtype: .int64)
        return counts.scatterAdd(dim: 0, index: to(.int64), ones, file: file, line: line)
    }

    /// The `k` largest (or smallest) elements along `dim` in order, and where they are. Mirrors `torch.topk`.
    public func topk(
        _ k: Int, dim: Int = -1, largest: Bool = true, file: StaticString = #fileID, line: UInt = #line
    ) -> (values: Tensor, indices: Tensor) {
        let site = SourceSite(file, line)
        let axis = normalized(dim, "topk", site)
        require(
            k >= 0 && k <= (rank == 0 ? 1 : shape[axis]),
            "topk: there are no \(k) elements along dimension \(dim) of \(shape)", site)
        let (values, indices) = sort(dim: dim, descending: largest, file: file, line: line)
        if rank == 0 { return (values, indices) }
        return (values.narrow(dim: axis, start: 0, length: k), indices.narrow(dim: axis, start: 0, length: k).packed())
    }
}

// Elements taken from and put to any places: the ops that have no strides.

/// `y[i] = x.flat[index[i]]`, the shape being the index's. dx gets dy added at the places read.
struct Take: Primitive {
    let index: Tensor
    func forward(_ x: [Tensor]) -> Tensor {
        let (source, index) = (x[0].packed(), index.packed())
        defer { withExtendedLifetime((source, index)) {} }
        let y = Tensor(uninitialized: index.shape, source.dtype)
        let places = index.pointer(as: Int.self)
        func run<T>(_: T.Type) {
            let (from, to) = (
                source.pointer.assumingMemoryBound(to: T.self), y.pointer.assumingMemoryBound(to: T.self)
            )
            for element in 0..<y.count { to[element] = from[places[element]] }
        }
        switch source.dtype.size {
        case 8: run(UInt64.self)
        case 4: run(UInt32.self)
        default: run(UInt8.self)
        }
        return y
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        [PutAdd(index: index, shape: saved.shape(0))(dy, at: nil)]
    }
}

/// Zeros of `shape` with `x[i]` added at the flat place `index[i]`.
struct PutAdd: Primitive {
    let index: Tensor
    let shape: [Int]
    func forward(_ x: [Tensor]) -> Tensor {
        let (source, index) = (x[0].packed(), index.packed())
        defer { withExtendedLifetime((source, index)) {} }
        let y = Tensor.zeros(shape, dtype: source.dtype)
        let places = index.pointer(as: Int.self)
        func run<T: Numeric>(_: T.Type, _ add: (T, T) -> T) {
            let (from, to) = (
                source.pointer.assumingMemoryBound(to: T.self), y.pointer.assumingMemoryBound(to: T.self)
            )
            for element in 0..<source.count { to[places[element]] = add(to[places[element]], from[element]) }
        }
        switch source.dtype {
        case .float64: run(Double.self, +)
        case .float32: run(Float.self, +)
        case .int64: run(Int.self, &+)
        case .int32: run(Int32.self, &+)
        default: run(UInt8.self, &+)
        }
        return y
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [Take(index: index)(dy, at: nil)] }
}

extension Tensor {
    /// Flat places of this tensor's elements, an int64 tensor of its shape: views of it say where a view's elements are.
    var places: Tensor { Tensor(Array(0..<count), shape: shape) }

    /// The elements at flat places; the index's shape.
    func take(_ index: Tensor, _ site: SourceSite?) -> Tensor { Take(index: index)(self, at: site) }

    /// This tensor with `source` at flat places (the last of equal places wins).
    func placing(_ source: Tensor, at index: Tensor, _ site: SourceSite?) -> Tensor {
        // Which element of `source` each place has, and where there is none.
        var owner = [Int](repeating: -1, count: count)
        for (element, place) in index.array(Int.self).enumerated() { owner[place] = element }
        let taken = Tensor(owner.map { $0 >= 0 }, shape: shape)
        let from = Tensor(owner.map { Swift.max($0, 0) }, shape: shape)
        if source.count == 0 { return clone() }
        return Where(condition: taken)(source.take(from, site), self, at: site)
    }

    /// Flat places of `index` along `dim`, as `scatter` and `gather` mean it.
    private func scatterPlaces(_ dim: Int, _ index: Tensor, _ op: StaticString, _ site: SourceSite) -> Tensor {
        let axis = normalized(dim, op, site)
        require(
            index.rank == rank && (0..<rank).allSatisfy { $0 == axis || index.shape[$0] <= shape[$0] },
            "\(op): index \(index.shape) does not fit into \(shape)", site)
        requireIndices(index, below: shape[axis], op, site)
        var result = [Int](repeating: 0, count: index.count)
        forEachPlace(index.packed(), axis, shape) { result[$0] = $1 }
        return Tensor(result, shape: index.shape)
    }

    /// The part of `source` that lies over `index`.
    private func over(_ index: Tensor, _ site: SourceSite) -> Tensor {
        (0..<rank).reduce(self) { $0.narrow(dim: $1, start: 0, length: index.shape[$1]) }
    }

    /// This tensor with `source[i, j, …]` written at `[…, index[i, j, …], …]` along `dim`. Mirrors `torch.scatter`.
    public func scatter(
        dim: Int, index: Tensor, _ source: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        return placing(source.over(index, site), at: scatterPlaces(dim, index, "scatter", site), site)
    }
    /// The same with one number.
    public func scatter<S: TensorElement>(dim: Int, index: Tensor, _ value: S) -> Tensor {
        scatter(dim: dim, index: index, Tensor.full(index.shape, value, dtype: dtype))
    }
    /// This tensor with `source` added at the places. Mirrors `torch.scatter_add`.
    public func scatterAdd(
        dim: Int, index: Tensor, _ source: Tensor, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let places = scatterPlaces(dim, index, "scatterAdd", site)
        return self + PutAdd(index: places, shape: shape)(source.over(index, site), at: site)
    }
    /// This tensor with `alpha · source` added to rows of `dim` named by a 1-d index. Mirrors `torch.index_add`.
    public func indexAdd(
        dim: Int, index: Tensor, _ source: Tensor, alpha: Double = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let axis = normalized(dim, "indexAdd", site)
        requireIndices(index, below: shape[axis], "indexAdd", site)
        let places = self.places.indexSelect(dim: axis, index: index)
        require(
            places.shape == source.shape, "indexAdd: source \(source.shape) does not fit, expected \(places.shape)",
            site)
        let added = alpha == 1 ? source : (dtype.isFloatingPoint ? source * alpha : source * Int(alpha))
        return self + PutAdd(index: places, shape: shape)(added, at: site)
    }
    /// Elements along `dim` at places that broadcast against this shape; without `dim`, of the flattened tensor.
    /// Mirrors `torch.take_along_dim`.
    public func takeAlongDim(
        _ index: Tensor, dim: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        guard let dim else { return reshape([-1]).gather(dim: 0, index: index.reshape([-1]), file: file, line: line) }
        let site = SourceSite(file, line)
        let axis = normalized(dim, "takeAlongDim", site)
        var (mine, its) = (shape, index.shape)
        mine[axis] = 1
        its[axis] = 1
        guard var common = Layout.broadcast(mine, its) else {
            fail("takeAlongDim: \(shape) and \(index.shape) do not broadcast off dimension \(dim)", site)
        }
        common[axis] = shape[axis]
        let source = expand(common)
        common[axis] = index.shape[axis]
        return source.gather(dim: axis, index: index.expand(common), file: file, line: line)
    }

    /// `value` where the mask (bool, broadcast) is true. Mirrors `torch.masked_fill`.
    public func maskedFill<S: TensorElement>(
        _ mask: Tensor, _ value: S, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { Tensor.where(mask, .number(value.scalar, dtype), self, file: file, line: line) }

    /// The elements where the mask (bool, broadcast) is true, in one dimension. Mirrors `torch.masked_select`.
    public func maskedSelect(_ mask: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        require(mask.dtype == .bool, "maskedSelect: the mask is \(mask.dtype), not bool", site)
        guard let common = Layout.broadcast(shape, mask.shape) else {
            fail("maskedSelect: \(shape) and mask \(mask.shape) do not broadcast", site)
        }
        let chosen = mask.expand(common).array(Bool.self)
        return expand(common).take(Tensor(chosen.indices.filter { chosen[$0] }), site)
    }

    /// Places of the elements that are not zero: int64 [count, rank]. Mirrors `torch.nonzero`.
    public func nonzero() -> Tensor {
        let steps = Layout.contiguousStrides(shape)
        let found = ne(0).array(Bool.self)
        let rows = found.indices.filter { found[$0] }
        return Tensor(
            rows.flatMap { place in (0..<rank).map { place / steps[$0] % Swift.max(1, shape[$0]) } },
            shape: [rows.count, rank])
    }

    /// Rows of the first dimensions: by int64 indices of any shape (negative from the end), or by a bool mask over the
    /// leading dimensions. Mirrors `x[index]` with a tensor.
    public func index(_ index: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        if index.dtype == .bool {
            require(
                index.rank <= rank && index.shape == Array(shape.prefix(index.rank)),
                "index: mask \(index.shape) does not fit the leading dimensions of \(shape)", site)
            let chosen = index.array(Bool.self)
            let rest = Array(shape.dropFirst(index.rank))
            let rows = reshape([index.count] + rest)
            return rows.indexSelect(dim: 0, index: Tensor(chosen.indices.filter { chosen[$0] }), file: file, line: line)
        }
        require(rank > 0, "index: a 0-d tensor has no dimension", site)
        let rows = indexSelect(dim: 0, index: index.reshape([-1]), file: file, line: line)
        return rows.reshape(index.shape + Array(shape.dropFirst()))
    }

    /// A one at each class and zeros elsewhere: int64 [*, numClasses]. Mirrors `F.one_hot`.
    public func oneHot(_ numClasses: Int = -1, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let labels = array(Int.self)
        let classes = numClasses < 0 ? (labels.max() ?? -1) + 1 : numClasses
        require(
            labels.allSatisfy { $0 >= 0 && $0 < classes }, "oneHot: a class is not in 0 ..< \(classes)", site)
        return unsqueeze(-1).eq(Tensor.arange(classes)).to(.int64)
    }
}

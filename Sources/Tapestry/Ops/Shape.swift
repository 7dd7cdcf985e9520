// Other shapes of the same elements: views where the layout allows it, copies where not.

/// The same elements in another layout over the same memory; the gradient goes back the way it came.
struct Reshape: Primitive {
    let shape: [Int]
    func forward(_ x: [Tensor]) -> Tensor {
        if let layout = x[0].layout.reshaped(shape) { return x[0].alias(layout) }
        return x[0].copied().alias(Layout(contiguous: shape))
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [Reshape(shape: saved.shape(0))(dy, at: nil)] }
}
struct Permute: Primitive {
    let dims: [Int]
    func forward(_ x: [Tensor]) -> Tensor { x[0].alias(x[0].layout.permuted(dims)) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        var inverse = dims
        for (index, dim) in dims.enumerated() { inverse[dim] = index }
        return [Permute(dims: inverse)(dy, at: nil)]
    }
}
/// Broadcast to a larger shape without copying; the tape sums the gradient back.
struct Expand: Primitive {
    let shape: [Int]
    func forward(_ x: [Tensor]) -> Tensor { x[0].alias(x[0].layout.expanded(to: shape)!) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [dy] }
}
/// Every `step`-th index of a dimension.
struct Slice: Primitive {
    let dim, start, length, step: Int
    func forward(_ x: [Tensor]) -> Tensor {
        x[0].alias(x[0].layout.sliced(dim: dim, start: start, length: length, step: step))
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        [SliceGradient(slice: self, shape: saved.shape(0))(dy, at: nil)]
    }
}
/// `dy` at the slice's places, zeros elsewhere.
struct SliceGradient: Primitive {
    let slice: Slice
    let shape: [Int]
    func forward(_ x: [Tensor]) -> Tensor {
        let result = Tensor.zeros(shape, dtype: x[0].dtype)
        result.alias(
            result.layout.sliced(dim: slice.dim, start: slice.start, length: slice.length, step: slice.step)
        ).copyElements(from: x[0])
        return result
    }
    func gradient(_ saved: Saved, _ ddx: Tensor) -> [Tensor?] { [slice(ddx, at: nil)] }
}
/// Tensors one behind the other along a dimension; each gets its part of the gradient.
struct Cat: Primitive {
    let dim: Int
    func forward(_ x: [Tensor]) -> Tensor {
        var shape = x[0].shape
        shape[dim] = x.reduce(0) { $0 + $1.shape[dim] }
        let result = Tensor(uninitialized: shape, x[0].dtype)
        var start = 0
        for part in x {
            let length = part.shape[dim]
            result.alias(result.layout.sliced(dim: dim, start: start, length: length)).copyElements(from: part)
            start += length
        }
        return result
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        var start = 0
        return (0..<saved.node.inputCount).map { index in
            let length = saved.shape(index)[dim]
            defer { start += length }
            return saved.needs(index) ? Slice(dim: dim, start: start, length: length, step: 1)(dy, at: nil) : nil
        }
    }
}
/// A copy in row-major order.
struct Contiguous: Primitive {
    func forward(_ x: [Tensor]) -> Tensor { x[0].copied() }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [dy] }
}
/// The elements as another dtype; the gradient is cast back.
struct Cast: Primitive {
    let from, to: DType
    func forward(_ x: [Tensor]) -> Tensor {
        let result = Tensor(uninitialized: x[0].shape, to)
        result.copyElements(from: x[0])
        return result
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [Cast(from: to, to: from)(dy, at: nil)] }
}

extension Tensor {
    /// The same elements with another shape of equally many; one length may be -1 and is worked out. A view where the
    /// layout allows it, else a copy. Mirrors `torch.reshape`.
    public func reshape(_ shape: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        return Reshape(shape: resolved(shape, "reshape", site))(self, at: site)
    }
    /// The same, lengths as arguments: `x.reshape(-1, 28, 28)`.
    public func reshape(_ shape: Int..., file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        reshape(shape, file: file, line: line)
    }

    /// Another shape over the same memory; traps if the layout does not allow it. Mirrors `Tensor.view`.
    public func view(_ shape: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let target = resolved(shape, "view", site)
        require(
            layout.reshaped(target) != nil,
            "view: shape \(self.shape) with strides \(strides) cannot be seen as \(target); use reshape", site)
        return Reshape(shape: target)(self, at: site)
    }
    /// The same, lengths as arguments.
    public func view(_ shape: Int..., file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        view(shape, file: file, line: line)
    }

    private func resolved(_ shape: [Int], _ op: StaticString, _ site: SourceSite) -> [Int] {
        var result = shape
        let known = shape.reduce(1) { $1 == -1 ? $0 : $0 * $1 }
        let unknown = shape.filter { $0 == -1 }.count
        require(
            unknown <= 1 && shape.allSatisfy { $0 >= -1 }, "\(op): shape \(shape) has a negative length", site)
        if let place = shape.firstIndex(of: -1) {
            require(
                known != 0 && count % known == 0,
                "\(op): shape \(self.shape) (\(count) elements) does not fit \(shape)", site)
            result[place] = count / known
        } else {
            require(
                known == count,
                "\(op): shape \(self.shape) has \(count) elements, \(shape) has \(known)", site)
        }
        return result
    }

    /// Dimensions `startDim...endDim` merged into one. Mirrors `torch.flatten`.
    public func flatten(
        startDim: Int = 0, endDim: Int = -1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        if rank == 0 { return Reshape(shape: [1])(self, at: site) }
        let (start, end) = (normalized(startDim, "flatten", site), normalized(endDim, "flatten", site))
        require(start <= end, "flatten: startDim \(startDim) is behind endDim \(endDim)", site)
        let merged = shape[start...end].reduce(1, *)
        return Reshape(shape: Array(shape[..<start]) + [merged] + Array(shape[(end + 1)...]))(self, at: site)
    }

    /// Two dimensions exchanged. A view. Mirrors `torch.transpose`.
    public func transpose(_ dim0: Int, _ dim1: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        if rank == 0 { return self }
        var dims = Array(0..<rank)
        dims.swapAt(normalized(dim0, "transpose", site), normalized(dim1, "transpose", site))
        return Permute(dims: dims)(self, at: site)
    }

    /// The dimensions in reverse order: a matrix transposed. Mirrors `Tensor.T`.
    public var T: Tensor { Permute(dims: Array((0..<rank).reversed()))(self, at: nil) }

    /// The dimensions in another order. A view. Mirrors `torch.permute`.
    public func permute(_ dims: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let order = dims.map { normalized($0, "permute", site) }
        require(
            order.sorted() == Array(0..<rank), "permute: \(dims) is not an order of the dimensions of shape \(shape)",
            site)
        return Permute(dims: order)(self, at: site)
    }
    /// The same, dimensions as arguments.
    public func permute(_ dims: Int..., file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        permute(dims, file: file, line: line)
    }

    /// Dimensions of length 1 repeated, without copying; -1 keeps a length. Mirrors `Tensor.expand`.
    public func expand(_ shape: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let skip = shape.count - rank
        let target = shape.enumerated().map { index, length in
            length == -1 && index >= skip ? self.shape[index - skip] : length
        }
        require(
            target.allSatisfy { $0 >= 0 } && layout.expanded(to: target) != nil,
            "expand: shape \(self.shape) cannot be expanded to \(shape)", site)
        return Expand(shape: target)(self, at: site)
    }
    /// The same, lengths as arguments.
    public func expand(_ shape: Int..., file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        expand(shape, file: file, line: line)
    }

    /// `length` indices of `dim` from `start` (negative: from the end). A view. Mirrors `torch.narrow`.
    public func narrow(
        dim: Int, start: Int, length: Int, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let axis = normalized(dim, "narrow", site)
        require(rank > 0, "narrow: a 0-d tensor has no dimension", site)
        let first = start < 0 ? start + shape[axis] : start
        require(
            first >= 0 && length >= 0 && first + length <= shape[axis],
            "narrow: \(start) ..< \(start + length) is out of range for dimension \(dim) of shape \(shape)", site)
        return Slice(dim: axis, start: first, length: length, step: 1)(self, at: site)
    }

    /// Indices `start, start + step, …` before `end` of `dim`; negative ones count from the end, what is out of range is
    /// clamped. A view. Mirrors `x[start:end:step]` along one dimension.
    public func slice(
        dim: Int, start: Int? = nil, end: Int? = nil, step: Int = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let axis = normalized(dim, "slice", site)
        require(step > 0, "slice: step \(step) is not positive", site)
        require(rank > 0, "slice: a 0-d tensor has no dimension", site)
        let length = shape[axis]
        func clamped(_ index: Int) -> Int { Swift.min(length, Swift.max(0, index < 0 ? index + length : index)) }
        let (first, last) = (clamped(start ?? 0), clamped(end ?? length))
        let count = Swift.max(0, (last - first + step - 1) / step)
        return Slice(dim: axis, start: first, length: count, step: step)(self, at: site)
    }

    /// Without `dim`, at `index` of it (negative: from the end). A view. Mirrors `torch.select`.
    public func select(dim: Int, index: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let axis = normalized(dim, "select", site)
        require(
            rank > 0 && index >= -shape[axis] && index < shape[axis],
            "select: index \(index) is out of range for dimension \(dim) of shape \(shape)", site)
        let first = index < 0 ? index + shape[axis] : index
        let row = Slice(dim: axis, start: first, length: 1, step: 1)(self, at: site)
        var target = shape
        target.remove(at: axis)
        return Reshape(shape: target)(row, at: site)
    }

    /// With a dimension of length 1 put in at `dim`. A view. Mirrors `torch.unsqueeze`.
    public func unsqueeze(_ dim: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        guard let place = Layout.normalized(dim, rank: rank + 1) else {
            fail("unsqueeze: dimension \(dim) is out of range for shape \(shape)", site)
        }
        var target = shape
        target.insert(1, at: place)
        return Reshape(shape: target)(self, at: site)
    }

    /// Without dimensions of length 1: all, or the given one if its length is 1. A view. Mirrors `torch.squeeze`.
    public func squeeze(_ dim: Int? = nil, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        guard let dim else { return Reshape(shape: shape.filter { $0 != 1 })(self, at: site) }
        if rank == 0 { return self }
        let axis = normalized(dim, "squeeze", site)
        if shape[axis] != 1 { return self }
        var target = shape
        target.remove(at: axis)
        return Reshape(shape: target)(self, at: site)
    }

    /// A copy on the tape, with memory of its own. Mirrors `Tensor.clone`.
    public func clone(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        Contiguous()(self, at: SourceSite(file, line))
    }
    /// Itself if contiguous, else a copy on the tape that is. Mirrors `Tensor.contiguous`.
    public func contiguous(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        isContiguous ? self : Contiguous()(self, at: SourceSite(file, line))
    }
    /// The elements as another dtype; itself if it has that one. Mirrors `Tensor.to(dtype)`.
    public func to(_ dtype: DType, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        self.dtype == dtype ? self : Cast(from: self.dtype, to: dtype)(self, at: SourceSite(file, line))
    }

    /// Tensors one behind the other along `dim`; all other lengths equal. Mirrors `torch.cat`.
    public static func cat(
        _ tensors: [Tensor], dim: Int = 0, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        // As torch: empty 1-d tensors are left out.
        let parts = tensors.count > 1 ? tensors.filter { $0.shape != [0] } : tensors
        guard let first = parts.first ?? tensors.first else { fail("cat: no tensors", site) }
        if parts.isEmpty { return first }
        require(first.rank > 0, "cat: 0-d tensors have no dimension to be joined along; use stack", site)
        let axis = first.normalized(dim, "cat", site)
        let dtype = parts.map(\.dtype).max()!
        for part in parts {
            var other = part.shape
            require(other.count == first.rank, "cat: shapes differ: \(first.shape) and \(part.shape)", site)
            other[axis] = first.shape[axis]
            require(
                other == first.shape, "cat: shapes differ off dimension \(dim): \(first.shape) and \(part.shape)", site)
        }
        return record(Cat(dim: axis), parts.map { $0.to(dtype) }, at: site)
    }

    /// Tensors of one shape as rows of a new dimension. Mirrors `torch.stack`.
    public static func stack(
        _ tensors: [Tensor], dim: Int = 0, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(
            tensors.allSatisfy { $0.shape == tensors[0].shape },
            "stack: shapes differ: \(tensors.map(\.shape))", site)
        return cat(tensors.map { $0.unsqueeze(dim, file: file, line: line) }, dim: dim, file: file, line: line)
    }
}

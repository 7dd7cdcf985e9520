// Elements in another order or number: splitting, repeating, flipping, padding, triangles, patches.

/// The elements with `column − row = offset` of two dimensions, as a last dimension.
struct Diagonal: Primitive {
    let offset, rows, columns: Int

    /// Where these elements are in a layout.
    func placed(in layout: Layout) -> Layout {
        let (row, column) = (Swift.max(0, -offset), Swift.max(0, offset))
        let length = Swift.max(0, Swift.min(layout.shape[rows] - row, layout.shape[columns] - column))
        let others = layout.shape.indices.filter { $0 != rows && $0 != columns }
        let (down, right) = (layout.strides[rows], layout.strides[columns])
        return Layout(
            shape: others.map { layout.shape[$0] } + [length],
            strides: others.map { layout.strides[$0] } + [down + right],
            offset: layout.offset + (length == 0 ? 0 : row * down + column * right))
    }

    func forward(_ x: [Tensor]) -> Tensor { x[0].alias(placed(in: x[0].layout)) }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        [DiagonalGradient(diagonal: self, shape: saved.shape(0))(dy, at: nil)]
    }
}
/// `dy` on the diagonal, zeros elsewhere.
struct DiagonalGradient: Primitive {
    let diagonal: Diagonal
    let shape: [Int]
    func forward(_ x: [Tensor]) -> Tensor {
        let result = Tensor.zeros(shape, dtype: x[0].dtype)
        result.alias(diagonal.placed(in: result.layout)).copyElements(from: x[0])
        return result
    }
    func gradient(_ saved: Saved, _ ddx: Tensor) -> [Tensor?] { [diagonal(ddx, at: nil)] }
}

extension Tensor {
    // MARK: Parts

    /// Pieces of `size` along `dim`, the last one shorter. Mirrors `torch.split`.
    public func split(_ size: Int, dim: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> [Tensor] {
        let site = SourceSite(file, line)
        let axis = normalized(dim, "split", site)
        require(size > 0 || shape[axis] == 0, "split: size \(size) is not positive", site)
        if shape[axis] == 0 { return [narrow(dim: axis, start: 0, length: 0)] }
        return stride(from: 0, to: shape[axis], by: size).map {
            narrow(dim: axis, start: $0, length: Swift.min(size, shape[axis] - $0), file: file, line: line)
        }
    }
    /// Pieces of the given sizes, which sum to the length. Mirrors `torch.split` with a list.
    public func split(_ sizes: [Int], dim: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> [Tensor] {
        let site = SourceSite(file, line)
        let axis = normalized(dim, "split", site)
        require(
            sizes.reduce(0, +) == shape[axis], "split: sizes \(sizes) do not sum to \(shape[axis])", site)
        var start = 0
        return sizes.map { size in
            defer { start += size }
            return narrow(dim: axis, start: start, length: size, file: file, line: line)
        }
    }
    /// At most `chunks` pieces of equal size, the last one shorter. Mirrors `torch.chunk`.
    public func chunk(_ chunks: Int, dim: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> [Tensor] {
        let site = SourceSite(file, line)
        require(chunks > 0, "chunk: \(chunks) chunks", site)
        let axis = normalized(dim, "chunk", site)
        return split(Swift.max(1, (shape[axis] + chunks - 1) / chunks), dim: axis, file: file, line: line)
    }
    /// Every index of `dim` by itself, without that dimension. Mirrors `torch.unbind`.
    public func unbind(dim: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> [Tensor] {
        let axis = normalized(dim, "unbind", SourceSite(file, line))
        return (0..<shape[axis]).map { select(dim: axis, index: $0, file: file, line: line) }
    }

    // MARK: Dimensions

    /// Dimension `source` moved to `destination`. A view. Mirrors `torch.movedim`.
    public func movedim(_ source: Int, _ destination: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let (from, to) = (normalized(source, "movedim", site), normalized(destination, "movedim", site))
        if rank == 0 { return self }
        var dims = Array(0..<rank)
        dims.remove(at: from)
        dims.insert(from, at: to)
        return permute(dims, file: file, line: line)
    }
    /// One dimension as several. Mirrors `torch.unflatten`.
    public func unflatten(dim: Int, _ sizes: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        let axis = normalized(dim, "unflatten", site)
        var sizes = sizes
        if let unknown = sizes.firstIndex(of: -1) {
            let known = sizes.reduce(1) { $1 == -1 ? $0 : $0 * $1 }
            sizes[unknown] = known == 0 ? 0 : shape[axis] / known
        }
        require(
            sizes.reduce(1, *) == shape[axis], "unflatten: \(sizes) do not multiply to \(shape[axis])", site)
        return reshape(Array(shape[..<axis]) + sizes + Array(shape[(axis + 1)...]), file: file, line: line)
    }
    /// Several dimensions of length 1 left out. Mirrors `torch.squeeze` with a tuple.
    public func squeeze(dims: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let axes = dims.map { normalized($0, "squeeze", SourceSite(file, line)) }
        if rank == 0 { return self }
        return reshape(shape.indices.filter { !axes.contains($0) || shape[$0] != 1 }.map { shape[$0] })
    }

    // MARK: Order and repetition

    /// Dimensions in reverse order of index. Mirrors `torch.flip`.
    public func flip(_ dims: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        return dims.reduce(self) { x, dim in
            let axis = x.normalized(dim, "flip", site)
            return x.rank == 0 ? x : x.pick(axis, Array((0..<x.shape[axis]).reversed()), site)
        }
    }
    /// Elements moved on by `shifts` along `dims`, those pushed out coming in at the other end; without dims the tensor
    /// is rolled as if flat. Mirrors `torch.roll`.
    public func roll(_ shifts: [Int], dims: [Int] = [], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        if dims.isEmpty {
            require(shifts.count == 1, "roll: \(shifts.count) shifts without dimensions", site)
            return reshape([-1]).roll(shifts, dims: [0], file: file, line: line).reshape(shape)
        }
        require(shifts.count == dims.count, "roll: \(shifts.count) shifts for \(dims.count) dimensions", site)
        return zip(shifts, dims).reduce(self) { x, pair in
            let axis = x.normalized(pair.1, "roll", site)
            let length = x.shape[axis]
            if length == 0 { return x }
            return x.pick(axis, (0..<length).map { (($0 - pair.0) % length + length) % length }, site)
        }
    }
    /// The whole tensor repeated along each dimension. Mirrors `Tensor.repeat`.
    public func `repeat`(_ repeats: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        require(
            repeats.count >= rank && repeats.allSatisfy { $0 >= 0 }, "repeat: \(repeats) does not fit shape \(shape)",
            site)
        let padded = [Int](repeating: 1, count: repeats.count - rank) + shape
        var x = reshape(zip(repeats, padded).flatMap { [1, $1] }, file: file, line: line)
        x = x.expand(zip(repeats, padded).flatMap { [$0, $1] }, file: file, line: line)
        // A copy even where a view would do: repeats of one element must not change together.
        let y = x.reshape(zip(repeats, padded).map { $0 * $1 }, file: file, line: line)
        return y.storage === storage ? y.clone(file: file, line: line) : y
    }
    /// As `repeat`, missing counts being 1. Mirrors `torch.tile`.
    public func tile(_ repeats: [Int], file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        `repeat`([Int](repeating: 1, count: Swift.max(0, rank - repeats.count)) + repeats, file: file, line: line)
    }
    /// Each element repeated in place, along `dim` or of the flattened tensor. Mirrors `torch.repeat_interleave`.
    public func repeatInterleave(
        _ repeats: Int, dim: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        guard let dim else { return reshape([-1]).repeatInterleave(repeats, dim: 0, file: file, line: line) }
        let axis = normalized(dim, "repeatInterleave", site)
        return pick(axis, (0..<shape[axis] * repeats).map { $0 / repeats }, site)
    }

    /// Indices of a dimension, known to be in range.
    func pick(_ axis: Int, _ indices: [Int], _ site: SourceSite?) -> Tensor {
        IndexSelect(dim: axis, index: Tensor(indices))(self, at: site)
    }

    // MARK: Diagonals and triangles

    /// The diagonal of two dimensions as a last dimension; `offset` above (or, negative, below). A view.
    /// Mirrors `torch.diagonal`.
    public func diagonal(
        offset: Int = 0, dim1: Int = 0, dim2: Int = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let (a, b) = (normalized(dim1, "diagonal", site), normalized(dim2, "diagonal", site))
        require(a != b && rank >= 2, "diagonal: shape \(shape) has no dimensions \(dim1) and \(dim2)", site)
        return Diagonal(offset: offset, rows: a, columns: b)(self, at: site)
    }
    /// A vector as the diagonal of a matrix, or a matrix's diagonal. Mirrors `torch.diag`.
    public func diag(_ diagonal: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        if rank == 2 { return self.diagonal(offset: diagonal, file: file, line: line) }
        require(rank == 1, "diag: expected one or two dimensions, got \(shape)", site)
        let size = count + Swift.abs(diagonal)
        let (row, column) = (Swift.max(0, -diagonal), Swift.max(0, diagonal))
        let places = Tensor((0..<count).map { ($0 + row) * size + $0 + column })
        return PutAdd(index: places, shape: [size, size])(self, at: site)
    }
    /// The sum of a matrix's diagonal. Mirrors `torch.trace`.
    public func trace(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        diagonal(file: file, line: line).sum(file: file, line: line)
    }
    /// The lower triangle of the last two dimensions, zeros above. Mirrors `torch.tril`.
    public func tril(_ diagonal: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        triangle("tril", SourceSite(file, line)) { $1 - $0 <= diagonal }
    }
    /// The upper triangle of the last two dimensions, zeros below. Mirrors `torch.triu`.
    public func triu(_ diagonal: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        triangle("triu", SourceSite(file, line)) { $1 - $0 >= diagonal }
    }
    private func triangle(_ op: StaticString, _ site: SourceSite, _ keeps: (Int, Int) -> Bool) -> Tensor {
        require(rank >= 2, "\(op): shape \(shape) is no matrix", site)
        let (rows, columns) = (shape[rank - 2], shape[rank - 1])
        let mask = Tensor(
            (0..<rows).flatMap { row in (0..<columns).map { keeps(row, $0) } }, shape: [rows, columns])
        return Where(condition: mask)(self, .number(0, dtype), at: site)
    }

    // MARK: Padding

    /// What is written around a tensor by `pad`.
    public enum PadMode: String, Sendable { case constant, reflect, replicate, circular }

    /// Padding of the last dimensions: `[before last, after last, before second to last, …]`; negative amounts cut off.
    /// Mirrors `F.pad`.
    public func pad(
        _ amounts: [Int], mode: PadMode = .constant, value: Double = 0, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(
            amounts.count % 2 == 0 && amounts.count / 2 <= rank, "pad: \(amounts) does not fit shape \(shape)", site)
        var x = self
        for pair in 0..<amounts.count / 2 {
            let axis = rank - 1 - pair
            let (before, after) = (amounts[2 * pair], amounts[2 * pair + 1])
            if before == 0 && after == 0 { continue }
            let length = x.shape[axis]
            require(length + before + after >= 0, "pad: \(amounts) leaves less than nothing of \(shape)", site)
            if mode == .constant {
                let start = Swift.max(0, -before)
                let kept = Swift.max(0, length - start - Swift.max(0, -after))
                let inner = x.narrow(dim: axis, start: start, length: kept, file: file, line: line)
                x = ConstantPad(dim: axis, before: Swift.max(0, before), after: Swift.max(0, after), value: value)(
                    inner, at: site)
                continue
            }
            require(
                mode == .replicate || (before < length && after < length)
                    || (mode == .circular && before <= length && after <= length),
                "pad: \(mode.rawValue) padding (\(before), \(after)) is too large for length \(length)", site)
            x = x.pick(
                axis,
                (-before..<length + after).map { index in
                    switch mode {
                    case .reflect: index < 0 ? -index : index >= length ? 2 * (length - 1) - index : index
                    case .circular: (index + length) % length
                    default: Swift.min(Swift.max(index, 0), length - 1)
                    }
                }, site)
        }
        return x === self ? clone(file: file, line: line) : x
    }

    // MARK: Patches

    /// Channels `C·r²` as an image `r` times as high and wide. Mirrors `F.pixel_shuffle` (Shi et al., 2016).
    public func pixelShuffle(_ factor: Int, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        require(
            rank >= 3 && factor > 0 && shape[rank - 3] % (factor * factor) == 0,
            "pixelShuffle: the channels of \(shape) are not divisible by \(factor * factor)", site)
        let (c, h, w) = (shape[rank - 3] / (factor * factor), shape[rank - 2], shape[rank - 1])
        let lead = Array(shape.dropLast(3))
        let n = lead.count
        let x = reshape(lead + [c, factor, factor, h, w])
        return x.permute(Array(0..<n) + [n, n + 3, n + 1, n + 4, n + 2]).reshape(lead + [c, h * factor, w * factor])
    }

    /// Windows of an image as columns: [N, C, H, W] to [N, C·KH·KW, L] (im2col). Mirrors `F.unfold`.
    public func unfold(
        kernelSize: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        if rank == 3 {
            return unsqueeze(0).unfold(
                kernelSize: kernelSize, dilation: dilation, padding: padding, stride: stride, file: file, line: line
            ).squeeze(0)
        }
        require(rank == 4, "unfold: expected [N, C, H, W], got \(shape)", site)
        let padded = pad([padding.width, padding.width, padding.height, padding.height], file: file, line: line)
        let columns = patchPlaces(padded.shape, kernelSize, dilation, stride, "unfold", site)
        return padded.take(columns, site)
    }

    /// Columns summed back into an image: the transpose of `unfold` (col2im). Mirrors `F.fold`.
    public func fold(
        outputSize: Pair, kernelSize: Pair, dilation: Pair = 1, padding: Pair = 0, stride: Pair = 1,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        if rank == 2 {
            return unsqueeze(0).fold(
                outputSize: outputSize, kernelSize: kernelSize, dilation: dilation, padding: padding, stride: stride,
                file: file, line: line
            ).squeeze(0)
        }
        require(rank == 3, "fold: expected [N, C·KH·KW, L], got \(shape)", site)
        let window = kernelSize.height * kernelSize.width
        require(shape[1] % window == 0, "fold: \(shape[1]) rows are not divisible by the window's \(window)", site)
        let padded = [
            shape[0], shape[1] / window, outputSize.height + 2 * padding.height, outputSize.width + 2 * padding.width,
        ]
        let columns = patchPlaces(padded, kernelSize, dilation, stride, "fold", site)
        require(columns.shape == shape, "fold: \(shape) does not fit, expected \(columns.shape)", site)
        let image = PutAdd(index: columns, shape: padded)(self, at: site)
        return image.narrow(dim: 2, start: padding.height, length: outputSize.height)
            .narrow(dim: 3, start: padding.width, length: outputSize.width).contiguous()
    }
}

/// Flat places of every window's elements in an image of `shape`: [N, C·KH·KW, L].
private func patchPlaces(
    _ shape: [Int], _ kernel: Pair, _ dilation: Pair, _ stride: Pair, _ op: StaticString, _ site: SourceSite
) -> Tensor {
    let (n, c, h, w) = (shape[0], shape[1], shape[2], shape[3])
    let rows = (h - dilation.height * (kernel.height - 1) - 1) / stride.height + 1
    let columns = (w - dilation.width * (kernel.width - 1) - 1) / stride.width + 1
    require(
        h >= dilation.height * (kernel.height - 1) + 1 && w >= dilation.width * (kernel.width - 1) + 1,
        "\(op): the kernel \(kernel) does not fit \(shape)", site)
    var places: [Int] = []
    places.reserveCapacity(n * c * kernel.height * kernel.width * rows * columns)
    for plane in 0..<n * c {
        for kh in 0..<kernel.height {
            for kw in 0..<kernel.width {
                for row in 0..<rows {
                    let line = (plane * h + row * stride.height + kh * dilation.height) * w + kw * dilation.width
                    for column in 0..<columns { places.append(line + column * stride.width) }
                }
            }
        }
    }
    return Tensor(places, shape: [n, c * kernel.height * kernel.width, rows * columns])
}

/// A constant before and after along a dimension; the gradient is what lies over the input.
struct ConstantPad: Primitive {
    let dim, before, after: Int
    let value: Double
    func forward(_ x: [Tensor]) -> Tensor {
        var shape = x[0].shape
        let length = shape[dim]
        shape[dim] += before + after
        let y = Tensor(uninitialized: shape, x[0].dtype)
        y.fill(.double(value))
        y.alias(y.layout.sliced(dim: dim, start: before, length: length)).copyElements(from: x[0])
        return y
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        [Slice(dim: dim, start: before, length: saved.shape(0)[dim], step: 1)(dy, at: nil)]
    }
}

// Images read at any places: the sampler of spatial transformers.

extension F {
    /// How `gridSample` treats places outside the image.
    public enum GridPadding: String, Sendable { case zeros, border }

    /// The image [N, C, H, W] at the places of a grid [N, H′, W′, 2] of (x, y) from −1 to 1, bilinear between pixels.
    /// The gradient goes to image and grid. Mirrors `F.grid_sample` (Jaderberg et al., 2015).
    public static func gridSample(
        _ input: Tensor, _ grid: Tensor, paddingMode: GridPadding = .zeros, alignCorners: Bool = false,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        require(
            input.rank == 4 && grid.rank == 4 && grid.shape[3] == 2 && grid.shape[0] == input.shape[0],
            "gridSample: expected [N, C, H, W] and [N, H, W, 2], got \(input.shape) and \(grid.shape)",
            SourceSite(file, line))
        let (n, c, h, w) = (input.shape[0], input.shape[1], input.shape[2], input.shape[3])
        let (outHeight, outWidth) = (grid.shape[1], grid.shape[2])
        func pixels(_ axis: Int, _ size: Int) -> Tensor {
            let place = grid.select(dim: 3, index: axis).reshape([n, 1, outHeight * outWidth])
            let position =
                alignCorners
                ? (place + 1) * (Double(size - 1) / 2) : ((place + 1) * Double(size) - 1) / 2
            return paddingMode == .border ? position.clamp(min: 0, max: Double(size - 1)) : position
        }
        let (x, y) = (pixels(0, w), pixels(1, h))
        let (left, top) = (x.detach().floor(), y.detach().floor())
        let flat = input.reshape([n, c, h * w])
        var result: Tensor?
        for (right, below) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let (column, row) = (left + right, top + below)
            let shareX = right == 1 ? x - left : 1 - (x - left)
            let shareY = below == 1 ? y - top : 1 - (y - top)
            let inside = column.ge(0).logicalAnd(column.lt(w)).logicalAnd(row.ge(0)).logicalAnd(row.lt(h))
            let index = row.clamp(min: 0, max: Double(h - 1)) * w + column.clamp(min: 0, max: Double(w - 1))
            let values = flat.gather(dim: 2, index: index.to(.int64).expand(n, c, outHeight * outWidth))
            let term = values * (shareX * shareY * inside.to(input.dtype))
            result = result.map { $0 + term } ?? term
        }
        return result!.reshape([n, c, outHeight, outWidth])
    }
}

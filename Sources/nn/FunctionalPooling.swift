// Adaptive and global pooling, and pooling in one dimension. Mirrors torch.nn.functional.
import Foundation

extension F {
    /// The mean of `outputSize` bins; nil keeps a size. Bin i is `⌊i·n/out⌋ ..< ⌈(i+1)·n/out⌉`.
    /// Mirrors `F.adaptive_avg_pool2d`.
    public static func adaptiveAvgPool2d(
        _ x: Tensor, _ outputSize: (Int?, Int?), file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        require(
            x.rank == 3 || x.rank == 4, "adaptiveAvgPool2d: expected [N, C, H, W], got \(x.shape)",
            SourceSite(file, line))
        let (height, width) = (outputSize.0 ?? x.shape[x.rank - 2], outputSize.1 ?? x.shape[x.rank - 1])
        if height == 1 && width == 1 { return x.mean(dims: [-2, -1], keepdim: true, file: file, line: line) }
        // Means of bins are products with matrices of shares.
        let rows = shares(x.shape[x.rank - 2], height, x.dtype)
        let columns = shares(x.shape[x.rank - 1], width, x.dtype)
        return rows.matmul(x, file: file, line: line).matmul(columns.T, file: file, line: line)
    }
    /// The same size both ways.
    public static func adaptiveAvgPool2d(
        _ x: Tensor, _ outputSize: Int, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { adaptiveAvgPool2d(x, (outputSize, outputSize), file: file, line: line) }

    /// The mean of each channel over all its places: [N, C, H, W] to [N, C], or [N, C, 1, 1] with `keepdim`.
    public static func globalAvgPool2d(
        _ x: Tensor, keepdim: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        require(
            x.rank == 3 || x.rank == 4, "globalAvgPool2d: expected [N, C, H, W], got \(x.shape)", SourceSite(file, line)
        )
        return x.mean(dims: [-2, -1], keepdim: keepdim, file: file, line: line)
    }

    private static func bins(_ size: Int, _ out: Int) -> [Range<Int>] {
        (0..<out).map { $0 * size / out..<(($0 + 1) * size + out - 1) / out }
    }
    private static func shares(_ size: Int, _ out: Int, _ dtype: DType) -> Tensor {
        let rows = bins(size, out).map { bin in (0..<size).map { bin.contains($0) ? 1 / Double(bin.count) : 0 } }
        return Tensor(rows.flatMap { $0 }, shape: [out, size]).to(dtype)
    }

    /// The largest element of each bin and its index in the flattened plane. Mirrors `F.adaptive_max_pool2d`.
    public static func adaptiveMaxPool2d(
        _ x: Tensor, _ outputSize: (Int?, Int?), file: StaticString = #fileID, line: UInt = #line
    ) -> (output: Tensor, indices: Tensor) {
        require(
            x.rank == 3 || x.rank == 4, "adaptiveMaxPool2d: expected [N, C, H, W], got \(x.shape)",
            SourceSite(file, line))
        let (h, w) = (x.shape[x.rank - 2], x.shape[x.rank - 1])
        let (rows, columns) = (bins(h, outputSize.0 ?? h), bins(w, outputSize.1 ?? w))
        var (values, indices): ([Tensor], [Tensor]) = ([], [])
        for row in rows {
            for column in columns {
                let bin = x.narrow(dim: -2, start: row.lowerBound, length: row.count)
                    .narrow(dim: -1, start: column.lowerBound, length: column.count)
                let (value, place) = bin.flatten(startDim: -2).max(dim: -1)
                let inRow = place.div(column.count, rounding: .floor)
                values.append(value)
                indices.append((inRow + row.lowerBound) * w + (place - inRow * column.count) + column.lowerBound)
            }
        }
        let shape = Array(x.shape.dropLast(2)) + [rows.count, columns.count]
        return (Tensor.stack(values, dim: -1).reshape(shape), Tensor.stack(indices, dim: -1).reshape(shape))
    }

    /// The largest element of each window of [N, C, L]. Mirrors `F.max_pool1d`.
    public static func maxPool1d(
        _ x: Tensor, kernelSize: Int, stride: Int? = nil, padding: Int = 0, dilation: Int = 1, ceilMode: Bool = false,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        x.unsqueeze(-2).maxPool2d(
            kernelSize: Pair(1, kernelSize), stride: Pair(1, stride ?? kernelSize), padding: .both(Pair(0, padding)),
            dilation: Pair(1, dilation), ceilMode: ceilMode, file: file, line: line
        ).squeeze(-2)
    }
    /// The mean of each window of [N, C, L]. Mirrors `F.avg_pool1d`.
    public static func avgPool1d(
        _ x: Tensor, kernelSize: Int, stride: Int? = nil, padding: Int = 0, ceilMode: Bool = false,
        countIncludePad: Bool = true, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        x.unsqueeze(-2).avgPool2d(
            kernelSize: Pair(1, kernelSize), stride: Pair(1, stride ?? kernelSize), padding: .both(Pair(0, padding)),
            ceilMode: ceilMode, countIncludePad: countIncludePad, file: file, line: line
        ).squeeze(-2)
    }
}

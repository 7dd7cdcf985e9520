// Adaptive pooling, resizing, embedding, and pooling in one dimension. Mirrors torch.nn.functional.
import Foundation

extension F {
    /// The mean of `outputSize` bins; nil keeps a size. Bin i is `⌊i·n/out⌋ ..< ⌈(i+1)·n/out⌉`.
    /// Mirrors `F.adaptive_avg_pool2d`.
    public static func adaptiveAvgPool2d(
        _ x: Tensor, _ outputSize: (Int?, Int?), file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        require(x.rank == 3 || x.rank == 4, "adaptiveAvgPool2d: expected [N, C, H, W], got \(x.shape)", SourceSite(file, line))
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
        require(x.rank == 3 || x.rank == 4, "adaptiveMaxPool2d: expected [N, C, H, W], got \(x.shape)", SourceSite(file, line))
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

    /// How `interpolate` finds a value between pixels.
    public enum InterpolationMode: String, Sendable { case nearest, bilinear }

    /// The image at another size, [N, C, H, W]: to `size`, or `⌊size · scale⌋` for each axis. Source coordinates use the
    /// given scale itself. Mirrors `F.interpolate`.
    public static func interpolate(
        _ x: Tensor, size: [Int]? = nil, scaleFactor: [Double]? = nil, mode: InterpolationMode = .nearest,
        alignCorners: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(
            x.rank == 4 && (size == nil) != (scaleFactor == nil),
            "interpolate: expected [N, C, H, W] and either size or scaleFactor, got \(x.shape)", site)
        var y = x
        for axis in 0..<2 {
            let dim = 2 + axis
            let length = x.shape[dim]
            let scale = scaleFactor.map { $0.count == 1 ? $0[0] : $0[axis] }
            let out = size.map { $0.count == 1 ? $0[0] : $0[axis] } ?? Int((Double(length) * scale!).rounded(.down))
            require(out > 0, "interpolate: size \(out) is not positive", site)
            let step = scale.map { 1 / $0 } ?? Double(length) / Double(out)
            if mode == .nearest {
                let single = x.dtype == .float32
                let places = (0..<out).map { index in
                    // In the input's precision, as torch: the product may fall just below an integer.
                    let position = single ? Double(Float(index) * Float(step)) : Double(index) * step
                    return Swift.min(Int(position), length - 1)
                }
                y = y.indexSelect(dim: dim, index: Tensor(places))
                continue
            }
            var (lower, upper, shares): ([Int], [Int], [Double]) = ([], [], [])
            for index in 0..<out {
                let position =
                    alignCorners
                    ? (out > 1 ? Double(index) * Double(length - 1) / Double(out - 1) : 0)
                    : Swift.max(0, (Double(index) + 0.5) * step - 0.5)
                let base = Swift.min(Int(position), length - 1)
                lower.append(base)
                upper.append(Swift.min(base + 1, length - 1))
                shares.append(Swift.min(Swift.max(position - Double(base), 0), 1))
            }
            let share = Tensor(shares, shape: dim == 2 ? [out, 1] : [out]).to(x.dtype)
            let (a, b) = (y.indexSelect(dim: dim, index: Tensor(lower)), y.indexSelect(dim: dim, index: Tensor(upper)))
            y = a * (1 - share) + b * share
        }
        return y
    }

    /// Rows of `weight` [count, dim] by index, [*] to [*, dim]; `paddingIdx`'s row gets no gradient, and with
    /// `scaleGradByFreq` a row's gradient is divided by how often it occurs. Mirrors `F.embedding`.
    public static func embedding(
        _ input: Tensor, _ weight: Tensor, paddingIdx: Int? = nil, scaleGradByFreq: Bool = false,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(weight.rank == 2, "embedding: the weight has shape \(weight.shape), not two dimensions", site)
        let flat = input.reshape([-1])
        var rows = weight.indexSelect(dim: 0, index: flat, file: file, line: line)
        let indices = flat.array(Int.self)
        if paddingIdx != nil || scaleGradByFreq {
            let padding = paddingIdx.map { $0 < 0 ? $0 + weight.shape[0] : $0 }
            var counts: [Int: Int] = [:]
            for index in indices { counts[index, default: 0] += 1 }
            // The share of each row's gradient that goes on; the value stays.
            let shares = indices.map { index -> Double in
                index == padding ? 0 : scaleGradByFreq ? 1 / Double(counts[index]!) : 1
            }
            let share = Tensor(shares, shape: [indices.count, 1]).to(weight.dtype)
            rows = rows * share + rows.detach() * (1 - share)
        }
        return rows.reshape(input.shape + [weight.shape[1]])
    }
}

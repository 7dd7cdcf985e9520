// Linear systems, inverses, determinants and orthogonal factors of small matrices, by LU with row exchanges in float64.

/// X with A · X = B, batches of [m, m] and [m, n]. dB = A⁻ᵀ · dX, dA = −dB · Xᵀ.
struct Solve: Primitive {
    var saves: Saves { [.input0, .output] }
    func forward(_ x: [Tensor]) -> Tensor {
        let (m, n) = (x[1].shape[x[1].rank - 2], x[1].shape[x[1].rank - 1])
        var result: [Double] = []
        for (a, b) in zip(matrices(x[0]), matrices(x[1])) {
            let (lu, order, _) = factorised(a, m)
            var y = [Double](repeating: 0, count: m * n)
            for row in 0..<m { for column in 0..<n { y[row * n + column] = b[order[row] * n + column] } }
            for column in 0..<n {
                for row in 0..<m { for k in 0..<row { y[row * n + column] -= lu[row * m + k] * y[k * n + column] } }
                for row in (0..<m).reversed() {
                    for k in row + 1..<Swift.max(m, row + 1) {
                        y[row * n + column] -= lu[row * m + k] * y[k * n + column]
                    }
                    y[row * n + column] /= lu[row * m + row]
                }
            }
            result += y
        }
        return Tensor(result, shape: x[1].shape).to(x[1].dtype)
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let db = Solve()(saved.x.transpose(-1, -2), dy, at: nil)
        return [saved.needs(0) ? -db.matmul(saved.y.transpose(-1, -2)) : nil, saved.needs(1) ? db : nil]
    }
}

/// The determinant of [m, m] matrices. dA = dy · det · A⁻ᵀ; of a singular matrix there is no gradient here.
struct Det: Primitive {
    var saves: Saves { [.input0, .output] }
    func forward(_ x: [Tensor]) -> Tensor {
        let m = x[0].shape[x[0].rank - 1]
        let values = matrices(x[0]).map { matrix -> Double in
            let (lu, _, sign) = factorised(matrix, m)
            return (0..<m).reduce(sign) { $0 * lu[$1 * m + $1] }
        }
        return Tensor(values, shape: Array(x[0].shape.dropLast(2))).to(x[0].dtype)
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        let scale = (dy * saved.y).unsqueeze(-1).unsqueeze(-1)
        return [scale * saved.x.inverse().transpose(-1, -2)]
    }
}

/// A batch's matrices, row-major.
private func matrices(_ x: Tensor) -> [[Double]] {
    let size = x.shape[x.rank - 2] * x.shape[x.rank - 1]
    let all = x.array(Double.self)
    let batches = x.shape.dropLast(2).reduce(1, *)
    return (0..<batches).map { Array(all[$0 * size..<($0 + 1) * size]) }
}

/// LU of a matrix with rows exchanged so that the largest pivot leads: factors in one array, order of rows, its sign.
private func factorised(_ matrix: [Double], _ m: Int) -> (lu: [Double], order: [Int], sign: Double) {
    var (lu, order, sign) = (matrix, Array(0..<m), 1.0)
    for column in 0..<m {
        let pivot = (column..<m).max { abs(lu[$0 * m + column]) < abs(lu[$1 * m + column]) }!
        if pivot != column {
            for k in 0..<m { lu.swapAt(pivot * m + k, column * m + k) }
            order.swapAt(pivot, column)
            sign = -sign
        }
        let lead = lu[column * m + column]
        if lead == 0 { continue }
        for row in column + 1..<Swift.max(m, column + 1) {
            lu[row * m + column] /= lead
            for k in column + 1..<m { lu[row * m + k] -= lu[row * m + column] * lu[column * m + k] }
        }
    }
    return (lu, order, sign)
}

extension Tensor {
    private func requireSquare(_ op: StaticString, _ site: SourceSite) {
        require(
            rank >= 2 && shape[rank - 1] == shape[rank - 2] && dtype.isFloatingPoint,
            "\(op): expected square matrices of floating point, got \(shape) \(dtype)", site)
    }

    /// X with `self · X = other`, [*, m, m] and [*, m, n] or [m]. Infinite or NaN where a matrix is singular.
    /// Mirrors `torch.linalg.solve`.
    public func solve(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        requireSquare("solve", site)
        if other.rank == rank - 1 { return solve(other.unsqueeze(-1), file: file, line: line).squeeze(-1) }
        require(
            other.rank >= 2 && other.shape[other.rank - 2] == shape[rank - 1] && other.dtype == dtype,
            "solve: \(shape) and \(other.shape) do not fit", site)
        guard let batch = Layout.broadcast(Array(shape.dropLast(2)), Array(other.shape.dropLast(2))) else {
            fail("solve: batch dimensions do not broadcast: \(shape) and \(other.shape)", site)
        }
        return Solve()(expand(batch + shape.suffix(2)), other.expand(batch + other.shape.suffix(2)), at: site)
    }
    /// The inverse of square matrices. Mirrors `torch.linalg.inv`.
    public func inverse(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        requireSquare("inverse", SourceSite(file, line))
        return solve(Tensor.eye(shape[rank - 1], dtype: dtype), file: file, line: line)
    }
    /// The determinant of square matrices. Mirrors `torch.linalg.det`.
    public func det(file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let site = SourceSite(file, line)
        requireSquare("det", site)
        return Det()(self, at: site)
    }
    /// The reduced factors of a matrix [m, n] with m ≥ n of full rank: orthonormal columns Q [m, n] and upper triangular R
    /// [n, n], signs as LAPACK's Householder reflections give them. Mirrors `torch.linalg.qr`.
    public func qr(file: StaticString = #fileID, line: UInt = #line) -> (q: Tensor, r: Tensor) {
        require(
            rank == 2 && shape[0] >= shape[1] && dtype.isFloatingPoint,
            "qr: expected a matrix at least as high as wide, got \(shape) \(dtype)", SourceSite(file, line))
        // Gram-Schmidt twice; a reflection turns a column against the sign of its leading element.
        var columns: [Tensor] = []
        var rest = detach().to(.float64)
        for (index, column) in unbind(dim: 1).enumerated() {
            var c = column
            for _ in 0..<2 { for done in columns { c = c - done * done.dot(c) } }
            let lead = rest[index, index].item() as Double
            columns.append(c / (lead < 0 || shape[0] == index + 1 ? c.norm() : -c.norm()))
            let v = rest.select(dim: 1, index: index).clone()
            for row in 0..<index { v[row].fill_(0) }
            if shape[0] == index + 1 { columns[index] = lead < 0 ? -columns[index] : columns[index] }
            let length = v.norm().item() as Double
            v[index].add_(lead < 0 ? -length : length)
            let square = v.dot(v).item() as Double
            if square > 0 { rest = rest - v.outer(v.matmul(rest)) * (2 / square) }
        }
        let q = Tensor.stack(columns, dim: 1)
        return (q, q.T.matmul(self, file: file, line: line).triu())
    }
}

// Named products of vectors, matrices and batches; einsum; attention.
import Foundation

extension Tensor {
    /// Product of two matrices. Mirrors `torch.mm`.
    public func mm(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        require(
            rank == 2 && other.rank == 2, "mm: expected two matrices, got \(shape) × \(other.shape)",
            SourceSite(file, line))
        return matmul(other, file: file, line: line)
    }
    /// Product of a matrix and a vector. Mirrors `torch.mv`.
    public func mv(_ vector: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        require(
            rank == 2 && vector.rank == 1, "mv: expected a matrix and a vector, got \(shape) × \(vector.shape)",
            SourceSite(file, line))
        return matmul(vector, file: file, line: line)
    }
    /// Batches of products of matrices. Mirrors `torch.bmm`.
    public func bmm(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        require(
            rank == 3 && other.rank == 3 && shape[0] == other.shape[0],
            "bmm: expected [B, m, k] × [B, k, n], got \(shape) × \(other.shape)", SourceSite(file, line))
        return matmul(other, file: file, line: line)
    }
    /// Sum of products of two vectors. Mirrors `torch.dot`.
    public func dot(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        require(
            rank == 1 && other.rank == 1, "dot: expected two vectors, got \(shape) and \(other.shape)",
            SourceSite(file, line))
        return matmul(other, file: file, line: line)
    }
    /// Every product of an element of one vector and one of the other. Mirrors `torch.outer`.
    public func outer(_ other: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        require(
            rank == 1 && other.rank == 1, "outer: expected two vectors, got \(shape) and \(other.shape)",
            SourceSite(file, line))
        return unsqueeze(1).mul(other.unsqueeze(0), file: file, line: line)
    }
    /// `β · self + α · a · b`; with β = 0 this tensor does not count, even where it is NaN. Mirrors `torch.addmm`.
    public func addmm(
        _ a: Tensor, _ b: Tensor, beta: Double = 1, alpha: Double = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { added(a.mm(b, file: file, line: line), beta, alpha) }
    /// The same for batches. Mirrors `torch.baddbmm`.
    public func baddbmm(
        _ a: Tensor, _ b: Tensor, beta: Double = 1, alpha: Double = 1, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { added(a.bmm(b, file: file, line: line), beta, alpha) }

    private func added(_ product: Tensor, _ beta: Double, _ alpha: Double) -> Tensor {
        let scaled = alpha == 1 ? product : product * alpha
        if beta == 0 { return scaled }
        return (beta == 1 ? self : self * beta) + scaled
    }

    /// Sums of products by index letters: `"bij,bjk->bik"`; `...` stands for batch dimensions, a letter twice in one
    /// operand for its diagonal; without an arrow the letters that occur once, in order. Mirrors `torch.einsum`.
    public static func einsum(
        _ equation: String, _ operands: [Tensor], file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let sides = equation.replacingOccurrences(of: " ", with: "").components(separatedBy: "->")
        let terms = sides[0].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        require(
            terms.count == operands.count && sides.count <= 2 && !operands.isEmpty,
            "einsum: '\(equation)' does not name \(operands.count) operands", site)
        // Batch dimensions under an ellipsis get labels of their own, counted from the back.
        var ellipsis: [String] = []
        var labels: [[String]] = []
        for (term, operand) in zip(terms, operands) {
            let parts = term.components(separatedBy: "...")
            let named = parts.reduce(0) { $0 + $1.count }
            let extra = operand.rank - named
            require(
                parts.count <= 2 && (parts.count == 2 ? extra >= 0 : extra == 0),
                "einsum: '\(term)' does not fit shape \(operand.shape)", site)
            let batch = (0..<Swift.max(0, extra)).map { "...\(extra - $0)" }
            if batch.count > ellipsis.count { ellipsis = batch }
            labels.append(parts[0].map(String.init) + batch + (parts.count == 2 ? parts[1].map(String.init) : []))
        }
        let output: [String]
        if sides.count == 2 {
            let parts = sides[1].components(separatedBy: "...")
            output = parts[0].map(String.init) + (parts.count == 2 ? ellipsis + parts[1].map(String.init) : [])
        } else {
            let all = labels.joined().filter { !$0.hasPrefix("...") }
            output = ellipsis + Set(all).filter { label in all.filter { $0 == label }.count == 1 }.sorted()
        }
        var result = diagonalised(operands[0], labels[0], site)
        for index in 1..<Swift.max(1, operands.count) where index < operands.count {
            let next = diagonalised(operands[index], labels[index], site)
            let later = Set(labels[(index + 1)...].joined()).union(output)
            result = contracted(result, next, keeping: later, site)
        }
        for label in output {
            require(result.1.contains(label), "einsum: '\(label)' stands only on the right of '\(equation)'", site)
        }
        let dropped = result.1.indices.filter { !output.contains(result.1[$0]) }
        let kept = result.1.filter { output.contains($0) }
        let summed = dropped.isEmpty ? result.0 : result.0.sum(dims: dropped, file: file, line: line)
        return summed.permute(output.map { kept.firstIndex(of: $0)! }, file: file, line: line)
    }

    private static func diagonalised(_ x: Tensor, _ labels: [String], _ site: SourceSite) -> (Tensor, [String]) {
        var (x, labels) = (x, labels)
        var index = 0
        while index < labels.count {
            if let twin = labels[(index + 1)...].firstIndex(of: labels[index]) {
                require(
                    x.shape[index] == x.shape[twin],
                    "einsum: '\(labels[index])' has lengths \(x.shape[index]) and \(x.shape[twin])", site)
                x = x.diagonal(dim1: index, dim2: twin)
                let label = labels[index]
                labels.remove(at: twin)
                labels.remove(at: index)
                labels.append(label)
                index = 0
            } else {
                index += 1
            }
        }
        return (x, labels)
    }

    /// Two operands joined: letters that nobody needs later are summed, by one batched matrix product.
    private static func contracted(
        _ a: (Tensor, [String]), _ b: (Tensor, [String]), keeping later: Set<String>, _ site: SourceSite
    ) -> (Tensor, [String]) {
        func summedAlone(_ x: (Tensor, [String]), other: [String]) -> (Tensor, [String]) {
            let alone = x.1.indices.filter { !other.contains(x.1[$0]) && !later.contains(x.1[$0]) }
            if alone.isEmpty { return x }
            return (x.0.sum(dims: alone), x.1.indices.filter { !alone.contains($0) }.map { x.1[$0] })
        }
        let (x, y) = (summedAlone(a, other: b.1), summedAlone(b, other: a.1))
        let shared = x.1.filter { y.1.contains($0) }
        let batch = shared.filter { later.contains($0) }
        let inner = shared.filter { !later.contains($0) }
        let (left, right) = (x.1.filter { !shared.contains($0) }, y.1.filter { !shared.contains($0) })
        func length(_ label: String) -> Int {
            let lengths = [
                x.1.firstIndex(of: label).map { x.0.shape[$0] }, y.1.firstIndex(of: label).map { y.0.shape[$0] },
            ].compactMap { $0 }
            let length = lengths.first { $0 != 1 } ?? 1
            require(lengths.allSatisfy { $0 == length || $0 == 1 }, "einsum: '\(label)' has lengths \(lengths)", site)
            return length
        }
        func arranged(_ t: (Tensor, [String]), _ groups: [[String]]) -> Tensor {
            let order = groups.joined()
            let moved = t.0.permute(order.map { t.1.firstIndex(of: $0)! }).expand(order.map(length))
            return moved.reshape(groups.map { $0.reduce(1) { $0 * length($1) } })
        }
        let product = arranged(x, [batch, left, inner]).matmul(arranged(y, [batch, inner, right]))
        let labels = batch + left + right
        return (product.reshape(labels.map(length)), labels)
    }

    /// The Kronecker product: every element of `a` times all of `b`, for any number of dimensions. Mirrors `torch.kron`.
    public static func kron(_ a: Tensor, _ b: Tensor, file: StaticString = #fileID, line: UInt = #line) -> Tensor {
        let rank = Swift.max(a.rank, b.rank)
        let left = [Int](repeating: 1, count: rank - a.rank) + a.shape
        let right = [Int](repeating: 1, count: rank - b.rank) + b.shape
        let x = a.reshape(left.flatMap { [$0, 1] })
        let y = b.reshape(right.flatMap { [1, $0] })
        return x.mul(y, file: file, line: line).reshape(zip(left, right).map { $0 * $1 })
    }

    /// The p-norm distance of every row of `a` [.., M, D] to every row of `b` [.., N, D]: [.., M, N]. Mirrors
    /// `torch.cdist`.
    public static func cdist(
        _ a: Tensor, _ b: Tensor, p: Double = 2, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        require(
            a.rank >= 2 && b.rank >= 2 && a.shape[a.rank - 1] == b.shape[b.rank - 1],
            "cdist: rows of \(a.shape) and \(b.shape) have different lengths", SourceSite(file, line))
        return a.unsqueeze(-2).sub(b.unsqueeze(-3), file: file, line: line).norm(p: p, dims: [-1])
    }

    /// softmax(q · kᵀ / √d + mask) · v over the last two dimensions; a bool mask keeps where true, another is added.
    /// Mirrors `F.scaled_dot_product_attention` (Vaswani et al., 2017).
    public static func scaledDotProductAttention(
        _ query: Tensor, _ key: Tensor, _ value: Tensor, attnMask: Tensor? = nil, isCausal: Bool = false,
        scale: Double? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let factor = scale ?? 1 / Double(query.shape[query.rank - 1]).squareRoot()
        var scores = (query * factor).matmul(key.transpose(-2, -1), file: file, line: line)
        var keep = attnMask?.dtype == .bool ? attnMask : nil
        if isCausal {
            let causal = Tensor.ones([scores.shape[scores.rank - 2], scores.shape[scores.rank - 1]]).tril().to(.bool)
            keep = keep.map { $0.logicalAnd(causal) } ?? causal
        }
        if let keep { scores = Tensor.where(keep, scores, .number(.double(-.infinity), scores.dtype)) }
        if let attnMask, attnMask.dtype != .bool { scores = scores + attnMask }
        return scores.softmax(dim: -1).matmul(value, file: file, line: line)
    }
}

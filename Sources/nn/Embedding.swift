// Tables of vectors looked up by index, one by one or summed in bags. Mirrors torch.nn and torch.nn.functional.

extension F {
    /// How `embeddingBag` makes one vector of a bag's.
    public enum BagMode: String, Sendable { case sum, mean, max }

    /// Rows of `weight` [count, dim] by index, [*] to [*, dim]; `paddingIdx`'s row gets no gradient, and with
    /// `scaleGradByFreq` a row's gradient is divided by how often it occurs. With `maxNorm`, rows that are looked up
    /// are first scaled down, in place, to that `normType`-norm. Mirrors `F.embedding`.
    public static func embedding(
        _ input: Tensor, _ weight: Tensor, paddingIdx: Int? = nil, maxNorm: Double? = nil, normType: Double = 2,
        scaleGradByFreq: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(weight.rank == 2, "embedding: the weight has shape \(weight.shape), not two dimensions", site)
        let flat = input.reshape([-1])
        if let maxNorm { shorten(weight, flat, to: maxNorm, normType) }
        var rows = weight.indexSelect(dim: 0, index: flat, file: file, line: line)
        let indices = flat.array(Int.self)
        if paddingIdx != nil || scaleGradByFreq {
            let padding = paddingIdx.map { $0 < 0 ? $0 + weight.shape[0] : $0 }
            let counts = scaleGradByFreq ? occurrences(indices) : [:]
            // The share of each row's gradient that goes on; the value stays.
            let shares = indices.map { index -> Double in
                index == padding ? 0 : scaleGradByFreq ? 1 / Double(counts[index]!) : 1
            }
            let share = Tensor(shares, shape: [indices.count, 1]).to(weight.dtype)
            rows = rows * share + rows.detach() * (1 - share)
        }
        return rows.reshape(input.shape + [weight.shape[1]])
    }

    /// Sum, mean or largest elements of bags of rows of `weight` [count, dim]: [B, L] to [B, dim], or [N] cut at
    /// `offsets` [B] (with the end of the last bag too, if `includeLastOffset`). Rows of `paddingIdx` do not count; an
    /// empty bag gives zeros. `perSampleWeights`, of the input's shape, weigh the rows of a sum. Mirrors
    /// `F.embedding_bag`.
    public static func embeddingBag(
        _ input: Tensor, _ weight: Tensor, offsets: Tensor? = nil, maxNorm: Double? = nil, normType: Double = 2,
        scaleGradByFreq: Bool = false, mode: BagMode = .mean, perSampleWeights: Tensor? = nil,
        includeLastOffset: Bool = false, paddingIdx: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(
            input.rank == (offsets == nil ? 2 : 1),
            "embeddingBag: expected [B, L], or [N] with offsets, got \(input.shape)"
                + (offsets.map { " with offsets \($0.shape)" } ?? ""), site)
        require(
            perSampleWeights == nil || (mode == .sum && perSampleWeights!.shape == input.shape),
            "embeddingBag: perSampleWeights are for sums and have the input's shape \(input.shape)", site)
        var starts =
            offsets?.array(Int.self) ?? Array(stride(from: 0, to: input.count, by: Swift.max(1, input.shape[1])))
        if offsets != nil, includeLastOffset { starts.removeLast() }
        let ends = Array(starts.dropFirst()) + [input.count]
        require(
            (starts.first ?? 0) == 0 && zip(starts, ends).allSatisfy { $0 <= $1 },
            "embeddingBag: offsets begin with 0 and grow up to \(input.count)", site)

        let padding = paddingIdx.map { $0 < 0 ? $0 + weight.shape[0] : $0 }
        let flat = input.array(Int.self)
        let bags = zip(starts, ends).map { ($0..<$1).filter { flat[$0] != padding } }
        let places = bags.flatMap { $0 }
        let rows = embedding(
            Tensor(places.map { flat[$0] }), weight, maxNorm: maxNorm, normType: normType,
            scaleGradByFreq: scaleGradByFreq, file: file, line: line)
        let none = Tensor.zeros([bags.count, weight.shape[1]], dtype: weight.dtype)
        if mode == .max {
            var start = 0
            let largest = bags.enumerated().map { index, bag -> Tensor in
                defer { start += bag.count }
                if bag.isEmpty { return none.select(dim: 0, index: index) }
                return rows.narrow(dim: 0, start: start, length: bag.count).max(dim: 0).values
            }
            return largest.isEmpty ? none : Tensor.stack(largest)
        }
        let terms = perSampleWeights.map {
            rows * $0.reshape([-1]).indexSelect(dim: 0, index: Tensor(places)).unsqueeze(1)
        }
        let bagOfRow = Tensor(bags.enumerated().flatMap { index, bag in bag.map { _ in index } })
        let sums = none.indexAdd(dim: 0, index: bagOfRow, terms ?? rows, file: file, line: line)
        if mode == .sum { return sums }
        let lengths = bags.map { Double(Swift.max(1, $0.count)) }
        return sums / Tensor(lengths, shape: [bags.count, 1]).to(weight.dtype)
    }

    private static func occurrences(_ indices: [Int]) -> [Int: Int] {
        indices.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    /// Scales the rows that `index` names, and that are longer than `maxNorm`, down to it.
    private static func shorten(_ weight: Tensor, _ index: Tensor, to maxNorm: Double, _ normType: Double) {
        noGrad {
            for row in Set(index.array(Int.self)).sorted() {
                let values = weight.select(dim: 0, index: row)
                let length: Double = values.norm(p: normType).item()
                if length > maxNorm { values.copy_(values * (maxNorm / (length + 1e-7))) }
            }
        }
    }
}

/// Rows of a table by index, [*] int64 to [*, embeddingDim]. Mirrors `torch.nn.Embedding`.
public final class Embedding: Module {
    public let paddingIdx: Int?
    public let maxNorm: Double?
    public let normType: Double
    public let scaleGradByFreq: Bool
    /// [numEmbeddings, embeddingDim]
    public let weight: Tensor

    public init(
        _ numEmbeddings: Int, _ embeddingDim: Int, paddingIdx: Int? = nil, maxNorm: Double? = nil, normType: Double = 2,
        scaleGradByFreq: Bool = false
    ) {
        self.paddingIdx = position(paddingIdx, numEmbeddings)
        (self.maxNorm, self.normType, self.scaleGradByFreq) = (maxNorm, normType, scaleGradByFreq)
        weight = randomTable(numEmbeddings, embeddingDim, self.paddingIdx)
    }

    public override func forward(_ x: Tensor) -> Tensor {
        F.embedding(
            x, weight, paddingIdx: paddingIdx, maxNorm: maxNorm, normType: normType, scaleGradByFreq: scaleGradByFreq)
    }
    public override var extraDescription: String {
        "\(weight.shape[0]), \(weight.shape[1])" + (paddingIdx.map { ", padding_idx=\($0)" } ?? "")
    }
}

/// Sums, means or largest elements of bags of a table's rows: [B, L] int64 to [B, embeddingDim], or [N] with offsets.
/// Mirrors `torch.nn.EmbeddingBag`.
public final class EmbeddingBag: Module {
    public let paddingIdx: Int?
    public let maxNorm: Double?
    public let normType: Double
    public let scaleGradByFreq, includeLastOffset: Bool
    public let mode: F.BagMode
    /// [numEmbeddings, embeddingDim]
    public let weight: Tensor

    public init(
        _ numEmbeddings: Int, _ embeddingDim: Int, maxNorm: Double? = nil, normType: Double = 2,
        scaleGradByFreq: Bool = false, mode: F.BagMode = .mean, includeLastOffset: Bool = false, paddingIdx: Int? = nil
    ) {
        self.paddingIdx = position(paddingIdx, numEmbeddings)
        (self.maxNorm, self.normType, self.scaleGradByFreq) = (maxNorm, normType, scaleGradByFreq)
        (self.mode, self.includeLastOffset) = (mode, includeLastOffset)
        weight = randomTable(numEmbeddings, embeddingDim, self.paddingIdx)
    }

    public func callAsFunction(_ x: Tensor, _ offsets: Tensor?, perSampleWeights: Tensor? = nil) -> Tensor {
        withHooks([x]) {
            [
                F.embeddingBag(
                    $0[0], weight, offsets: offsets, maxNorm: maxNorm, normType: normType,
                    scaleGradByFreq: scaleGradByFreq, mode: mode, perSampleWeights: perSampleWeights,
                    includeLastOffset: includeLastOffset, paddingIdx: paddingIdx)
            ]
        }[0]
    }
    public override func forward(_ x: Tensor) -> Tensor {
        F.embeddingBag(
            x, weight, maxNorm: maxNorm, normType: normType, scaleGradByFreq: scaleGradByFreq, mode: mode,
            paddingIdx: paddingIdx)
    }
    public override var extraDescription: String {
        "\(weight.shape[0]), \(weight.shape[1]), mode='\(mode.rawValue)'"
            + (paddingIdx.map { ", padding_idx=\($0)" } ?? "")
    }
}

/// A padding index counted from the front. Traps if the table has no such row.
private func position(_ paddingIdx: Int?, _ rows: Int) -> Int? {
    guard let paddingIdx else { return nil }
    precondition((-rows..<rows).contains(paddingIdx), "Embedding: paddingIdx \(paddingIdx) is not one of \(rows) rows")
    return paddingIdx < 0 ? paddingIdx + rows : paddingIdx
}

/// Normal numbers, the padding's row zero.
private func randomTable(_ rows: Int, _ columns: Int, _ padding: Int?) -> Tensor {
    let table = Tensor.randn([rows, columns])
    if let padding { table.select(dim: 0, index: padding).zero_() }
    return table.requiresGrad()
}

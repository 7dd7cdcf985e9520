// Datasets made of others: parts, and several one after another.
import Tapestry

/// Some of another dataset's samples, in a given order. Mirrors `torch.utils.data.Subset`.
public struct Subset: Dataset {
    /// The whole, and which of its samples are meant, in order.
    public let dataset: any Dataset
    public let indices: [Int]

    /// Traps if an index is out of range.
    public init(
        _ dataset: any Dataset, indices: [Int], file: StaticString = #fileID, line: UInt = #line
    ) {
        let count = dataset.count
        require(
            indices.allSatisfy { $0 >= 0 && $0 < count },
            "Subset: index \(indices.first { $0 < 0 || $0 >= count } ?? 0) is out of 0 ..< \(count)",
            SourceSite(file, line))
        (self.dataset, self.indices) = (dataset, indices)
    }

    public var count: Int { indices.count }

    public func sample(_ index: Int) throws -> (input: Tensor, target: Tensor) { try dataset.sample(indices[index]) }

    public func batch(_ places: [Int]) throws -> (inputs: Tensor, targets: Tensor) {
        do {
            return try dataset.batch(places.map { indices[$0] })
        } catch let error as SampleError {
            throw error.renumbered { index in places.first { indices[$0] == index } ?? index }
        }
    }
}

/// The samples of several datasets, one dataset after another. Mirrors `torch.utils.data.ConcatDataset`.
public struct ConcatDataset: Dataset {
    /// In order.
    public let datasets: [any Dataset]
    /// Where each dataset begins, and the end of the last.
    private let starts: [Int]

    /// Datasets whose samples have the same shapes.
    public init(_ datasets: [any Dataset]) {
        self.datasets = datasets
        starts = datasets.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
    }

    public var count: Int { starts[starts.count - 1] }

    public func sample(_ index: Int) throws -> (input: Tensor, target: Tensor) {
        let owner = owner(of: index)
        return try datasets[owner].sample(index - starts[owner])
    }

    /// One batch of each dataset concerned, brought back into the order asked for.
    public func batch(_ indices: [Int]) throws -> (inputs: Tensor, targets: Tensor) {
        var places: [Int: [Int]] = [:]
        for (place, index) in indices.enumerated() { places[owner(of: index), default: []].append(place) }
        let owners = places.keys.sorted()
        let parts = try owners.map { owner in
            do {
                return try datasets[owner].batch(places[owner, default: []].map { indices[$0] - starts[owner] })
            } catch let error as SampleError {
                throw error.renumbered { $0 + starts[owner] }
            }
        }
        if parts.count == 1 { return parts[0] }
        var order = [Int](repeating: 0, count: indices.count)
        for (row, place) in owners.flatMap({ places[$0, default: []] }).enumerated() { order[place] = row }
        let rows = Tensor(order)
        return (
            Tensor.cat(parts.map(\.inputs)).indexSelect(dim: 0, index: rows),
            Tensor.cat(parts.map(\.targets)).indexSelect(dim: 0, index: rows)
        )
    }

    /// The dataset that a sample belongs to: the last that begins at or before it.
    private func owner(of index: Int) -> Int {
        precondition(index >= 0 && index < count, "ConcatDataset: sample \(index) of \(count)")
        var (low, high) = (0, datasets.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= index { low = middle } else { high = middle }
        }
        return low
    }
}

/// A dataset cut at random into parts of the given lengths. Mirrors `torch.utils.data.random_split`.
///
/// Traps unless the lengths sum to the dataset's.
public func randomSplit(
    _ dataset: any Dataset, _ lengths: [Int], generator: Generator = .default, file: StaticString = #fileID,
    line: UInt = #line
) -> [Subset] {
    require(
        lengths.allSatisfy { $0 >= 0 } && lengths.reduce(0, +) == dataset.count,
        "randomSplit: \(lengths) do not sum to \(dataset.count) samples", SourceSite(file, line))
    let order = generator.permutation(dataset.count)
    var start = 0
    return lengths.map { length in
        defer { start += length }
        return Subset(dataset, indices: Array(order[start..<start + length]))
    }
}

/// The same by shares of the whole, `[0.8, 0.2]`: each rounded down, what is left over given to the first parts, one
/// sample each. Traps unless the shares are not negative and sum to 1.
public func randomSplit(
    _ dataset: any Dataset, _ shares: [Double], generator: Generator = .default, file: StaticString = #fileID,
    line: UInt = #line
) -> [Subset] {
    require(
        shares.allSatisfy { $0 >= 0 } && abs(shares.reduce(0, +) - 1) < 1e-6,
        "randomSplit: the shares \(shares) do not sum to 1", SourceSite(file, line))
    var lengths = shares.map { Int((Double(dataset.count) * $0).rounded(.down)) }
    for index in 0..<max(0, dataset.count - lengths.reduce(0, +)) { lengths[index % lengths.count] += 1 }
    return randomSplit(dataset, lengths, generator: generator, file: file, line: line)
}

// Where samples come from.
@_exported import Tapestry

/// Samples by index: an input and its target, each a tensor. Mirrors `torch.utils.data.Dataset`.
public protocol Dataset: Sendable {
    /// Number of samples.
    var count: Int { get }
    /// One sample.
    func sample(_ index: Int) throws -> (input: Tensor, target: Tensor)
    /// Several samples as rows of two tensors. Datasets in memory do it by one gather; the default stacks samples.
    func batch(_ indices: [Int]) throws -> (inputs: Tensor, targets: Tensor)
}

extension Dataset {
    public func batch(_ indices: [Int]) throws -> (inputs: Tensor, targets: Tensor) {
        let samples = try indices.map { try sample($0) }
        return (Tensor.stack(samples.map(\.input)), Tensor.stack(samples.map(\.target)))
    }
}

/// Rows of two tensors of equal length. Mirrors `torch.utils.data.TensorDataset`.
public struct TensorDataset: Dataset {
    public let inputs, targets: Tensor

    /// Traps unless both tensors have as many rows.
    public init(_ inputs: Tensor, _ targets: Tensor) {
        precondition(
            inputs.rank > 0 && targets.rank > 0 && inputs.shape[0] == targets.shape[0],
            "TensorDataset: inputs \(inputs.shape) and targets \(targets.shape) differ in their number of rows")
        (self.inputs, self.targets) = (inputs, targets)
    }

    public var count: Int { inputs.shape[0] }
    public func sample(_ index: Int) -> (input: Tensor, target: Tensor) {
        (inputs.select(dim: 0, index: index), targets.select(dim: 0, index: index))
    }
    public func batch(_ indices: [Int]) -> (inputs: Tensor, targets: Tensor) {
        let rows = Tensor(indices)
        return (inputs.indexSelect(dim: 0, index: rows), targets.indexSelect(dim: 0, index: rows))
    }
}

/// Some of another dataset's samples, in a given order. Mirrors `torch.utils.data.Subset`.
public struct Subset: Dataset {
    public let dataset: any Dataset
    public let indices: [Int]

    /// Traps if an index is out of range.
    public init(_ dataset: any Dataset, indices: [Int]) {
        precondition(
            indices.allSatisfy { $0 >= 0 && $0 < dataset.count }, "Subset: an index is out of 0 ..< \(dataset.count)")
        (self.dataset, self.indices) = (dataset, indices)
    }

    public var count: Int { indices.count }
    public func sample(_ index: Int) throws -> (input: Tensor, target: Tensor) { try dataset.sample(indices[index]) }
    public func batch(_ places: [Int]) throws -> (inputs: Tensor, targets: Tensor) {
        try dataset.batch(places.map { indices[$0] })
    }
}

/// A dataset cut at random into parts of the given lengths. Mirrors `torch.utils.data.random_split`.
///
/// Traps unless the lengths sum to the dataset's.
public func randomSplit(
    _ dataset: any Dataset, _ lengths: [Int], generator: Generator = .default
) -> [Subset] {
    precondition(
        lengths.reduce(0, +) == dataset.count, "randomSplit: \(lengths) do not sum to \(dataset.count) samples")
    let order = generator.permutation(dataset.count)
    var start = 0
    return lengths.map { length in
        defer { start += length }
        return Subset(dataset, indices: Array(order[start..<start + length]))
    }
}

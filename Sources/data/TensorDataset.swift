// Samples in memory.
import Tapestry

/// Rows of two tensors of equal length. Mirrors `torch.utils.data.TensorDataset`.
///
/// A batch is one gather of each tensor, after which `transform` is applied to all its inputs at once.
public struct TensorDataset: Dataset {
    /// Samples are their rows.
    public let inputs, targets: Tensor
    /// Applied to the inputs of each batch, [N, …]; may draw random numbers for each row.
    public let transform: (@Sendable (Tensor) throws -> Tensor)?

    /// Traps unless both tensors have as many rows.
    public init(
        _ inputs: Tensor, _ targets: Tensor, transform: (@Sendable (Tensor) throws -> Tensor)? = nil,
        file: StaticString = #fileID, line: UInt = #line
    ) {
        require(
            inputs.rank > 0 && targets.rank > 0 && inputs.shape[0] == targets.shape[0],
            "TensorDataset: inputs \(inputs.shape) and targets \(targets.shape) differ in their number of rows",
            SourceSite(file, line))
        // Contiguous once, so that a gather need not make them so for every batch.
        (self.inputs, self.targets) = (inputs.detach().contiguous(), targets.detach().contiguous())
        self.transform = transform
    }

    public var count: Int { inputs.shape[0] }

    public func sample(_ index: Int) throws -> (input: Tensor, target: Tensor) {
        let target = targets.select(dim: 0, index: index)
        guard let transform else { return (inputs.select(dim: 0, index: index), target) }
        return (try transform(inputs.narrow(dim: 0, start: index, length: 1)).select(dim: 0, index: 0), target)
    }

    public func batch(_ indices: [Int]) throws -> (inputs: Tensor, targets: Tensor) {
        let rows = Tensor(indices)
        let batch = inputs.indexSelect(dim: 0, index: rows)
        return (try transform?(batch) ?? batch, targets.indexSelect(dim: 0, index: rows))
    }
}

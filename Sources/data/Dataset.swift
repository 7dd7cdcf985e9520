// Where samples come from.
@_exported import Tapestry

/// Samples by index: an input and its target, each a tensor. Mirrors `torch.utils.data.Dataset`.
///
/// A loader with workers calls `sample` and `batch` from several threads at a time.
public protocol Dataset: Sendable {
    /// Number of samples.
    var count: Int { get }
    /// One sample.
    func sample(_ index: Int) throws -> (input: Tensor, target: Tensor)
    /// Several samples as rows of two tensors. Datasets in memory do it by one gather; the default stacks samples.
    func batch(_ indices: [Int]) throws -> (inputs: Tensor, targets: Tensor)
}

extension Dataset {
    /// - Throws: `SampleError` naming the sample that could not be had or that has another shape than the first.
    public func batch(_ indices: [Int]) throws -> (inputs: Tensor, targets: Tensor) {
        let samples = try indices.map { index in try naming([index]) { try sample(index) } }
        for (index, sample) in zip(indices, samples) {
            try naming([index]) { try requireSameShapes(samples[0], sample, as: indices[0]) }
        }
        return (Tensor.stack(samples.map(\.input)), Tensor.stack(samples.map(\.target)))
    }
}

/// Samples one after another, as many as there are: from a stream, a pipe, a generator without an end.
/// Mirrors `torch.utils.data.IterableDataset`.
public protocol IterableDataset: Sendable {
    /// Begins a pass: a function that gives the next sample each time it is called, nil after the last.
    ///
    /// A pass is used by one thread; with workers that is a background one.
    func makeSamples() throws -> () throws -> (input: Tensor, target: Tensor)?
}

/// What went wrong with a sample, or with a batch of which it is not known whose fault it was.
public struct SampleError: Error, CustomStringConvertible {
    /// Indices in the dataset that the loader goes through.
    public let samples: [Int]
    /// What the dataset or the collating closure threw.
    public let underlying: any Error

    public var description: String {
        guard samples.count != 1 else { return "sample \(samples[0]): \(underlying)" }
        let shown = samples.prefix(8).map(String.init).joined(separator: ", ")
        return "the batch of samples \(shown)\(samples.count > 8 ? ", …" : ""): \(underlying)"
    }

    /// The same with indices of another dataset, of which this one is a part.
    func renumbered(_ index: (Int) -> Int) -> SampleError {
        SampleError(samples: samples.map(index), underlying: underlying)
    }
}

/// Runs `body`; what it throws is said to be the fault of samples, unless it says so itself.
func naming<Result>(_ samples: [Int], _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as SampleError { throw error } catch {
        throw SampleError(samples: samples, underlying: error)
    }
}

/// Samples that cannot be rows of one tensor.
private struct ShapeMismatch: Error, CustomStringConvertible {
    let description: String
}

/// Throws unless a sample has the shapes that the first of its batch has.
func requireSameShapes(
    _ first: (input: Tensor, target: Tensor), _ other: (input: Tensor, target: Tensor), as index: Int
) throws {
    for (part, a, b) in [("input", first.input, other.input), ("target", first.target, other.target)]
    where a.shape != b.shape {
        throw ShapeMismatch(
            description: "the \(part) has shape \(b.shape), that of sample \(index) in the same batch \(a.shape); "
                + "bring them to one shape, or give the loader a collate closure")
    }
}

// Batches of a dataset, in order or shuffled.

/// Goes through a dataset in batches; each iteration is an epoch with an order of its own.
///
///     for (images, labels) in DataLoader(dataset, batchSize: 50, shuffle: true) { … }
///
/// With the same seed the order is that of `torch.utils.data.DataLoader`. An error of the dataset ends the program with
/// its description; use `batches()` to catch it.
public struct DataLoader: Sequence {
    public let dataset: any Dataset
    public let batchSize: Int
    public let shuffle, dropLast: Bool
    /// Where the order comes from; the default generator if nil.
    public let generator: Tapestry.Generator?

    /// Traps unless `batchSize` is positive.
    public init(
        _ dataset: any Dataset, batchSize: Int = 1, shuffle: Bool = false, dropLast: Bool = false,
        generator: Tapestry.Generator? = nil
    ) {
        precondition(batchSize > 0, "DataLoader: batchSize \(batchSize) is not positive")
        (self.dataset, self.batchSize) = (dataset, batchSize)
        (self.shuffle, self.dropLast, self.generator) = (shuffle, dropLast, generator)
    }

    /// Number of batches in an epoch. Mirrors `len(loader)`.
    public var count: Int {
        let (whole, rest) = dataset.count.quotientAndRemainder(dividingBy: batchSize)
        return rest == 0 || dropLast ? whole : whole + 1
    }
    public var underestimatedCount: Int { count }

    /// The batches of an epoch.
    public struct Iterator: IteratorProtocol {
        private var batches: Batches
        fileprivate init(_ batches: Batches) { self.batches = batches }
        public mutating func next() -> (Tensor, Tensor)? {
            do { return try batches.next() } catch { fatalError("DataLoader: \(error)") }
        }
    }

    /// The batches of an epoch; `next` throws what the dataset throws.
    public struct Batches {
        private let loader: DataLoader
        private let order: [Int]
        private var position = 0
        private var isExhausted = false

        fileprivate init(_ loader: DataLoader) {
            self.loader = loader
            // As torch: an epoch first takes a seed for its workers, used or not.
            let source = loader.generator ?? .default
            _ = source.random64()
            guard loader.shuffle else {
                order = Array(0..<loader.dataset.count)
                return
            }
            if let generator = loader.generator {
                order = generator.permutation(loader.dataset.count)
            } else {
                let seed = source.random64() % (1 << 63)
                order = Tapestry.Generator(seed: seed).permutation(loader.dataset.count)
            }
        }

        /// The next batch, nil after the last.
        public mutating func next() throws -> (Tensor, Tensor)? {
            let length = Swift.min(loader.batchSize, order.count - position)
            if length < loader.batchSize { exhaust() }
            guard length > 0, length == loader.batchSize || !loader.dropLast else { return nil }
            let indices = Array(order[position..<position + length])
            position += length
            let batch = try loader.dataset.batch(indices)
            return (batch.inputs, batch.targets)
        }

        /// As torch's sampler with a generator of its own, which draws another order when it looks for samples beyond
        /// the last: once, and before a batch that is not full.
        private mutating func exhaust() {
            guard !isExhausted else { return }
            isExhausted = true
            if loader.shuffle, let generator = loader.generator { _ = generator.permutation(order.count) }
        }
    }

    public func makeIterator() -> Iterator { Iterator(Batches(self)) }
    /// A new epoch whose errors can be caught.
    public func batches() -> Batches { Batches(self) }
}

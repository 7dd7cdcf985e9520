// Batches of a dataset, made as they are asked for or ahead of it.
import Tapestry

/// Goes through a dataset in batches; each iteration is an epoch with an order of its own.
/// Mirrors `torch.utils.data.DataLoader`.
///
///     for (images, labels) in DataLoader(dataset, batchSize: 50, shuffle: true) { … }
///
/// A `for` loop cannot throw: there an error of the dataset ends the program with one line. To catch it:
///
///     var batches = loader.batches()
///     while let (images, labels) = try batches.next() { … }
///
/// With `numWorkers` above zero, threads make the next batches while the caller uses one. With the same seed the order is
/// that of torch, whatever the number of workers. In a worker, random numbers of the default generator come from one
/// seeded for the batch: they too do not depend on the number of workers (other than none, which draws from the program's
/// generator, as torch). Threads end when the epoch does, or when the iteration is dropped.
public struct DataLoader: Sequence {
    /// Makes a batch of samples, in a worker if there is one: pads them to one length, for example.
    public typealias Collate = @Sendable (_ samples: [(input: Tensor, target: Tensor)]) throws -> (Tensor, Tensor)

    private enum Source {
        case indexed(any Dataset, any BatchSampling)
        case stream(any IterableDataset, batchSize: Int, dropLast: Bool)
    }
    private let source: Source
    private let collate: Collate?
    /// Threads that make batches, and how many batches ahead each.
    public let numWorkers, prefetchFactor: Int
    /// Where the order comes from; the default generator if nil.
    public let generator: Tapestry.Generator?

    /// A loader of samples by index.
    ///
    /// - Parameters:
    ///   - dataset: where samples come from; several workers ask it at a time.
    ///   - batchSize: samples in a batch; the last one is shorter if they do not come out even.
    ///   - shuffle: a random order, another one in every epoch.
    ///   - sampler: another order; not with `shuffle`.
    ///   - numWorkers: threads that make batches; with 0 the caller's does.
    ///   - collate: makes a batch of single samples instead of the dataset's own `batch`.
    ///   - dropLast: leaves out a shorter last batch.
    ///   - generator: for `shuffle`.
    ///   - prefetchFactor: batches made ahead for each worker.
    ///
    /// Traps for sizes that are not positive and for options that exclude each other.
    public init(
        _ dataset: any Dataset, batchSize: Int = 1, shuffle: Bool = false, sampler: (any Sampler)? = nil,
        numWorkers: Int = 0, collate: Collate? = nil, dropLast: Bool = false, generator: Tapestry.Generator? = nil,
        prefetchFactor: Int = 2, file: StaticString = #fileID, line: UInt = #line
    ) {
        let site = SourceSite(file, line)
        require(batchSize > 0, "DataLoader: batchSize \(batchSize) is not positive", site)
        require(!shuffle || sampler == nil, "DataLoader: shuffle and a sampler exclude each other", site)
        let order: any Sampler =
            sampler
            ?? (shuffle ? RandomSampler(dataset.count, generator: generator) : SequentialSampler(dataset.count))
        self.init(
            .indexed(dataset, BatchSampler(order, batchSize: batchSize, dropLast: dropLast)), numWorkers, collate,
            generator, prefetchFactor, site)
    }

    /// A loader of batches whose indices a sampler of batches chooses.
    public init(
        _ dataset: any Dataset, batchSampler: any BatchSampling, numWorkers: Int = 0, collate: Collate? = nil,
        generator: Tapestry.Generator? = nil, prefetchFactor: Int = 2, file: StaticString = #fileID, line: UInt = #line
    ) {
        self.init(
            .indexed(dataset, batchSampler), numWorkers, collate, generator, prefetchFactor, SourceSite(file, line))
    }

    /// A loader of a stream of samples, in its order. One thread reads ahead if there are workers: more would each see a
    /// stream of their own.
    public init(
        _ dataset: any IterableDataset, batchSize: Int = 1, numWorkers: Int = 0, collate: Collate? = nil,
        dropLast: Bool = false, generator: Tapestry.Generator? = nil, prefetchFactor: Int = 2,
        file: StaticString = #fileID, line: UInt = #line
    ) {
        let site = SourceSite(file, line)
        require(batchSize > 0, "DataLoader: batchSize \(batchSize) is not positive", site)
        self.init(
            .stream(dataset, batchSize: batchSize, dropLast: dropLast), numWorkers, collate, generator, prefetchFactor,
            site)
    }

    private init(
        _ source: Source, _ numWorkers: Int, _ collate: Collate?, _ generator: Tapestry.Generator?,
        _ prefetchFactor: Int, _ site: SourceSite
    ) {
        require((0...1024).contains(numWorkers), "DataLoader: numWorkers \(numWorkers) is not in 0...1024", site)
        require(
            (1...1024).contains(prefetchFactor), "DataLoader: prefetchFactor \(prefetchFactor) is not in 1...1024", site
        )
        (self.source, self.numWorkers, self.collate) = (source, numWorkers, collate)
        (self.generator, self.prefetchFactor) = (generator, prefetchFactor)
    }

    /// The dataset. Traps for a stream.
    public var dataset: any Dataset {
        guard case .indexed(let dataset, _) = source else { fail("DataLoader: a stream has no samples by index", nil) }
        return dataset
    }

    /// Number of batches in an epoch. Traps for a stream, whose end is not known. Mirrors `len(loader)`.
    public var count: Int {
        guard case .indexed(_, let batches) = source else {
            fail("DataLoader: the number of a stream's batches is not known", nil)
        }
        return batches.count
    }

    public var underestimatedCount: Int {
        if case .indexed(_, let batches) = source { batches.count } else { 0 }
    }

    public func makeIterator() -> Iterator { Iterator(batches: batches()) }

    /// A new epoch whose errors can be caught.
    public func batches() -> Batches { Batches(epoch: Epoch(self)) }

    /// The batches of an epoch; an error ends the program.
    public struct Iterator: IteratorProtocol {
        fileprivate var batches: Batches

        public mutating func next() -> (Tensor, Tensor)? {
            do { return try batches.next() } catch { fail("DataLoader: \(error)", nil) }
        }
    }

    /// The batches of an epoch. Copies go on from where any of them is.
    public struct Batches {
        fileprivate let epoch: Epoch

        /// The next batch, nil after the last. After an error of a dataset the next call goes on with the batch behind;
        /// a stream is at its end.
        ///
        /// - Throws: `SampleError`, which names the sample.
        public mutating func next() throws -> (Tensor, Tensor)? { try epoch.next() }

        /// How long `next` has waited for workers, but for the first batch, in seconds.
        public var secondsWaited: Double { epoch.secondsWaited }
    }

    // MARK: An epoch

    /// How the batches of an epoch are made: by orders (indices; for a stream, nothing) and what carries them out, which
    /// gives nil where a stream ends.
    fileprivate var plan: (orders: AnyIterator<[Int]>, fetch: @Sendable ([Int]) throws -> (Tensor, Tensor)?) {
        let collate = collate
        switch source {
        case .indexed(let dataset, let batches):
            return (
                erased(batches),
                { indices in
                    guard let collate else {
                        let batch = try naming(indices) { try dataset.batch(indices) }
                        return (batch.inputs, batch.targets)
                    }
                    let samples = try indices.map { index in try naming([index]) { try dataset.sample(index) } }
                    return try naming(indices) { try collate(samples) }
                }
            )
        case .stream(let dataset, let batchSize, let dropLast):
            let pass = StreamPass(dataset, batchSize: batchSize, dropLast: dropLast, collate: collate)
            return (AnyIterator { [] }, { _ in try pass.next() })
        }
    }
    fileprivate var threads: Int {
        if case .stream = source { Swift.min(1, numWorkers) } else { numWorkers }
    }
}

private func erased(_ batches: some BatchSampling) -> AnyIterator<[Int]> { AnyIterator(batches.makeIterator()) }

/// One way through a dataset. Its end, or that of the last who holds it, ends the threads.
private final class Epoch {
    private let orders: AnyIterator<[Int]>
    private let fetch: @Sendable ([Int]) throws -> (Tensor, Tensor)?
    private let prefetcher: Prefetcher<[Int], (Tensor, Tensor)?>?
    /// Batches made ahead at most.
    private let ahead: Int
    private var hasEnded = false

    init(_ loader: DataLoader) {
        // As torch: an epoch first takes a seed for its workers, used or not.
        let seed = (loader.generator ?? .default).random64()
        let (orders, fetch) = loader.plan
        (self.orders, self.fetch) = (orders, fetch)
        ahead = loader.threads * loader.prefetchFactor
        guard loader.threads > 0 else {
            prefetcher = nil
            return
        }
        prefetcher = Prefetcher(threads: loader.threads) { number, indices in
            try Generator.$forked.withValue(Generator(seed: seed &+ UInt64(number))) { try fetch(indices) }
        }
        order()
    }

    deinit { prefetcher?.close() }

    var secondsWaited: Double { prefetcher?.secondsWaited ?? 0 }

    func next() throws -> (Tensor, Tensor)? {
        guard !hasEnded else { return nil }
        order()
        let batch =
            if let prefetcher {
                prefetcher.pending > 0 ? try prefetcher.take() : nil
            } else {
                try orders.next().flatMap(fetch)
            }
        if batch == nil {
            hasEnded = true
            prefetcher?.close()
        }
        return batch
    }

    /// Gives as many orders as may be open.
    private func order() {
        guard let prefetcher else { return }
        while prefetcher.pending < ahead, let indices = orders.next() { prefetcher.give(indices) }
    }
}

/// One pass over a stream, used by one thread at a time: the caller's, or the only worker's.
private final class StreamPass: @unchecked Sendable {
    private let dataset: any IterableDataset
    private let batchSize: Int
    private let dropLast: Bool
    private let collate: DataLoader.Collate?
    private var nextSample: (() throws -> (input: Tensor, target: Tensor)?)?
    private var read = 0
    private var hasEnded = false

    init(_ dataset: any IterableDataset, batchSize: Int, dropLast: Bool, collate: DataLoader.Collate?) {
        (self.dataset, self.batchSize, self.dropLast, self.collate) = (dataset, batchSize, dropLast, collate)
    }

    /// The next batch, nil after the last and after an error.
    func next() throws -> (Tensor, Tensor)? {
        guard !hasEnded else { return nil }
        hasEnded = true
        let first = read
        var samples: [(input: Tensor, target: Tensor)] = []
        while samples.count < batchSize {
            let sample = try naming([read]) {
                if nextSample == nil { nextSample = try dataset.makeSamples() }
                let sample = try nextSample?()
                if let sample, collate == nil, let start = samples.first {
                    try requireSameShapes(start, sample, as: first)
                }
                return sample
            }
            guard let sample else { break }
            samples.append(sample)
            read += 1
        }
        guard !samples.isEmpty, samples.count == batchSize || !dropLast else { return nil }
        hasEnded = samples.count < batchSize
        guard let collate else { return (Tensor.stack(samples.map(\.input)), Tensor.stack(samples.map(\.target))) }
        return try naming(Array(first..<read)) { try collate(samples) }
    }
}

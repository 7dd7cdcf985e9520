// In which order a dataset's samples are taken. With the same seed the numbers are torch's, drawn when torch draws them.
import Tapestry

/// Indices of an epoch; each iteration is a new one. Mirrors `torch.utils.data.Sampler`.
public protocol Sampler: Sequence<Int>, Sendable {
    /// How many indices an epoch has.
    var count: Int { get }
}

/// `0, 1, … count − 1`. Mirrors `torch.utils.data.SequentialSampler`.
public struct SequentialSampler: Sampler {
    /// The dataset's number of samples.
    public let count: Int
    /// Traps if the number is negative.
    public init(_ count: Int, file: StaticString = #fileID, line: UInt = #line) {
        require(count >= 0, "SequentialSampler: \(count) samples", SourceSite(file, line))
        self.count = count
    }
    public func makeIterator() -> Range<Int>.Iterator { (0..<count).makeIterator() }
}

/// Indices below a number at random, each once or with replacement. Mirrors `torch.utils.data.RandomSampler`.
public struct RandomSampler: Sampler {
    /// How many indices there are to draw from, and how many are drawn.
    public let population, count: Int
    /// Whether an index may come again before all have come.
    public let replacement: Bool
    /// Where the order comes from; if nil, a generator seeded by the default one for each epoch.
    public let generator: Tapestry.Generator?

    /// - Parameters:
    ///   - population: the dataset's number of samples.
    ///   - replacement: whether an index may come again before all have come.
    ///   - numSamples: how many to draw, all if nil; more than there are means several orders one after another.
    ///
    /// Traps for negative numbers, and if something is to be drawn from nothing.
    public init(
        _ population: Int, replacement: Bool = false, numSamples: Int? = nil, generator: Tapestry.Generator? = nil,
        file: StaticString = #fileID, line: UInt = #line
    ) {
        let count = numSamples ?? population
        require(
            population >= 0 && count >= 0 && (population > 0 || count == 0),
            "RandomSampler: \(count) of \(population) samples", SourceSite(file, line))
        (self.population, self.count, self.replacement, self.generator) = (population, count, replacement, generator)
    }

    public func makeIterator() -> Iterator { Iterator(self) }

    /// Draws in pieces: whole orders, or 32 indices at a time with replacement. The last piece is drawn even if nothing
    /// of it is needed, as torch does, which shows when somebody else draws from the same generator.
    public struct Iterator: IteratorProtocol {
        private let sampler: RandomSampler
        private var generator: Tapestry.Generator?
        private var piece: ArraySlice<Int> = []
        private var left: Int
        private var isFinished = false

        fileprivate init(_ sampler: RandomSampler) { (self.sampler, left) = (sampler, sampler.count) }

        public mutating func next() -> Int? {
            while piece.isEmpty, !isFinished { draw() }
            return piece.popFirst()
        }

        private mutating func draw() {
            let source =
                generator ?? sampler.generator
                ?? Tapestry.Generator(seed: Tapestry.Generator.default.random64() % (1 << 63))
            generator = source
            let size = sampler.replacement ? 32 : sampler.population
            isFinished = left < size || size == 0
            let length = Swift.min(left, size)
            if sampler.replacement {
                piece = length == 0 ? [] : Tensor.randint(sampler.population, [length], generator: source).array()[...]
            } else {
                piece = source.permutation(size)[..<length]
            }
            left -= length
        }
    }
}

/// Indices at random in proportion to weights, which need not sum to 1: to see rare classes more often. Mirrors
/// `torch.utils.data.WeightedRandomSampler`.
public struct WeightedRandomSampler: Sampler {
    /// How likely each index is, not necessarily summing to 1; how many are drawn; and whether one may come again.
    public let weights: [Double]
    public let count: Int
    public let replacement: Bool
    /// Where the order comes from; the default generator if nil.
    public let generator: Tapestry.Generator?

    /// Traps unless weights are finite, not negative and not all zero, and without replacement if more are to be drawn
    /// than have a weight.
    public init(
        _ weights: [Double], numSamples: Int, replacement: Bool = true, generator: Tapestry.Generator? = nil,
        file: StaticString = #fileID, line: UInt = #line
    ) {
        let site = SourceSite(file, line)
        require(
            weights.allSatisfy { $0 >= 0 && $0.isFinite } && weights.contains { $0 > 0 },
            "WeightedRandomSampler: \(weights.count) weights, expected finite ones, not negative and not all zero", site
        )
        require(
            numSamples >= 0 && (replacement || numSamples <= weights.count { $0 > 0 }),
            "WeightedRandomSampler: \(numSamples) samples without replacement of \(weights.count { $0 > 0 })", site)
        (self.weights, count, self.replacement, self.generator) = (weights, numSamples, replacement, generator)
    }

    public func makeIterator() -> Array<Int>.Iterator {
        let source = generator ?? .default
        let weights = Tensor(weights)
        guard !replacement || count == 1 else {
            return weights.multinomial(count, generator: source).array().makeIterator()
        }
        // Each weight divided by an exponential number: the largest quotients are a draw without replacement.
        let race = weights / Tensor.empty(weights.shape, dtype: .float64).exponential_(generator: source)
        return Array(race.argsort(descending: true).array(Int.self).prefix(count)).makeIterator()
    }
}

/// Given indices in random order. Mirrors `torch.utils.data.SubsetRandomSampler`.
public struct SubsetRandomSampler: Sampler {
    /// What is brought into an order.
    public let indices: [Int]
    /// Where the order comes from; the default generator if nil.
    public let generator: Tapestry.Generator?

    /// A new order of all the indices in every epoch.
    public init(_ indices: [Int], generator: Tapestry.Generator? = nil) {
        (self.indices, self.generator) = (indices, generator)
    }

    public var count: Int { indices.count }
    public func makeIterator() -> Array<Int>.Iterator {
        (generator ?? .default).permutation(indices.count).map { indices[$0] }.makeIterator()
    }
}

/// Batches of indices; each iteration is a new epoch. `BatchSampler` is the usual one; another can put samples of like
/// length together.
public protocol BatchSampling: Sequence<[Int]>, Sendable {
    /// How many batches an epoch has.
    var count: Int { get }
}

/// A sampler's indices in batches of a size, the last one shorter or dropped. Mirrors `torch.utils.data.BatchSampler`.
public struct BatchSampler: BatchSampling {
    /// Where indices come from, how many make a batch, and whether a shorter last batch is left out.
    public let sampler: any Sampler
    public let batchSize: Int
    public let dropLast: Bool

    /// Traps unless `batchSize` is positive.
    public init(
        _ sampler: any Sampler, batchSize: Int, dropLast: Bool = false, file: StaticString = #fileID, line: UInt = #line
    ) {
        require(batchSize > 0, "BatchSampler: batchSize \(batchSize) is not positive", SourceSite(file, line))
        (self.sampler, self.batchSize, self.dropLast) = (sampler, batchSize, dropLast)
    }

    public var count: Int {
        let (whole, rest) = sampler.count.quotientAndRemainder(dividingBy: batchSize)
        return rest == 0 || dropLast ? whole : whole + 1
    }

    /// Asks the sampler for no more than a batch at a time.
    public func makeIterator() -> AnyIterator<[Int]> {
        let indices = erased(sampler)
        return AnyIterator {
            var batch: [Int] = []
            while batch.count < batchSize, let index = indices.next() { batch.append(index) }
            return batch.isEmpty || dropLast && batch.count < batchSize ? nil : batch
        }
    }
}

private func erased(_ sampler: some Sampler) -> AnyIterator<Int> { AnyIterator(sampler.makeIterator()) }

// Loaders whose batches are made by threads in the background, streams, and what is collated by hand.
import Foundation
import Synchronization
import Testing
import data

/// Index i as its own input and target.
private func indices(_ count: Int) -> TensorDataset {
    TensorDataset(Tensor.arange(count).reshape([count, 1]), Tensor.arange(count))
}

private func epoch(_ loader: DataLoader) -> [[Int]] { loader.map { $0.1.array(Int.self) } }

/// 0, 1, 2, …, as a stream; throws at `broken`.
private struct Stream: IterableDataset {
    var length = Int.max
    var broken = -1
    func makeSamples() -> () throws -> (input: Tensor, target: Tensor)? {
        var next = 0
        return {
            guard next < length else { return nil }
            if next == broken { throw Squares.Damage() }
            defer { next += 1 }
            return (Tensor([Float(next)]), Tensor(next))
        }
    }
}

/// Counts its calls; later samples are ready sooner.
private final class Counted: Dataset {
    let count: Int
    let calls = Atomic<Int>(0)
    init(_ count: Int) { self.count = count }
    func sample(_ index: Int) -> (input: Tensor, target: Tensor) {
        calls.wrappingAdd(1, ordering: .relaxed)
        Thread.sleep(forTimeInterval: index % 4 == 0 ? 0.004 : 0.0005)
        return (Tensor([index]), Tensor(index))
    }
}

@Suite struct WorkerTests {
    @Test(arguments: [1, 2, 5])
    func theOrderDoesNotDependOnTheNumberOfWorkers(_ workers: Int) {
        for (shuffle, dropLast, factor) in [(true, false, 2), (true, true, 1), (false, false, 3)] {
            func epochs(_ numWorkers: Int) -> [[[Int]]] {
                let loader = DataLoader(
                    indices(23), batchSize: 4, shuffle: shuffle, numWorkers: numWorkers, dropLast: dropLast,
                    generator: Tapestry.Generator(seed: 8), prefetchFactor: factor)
                return (0..<3).map { _ in epoch(loader) }
            }
            #expect(epochs(workers) == epochs(0))
        }
        let slow = DataLoader(Counted(40), batchSize: 1, numWorkers: workers)
        #expect(epoch(slow) == (0..<40).map { [$0] })
        #expect(epoch(DataLoader(indices(0), numWorkers: workers)) == [])
    }

    /// In a process of its own: here other tests draw from the default generator at the same time.
    @Test func theDefaultGeneratorIsDrawnFromAsTorchsWithWorkersToo() async {
        await #expect(processExitsWith: .success) {
            for workers in [0, 2] {
                manualSeed(4)
                let sampled = DataLoader(
                    indices(11), batchSize: 4, sampler: RandomSampler(11, replacement: true, numSamples: 9),
                    numWorkers: workers)
                #expect(epoch(sampled) == [[7, 5, 10, 9], [8, 5, 5, 1], [4]])
                #expect(Tensor.rand([1]).item() == 0.007194578647613525)
                manualSeed(4)
                #expect(
                    epoch(DataLoader(indices(11), batchSize: 4, shuffle: true, numWorkers: workers))
                        == [[7, 8, 4, 2], [6, 3, 10, 5], [9, 1, 0]])
                #expect(Tensor.rand([1]).item() == 0.007194578647613525)
            }
        }
    }

    @Test(arguments: [0, 2])
    func anOwnGeneratorAndASamplerAreTorchs(_ workers: Int) {
        let generator = Tapestry.Generator(seed: 8)
        let shuffled = DataLoader(indices(11), batchSize: 4, shuffle: true, numWorkers: workers, generator: generator)
        #expect(epoch(shuffled) == [[6, 10, 9, 5], [0, 8, 3, 1], [7, 4, 2]])
        #expect(Tensor.rand([1], generator: generator).item() == 0.10682004690170288)
        let weighted = DataLoader(
            indices(11), batchSize: 4,
            sampler: WeightedRandomSampler([1, 2, 3, 4], numSamples: 10, generator: Tapestry.Generator(seed: 6)),
            numWorkers: workers, dropLast: true, generator: Tapestry.Generator(seed: 8))
        #expect(epoch(weighted) == [[2, 3, 3, 2], [2, 3, 0, 3]])
        let batched = DataLoader(
            indices(7), batchSampler: BatchSampler(SequentialSampler(7), batchSize: 3), numWorkers: workers)
        #expect(epoch(batched) == [[0, 1, 2], [3, 4, 5], [6]])
        #expect(batched.count == 3)
    }

    /// Augmentation is the same with any number of workers, and other in every epoch.
    @Test func whatTransformsDrawDoesNotDependOnTheNumberOfWorkers() {
        let noisy = TensorDataset(Tensor.zeros([20, 3]), Tensor.arange(20), transform: { $0 + Tensor.rand($0.shape) })
        func noise(_ workers: Int) -> [[Float]] {
            let loader = DataLoader(
                noisy, batchSize: 3, numWorkers: workers, generator: Tapestry.Generator(seed: 1))
            return (0..<2).map { _ in loader.flatMap { $0.0.array(Float.self) } }
        }
        let one = noise(1)
        #expect(one[0] != one[1])
        #expect(noise(2) == one)
        #expect(noise(4) == one)
    }

    @Test func batchesAreMadeAheadButNotWithoutBounds() throws {
        let dataset = Counted(100)
        var batches = DataLoader(dataset, batchSize: 2, numWorkers: 2, prefetchFactor: 3).batches()
        _ = try batches.next()
        Thread.sleep(forTimeInterval: 0.2)
        // One taken, six ahead but for the one whose place was free.
        let made = dataset.calls.load(ordering: .relaxed)
        #expect(made >= 10 && made <= 14, "\(made)")
        #expect(batches.secondsWaited == 0)
    }

    @Test(arguments: [0, 1, 3])
    func errorsReachTheConsumerInTheirPlaceAndNameTheSample(_ workers: Int) throws {
        let loader = DataLoader(Squares(count: 9, broken: [4]), batchSize: 2, numWorkers: workers)
        var batches = loader.batches()
        #expect(try batches.next()?.1.array(Int.self) == [0, 1])
        #expect(try batches.next()?.1.array(Int.self) == [2, 3])
        let error = #expect(throws: SampleError.self) { try batches.next() }
        #expect(error?.samples == [4])
        #expect(error?.underlying is Squares.Damage)
        #expect(error.map { "\($0)" } == "sample 4: it is damaged")
        // Whoever wants to can go on behind it.
        #expect(try batches.next()?.1.array(Int.self) == [6, 7])
        #expect(try batches.next()?.1.array(Int.self) == [8])
        #expect(try batches.next() == nil)
        #expect(try batches.next() == nil)
    }

    @Test(arguments: [0, 2])
    func errorsOfBatchesNameThemAll(_ workers: Int) throws {
        let failing = TensorDataset(Tensor.arange(4), Tensor.arange(4), transform: { _ in throw Squares.Damage() })
        var batches = DataLoader(failing, batchSize: 3, numWorkers: workers).batches()
        let error = #expect(throws: SampleError.self) { try batches.next() }
        #expect(error.map { "\($0)" } == "the batch of samples 0, 1, 2: it is damaged")
    }

    @Test func anErrorInAForLoopEndsTheProgram() async {
        await #expect(processExitsWith: .failure) {
            for _ in DataLoader(Squares(count: 3, broken: [1]), numWorkers: 1) {}
        }
    }

    /// In a process of its own, whose threads nobody else starts but the system, a few.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/self/task")))
    func aDroppedLoaderLeavesNoThreadBehind() async {
        await #expect(processExitsWith: .success) {
            func threads() -> Int {
                (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task"))?.count ?? 0
            }
            /// Gives threads time to end.
            func expectNoMore(than count: Int, _ what: String) {
                for _ in 0..<300 where threads() > count { Thread.sleep(forTimeInterval: 0.01) }
                #expect(threads() <= count, "\(what)")
            }
            /// Goes through an epoch ten times, with 30 threads in all.
            func expectNoneLeft(by what: String, _ epoch: () -> Void) {
                let before = threads()
                for _ in 0..<10 { epoch() }
                expectNoMore(than: before + 5, what)
            }
            let dataset = Counted(50)
            let before = threads()
            var held = DataLoader(dataset, numWorkers: 30).batches()
            #expect(threads() >= before + 30)
            expectNoneLeft(by: "a break") {
                for (_, targets) in DataLoader(dataset, numWorkers: 3) where targets.item(Int.self) == 5 { break }
            }
            expectNoneLeft(by: "an epoch never begun") { _ = DataLoader(dataset, numWorkers: 3).batches() }
            expectNoneLeft(by: "a whole epoch") { _ = epoch(DataLoader(Counted(9), numWorkers: 3)) }
            expectNoneLeft(by: "an endless stream") {
                for (_, targets) in DataLoader(Stream(), numWorkers: 3) where targets.item(Int.self) == 5 { break }
            }
            expectNoneLeft(by: "an error") {
                var failing = DataLoader(Squares(count: 9, broken: [0]), numWorkers: 3).batches()
                #expect(throws: SampleError.self) { try failing.next() }
            }
            // At its end an epoch needs no threads, though somebody still holds it.
            while let _ = try? held.next() {}
            expectNoMore(than: before + 5, "an epoch that is over")
            _ = held
        }
    }

    @Test(arguments: [0, 1, 4])
    func streamsAreReadInOrder(_ workers: Int) throws {
        let loader = DataLoader(Stream(length: 7), batchSize: 3, numWorkers: workers)
        #expect(epoch(loader) == [[0, 1, 2], [3, 4, 5], [6]])
        #expect(epoch(loader) == [[0, 1, 2], [3, 4, 5], [6]])
        #expect(epoch(DataLoader(Stream(length: 7), batchSize: 3, numWorkers: workers, dropLast: true)).count == 2)
        #expect(epoch(DataLoader(Stream(length: 6), batchSize: 3, numWorkers: workers)).count == 2)
        #expect(epoch(DataLoader(Stream(length: 0), numWorkers: workers)) == [])
        var batches = DataLoader(Stream(length: 7, broken: 4), batchSize: 3, numWorkers: workers).batches()
        #expect(try batches.next()?.1.array(Int.self) == [0, 1, 2])
        let error = #expect(throws: SampleError.self) { try batches.next() }
        #expect(error?.samples == [4])
        #expect(try batches.next() == nil)
    }

    @Test(arguments: [0, 2])
    func samplesCanBeCollatedByHand(_ workers: Int) throws {
        struct Words: Dataset {
            let count = 5
            func sample(_ index: Int) -> (input: Tensor, target: Tensor) {
                (Tensor.full([index + 1], index), Tensor(index))
            }
        }
        // Padded with −1 to the longest of the batch.
        let loader = DataLoader(
            Words(), batchSize: 2, numWorkers: workers,
            collate: { samples in
                let longest = samples.map(\.input.count).max() ?? 0
                let rows = samples.map { sample in
                    sample.input.array(Int.self) + Array(repeating: -1, count: longest - sample.input.count)
                }
                return (Tensor(rows), Tensor.stack(samples.map(\.target)))
            })
        let inputs = loader.map { $0.0.array(Int.self) }
        #expect(inputs == [[0, -1, 1, 1], [2, 2, 2, -1, 3, 3, 3, 3], [4, 4, 4, 4, 4]])
    }

    @Test func mistakesEndTheProgram() async {
        await #expect(processExitsWith: .failure) { _ = DataLoader(Squares(), numWorkers: -1) }
        await #expect(processExitsWith: .failure) { _ = DataLoader(Squares(), prefetchFactor: 0) }
        await #expect(processExitsWith: .failure) {
            _ = DataLoader(Squares(), shuffle: true, sampler: SequentialSampler(7))
        }
        await #expect(processExitsWith: .failure) { _ = DataLoader(Stream()).count }
        await #expect(processExitsWith: .failure) { _ = DataLoader(Stream(), batchSize: 0) }
    }
}

// Orders and batches of the loader against torch's.
import Testing
import data

@Suite struct DataLoaderTests {
    private let dataset = TensorDataset(Tensor.arange(7), Tensor.arange(7) * 10)
    private func epoch(_ loader: data.DataLoader) -> [[Int]] { loader.map { $0.0.array(Int.self) } }

    @Test func shufflesAreTorchs() {
        // The default generator is shared: a generator of its own stands in for it elsewhere, so only this test uses it.
        manualSeed(3)
        let loader = data.DataLoader(dataset, batchSize: 3, shuffle: true)
        #expect(epoch(loader) == [[3, 2, 5], [4, 1, 0], [6]])
        #expect(epoch(loader) == [[3, 1, 6], [0, 2, 4], [5]])
    }

    @Test func shufflesWithAnOwnGeneratorAreTorchs() {
        let loader = data.DataLoader(
            dataset, batchSize: 3, shuffle: true, dropLast: true, generator: Generator(seed: 5))
        #expect(epoch(loader) == [[2, 4, 3], [5, 0, 6]])
        #expect(epoch(loader) == [[4, 1, 0], [2, 3, 6]])
        #expect(loader.count == 2)
    }

    @Test func inputsAndTargetsStayTogetherAndTheLastBatchIsShort() {
        let loader = data.DataLoader(dataset, batchSize: 4, generator: Generator(seed: 1))
        #expect(loader.count == 2)
        for (inputs, targets) in loader { #expect((inputs * 10).array(Int.self) == targets.array(Int.self)) }
        #expect(epoch(loader) == [[0, 1, 2, 3], [4, 5, 6]])
    }

    @Test func emptyDatasetsHaveNoBatches() {
        let empty = TensorDataset(Tensor.zeros([0, 2]), Tensor.zeros([0]))
        #expect(epoch(data.DataLoader(empty, batchSize: 4, shuffle: true, generator: Generator(seed: 1))).isEmpty)
    }

    @Test func aSubsetHasTheChosenSamples() throws {
        let subset = Subset(dataset, indices: [5, 1])
        #expect(epoch(data.DataLoader(subset, batchSize: 5, generator: Generator(seed: 1))) == [[5, 1]])
        #expect(try subset.sample(1).target.item(Int.self) == 10)
    }

    @Test func anErrorOfTheDatasetReachesTheLoop() {
        struct Broken: Dataset {
            struct Failure: Error {}
            var count: Int { 3 }
            func sample(_ index: Int) throws -> (input: Tensor, target: Tensor) { throw Failure() }
        }
        var batches = data.DataLoader(Broken(), generator: Generator(seed: 1)).batches()
        #expect(throws: Broken.Failure.self) { try batches.next() }
    }
}

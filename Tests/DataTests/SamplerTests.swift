// Orders of samples; expected numbers are those of torch 2.15.
import Testing
import data

private func generator(_ seed: UInt64) -> Tapestry.Generator { Tapestry.Generator(seed: seed) }

@Suite struct SamplerTests {
    @Test func sequentialAndSubsetSamplers() {
        #expect(Array(SequentialSampler(4)) == [0, 1, 2, 3])
        #expect(Array(SequentialSampler(0)) == [])
        let subset = SubsetRandomSampler([10, 20, 30, 40, 50, 60], generator: generator(1))
        #expect(Array(subset) == [20, 60, 30, 10, 40, 50])
        #expect(subset.count == 6)
    }

    @Test func randomSamplersDrawAsTorchs() {
        #expect(
            Array(RandomSampler(5, numSamples: 13, generator: generator(3))) == [1, 0, 3, 4, 2, 0, 1, 2, 4, 3, 1, 4, 3])
        #expect(Array(RandomSampler(10, numSamples: 7, generator: generator(3))) == [6, 0, 3, 7, 8, 5, 1])
        let replaced = RandomSampler(10, replacement: true, numSamples: 40, generator: generator(3))
        #expect(replaced.count == 40)
        #expect(
            Array(replaced) == [
                6, 8, 7, 7, 0, 0, 0, 5, 1, 9, 4, 1, 5, 9, 6, 9, 5, 4, 0, 4, 6, 9, 1, 6, 2, 8, 7, 4, 4, 0, 0, 1, 4, 3, 9,
                2,
                3, 0, 2, 1,
            ])
        #expect(Array(RandomSampler(0)) == [])
    }

    @Test func weightedSamplersDrawAsTorchs() {
        let weights = [0.1, 3, 0, 2, 0.5, 1]
        func drawn(_ weights: [Double], _ count: Int, _ replacement: Bool, _ seed: UInt64) -> [Int] {
            Array(
                WeightedRandomSampler(weights, numSamples: count, replacement: replacement, generator: generator(seed)))
        }
        #expect(drawn(weights, 12, true, 5) == [3, 1, 1, 1, 1, 5, 3, 3, 4, 1, 1, 1])
        #expect(drawn(weights, 5, false, 5) == [1, 3, 4, 5, 0])
        #expect(drawn(weights, 1, true, 5) == [1])
        #expect(drawn(weights, 1, false, 5) == [1])
        #expect(drawn(weights, 0, true, 5) == [])
        let many = (0..<37).map { Double($0 * 7 % 11) + 0.25 }
        #expect(
            drawn(many, 20, false, 9)
                == [15, 36, 25, 4, 3, 6, 28, 7, 21, 16, 24, 32, 20, 29, 9, 12, 2, 8, 13, 14])
    }

    @Test func batchesAreCutFromASampler() {
        func batches(_ dropLast: Bool) -> BatchSampler {
            BatchSampler(RandomSampler(7, generator: generator(3)), batchSize: 3, dropLast: dropLast)
        }
        #expect(Array(batches(false)) == [[5, 3, 4], [6, 0, 2], [1]])
        #expect(Array(batches(true)) == [[5, 3, 4], [6, 0, 2]])
        #expect(batches(false).count == 3 && batches(true).count == 2)
    }

    /// In a process of its own: here other tests draw from the default generator at the same time.
    @Test func theDefaultGeneratorIsDrawnFromAsTorchs() async {
        await #expect(processExitsWith: .success) {
            manualSeed(4)
            #expect(Array(RandomSampler(6)) == [1, 4, 0, 5, 3, 2])
            #expect(Array(RandomSampler(6, replacement: true, numSamples: 4)) == [0, 3, 5, 3])
            #expect(Array(SubsetRandomSampler([0, 1, 2, 3, 4])) == [4, 1, 0, 3, 2])
            #expect(Array(WeightedRandomSampler([0.1, 3, 0, 2, 0.5, 1], numSamples: 4)) == [5, 3, 1, 3])
            #expect(Tensor.rand([1]).item() == 0.7634844183921814)
        }
    }

    @Test func mistakesEndTheProgram() async {
        await #expect(processExitsWith: .failure) { _ = RandomSampler(0, numSamples: 1) }
        await #expect(processExitsWith: .failure) { _ = WeightedRandomSampler([0, 0], numSamples: 1) }
        await #expect(processExitsWith: .failure) { _ = WeightedRandomSampler([1, -1], numSamples: 1) }
        await #expect(processExitsWith: .failure) {
            _ = WeightedRandomSampler([1, 0, 1], numSamples: 3, replacement: false)
        }
        await #expect(processExitsWith: .failure) { _ = BatchSampler(SequentialSampler(3), batchSize: 0) }
    }
}

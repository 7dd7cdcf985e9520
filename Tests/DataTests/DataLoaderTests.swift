// Batches in torch's order; expected orders are those of torch 2.15 for a dataset of the indices 0..<11.
import TestSupport
import Testing
import data

/// Index i as its own input and target.
private func indices(_ count: Int) -> TensorDataset {
    TensorDataset(Tensor.arange(count).reshape([count, 1]), Tensor.arange(count))
}

private func epochs(_ count: Int, _ loader: DataLoader) -> [[[Int]]] {
    (0..<count).map { _ in loader.map { $0.1.array(Int.self) } }
}

@Suite(.ownGenerator) struct DataLoaderTests {
    /// In a process of its own: here other tests draw from the default generator at the same time.
    @Test func theDefaultGeneratorShufflesAsTorchs() async {
        await #expect(processExitsWith: .success) {
            let expected = [
                [[1, 4, 6, 0], [5, 9, 3, 2], [10, 8, 7]], [[3, 7, 1, 2], [6, 8, 5, 10], [4, 0, 9]],
                [[6, 2, 3, 1], [8, 5, 7, 4], [0, 9, 10]],
            ]
            manualSeed(3)
            #expect(epochs(3, DataLoader(indices(11), batchSize: 4, shuffle: true)) == expected)
            #expect(Tensor.rand([1]).item() == 0.14984089136123657)
            manualSeed(3)
            let loader = DataLoader(indices(11), batchSize: 4, shuffle: true, dropLast: true)
            #expect(epochs(3, loader) == expected.map { $0.dropLast() })
            #expect(Tensor.rand([1]).item() == 0.14984089136123657)
            // Without shuffling a seed is drawn too; with an own generator nothing is.
            manualSeed(3)
            _ = epochs(3, DataLoader(indices(11), batchSize: 4))
            #expect(Tensor.rand([1]).item() == 0.7718658447265625)
            manualSeed(3)
            _ = epochs(3, DataLoader(indices(11), batchSize: 4, shuffle: true, generator: Tapestry.Generator(seed: 8)))
            #expect(Tensor.rand([1]).item() == 0.004263520240783691)
        }
    }

    @Test func anOwnGeneratorShufflesAsTorchs() {
        let expected = [
            [[6, 10, 9, 5], [0, 8, 3, 1], [7, 4, 2]], [[10, 0, 9, 2], [8, 1, 4, 6], [5, 3, 7]],
            [[5, 6, 10, 2], [4, 8, 0, 3], [7, 1, 9]],
        ]
        let generator = Tapestry.Generator(seed: 8)
        #expect(epochs(3, DataLoader(indices(11), batchSize: 4, shuffle: true, generator: generator)) == expected)
        #expect(Tensor.rand([1], generator: generator).item() == 0.6249927878379822)
        generator.manualSeed(8)
        #expect(
            epochs(3, DataLoader(indices(11), batchSize: 4, shuffle: true, dropLast: true, generator: generator))
                == expected.map { $0.dropLast() })
        #expect(Tensor.rand([1], generator: generator).item() == 0.6249927878379822)
    }

    /// What torch.randint(0, 1000) gives inside the loop and after it, when it shares the loader's generator.
    @Test(arguments: [
        (11, false, [493, 228, 602], 139), (8, false, [911, 488], 100), (11, true, [493, 228], 602),
        (8, true, [911, 488], 100),
    ])
    func aSharedGeneratorIsDrawnFromAtTorchsMoments(_ count: Int, _ dropLast: Bool, _ inside: [Int], _ after: Int) {
        let generator = Tapestry.Generator(seed: 8)
        func number() -> Int { Tensor.randint(1000, [1], generator: generator).item(Int.self) }
        let loader = DataLoader(indices(count), batchSize: 4, shuffle: true, dropLast: dropLast, generator: generator)
        #expect(loader.map { _ in number() } == inside)
        #expect(number() == after)
    }

    @Test func withoutShufflingTheOrderIsTheDatasets() {
        let loader = DataLoader(indices(11), batchSize: 4)
        #expect(epochs(3, loader) == Array(repeating: [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]], count: 3))
    }

    @Test(arguments: [(0, 4), (1, 4), (4, 4), (11, 4), (11, 1), (11, Int.max)])
    func countIsTheNumberOfBatches(_ count: Int, _ batchSize: Int) {
        for dropLast in [false, true] {
            for shuffle in [false, true] {
                let loader = DataLoader(indices(count), batchSize: batchSize, shuffle: shuffle, dropLast: dropLast)
                #expect(loader.map { $0 }.count == loader.count)
            }
        }
        #expect(
            DataLoader(indices(count), batchSize: batchSize).count == (count == 0 ? 0 : (count - 1) / batchSize + 1))
    }

    @Test func inputsAndTargetsStayTogether() {
        let loader = DataLoader(indices(23), batchSize: 5, shuffle: true, generator: Tapestry.Generator(seed: 0))
        var seen: [Int] = []
        for (inputs, targets) in loader {
            #expect(inputs.shape == [targets.count, 1])
            #expect(inputs.array(Int.self) == targets.array(Int.self))
            seen += targets.array(Int.self)
        }
        #expect(seen.sorted() == Array(0..<23))
    }

    @Test func mistakesEndTheProgram() async {
        await #expect(processExitsWith: .failure) {
            _ = DataLoader(TensorDataset(Tensor([1]), Tensor([1])), batchSize: 0)
        }
    }
}

// Datasets made of tensors and of other datasets.
import Testing
import data

/// Index i as its own input and target.
private func indices(_ count: Int, from first: Int = 0) -> TensorDataset {
    TensorDataset(Tensor.arange(first, first + count).reshape([count, 1]), Tensor.arange(first, first + count))
}

/// Sample i is [i, i²]; what is in `broken` throws.
struct Squares: Dataset {
    struct Damage: Error, CustomStringConvertible { let description = "it is damaged" }
    var count = 7
    var broken: Set<Int> = []
    func sample(_ index: Int) throws -> (input: Tensor, target: Tensor) {
        if broken.contains(index) { throw Damage() }
        return (Tensor([Float(index), Float(index * index)]), Tensor(index))
    }
}

@Suite struct DatasetTests {
    @Test func transformsOfTensorsSeeWholeBatches() throws {
        let dataset = TensorDataset(
            Tensor.arange(12).reshape([6, 2]), Tensor.arange(6), transform: { ($0 * 10).reshape([$0.shape[0], 1, 2]) })
        let (inputs, targets) = try dataset.batch([5, 0, 5])
        #expect(inputs.shape == [3, 1, 2])
        #expect(inputs.array(Int.self) == [100, 110, 0, 10, 100, 110])
        #expect(targets.array(Int.self) == [5, 0, 5])
        let sample = try dataset.sample(4)
        #expect(sample.input.shape == [1, 2])
        #expect(sample.input.array(Int.self) == [80, 90])
    }

    @Test func aSubsetHasItsOwnOrderAndDatasetsStackTheirSamplesByDefault() throws {
        let subset = Subset(Squares(), indices: [5, 0, 6])
        #expect(subset.count == 3)
        let (inputs, targets) = try subset.batch([2, 0])
        #expect(inputs.shape == [2, 2])
        #expect(inputs.array(Int.self) == [6, 36, 5, 25])
        #expect(targets.array(Int.self) == [6, 5])
        #expect(try subset.sample(1).target.item(Int.self) == 0)
        #expect(try indices(3).sample(2).target.item(Int.self) == 2)
    }

    @Test func severalDatasetsFollowEachOther() throws {
        let all = ConcatDataset([indices(4), indices(0), indices(3, from: 10), indices(2, from: 20)])
        #expect(all.count == 9)
        let whole = [0, 1, 2, 3, 10, 11, 12, 20, 21]
        #expect(try (0..<9).map { try all.sample($0).target.item(Int.self) } == whole)
        for order in [[8, 0, 5, 3, 4, 8], [1, 2], [6], Array((0..<9).reversed())] {
            let (inputs, targets) = try all.batch(order)
            #expect(targets.array(Int.self) == order.map { whole[$0] })
            #expect(inputs.array(Int.self) == targets.array(Int.self))
        }
        #expect(ConcatDataset([]).count == 0)
    }

    @Test func splitsAreTorchs() {
        let thirds = randomSplit(indices(10), [0.33, 0.33, 0.34], generator: Tapestry.Generator(seed: 2))
        #expect(thirds.map(\.indices) == [[8, 7, 1, 5], [6, 9, 0], [4, 2, 3]])
        let parts = randomSplit(indices(11), [0.5, 0.25, 0.25], generator: Tapestry.Generator(seed: 2))
        #expect(parts.map(\.indices) == [[3, 8, 10, 0, 1, 4], [5, 2, 7], [6, 9]])
        let lengths = randomSplit(indices(10), [4, 3, 3], generator: Tapestry.Generator(seed: 2))
        #expect(lengths.map(\.indices) == thirds.map(\.indices))
    }

    @Test func errorsNameTheSampleOfTheOutermostDataset() throws {
        func failure(_ dataset: any Dataset, _ indices: [Int]) -> String {
            let error = #expect(throws: SampleError.self) { try dataset.batch(indices) }
            return error.map { "\($0)" } ?? "none"
        }
        let broken = Squares(broken: [3])
        #expect(failure(broken, [1, 3]) == "sample 3: it is damaged")
        #expect(failure(Subset(broken, indices: [6, 5, 3]), [0, 2]) == "sample 2: it is damaged")
        #expect(failure(ConcatDataset([Squares(), broken]), [0, 10]) == "sample 10: it is damaged")
        #expect(failure(ConcatDataset([Squares(), Subset(broken, indices: [3])]), [7]) == "sample 7: it is damaged")
        struct Growing: Dataset {
            let count = 3
            func sample(_ index: Int) -> (input: Tensor, target: Tensor) { (Tensor.zeros([index]), Tensor(index)) }
        }
        #expect(failure(Growing(), [1, 2]).hasPrefix("sample 2: the input has shape [2], that of sample 1"))
    }

    @Test func mistakesEndTheProgram() async {
        await #expect(processExitsWith: .failure) { _ = TensorDataset(Tensor([1, 2]), Tensor([1])) }
        await #expect(processExitsWith: .failure) {
            _ = Subset(TensorDataset(Tensor([1]), Tensor([1])), indices: [1])
        }
        await #expect(processExitsWith: .failure) { _ = randomSplit(Squares(), [3, 3]) }
        await #expect(processExitsWith: .failure) { _ = randomSplit(Squares(), [0.5, 0.6]) }
        await #expect(processExitsWith: .failure) { _ = try ConcatDataset([Squares()]).sample(7) }
    }
}

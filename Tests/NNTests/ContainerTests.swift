// Lists and dictionaries of modules, registered members, freezing.
import Testing
import nn

private final class Lists: nn.Module {
    let blocks = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    let heads: nn.ModuleDict<nn.Linear> = ["b": nn.Linear(2, 1), "a": nn.Linear(2, 3)]
    override func forward(_ x: Tensor) -> Tensor { heads["a"]!(blocks.reduce(x) { $1($0) }) }
}

private final class Table: nn.Module {
    let weight = Tensor.ones([2], requiresGrad: true)
    let cache = Tensor.zeros([3])
    override var bufferNames: Set<String> { ["cache"] }
    override var nonPersistentBufferNames: Set<String> { ["cache"] }
}

@Suite struct ContainerTests {
    @Test func listsAndDictionariesHaveTorchsKeysAndPrint() {
        let model = Lists()
        #expect(
            model.stateDict().map(\.name) == [
                "blocks.0.weight", "blocks.0.bias", "blocks.1.weight", "blocks.1.bias", "heads.b.weight",
                "heads.b.bias",
                "heads.a.weight", "heads.a.bias",
            ])
        #expect(model(Tensor.ones([1, 2])).shape == [1, 3])
        let text = """
            Lists(
              (blocks): ModuleList(
                (0-1): 2 x Linear(in_features=2, out_features=2, bias=True)
              )
              (heads): ModuleDict(
                (b): Linear(in_features=2, out_features=1, bias=True)
                (a): Linear(in_features=2, out_features=3, bias=True)
              )
            )
            """
        #expect(model.description == text)
        #expect(
            model.namedModules().map(\.name) == ["", "blocks", "blocks.0", "blocks.1", "heads", "heads.b", "heads.a"])
        #expect(model.getSubmodule("heads.b") === model.heads["b"] && model.getSubmodule("heads.c") == nil)
        #expect(model.getParameter("blocks.1.bias") === model.blocks[1].bias)
    }

    @Test func listsChangeAsArraysDo() {
        let list = nn.ModuleList([nn.ReLU(), nn.Tanh()])
        list.append(nn.Sigmoid()).extend([nn.SiLU()])
        list.insert(nn.Identity(), at: 0)
        list[1] = nn.Mish()
        list.remove(at: 2)
        #expect(list.map(\.description) == ["Identity()", "Mish()", "Sigmoid()", "SiLU()"])
        list.eval()
        #expect(list.allSatisfy { !$0.training } && nn.ModuleList<nn.Linear>().description == "ModuleList()")
    }

    @Test func dictionariesKeepTheirOrder() {
        let dictionary = nn.ModuleDict([("z", nn.ReLU()), ("a", nn.Tanh())])
        dictionary["m"] = nn.SiLU()
        dictionary["z"] = nn.Mish()
        dictionary["a"] = nil
        #expect(dictionary.keys == ["z", "m"] && dictionary.values.map(\.description) == ["Mish()", "SiLU()"])
    }

    @Test func buffersAreStateUnlessNotPersistent() throws {
        let model = Table()
        model.registerBuffer("mask", Tensor.ones([4]))
        model.registerBuffer("steps", Tensor(0), persistent: false)
        model.registerParameter("scale", Tensor.ones([1], requiresGrad: true))
        model.registerModule("head", nn.Linear(2, 1, bias: false))
        #expect(model.stateDict().map(\.name) == ["weight", "mask", "scale", "head.weight"])
        #expect(model.namedBuffers().map(\.name) == ["cache", "mask", "steps"])
        #expect(model.namedParameters().map(\.name) == ["weight", "scale", "head.weight"])
        model.registerBuffer("mask", Tensor.zeros([2]))
        #expect(model.getBuffer("mask")?.shape == [2] && model.getBuffer("weight") == nil)
        let state = Dictionary(uniqueKeysWithValues: model.stateDict().map { ($0.name, $0.tensor + 1) })
        try model.loadStateDict(state)
        #expect(model.getBuffer("mask")!.array(Float.self) == [1, 1] && model.cache.array(Float.self) == [0, 0, 0])
        model.to(.float64)
        #expect(model.cache.dtype == .float64 && model.getBuffer("steps")!.dtype == .int64)
    }

    @Test func namesOfMembersAreChecked() async {
        await #expect(processExitsWith: .failure) { Table().registerBuffer("weight", Tensor(1)) }
        await #expect(processExitsWith: .failure) { Table().registerBuffer("a.b", Tensor(1)) }
    }

    @Test func frozenParametersGetNoGradients() {
        let model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
        model[0].freeze()
        model(Tensor.ones([1, 2])).sum().backward()
        #expect(model.parameters().map { $0.grad != nil } == [false, false, true, true])
        model.unfreeze()
        #expect(model.parameters().allSatisfy { $0.requiresGrad })
    }

    @Test func sharedTensorsCountOnce() {
        let norm = nn.BatchNorm1d(2)
        let model = nn.Sequential(norm, nn.Linear(2, 2), norm)
        #expect(model.parameters().count == 4 && model.namedBuffers().count == 3 && model.stateDict().count == 12)
    }
}

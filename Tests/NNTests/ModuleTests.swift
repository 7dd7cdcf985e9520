// Names, modes, state and printing of modules.
import TestSupport
import Testing
import nn

private final class CNN: nn.Module {
    let conv1 = nn.Conv2d(1, 16, kernelSize: 5, padding: 2)
    let blocks: [Module] = [nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 3), nn.ReLU())]
    let lastLayer = nn.Linear(3, 2, bias: false)
    var scale: Tensor? = nil
    override func forward(_ x: Tensor) -> Tensor { lastLayer(blocks.reduce(x) { $1($0) }) }
}

private final class Statistics: nn.Module {
    let weight = Tensor.ones([2], requiresGrad: true)
    let runningMean = Tensor.zeros([2])
    override var bufferNames: Set<String> { ["runningMean"] }
    override func forward(_ x: Tensor) -> Tensor { (x - runningMean) * weight }
}

@Suite(.ownGenerator) struct ModuleTests {
    @Test func parametersHaveTorchsNames() {
        #expect(
            CNN().namedParameters().map(\.name) == [
                "conv1.weight", "conv1.bias", "blocks.0.weight", "blocks.0.bias", "blocks.1.0.weight",
                "blocks.1.0.bias",
                "last_layer.weight",
            ])
        #expect(Statistics().namedParameters().map(\.name) == ["weight"])
        #expect(Statistics().stateDict().map(\.name) == ["weight", "running_mean"])
    }

    @Test func modulesPrintAsInTorch() {
        let text = """
            CNN(
              (conv1): Conv2d(1, 16, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))
              (blocks): ModuleList(
                (0): Linear(in_features=2, out_features=3, bias=True)
                (1): Sequential(
                  (0): Linear(in_features=3, out_features=3, bias=True)
                  (1): ReLU()
                )
              )
              (last_layer): Linear(in_features=3, out_features=2, bias=False)
            )
            """
        #expect(CNN().description == text)
        #expect(
            nn.MaxPool2d(2).description
                == "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)")
        #expect(nn.AvgPool2d(3, stride: 2, padding: 1).description == "AvgPool2d(kernel_size=3, stride=2, padding=1)")
        #expect(nn.Dropout(0.25).description == "Dropout(p=0.25, inplace=False)")
        #expect(nn.Flatten().description == "Flatten(start_dim=1, end_dim=-1)")
    }

    @Test func sharedParametersCountOnceButKeepBothNames() {
        let shared = nn.Linear(2, 2)
        let model = nn.Sequential(shared, shared)
        #expect(model.parameters().count == 2 && model.stateDict().count == 4)
    }

    @Test func stateGoesFromOneModelToAnother() throws {
        let (a, b) = (CNN(), CNN())
        let x = Tensor.randn([4, 2])
        #expect(!a(x).isClose(to: b(x)))
        try b.loadStateDict(Dictionary(uniqueKeysWithValues: a.stateDict().map { ($0.name, $0.tensor) }))
        #expect(a(x).isClose(to: b(x)))
    }

    @Test func stateThatDoesNotFitNamesEveryKeyAndChangesNothing() {
        let model = nn.Linear(2, 3)
        let before = model.weight.array(Float.self)
        let error = #expect(throws: StateDictError.self) {
            try model.loadStateDict(["weight": Tensor.zeros([3, 5]), "bais": Tensor.zeros([3])])
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("missing keys: bias") && text.contains("unexpected keys: bais"))
        #expect(text.contains("weight has shape [3, 5], the model's has [3, 2]"))
        #expect(model.weight.array(Float.self) == before)
    }

    @Test func looseLoadingTakesWhatFitsAndSaysWhatDoesNot() throws {
        let model = nn.Linear(2, 3)
        let bias = model.bias!.array(Float.self)
        let rest = try model.loadStateDict(["weight": Tensor.ones([3, 2]), "extra": Tensor(1)], strict: false)
        #expect(rest.missing == ["bias"] && rest.unexpected == ["extra"])
        #expect(model.weight.array(Int.self) == [1, 1, 1, 1, 1, 1] && model.bias!.array(Float.self) == bias)
        // Other shapes are refused all the same, as in torch.
        let error = #expect(throws: StateDictError.self) {
            try model.loadStateDict(["weight": Tensor.zeros([2, 3]), "bias": Tensor.zeros([3])], strict: false)
        }
        #expect(error?.misshapen.map(\.name) == ["weight"] && model.bias!.array(Float.self) == bias)

        let other = nn.Linear(2, 3)
        try other.loadStateDict(model.stateDict())
        #expect(other.bias!.array(Float.self) == bias)
    }

    @Test func defaultInitialisationIsTorchs() async {
        await #expect(processExitsWith: .success) {
            manualSeed(7)
            let layer = nn.Linear(3, 2)
            let weight: [Float] = [
                0.04032507538795471, -0.3477921187877655, 0.18384182453155518, 0.1811612844467163, -0.3085803687572479,
                -0.0865316316485405,
            ]
            #expect(layer.weight.array(Float.self) == weight)
            #expect(layer.bias!.array(Float.self) == [-0.33822792768478394, 0.1498066484928131])
        }
    }

    @Test func dropoutDropsInTrainingOnlyAndKeepsTheMean() {
        let layer = nn.Dropout(0.25)
        let x = Tensor.ones([10_000], requiresGrad: true)
        let y = layer(x)
        let kept = y.array(Float.self).filter { $0 != 0 }
        #expect(abs(Double(kept.count) / 10_000 - 0.75) < 0.02 && kept.allSatisfy { abs($0 - 4 / 3) < 1e-6 })
        y.sum().backward()
        #expect(x.grad!.array(Float.self) == y.array(Float.self))
        layer.eval()
        #expect(layer(x) === x)
    }

    @Test func modesReachEveryModule() {
        let model = CNN()
        #expect(model.eval().modules.allSatisfy { !$0.training })
        #expect(model.train().modules.allSatisfy { $0.training })
    }

    @Test func lossesAsModules() {
        let logits = Tensor([1, 2, 3, 0.5, -1, 2] as [Float], shape: [2, 3])
        let loss = nn.CrossEntropyLoss()(logits, Tensor([2, 0]))
        #expect(abs(loss.item() - 1.0744585990905762) < 1e-6)
    }
}

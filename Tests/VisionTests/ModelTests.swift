// The models beside torchvision's: names and shapes of the weights, outputs, first weights.
// Resources/models.py made the references.
import Foundation
import TestSupport
import Testing
import nn

@testable import vision

private typealias zoo = vision.models

/// Models by torchvision's names, as they are built there without options (GoogLeNet with its auxiliary heads).
private let published: [(name: String, make: @Sendable () -> nn.Module)] = [
    ("alexnet", { zoo.alexnet() }),
    ("vgg11", { zoo.vgg11(initWeights: false) }), ("vgg11_bn", { zoo.vgg11BN(initWeights: false) }),
    ("vgg13", { zoo.vgg13(initWeights: false) }), ("vgg13_bn", { zoo.vgg13BN(initWeights: false) }),
    ("vgg16", { zoo.vgg16(initWeights: false) }), ("vgg16_bn", { zoo.vgg16BN(initWeights: false) }),
    ("vgg19", { zoo.vgg19(initWeights: false) }), ("vgg19_bn", { zoo.vgg19BN(initWeights: false) }),
    ("googlenet", { zoo.GoogLeNet(initWeights: false) }),
    ("resnet18", { zoo.resnet18() }), ("resnet34", { zoo.resnet34() }), ("resnet50", { zoo.resnet50() }),
    ("resnet101", { zoo.resnet101() }), ("resnet152", { zoo.resnet152() }),
]

/// Models with ten classes and the size of the images that they are shown.
private let small: [(name: String, size: [Int], make: @Sendable () -> nn.Module)] = [
    ("alexnet", [2, 3, 71, 65], { zoo.alexnet(numClasses: 10) }),
    ("vgg11", [2, 3, 37, 45], { zoo.vgg11(numClasses: 10, initWeights: false) }),
    ("vgg13", [2, 3, 37, 45], { zoo.vgg13(numClasses: 10, initWeights: false) }),
    ("vgg16", [2, 3, 37, 45], { zoo.vgg16(numClasses: 10, initWeights: false) }),
    ("vgg19", [2, 3, 37, 45], { zoo.vgg19(numClasses: 10, initWeights: false) }),
    ("vgg11_bn", [2, 3, 37, 45], { zoo.vgg11BN(numClasses: 10, initWeights: false) }),
    ("vgg13_bn", [2, 3, 37, 45], { zoo.vgg13BN(numClasses: 10, initWeights: false) }),
    ("vgg16_bn", [2, 3, 37, 45], { zoo.vgg16BN(numClasses: 10, initWeights: false) }),
    ("vgg19_bn", [2, 3, 37, 45], { zoo.vgg19BN(numClasses: 10, initWeights: false) }),
    (
        "googlenet", [2, 3, 70, 66],
        { zoo.GoogLeNet(numClasses: 10, transformInput: true, initWeights: false, dropout: 0, dropoutAux: 0) }
    ),
    ("resnet18", [2, 3, 67, 75], { zoo.resnet18(numClasses: 10) }),
    ("resnet34", [2, 3, 67, 75], { zoo.resnet34(numClasses: 10) }),
    ("resnet50", [2, 3, 67, 75], { zoo.resnet50(numClasses: 10) }),
    ("resnet101", [2, 3, 67, 75], { zoo.resnet101(numClasses: 10) }),
    ("resnet152", [2, 3, 67, 75], { zoo.resnet152(numClasses: 10) }),
    ("keras_resnet34", [2, 1, 28, 45], { zoo.KerasResNet34() }),
    ("lenet5", [2, 1, 28, 28], { zoo.LeNet5() }),
]

/// One model after the other: the largest takes half a gigabyte.
@Suite(.ownGenerator, .serialized) struct ModelTests {
    private let references = try! loadSafetensors(from: resource("models.safetensors"))

    @Test(arguments: published.indices) func keysShapesAndCountsAreTorchvisions(_ index: Int) throws {
        let (name, make) = published[index]
        let lines = try String(contentsOfFile: resource("models.txt"), encoding: .utf8).split(separator: "\n")
        let line = try #require(lines.first { $0.hasPrefix(name + " ") }).split(separator: " ")
        let model = make()
        let state = model.stateDict().map { "\($0.name) \($0.tensor.shape)\n" }.joined()
        #expect(model.parameters().reduce(0) { $0 + $1.count } == Int(line[1]))
        #expect(md5(Data(state.utf8)) == line[2])
    }

    @Test(arguments: small.indices) func outputsAreTorchvisions(_ index: Int) throws {
        let (name, size, make) = small[index]
        let model = make().eval()
        fill(model)
        let expected = try #require(references["forward.\(name)"])
        expectClose(noGrad { model(images(size)) }, expected, relative: 1e-4)
    }

    @Test func googLeNetsAuxiliaryHeadsSpeakInTraining() throws {
        let model = zoo.GoogLeNet(
            numClasses: 10, transformInput: true, initWeights: false, dropout: 0, dropoutAux: 0)
        fill(model)
        let expected = try #require(references["training.googlenet"])
        let outputs = noGrad { model.outputs(images([2, 3, 70, 66])) }
        let heads = [outputs.logits, try #require(outputs.auxLogits2), try #require(outputs.auxLogits1)]
        expectClose(Tensor.stack(heads), expected, relative: 1e-4)

        model.eval()
        let quiet = noGrad { model.outputs(images([1, 3, 70, 66])) }
        #expect(quiet.auxLogits1 == nil && quiet.auxLogits2 == nil)
        #expect(
            zoo.googlenet(auxLogits: false, initWeights: false).parameters().reduce(0) { $0 + $1.count } == 6_624_904)
    }

    @Test(arguments: ["alexnet", "resnet50", "googlenet"])
    func firstWeightsOfASeedAreTorchs(_ name: String) throws {
        manualSeed(0)
        let model: nn.Module =
            switch name {
            case "alexnet": zoo.alexnet()
            case "resnet50": zoo.resnet50()
            default: zoo.googlenet()
            }
        let parameters = model.parameters()
        let (first, last) = (parameters[0].detach().flatten(), parameters[parameters.count - 2].detach().flatten())
        let ends = Tensor.cat(
            [first.narrow(dim: 0, start: 0, length: 8), last.narrow(dim: 0, start: last.count - 8, length: 8)], dim: 0)
        expectClose(ends, try #require(references["seed.\(name)"]), relative: 1e-5)
    }

    @Test func smallModelsHaveTheirParameters() {
        func count(_ model: nn.Module) -> Int { model.parameters().reduce(0) { $0 + $1.count } }
        #expect(count(zoo.LeNet5()) == 61_706)
        #expect(count(zoo.KerasResNet34()) == 21_283_530)
        #expect(zoo.LeNet5(inChannels: 3, padding: 0)(Tensor.zeros([1, 3, 32, 32])).shape == [1, 10])
        // Running means and variances; the counters of batches are torch's own.
        let buffers = zoo.KerasResNet34().namedBuffers().filter { $0.buffer.rank > 0 }
        #expect(buffers.reduce(0) { $0 + $1.buffer.count } == 17_024)
    }

    @Test func residualBlocksCanBeginAsIdentity() throws {
        let model = zoo.ResNet(.basic, layers: [1, 1, 1, 1], numClasses: 10, zeroInitResidual: true)
        let block = try #require(model.layer1[0] as? zoo.ResNet.BasicBlock)
        let x = Tensor.rand([2, 64, 5, 7])
        #expect(noGrad { block(x) }.array(Float.self) == x.array(Float.self))
    }

    @Test func gradientsReachEveryWeight() {
        for (model, x) in [
            (zoo.ResNet(.bottleneck, layers: [1, 1, 1, 1], numClasses: 3) as nn.Module, images([2, 3, 33, 40])),
            (zoo.LeNet5(), images([2, 1, 28, 28])),
        ] {
            model(x).sum().backward()
            #expect(model.namedParameters().filter { $0.parameter.grad == nil }.map(\.name) == [])
        }
    }

    // MARK: Weights by a formula, the same as in models.py

    private static let pattern: [Float] = (0..<8191).map { (index: Int) -> Float in
        let square = (index * index * 31 + index * 17) % 8191
        return Float(Double(square) / 8191 - 0.5)
    }

    private func values(_ shape: [Int], offset: Int) -> Tensor {
        let result = Tensor.empty(shape)
        let once = Self.pattern[(offset % 8191)...] + Self.pattern[..<(offset % 8191)]
        result.withElements(as: Float.self) { target in
            once.withUnsafeBufferPointer { source in
                for start in stride(from: 0, to: target.count, by: 8191) {
                    let count = min(8191, target.count - start)
                    target.baseAddress!.advanced(by: start).update(from: source.baseAddress!, count: count)
                }
            }
        }
        return result
    }

    private func fill(_ model: nn.Module) {
        for (index, (name, tensor)) in model.stateDict().enumerated() where tensor.rank > 0 {
            let values = values(tensor.shape, offset: 101 * index)
            if tensor.rank > 1 {
                values.mul_((24 / Double(tensor.count / tensor.shape[0])).squareRoot())
            } else if name.hasSuffix("running_var") {
                values.mul_(0.5).add_(1)
            } else if name.hasSuffix("weight") {
                values.mul_(0.2).add_(0.5)
            } else {
                values.mul_(0.2)
            }
            tensor.copy_(values)
        }
    }

    private func images(_ shape: [Int]) -> Tensor { values(shape, offset: 7) * 4 }
}

// Hooks around modules.
import Testing
import nn

private func doubling() -> nn.Linear {
    let layer = nn.Linear(2, 2, bias: false)
    noGrad { _ = layer.weight.copy_(Tensor([1, 2, 3, 4] as [Float], shape: [2, 2])) }
    return layer
}

/// Two inputs of which the second may go unused, and two outputs.
private final class Pair: nn.Module {
    var usesSecond = true
    func callAsFunction(_ a: Tensor, _ b: Tensor) -> (Tensor, Tensor) {
        let outputs = withHooks([a, b]) { [$0[0] * 2, usesSecond ? $0[0] * $0[1] : $0[0] + 1] }
        return (outputs[0], outputs[1])
    }
}

@Suite struct HookTests {
    private let x = Tensor([1, 1] as [Float], shape: [1, 2])

    @Test func forwardHooksSeeAndReplaceInputsAndOutputs() {
        let layer = doubling()
        var seen: [[Float]] = []
        let before = layer.registerForwardPreHook { _, inputs in [inputs[0] * 10] }
        let after = layer.registerForwardHook { module, inputs, outputs in
            #expect(module === layer)
            seen += [inputs[0].array(Float.self), outputs[0].array(Float.self)]
            return [outputs[0] + 1]
        }
        #expect(layer(x).array(Float.self) == [31, 71])
        #expect(seen == [[10, 10], [30, 70]])
        before.remove()
        #expect(layer(x).array(Float.self) == [4, 8])
        after.remove()
        after.remove()
        #expect(layer(x).array(Float.self) == [3, 7] && seen.count == 4)
    }

    @Test func hooksRunInOrderOfRegistration() {
        let layer = nn.Identity()
        layer.registerForwardHook { _, _, outputs in [outputs[0] + 1] }
        layer.registerForwardHook { _, _, outputs in [outputs[0] * 2] }
        #expect(layer(x).array(Float.self) == [4, 4])
    }

    @Test func backwardHookSeesGradientsOfInputAndOutput() {
        let (layer, leaf) = (doubling(), x.clone().requiresGrad())
        var seen: [[Float]] = []
        let handle = layer.registerFullBackwardHook { _, gradInput, gradOutput in
            seen += [gradInput[0]!.array(Float.self), gradOutput[0]!.array(Float.self)]
            return [gradInput[0]! * 10]
        }
        // The second use of the leaf lies outside the module: its gradient is not the hook's.
        (layer(leaf) * Tensor([1, 2] as [Float]) + leaf).sum().backward()
        #expect(seen == [[7, 10], [1, 2]])
        #expect(leaf.grad!.array(Float.self) == [71, 101])
        #expect(layer.weight.grad!.array(Float.self) == [1, 1, 2, 2])
        handle.remove()
        leaf.grad = nil
        layer(leaf).sum().backward()
        #expect(leaf.grad!.array(Float.self) == [4, 6] && seen.count == 2)
    }

    @Test func backwardHookRunsWithoutGradientOfTheInput() {
        let layer = doubling()
        var calls = 0
        layer.registerFullBackwardHook { _, gradInput, gradOutput in
            calls += 1
            #expect(gradInput.count == 1 && gradInput[0] == nil && gradOutput[0]!.array(Float.self) == [1, 1])
            return nil
        }
        layer(x).sum().backward()
        #expect(calls == 1)
        noGrad { _ = layer(x) }
        #expect(calls == 1)
    }

    @Test(arguments: [true, false]) func severalInputsAndOutputs(_ usesSecond: Bool) {
        let module = Pair()
        module.usesSecond = usesSecond
        let (a, b) = (x.clone().requiresGrad(), (x * 3).requiresGrad())
        var (calls, shapes): (Int, [[Int]]) = (0, [])
        module.registerFullBackwardHook { _, gradInput, gradOutput in
            calls += 1
            shapes = (gradInput + gradOutput).map { $0!.shape }
            return [gradInput[0], gradInput[1]! + 100]
        }
        let (first, second) = module(a, b)
        (first + second * 5).sum().backward()
        #expect(calls == 1 && shapes == [[1, 2], [1, 2], [1, 2], [1, 2]])
        #expect(a.grad!.array(Float.self) == (usesSecond ? [17, 17] : [7, 7]))
        #expect(b.grad!.array(Float.self) == (usesSecond ? [105, 105] : [100, 100]))
    }

    @Test func recurrentLayersHaveHooksOnAllTensors() {
        let layer = nn.LSTM(2, 3)
        var counts: [Int] = []
        layer.registerForwardHook { _, inputs, outputs in
            counts = [inputs.count, outputs.count]
            return nil
        }
        let (output, state) = layer(Tensor.ones([4, 1, 2]), (Tensor.zeros([1, 1, 3]), Tensor.zeros([1, 1, 3])))
        #expect(counts == [3, 3] && output.shape == [4, 1, 3] && state.c.shape == [1, 1, 3])
        #expect(nn.Sequential(layer)(Tensor.ones([4, 1, 2])).shape == [4, 1, 3] && counts == [1, 1])
    }
}

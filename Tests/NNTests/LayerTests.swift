// Layers whose numbers no other file tests.
import Testing
import nn

@Suite struct LayerTests {
    /// The values are torch's. In a process of its own, for the default generator is everybody's.
    @Test func recurrentDropoutLiesBetweenLayers() async {
        await #expect(processExitsWith: .success) {
            manualSeed(2)
            let lstm = nn.LSTM(2, 2, numLayers: 2, batchFirst: true, dropout: 0.4)
            let gru = nn.GRU(2, 2, numLayers: 3, dropout: 0.5, bidirectional: true)
            let x = waves([2, 3, 2], 0.7)
            manualSeed(6)
            #expect(
                matches(
                    lstm(x, nil).output,
                    [
                        0.19308156, -0.064882755, 0.24226104, -0.096002929, 0.25094131, -0.10937983, 0.19252589,
                        -0.066328734, 0.24900047, -0.096427619, 0.2593112, -0.10030666,
                    ]))
            manualSeed(6)
            #expect(
                matches(
                    gru(x, nil).output.narrow(dim: 0, start: 1, length: 1),
                    [
                        -0.21346395, 0.29429433, -0.18045884, -0.27442622, -0.15218857, 0.22490889, -0.11581523,
                        -0.14874262, -0.040174298, 0.35535443, -0.20478642, -0.25079602,
                    ]))
            lstm.eval()
            #expect(lstm(x, nil).output.isClose(to: lstm(x, nil).output))
        }
    }

    /// Keras' transposed convolution is the gradient of its convolution, `.same` as well.
    @Test(arguments: [(3, 2), (4, 2), (2, 3), (5, 1), (1, 2)]) func samePaddingOfTransposedConvolution(
        _ kernel: Int, _ stride: Int
    ) {
        let layer = nn.ConvTranspose2d(
            2, 3, kernelSize: Pair(kernel), stride: Pair(stride), padding: .same, bias: false)
        let y = waves([1, 2, 4, 3])
        let x = Tensor.zeros([1, 3, 4 * stride, 3 * stride], requiresGrad: true)
        F.conv2d(x, layer.weight, stride: Pair(stride), padding: .same).backward(gradient: y)
        #expect(layer(y).isClose(to: x.grad!, rtol: 1e-4, atol: 1e-6))
    }

    @Test func paddingModesOfConv1d() {
        let x = waves([1, 2, 7])
        for padding in [Padding.both(Pair(0, 2)), .same] {
            let layer = nn.Conv1d(2, 3, kernelSize: 5, padding: padding, paddingMode: .replicate)
            let expected = Tensor.conv1d(x.pad([2, 2], mode: .replicate), layer.weight, bias: layer.bias)
            #expect(layer(x).isClose(to: expected))
        }
    }

    @Test func globalAveragePooling() {
        let x = waves([2, 3, 4, 5])
        let y = nn.GlobalAvgPool2d()(x)
        #expect(y.shape == [2, 3] && y.isClose(to: nn.AdaptiveAvgPool2d(1)(x).flatten(startDim: 1)))
        #expect(nn.GlobalAvgPool2d(keepdim: true)(x).shape == [2, 3, 1, 1])
    }
}

// Attention and the transformer's encoder against values computed by torch.
import Testing
import nn

/// sin(0.7 i)
private func input() -> Tensor { waves([2, 3, 4], 0.7) }

/// Tests with seeds run in processes of their own: the default generator is everybody's.
@Suite struct AttentionTests {
    @Test func encoderHasTorchsKeysValuesAndRandomNumbers() async {
        await #expect(processExitsWith: .success) {
            manualSeed(3)
            let layer = nn.TransformerEncoderLayer(4, 2, dimFeedforward: 3, dropout: 0, batchFirst: true, bias: false)
            let encoder = nn.TransformerEncoder(layer, numLayers: 2, norm: nn.LayerNorm(4))
            let keys = [
                "self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight", "linear2.weight",
                "norm1.weight",
                "norm2.weight",
            ]
            #expect(
                encoder.stateDict().map(\.name)
                    == [0, 1].flatMap { index in keys.map { "layers.\(index).\($0)" } } + ["norm.weight", "norm.bias"])
            let expected = [
                -1.3716458, -0.240578, 1.4229738, 0.18925001, 1.6777227, -0.27538431, -0.45007753, -0.95226079,
                -1.1785276,
                -0.6566937, 1.41549, 0.41973111, 1.3695388, 0.40348899, -0.44509211, -1.3279357, -1.2846998,
                -0.28153732,
                1.5055084, 0.060728531, 1.2309822, 0.54465282, -0.33484513, -1.4407898,
            ]
            #expect(matches(encoder(input()), expected, tolerance: 1e-5))
            // Copying the layer has drawn no random numbers.
            #expect(matches(Tensor.rand([2]), [0.16771793, 0.32949823]))
        }
    }

    @Test func layersOfAnEncoderAreCopies() {
        let layer = nn.TransformerEncoderLayer(4, 2, dimFeedforward: 3)
        layer.linear1.freeze()
        let encoder = nn.TransformerEncoder(layer.eval(), numLayers: 2)
        let (first, second) = (encoder.layers[0], encoder.layers[1])
        #expect(first.linear2.weight !== second.linear2.weight && !first.training)
        #expect(first.linear2.weight.isClose(to: layer.linear2.weight) && first.linear2.weight.requiresGrad)
        #expect(!first.linear1.weight.requiresGrad)
    }

    @Test func addedKeysAndMasks() async {
        await #expect(processExitsWith: .success) {
            manualSeed(3)
            let layer = nn.MultiheadAttention(4, 2, dropout: 0.5, addBiasKv: true, addZeroAttn: true, batchFirst: true)
            #expect(
                layer.stateDict().map(\.name)
                    == ["in_proj_weight", "in_proj_bias", "bias_k", "bias_v", "out_proj.weight", "out_proj.bias"])
            layer.eval()
            let x = input()
            let future = Tensor.ones([3, 3]).triu(1).to(.bool)
            let padding = Tensor([false, false, true, false, false, false], shape: [2, 3])
            let (output, weights) = layer(x, x, x, keyPaddingMask: padding, attnMask: future)
            let outputs = [
                0.083872914, -0.23401392, 0.012651727, 0.11099984, 0.27249178, -0.10458998, -0.057835832, 0.20489553,
                0.065356478, -0.018872786, 0.0030529574, 0.043655623, 0.21625891, -0.024659347, -0.047001787,
                0.11398178,
                0.19934046, 0.00018542632, -0.042587493, 0.12550038, 0.0892772, -0.036657806, 0.011225487, 0.12093068,
            ]
            #expect(matches(output, outputs))
            #expect(weights!.shape == [2, 3, 5])
            #expect(
                matches(
                    weights!.narrow(dim: 0, start: 0, length: 1),
                    [
                        0.36955273, 0, 0, 0.25623479, 0.37421244, 0.25233644, 0.2260461, 0, 0.29091775, 0.23069972,
                        0.22757301, 0.28832603, 0, 0.23420233, 0.2498987,
                    ]))
        }
    }

    @Test func droppedWeightsAreTorchs() async {
        await #expect(processExitsWith: .success) {
            manualSeed(3)
            let layer = nn.MultiheadAttention(4, 2, dropout: 0.5, addBiasKv: true, addZeroAttn: true, batchFirst: true)
            let x = input()
            manualSeed(4)
            let first = layer(x, x, x).output.narrow(dim: 0, start: 0, length: 1)
            #expect(
                matches(
                    first,
                    [
                        -0.37725529, -0.11684999, 0.11781187, -0.25771648, 0.8361249, -0.30633736, -0.19379187,
                        0.69898379,
                        -0.14891553, -0.11192394, 0.097340494, -0.057641137,
                    ]))
        }
    }
}

// Layers print as torch 2.15 prints them.
import Testing
import nn

private enum Cases {
    static let layers: [@Sendable () -> (Module, String)] = [
        { (nn.Conv1d(2, 3, kernelSize: 4, padding: 1), "Conv1d(2, 3, kernel_size=(4,), stride=(1,), padding=(1,))") },
        {
            (
                nn.Conv1d(
                    2, 4, kernelSize: 3, stride: 2, padding: 1, dilation: 2, groups: 2, bias: false,
                    paddingMode: .reflect),
                "Conv1d(2, 4, kernel_size=(3,), stride=(2,), padding=(1,), dilation=(2,), groups=2, bias=False, "
                    + "padding_mode=reflect)"
            )
        },
        { (nn.ConvTranspose2d(2, 3, kernelSize: 2), "ConvTranspose2d(2, 3, kernel_size=(2, 2), stride=(1, 1))") },
        {
            (
                nn.ConvTranspose2d(
                    2, 4, kernelSize: 3, stride: 2, padding: 1, outputPadding: 1, groups: 2, bias: false,
                    dilation: [1, 2]),
                "ConvTranspose2d(2, 4, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), dilation=(1, 2), "
                    + "output_padding=(1, 1), groups=2, bias=False)"
            )
        },
        { (nn.MaxPool1d(2), "MaxPool1d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)") },
        { (nn.AvgPool1d(3, stride: 2, padding: 1), "AvgPool1d(kernel_size=(3,), stride=(2,), padding=(1,))") },
        { (nn.AdaptiveMaxPool2d((nil, 2)), "AdaptiveMaxPool2d(output_size=(None, 2))") },
        { (nn.Bilinear(2, 3, 4), "Bilinear(in1_features=2, in2_features=3, out_features=4, bias=True)") },
        { (nn.RMSNorm([4]), "RMSNorm((4,), eps=None, elementwise_affine=True)") },
        { (nn.LayerNorm([3], bias: false), "LayerNorm((3,), eps=1e-05, elementwise_affine=True, bias=False)") },
        {
            (
                nn.InstanceNorm2d(3),
                "InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)"
            )
        },
        {
            (
                nn.BatchNorm2d(3),
                "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)"
            )
        },
        { (nn.Upsample(scaleFactor: 2), "Upsample(scale_factor=2.0, mode='nearest')") },
        { (nn.Upsample(size: [3, 4], mode: .bilinear), "Upsample(size=(3, 4), mode='bilinear')") },
        {
            (
                nn.RNN(
                    2, 3, numLayers: 2, relu: true, bias: false, batchFirst: true, dropout: 0.5, bidirectional: true),
                "RNN(2, 3, num_layers=2, bias=False, batch_first=True, dropout=0.5, bidirectional=True)"
            )
        },
        { (nn.LSTM(2, 3, projSize: 2), "LSTM(2, 3, proj_size=2)") },
        { (nn.RNNCell(2, 3, bias: false, relu: true), "RNNCell(2, 3, bias=False, nonlinearity=relu)") },
        { (nn.Unflatten(1, [2, 3]), "Unflatten(dim=1, unflattened_size=(2, 3))") },
        { (nn.Unfold(2), "Unfold(kernel_size=2, dilation=1, padding=0, stride=1)") },
        { (nn.Fold(4, 2), "Fold(output_size=(4, 4), kernel_size=2, dilation=1, padding=0, stride=1)") },
        { (nn.ZeroPad2d([1]), "ZeroPad2d((1, 1, 1, 1))") },
        { (nn.PixelShuffle(2), "PixelShuffle(upscale_factor=2)") },
        { (nn.CrossEntropyLoss(), "CrossEntropyLoss()") }, { (nn.ReLU(), "ReLU()") },
    ]
}

@Suite struct PrintingTests {
    @Test(arguments: Cases.layers.indices) func asInTorch(_ index: Int) {
        let (layer, text) = Cases.layers[index]()
        #expect(layer.description == text)
    }
}

// The models of the workloads, layer for layer those of torch_peer.py.
import nn

/// conv 5×5 → ReLU → pool, twice, then `head` on [N, 1568]: the CNN of the tutorials for 28×28 images.
func twoConvolutions(_ head: [Module]) -> Sequential {
    Sequential(
        [
            nn.Conv2d(1, 16, kernelSize: 5, padding: 2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, kernelSize: 5, padding: 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        ] + head)
}

/// One wide convolution and two linear layers.
func oneConvolution() -> Sequential {
    [
        nn.Conv2d(1, 30, kernelSize: 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4320, 100), nn.ReLU(),
        nn.Linear(100, 10),
    ]
}

/// Two 3×3 convolutions, dropout, two linear layers.
func dropoutNetwork() -> Sequential {
    [
        nn.Conv2d(1, 32, kernelSize: 3, padding: 1), nn.ReLU(), nn.Conv2d(32, 64, kernelSize: 3, padding: 1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.25), nn.Linear(12544, 128), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(128, 10),
    ]
}

/// The CNN for 32×32 colour images.
func colourNetwork() -> Sequential {
    [
        nn.Conv2d(3, 16, kernelSize: 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, kernelSize: 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(800, 32), nn.ReLU(), nn.Linear(32, 10),
    ]
}

/// 784 → 128 → 10.
func perceptron() -> Sequential { [nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)] }

/// Two 3×3 convolutions beside a shortcut, a 1×1 convolution where the shape changes (He et al., 2015).
final class ResidualBlock: nn.Module {
    let body, skip: Sequential

    init(_ inChannels: Int, _ outChannels: Int, stride: Int) {
        let stride = Pair(stride)
        body = [
            nn.Conv2d(inChannels, outChannels, kernelSize: 3, stride: stride, padding: 1, bias: false),
            nn.BatchNorm2d(outChannels), nn.ReLU(),
            nn.Conv2d(outChannels, outChannels, kernelSize: 3, padding: 1, bias: false), nn.BatchNorm2d(outChannels),
        ]
        skip =
            stride == 1 && inChannels == outChannels
            ? []
            : [
                nn.Conv2d(inChannels, outChannels, kernelSize: 1, stride: stride, bias: false),
                nn.BatchNorm2d(outChannels),
            ]
    }

    override func forward(_ x: Tensor) -> Tensor { F.relu(body(x) + skip(x)) }
}

/// A residual network of basic blocks: ResNet-18 has 2, 2, 2, 2 of them, ResNet-34 3, 4, 6, 3.
func residualNetwork(channels: Int, blocks: [Int], classes: Int) -> Sequential {
    let model: Sequential = [
        nn.Conv2d(channels, 64, kernelSize: 7, stride: 2, padding: 3, bias: false), nn.BatchNorm2d(64), nn.ReLU(),
        nn.MaxPool2d(3, stride: 2, padding: 1),
    ]
    var width = 64
    for (stage, count) in blocks.enumerated() {
        for block in 0..<count {
            model.append(ResidualBlock(width, 64 << stage, stride: stage > 0 && block == 0 ? 2 : 1))
            width = 64 << stage
        }
    }
    return model.append(nn.AdaptiveAvgPool2d(1)).append(nn.Flatten()).append(nn.Linear(width, classes))
}

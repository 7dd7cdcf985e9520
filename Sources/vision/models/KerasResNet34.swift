// The ResNet-34 of Keras tutorials: residual units with SAME padding.
import nn

extension models {
    /// ResNet-34 as it is written with Keras: SAME padding (TensorFlow's rule: the odd zero goes to the bottom and
    /// right), batch normalisation with Keras's ε = 0.001 and momentum 0.99 (0.01 in torch's sense), Glorot's
    /// initialisation. x: [N, inChannels, H, W] of any size; logits [N, numClasses], softmax belongs to the loss.
    ///
    /// With 1 channel and 10 classes 21,283,530 parameters and 17,024 running statistics.
    public final class KerasResNet34: Module {
        /// Convolution and pooling, the sixteen residual units, the classifier.
        public let stem: Sequential
        public let units: Sequential
        public let head: Linear

        /// - Parameter momentum: share of a batch in the running statistics. With Keras's 0.01 they tell of the data only
        ///   after some hundred steps; a shorter training wants more.
        public init(inChannels: Int = 1, numClasses: Int = 10, momentum: Double = 0.01) {
            stem = [
                Conv2d(inChannels, 64, kernelSize: 7, stride: 2, padding: .same, bias: false),
                batchNorm(64, momentum), ReLU(), MaxPool2d(3, stride: 2, padding: .same),
            ]
            units = Sequential()
            var previous = 64
            for (count, channels) in [(3, 64), (4, 128), (6, 256), (3, 512)] {
                for _ in 0..<count {
                    units.append(
                        ResidualUnit(previous, channels, stride: channels == previous ? 1 : 2, momentum: momentum))
                    previous = channels
                }
            }
            head = Linear(previous, numClasses)
            super.init()
            for module in modules {
                if let convolution = module as? Conv2d { nn.`init`.xavierUniform_(convolution.weight) }
            }
            nn.`init`.xavierUniform_(head.weight)
            if let bias = head.bias { nn.`init`.zeros_(bias) }
        }

        public override func forward(_ x: Tensor) -> Tensor { head(units(stem(x)).mean(dims: [-2, -1])) }
    }

    /// `relu(main(x) + skip(x))`: two 3 × 3 convolutions with batch normalisation beside the input itself, which a
    /// 1 × 1 convolution brings to the other shape where the stride is larger than 1.
    public final class ResidualUnit: Module {
        /// The convolutions.
        public let mainLayers: Sequential
        /// Empty at stride 1.
        public let skipLayers: Sequential

        /// From `inChannels` to `filters` channels; with a stride to a smaller image.
        public init(_ inChannels: Int, _ filters: Int, stride: Int = 1, momentum: Double = 0.01) {
            mainLayers = [
                Conv2d(inChannels, filters, kernelSize: 3, stride: Pair(stride), padding: .same, bias: false),
                batchNorm(filters, momentum), ReLU(),
                Conv2d(filters, filters, kernelSize: 3, padding: .same, bias: false), batchNorm(filters, momentum),
            ]
            skipLayers =
                stride == 1
                ? []
                : [
                    Conv2d(inChannels, filters, kernelSize: 1, stride: Pair(stride), padding: .same, bias: false),
                    batchNorm(filters, momentum),
                ]
        }

        public override func forward(_ x: Tensor) -> Tensor { F.relu(mainLayers(x) + skipLayers(x)) }
    }
}

/// Batch normalisation with Keras's ε.
private func batchNorm(_ channels: Int, _ momentum: Double) -> BatchNorm2d {
    BatchNorm2d(channels, eps: 1e-3, momentum: momentum)
}

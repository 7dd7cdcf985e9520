// Inception blocks: convolutions of several sizes side by side, their channels concatenated.
import nn

extension models {
    /// GoogLeNet for [N, 3, H, W], H and W at least 15; logits [N, numClasses]. Mirrors `torchvision.models.GoogLeNet`
    /// (Szegedy et al., 2015; batch normalisation added, as there).
    ///
    /// In training, two auxiliary heads see the features half-way; `outputs` has theirs too.
    public final class GoogLeNet: Module {
        /// Layers under torchvision's names.
        public let conv1: BasicConv2d
        public let maxpool1 = MaxPool2d(3, stride: 2, ceilMode: true)
        public let conv2, conv3: BasicConv2d
        public let maxpool2 = MaxPool2d(3, stride: 2, ceilMode: true)
        public let inception3a, inception3b: Inception
        public let maxpool3 = MaxPool2d(3, stride: 2, ceilMode: true)
        public let inception4a, inception4b, inception4c, inception4d, inception4e: Inception
        public let maxpool4 = MaxPool2d(2, stride: 2, ceilMode: true)
        public let inception5a, inception5b: Inception
        /// The auxiliary heads; nil without `auxLogits`.
        public let aux1, aux2: InceptionAux?
        /// The classifier.
        public let avgpool = AdaptiveAvgPool2d(1)
        public let dropout: Dropout
        public let fc: Linear
        /// Whether inputs normalised with the statistics of ImageNet are brought to [−1, 1], which the published
        /// weights expect.
        public let transformInput: Bool

        /// What the network says in training. Mirrors torchvision's `GoogLeNetOutputs`.
        public struct Outputs {
            /// [N, numClasses]
            public let logits: Tensor
            /// Those of the auxiliary heads, the deeper one first; nil in evaluation or without heads.
            public let auxLogits2, auxLogits1: Tensor?
        }

        /// - Parameter initWeights: draw convolutions and linear layers from a normal distribution of deviation 0.01,
        ///   cut off at ±2; else they stay as layers begin, which is faster.
        public init(
            numClasses: Int = 1000, auxLogits: Bool = true, transformInput: Bool = false, initWeights: Bool = true,
            dropout: Double = 0.2, dropoutAux: Double = 0.7
        ) {
            conv1 = BasicConv2d(3, 64, kernelSize: 7, stride: 2, padding: 3)
            conv2 = BasicConv2d(64, 64, kernelSize: 1)
            conv3 = BasicConv2d(64, 192, kernelSize: 3, padding: 1)
            inception3a = Inception(192, 64, (96, 128), (16, 32), pool: 32)
            inception3b = Inception(256, 128, (128, 192), (32, 96), pool: 64)
            inception4a = Inception(480, 192, (96, 208), (16, 48), pool: 64)
            inception4b = Inception(512, 160, (112, 224), (24, 64), pool: 64)
            inception4c = Inception(512, 128, (128, 256), (24, 64), pool: 64)
            inception4d = Inception(512, 112, (144, 288), (32, 64), pool: 64)
            inception4e = Inception(528, 256, (160, 320), (32, 128), pool: 128)
            inception5a = Inception(832, 256, (160, 320), (32, 128), pool: 128)
            inception5b = Inception(832, 384, (192, 384), (48, 128), pool: 128)
            aux1 = auxLogits ? InceptionAux(512, numClasses, dropout: dropoutAux) : nil
            aux2 = auxLogits ? InceptionAux(528, numClasses, dropout: dropoutAux) : nil
            self.dropout = Dropout(dropout)
            fc = Linear(1024, numClasses)
            self.transformInput = transformInput
            super.init()
            guard initWeights else { return }
            for module in modules {
                if let weight = (module as? Conv2d)?.weight ?? (module as? Linear)?.weight {
                    nn.`init`.truncNormal_(weight, std: 0.01, a: -2, b: 2)
                }
            }
        }

        public override func forward(_ x: Tensor) -> Tensor { run(x, heads: false).logits }

        /// The logits and, in training, those of the auxiliary heads. The loss of the paper is
        /// `logits + 0.3 · auxLogits1 + 0.3 · auxLogits2`, each by cross-entropy.
        public func outputs(_ x: Tensor) -> Outputs { run(x, heads: training) }

        private func run(_ input: Tensor, heads: Bool) -> Outputs {
            var x = maxpool1(conv1(transformInput ? recentred(input) : input))
            x = maxpool2(conv3(conv2(x)))
            x = maxpool3(inception3b(inception3a(x)))
            x = inception4a(x)
            let first = heads ? aux1?(x) : nil
            x = inception4d(inception4c(inception4b(x)))
            let second = heads ? aux2?(x) : nil
            x = maxpool4(inception4e(x))
            x = inception5b(inception5a(x))
            let logits = fc(dropout(avgpool(x).flatten(startDim: 1)))
            return Outputs(logits: logits, auxLogits2: second, auxLogits1: first)
        }

        /// From mean and deviation of ImageNet to mean and deviation 0.5, each channel.
        private func recentred(_ x: Tensor) -> Tensor {
            let (means, deviations) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
            let scale = Tensor(deviations.map { Float($0 / 0.5) }, shape: [3, 1, 1])
            let shift = Tensor(means.map { Float(($0 - 0.5) / 0.5) }, shape: [3, 1, 1])
            return x * scale + shift
        }
    }

    /// GoogLeNet. Mirrors `torchvision.models.googlenet`. Drawing its weights takes seconds; say `initWeights: false`
    /// where published ones are loaded next.
    public static func googlenet(
        numClasses: Int = 1000, auxLogits: Bool = true, initWeights: Bool = true
    ) -> GoogLeNet { GoogLeNet(numClasses: numClasses, auxLogits: auxLogits, initWeights: initWeights) }
}

extension models.GoogLeNet {
    /// Convolution without bias, batch normalisation (ε = 0.001), ReLU.
    public final class BasicConv2d: Module {
        /// Layers under torchvision's names.
        public let conv: Conv2d
        public let bn: BatchNorm2d

        /// Arguments as those of `Conv2d`.
        public init(_ inChannels: Int, _ outChannels: Int, kernelSize: Pair, stride: Pair = 1, padding: Padding = 0) {
            conv = Conv2d(
                inChannels, outChannels, kernelSize: kernelSize, stride: stride, padding: padding, bias: false)
            bn = BatchNorm2d(outChannels, eps: 0.001)
        }

        public override func forward(_ x: Tensor) -> Tensor { F.relu(bn(conv(x))) }
    }

    /// Four branches on [N, C, H, W], concatenated along the channels: 1 × 1; 1 × 1 then 3 × 3, twice; pooling then
    /// 1 × 1. The third is 5 × 5 in the paper, 3 × 3 in torchvision and here.
    public final class Inception: Module {
        /// Layers under torchvision's names.
        public let branch1: BasicConv2d
        public let branch2, branch3, branch4: Sequential

        /// Channels of the first branch; reduced and final ones of the second and third; those behind the pooling.
        public init(
            _ inChannels: Int, _ ch1x1: Int, _ ch3x3: (reduced: Int, out: Int), _ ch5x5: (reduced: Int, out: Int),
            pool: Int
        ) {
            func reducedThenConvolved(_ channels: (reduced: Int, out: Int)) -> Sequential {
                [
                    BasicConv2d(inChannels, channels.reduced, kernelSize: 1),
                    BasicConv2d(channels.reduced, channels.out, kernelSize: 3, padding: 1),
                ]
            }
            branch1 = BasicConv2d(inChannels, ch1x1, kernelSize: 1)
            branch2 = reducedThenConvolved(ch3x3)
            branch3 = reducedThenConvolved(ch5x5)
            branch4 = [
                MaxPool2d(3, stride: 1, padding: 1, ceilMode: true), BasicConv2d(inChannels, pool, kernelSize: 1),
            ]
        }

        public override func forward(_ x: Tensor) -> Tensor {
            Tensor.cat([branch1(x), branch2(x), branch3(x), branch4(x)], dim: 1)
        }
    }

    /// A classifier on features half-way, [N, C, H, W] to [N, numClasses].
    public final class InceptionAux: Module {
        /// Layers under torchvision's names.
        public let conv: BasicConv2d
        public let fc1, fc2: Linear
        public let dropout: Dropout

        /// - Parameter dropout: probability that a feature is dropped before the last layer.
        public init(_ inChannels: Int, _ numClasses: Int, dropout: Double = 0.7) {
            conv = BasicConv2d(inChannels, 128, kernelSize: 1)
            fc1 = Linear(2048, 1024)
            fc2 = Linear(1024, numClasses)
            self.dropout = Dropout(dropout)
        }

        public override func forward(_ x: Tensor) -> Tensor {
            let features = conv(F.adaptiveAvgPool2d(x, 4)).flatten(startDim: 1)
            return fc2(dropout(F.relu(fc1(features))))
        }
    }
}

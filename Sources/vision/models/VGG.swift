// Deep stacks of 3 × 3 convolutions.
import nn

extension models {
    /// VGG for [N, 3, H, W], H and W at least 32: stages of 3 × 3 convolutions, each closed by max pooling, and three
    /// linear layers; logits [N, numClasses]. Mirrors `torchvision.models.VGG` (Simonyan & Zisserman, 2015).
    public final class VGG: Module {
        /// Layers under torchvision's names: convolutions, pooling to 7 × 7, linear layers.
        public let features: Sequential
        public let avgpool = AdaptiveAvgPool2d(7)
        public let classifier: Sequential

        /// - Parameters:
        ///   - convolutions: how many each of the five stages has; their channels are 64, 128, 256, 512, 512.
        ///   - batchNorm: normalise behind every convolution.
        ///   - initWeights: draw the weights as the paper's successors do; else they stay as layers begin, which is
        ///     faster where weights are loaded next.
        public init(
            convolutions: [Int], batchNorm: Bool = false, numClasses: Int = 1000, initWeights: Bool = true,
            dropout: Double = 0.5
        ) {
            precondition(convolutions.count == 5, "VGG: five stages are expected, got \(convolutions)")
            let features = Sequential()
            var inChannels = 3
            for (count, channels) in zip(convolutions, [64, 128, 256, 512, 512]) {
                for _ in 0..<count {
                    features.append(Conv2d(inChannels, channels, kernelSize: 3, padding: 1))
                    if batchNorm { features.append(BatchNorm2d(channels)) }
                    features.append(ReLU())
                    inChannels = channels
                }
                features.append(MaxPool2d(2))
            }
            self.features = features
            classifier = [
                Linear(512 * 7 * 7, 4096), ReLU(), Dropout(dropout),
                Linear(4096, 4096), ReLU(), Dropout(dropout), Linear(4096, numClasses),
            ]
            super.init()
            if initWeights { drawWeights() }
        }

        private func drawWeights() {
            for module in modules {
                if let convolution = module as? Conv2d {
                    nn.`init`.kaimingNormal_(convolution.weight, mode: .fanOut, nonlinearity: "relu")
                    if let bias = convolution.bias { nn.`init`.zeros_(bias) }
                } else if let linear = module as? Linear {
                    nn.`init`.normal_(linear.weight, std: 0.01)
                    if let bias = linear.bias { nn.`init`.zeros_(bias) }
                }
            }
        }

        public override func forward(_ x: Tensor) -> Tensor {
            classifier(avgpool(features(x)).flatten(startDim: 1))
        }
    }

    /// VGG with 11 layers that have weights. Mirrors `torchvision.models.vgg11`.
    public static func vgg11(numClasses: Int = 1000, initWeights: Bool = true) -> VGG {
        VGG(convolutions: [1, 1, 2, 2, 2], numClasses: numClasses, initWeights: initWeights)
    }
    /// VGG with 13 layers. Mirrors `torchvision.models.vgg13`.
    public static func vgg13(numClasses: Int = 1000, initWeights: Bool = true) -> VGG {
        VGG(convolutions: [2, 2, 2, 2, 2], numClasses: numClasses, initWeights: initWeights)
    }
    /// VGG with 16 layers. Mirrors `torchvision.models.vgg16`.
    public static func vgg16(numClasses: Int = 1000, initWeights: Bool = true) -> VGG {
        VGG(convolutions: [2, 2, 3, 3, 3], numClasses: numClasses, initWeights: initWeights)
    }
    /// VGG with 19 layers. Mirrors `torchvision.models.vgg19`.
    public static func vgg19(numClasses: Int = 1000, initWeights: Bool = true) -> VGG {
        VGG(convolutions: [2, 2, 4, 4, 4], numClasses: numClasses, initWeights: initWeights)
    }
    /// `vgg11` with batch normalisation. Mirrors `torchvision.models.vgg11_bn`.
    public static func vgg11BN(numClasses: Int = 1000, initWeights: Bool = true) -> VGG {
        VGG(convolutions: [1, 1, 2, 2, 2], batchNorm: true, numClasses: numClasses, initWeights: initWeights)
    }
    /// `vgg13` with batch normalisation. Mirrors `torchvision.models.vgg13_bn`.
    public static func vgg13BN(numClasses: Int = 1000, initWeights: Bool = true) -> VGG {
        VGG(convolutions: [2, 2, 2, 2, 2], batchNorm: true, numClasses: numClasses, initWeights: initWeights)
    }
    /// `vgg16` with batch normalisation. Mirrors `torchvision.models.vgg16_bn`.
    public static func vgg16BN(numClasses: Int = 1000, initWeights: Bool = true) -> VGG {
        VGG(convolutions: [2, 2, 3, 3, 3], batchNorm: true, numClasses: numClasses, initWeights: initWeights)
    }
    /// `vgg19` with batch normalisation. Mirrors `torchvision.models.vgg19_bn`.
    public static func vgg19BN(numClasses: Int = 1000, initWeights: Bool = true) -> VGG {
        VGG(convolutions: [2, 2, 4, 4, 4], batchNorm: true, numClasses: numClasses, initWeights: initWeights)
    }
}

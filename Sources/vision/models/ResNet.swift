// Residual networks.
import nn

extension models {
    /// ResNet for [N, 3, H, W]: a stem, four stages of residual blocks, a linear layer; logits [N, numClasses].
    /// Mirrors `torchvision.models.ResNet` (He et al., 2016).
    public final class ResNet: Module {
        /// Layers under torchvision's names: the stem, the four stages, the classifier.
        public let conv1: Conv2d
        public let bn1 = BatchNorm2d(64)
        public let relu = ReLU()
        public let maxpool = MaxPool2d(3, stride: 2, padding: 1)
        public let layer1, layer2, layer3, layer4: Sequential
        public let avgpool = AdaptiveAvgPool2d(1)
        public let fc: Linear

        /// What a stage is made of.
        public enum Block: Sendable {
            /// Two 3 × 3 convolutions.
            case basic
            /// 1 × 1, 3 × 3, 1 × 1, four times as many channels in the end.
            case bottleneck

            /// Channels out of a block for each channel inside.
            public var expansion: Int { self == .basic ? 1 : 4 }
        }

        /// - Parameters:
        ///   - layers: the number of blocks of each of the four stages.
        ///   - zeroInitResidual: begin with blocks that pass their input on (their last scale is 0).
        public init(_ block: Block, layers: [Int], numClasses: Int = 1000, zeroInitResidual: Bool = false) {
            precondition(layers.count == 4, "ResNet: four stages are expected, got \(layers)")
            var inChannels = 64
            func stage(_ index: Int) -> Sequential {
                let channels = 64 << index
                return Sequential(
                    (0..<layers[index]).map { position in
                        let stride = index > 0 && position == 0 ? 2 : 1
                        defer { inChannels = channels * block.expansion }
                        return block == .basic
                            ? BasicBlock(inChannels, channels, stride: stride)
                            : Bottleneck(inChannels, channels, stride: stride)
                    })
            }
            conv1 = Conv2d(3, 64, kernelSize: 7, stride: 2, padding: 3, bias: false)
            (layer1, layer2, layer3, layer4) = (stage(0), stage(1), stage(2), stage(3))
            fc = Linear(inChannels, numClasses)
            super.init()
            for module in modules {
                if let convolution = module as? Conv2d {
                    nn.`init`.kaimingNormal_(convolution.weight, mode: .fanOut, nonlinearity: "relu")
                }
                let last = (module as? BasicBlock)?.bn2 ?? (module as? Bottleneck)?.bn3
                if zeroInitResidual, let scale = last?.weight { nn.`init`.zeros_(scale) }
            }
        }

        public override func forward(_ x: Tensor) -> Tensor {
            let features = layer4(layer3(layer2(layer1(maxpool(relu(bn1(conv1(x))))))))
            return fc(avgpool(features).flatten(startDim: 1))
        }
    }

    /// ResNet with 18 layers that have weights. Mirrors `torchvision.models.resnet18`.
    public static func resnet18(numClasses: Int = 1000) -> ResNet {
        ResNet(.basic, layers: [2, 2, 2, 2], numClasses: numClasses)
    }
    /// ResNet with 34 layers. Mirrors `torchvision.models.resnet34`.
    public static func resnet34(numClasses: Int = 1000) -> ResNet {
        ResNet(.basic, layers: [3, 4, 6, 3], numClasses: numClasses)
    }
    /// ResNet with 50 layers. Mirrors `torchvision.models.resnet50`.
    public static func resnet50(numClasses: Int = 1000) -> ResNet {
        ResNet(.bottleneck, layers: [3, 4, 6, 3], numClasses: numClasses)
    }
    /// ResNet with 101 layers. Mirrors `torchvision.models.resnet101`.
    public static func resnet101(numClasses: Int = 1000) -> ResNet {
        ResNet(.bottleneck, layers: [3, 4, 23, 3], numClasses: numClasses)
    }
    /// ResNet with 152 layers. Mirrors `torchvision.models.resnet152`.
    public static func resnet152(numClasses: Int = 1000) -> ResNet {
        ResNet(.bottleneck, layers: [3, 8, 36, 3], numClasses: numClasses)
    }
}

extension models.ResNet {
    /// `relu(x + conv(relu(conv(x))))`, each convolution 3 × 3 with batch normalisation.
    public final class BasicBlock: Module {
        /// Layers under torchvision's names.
        public let conv1: Conv2d
        public let bn1: BatchNorm2d
        public let relu = ReLU()
        public let conv2: Conv2d
        public let bn2: BatchNorm2d
        /// Brings x to the other shape; nil where the shapes agree.
        public let downsample: Sequential?

        /// From `inChannels` to `channels`; with a stride to a smaller image.
        public init(_ inChannels: Int, _ channels: Int, stride: Int = 1) {
            downsample = shortcut(inChannels, channels, stride)
            conv1 = Conv2d(inChannels, channels, kernelSize: 3, stride: Pair(stride), padding: 1, bias: false)
            bn1 = BatchNorm2d(channels)
            conv2 = Conv2d(channels, channels, kernelSize: 3, padding: 1, bias: false)
            bn2 = BatchNorm2d(channels)
        }

        public override func forward(_ x: Tensor) -> Tensor {
            let main = bn2(conv2(relu(bn1(conv1(x)))))
            return relu(main + (downsample?(x) ?? x))
        }
    }

    /// 1 × 1, 3 × 3, 1 × 1 around a shortcut; the 3 × 3 has the stride, as in torchvision (ResNet "V1.5").
    public final class Bottleneck: Module {
        /// Layers under torchvision's names.
        public let conv1: Conv2d
        public let bn1: BatchNorm2d
        public let conv2: Conv2d
        public let bn2: BatchNorm2d
        public let conv3: Conv2d
        public let bn3: BatchNorm2d
        public let relu = ReLU()
        /// Brings x to the other shape; nil where the shapes agree.
        public let downsample: Sequential?

        /// From `inChannels` to four times `channels`; with a stride to a smaller image.
        public init(_ inChannels: Int, _ channels: Int, stride: Int = 1) {
            let outChannels = channels * models.ResNet.Block.bottleneck.expansion
            downsample = shortcut(inChannels, outChannels, stride)
            conv1 = Conv2d(inChannels, channels, kernelSize: 1, bias: false)
            bn1 = BatchNorm2d(channels)
            conv2 = Conv2d(channels, channels, kernelSize: 3, stride: Pair(stride), padding: 1, bias: false)
            bn2 = BatchNorm2d(channels)
            conv3 = Conv2d(channels, outChannels, kernelSize: 1, bias: false)
            bn3 = BatchNorm2d(outChannels)
        }

        public override func forward(_ x: Tensor) -> Tensor {
            let main = bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x))))))))
            return relu(main + (downsample?(x) ?? x))
        }
    }
}

/// A 1 × 1 convolution with batch normalisation where a block changes the shape. Built before the block's own layers,
/// as torchvision does, so that equal seeds give equal weights.
private func shortcut(_ inChannels: Int, _ outChannels: Int, _ stride: Int) -> Sequential? {
    guard stride != 1 || inChannels != outChannels else { return nil }
    return [
        Conv2d(inChannels, outChannels, kernelSize: 1, stride: Pair(stride), bias: false), BatchNorm2d(outChannels),
    ]
}

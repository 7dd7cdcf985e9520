// The network that began deep learning on photographs.
import nn

extension models {
    /// AlexNet for [N, 3, H, W], H and W at least 63; logits [N, numClasses]. Mirrors `torchvision.models.AlexNet`
    /// (Krizhevsky, 2014: one column of the network of 2012).
    public final class AlexNet: Module {
        /// Layers under torchvision's names: convolutions, pooling to 6 × 6, linear layers.
        public let features: Sequential
        public let avgpool = AdaptiveAvgPool2d(6)
        public let classifier: Sequential

        /// - Parameters:
        ///   - numClasses: length of the logits.
        ///   - dropout: probability that a feature is dropped before each of the first two linear layers.
        public init(numClasses: Int = 1000, dropout: Double = 0.5) {
            features = [
                Conv2d(3, 64, kernelSize: 11, stride: 4, padding: 2), ReLU(), MaxPool2d(3, stride: 2),
                Conv2d(64, 192, kernelSize: 5, padding: 2), ReLU(), MaxPool2d(3, stride: 2),
                Conv2d(192, 384, kernelSize: 3, padding: 1), ReLU(),
                Conv2d(384, 256, kernelSize: 3, padding: 1), ReLU(),
                Conv2d(256, 256, kernelSize: 3, padding: 1), ReLU(), MaxPool2d(3, stride: 2),
            ]
            classifier = [
                Dropout(dropout), Linear(256 * 6 * 6, 4096), ReLU(),
                Dropout(dropout), Linear(4096, 4096), ReLU(), Linear(4096, numClasses),
            ]
        }

        public override func forward(_ x: Tensor) -> Tensor {
            classifier(avgpool(features(x)).flatten(startDim: 1))
        }
    }

    /// AlexNet. Mirrors `torchvision.models.alexnet`.
    public static func alexnet(numClasses: Int = 1000) -> AlexNet { AlexNet(numClasses: numClasses) }
}

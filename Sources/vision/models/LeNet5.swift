// The network that read handwritten digits, and where all models live.
import nn

/// Well-known networks. Names and shapes of their weights are torchvision's, so that its published weights load with
/// `loadStateDict`; drawn from the same seed, the first weights are torch's too. Mirrors `torchvision.models`.
public enum models {}

extension models {
    /// LeNet-5 for [N, inChannels, 28, 28], or 32 × 32 with `padding: 0`: two convolutions with tanh and average
    /// pooling, three linear layers; logits [N, numClasses]. 61,706 parameters as it stands (LeCun et al., 1998; the
    /// output layer is linear, its loss is cross-entropy).
    public final class LeNet5: Module {
        /// The two convolutions with what follows each, and the three linear layers.
        public let features: Sequential
        public let classifier: Sequential

        /// - Parameter padding: of the first convolution; 2 makes 28 × 28 what the paper's 32 × 32 are.
        public init(inChannels: Int = 1, numClasses: Int = 10, padding: Int = 2) {
            features = [
                Conv2d(inChannels, 6, kernelSize: 5, padding: [padding]), Tanh(), AvgPool2d(2),
                Conv2d(6, 16, kernelSize: 5), Tanh(), AvgPool2d(2),
            ]
            classifier = [Linear(16 * 5 * 5, 120), Tanh(), Linear(120, 84), Tanh(), Linear(84, numClasses)]
        }

        public override func forward(_ x: Tensor) -> Tensor { classifier(features(x).flatten(startDim: 1)) }
    }
}

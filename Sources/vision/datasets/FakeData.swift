// Noise in the shape of a dataset, for trying programs and measuring them.
import Tapestry
import data

extension datasets {
    /// Images of standard normal noise with random labels, the same for the same index: inputs float32 `imageSize`,
    /// targets int64. Mirrors `torchvision.datasets.FakeData` (whose noise goes through bytes).
    public struct FakeData: Dataset {
        public let count: Int
        /// [C, H, W]
        public let imageSize: [Int]
        /// Labels are below it.
        public let numClasses: Int
        /// Applied to each image.
        public let transform: (any Transform)?
        /// Added to an index, it is the seed of the image.
        public let randomOffset: Int

        /// Nothing is made before it is asked for. Traps for a negative size and without classes.
        public init(
            size: Int = 1000, imageSize: [Int] = [3, 224, 224], numClasses: Int = 10,
            transform: (any Transform)? = nil, randomOffset: Int = 0
        ) {
            precondition(size >= 0 && numClasses > 0, "FakeData: \(size) images of \(numClasses) classes")
            (count, self.imageSize, self.numClasses) = (size, imageSize, numClasses)
            (self.transform, self.randomOffset) = (transform, randomOffset)
        }

        public func sample(_ index: Int) -> (input: Tensor, target: Tensor) {
            precondition((0..<count).contains(index), "FakeData: index \(index) is out of 0 ..< \(count)")
            let generator = Tapestry.Generator(seed: UInt64(truncatingIfNeeded: index + randomOffset))
            let image = Tensor.randn(imageSize, generator: generator)
            return (transform?(image) ?? image, Tensor.randint(0, numClasses, [], generator: generator))
        }
    }
}

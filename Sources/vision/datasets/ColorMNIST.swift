// A colour dataset that needs no download: digits over photographs.
import Foundation
import Tapestry

extension datasets {
    /// Digits of the shipped MNIST subset in random colours over random crops of the two shipped photographs, 32 × 32:
    /// ten classes in the shape of CIFAR-10, so that examples with colour run on a fresh machine. Inputs float32
    /// [3, 32, 32] in [0, 1], targets int64 in 0...9.
    ///
    /// Made from a seed in a fraction of a second and kept in memory only; `write(to:)` makes files that `CIFAR10`
    /// reads.
    /// Training images have the left three quarters of the photographs behind them, test images the rest.
    public struct ColorMNIST: ImageDataset {
        /// The set in memory.
        public let images: LabelledImages

        /// - Parameters:
        ///   - count: how many images; all digits that there are (10,000 for training, 2,000 for testing) unless given.
        ///   - seed: the same seed makes the same images.
        ///   - transform: applied to each batch of images, float32 [N, 3, 32, 32].
        /// - Throws: `FileError` if the package's resources are missing.
        public init(
            train: Bool = true, count: Int? = nil, seed: UInt64 = 0, transform: (any Transform)? = nil
        ) throws {
            let digits = try MNIST.subset(train: train)
            let available = digits.data.shape[0]
            let count = count ?? available
            precondition((1...available).contains(count), "ColorMNIST: \(count) images of 1 to \(available)")
            let photographs = try datasets.sampleImages()
            let data = Tensor.empty([count, 3, 32, 32], dtype: .uint8)
            // The test set is not the training set's continuation.
            let painter = Painter(
                generator: Tapestry.Generator(seed: seed &* 2 &+ (train ? 0 : 1)), photographs: photographs.shape,
                columns: train ? 0..<480 : 480..<640)
            photographs.withElements(as: UInt8.self) { photographs in
                digits.data.withElements(as: UInt8.self) { digits in
                    data.withElements(as: UInt8.self) { target in
                        for index in 0..<count {
                            painter.paint(
                                digit: UnsafeBufferPointer(rebasing: digits[index * 784..<(index + 1) * 784]),
                                photographs: UnsafeBufferPointer(photographs),
                                onto: UnsafeMutableBufferPointer(rebasing: target[index * 3072..<(index + 1) * 3072]))
                        }
                    }
                }
            }
            images = LabelledImages(
                data: data, targets: digits.targets.narrow(dim: 0, start: 0, length: count).clone(),
                classes: digits.classes, transform: transform)
        }

        /// Writes the images in the files of CIFAR-10's binary version, where `CIFAR10(root:train:)` finds them:
        /// training images as `data_batch_1.bin` to `data_batch_5.bin`, test images as `test_batch.bin`.
        ///
        /// - Throws: `FileError` if they cannot be written.
        public static func write(to root: String, seed: UInt64 = 0) throws {
            let folder = "\(root)/cifar-10-batches-bin"
            do {
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            } catch {
                throw FileError(folder, "cannot be made (\(error.localizedDescription))")
            }
            for train in [true, false] {
                let set = try ColorMNIST(train: train, seed: seed)
                let (bytes, labels) = (set.data.array(UInt8.self), set.targets.array(UInt8.self))
                let parts = train ? 5 : 1
                for part in 0..<parts {
                    let name = train ? "data_batch_\(part + 1).bin" : "test_batch.bin"
                    let range = labels.count * part / parts..<labels.count * (part + 1) / parts
                    let rows = range.flatMap { [labels[$0]] + bytes[$0 * 3072..<($0 + 1) * 3072] }
                    try rows.withUnsafeBytes { rows in
                        try writeAtomically(to: "\(folder)/\(name)") { append in try append(rows) }
                    }
                }
            }
        }
    }
}

/// Draws places and colours, and blends.
private struct Painter {
    let generator: Tapestry.Generator
    /// [photographs, 3, H, W]
    let photographs: [Int]
    /// The part of the photographs that is used.
    let columns: Range<Int>

    /// A digit of 28 × 28 somewhere over a crop of 32 × 32, bright on dark or dark on bright.
    func paint(
        digit: UnsafeBufferPointer<UInt8>, photographs pixels: UnsafeBufferPointer<UInt8>,
        onto target: UnsafeMutableBufferPointer<UInt8>
    ) {
        let (height, width) = (photographs[2], photographs[3])
        let photograph = generator.index(below: photographs[0])
        let top = generator.index(below: height - 31)
        let left = columns.lowerBound + generator.index(below: columns.count - 31)
        let (shiftY, shiftX) = (generator.index(below: 5), generator.index(below: 5))
        var sum = 0
        for channel in 0..<3 {
            let plane = (photograph * 3 + channel) * height * width
            for y in 0..<32 {
                for x in 0..<32 {
                    let value = pixels[plane + (top + y) * width + left + x]
                    target[channel * 1024 + y * 32 + x] = value
                    sum += Int(value)
                }
            }
        }
        // The upper or the lower half of each channel, whichever the background is further from.
        let least = sum < 128 * 3072 ? 128 : 0
        for channel in 0..<3 {
            let color = least + generator.index(below: 128)
            for y in 0..<28 {
                for x in 0..<28 {
                    let share = Int(digit[y * 28 + x])
                    let place = channel * 1024 + (y + shiftY) * 32 + x + shiftX
                    let mixed = Int(target[place]) * (255 - share) + color * share
                    target[place] = UInt8((mixed + 127) / 255)
                }
            }
        }
    }
}

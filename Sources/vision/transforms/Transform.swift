// What a transform is, and transforms made of others.
import Tapestry

/// Transforms of images: values that are called with an image [C, H, W] or a batch [N, C, H, W], float32 or uint8, and
/// give another. Nothing is recorded on the tape. Mirrors `torchvision.transforms`.
///
///     let augment = transforms.Compose([
///         transforms.RandomHorizontalFlip(), transforms.RandomRotation(15),
///         transforms.Resize(32), transforms.RandomCrop(28),
///     ])
///     let images = augment(batch)
public enum transforms {}

/// Something that makes an image from an image. Mirrors the callables of `torchvision.transforms`.
///
/// Random transforms draw for each image of a batch on its own, in the order of the images, from their generator: the
/// same seed gives the same images, and those that torchvision gives.
public protocol Transform: Sendable {
    /// Whether two calls may differ.
    var isRandom: Bool { get }
    /// Transforms an image [C, H, W] or a batch [N, C, H, W].
    func callAsFunction(_ images: Tensor) -> Tensor
}

extension Transform {
    public var isRandom: Bool { false }
}

/// A transform that draws anew for each image.
protocol RandomTransform: Transform {
    /// Transforms one image [C, H, W].
    func transformed(_ image: Tensor) -> Tensor
    /// Transforms the images of a batch [N, C, H, W] with the same draws as one by one; some do it at once.
    func transformed(batch images: Tensor) -> Tensor
}

extension RandomTransform {
    public var isRandom: Bool { true }
    public func callAsFunction(_ images: Tensor) -> Tensor {
        images.rank == 4 ? transformed(batch: images) : eachImage(of: images) { transformed($0) }
    }
    func transformed(batch images: Tensor) -> Tensor { eachImage(of: images) { transformed($0) } }
}

extension transforms {
    /// Transforms one after the other. Mirrors `torchvision.transforms.Compose`.
    ///
    /// A batch is transformed as its images one by one would be, with the same draws; what comes before the first and
    /// behind the last random transform is done for all images at once.
    public struct Compose: Transform {
        /// In the order in which they are applied.
        public let transforms: [any Transform]

        /// A chain of transforms, the first of which sees the image first.
        public init(_ transforms: [any Transform]) { self.transforms = transforms }

        public var isRandom: Bool { transforms.contains { $0.isRandom } }

        public func callAsFunction(_ images: Tensor) -> Tensor {
            guard let first = transforms.firstIndex(where: { $0.isRandom }),
                let last = transforms.lastIndex(where: { $0.isRandom })
            else { return transforms.reduce(images) { $1($0) } }
            let prepared = transforms[..<first].reduce(images) { $1($0) }
            // A single random transform draws image by image by itself, and may be faster at it.
            let drawn =
                first == last
                ? transforms[first](prepared)
                : eachImage(of: prepared) { image in transforms[first...last].reduce(image) { $1($0) } }
            return transforms[(last + 1)...].reduce(drawn) { $1($0) }
        }
    }

    /// A function as a transform. It is called with whatever the transform is: an image or a batch; in a `Compose`
    /// between random transforms with one image. Mirrors `torchvision.transforms.Lambda`.
    public struct Lambda: Transform {
        private let function: @Sendable (Tensor) -> Tensor
        /// A function of an image [C, H, W] or a batch [N, C, H, W].
        public init(_ function: @escaping @Sendable (Tensor) -> Tensor) { self.function = function }
        public func callAsFunction(_ images: Tensor) -> Tensor { function(images) }
    }

    /// uint8 in 0...255 becomes float32 in [0, 1]; other tensors stay as they are. Mirrors
    /// `torchvision.transforms.ToTensor`.
    public struct ToTensor: Transform {
        public init() {}
        public func callAsFunction(_ images: Tensor) -> Tensor { functional.toTensor(images) }
    }

    /// `(x − mean) / std` for each channel. Mirrors `torchvision.transforms.Normalize`.
    public struct Normalize: Transform {
        /// One number for all channels, or one for each.
        public let mean, std: [Double]
        /// One number for all channels, or one for each.
        public init(mean: [Double], std: [Double]) { (self.mean, self.std) = (mean, std) }
        /// The same without labels, as it is mostly written.
        public init(_ mean: [Double], _ std: [Double]) { self.init(mean: mean, std: std) }
        public func callAsFunction(_ images: Tensor) -> Tensor { functional.normalize(images, mean: mean, std: std) }
    }

    /// Grey from RGB, as 1 channel or 3 equal ones. Mirrors `torchvision.transforms.Grayscale`.
    public struct Grayscale: Transform {
        /// 1 or 3.
        public let numOutputChannels: Int
        /// Traps on use unless the number of channels is 1 or 3.
        public init(numOutputChannels: Int = 1) { self.numOutputChannels = numOutputChannels }
        public func callAsFunction(_ images: Tensor) -> Tensor {
            functional.rgbToGrayscale(images, numOutputChannels: numOutputChannels)
        }
    }

    /// Another size. Mirrors `torchvision.transforms.Resize`.
    public struct Resize: Transform {
        private enum Target { case shorterEdge(Int, longest: Int?), exact(Pair) }
        private let target: Target
        /// As in `functional.resize`.
        public let interpolation: InterpolationMode
        public let antialias: Bool

        /// The shorter edge becomes `size`, the other one in proportion, but no longer than `maxSize`.
        public init(
            _ size: Int, interpolation: InterpolationMode = .bilinear, maxSize: Int? = nil, antialias: Bool = true
        ) {
            target = .shorterEdge(size, longest: maxSize)
            (self.interpolation, self.antialias) = (interpolation, antialias)
        }
        /// Height and width whatever the proportions.
        public init(_ size: Pair, interpolation: InterpolationMode = .bilinear, antialias: Bool = true) {
            target = .exact(size)
            (self.interpolation, self.antialias) = (interpolation, antialias)
        }

        public func callAsFunction(_ images: Tensor) -> Tensor {
            switch target {
            case .exact(let size):
                functional.resize(images, size, interpolation: interpolation, antialias: antialias)
            case .shorterEdge(let size, let longest):
                functional.resize(
                    images, size, interpolation: interpolation, maxSize: longest, antialias: antialias)
            }
        }
    }

    /// The middle; zeros around images that are too small. Mirrors `torchvision.transforms.CenterCrop`.
    public struct CenterCrop: Transform {
        /// Height and width of the part.
        public let size: Pair
        /// A square for one number.
        public init(_ size: Pair) { self.size = size }
        public func callAsFunction(_ images: Tensor) -> Tensor { functional.centerCrop(images, size) }
    }

    /// Pixels put around the image. Mirrors `torchvision.transforms.Pad`.
    public struct Pad: Transform {
        /// Pixels on each side, what is in them, and how it is found.
        public let padding: Borders
        public let fill: Double
        public let paddingMode: PaddingMode
        /// `fill` is used by `.constant` only.
        public init(_ padding: Borders, fill: Double = 0, paddingMode: PaddingMode = .constant) {
            (self.padding, self.fill, self.paddingMode) = (padding, fill, paddingMode)
        }
        public func callAsFunction(_ images: Tensor) -> Tensor {
            functional.pad(images, padding, fill: fill, paddingMode: paddingMode)
        }
    }
}

extension transforms {
    /// Where the value between pixels comes from. Mirrors `torchvision.transforms.InterpolationMode`.
    public enum InterpolationMode: Sendable {
        /// The pixel that `⌊i · in / out⌋` names when resizing, the nearest one when turning.
        case nearest
        /// The pixel whose centre is nearest.
        case nearestExact
        /// The four pixels around, linearly; when resizing smaller with antialias all that are covered.
        case bilinear
    }

    /// What padding holds.
    public enum PaddingMode: Sendable {
        case constant
        /// The outermost pixel.
        case edge
        /// The image mirrored, the outermost pixel once: `3 2 | 1 2 3 | 2 1`.
        case reflect
        /// The image mirrored, the outermost pixel twice: `2 1 | 1 2 3 | 3 2`.
        case symmetric
    }

    /// Pixels on each side: one number for all, two for left and right, top and bottom, or four.
    public struct Borders: Sendable, Equatable, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
        /// In pixels; negative numbers cut off.
        public var left, top, right, bottom: Int
        /// Each side by itself.
        public init(left: Int = 0, top: Int = 0, right: Int = 0, bottom: Int = 0) {
            (self.left, self.top, self.right, self.bottom) = (left, top, right, bottom)
        }
        /// The same on all sides.
        public init(_ all: Int) { self.init(left: all, top: all, right: all, bottom: all) }
        public init(integerLiteral value: Int) { self.init(value) }
        /// Traps on another number of them than 1, 2 or 4.
        public init(arrayLiteral elements: Int...) {
            require([1, 2, 4].contains(elements.count), "Borders: \(elements) are not 1, 2 or 4 numbers", nil)
            let last = elements.count - 1
            self.init(
                left: elements[0], top: elements[min(1, last)], right: elements[last == 3 ? 2 : 0],
                bottom: elements[last])
        }
    }
}

/// Calls `body` on an image, or on each of a batch, whose results are stacked; they must have one shape then.
func eachImage(of images: Tensor, _ body: (Tensor) -> Tensor) -> Tensor {
    require(
        images.rank == 3 || images.rank == 4, "transform: expected [C, H, W] or [N, C, H, W], got \(images.shape)", nil)
    guard images.rank == 4, images.shape[0] > 0 else { return images.rank == 3 ? body(images) : images }
    return noGrad {
        let first = body(images.part(0))
        guard first.dtype == .float32 else {
            return Tensor.stack([first] + (1..<images.shape[0]).map { body(images.part($0)) })
        }
        // Small images in their thousands: copied one by one they cost less than a list of tensors to stack.
        let (shape, count) = (first.shape, first.count)
        let result = Tensor.empty([images.shape[0]] + shape)
        result.withElements(as: Float.self) { target in
            for index in 0..<images.shape[0] {
                let image = index == 0 ? first : body(images.part(index))
                require(
                    image.shape == shape && image.dtype == .float32,
                    "transform: the images of a batch became \(shape) and \(image.shape)", nil)
                image.contiguous().withElements(as: Float.self) { source in
                    guard let from = source.baseAddress, let to = target.baseAddress else { return }
                    (to + index * count).update(from: from, count: count)
                }
            }
        }
        return result
    }
}

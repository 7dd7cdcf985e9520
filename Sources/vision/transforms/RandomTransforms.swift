// Transforms that draw where to cut and whether to flip.
import Foundation
import Tapestry

extension transforms {
    /// Left and right exchanged with probability `p`. Mirrors `torchvision.transforms.RandomHorizontalFlip`.
    public struct RandomHorizontalFlip: RandomTransform {
        /// How likely an image is flipped.
        public let p: Double
        let generator: Tapestry.Generator
        /// Draws from a generator, the default one unless told otherwise. Traps unless `p` is a probability.
        public init(p: Double = 0.5, generator: Tapestry.Generator = .default) {
            requireProbability("RandomHorizontalFlip", p)
            (self.p, self.generator) = (p, generator)
        }
        func transformed(_ image: Tensor) -> Tensor { generator.chance(p) ? functional.hflip(image) : image }
        func transformed(batch images: Tensor) -> Tensor {
            let extent = ImageExtent("RandomHorizontalFlip", images, SourceSite(#fileID, #line))
            let (kept, mirrored) = (PixelTable(extent), PixelTable(extent, mirrorsColumns: true))
            return remapped(images, extent, to: Pair(extent.height, extent.width)) { _ in
                generator.chance(p) ? mirrored : kept
            }
        }
    }

    /// Top and bottom exchanged with probability `p`. Mirrors `torchvision.transforms.RandomVerticalFlip`.
    public struct RandomVerticalFlip: RandomTransform {
        /// How likely an image is flipped.
        public let p: Double
        let generator: Tapestry.Generator
        /// Draws from a generator, the default one unless told otherwise. Traps unless `p` is a probability.
        public init(p: Double = 0.5, generator: Tapestry.Generator = .default) {
            requireProbability("RandomVerticalFlip", p)
            (self.p, self.generator) = (p, generator)
        }
        func transformed(_ image: Tensor) -> Tensor { generator.chance(p) ? functional.vflip(image) : image }
        func transformed(batch images: Tensor) -> Tensor {
            let extent = ImageExtent("RandomVerticalFlip", images, SourceSite(#fileID, #line))
            let (kept, mirrored) = (PixelTable(extent), PixelTable(extent, mirrorsRows: true))
            return remapped(images, extent, to: Pair(extent.height, extent.width)) { _ in
                generator.chance(p) ? mirrored : kept
            }
        }
    }

    /// A part of a given size, anywhere in the padded image. Mirrors `torchvision.transforms.RandomCrop`.
    public struct RandomCrop: RandomTransform {
        /// Height and width of the part.
        public let size: Pair
        /// What the image is padded with first, how, and whether images that are too small are.
        public let padding: Borders?
        public let padIfNeeded: Bool
        public let fill: Double
        public let paddingMode: PaddingMode
        let generator: Tapestry.Generator

        /// - Parameters:
        ///   - padding: pixels put around the image first.
        ///   - padIfNeeded: also pad images that are too small (on both sides by what is missing); else they trap.
        public init(
            _ size: Pair, padding: Borders? = nil, padIfNeeded: Bool = false, fill: Double = 0,
            paddingMode: PaddingMode = .constant, generator: Tapestry.Generator = .default
        ) {
            (self.size, self.padding, self.padIfNeeded) = (size, padding, padIfNeeded)
            (self.fill, self.paddingMode, self.generator) = (fill, paddingMode, generator)
        }

        func transformed(_ image: Tensor) -> Tensor { cut(image) }
        func transformed(batch images: Tensor) -> Tensor { cut(images) }

        /// A part of an image, or of each of a batch.
        private func cut(_ images: Tensor) -> Tensor {
            var images = images
            func pad(_ borders: Borders) {
                images = functional.pad(images, borders, fill: fill, paddingMode: paddingMode)
            }
            if let padding { pad(padding) }
            if padIfNeeded {
                let missing = (height: size.height - images.size(-2), width: size.width - images.size(-1))
                if missing.width > 0 { pad(Borders(left: missing.width, right: missing.width)) }
                if missing.height > 0 { pad(Borders(top: missing.height, bottom: missing.height)) }
            }
            let extent = ImageExtent("RandomCrop", images, SourceSite(#fileID, #line))
            let (restY, restX) = (extent.height - size.height, extent.width - size.width)
            require(
                restY >= 0 && restX >= 0,
                "RandomCrop: \(size) is larger than the image, \(extent.height) × \(extent.width)", nil)
            if restY == 0, restX == 0 { return images }
            return remapped(images, extent, to: size) { _ in
                let top = generator.index(below: restY + 1)
                return PixelTable(extent, top: top, left: generator.index(below: restX + 1), size: size)
            }
        }
    }

    /// A part of random size and proportion, resized. Mirrors `torchvision.transforms.RandomResizedCrop`.
    public struct RandomResizedCrop: RandomTransform {
        /// Height and width of the result.
        public let size: Pair
        /// Of the part: its share of the area, and its width by its height.
        public let scale, ratio: ClosedRange<Double>
        /// How the part is resized.
        public let interpolation: InterpolationMode
        public let antialias: Bool
        let generator: Tapestry.Generator

        /// - Parameters:
        ///   - scale: the part's share of the image's area.
        ///   - ratio: its width by its height.
        public init(
            _ size: Pair, scale: ClosedRange<Double> = 0.08...1, ratio: ClosedRange<Double> = (3.0 / 4)...(4.0 / 3),
            interpolation: InterpolationMode = .bilinear, antialias: Bool = true,
            generator: Tapestry.Generator = .default
        ) {
            require(
                scale.lowerBound >= 0 && ratio.lowerBound > 0,
                "RandomResizedCrop: scale \(scale) or ratio \(ratio) is not positive", nil)
            (self.size, self.scale, self.ratio) = (size, scale, ratio)
            (self.interpolation, self.antialias, self.generator) = (interpolation, antialias, generator)
        }

        func transformed(_ image: Tensor) -> Tensor {
            let part = part(height: image.shape[1], width: image.shape[2])
            return functional.resizedCrop(
                image, top: part.top, left: part.left, height: part.height, width: part.width, size: size,
                interpolation: interpolation, antialias: antialias)
        }

        /// Ten tries, then as much of the middle as the proportion allows.
        private func part(height: Int, width: Int) -> (top: Int, left: Int, height: Int, width: Int) {
            for _ in 0..<10 {
                let (w, h) = generator.lengths(area: height * width, scale: scale, ratio: ratio)
                if (1...width).contains(w), (1...height).contains(h) {
                    let top = generator.index(below: height - h + 1)
                    return (top, generator.index(below: width - w + 1), h, w)
                }
            }
            var (h, w) = (height, width)
            if Double(width) / Double(height) < ratio.lowerBound {
                h = Int((Double(w) / ratio.lowerBound).rounded(.toNearestOrEven))
            } else if Double(width) / Double(height) > ratio.upperBound {
                w = Int((Double(h) * ratio.upperBound).rounded(.toNearestOrEven))
            }
            return ((height - h) / 2, (width - w) / 2, h, w)
        }
    }

    /// A rectangle overwritten with probability `p`. Mirrors `torchvision.transforms.RandomErasing` (Zhong et al.,
    /// 2020).
    public struct RandomErasing: RandomTransform {
        /// How likely something is overwritten; the rectangle's share of the area, its height by its width, and with what.
        public let p: Double
        public let scale, ratio: ClosedRange<Double>
        public let value: Value
        let generator: Tapestry.Generator

        /// What is written.
        public enum Value: Sendable, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral {
            /// One number for all channels, or one for each.
            case constant([Double])
            /// Standard normal numbers.
            case random

            public init(floatLiteral value: Double) { self = .constant([value]) }
            public init(integerLiteral value: Int) { self = .constant([Double(value)]) }
            public init(arrayLiteral elements: Double...) { self = .constant(elements) }
        }

        /// - Parameters:
        ///   - scale: the rectangle's share of the image's area.
        ///   - ratio: its height by its width.
        public init(
            p: Double = 0.5, scale: ClosedRange<Double> = 0.02...0.33, ratio: ClosedRange<Double> = 0.3...3.3,
            value: Value = 0, generator: Tapestry.Generator = .default
        ) {
            requireProbability("RandomErasing", p)
            require(
                scale.lowerBound >= 0 && scale.upperBound <= 1 && ratio.lowerBound > 0,
                "RandomErasing: scale \(scale) is not within 0 to 1, or ratio \(ratio) not positive", nil)
            (self.p, self.scale, self.ratio, self.value, self.generator) = (p, scale, ratio, value, generator)
        }

        func transformed(_ image: Tensor) -> Tensor {
            guard generator.chance(p) else { return image }
            let (channels, height, width) = (image.shape[0], image.shape[1], image.shape[2])
            for _ in 0..<10 {
                let (h, w) = generator.lengths(area: height * width, scale: scale, ratio: ratio)
                guard h < height, w < width else { continue }
                let content: Tensor
                switch value {
                case .random: content = Tensor.randn([channels, h, w], generator: generator)
                case .constant(let numbers):
                    require(
                        numbers.count == 1 || numbers.count == channels,
                        "RandomErasing: \(numbers.count) values for \(channels) channels", nil)
                    content = Tensor(numbers.map { Float($0) }, shape: [numbers.count, 1, 1])
                }
                let top = generator.index(below: height - h + 1)
                let left = generator.index(below: width - w + 1)
                return functional.erase(image, top: top, left: left, height: h, width: w, value: content)
            }
            return image
        }
    }
}

private func requireProbability(_ op: StaticString, _ p: Double) {
    require((0...1).contains(p), "\(op): probability \(p) is not between 0 and 1", nil)
}

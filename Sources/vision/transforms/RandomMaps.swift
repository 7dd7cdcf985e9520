// Transforms that draw an angle, and those that draw colours.
import Foundation
import Tapestry

extension transforms {
    /// Turned by a random angle. Mirrors `torchvision.transforms.RandomRotation`.
    public struct RandomRotation: RandomTransform {
        /// Where the angle comes from, in degrees counter-clockwise.
        public enum Angles: Sendable {
            case within(ClosedRange<Double>)
            /// One of these.
            case choices([Double])
        }
        /// Where the angle is drawn from.
        public let angles: Angles
        public let interpolation: InterpolationMode
        /// Whether the result is made large enough for the whole turned image.
        public let expand: Bool
        /// What is turned about, in pixels from the upper left corner; the middle if nil.
        public let center: (x: Double, y: Double)?
        /// Outside the image: one value for all channels, or one for each.
        public let fill: [Double]
        let generator: Tapestry.Generator

        /// Angles from a range or from a choice. Traps if there is nothing to choose from.
        public init(
            _ angles: Angles, interpolation: InterpolationMode = .nearest, expand: Bool = false,
            center: (x: Double, y: Double)? = nil, fill: [Double] = [0], generator: Tapestry.Generator = .default
        ) {
            if case .choices(let choices) = angles {
                require(!choices.isEmpty, "RandomRotation: no angles to choose", nil)
            }
            (self.angles, self.interpolation, self.expand) = (angles, interpolation, expand)
            (self.center, self.fill, self.generator) = (center, fill, generator)
        }
        /// Uniform in a range.
        public init(
            _ degrees: ClosedRange<Double>, interpolation: InterpolationMode = .nearest, expand: Bool = false,
            center: (x: Double, y: Double)? = nil, fill: [Double] = [0], generator: Tapestry.Generator = .default
        ) {
            self.init(
                .within(degrees), interpolation: interpolation, expand: expand, center: center, fill: fill,
                generator: generator)
        }
        /// Uniform in −`degrees`...`degrees`.
        public init(
            _ degrees: Double, interpolation: InterpolationMode = .nearest, expand: Bool = false,
            center: (x: Double, y: Double)? = nil, fill: [Double] = [0], generator: Tapestry.Generator = .default
        ) {
            self.init(
                symmetric("RandomRotation", degrees), interpolation: interpolation, expand: expand, center: center,
                fill: fill, generator: generator)
        }
        /// One of several angles: `RandomRotation(choices: [90, 180, 270])`, which torchvision has no argument for.
        public init(
            choices: [Double], interpolation: InterpolationMode = .nearest, expand: Bool = false,
            center: (x: Double, y: Double)? = nil, fill: [Double] = [0], generator: Tapestry.Generator = .default
        ) {
            self.init(
                .choices(choices), interpolation: interpolation, expand: expand, center: center, fill: fill,
                generator: generator)
        }

        func transformed(_ image: Tensor) -> Tensor {
            let angle =
                switch angles {
                case .within(let range): generator.uniform(range)
                case .choices(let choices): choices[generator.index(below: choices.count)]
                }
            return functional.rotate(
                image, angle, interpolation: interpolation, expand: expand, center: center, fill: fill)
        }
    }

    /// Turned, moved, scaled and sheared at random. Mirrors `torchvision.transforms.RandomAffine`.
    public struct RandomAffine: RandomTransform {
        /// Ranges of the angle; of the way moved, as a share of the image's width and height; of the scale; of the shears.
        public let degrees: ClosedRange<Double>
        public let translate: (x: Double, y: Double)?
        public let scale, shear, shearY: ClosedRange<Double>?
        /// As in `functional.affine`.
        public let interpolation: InterpolationMode
        public let fill: [Double]
        public let center: (x: Double, y: Double)?
        let generator: Tapestry.Generator

        /// - Parameters:
        ///   - degrees: the angle, clockwise.
        ///   - translate: at most this share of width and height, either way.
        ///   - scale: the factor of scaling.
        ///   - shear: degrees of shear parallel to the x axis; `shearY` to the y axis.
        ///   - fill: outside the image: one value for all channels, or one for each.
        public init(
            _ degrees: ClosedRange<Double>, translate: (x: Double, y: Double)? = nil,
            scale: ClosedRange<Double>? = nil, shear: ClosedRange<Double>? = nil, shearY: ClosedRange<Double>? = nil,
            interpolation: InterpolationMode = .nearest, fill: [Double] = [0], center: (x: Double, y: Double)? = nil,
            generator: Tapestry.Generator = .default
        ) {
            require(
                translate.map { (0...1).contains($0.x) && (0...1).contains($0.y) } ?? true,
                "RandomAffine: translate is not within 0 to 1", nil)
            require(scale.map { $0.lowerBound > 0 } ?? true, "RandomAffine: scale is not positive", nil)
            (self.degrees, self.translate, self.scale) = (degrees, translate, scale)
            (self.shear, self.shearY, self.interpolation) = (shear, shearY, interpolation)
            (self.fill, self.center, self.generator) = (fill, center, generator)
        }
        /// An angle in −`degrees`...`degrees`.
        public init(
            _ degrees: Double, translate: (x: Double, y: Double)? = nil, scale: ClosedRange<Double>? = nil,
            shear: ClosedRange<Double>? = nil, shearY: ClosedRange<Double>? = nil,
            interpolation: InterpolationMode = .nearest, fill: [Double] = [0], center: (x: Double, y: Double)? = nil,
            generator: Tapestry.Generator = .default
        ) {
            self.init(
                symmetric("RandomAffine", degrees), translate: translate, scale: scale, shear: shear, shearY: shearY,
                interpolation: interpolation, fill: fill, center: center, generator: generator)
        }

        func transformed(_ image: Tensor) -> Tensor {
            let angle = generator.uniform(degrees)
            var moved = (x: 0.0, y: 0.0)
            if let translate {
                // Whole pixels; Python rounds halves to the even number.
                let most = (x: translate.x * Double(image.shape[2]), y: translate.y * Double(image.shape[1]))
                moved.x = generator.uniform(-most.x, most.x).rounded(.toNearestOrEven)
                moved.y = generator.uniform(-most.y, most.y).rounded(.toNearestOrEven)
            }
            let factor = scale.map { generator.uniform($0) } ?? 1
            let shearX = shear.map { generator.uniform($0) } ?? 0
            return functional.affine(
                image, angle: angle, translate: moved, scale: factor,
                shear: (shearX, shearY.map { generator.uniform($0) } ?? 0), interpolation: interpolation, fill: fill,
                center: center)
        }
    }

    /// Brightness, contrast, saturation and hue changed at random, in random order. Mirrors
    /// `torchvision.transforms.ColorJitter`.
    public struct ColorJitter: RandomTransform {
        /// How far a factor goes from the one that changes nothing (1, for hue 0), or its range.
        public enum Amount: Sendable, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
            case upTo(Double)
            case within(ClosedRange<Double>)

            public init(floatLiteral value: Double) { self = .upTo(value) }
            public init(integerLiteral value: Int) { self = .upTo(Double(value)) }

            /// The range of the factor; nil if nothing is to change.
            fileprivate func range(_ name: StaticString, neutral: Double, _ allowed: ClosedRange<Double>)
                -> ClosedRange<Double>?
            {
                let range: ClosedRange<Double>
                switch self {
                case .upTo(let amount):
                    require(amount >= 0, "ColorJitter: \(name) \(amount) is negative", nil)
                    // Factors below 0 mean nothing; hues do.
                    range = (neutral == 1 ? max(0, 1 - amount) : -amount)...(neutral + amount)
                case .within(let given): range = given
                }
                require(
                    allowed.contains(range.lowerBound) && allowed.contains(range.upperBound),
                    "ColorJitter: \(name) \(range) is not within \(allowed)", nil)
                return range == neutral...neutral ? nil : range
            }
        }

        /// Ranges of the factors; nil where nothing changes.
        public let brightness, contrast, saturation, hue: ClosedRange<Double>?
        let generator: Tapestry.Generator

        /// Each by up to an amount, or within a range. Traps for amounts that are negative, and for hues beyond ±0.5.
        public init(
            brightness: Amount = 0, contrast: Amount = 0, saturation: Amount = 0, hue: Amount = 0,
            generator: Tapestry.Generator = .default
        ) {
            let factors = 0...Double.greatestFiniteMagnitude
            self.brightness = brightness.range("brightness", neutral: 1, factors)
            self.contrast = contrast.range("contrast", neutral: 1, factors)
            self.saturation = saturation.range("saturation", neutral: 1, factors)
            self.hue = hue.range("hue", neutral: 0, -0.5...0.5)
            self.generator = generator
        }

        func transformed(_ image: Tensor) -> Tensor {
            let order = generator.permutation(4)
            let factors = [brightness, contrast, saturation, hue].map { range in range.map { generator.uniform($0) } }
            return order.reduce(image) { image, kind in
                guard let factor = factors[kind] else { return image }
                switch kind {
                case 0: return functional.adjustBrightness(image, factor)
                case 1: return functional.adjustContrast(image, factor)
                case 2: return functional.adjustSaturation(image, factor)
                default: return functional.adjustHue(image, factor)
                }
            }
        }
    }
}

private func symmetric(_ op: StaticString, _ degrees: Double) -> ClosedRange<Double> {
    require(degrees >= 0, "\(op): \(degrees) degrees either way are negative; give a range", nil)
    return -degrees...degrees
}

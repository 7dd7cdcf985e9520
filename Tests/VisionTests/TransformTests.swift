// Transforms beside torchvision's, with fixed parameters and with draws from the same seed.
// Resources/transforms.py made the references.
import Foundation
import Tapestry
import TestSupport
import Testing
import vision

private typealias t = vision.transforms
private typealias f = vision.transforms.functional

/// A transform with fixed parameters as torchvision's references name it, and the image that it is shown.
private struct Fixed: Sendable {
    let name: String
    var shape = [3, 11, 14]
    let apply: @Sendable (Tensor) -> Tensor

    init(_ name: String, _ shape: [Int] = [3, 11, 14], _ apply: @escaping @Sendable (Tensor) -> Tensor) {
        (self.name, self.shape, self.apply) = (name, shape, apply)
    }
}

private let moved: [Fixed] = [
    Fixed("hflip") { f.hflip($0) }, Fixed("vflip") { f.vflip($0) },
    Fixed("crop") { f.crop($0, top: 2, left: 3, height: 7, width: 6) },
    Fixed("crop_outside") { f.crop($0, top: -2, left: 10, height: 15, width: 9) },
    Fixed("center_crop") { f.centerCrop($0, [8, 9]) }, Fixed("center_crop_larger") { f.centerCrop($0, [14, 9]) },
    Fixed("pad_constant") { f.pad($0, [1, 2, 3, 4], fill: 1) },
    Fixed("pad_edge") { f.pad($0, [1, 2, 3, 4], paddingMode: .edge) },
    Fixed("pad_reflect") { f.pad($0, [1, 2, 3, 4], paddingMode: .reflect) },
    Fixed("pad_symmetric") { f.pad($0, [1, 2, 3, 4], paddingMode: .symmetric) },
    Fixed("pad_negative") { f.pad($0, [-2, 3]) },
    Fixed("erase") {
        f.erase($0, top: 2, left: 3, height: 4, width: 5, value: Tensor([0.1, 0.2, 0.3] as [Float], shape: [3, 1, 1]))
    },
]

private let resized: [Fixed] =
    [("up", [17, 23] as Pair), ("down", [5, 4]), ("mixed", [20, 6])].flatMap { name, size in
        [
            Fixed("resize_nearest_\(name)") { f.resize($0, size, interpolation: .nearest) },
            Fixed("resize_nearest_exact_\(name)") { f.resize($0, size, interpolation: .nearestExact) },
            Fixed("resize_bilinear_\(name)") { f.resize($0, size, antialias: false) },
            Fixed("resize_antialias_\(name)") { f.resize($0, size) },
        ]
    } + [
        Fixed("resize_shorter") { f.resize($0, 8) }, Fixed("resize_longest") { f.resize($0, 8, maxSize: 9) },
        Fixed("resize_tall", [1, 13, 5]) { f.resize($0, 8) }, Fixed("resize_one", [1, 1, 1]) { f.resize($0, [3, 5]) },
        Fixed("resized_crop") { f.resizedCrop($0, top: 1, left: 2, height: 8, width: 7, size: [5, 6]) },
    ]

private let turned: [Fixed] =
    ["15", "-37.5", "90", "180"].flatMap { text in
        let angle = Double(text)!
        return [
            Fixed("rotate_\(text)") { f.rotate($0, angle) },
            Fixed("rotate_bilinear_\(text)") { f.rotate($0, angle, interpolation: .bilinear) },
            Fixed("rotate_expand_\(text)") { f.rotate($0, angle, interpolation: .bilinear, expand: true) },
        ]
    } + [
        Fixed("rotate_center") { f.rotate($0, 20, interpolation: .bilinear, center: (2, 3)) },
        Fixed("rotate_fill") { f.rotate($0, 33, fill: [0.25, 0.5, 1]) },
        Fixed("rotate_fill_bilinear") { f.rotate($0, 33, interpolation: .bilinear, fill: [0.25, 0.5, 1]) },
        Fixed("affine") { f.affine($0, angle: 10, translate: (2, -1), scale: 1.3, shear: (5, -8)) },
        Fixed("affine_bilinear") {
            f.affine($0, angle: 10, translate: (2, -1), scale: 0.7, shear: (5, -8), interpolation: .bilinear)
        },
        Fixed("affine_center") {
            f.affine(
                $0, angle: -25, translate: (0, 1), scale: 0.9, shear: (0, 12), interpolation: .bilinear, fill: [0.5],
                center: (3, 4))
        },
    ]

private let coloured: [Fixed] =
    ["0.3", "1.7"].flatMap { text in
        let factor = Double(text)!
        return [
            Fixed("brightness_\(text)") { f.adjustBrightness($0, factor) },
            Fixed("contrast_\(text)") { f.adjustContrast($0, factor) },
            Fixed("saturation_\(text)") { f.adjustSaturation($0, factor) },
        ]
    }
    + ["-0.5", "-0.2", "0.1", "0.4"].map { text in Fixed("hue_\(text)") { f.adjustHue($0, Double(text)!) } } + [
        Fixed("contrast_gray", [1, 6, 7]) { f.adjustContrast($0, 0.6) },
        Fixed("grayscale") { f.rgbToGrayscale($0) },
        Fixed("grayscale3") { f.rgbToGrayscale($0, numOutputChannels: 3) },
        Fixed("normalize") { f.normalize($0, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]) },
    ]

private let fixed = moved + resized + turned + coloured

/// Random transforms as the references name them, drawing from a generator.
private let random: [(name: String, make: @Sendable (Tapestry.Generator) -> any Transform)] = [
    ("hflip", { t.RandomHorizontalFlip(generator: $0) }),
    ("vflip", { t.RandomVerticalFlip(p: 0.3, generator: $0) }),
    ("crop", { t.RandomCrop([16, 17], generator: $0) }),
    ("crop_padded", { t.RandomCrop(24, padding: [3, 4], paddingMode: .reflect, generator: $0) }),
    ("crop_needed", { t.RandomCrop([26, 20], padIfNeeded: true, fill: 0.5, generator: $0) }),
    ("resized_crop", { t.RandomResizedCrop(12, generator: $0) }),
    ("resized_crop_narrow", { t.RandomResizedCrop([9, 12], scale: 0.9...1, ratio: 3...4, generator: $0) }),
    ("rotation", { t.RandomRotation(30, generator: $0) }),
    ("rotation_bilinear", { t.RandomRotation(10...80, interpolation: .bilinear, fill: [0.5], generator: $0) }),
    (
        "affine",
        {
            t.RandomAffine(
                20, translate: (0.1, 0.2), scale: 0.8...1.2, shear: -5...5, shearY: 0...10, interpolation: .bilinear,
                generator: $0)
        }
    ),
    (
        "jitter",
        { t.ColorJitter(brightness: 0.4, contrast: 0.3, saturation: .within(0.5...1.5), hue: 0.2, generator: $0) }
    ),
    ("erasing", { t.RandomErasing(p: 0.8, generator: $0) }),
    ("erasing_random", { t.RandomErasing(p: 0.8, scale: 0.1...0.5, value: .random, generator: $0) }),
    (
        "compose",
        {
            t.Compose([
                t.Resize(18), t.RandomHorizontalFlip(generator: $0),
                t.RandomRotation(15, interpolation: .bilinear, generator: $0), t.Resize([16, 15]),
                t.RandomCrop(13, generator: $0), t.Normalize(mean: [0.5], std: [0.25]),
            ])
        }
    ),
]

@Suite(.ownGenerator) struct TransformTests {
    private let references = try! loadSafetensors(from: resource("transforms.safetensors"))

    private func image(_ shape: [Int]) -> Tensor {
        var samples: [Float] = []
        for c in 0..<shape[0] {
            for y in 0..<shape[1] {
                for x in 0..<shape[2] {
                    let value = x * x * 3 + y * 17 + x * y * 5 + c * 71
                    samples.append(Float(value % 251) / 250)
                }
            }
        }
        return Tensor(samples, shape: shape)
    }

    // MARK: Fixed parameters

    @Test(arguments: fixed.indices) func fixedTransformsAreTorchvisions(_ index: Int) throws {
        let transform = fixed[index]
        let input = image(transform.shape)
        let expected = try #require(references["functional.\(transform.name)"])
        expectClose(transform.apply(input), expected, absolute: 1e-5, "\(transform.name)")
        // A batch is its images; a view is what it shows.
        let batch = Tensor.stack([input, input * 0.5])
        expectClose(transform.apply(batch).select(dim: 0, index: 0), expected, absolute: 1e-5, "\(transform.name)")
        let view = input.transpose(1, 2).contiguous().transpose(1, 2)
        expectClose(transform.apply(view), expected, absolute: 1e-5, "\(transform.name)")
    }

    @Test(arguments: fixed.indices) func bytesAreRoundedAsTorchvisionRoundsThem(_ index: Int) throws {
        let transform = fixed[index]
        guard let expected = references["functional.bytes.\(transform.name)"] else { return }
        let found = transform.apply((image(transform.shape) * 250).round().to(.uint8))
        #expect(found.dtype == .uint8)
        // Sums in another order may fall on the other side of a half or of a whole number.
        expectClose(found, expected, absolute: 1, "\(transform.name)")
        let pairs = zip(found.array(Int.self), expected.array(Int.self))
        let others = pairs.reduce(0) { $0 + ($1.0 == $1.1 ? 0 : 1) }
        #expect(others * 50 <= found.count, "\(transform.name): \(others) of \(found.count) samples differ")
    }

    @Test func toTensorScalesBytesOnly() {
        let bytes = Tensor([0, 51, 255] as [UInt8], shape: [1, 1, 3])
        #expect(t.ToTensor()(bytes).array(Float.self) == [0, 0.2, 1])
        #expect(t.ToTensor()(t.ToTensor()(bytes)).array(Float.self) == [0, 0.2, 1])
    }

    // MARK: Draws

    @Test(arguments: random.indices) func randomTransformsDrawAsTorchvision(_ index: Int) throws {
        let (name, make) = random[index]
        let batch = Tensor.stack((0..<6).map { image([3, 20, 24]) * (1 - 0.1 * Double($0)) })
        let transform = make(Tapestry.Generator(seed: 5))
        #expect(transform.isRandom)
        let whole = transform(batch)
        for (dim, part) in [(-1, "rows"), (-2, "columns")] {
            let expected = try #require(references["random.\(name).\(part)"])
            expectClose(whole.mean(dim: dim), expected, absolute: 2e-5, "\(name)")
        }
        // Single images from the same seed are the batch's.
        let again = make(Tapestry.Generator(seed: 5))
        for index in 0..<6 {
            let one = again(batch.select(dim: 0, index: index))
            #expect(one.array(Float.self) == whole.select(dim: 0, index: index).array(Float.self))
        }
    }

    @Test func anglesCanBeChosenFrom() {
        let input = image([1, 5, 5])
        let transform = t.RandomRotation(choices: [90, 180, 270], generator: Tapestry.Generator(seed: 1))
        let allowed = [90.0, 180, 270].map { f.rotate(input, $0).array(Float.self) }
        let found = (0..<40).map { _ in transform(input).array(Float.self) }
        #expect(found.allSatisfy { allowed.contains($0) })
        #expect(allowed.allSatisfy { found.contains($0) })
    }

    @Test func theDefaultGeneratorIsTheSeededOne() {
        let input = image([1, 9, 9])
        let transform = t.RandomRotation(45)
        manualSeed(3)
        let first = transform(input).array(Float.self)
        #expect(transform(input).array(Float.self) != first)
        manualSeed(3)
        #expect(transform(input).array(Float.self) == first)
    }

    @Test func pipelinesWithoutDrawsSeeWholeBatches() {
        let seen = t.Lambda { images in
            #expect(images.shape == [4, 1, 5, 5])
            return images * 2
        }
        let pipeline = t.Compose([t.Resize(5), seen, t.CenterCrop(3), t.Pad(1, fill: 7), t.Grayscale()])
        #expect(!pipeline.isRandom)
        let result = pipeline(Tensor.ones([4, 1, 10, 10]))
        #expect(result.shape == [4, 1, 5, 5])
        #expect(result.array(Float.self)[0] == 7 && abs(result.array(Float.self)[6] - 2) < 1e-6)
    }

    @Test func nothingIsRecorded() {
        let input = image([3, 8, 8]).clone().requiresGrad()
        for transform in fixed where transform.shape == [3, 11, 14] && !transform.name.hasPrefix("erase") {
            #expect(!transform.apply(Tensor.zeros([3, 11, 14], requiresGrad: true)).requiresGrad, "\(transform.name)")
        }
        #expect(!t.RandomErasing(p: 1)(input).requiresGrad)
    }

    // MARK: Mistakes

    @Test func mistakesTrap() async {
        await #expect(processExitsWith: .failure) { _ = t.Resize(4)(Tensor.zeros([5, 5])) }
        await #expect(processExitsWith: .failure) { _ = t.Resize(0)(Tensor.zeros([1, 5, 5])) }
        await #expect(processExitsWith: .failure) { _ = t.RandomCrop(9)(Tensor.zeros([1, 5, 5])) }
        await #expect(processExitsWith: .failure) { _ = t.Normalize(mean: [0, 0], std: [1])(Tensor.zeros([3, 5, 5])) }
        await #expect(processExitsWith: .failure) { _ = t.Pad(5, paddingMode: .reflect)(Tensor.zeros([3, 5, 5])) }
        await #expect(processExitsWith: .failure) { _ = t.RandomHorizontalFlip(p: 2) }
        await #expect(processExitsWith: .failure) { _ = f.affine(Tensor.zeros([1, 5, 5]), angle: 0, scale: 0) }
    }
}

// Padding images and changing their size. Mirrors torch.nn.

/// Zeros around images: left, right, top, bottom, or one number for all. Mirrors `torch.nn.ZeroPad2d`.
public final class ZeroPad2d: FunctionModule {
    public init(_ padding: [Int]) { super.init(tuple(fourfold(padding))) { $0.pad(fourfold(padding)) } }
}

/// The image mirrored at its edges. Mirrors `torch.nn.ReflectionPad2d`.
public final class ReflectionPad2d: FunctionModule {
    public init(_ padding: [Int]) {
        super.init(tuple(fourfold(padding))) { $0.pad(fourfold(padding), mode: .reflect) }
    }
}

/// The outermost pixels repeated. Mirrors `torch.nn.ReplicationPad2d`.
public final class ReplicationPad2d: FunctionModule {
    public init(_ padding: [Int]) {
        super.init(tuple(fourfold(padding))) { $0.pad(fourfold(padding), mode: .replicate) }
    }
}

/// One number for all sides, or one for each.
private func fourfold(_ padding: [Int]) -> [Int] {
    precondition([1, 4].contains(padding.count), "padding: expected one number or four, got \(padding)")
    return padding.count == 1 ? [Int](repeating: padding[0], count: 4) : padding
}

func tuple(_ values: [Int]) -> String { "(\(values.map(String.init).joined(separator: ", ")))" }

/// Channels as pixels: [N, C·r², H, W] to [N, C, H·r, W·r]. Mirrors `torch.nn.PixelShuffle` (Shi et al., 2016).
public final class PixelShuffle: FunctionModule {
    public init(_ upscaleFactor: Int) {
        super.init("upscale_factor=\(upscaleFactor)") { $0.pixelShuffle(upscaleFactor) }
    }
}

/// Images at another size. Mirrors `torch.nn.Upsample`.
public final class Upsample: FunctionModule {
    public init(
        size: [Int]? = nil, scaleFactor: [Double]? = nil, mode: F.InterpolationMode = .nearest,
        alignCorners: Bool = false
    ) {
        let target = size.map { "size=\(written($0))" } ?? "scale_factor=\(written(scaleFactor ?? []))"
        super.init("\(target), mode='\(mode.rawValue)'") {
            F.interpolate($0, size: size, scaleFactor: scaleFactor, mode: mode, alignCorners: alignCorners)
        }
    }
    public convenience init(scaleFactor: Double, mode: F.InterpolationMode = .nearest) {
        self.init(scaleFactor: [scaleFactor], mode: mode)
    }
}
private func written<T>(_ values: [T]) -> String {
    values.count == 1 ? "\(values[0])" : "(\(values.map { "\($0)" }.joined(separator: ", ")))"
}

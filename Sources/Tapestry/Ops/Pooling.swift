// Max and average pooling over planes.
import Kernels

/// The largest element of each window; the gradient goes to it alone, the first of equals.
struct MaxPool2d: KeepingPrimitive {
    let geometry: PoolingShape
    /// Whether anybody will ask for the winners: without them it is faster.
    var keepsWinners = true
    func forward(_ x: [Tensor], keeping kept: inout [Tensor]) -> Tensor {
        let source = x[0].packed()
        defer { withExtendedLifetime(source) {} }
        let y = Tensor(uninitialized: pooledShape(x[0], geometry), source.dtype)
        if keepsWinners { kept.append(Tensor(uninitialized: y.shape, geometry.hasByteWinners ? .uint8 : .int32)) }
        Engine.kernels(y.dtype).maxPoolForward(
            geometry, UnsafeRawPointer(source.pointer), y.pointer, kept.first?.pointer)
        return y
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        [MaxPool2dGradient(geometry: geometry, winners: saved.kept(0), shape: saved.shape(0))(dy, at: nil)]
    }
}

/// Places `dy` at the winners; its own gradient picks them out again.
struct MaxPool2dGradient: Primitive {
    let geometry: PoolingShape
    let winners: Tensor
    let shape: [Int]
    func forward(_ x: [Tensor]) -> Tensor {
        let dy = x[0].packed()
        defer { withExtendedLifetime(dy) {} }
        let dx = Tensor(uninitialized: shape, dy.dtype)
        Engine.kernels(dx.dtype).maxPoolBackward(
            geometry, UnsafeRawPointer(dy.pointer), UnsafeRawPointer(winners.pointer), dx.pointer)
        return dx
    }
    func gradient(_ saved: Saved, _ ddx: Tensor) -> [Tensor?] {
        let planes = [geometry.planes, geometry.height * geometry.width]
        let indices = flatIndices(winners, geometry).reshape([geometry.planes, -1])
        return [Gather(dim: 1, index: indices)(ddx.reshape(planes), at: nil).reshape(saved.shape(0))]
    }
}

/// Winners as int64 indices into the flattened plane, as torch returns them.
func flatIndices(_ winners: Tensor, _ g: PoolingShape) -> Tensor {
    let offsets = winners.array(Int.self)
    let area = g.outHeight * g.outWidth
    let indices = offsets.indices.map { index in
        let (row, column) = (index % area / g.outWidth, index % area % g.outWidth)
        let (kh, kw) = (offsets[index] / g.kernelWidth, offsets[index] % g.kernelWidth)
        return (row * g.strideHeight - g.padTop + kh * g.dilationHeight) * g.width
            + column * g.strideWidth - g.padLeft + kw * g.dilationWidth
    }
    return Tensor(indices, shape: winners.shape)
}

/// The mean of each window; the gradient is spread over it.
struct AvgPool2d: Primitive {
    let geometry: PoolingShape
    let countIncludePad: Bool
    let divisorOverride: Int?
    func forward(_ x: [Tensor]) -> Tensor {
        let source = x[0].packed()
        defer { withExtendedLifetime(source) {} }
        let y = Tensor(uninitialized: pooledShape(x[0], geometry), source.dtype)
        Engine.kernels(y.dtype).avgPoolForward(
            geometry, UnsafeRawPointer(source.pointer), y.pointer, countIncludePad, divisorOverride)
        return y
    }
    func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] {
        [AvgPool2dGradient(pool: self, shape: saved.shape(0))(dy, at: nil)]
    }
}

struct AvgPool2dGradient: Primitive {
    let pool: AvgPool2d
    let shape: [Int]
    func forward(_ x: [Tensor]) -> Tensor {
        let dy = x[0].packed()
        defer { withExtendedLifetime(dy) {} }
        let dx = Tensor(uninitialized: shape, dy.dtype)
        Engine.kernels(dx.dtype).avgPoolBackward(
            pool.geometry, UnsafeRawPointer(dy.pointer), dx.pointer, pool.countIncludePad, pool.divisorOverride)
        return dx
    }
    func gradient(_ saved: Saved, _ ddx: Tensor) -> [Tensor?] { [pool(ddx, at: nil)] }
}

private func pooledShape(_ x: Tensor, _ g: PoolingShape) -> [Int] {
    Array(x.shape.dropLast(2)) + [g.outHeight, g.outWidth]
}

/// Windows along one axis, by torch's rule: `ceilMode` counts a last partial window if it starts inside.
private func windows(
    _ size: Int, _ kernel: Int, _ stride: Int, _ pad: (before: Int, after: Int), _ dilation: Int, _ ceilMode: Bool
) -> Int {
    let span = size + pad.before + pad.after - dilation * (kernel - 1) - 1
    if span < 0 { return 0 }
    var count = (span + (ceilMode ? stride - 1 : 0)) / stride + 1
    if ceilMode, (count - 1) * stride >= size + pad.before { count -= 1 }
    return count
}

extension Tensor {
    /// The geometry of a pooling op on [N, C, H, W] or [C, H, W]; traps on what does not fit.
    private func pooling(
        _ op: StaticString, _ kernel: Pair, _ stride: Pair, _ padding: Padding, _ dilation: Pair, _ ceilMode: Bool,
        _ site: SourceSite
    ) -> PoolingShape {
        require(
            rank == 3 || rank == 4, "\(op): expected [N, C, H, W] or [C, H, W], got \(shape)", site)
        require(dtype.isFloatingPoint, "\(op): the input is \(dtype), not floating point", site)
        require(
            kernel.height > 0 && kernel.width > 0 && stride.height > 0 && stride.width > 0 && dilation.height > 0
                && dilation.width > 0,
            "\(op): kernel \(kernel), stride \(stride) and dilation \(dilation) must be positive", site)
        let (height, width) = (shape[rank - 2], shape[rank - 1])
        let vertical = padding.amounts(
            size: height, kernel: kernel.height, stride: stride.height, dilation: dilation.height, vertical: true)
        let horizontal = padding.amounts(
            size: width, kernel: kernel.width, stride: stride.width, dilation: dilation.width, vertical: false)
        require(
            vertical.before >= 0 && horizontal.before >= 0 && vertical.before * 2 <= kernel.height * dilation.height
                && horizontal.before * 2 <= kernel.width * dilation.width,
            "\(op): padding \(padding) is negative or more than half the kernel \(kernel)", site)
        let outHeight = windows(height, kernel.height, stride.height, vertical, dilation.height, ceilMode)
        let outWidth = windows(width, kernel.width, stride.width, horizontal, dilation.width, ceilMode)
        require(
            outHeight > 0 && outWidth > 0, "\(op): the kernel \(kernel) does not fit the padded input \(shape)", site)
        return PoolingShape(
            planes: shape.dropLast(2).reduce(1, *), height: height, width: width, kernelHeight: kernel.height,
            kernelWidth: kernel.width, strideHeight: stride.height, strideWidth: stride.width,
            padTop: vertical.before, padLeft: horizontal.before, dilationHeight: dilation.height,
            dilationWidth: dilation.width, outHeight: outHeight, outWidth: outWidth)
    }

    /// The largest element of each window of [N, C, H, W] or [C, H, W]; `stride` is the kernel unless given.
    /// Mirrors `torch.nn.functional.max_pool2d`.
    public func maxPool2d(
        kernelSize: Pair, stride: Pair? = nil, padding: Padding = 0, dilation: Pair = 1, ceilMode: Bool = false,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let geometry = pooling("maxPool2d", kernelSize, stride ?? kernelSize, padding, dilation, ceilMode, site)
        let pool = MaxPool2d(geometry: geometry, keepsWinners: GradMode.isEnabled && requiresGrad)
        return record(keeping: pool, [self], at: site).output
    }

    /// The same, with each maximum's int64 index in its flattened plane.
    /// Mirrors `max_pool2d(…, return_indices=True)`.
    public func maxPool2dWithIndices(
        kernelSize: Pair, stride: Pair? = nil, padding: Padding = 0, dilation: Pair = 1, ceilMode: Bool = false,
        file: StaticString = #fileID, line: UInt = #line
    ) -> (output: Tensor, indices: Tensor) {
        let site = SourceSite(file, line)
        let geometry = pooling("maxPool2d", kernelSize, stride ?? kernelSize, padding, dilation, ceilMode, site)
        let (output, kept) = record(keeping: MaxPool2d(geometry: geometry), [self], at: site)
        return (output, flatIndices(kept[0], geometry))
    }

    /// The mean of each window of [N, C, H, W] or [C, H, W]. Mirrors `torch.nn.functional.avg_pool2d`.
    public func avgPool2d(
        kernelSize: Pair, stride: Pair? = nil, padding: Padding = 0, ceilMode: Bool = false,
        countIncludePad: Bool = true, divisorOverride: Int? = nil, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let geometry = pooling("avgPool2d", kernelSize, stride ?? kernelSize, padding, 1, ceilMode, site)
        require(divisorOverride != 0, "avgPool2d: divisorOverride is 0", site)
        // TensorFlow's SAME never counts padding.
        let counts = countIncludePad && padding != .same
        return AvgPool2d(geometry: geometry, countIncludePad: counts, divisorOverride: divisorOverride)(self, at: site)
    }
}

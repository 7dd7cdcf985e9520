// Random tensors. With the same seed the numbers are those of torch on the CPU.

extension Tensor {
    /// Uniform in [0, 1). Mirrors `torch.rand`.
    public static func rand(
        _ shape: [Int], dtype: DType = .float32, generator: Generator = .default, requiresGrad: Bool = false,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let result = empty(shape, dtype: dtype, file: file, line: line).uniform_(generator: generator)
        return requiresGrad ? result.requiresGrad() : result
    }
    /// Standard normal. Mirrors `torch.randn`.
    public static func randn(
        _ shape: [Int], dtype: DType = .float32, generator: Generator = .default, requiresGrad: Bool = false,
        file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let result = empty(shape, dtype: dtype, file: file, line: line).normal_(generator: generator)
        return requiresGrad ? result.requiresGrad() : result
    }
    /// Integers in `low ..< high`, int64. Mirrors `torch.randint`.
    public static func randint(
        _ low: Int, _ high: Int, _ shape: [Int], generator: Generator = .default, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        require(low < high, "randint: there is no integer in \(low) ..< \(high)", SourceSite(file, line))
        let count = shape.reduce(1, *)
        return Tensor(
            generator.draw { state in (0..<count).map { _ in state.integer(low, high) } }, shape: shape, file: file,
            line: line)
    }
    /// Integers in `0 ..< high`, int64.
    public static func randint(
        _ high: Int, _ shape: [Int], generator: Generator = .default, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor { randint(0, high, shape, generator: generator, file: file, line: line) }

    /// A random order of `0..<count`, int64. Mirrors `torch.randperm`.
    public static func randperm(_ count: Int, generator: Generator = .default) -> Tensor {
        Tensor(generator.permutation(count))
    }

    /// Fills with uniform numbers in `from ..< to`; floating point only. Mirrors `Tensor.uniform_`.
    @discardableResult
    public func uniform_(
        _ from: Double = 0, _ to: Double = 1, generator: Generator = .default, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        fillInPlace("uniform_", SourceSite(file, line)) { target in
            generator.draw { state in
                if target.dtype == .float64 {
                    state.fillUniform(target.buffer(Double.self), from, to)
                } else {
                    state.fillUniform(target.buffer(Float.self), from, to)
                }
            }
        }
    }
    /// Fills with normal numbers; floating point only. Mirrors `Tensor.normal_`.
    @discardableResult
    public func normal_(
        _ mean: Double = 0, _ std: Double = 1, generator: Generator = .default, file: StaticString = #fileID,
        line: UInt = #line
    ) -> Tensor {
        fillInPlace("normal_", SourceSite(file, line)) { target in
            generator.draw { state in
                if target.dtype == .float64 {
                    state.fillNormal(target.buffer(Double.self), mean, std)
                } else {
                    state.fillNormal(target.buffer(Float.self), mean, std)
                }
            }
        }
    }

    /// Each element 1 with probability `p`, else 0. Mirrors `Tensor.bernoulli_`.
    @discardableResult
    public func bernoulli_(
        _ p: Double = 0.5, generator: Generator = .default, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        fillInPlace("bernoulli_", SourceSite(file, line)) { target in
            generator.draw { state in
                if target.dtype == .float64 {
                    let buffer = target.buffer(Double.self)
                    for index in buffer.indices { buffer[index] = state.uniformDouble() < p ? 1 : 0 }
                } else {
                    let buffer = target.buffer(Float.self)
                    for index in buffer.indices { buffer[index] = state.uniformDouble() < p ? 1 : 0 }
                }
            }
        }
    }

    private func buffer<T: TensorElement>(_: T.Type) -> UnsafeMutableBufferPointer<T> {
        UnsafeMutableBufferPointer(start: pointer(as: T.self), count: count)
    }

    /// Lets `fill` write contiguous memory, then takes it over.
    private func fillInPlace(_ op: StaticString, _ site: SourceSite, _ fill: (Tensor) -> Void) -> Tensor {
        require(dtype.isFloatingPoint, "\(op): the tensor is \(dtype), not floating point", site)
        require(
            !(GradMode.isEnabled && requiresGrad), "\(op): the tensor requires gradients; use noGrad { }", site)
        if isContiguous {
            fill(self)
        } else {
            let plain = Tensor(uninitialized: shape, dtype)
            fill(plain)
            copyElements(from: plain)
        }
        storage.version += 1
        return self
    }
}

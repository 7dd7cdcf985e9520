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

    /// `count` indices of this vector of weights, drawn with replacement in proportion to them: int64 [count].
    /// Mirrors `torch.multinomial(replacement=True)`.
    public func multinomial(
        _ count: Int, generator: Generator = .default, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        let weights = array(Double.self)
        let total = weights.reduce(0, +)
        require(
            rank == 1 && total > 0 && total.isFinite && weights.allSatisfy { $0 >= 0 },
            "multinomial: \(shape) weights must be one dimension, not negative, and not all zero", site)
        var sum = 0.0
        let shares = weights.map { weight -> Double in
            sum += weight
            return sum / total
        }
        return Tensor(
            generator.draw { state in
                (0..<count).map { _ in
                    let draw = state.uniformDouble()
                    // The first share that reaches the draw.
                    var (low, high) = (0, weights.count - 1)
                    while low < high {
                        let middle = (low + high) / 2
                        if shares[middle] >= draw { high = middle } else { low = middle + 1 }
                    }
                    return low
                }
            })
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

    /// Each element 1 with probability `p`, else 0; floating point only. Mirrors `Tensor.bernoulli_`.
    @discardableResult
    public func bernoulli_(
        _ p: Double = 0.5, generator: Generator = .default, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(p >= 0 && p <= 1, "bernoulli_: probability \(p) is not between 0 and 1", site)
        return fillBernoulli("bernoulli_", p, value: 1, generator, site)
    }

    /// Each element `value` with probability `p`, else 0, with the draws of `bernoulli_`.
    package func fillBernoulli(
        _ op: StaticString, _ p: Double, value: Double, _ generator: Generator, _ site: SourceSite
    ) -> Tensor {
        // 53 bits of each pair of words are a fraction of 2⁵³: below p · 2⁵³, as an integer.
        let threshold = UInt64((p * 0x1p53).rounded(.up))
        func draw<T: BinaryFloatingPoint & TensorElement>(_ target: UnsafeMutableBufferPointer<T>) {
            let atOnce = 4096
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 2 * Swift.min(atOnce, target.count)) { words in
                generator.draw { state in
                    for first in stride(from: 0, to: target.count, by: atOnce) {
                        let count = Swift.min(atOnce, target.count - first)
                        state.next32(into: UnsafeMutableBufferPointer(rebasing: words[..<(2 * count)]))
                        for index in 0..<count {
                            let bits = UInt64(words[2 &* index]) << 32 | UInt64(words[2 &* index &+ 1])
                            target[first &+ index] = bits & (1 << 53 - 1) < threshold ? T(value) : 0
                        }
                    }
                }
            }
        }
        return fillInPlace(op, site) { target in
            if target.dtype == .float64 { draw(target.buffer(Double.self)) } else { draw(target.buffer(Float.self)) }
        }
    }

    /// Exponential with rate `lambda`; floating point only. Mirrors `Tensor.exponential_`.
    @discardableResult
    public func exponential_(
        _ lambda: Double = 1, generator: Generator = .default, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(lambda > 0, "exponential_: rate \(lambda) is not positive", site)
        return fillEach("exponential_", generator, site) { $0.exponential(lambda) }
    }

    /// Each element 1 with the probability that `self` has in its place, else 0; floating point only, off the tape.
    /// Traps unless probabilities lie in 0...1. Mirrors `torch.bernoulli`.
    public func bernoulli(
        generator: Generator = .default, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(dtype.isFloatingPoint, "bernoulli: the tensor is \(dtype), not floating point", site)
        let result = copied()
        func draw<T: TensorElement & BinaryFloatingPoint>(_ uniform: (inout Generator.State) -> T) {
            let buffer = result.buffer(T.self)
            generator.draw { state in
                for index in buffer.indices {
                    let p = buffer[index]
                    require(p >= 0 && p <= 1, "bernoulli: probability \(p) is not between 0 and 1", site)
                    buffer[index] = uniform(&state) < p ? 1 : 0
                }
            }
        }
        // As many random bits as the probabilities have.
        if dtype == .float64 { draw { $0.uniformDouble() } } else { draw { $0.uniformFloat() } }
        return result
    }

    /// Integers in 0 ..< 2^63 for int64 tensors. Mirrors `Tensor.random_`.
    @discardableResult
    public func random_(
        generator: Generator = .default, file: StaticString = #fileID, line: UInt = #line
    ) -> Tensor {
        let site = SourceSite(file, line)
        require(dtype == .int64, "random_: the tensor is \(dtype), not int64", site)
        return overwrite { target in
            generator.draw { state in
                let buffer = target.buffer(Int.self)
                for index in buffer.indices { buffer[index] = state.natural() }
            }
        }
    }

    /// Fills with numbers drawn one by one.
    private func fillEach(
        _ op: StaticString, _ generator: Generator, _ site: SourceSite, _ next: (inout Generator.State) -> Double
    ) -> Tensor {
        fillInPlace(op, site) { target in
            generator.draw { state in
                if target.dtype == .float64 {
                    let buffer = target.buffer(Double.self)
                    for index in buffer.indices { buffer[index] = next(&state) }
                } else {
                    let buffer = target.buffer(Float.self)
                    for index in buffer.indices { buffer[index] = Float(next(&state)) }
                }
            }
        }
    }

    private func buffer<T: TensorElement>(_: T.Type) -> UnsafeMutableBufferPointer<T> {
        UnsafeMutableBufferPointer(start: pointer(as: T.self), count: count)
    }

    /// Checks a tensor that is filled with random real numbers, and fills it.
    private func fillInPlace(_ op: StaticString, _ site: SourceSite, _ fill: (Tensor) -> Void) -> Tensor {
        require(dtype.isFloatingPoint, "\(op): the tensor is \(dtype), not floating point", site)
        require(
            !(GradMode.isEnabled && requiresGrad), "\(op): the tensor requires gradients; use noGrad { }", site)
        return overwrite(fill)
    }

    /// Lets `fill` write contiguous memory, then takes it over.
    private func overwrite(_ fill: (Tensor) -> Void) -> Tensor {
        if isContiguous {
            fill(self)
        } else {
            let plain = Tensor(uninitialized: shape, dtype)
            fill(plain)
            copyElements(from: plain)
        }
        storage.changed()
        return self
    }
}

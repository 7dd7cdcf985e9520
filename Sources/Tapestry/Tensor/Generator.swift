// Random numbers equal to those of torch's CPU generator: a 32-bit Mersenne Twister and torch's ways to draw from it.
import Foundation
import Synchronization

/// A stream of random numbers; the same seed gives the same numbers as `torch.Generator` on the CPU.
///
/// Thread safe: every call draws as one.
public final class Generator: Sendable {
    /// The generator that functions use when none is given: one for the whole process, but inside `forkRNG`.
    public static var `default`: Generator { forked ?? shared }
    private static let shared = Generator(seed: 67_280_421_310_721)

    /// What takes its place in a task or a call.
    @TaskLocal package static var forked: Generator?

    /// All that the next numbers depend on; can be kept and set again.
    public struct State: Sendable, Equatable {
        /// The words of the twister.
        var words = [UInt32](repeating: 0, count: 624)
        /// How many of them have been handed out.
        var position = 624
        /// The second number of the last pair of normal numbers.
        var cachedNormal: Double?
        /// The seed it began with.
        var seed: UInt64 = 0
    }

    private let guarded: Mutex<State>

    /// A generator that starts from a seed; only its low 32 bits count, as in torch.
    public init(seed: UInt64 = 67_280_421_310_721) { guarded = Mutex(State(seed: seed)) }

    /// Starts again from a seed. Mirrors `Generator.manual_seed`.
    public func manualSeed(_ seed: UInt64) { guarded.withLock { $0 = State(seed: seed) } }

    /// The seed it began with. Mirrors `Generator.initial_seed`.
    public var initialSeed: UInt64 { guarded.withLock { $0.seed } }

    /// What the next numbers depend on. Mirrors `Generator.get_state` and `set_state`.
    public var state: State {
        get { guarded.withLock { $0 } }
        set { guarded.withLock { $0 = newValue } }
    }

    /// Draws as one, whatever other threads do.
    package func draw<Result>(_ body: (inout State) -> Result) -> Result {
        guarded.withLock { state in
            // Safe: only numbers leave the closure; Mutex cannot know that.
            nonisolated(unsafe) let result = body(&state)
            return result
        }
    }

    /// Uniform in 0 ..< 2^64.
    public func random64() -> UInt64 { draw { $0.next64() } }

    /// Uniform in [0, 1) with 53 bits.
    public func uniform() -> Double { draw { $0.uniformDouble() } }

    /// A random order of `0..<count`. Mirrors `torch.randperm`.
    public func permutation(_ count: Int) -> [Int] { draw { $0.permutation(count) } }
}

/// Runs `body` with a default generator of its own, which starts where the present one stands or from `seed`: what is
/// drawn inside changes nothing outside, nor do other threads change what is drawn inside. Mirrors `torch.random.fork_rng`.
@discardableResult
public func forkRNG<Result>(seed: UInt64? = nil, _ body: () throws -> Result) rethrows -> Result {
    let generator = Generator(seed: seed ?? 0)
    if seed == nil { generator.state = Generator.default.state }
    return try Generator.$forked.withValue(generator, operation: body)
}

/// Starts the default generator from a seed. Mirrors `torch.manual_seed`.
public func manualSeed(_ seed: UInt64) { Generator.default.manualSeed(seed) }

extension Generator.State {
    init(seed: UInt64) {
        self.seed = seed
        words[0] = UInt32(truncatingIfNeeded: seed)
        for index in 1..<624 {
            let before = words[index - 1]
            words[index] = 1_812_433_253 &* (before ^ (before >> 30)) &+ UInt32(index)
        }
    }

    /// 32 random bits (Matsumoto & Nishimura, 1998).
    mutating func next32() -> UInt32 {
        if position == 624 { twist() }
        position += 1
        return Self.tempered(words[position - 1])
    }

    /// The next numbers of `next32`, many at a time.
    mutating func next32(into target: UnsafeMutableBufferPointer<UInt32>) {
        var done = 0
        while done < target.count {
            if position == 624 { twist() }
            let count = Swift.min(624 - position, target.count - done)
            words.withUnsafeBufferPointer { words in
                for index in 0..<count { target[done &+ index] = Self.tempered(words[position &+ index]) }
            }
            position += count
            done += count
        }
    }

    @inline(__always)
    private static func tempered(_ word: UInt32) -> UInt32 {
        var y = word
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C_5680
        y ^= (y << 15) & 0xEFC6_0000
        return y ^ (y >> 18)
    }

    private mutating func twist() {
        words.withUnsafeMutableBufferPointer { w in
            // A word is made of itself, the next one, and one 397 ahead in a circle of 624.
            func renew(_ index: Int, next: Int, far: Int) {
                let y = (w[index] & 0x8000_0000) | (w[next] & 0x7FFF_FFFF)
                w[index] = w[far] ^ (y >> 1) ^ ((0 &- (y & 1)) & 0x9908_B0DF)
            }
            for index in 0..<227 { renew(index, next: index &+ 1, far: index &+ 397) }
            for index in 227..<623 { renew(index, next: index &+ 1, far: index &- 227) }
            renew(623, next: 0, far: 396)
        }
        position = 0
    }

    /// 64 random bits, the first word high.
    mutating func next64() -> UInt64 {
        let high = UInt64(next32())
        return high << 32 | UInt64(next32())
    }

    /// Uniform in [0, 1): 24 bits for Float.
    package mutating func uniformFloat() -> Float { Float(next32() & 0xFF_FFFF) * 0x1p-24 }
    /// Uniform in [0, 1): 53 bits for Double.
    mutating func uniformDouble() -> Double { Double(next64() & (1 << 53 - 1)) * 0x1p-53 }

    /// Standard normal, one of a pair (Box & Muller, 1958); the other is kept for the next call.
    mutating func normal() -> Double {
        if let cached = cachedNormal {
            cachedNormal = nil
            return cached
        }
        let u1 = uniformDouble()
        let u2 = uniformDouble()
        let radius = (-2 * log1p(-u2)).squareRoot()
        let angle = 2 * Double.pi * u1
        cachedNormal = radius * sin(angle)
        return radius * cos(angle)
    }

    /// Uniform in `low ..< high`.
    package mutating func integer(_ low: Int, _ high: Int) -> Int {
        let range = UInt64(bitPattern: Int64(high &- low))
        let draw = range < 1 << 28 ? UInt64(next32()) % range : next64() % range
        return low &+ Int(truncatingIfNeeded: draw)
    }

    /// Uniform in 0 ..< 2^63.
    mutating func natural() -> Int { Int(next64() & (1 << 63 - 1)) }

    /// Exponential with mean 1 / `rate`, by inversion of 53 uniform bits.
    mutating func exponential(_ rate: Double) -> Double { -log1p(-uniformDouble()) / rate }

    /// A random order of `0..<count` (Fisher & Yates, from the front).
    mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        guard count > 1 else { return order }
        for index in 0..<count - 1 {
            order.swapAt(index, index + Int(next32()) % (count - index))
        }
        return order
    }

    /// Fills with uniform numbers in `low ..< high`, scaled with one rounding as torch's vector code does.
    mutating func fillUniform(_ target: UnsafeMutableBufferPointer<Float>, _ low: Double, _ high: Double) {
        let (from, range) = (Float(low), Float(high) - Float(low))
        for index in target.indices { target[index] = from.addingProduct(uniformFloat(), range) }
    }
    mutating func fillUniform(_ target: UnsafeMutableBufferPointer<Double>, _ low: Double, _ high: Double) {
        for index in target.indices { target[index] = low.addingProduct(uniformDouble(), high - low) }
    }

    /// Fills with normal numbers: one by one below 16, else in blocks of 16 uniform numbers, the last 16 drawn anew
    /// where the count is not a multiple of 16.
    mutating func fillNormal(_ target: UnsafeMutableBufferPointer<Float>, _ mean: Double, _ std: Double) {
        fillNormal(target, mean, std) { $0.uniformFloat() }
    }
    mutating func fillNormal(_ target: UnsafeMutableBufferPointer<Double>, _ mean: Double, _ std: Double) {
        fillNormal(target, mean, std) { $0.uniformDouble() }
    }

    private mutating func fillNormal<T: BinaryFloatingPoint>(
        _ target: UnsafeMutableBufferPointer<T>, _ mean: Double, _ std: Double, _ uniform: (inout Self) -> T
    ) {
        guard target.count >= 16 else {
            for index in target.indices { target[index] = T(normal() * std + mean) }
            return
        }
        // In the target's precision, as torch: the angle's rounding shows in the result.
        let (shift, scale, turn) = (T(mean), T(std), T(2 * Double.pi))
        func transform(_ start: Int) {
            for index in start..<start + 8 {
                let radius = (-2 * T(log(Double(1 - target[index])))).squareRoot()
                let angle = Double(turn * target[index + 8])
                target[index] = shift.addingProduct(radius * T(cos(angle)), scale)
                target[index + 8] = shift.addingProduct(radius * T(sin(angle)), scale)
            }
        }
        for index in target.indices { target[index] = uniform(&self) }
        for start in stride(from: 0, through: target.count - 16, by: 16) { transform(start) }
        if target.count % 16 != 0 {
            let start = target.count - 16
            for index in start..<target.count { target[index] = uniform(&self) }
            transform(start)
        }
    }
}

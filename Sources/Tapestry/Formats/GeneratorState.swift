// A random generator's state as a tensor, for checkpoints.

extension Generator.State {
    /// The state as int64 [628]: seed, words handed out, whether a normal number is kept, its bits, 624 words.
    public var tensor: Tensor {
        Tensor(
            [
                Int(bitPattern: UInt(seed)), position, cachedNormal == nil ? 0 : 1,
                Int(bitPattern: UInt((cachedNormal ?? 0).bitPattern)),
            ] + words.map(Int.init))
    }

    /// The state that `tensor` gave; nil if it is none.
    public init?(_ tensor: Tensor) {
        guard tensor.dtype == .int64, tensor.shape == [628] else { return nil }
        let values = tensor.array(Int.self)
        let words = values[4...].compactMap { UInt32(exactly: $0) }
        guard words.count == 624, (0...624).contains(values[1]), (0...1).contains(values[2]) else { return nil }
        let normal = Double(bitPattern: UInt64(UInt(bitPattern: values[3])))
        guard normal.isFinite else { return nil }
        self.init(
            words: words, position: values[1], cachedNormal: values[2] == 0 ? nil : normal,
            seed: UInt64(UInt(bitPattern: values[0])))
    }
}

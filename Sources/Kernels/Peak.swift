// The yardstick of all other kernels: how many multiply-adds the processor can do when nothing waits for memory.

/// Operations of `rounds` rounds of independent multiply-adds, after running them.
///
/// Twelve accumulators: with a latency of four cycles and two units at least eight must be on their way at any time, and
/// twelve and two operands fit 16 registers. An accumulator is a factor of its own product, so that where there is no
/// fused instruction the product cannot be taken out of the loop.
@inlinable @inline(never)
func multiplyAdds<I: ISA>(_: I.Type, _ rounds: Int) -> Int {
    var accumulators = InlineArray<12, I.V>(repeating: .zero)
    for index in 0..<12 { accumulators[index] = I.V(repeating: I.Scalar(index)) }
    // Zero, but the compiler cannot know.
    let factor = I.V(repeating: rounds == .min ? 1 : 0)
    for _ in 0..<rounds {
        for index in 0..<12 { I.fma(&accumulators[index], accumulators[index], factor) }
    }
    var total = I.V.zero
    for index in 0..<12 { total += accumulators[index] }
    // Read, so that the loop is not dead.
    return total[0] < 0 ? 0 : rounds &* 12 &* I.width &* 2
}

// Elementwise arithmetic and comparison of integers and bools: plain loops, since no hot path runs through them.
import Kernels

/// `op` on integers of any dtype; bools add as "or" and multiply as "and", as in torch.
func integerElementwise(_ op: BinaryOp, _ a: Tensor, _ b: Tensor, into y: Tensor) {
    let loop = StridedLoop([a.layout.expanded(to: y.shape)!, b.layout.expanded(to: y.shape)!, y.layout])
    switch a.dtype {
    case .int64: run(op, Int.self, a, b, y, loop)
    case .int32: run(op, Int32.self, a, b, y, loop)
    default: run(op, UInt8.self, a, b, y, loop)
    }
    if a.dtype == .bool, op == .add { clampToBool(y) }
}

private func clampToBool(_ y: Tensor) {
    let loop = StridedLoop([y.layout])
    let bytes = y.storage.pointer.assumingMemoryBound(to: UInt8.self)
    loop.forEachRun { count, at in
        for index in 0..<count where bytes[at[0] + index * loop.runStrides[0]] > 1 {
            bytes[at[0] + index * loop.runStrides[0]] = 1
        }
    }
}

private func run<T: FixedWidthInteger>(
    _ op: BinaryOp, _: T.Type, _ a: Tensor, _ b: Tensor, _ y: Tensor, _ loop: StridedLoop
) {
    let left = a.storage.pointer.assumingMemoryBound(to: T.self)
    let right = b.storage.pointer.assumingMemoryBound(to: T.self)
    let target = y.storage.pointer.assumingMemoryBound(to: T.self)
    let steps = loop.runStrides
    func each(_ f: @escaping (T, T) -> T) {
        loop.forEachRun(cost: 2) { count, at in
            for index in 0..<count {
                target[at[2] + index * steps[2]] = f(left[at[0] + index * steps[0]], right[at[1] + index * steps[1]])
            }
        }
    }
    switch op {
    case .add: each { $0 &+ $1 }
    case .sub: each { $0 &- $1 }
    case .mul: each { $0 &* $1 }
    case .maximum: each { Swift.max($0, $1) }
    case .minimum: each { Swift.min($0, $1) }
    case .truncDiv: each { $1 == 0 ? 0 : $0.dividedReportingOverflow(by: $1).partialValue }
    case .floorDiv: each { $1 == 0 ? 0 : floorDivide($0, $1) }
    case .remainder: each { $1 == 0 ? 0 : $0 &- floorDivide($0, $1) &* $1 }
    case .fmod: each { $1 == 0 ? 0 : $0.remainderReportingOverflow(dividingBy: $1).partialValue }
    case .pow: each { power($0, $1) }
    default: fail("\(op): not defined for \(a.dtype) tensors", nil)
    }
}

private func floorDivide<T: FixedWidthInteger>(_ a: T, _ b: T) -> T {
    let quotient = a.dividedReportingOverflow(by: b).partialValue
    return (a % b != 0) && ((a < 0) != (b < 0)) ? quotient &- 1 : quotient
}

private func power<T: FixedWidthInteger>(_ base: T, _ exponent: T) -> T {
    if exponent < 0 { return base == 1 ? 1 : base == 0 &- 1 ? (exponent & 1 == 0 ? 1 : base) : 0 }
    var (result, square, rest): (T, T, T) = (1, base, exponent)
    while rest > 0 {
        if rest & 1 == 1 { result = result &* square }
        square = square &* square
        rest >>= 1
    }
    return result
}

/// Comparison of a run of integers.
func integerCompare(
    _ op: CompareOp, _ dtype: DType, _ count: Int, _ a: UnsafeMutableRawPointer, _ aStep: Int,
    _ b: UnsafeMutableRawPointer, _ bStep: Int, _ y: UnsafeMutablePointer<UInt8>
) {
    func run<T: FixedWidthInteger>(_: T.Type) {
        let (left, right) = (a.assumingMemoryBound(to: T.self), b.assumingMemoryBound(to: T.self))
        for index in 0..<count {
            let (p, q) = (left[index * aStep], right[index * bStep])
            let holds =
                switch op {
                case .eq: p == q
                case .ne: p != q
                case .lt: p < q
                case .le: p <= q
                case .gt: p > q
                case .ge: p >= q
                }
            y[index] = holds ? 1 : 0
        }
    }
    switch dtype {
    case .int64: run(Int.self)
    case .int32: run(Int32.self)
    default: run(UInt8.self)
    }
}

// Walking over the elements of several tensors of one shape at once, whatever their strides.
import Kernels

/// The elements of up to four equally shaped layouts, cut into runs along which every layout has one stride.
///
/// Dimensions that lie one behind the other in all layouts are merged, so that contiguous tensors are one long run
/// and a broadcast row or column one run a row.
struct StridedLoop {
    /// Elements in a run.
    private(set) var runLength = 1
    /// Step inside a run, for each layout.
    private(set) var runStrides: [Int]
    private var outerShape: [Int] = []
    private var outerStrides: [[Int]] = []
    private let offsets: [Int]
    private let total: Int

    /// All layouts must have the same shape.
    init(_ layouts: [Layout]) {
        let shape = layouts[0].shape
        total = layouts[0].count
        offsets = layouts.map(\.offset)
        runStrides = layouts.map { _ in 1 }
        // Merged dimensions, innermost first.
        var lengths: [Int] = []
        var strides: [[Int]] = []
        for dim in shape.indices.reversed() where shape[dim] != 1 {
            let step = layouts.map { $0.strides[dim] }
            if let last = lengths.last, zip(step, strides[strides.count - 1]).allSatisfy({ $0 == $1 * last }) {
                lengths[lengths.count - 1] = last * shape[dim]
            } else {
                lengths.append(shape[dim])
                strides.append(step)
            }
        }
        if !lengths.isEmpty {
            runLength = lengths[0]
            runStrides = strides[0]
            outerShape = Array(lengths.dropFirst())
            outerStrides = Array(strides.dropFirst())
        }
    }

    /// Runs of at least this many elements are handed to threads.
    private static let grain = 16_384

    /// Calls `body(count, positions)` for every run, in parallel when there is enough to do. `positions` are the
    /// run's first elements, one for each layout. `cost` is nanoseconds an element, roughly.
    func forEachRun(cost: Double = 0.5, parallel: Bool = true, _ body: (Int, [Int]) -> Void) {
        guard total > 0 else { return }
        let work = parallel ? Int(Double(total) * cost) : 0
        if outerShape.isEmpty {
            if work < 50_000 { return body(runLength, offsets) }
            Parallel.forRanges(of: runLength, size: StridedLoop.grain, work: work) { _, range in
                var positions = offsets
                for index in positions.indices { positions[index] += range.lowerBound * runStrides[index] }
                body(range.count, positions)
            }
            return
        }
        let runs = total / runLength
        let runsAtOnce = max(1, StridedLoop.grain / runLength)
        Parallel.forRanges(of: runs, size: runsAtOnce, work: work) { _, range in
            // Outer dimensions are innermost first, so the counter's first digit turns fastest.
            var index = [Int](repeating: 0, count: outerShape.count)
            var positions = offsets
            var rest = range.lowerBound
            for dim in outerShape.indices {
                index[dim] = rest % outerShape[dim]
                rest /= outerShape[dim]
                for layout in positions.indices { positions[layout] += index[dim] * outerStrides[dim][layout] }
            }
            for _ in range {
                body(runLength, positions)
                var dim = 0
                while dim < outerShape.count {
                    index[dim] += 1
                    for layout in positions.indices { positions[layout] += outerStrides[dim][layout] }
                    if index[dim] < outerShape[dim] { break }
                    for layout in positions.indices {
                        positions[layout] -= outerShape[dim] * outerStrides[dim][layout]
                    }
                    index[dim] = 0
                    dim += 1
                }
            }
        }
    }
}

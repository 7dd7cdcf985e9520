// Whether cost grows as the work does: time per image over batch sizes, time per op over lengths of the tape.
import nn
import optim

extension Workload {
    /// W1's training step at other batch sizes, and W8a's chain at other lengths.
    static func scaling() -> [[Workload]] {
        let batches = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map { batch in
            training("W1/batch\(batch)", twoConvolutions([nn.Linear(1568, 10)]), [batch, 1, 28, 28]) {
                optim.Adam($0, lr: 0.01)
            }
        }
        let chains = [10, 100, 1000, 10_000, 100_000].map { chain("W8a/ops\($0)", ops: $0) }
        return [batches, chains]
    }
}

/// Prints time per item for each series, and the largest over the smallest.
func benchmarkScaling(_ options: Options) {
    for series in Workload.scaling() {
        var costs: [Double] = []
        for workload in series {
            let steps = options.steps ?? max(5, min(200, 20_000 / workload.items))
            for _ in 0..<3 { workload.step() }
            let result = Measurement(workload, steps: steps, limit: 5)
            let cost = result.best / Double(workload.items) * 1000
            costs.append(cost)
            tell(
                options.json
                    ? result.json
                    : column(workload.name, 14, left: true) + column(fixed(result.median, 3), 12) + " ms"
                        + column(fixed(cost, 3), 12) + " µs per item")
        }
        // The smallest sizes carry the fixed cost of a step; growth counts past them.
        let settled = costs.dropFirst(costs.count / 2)
        if !options.json {
            tell("  the larger half lies within \(fixed(settled.max()! / settled.min()!, 2))×\n")
        }
    }
}

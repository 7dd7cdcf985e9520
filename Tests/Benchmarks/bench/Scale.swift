// Whether cost grows as the work does: time per image over batch sizes, time per op over lengths of the tape.
import nn
import optim

extension Workload {
    /// W1's training step at other batch sizes, and W8a's chain at other lengths.
    static let scaledNames = [
        [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].map { "W1/\($0)" },
        [10, 100, 1000, 10_000, 100_000].map { "W8a/\($0)" },
    ]

    /// `W1/32`: W1 with another batch size; `W8a/100`: a chain of another length.
    static func scaled(_ name: String) -> Workload? {
        let parts = name.split(separator: "/")
        guard parts.count == 2, let size = Int(parts[1]), (1...10_000_000).contains(size) else { return nil }
        switch parts[0] {
        case "W1":
            return training(name, twoConvolutions([nn.Linear(1568, 10)]), [size, 1, 28, 28]) {
                optim.Adam($0, lr: 0.01)
            }
        case "W8a": return chain(name, ops: size)
        default: return nil
        }
    }
}

/// Prints time per item for each series, and the largest over the smallest.
func benchmarkScaling(_ options: Options) {
    for names in Workload.scaledNames {
        var costs: [Double] = []
        for workload in names.lazy.compactMap(Workload.scaled) {
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

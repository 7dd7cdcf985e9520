// Two runs of a step held against each other.
import Foundation
import Tapestry

/// How far a tensor is from what it should be.
struct Difference {
    /// The largest difference, as a share of the largest element of what it should be.
    let share: Double
    /// Where it is and what is there; nil if the shapes already differ.
    let worst: (place: [Int], here: Double, there: Double)?
    /// The first element that differs by more than the tolerance.
    let first: (place: [Int], here: Double, there: Double)?
    let shapes: (here: [Int], there: [Int])

    init(_ here: Tensor, _ there: Tensor, tolerance: Double) {
        shapes = (here.shape, there.shape)
        guard here.shape == there.shape else {
            (share, worst, first) = (.infinity, nil, nil)
            return
        }
        let (a, b) = (here.array(Double.self), there.array(Double.self))
        let scale = max(b.reduce(0) { max($0, abs($1)) }, 1e-12)
        var (worstIndex, worstShare, firstIndex) = (0, 0.0, Int?.none)
        for index in a.indices where !(a[index].isNaN && b[index].isNaN) {
            let share = a[index] == b[index] ? 0 : abs(a[index] - b[index]) / scale
            // NaN on one side only is as far away as can be.
            let distance = share.isNaN ? .infinity : share
            if distance > tolerance, firstIndex == nil { firstIndex = index }
            if distance > worstShare { (worstIndex, worstShare) = (index, distance) }
        }
        func element(_ index: Int) -> (place: [Int], here: Double, there: Double) {
            (place(index, here.shape), a[index], b[index])
        }
        share = worstShare
        worst = a.isEmpty ? nil : element(worstIndex)
        first = firstIndex.map(element)
    }
}

/// An element's indices from its number in row-major order.
func place(_ index: Int, _ shape: [Int]) -> [Int] {
    var rest = index
    return shape.reversed().map { size in
        defer { rest /= size }
        return rest % size
    }.reversed()
}

/// Lays a recording beside a dump, a line for each step.
///
/// - Returns: the name of the first step that drifts; nil if none does.
func compare(_ recording: Recording, with dump: Dump, tolerance: Double, verbose: Bool) -> String? {
    var drifted: String?
    var compared = 0
    for (name, tensor) in recording.steps {
        guard let expected = dump.results[name] else { continue }
        compared += 1
        let difference = Difference(tensor, expected, tolerance: tolerance)
        let drifts = !(difference.share <= tolerance)
        if verbose || (drifts && drifted == nil) {
            let shape = tensor.shape.map(String.init).joined(separator: " × ")
            let share = difference.share.isFinite ? String(format: "%.1e", difference.share) : "–"
            print(
                (drifts ? "✗ " : "✓ ") + name.padding(toLength: max(38, name.count), withPad: " ", startingAt: 0)
                    + shape.padding(toLength: max(20, shape.count), withPad: " ", startingAt: 0) + share)
        }
        if drifts, drifted == nil {
            drifted = name
            explain(difference)
        }
    }
    let here = Set(recording.steps.map(\.name))
    let missing = dump.results.keys.filter { !here.contains($0) }.sorted()
    let extra = here.filter { dump.results[$0] == nil }.sorted()
    for (names, side) in [(missing, "the dump"), (extra, "this run")] where !names.isEmpty {
        let more = names.count > 4 ? " and \(names.count - 4) more" : ""
        print("Only in \(side): " + names.prefix(4).joined(separator: ", ") + more)
    }
    print("\(compared) of \(recording.steps.count) steps compared, tolerance \(tolerance)")
    if compared == 0 || !missing.isEmpty { return drifted ?? missing.first ?? "everything" }
    return drifted
}

/// What there is to know of a drift.
private func explain(_ difference: Difference) {
    guard let first = difference.first, let worst = difference.worst else {
        print("    the shape is \(difference.shapes.here) here and \(difference.shapes.there) in the dump")
        return
    }
    print("    first element beyond the tolerance: \(first.place), \(first.here) here, \(first.there) in the dump")
    print("    largest difference: \(worst.place), \(worst.here) here, \(worst.there) in the dump")
}

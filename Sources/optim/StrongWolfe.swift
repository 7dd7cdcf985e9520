// The line search of L-BFGS.
import Foundation
import Tapestry

/// Looks along a direction for a step that fulfils the strong Wolfe conditions: bracketing, then zooming with cubic
/// interpolation. Mirrors `_strong_wolfe` in torch.optim.lbfgs (Nocedal & Wright, 2006, algorithms 3.5 and 3.6).
struct StrongWolfe {
    /// The loss at a step of length `t`, its gradient, and the gradient along the direction.
    struct Point {
        var t, loss: Double
        var gradient: Tensor
        var slope: Double
    }
    private let c1 = 1e-4
    private let c2 = 0.9
    private let toleranceChange = 1e-9
    let maximum: Int
    let directionSize: Double

    /// - Parameters:
    ///   - maximum: evaluations beyond the first.
    ///   - directionSize: largest element of the direction.
    init(maximum: Int, directionSize: Double) {
        (self.maximum, self.directionSize) = (maximum, directionSize)
    }

    /// The best point found from `start` (length 0) with `first` as the first length tried; `evaluate` gives the
    /// point at a length.
    func search(from start: Point, first: Double, evaluate: (Double) -> Point) -> Point {
        var (previous, new, rounds) = (start, evaluate(first), 0)
        var bracket: [Point]?
        while rounds < maximum {
            if new.loss > start.loss + c1 * new.t * start.slope || (rounds > 1 && new.loss >= previous.loss) {
                bracket = [previous, new]
                break
            }
            if abs(new.slope) <= -c2 * start.slope { return new }
            if new.slope >= 0 {
                bracket = [previous, new]
                break
            }
            let length = interpolate(previous, new, within: (new.t + 0.01 * (new.t - previous.t), new.t * 10))
            previous = new
            new = evaluate(length)
            rounds += 1
        }
        return zoom(into: bracket ?? [start, new], from: start, rounds, evaluate)
    }

    /// Narrows a bracket until a point in it fulfils the conditions.
    private func zoom(into bracket: [Point], from start: Point, _ used: Int, _ evaluate: (Double) -> Point) -> Point {
        var (bracket, rounds, isStuck) = (bracket, used, false)
        var low = bracket[0].loss <= bracket[1].loss ? 0 : 1
        while rounds < maximum {
            let (least, most) = (min(bracket[0].t, bracket[1].t), max(bracket[0].t, bracket[1].t))
            if (most - least) * directionSize < toleranceChange { break }
            var t = interpolate(bracket[0], bracket[1], within: (least, most))
            // A second point close to an end, or one on it, is moved a tenth of the way in.
            let margin = 0.1 * (most - least)
            if min(most - t, t - least) < margin {
                if isStuck || t >= most || t <= least {
                    t = abs(t - most) < abs(t - least) ? most - margin : least + margin
                    isStuck = false
                } else {
                    isStuck = true
                }
            } else {
                isStuck = false
            }
            let new = evaluate(t)
            rounds += 1
            if new.loss > start.loss + c1 * t * start.slope || new.loss >= bracket[low].loss {
                bracket[1 - low] = new
                low = bracket[0].loss <= bracket[1].loss ? 0 : 1
            } else {
                if abs(new.slope) <= -c2 * start.slope { return new }
                if new.slope * (bracket[1 - low].t - bracket[low].t) >= 0 { bracket[1 - low] = bracket[low] }
                bracket[low] = new
            }
        }
        return bracket[low]
    }

    /// Least point of the cubic through two points with their slopes, the middle of the bounds if there is none.
    private func interpolate(_ a: Point, _ b: Point, within bounds: (Double, Double)) -> Double {
        let d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
        let square = d1 * d1 - a.slope * b.slope
        guard square >= 0 else { return (bounds.0 + bounds.1) / 2 }
        let d2 = square.squareRoot()
        let (left, right) = a.t <= b.t ? (a, b) : (b, a)
        let least = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2))
        return min(max(least, bounds.0), bounds.1)
    }
}

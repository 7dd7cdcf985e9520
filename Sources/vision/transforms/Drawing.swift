// The draws that transforms make: those of torch on a tensor of one element.
import Foundation
import Tapestry

extension Tapestry.Generator {
    /// As `torch.empty(1).uniform_(low, high)`: float32.
    func uniform(_ low: Double, _ high: Double) -> Double {
        let from = Float(low)
        return Double(from.addingProduct(draw { $0.uniformFloat() }, Float(high) - from))
    }
    func uniform(_ range: ClosedRange<Double>) -> Double { uniform(range.lowerBound, range.upperBound) }

    /// As `torch.rand(1) < p`.
    func chance(_ p: Double) -> Bool { draw { $0.uniformFloat() } < Float(p) }

    /// As `torch.randint(0, count, (1,))`.
    func index(below count: Int) -> Int { draw { $0.integer(0, count) } }

    /// Height and width of a random share of an image's area with a random proportion, as RandomResizedCrop and
    /// RandomErasing draw them. `ratio` is the first length by the second.
    func lengths(area: Int, scale: ClosedRange<Double>, ratio: ClosedRange<Double>) -> (first: Int, second: Int) {
        let share = Double(area) * uniform(scale)
        let logarithms = (log(Float(ratio.lowerBound)), log(Float(ratio.upperBound)))
        let proportion = Double(exp(Float(uniform(Double(logarithms.0), Double(logarithms.1)))))
        // Python rounds halves to the even number.
        return (
            Int((share * proportion).squareRoot().rounded(.toNearestOrEven)),
            Int((share / proportion).squareRoot().rounded(.toNearestOrEven))
        )
    }
}

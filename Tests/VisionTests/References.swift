// Reference values that torchvision made.
import Foundation
import Tapestry
import Testing

/// The path of a file in this folder's Resources.
func resource(_ name: String) -> String {
    Bundle.module.url(forResource: "Resources", withExtension: nil)!.appendingPathComponent(name).path
}

/// Records an issue unless the tensors have one shape and no element differs by more than `relative` of the largest
/// expected one, or `absolute`.
func expectClose(
    _ found: Tensor, _ expected: Tensor, relative: Double = 0, absolute: Double = 0, _ comment: Comment? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    guard found.shape == expected.shape else {
        Issue.record("shape \(found.shape), expected \(expected.shape)", sourceLocation: sourceLocation)
        return
    }
    let (a, b) = (found.array(Float.self), expected.array(Float.self))
    let largest = b.reduce(0) { max($0, abs($1)) }
    // Not `max`: a difference that is no number must count.
    let bound = Double(largest) * relative + absolute
    let wrong = zip(a, b).map { Double(abs($0 - $1)) }.first { !($0 <= bound) }
    #expect(wrong == nil, comment, sourceLocation: sourceLocation)
}

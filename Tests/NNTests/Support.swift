// What the tests of layers share.
import Testing
import nn

/// Whether a tensor has these elements, in order, up to rounding in float32.
func matches(_ x: Tensor, _ expected: [Double], tolerance: Double = 2e-6) -> Bool {
    let found = x.array(Double.self)
    return found.count == expected.count
        && zip(found, expected).allSatisfy { abs($0 - $1) <= tolerance * max(1, abs($1)) }
}

/// sin(0), sin(k), sin(2k), … of a shape: numbers that torch and these tests make alike.
func waves(_ shape: [Int], _ k: Double = 1) -> Tensor {
    let count = shape.reduce(1, *)
    return (Tensor.arange(count).to(.float32) * k).sin().reshape(shape)
}

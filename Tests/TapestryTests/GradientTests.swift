// Numerical gradient checks of every primitive, in float64, over odd, empty, broadcast and non-contiguous inputs.
import Testing

@testable import Tapestry

struct ConvolutionCase: Sendable, CustomStringConvertible {
    var x: [Int], w: [Int], stride = Pair(1), padding = Padding.valid, dilation = Pair(1), groups = 1
    var description: String { "\(x) ⋆ \(w) stride \(stride) padding \(padding) dilation \(dilation) groups \(groups)" }
}

/// What is checked.
private enum Cases {
    static let shapes: [[Int]] = [[], [1], [0], [5], [3, 1], [2, 3, 2]]

    typealias Unary = (name: String, range: ClosedRange<Double>, function: @Sendable (Tensor) -> Tensor)
    static let unary: [Unary] = [
        ("neg", -2...2, { -$0 }), ("exp", -2...2, { $0.exp() }), ("log", 0.3...3, { $0.log() }),
        ("sqrt", 0.3...3, { $0.sqrt() }), ("tanh", -2...2, { $0.tanh() }), ("sigmoid", -3...3, { $0.sigmoid() }),
        ("relu", 0.1...2, { $0.relu() }), ("relu below", -2 ... -0.1, { $0.relu() }),
        ("add number", -2...2, { $0 + 1.5 }), ("subtract number", -2...2, { $0 - 2 }),
        ("number minus", -2...2, { 3 - $0 }), ("mul number", -2...2, { $0 * 2.5 }), ("div number", -2...2, { $0 / 4 }),
        ("number over", 0.5...2, { 2 / $0 }), ("pow 3", -2...2, { $0.pow(3) }), ("pow 0.5", 0.3...2, { $0.pow(0.5) }),
        ("pow -1.5", 0.3...2, { $0.pow(-1.5) }), ("pow 0", -2...2, { $0.pow(0) }),
        ("to and back", -2...2, { $0.clone() }),
    ]

    typealias Binary = (name: String, function: @Sendable (Tensor, Tensor) -> Tensor)
    static let binary: [Binary] = [
        ("add", { $0 + $1 }), ("sub", { $0 - $1 }), ("mul", { $0 * $1 }), ("div", { $0 / $1 }),
        ("pow", { $0.pow($1) }), ("add alpha", { $0.add($1, alpha: 0.5) }),
        ("where", { Tensor.where($0.gt(1), $0, $1) }),
    ]
    static let pairs: [([Int], [Int])] = [
        ([3], [3]), ([2, 3], [3]), ([3], [2, 1]), ([], [2, 2]), ([2, 1, 3], [4, 1]), ([0], [1]), ([1], [1]),
    ]

    typealias Reduction = (name: String, function: @Sendable (Tensor) -> Tensor)
    static let reductions: [Reduction] = [
        ("sum", { $0.sum() }), ("sum 0", { $0.sum(dim: 0) }), ("sum last", { $0.sum(dim: -1, keepdim: true) }),
        ("sum outer", { $0.sum(dims: [0, 2]) }), ("mean", { $0.mean() }), ("mean 1", { $0.mean(dim: 1) }),
        ("max", { $0.max() }), ("max 1", { $0.max(dim: 1).values }),
        ("min 0", { $0.min(dim: 0, keepdim: true).values }),
        ("amax", { $0.amax(dims: [0, 2]) }), ("amin", { $0.amin() }), ("softmax", { $0.softmax(dim: 1) }),
        ("logSoftmax", { $0.logSoftmax(dim: -1) }), ("logSoftmax 0", { $0.logSoftmax(dim: 0) }),
    ]

    typealias Shape = (name: String, function: @Sendable (Tensor) -> Tensor)
    static let shapeOps: [Shape] = [
        ("reshape", { $0.reshape(-1, 2) }), ("transpose", { $0.transpose(0, 2) }), ("permute", { $0.permute(1, 2, 0) }),
        ("flatten", { $0.flatten(startDim: 1) }), ("narrow", { $0.narrow(dim: 1, start: 1, length: 2) }),
        ("slice", { $0.slice(dim: 2, start: 0, end: 4, step: 2) }), ("select", { $0.select(dim: 0, index: -1) }),
        ("unsqueeze", { $0.unsqueeze(1) }), ("expand", { $0.unsqueeze(0).expand(3, -1, -1, -1) }),
        ("squeeze", { $0.unsqueeze(0).squeeze(0) }), ("contiguous", { $0.transpose(0, 1).contiguous() }),
        ("gather", { $0.gather(dim: 1, index: Tensor([0, 2, 2, 1], shape: [1, 2, 2])) }),
        ("indexSelect", { $0.indexSelect(dim: 2, index: Tensor([3, 0, -1, 0])) }),
        ("transposed reshape", { $0.transpose(0, 2).reshape(4, -1) }), ("sum to", { $0.sum(to: [3, 1]) }),
    ]

    static let convolutions: [ConvolutionCase] = [
        .init(x: [2, 1, 5, 4], w: [2, 1, 3, 2]), .init(x: [1, 2, 4, 4], w: [3, 2, 3, 3], padding: 1),
        .init(x: [1, 2, 5, 5], w: [2, 2, 3, 3], stride: 2, padding: 1),
        .init(x: [1, 2, 6, 5], w: [2, 2, 2, 3], stride: [2, 3], padding: [0, 2]),
        .init(x: [1, 1, 7, 7], w: [1, 1, 3, 3], padding: 2, dilation: 2),
        .init(x: [2, 4, 3, 3], w: [6, 2, 2, 2], groups: 2),
        .init(x: [1, 3, 4, 4], w: [3, 1, 3, 3], padding: 1, groups: 3),
        .init(x: [1, 3, 3, 3], w: [2, 3, 1, 1]), .init(x: [1, 2, 5, 5], w: [2, 2, 1, 1], stride: 2),
        .init(x: [1, 1, 5, 6], w: [2, 1, 3, 3], stride: 2, padding: .same),
        .init(x: [1, 1, 4, 5], w: [1, 1, 2, 4], padding: .same),
        .init(x: [0, 1, 4, 4], w: [2, 1, 3, 3]), .init(x: [1, 1, 2, 2], w: [1, 1, 5, 5], padding: 2),
        .init(x: [1, 1, 7, 5], w: [1, 1, 2, 2], stride: 3, dilation: [1, 2]),
    ]
}

@Suite struct GradientTests {
    @Test(arguments: Cases.unary.indices, Cases.shapes) func functionsOfOneTensor(_ index: Int, _ shape: [Int]) throws {
        let (_, range, function) = Cases.unary[index]
        let x = leaf(shape, in: range)
        try gradcheck({ function($0[0]) }, [x])
        try gradgradcheck({ function($0[0]) }, [x])
    }

    @Test(arguments: Cases.unary.indices) func functionsOfAStridedTensor(_ index: Int) throws {
        let (_, range, function) = Cases.unary[index]
        let x = leaf([3, 4, 2], in: range).detach().transpose(0, 2).requiresGrad()
        #expect(!x.isContiguous)
        try gradcheck({ function($0[0]) }, [x])
    }

    @Test(arguments: Cases.binary.indices, Cases.pairs) func functionsOfTwoTensors(
        _ index: Int, _ shapes: ([Int], [Int])
    ) throws {
        let function = Cases.binary[index].function
        let (a, b) = (leaf(shapes.0, in: 0.5...2), leaf(shapes.1, in: 0.5...2, seed: 2))
        try gradcheck({ function($0[0], $0[1]) }, [a, b])
        try gradgradcheck({ function($0[0], $0[1]) }, [a, b])
    }

    @Test func anOpOfATensorWithItselfAddsBothShares() throws {
        try gradcheck({ $0[0] * $0[0] + $0[0] / $0[0] }, [leaf([4], in: 0.5...2)])
    }

    @Test(arguments: Cases.reductions.indices, [[2, 3, 4], [1, 1, 1], [5, 2, 1]])
    func reductionsOfThreeDimensions(_ index: Int, _ shape: [Int]) throws {
        let function = Cases.reductions[index].function
        try gradcheck({ function($0[0]) }, [leaf(shape)])
        try gradcheck({ function($0[0]) }, [stridedLeaf(shape)])
        try gradgradcheck({ function($0[0]) }, [leaf(shape)])
    }

    @Test(arguments: Cases.shapeOps.indices) func shapes(_ index: Int) throws {
        let function = Cases.shapeOps[index].function
        try gradcheck({ function($0[0]) }, [leaf([2, 3, 4])])
        try gradcheck({ function($0[0]) }, [stridedLeaf([2, 3, 4])])
        try gradgradcheck({ function($0[0]) }, [leaf([2, 3, 4])])
    }

    @Test func catAndStackHandEachPartItsGradient() throws {
        let parts = [leaf([2, 3]), leaf([1, 3], seed: 2), stridedLeaf([2, 3], seed: 3)]
        try gradcheck({ Tensor.cat($0) }, parts)
        try gradcheck({ Tensor.cat([$0[0], $0[2]], dim: -1) }, parts)
        try gradcheck({ Tensor.stack([$0[0], $0[2]], dim: 1) }, parts)
        try gradgradcheck({ Tensor.cat($0) }, parts)
    }

    @Test(arguments: [
        ([2, 3], [3, 4]), ([3], [3]), ([3], [3, 2]), ([2, 3], [3]), ([2, 2, 3], [3, 2]), ([2, 2, 3], [2, 3, 1]),
        ([1, 2, 3], [2, 3, 2]), ([2, 1, 2, 3], [3, 3, 2]), ([0, 3], [3, 2]), ([2, 0], [0, 3]),
    ])
    func matmulInEveryRank(_ shapes: ([Int], [Int])) throws {
        let (a, b) = (leaf(shapes.0), leaf(shapes.1, seed: 2))
        try gradcheck({ $0[0].matmul($0[1]) }, [a, b])
        try gradgradcheck({ $0[0].matmul($0[1]) }, [a, b])
    }

    @Test func matmulOfStridedTensors() throws {
        try gradcheck({ $0[0].matmul($0[1]) }, [stridedLeaf([3, 4]), stridedLeaf([4, 2], seed: 2)])
        try gradcheck({ $0[0].matmul($0[1]) }, [stridedLeaf([2, 3, 4]), leaf([2, 4, 2], seed: 2)])
    }

    @Test func linearWithAndWithoutBias() throws {
        let (x, w, b) = (leaf([2, 3, 4]), leaf([5, 4], seed: 2), leaf([5], seed: 3))
        try gradcheck({ Tensor.linear($0[0], $0[1], bias: $0[2]) }, [x, w, b])
        try gradcheck({ Tensor.linear($0[0], $0[1]) }, [leaf([3, 4]), w])
        try gradgradcheck({ Tensor.linear($0[0], $0[1], bias: $0[2]) }, [leaf([3, 4]), w, b])
    }

    @Test(arguments: Cases.convolutions) func convolution(_ c: ConvolutionCase) throws {
        let inputs = [leaf(c.x), leaf(c.w, seed: 2), leaf([c.w[0]], seed: 3)]
        func run(_ t: [Tensor]) -> Tensor {
            Tensor.conv2d(
                t[0], t[1], bias: t[2], stride: c.stride, padding: c.padding, dilation: c.dilation, groups: c.groups)
        }
        try gradcheck(run, inputs)
        try gradgradcheck(run, inputs)
    }

    @Test func convolutionOfStridedTensors() throws {
        try gradcheck(
            { Tensor.conv2d($0[0], $0[1], padding: 1) },
            [stridedLeaf([2, 2, 4, 3]), stridedLeaf([3, 2, 3, 3], seed: 2)])
    }

    @Test(arguments: [(Pair(2), Pair(2), 0), (Pair(3), Pair(2), 1), (Pair(2, 3), Pair(1, 2), 0), (Pair(3), Pair(1), 1)])
    func pooling(_ kernel: Pair, _ stride: Pair, _ padding: Int) throws {
        for x in [leaf([1, 2, 6, 7]), stridedLeaf([1, 2, 6, 7])] {
            let pad = Padding.both(Pair(padding))
            try gradcheck({ $0[0].maxPool2d(kernelSize: kernel, stride: stride, padding: pad) }, [x])
            try gradgradcheck({ $0[0].maxPool2d(kernelSize: kernel, stride: stride, padding: pad) }, [x])
            try gradcheck({ $0[0].avgPool2d(kernelSize: kernel, stride: stride, padding: pad) }, [x])
            try gradcheck(
                {
                    $0[0].avgPool2d(
                        kernelSize: kernel, stride: stride, padding: pad, ceilMode: true, countIncludePad: false)
                }, [x])
            try gradgradcheck({ $0[0].avgPool2d(kernelSize: kernel, stride: stride, padding: pad) }, [x])
        }
    }

    @Test func losses() throws {
        let (x, target) = (leaf([4, 3]), Tensor([2, 0, 1, 2]))
        let weight = Tensor([1.0, 2, 0.5])
        try gradcheck({ Tensor.crossEntropy($0[0], target) }, [x])
        try gradcheck({ Tensor.crossEntropy($0[0], target, weight: weight, labelSmoothing: 0.1) }, [x])
        try gradcheck({ Tensor.crossEntropy($0[0], target, ignoreIndex: 2, reduction: .none) }, [x])
        try gradcheck(
            { Tensor.crossEntropy($0[0], $0[1].softmax(dim: 1), reduction: .sum) }, [x, leaf([4, 3], seed: 2)])
        try gradcheck({ Tensor.nllLoss($0[0].logSoftmax(dim: 1), target, weight: weight) }, [x])
        try gradcheck({ Tensor.crossEntropy($0[0], Tensor([0, 1, 2, 0], shape: [2, 2])) }, [leaf([2, 3, 2])])
        try gradgradcheck({ Tensor.crossEntropy($0[0], target) }, [x])
    }

    /// A wrong gradient must be found, or all checks above mean nothing.
    @Test func aWrongGradientIsReportedWithInputElementAndBothValues() throws {
        struct WrongSquare: Primitive {
            var saves: Saves { .input0 }
            func forward(_ x: [Tensor]) -> Tensor { elementwise(.mul, x[0], x[0]) }
            func gradient(_ saved: Saved, _ dy: Tensor) -> [Tensor?] { [dy * saved.x * 3] }
        }
        let x = Tensor([1.0, 2, 4], requiresGrad: true)
        let error = #expect(throws: GradientMismatch.self) {
            try gradcheck({ WrongSquare()($0[0], at: nil) }, [x])
        }
        #expect(error?.input == 0 && error?.element == 0)
        #expect(abs((error?.analytic ?? 0) - 3) < 1e-9 && abs((error?.numeric ?? 0) - 2) < 1e-6)
        #expect(error.map { "\($0)".contains("input 0 (shape [3]), element 0") } == true)
    }
}

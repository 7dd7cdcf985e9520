// Gradient checks of the ops beyond the first primitives: each against differences, twice where it is smooth.
import Testing

@testable import Tapestry

private enum Cases {
    typealias Case = (name: String, range: ClosedRange<Double>, isSmooth: Bool, function: @Sendable (Tensor) -> Tensor)
    /// On [2, 3, 4]; `isSmooth` asks for second derivatives too.
    static let ops: [Case] = [
        ("expm1", -1...1, true, { $0.expm1() }), ("exp2", -1...1, true, { $0.exp2() }),
        ("log1p", 0...2, true, { $0.log1p() }), ("log2", 0.5...2, true, { $0.log2() }),
        ("log10", 0.5...2, true, { $0.log10() }), ("rsqrt", 0.5...2, true, { $0.rsqrt() }),
        ("reciprocal", 0.5...2, true, { $0.reciprocal() }), ("square", -2...2, true, { $0.square() }),
        ("abs", 0.2...2, false, { $0.abs() }), ("sin", -3...3, true, { $0.sin() }), ("cos", -3...3, true, { $0.cos() }),
        ("tan", -1...1, true, { $0.tan() }), ("asin", -0.8...0.8, true, { $0.asin() }),
        ("acos", -0.8...0.8, true, { $0.acos() }), ("atan", -2...2, true, { $0.atan() }),
        ("sinh", -2...2, true, { $0.sinh() }), ("cosh", -2...2, true, { $0.cosh() }),
        ("erf", -2...2, true, { $0.erf() }),
        ("erfc", -2...2, true, { $0.erfc() }), ("sign", 0.2...2, false, { $0.sign() + $0 }),
        ("floor", 0.1...0.9, false, { $0.floor() + $0 }),
        ("clamp", -2...2, false, { $0.clamp(min: -0.513, max: 0.871) }),
        ("elu", -2 ... -0.1, true, { $0.elu(alpha: 1.5) }), ("elu above", 0.1...2, true, { $0.elu() }),
        ("celu", -2 ... -0.1, false, { $0.celu(alpha: 2) }), ("selu", -2 ... -0.1, true, { $0.selu() }),
        ("gelu", -2...2, true, { $0.gelu() }), ("gelu tanh", -2...2, true, { $0.gelu(tanh: true) }),
        ("silu", -2...2, true, { $0.silu() }), ("mish", -2...2, true, { $0.mish() }),
        ("softplus", -2...2, true, { $0.softplus(beta: 2) }), ("softsign", 0.2...2, true, { $0.softsign() }),
        ("logSigmoid", -3...3, true, { $0.logSigmoid() }), ("leakyRelu", 0.1...2, true, { (-$0).leakyRelu() }),
        ("hardswish", -2.5...2.5, true, { $0.hardswish() }), ("hardtanh", -0.9...0.9, true, { $0.hardtanh() }),
        ("relu6", 0.1...5, true, { $0.relu6() }), ("glu", -2...2, true, { $0.glu() }),
        ("prod", 0.5...2, true, { $0.prod(dim: 1) }), ("cumsum", -2...2, true, { $0.cumsum(dim: 2) }),
        ("cumprod", 0.5...2, true, { $0.cumprod(dim: 1) }), ("variance", -2...2, true, { $0.variance(dims: [0, 2]) }),
        ("std", -2...2, true, { $0.std(dims: [1]) }), ("logsumexp", -2...2, true, { $0.logsumexp(dims: [0, 1]) }),
        ("norm", 0.5...2, true, { $0.norm(dims: [1]) }), ("norm 1", 0.5...2, true, { $0.norm(p: 1) }),
        ("norm 3", 0.5...2, true, { $0.norm(p: 3, dims: [0]) }), ("normalize", 0.5...2, true, { $0.normalize() }),
        ("sort", -2...2, true, { $0.sort(dim: 1).values }), ("topk", -2...2, true, { $0.topk(2).values }),
        ("split", -2...2, true, { $0.split([1, 3], dim: 2)[1] }), ("chunk", -2...2, true, { $0.chunk(2, dim: 1)[0] }),
        ("unbind", -2...2, true, { $0.unbind(dim: 1)[2] }), ("movedim", -2...2, true, { $0.movedim(0, 2) }),
        ("flip", -2...2, true, { $0.flip([0, 2]) }), ("roll", -2...2, true, { $0.roll([1, -1], dims: [0, 2]) }),
        ("repeat", -2...2, true, { $0.repeat([2, 1, 1, 2]) }),
        ("repeatInterleave", -2...2, true, { $0.repeatInterleave(2, dim: 1) }),
        ("diagonal", -2...2, true, { $0.diagonal(offset: 1, dim1: 1, dim2: 2) }),
        ("tril", -2...2, true, { $0.tril() }), ("triu", -2...2, true, { $0.triu(1) }),
        ("pad", -2...2, true, { $0.pad([1, 2, 0, 1]) }),
        ("pad reflect", -2...2, true, { $0.pad([2, 1], mode: .reflect) }),
        ("pad replicate", -2...2, true, { $0.pad([2, 1], mode: .replicate) }),
        ("pad circular", -2...2, true, { $0.pad([2, 1], mode: .circular) }),
        ("cut", -2...2, true, { $0.pad([-1, -1]) }),
        ("pixelShuffle", -2...2, true, { $0.reshape(1, 4, 2, 3).pixelShuffle(2) }),
        ("unfold", -2...2, true, { $0.unsqueeze(0).unfold(kernelSize: 2, padding: 1) }),
        ("fold", -2...2, true, { $0.reshape(1, 4, 6).fold(outputSize: [3, 4], kernelSize: 2) }),
        ("indexed", -2...2, true, { $0[.ellipsis, 1..<3] * $0[0, .all, .slice(nil, nil, 2)] }),
        ("index", -2...2, true, { $0[Tensor([1, 0, -1])] }), ("mask", -2...2, false, { $0[$0.gt(0)] }),
        ("maskedFill", -2...2, true, { $0.maskedFill(Tensor([true, false, true, false]), 3) }),
        (
            "scatter", -2...2, true,
            {
                $0.scatter(
                    dim: 1, index: Tensor([2, 0, 1, 1], shape: [1, 1, 4]), $0.narrow(dim: 1, start: 0, length: 1))
            }
        ),
        ("scatterAdd", -2...2, true, { $0.scatterAdd(dim: 0, index: Tensor([1, 1, 0, 1], shape: [1, 1, 4]), $0) }),
        ("indexAdd", -2...2, true, { $0.indexAdd(dim: 2, index: Tensor([0, 0, 3, 1]), $0, alpha: 2) }),
        ("takeAlongDim", -2...2, true, { $0.takeAlongDim(Tensor([3, 0], shape: [1, 1, 2]), dim: 2) }),
        ("einsum", -2...2, true, { Tensor.einsum("bij,bkj->bik", [$0, $0]) }),
        ("einsum sum", -2...2, true, { Tensor.einsum("bij->j", [$0]) }),
        ("attention", -1...1, true, { Tensor.scaledDotProductAttention($0, $0, $0, isCausal: true) }),
        ("conv1d", -2...2, true, { Tensor.conv1d($0, $0.narrow(dim: 2, start: 0, length: 2), padding: 1) }),
        (
            "convTranspose2d", -2...2, true,
            { Tensor.convTranspose2d($0.unsqueeze(0), $0.unsqueeze(1), stride: 2, padding: 1, outputPadding: 1) }
        ),
        (
            "batchNorm", -2...2, true,
            {
                Tensor.batchNormTraining(
                    $0, runningMean: nil, runningVar: nil, weight: nil, bias: nil, momentum: 0.1, eps: 1e-3)
            }
        ),
        ("to", -2...2, true, { $0.to(.float64).exp() }),
    ]
    typealias Pair = (name: String, function: @Sendable (Tensor, Tensor) -> Tensor)
    static let pairs: [Pair] = [
        ("maximum", { $0.maximum($1) }), ("minimum", { $0.minimum($1) }), ("remainder", { $0.remainder($1) }),
        ("fmod", { $0.fmod($1) }), ("atan2", { $0.atan2($1) }), ("lerp", { $0.lerp($1, weight: 0.3) }),
        ("clamp", { $0.clamp(min: $1 - 0.2, max: nil) }), ("div floor", { $0.div($1, rounding: .floor) + $0 }),
        ("prelu", { (-$0).prelu($1[0, 0, 0]) }),
    ]
}

@Suite struct OpGradientTests {
    @Test(arguments: Cases.ops.indices) func opsOfOneTensor(_ index: Int) throws {
        let (_, range, isSmooth, function) = Cases.ops[index]
        let x = leaf([2, 3, 4], in: range)
        try gradcheck({ function($0[0]) }, [x])
        try gradcheck({ function($0[0]) }, [leaf([4, 3, 2], in: range).detach().transpose(0, 2).requiresGrad()])
        if isSmooth { try gradgradcheck({ function($0[0]) }, [x]) }
    }

    @Test(arguments: Cases.pairs.indices) func opsOfTwoTensors(_ index: Int) throws {
        let function = Cases.pairs[index].function
        try gradcheck(
            { function($0[0], $0[1]) }, [leaf([2, 3, 4], in: 0.5...2), leaf([2, 3, 4], in: 0.5...2, seed: 2)])
    }

    @Test func productsWithZerosHaveTheTruePartialProducts() throws {
        try gradcheck({ $0[0].prod(dim: 0) }, [Tensor([2.0, 0, 3], requiresGrad: true)])
        try gradcheck({ $0[0].prod(dim: 0) }, [Tensor([0.0, 0, 3], requiresGrad: true)])
        try gradgradcheck({ $0[0].prod(dim: 0) }, [Tensor([2.0, 0, 3], requiresGrad: true)])
        try gradcheck({ $0[0].cumprod(dim: 0) }, [Tensor([2.0, 0, 3], requiresGrad: true)])
    }

    @Test func assignmentThroughSubscripts() throws {
        try gradcheck(
            { t in
                let y = t[0] * 1
                y[0..., 1..<3] = t[1]
                return y * y
            }, [leaf([2, 4]), leaf([2, 2], seed: 2)])
    }

    @Test func linearSystems() throws {
        let a = Tensor([4.0, 1, -2, 3, 5, 1, 0.5, -1, 3], shape: [3, 3], requiresGrad: true)
        let b = leaf([3, 2])
        #expect(
            a.matmul(a.solve(b)).isClose(to: b, atol: 1e-12)
                && a.matmul(a.inverse()).isClose(to: .eye(3, dtype: .float64), atol: 1e-12))
        #expect(abs(a.det().item() - 66.5) < 1e-9)
        let (q, r) = a.qr()
        #expect(
            q.matmul(r).isClose(to: a, atol: 1e-12) && q.T.matmul(q).isClose(to: .eye(3, dtype: .float64), atol: 1e-12))
        // torch.linalg.qr's signs
        expectClose(r.diagonal(), [-5.024937810560445, -3.6668166785994973, 3.60912360495956], tolerance: 1e-9)
        try gradcheck({ $0[0].solve($0[1]) }, [a, b])
        try gradgradcheck({ $0[0].solve($0[1]) }, [a, b])
        try gradcheck({ $0[0].inverse() }, [a])
        try gradgradcheck({ $0[0].inverse() }, [a])
        try gradcheck({ $0[0].det() }, [a])
        try gradgradcheck({ $0[0].det() }, [a])
        try gradcheck({ $0[0].qr().q }, [a])
        try gradgradcheck({ $0[0].qr().q }, [a])
        try gradcheck(
            { $0[0].solve($0[1]) },
            [Tensor.eye(2, dtype: .float64).repeat([2, 1, 1]).requiresGrad(), leaf([2, 2, 1])])
    }

    // MARK: Functions of functions

    @Test func productsWithTheJacobianAgreeWithIt() {
        let x = leaf([3])
        func f(_ t: [Tensor]) -> Tensor { t[0].sin() * t[0].sum() }
        let matrix = jacobian(f, [x])[0]
        let (tangent, cotangent) = (Tensor([0.3, -1, 2]), Tensor([1.0, 0.5, -2]))
        expectClose(jvp(f, [x], [tangent]).tangent, matrix.matmul(tangent).array())
        expectClose(vjp(f, [x], cotangent).gradients[0], cotangent.matmul(matrix).array())
    }

    @Test func theHessianOfACubicForm() {
        let x = Tensor([1.0, 2])
        let h = hessian({ ($0[0].pow(3)).sum() + $0[0].prod() }, [x])[0][0]
        expectClose(h, [6, 1, 1, 12])
    }

    @Test func checkpointsComputeTheSameGradients() throws {
        let (x, w) = (leaf([2, 3]), leaf([3, 3], seed: 2))
        func block(_ t: [Tensor]) -> Tensor { t[0].matmul(t[1]).tanh().matmul(t[1]) }
        let plain = grad(of: block([x, w]).sum(), [x, w])
        let saved = grad(of: checkpoint([x, w], block).sum(), [x, w])
        for (a, b) in zip(plain, saved) { expectClose(a, b.array()) }
        // A parameter that the block catches.
        checkpoint([x]) { $0[0].matmul(w) }.sum().backward()
        #expect(w.grad != nil)
        try gradcheck({ checkpoint($0, block) }, [x, w])
    }

    @Test func functionsWithAGradientOfTheirOwn() throws {
        struct Cube: CustomFunction {
            func forward(_ x: [Tensor]) -> Tensor { x[0] * x[0] * x[0] }
            func backward(_ inputs: [Tensor], _ output: Tensor, _ dy: Tensor) -> [Tensor?] {
                [dy * (inputs[0] * inputs[0] * 3)]
            }
        }
        try gradcheck({ Cube().apply($0[0]) }, [leaf([4])])
        try gradgradcheck({ Cube().apply($0[0]) }, [leaf([4])])
    }

    @Test func theGraphNamesOpsShapesAndLines() {
        let (x, w) = (leaf([2, 3]), leaf([3, 1], seed: 2))
        let graph = x.matmul(w).exp().sum().graph()
        let text = graph.description
        #expect(text.contains("MatMul") && text.contains("[2, 1] at OpGradientTests.swift:"))
        #expect(graph.dot.hasPrefix("digraph") && graph.dot.contains("leaf"))
        #expect(graph.svg.hasPrefix("<svg") && graph.svg.contains("MatMul"))
        #expect(text.split(separator: "\n").count == graph.svg.components(separatedBy: "<rect").count - 1)
    }

    @Test func aChainOfAMillionOpsGoesBackwardAndIsFreed() {
        let x = Tensor([1.0], requiresGrad: true)
        var y = x
        for _ in 0..<1_000_000 { y = y + 1 }
        y.backward()
        expectClose(x.grad!, [1])
    }
}

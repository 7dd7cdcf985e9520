// An op of your own with its gradient, checked, then trained: `swift run gradcheck-your-op`. Copy it and change it.
import ExampleSupport
import Foundation
import Tapestry
import nn
import optim

/// y = x · σ(βx), whose β can be trained (Ramachandran et al., 2017). x of any shape, β one number.
///
/// With s = σ(βx): ∂y/∂x = s + βy(1 − s), ∂y/∂β = xy(1 − s).
struct Swish: CustomFunction {
    func forward(_ inputs: [Tensor]) -> Tensor { inputs[0] * (inputs[0] * inputs[1]).sigmoid() }

    // In tensor ops, so that it can be differentiated again. The gradient of β has the shape of x: the tape sums what
    // was broadcast.
    func backward(_ inputs: [Tensor], _ y: Tensor, _ dy: Tensor) -> [Tensor?] {
        let (x, beta) = (inputs[0], inputs[1])
        let s = (x * beta).sigmoid()
        return [dy * (s + beta * y * (1 - s)), dy * x * y * (1 - s)]
    }
}

/// The same with a mistake that is easily made: x inside the sigmoid is forgotten. What does the check say?
struct ForgetfulSwish: CustomFunction {
    func forward(_ inputs: [Tensor]) -> Tensor { Swish().forward(inputs) }
    func backward(_ inputs: [Tensor], _ y: Tensor, _ dy: Tensor) -> [Tensor?] {
        var gradients = Swish().backward(inputs, y, dy)
        gradients[0] = dy * (inputs[0] * inputs[1]).sigmoid()
        return gradients
    }
}

/// The op as a layer.
final class SwishLayer: nn.Module {
    let beta = Tensor.ones([]).requiresGrad()
    override func forward(_ x: Tensor) -> Tensor { Swish().apply(x, beta) }
}

run("gradcheck-your-op") { (settings: Settings) in
    try settings.training.begin()
    if settings.wrong {
        try check("a gradient that forgets a term", shape: [2, 3]) { ForgetfulSwish().apply($0[0], $0[1]) }
    } else {
        try check("Swish", shape: settings.training.quick ? [2, 3] : [4, 5, 3]) { Swish().apply($0[0], $0[1]) }
    }
    try train(settings.training)
}

/// Holds the op's gradient against differences: at random places, at extreme ones, where memory is strided, and the
/// gradient of the gradient.
func check(_ name: String, shape: [Int], _ op: ([Tensor]) -> Tensor) throws {
    func stage(_ what: String, _ body: () throws -> Void) throws {
        print("\(name), \(what): ", terminator: "")
        fflush(nil)
        do { try body() } catch {
            print("wrong")
            fflush(nil)
            throw error
        }
        print("right")
        fflush(nil)
    }
    let beta = Tensor(1.7, requiresGrad: true)
    let x = Tensor.randn(shape, dtype: .float64, requiresGrad: true)
    try stage("random places \(shape)") { try gradcheck(op, [x, beta]) }
    try stage("zero and far out") {
        try gradcheck(op, [Tensor([0, -30, 30, 1e-8, -2.5], requiresGrad: true), beta])
    }
    try stage("a transposed view") {
        try gradcheck(op, [Tensor.randn([3, 2], dtype: .float64).T.requiresGrad(), beta])
    }
    try stage("the gradient's gradient") {
        try gradgradcheck(op, [Tensor.randn([2, 2], dtype: .float64, requiresGrad: true), beta])
    }
}

/// A gradient that is right can be trained with: finds the β that some points were made with.
func train(_ options: TrainingOptions) throws {
    let layer = SwishLayer()
    try options.loadWeights(into: layer)
    let x = Tensor.randn([options.batchSize]) * 2
    let wanted = Swish().apply(x, Tensor.full([], 2.5))
    let optimizer = optim.Adam(layer.parameters(), lr: options.learningRate)
    var progress = Progress(epoch: 1, epochs: 1, steps: options.epochs)
    for step in 0..<options.epochs {
        let loss = F.mseLoss(layer(x), wanted)
        optimizer.zeroGrad()
        loss.backward()
        optimizer.step()
        progress.update(
            step: step + 1, items: (step + 1) * x.count, unit: "points",
            String(format: "loss %.6f  β %.3f", loss.item(), layer.beta.item()))
        try options.endIfInterrupted(layer, progress)
    }
    try options.saveWeights(of: layer)
    print(String(format: "Trained on points made with β = 2.5: β = %.3f", layer.beta.item()))
}

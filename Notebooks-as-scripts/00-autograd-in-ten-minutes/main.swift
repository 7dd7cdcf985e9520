// Lesson 0: what the tape records, how it is replayed, and how to be sure of a gradient.
//     swift run notebook Notebooks-as-scripts/00-autograd-in-ten-minutes/main.swift --html lesson.html
// %% [markdown]
// # Autograd in ten minutes
//
// Training a network means asking, for each of its numbers: *if you were a little larger, would the loss be larger or
// smaller, and by how much?* That answer is a derivative. Nobody works out millions of derivatives by hand, and nobody
// has to: a program that computes a loss is a long row of small steps, and the derivative of each small step is known.
//
// Tapestry writes down each step while it happens, on a **tape**. To get the gradient it plays the tape backwards. This
// lesson looks at that tape, does its work by hand, checks it, adds an op to it, and fits a line with it.
// %% Imports
import ExampleSupport
import Foundation
import Tapestry
import plot

let options = lessonOptions("00-autograd-in-ten-minutes", readsDigits: false)
// %% [markdown]
// ## A number that wants to know its influence
//
// A tensor made with `requiresGrad: true` is a **leaf**: a place where gradients arrive and stay. Everything computed
// from it is recorded. Here $f(a, b) = a b + sin(a)$ at $a = 2, b = 3$. Float64 is used so that the printed digits can
// be checked with a pocket calculator.
// %% The function
let a = Tensor(2.0, requiresGrad: true)
let b = Tensor(3.0, requiresGrad: true)
let product = a * b
let sine = a.sin()
let f = product + sine
print("f =", f.item())
// %% [markdown]
// ## What is on the tape
//
// Every op became a node that knows the nodes it came from. The drawing reads downwards, as the program ran; gradients
// will flow upwards. Each node remembers its shape (`[]` is that of a single number) and, where Swift can tell it, the
// line of the script that made it: that is how error messages name the line at fault.
// %% The drawn tape
f.graph().show()
// %% [markdown]
// ## Backward, first by hand
//
// Begin at the end: if $f$ grows by 1, $f$ grows by 1, so its gradient is 1. Now walk up, one node at a time, and at each
// multiply what arrives by the derivative of that step:
//
// | step | derivative of the step | gradient that it passes on |
// |---|---|---|
// | $f$ = product + sine | 1 to both | product: 1, sine: 1 |
// | sine = sin(a) | cos(a) | a: cos(2) ≈ −0.416 |
// | product = a · b | b to a, a to b | a: 3, b: 2 |
//
// The leaf $a$ is used twice, so it is reached by two paths, and the contributions **add up**: 3 − 0.416. That sum is the
// whole secret of weights that are used in many places, as those of a convolution are.
//
// The tape does the same walk. It goes through the nodes in the reverse order of their making, so that a node is visited
// only when everything that depends on it has already said its part.
// %% Backward by the tape
product.retainGrad()  // gradients of steps in between are dropped unless one asks for them
sine.retainGrad()
f.backward()
print("df/dproduct =", product.grad!.item(), "  df/dsine =", sine.grad!.item())
print("df/da =", a.grad!.item(), "  by hand:", 3 + cos(2.0))
print("df/db =", b.grad!.item(), "  by hand:", 2.0)
// %% [markdown]
// ## Gradients accumulate
//
// A second backward **adds** to what the leaves hold. That is useful (a large batch can be computed in parts), and it is
// the most common mistake in a training loop: without `zeroGrad()` each step would also use all earlier gradients.
// %% Twice the same backward
(a * b).backward()
print("after a second backward df/da =", a.grad!.item(), "= the sum of both")
a.grad = nil
b.grad = nil
(a * b).backward()
print("after clearing it first     df/da =", a.grad!.item())
// %% [markdown]
// ## Is it right? Ask the function itself
//
// A derivative is a limit of differences, so differences can check it: $(f(x + ε) − f(x − ε)) / 2ε$. How small should
// $ε$ be? Too large, and the curve bends between the two points; too small, and the two values agree in nearly all their
// digits, so that the difference is mostly rounding. The figure shows both ends, and why gradients are checked in
// float64: in float32 even the best $ε$ leaves five digits at most.
// %% The error of a numerical derivative
func numericalError(_ epsilon: Double, _ dtype: DType) -> Double {
    func value(_ x: Double) -> Double {
        let x = Tensor(x).to(dtype)
        return (x.sin() * x.exp()).item()
    }
    let exact = (sin(1.5) + cos(1.5)) * exp(1.5)
    // The points that are really used: 1.5 ± ε may not exist in float32.
    let (above, below) = (Tensor(1.5 + epsilon).to(dtype).item(), Tensor(1.5 - epsilon).to(dtype).item())
    guard above > below else { return .nan }
    return max(abs((value(above) - value(below)) / (above - below) - exact) / exact, 1e-16)
}
let exponents = Array(stride(from: -12.0, through: 0, by: 0.25))
let steps = exponents.map { pow(10, $0) }
let checkFigure = plot.Figure(width: 640, height: 340)
checkFigure[0, 0].title = "How wrong a numerical derivative is"
checkFigure[0, 0].xLabel = "ε"
checkFigure[0, 0].yLabel = "relative error"
checkFigure[0, 0].xScale = .log
checkFigure[0, 0].yScale = .log
checkFigure[0, 0].line(steps, steps.map { numericalError($0, .float32) }, label: "float32")
checkFigure[0, 0].line(steps, steps.map { numericalError($0, .float64) }, label: "float64")
checkFigure.show()
// %% [markdown]
// `gradcheck` does this for every element of every input and names the first that disagrees. Every op of the library is
// tested with it, and it takes one line to test yours. It throws, so a wrong gradient cannot be overlooked.
// %% One line to check a function
manualSeed(0)
let x = Tensor.randn([3, 4], dtype: .float64, requiresGrad: true)
let y = Tensor.randn([4, 2], dtype: .float64, requiresGrad: true)
try gradcheck({ $0[0].matmul($0[1]).exp().sum(dim: 0) }, [x, y])
print("matmul, exp and sum: the tape and the differences agree")
// %% [markdown]
// ## An op of your own
//
// Softplus, $log(1 + e^x)$, is a smooth ReLU. Written just so it overflows: $e^{1000}$ is infinite. The value can be
// saved by an identity, $max(x, 0) + log(1 + e^{−|x|})$, and the gradient, $1 / (1 + e^{−x})$, is known in a better form
// than the chain rule would find it. A `CustomFunction` says both.
// %% Softplus with its own gradient
struct Softplus: CustomFunction {
    func forward(_ x: [Tensor]) -> Tensor { x[0].relu() + (-x[0].abs()).exp().log1p() }
    func backward(_ inputs: [Tensor], _ output: Tensor, _ dy: Tensor) -> [Tensor?] { [dy * inputs[0].sigmoid()] }
}
let large = Tensor([-1000.0, 0, 1000], requiresGrad: true)
print("naive:", (large.exp() + 1).log())
let own = Softplus().apply(large)
own.sum().backward()
print("own:  ", own)
print("its gradient:", large.grad!)
try gradcheck({ Softplus().apply($0[0]) }, [x])
print("gradcheck agrees")
// %% [markdown]
// And a mistake, to see what is said about it. The gradient below forgets the factor 2:
// %% A wrong gradient is found
struct WrongSquare: CustomFunction {
    func forward(_ x: [Tensor]) -> Tensor { x[0] * x[0] }
    func backward(_ inputs: [Tensor], _ output: Tensor, _ dy: Tensor) -> [Tensor?] { [dy * inputs[0]] }
}
do {
    try gradcheck({ WrongSquare().apply($0[0]) }, [Tensor([1.0, 2, 3], requiresGrad: true)])
} catch {
    print(error)
}
// %% [markdown]
// ## Derivatives of derivatives
//
// With `createGraph: true` the backward pass is itself recorded, so it can be played backwards again. A gradient of a
// sum of many independent values gives all their derivatives at once: here a whole curve, its slope and its curvature.
// %% A curve, its slope and its bend
let t = Tensor.linspace(-3, 3, steps: 200, dtype: .float64).requiresGrad()
let curve = (t * t * -0.5).exp() * (t * 3).cos()
let slope = grad(of: curve.sum(), [t], createGraph: true)[0]
let bend = grad(of: slope.sum(), [t])[0]
let curveFigure = plot.Figure(width: 640, height: 320)
curveFigure[0, 0].title = "A wave packet, differentiated twice by the tape"
curveFigure[0, 0].line(t.detach(), curve.detach(), label: "y")
curveFigure[0, 0].line(t.detach(), slope.detach(), label: "dy/dt")
curveFigure[0, 0].line(t.detach(), bend, label: "d²y/dt²", style: .dashed)
curveFigure.show()
// %% [markdown]
// ## A line through points
//
// Now the four lines that train every network: compute the loss, clear the old gradients, play the tape backwards, take
// a small step against the gradient. `noGrad` keeps the step itself off the tape. The points lie around $y = 3x + 2$.
// %% Linear regression
let inputs = Tensor.rand([100, 1]) * 4 - 2
let targets = inputs * 3 + 2 + Tensor.randn([100, 1]) * 0.7
let weight = Tensor.zeros([1, 1]).requiresGrad()
let bias = Tensor.zeros([1]).requiresGrad()
var losses: [Double] = []
for _ in 0..<(options.isQuick ? 20 : 60) {
    let loss = (inputs.matmul(weight) + bias - targets).pow(2).mean()
    weight.grad = nil
    bias.grad = nil
    loss.backward()
    noGrad {
        weight.sub_(weight.grad! * 0.1)
        bias.sub_(bias.grad! * 0.1)
    }
    losses.append(loss.item())
}
print(
    String(
        format: "found y = %.2f x + %.2f; loss from %.2f to %.2f", weight.item(), bias.item(), losses[0], losses.last!))
let fitFigure = plot.Figure(rows: 1, columns: 2, width: 760, height: 320)
fitFigure[0, 0].title = "The points and the line found"
fitFigure[0, 0].scatter(inputs, targets, label: "points", size: 0.7)
fitFigure[0, 0].line([-2.0, 2], [-2.0, 2].map { $0 * weight.item() + bias.item() }, label: "line")
fitFigure[0, 1].title = "The loss on the way"
fitFigure[0, 1].xLabel = "step"
fitFigure[0, 1].yScale = .log
fitFigure[0, 1].line(losses)
fitFigure.show()
// %% [markdown]
// The loss does not go to zero. The noise has variance 0.49 ($0.7^2$; these hundred draws a little more), and no line
// can fit noise. A loss that stops falling is not always a mistake.
//
// ## To take along
//
// - The tape is made anew in each step, so loops and conditions of Swift are just recorded as they happen.
// - Gradients **add up** at leaves: clear them before `backward`.
// - The tape goes when the loss goes; nothing has to be freed by hand.
// - A gradient that you wrote yourself deserves a `gradcheck`.
//
// Next: a convolutional network, in [01-pytorch-mnist-cnn](../01-pytorch-mnist-cnn/main.swift).

// Lesson 3: a convolutional network by hand, its gradients too, laid beside the tape's.
//     swift run notebook Notebooks-as-scripts/03-numpy-simple-convnet/main.swift --html lesson.html
// %% [markdown]
// # A network without autograd
//
// Before there were tapes, people wrote each layer twice: what it computes, and what its gradient is. It is worth doing
// once. This lesson builds a small network so, *convolution – ReLU – pooling – affine – ReLU – affine – softmax*, from
// tensor arithmetic alone; then it asks the engine for the same gradients, and times both.
//
// It also repeats a mistake on purpose. A well-known tutorial updates only four of the six parameter arrays, so that the
// last layer stays as random as it was made, and still reports a good accuracy. How can that be?
// %% Imports
import ExampleSupport
import Foundation
import Tapestry
import nn
import plot
import vision

let options = lessonOptions("03-numpy-simple-convnet")
let training = try vision.datasets.MNIST(root: options.data, train: true)
let test = try vision.datasets.MNIST(root: options.data, train: false)
// 5,000 images are enough here, and 1,000 to test with; `--data` takes all.
let isFull = options.data != nil
let (trainImages, trainLabels) = training.batch(Array(0..<(isFull ? training.count : 5000)))
let (testImages, testLabels) = test.batch(Array(0..<(isFull ? test.count : 1000)))
print("training", trainImages.shape, "test", testImages.shape)
// %% [markdown]
// ## Convolution as a matrix product
//
// A convolution takes, at each place of the image, the dot product of a window with a pattern. Many dot products are a
// matrix product, and matrix products are what computers are best at. So lay the windows out: **im2col** makes a matrix
// with a row for every window and a column for every pixel in it. Rows times patterns, and the convolution is done.
//
// The trick in writing it: do not walk over the windows (there are thousands), walk over the pixels *within* a window
// (there are 25). For each, one slice takes that pixel from all windows at once. The way back, **col2im**, puts each
// number where it came from; where windows overlap they add up.
// %% im2col and col2im
/// [N, C, H, W] → [N · outH · outW, C · k · k]
func im2col(_ x: Tensor, kernel k: Int) -> Tensor {
    let (n, c, outH, outW) = (x.shape[0], x.shape[1], x.shape[2] - k + 1, x.shape[3] - k + 1)
    let columns = Tensor.zeros([n, c, k, k, outH, outW])
    for row in 0..<k {
        for column in 0..<k {
            let pixel = x.narrow(dim: 2, start: row, length: outH).narrow(dim: 3, start: column, length: outW)
            columns.select(dim: 2, index: row).select(dim: 2, index: column).copy_(pixel)
        }
    }
    return columns.permute(0, 4, 5, 1, 2, 3).reshape(n * outH * outW, c * k * k)
}

/// The way back: each pixel gets the sum over the windows that hold it.
func col2im(_ columns: Tensor, _ shape: [Int], kernel k: Int) -> Tensor {
    let (outH, outW) = (shape[2] - k + 1, shape[3] - k + 1)
    let windows = columns.reshape(shape[0], outH, outW, shape[1], k, k).permute(0, 3, 4, 5, 1, 2)
    let image = Tensor.zeros(shape)
    for row in 0..<k {
        for column in 0..<k {
            let pixel = windows.select(dim: 2, index: row).select(dim: 2, index: column)
            image.narrow(dim: 2, start: row, length: outH).narrow(dim: 3, start: column, length: outW).add_(pixel)
        }
    }
    return image
}

let small = Tensor.arange(16).to(.float32).reshape(1, 1, 4, 4)
print("a 4 × 4 image:", small.reshape(4, 4))
print("its four 3 × 3 windows as rows:", im2col(small, kernel: 3))
let ones = im2col(Tensor.ones([1, 1, 4, 4]), kernel: 3)
print("how many windows hold each pixel:", col2im(ones, [1, 1, 4, 4], kernel: 3).reshape(4, 4))
// %% [markdown]
// ## The layers
//
// Each layer keeps what its gradient needs, and each `backward` takes the gradient of its output and returns that of its
// input:
//
// | layer | forward | backward |
// |---|---|---|
// | affine | $y = xW + b$ | $dx = dy W^T$, $dW = x^T dy$, $db$ = sum of $dy$ over the batch |
// | ReLU | $max(x, 0)$ | $dy$ where $x > 0$, else 0 |
// | max pooling | the largest of each window | $dy$ to where the largest stood |
// | softmax and loss | $−log p_t$, mean over the batch | ($p$ − one-hot of $t$) / $N$ |
//
// The last row is the reward for putting softmax and cross-entropy together: two ugly derivatives become a difference.
// %% Layers by hand
class Layer {
    var weights: [Tensor] { [] }
    var gradients: [Tensor] { [] }
    func forward(_ x: Tensor) -> Tensor { x }
    func backward(_ dy: Tensor) -> Tensor { dy }
}

final class Affine: Layer {
    let w, b: Tensor
    var dw = Tensor.zeros([0]), db = Tensor.zeros([0]), x = Tensor.zeros([0])
    var inputShape: [Int] = []
    init(_ inputs: Int, _ outputs: Int, spread: Double?) {
        w = Tensor.randn([inputs, outputs]) * (spread ?? (2 / Double(inputs)).squareRoot())
        b = .zeros([outputs])
    }
    override var weights: [Tensor] { [w, b] }
    override var gradients: [Tensor] { [dw, db] }
    override func forward(_ input: Tensor) -> Tensor {
        inputShape = input.shape
        x = input.flatten(startDim: 1)
        return x.matmul(w) + b
    }
    override func backward(_ dy: Tensor) -> Tensor {
        dw = x.T.matmul(dy)
        db = dy.sum(dim: 0)
        return dy.matmul(w.T).reshape(inputShape)
    }
}

final class Convolution: Layer {
    let w, b: Tensor
    var dw = Tensor.zeros([0]), db = Tensor.zeros([0]), columns = Tensor.zeros([0])
    var inputShape: [Int] = []
    init(_ inputs: Int, _ outputs: Int, kernel: Int, spread: Double?) {
        let perWindow = Double(inputs * kernel * kernel)
        w = Tensor.randn([outputs, inputs, kernel, kernel]) * (spread ?? (2 / perWindow).squareRoot())
        b = .zeros([outputs])
    }
    override var weights: [Tensor] { [w, b] }
    override var gradients: [Tensor] { [dw, db] }
    override func forward(_ x: Tensor) -> Tensor {
        let (filters, kernel) = (w.shape[0], w.shape[2])
        inputShape = x.shape
        columns = im2col(x, kernel: kernel)
        let y = columns.matmul(w.reshape(filters, -1).T) + b
        return y.reshape(x.shape[0], x.shape[2] - kernel + 1, x.shape[3] - kernel + 1, filters).permute(0, 3, 1, 2)
    }
    override func backward(_ dy: Tensor) -> Tensor {
        let (filters, kernel) = (w.shape[0], w.shape[2])
        let rows = dy.permute(0, 2, 3, 1).reshape(-1, filters)
        db = rows.sum(dim: 0)
        dw = rows.T.matmul(columns).reshape(w.shape)
        return col2im(rows.matmul(w.reshape(filters, -1)), inputShape, kernel: kernel)
    }
}

final class ReLU: Layer {
    var mask = Tensor.zeros([0])
    override func forward(_ x: Tensor) -> Tensor {
        mask = x.gt(0).to(.float32)
        return x * mask
    }
    override func backward(_ dy: Tensor) -> Tensor { dy * mask }
}

/// The largest of each 2 × 2 pixels.
final class Pooling: Layer {
    var largest = Tensor.zeros([0])
    override func forward(_ x: Tensor) -> Tensor {
        let (n, c, h, w) = (x.shape[0], x.shape[1], x.shape[2] / 2, x.shape[3] / 2)
        let windows = x.reshape(n, c, h, 2, w, 2).permute(0, 1, 2, 4, 3, 5).reshape(n, c, h, w, 4)
        largest = windows.argmax(dim: 4)
        return windows.amax(dims: [4])
    }
    override func backward(_ dy: Tensor) -> Tensor {
        let (n, c, h, w) = (dy.shape[0], dy.shape[1], dy.shape[2], dy.shape[3])
        let windows = largest.oneHot(4).to(.float32) * dy.unsqueeze(4)
        return windows.reshape(n, c, h, w, 2, 2).permute(0, 1, 2, 4, 3, 5).reshape(n, c, 2 * h, 2 * w)
    }
}

final class SimpleConvNet {
    let layers: [Layer]
    /// The same seed gives the same network. `spread` is the standard deviation of the first weights; nil for one that
    /// suits each layer (He et al., 2015).
    init(seed: UInt64, spread: Double? = 0.01) {
        manualSeed(seed)
        let convolution = Convolution(1, 30, kernel: 5, spread: spread)  // [N, 1, 28, 28] → [N, 30, 24, 24]
        let hidden = Affine(30 * 12 * 12, 100, spread: spread)  // after pooling to 12 × 12
        layers = [convolution, ReLU(), Pooling(), hidden, ReLU(), Affine(100, 10, spread: spread)]
    }

    var weights: [Tensor] { layers.flatMap(\.weights) }
    func predict(_ x: Tensor) -> Tensor { layers.reduce(x) { $1.forward($0) } }

    /// The loss; afterwards each layer holds its gradients.
    func lossAndGradients(_ x: Tensor, _ labels: Tensor) -> Double {
        let logProbabilities = predict(x).logSoftmax(dim: 1)
        let target = labels.oneHot(10).to(.float32)
        let start = (logProbabilities.exp() - target) / Double(x.shape[0])
        _ = layers.reversed().reduce(start) { $1.backward($0) }
        return -(logProbabilities * target).sum().item() / Double(x.shape[0])
    }
}

let byHand = SimpleConvNet(seed: 0)
print(byHand.weights.reduce(0) { $0 + $1.count }, "parameters")
// %% [markdown]
// ## Is it right?
//
// The same network in the engine, with the same weights: forward only, the tape finds the gradients.
// %% Our gradients beside the tape's
let (images, labels) = (trainImages[0..<100], trainLabels[0..<100])
let loss = byHand.lossAndGradients(images, labels)
let leaves = byHand.weights.map { $0.clone().requiresGrad() }

func engineForward(_ x: Tensor, _ p: [Tensor]) -> Tensor {
    let features = F.maxPool2d(F.relu(F.conv2d(x, p[0], bias: p[1])), kernelSize: 2).flatten(startDim: 1)
    return F.relu(features.matmul(p[2]) + p[3]).matmul(p[4]) + p[5]
}
let tapeLoss = F.crossEntropy(engineForward(images, leaves), labels)
tapeLoss.backward()
print(String(format: "loss by hand %.6f, by the tape %.6f", loss, tapeLoss.item()))
let names = ["W1", "b1", "W2", "b2", "W3", "b3"]
for (name, (ours, leaf)) in zip(names, zip(byHand.layers.flatMap(\.gradients), leaves)) {
    let (size, difference) = (leaf.grad!.abs().max().item(), (ours - leaf.grad!).abs().max().item())
    print("d\(name)", String(format: "largest %.2e, largest difference %.1e", size, difference))
}
// %% [markdown]
// All six agree to the rounding of float32 (which differs because sums are added up in another order).
//
// ## Is it fast?
//
// im2col is simple, but it copies: with a 5 × 5 kernel nearly every pixel appears 25 times, so the matrix is 25 times as
// large as the image, and most of the time goes into writing and reading it. The engine convolves **directly**: its
// inner loop reads the image in place and keeps the sums in registers. The same numbers, and no matrix.
// %% Speed
func milliseconds(_ body: () -> Void) -> Double {
    body()  // memory is warm from here on
    let clock = ContinuousClock()
    return (0..<(options.isQuick ? 1 : 7)).map { _ in clock.measure(body) / .milliseconds(1) }.min()!
}
func viaColumns(_ x: Tensor, _ w: Tensor) -> Tensor {
    let (filters, outH, outW) = (w.shape[0], x.shape[2] - w.shape[2] + 1, x.shape[3] - w.shape[3] + 1)
    let y = im2col(x, kernel: w.shape[2]).matmul(w.reshape(filters, -1).T)
    return y.reshape(x.shape[0], outH, outW, filters).permute(0, 3, 1, 2)
}
var (cases, handTimes, engineTimes): ([String], [Double], [Double]) = ([], [], [])
for (name, x, w) in [
    ("1 → 30, batch 100", images, byHand.weights[0]),
    ("16 → 32, batch 50", Tensor.randn([50, 16, 14, 14]), Tensor.randn([32, 16, 5, 5])),
] {
    let difference = (viaColumns(x, w) - F.conv2d(x, w)).abs().max().item()
    cases.append(name)
    handTimes.append(milliseconds { _ = viaColumns(x, w) })
    engineTimes.append(milliseconds { _ = F.conv2d(x, w) })
    let times = String(
        format: "im2col %.2f ms, direct %.2f ms, %.1f times as fast; largest difference %.1e", handTimes.last!,
        engineTimes.last!, handTimes.last! / engineTimes.last!, difference)
    print("\(name): \(times)")
}
let speed = plot.Figure(width: 640, height: 300)
speed[0, 0].title = "Milliseconds for one 5 × 5 convolution, forward"
speed[0, 0].bar(cases, handTimes, label: "im2col and matrix product").bar(cases, engineTimes, label: "direct")
speed.show()
// %% [markdown]
// ## Twenty steps by hand
//
// Plain gradient descent, learning rate 0.1, 100 images drawn at random (with replacement) for each step. The network by
// hand and the tape's see the same batches. If a gradient were wrong, they would part within a few steps.
// %% The same steps twice
func randomBatch() -> (Tensor, Tensor) {
    let rows = Tensor.randint(0, trainLabels.count, [100])
    return (trainImages.indexSelect(dim: 0, index: rows), trainLabels.indexSelect(dim: 0, index: rows))
}
/// One step of the tape's network that updates the first `learning` arrays; the loss before it.
func step(_ parameters: [Tensor], _ x: Tensor, _ t: Tensor, learning: Int) -> Double {
    for parameter in parameters { parameter.grad = nil }
    let loss = F.crossEntropy(engineForward(x, parameters), t)
    loss.backward()
    noGrad { for parameter in parameters.prefix(learning) { parameter.sub_(parameter.grad! * 0.1) } }
    return loss.item()
}

manualSeed(1)
var apart = 0.0
let clock = ContinuousClock()
var (handTime, tapeTime) = (Duration.zero, Duration.zero)
for _ in 0..<20 {
    let (x, t) = randomBatch()
    var (handLoss, tapeLoss) = (0.0, 0.0)
    handTime += clock.measure {
        handLoss = byHand.lossAndGradients(x, t)
        for layer in byHand.layers {
            for (weight, gradient) in zip(layer.weights, layer.gradients) { weight.sub_(gradient * 0.1) }
        }
    }
    tapeTime += clock.measure { tapeLoss = step(leaves, x, t, learning: 6) }
    apart = max(apart, abs(handLoss - tapeLoss))
}
print(String(format: "over 20 steps the losses differ by %.1e at most", apart))
let perStep = (handTime / .milliseconds(20), tapeTime / .milliseconds(20))
print(String(format: "a step by hand %.1f ms, by the tape %.1f ms", perStep.0, perStep.1))
// %% [markdown]
// They stay together, so from here on the tape does the work.
//
// ## Training, with and without the last layer
//
// Two networks begin with the same weights and see the same batches: one updates all six arrays, the other leaves out W3
// and b3, as the tutorial does. A third one updates all, and begins with larger weights: with 0.01 the signal shrinks
// from layer to layer, and the first hundred steps are spent on making it heard. $√(2 / n)$ for $n$ inputs keeps its size.
// %% Train three
let repaired = SimpleConvNet(seed: 0, spread: nil).weights.map { $0.requiresGrad() }
let faint = SimpleConvNet(seed: 0).weights.map { $0.requiresGrad() }
let faulty = SimpleConvNet(seed: 0).weights.map { $0.requiresGrad() }
let lastBefore = faulty[4].detach().clone()
let iterations = options.isQuick ? 20 : 1000
var (repairedLosses, faintLosses, faultyLosses): ([Double], [Double], [Double]) = ([], [], [])
var (testedAt, onTraining): ([Int], [Double]) = ([], [])
var onTest: [[Double]] = []

func accuracy(_ parameters: [Tensor], _ x: Tensor, _ labels: Tensor) -> Double {
    // A thousand at a time: of all at once the first layer alone would make gigabytes.
    let correct = noGrad {
        zip(x.split(1000), labels.split(1000)).reduce(0) {
            $0 + engineForward($1.0, parameters).argmax(dim: 1).eq($1.1).sum().item(Int.self)
        }
    }
    return Double(correct) / Double(labels.count)
}
/// The accuracies of all three networks on the first `count` test images.
func tested(_ count: Int) -> [Double] {
    [repaired, faint, faulty].map { accuracy($0, testImages[0..<count], testLabels[0..<count]) }
}
manualSeed(1)
for iteration in 0...iterations {
    if iteration % 50 == 0 || iteration == iterations {
        testedAt.append(iteration)
        onTraining.append(accuracy(repaired, trainImages[0..<5000], trainLabels[0..<5000]))
        onTest.append(tested(1000))
    }
    if iteration == iterations { break }
    let (x, t) = randomBatch()
    repairedLosses.append(step(repaired, x, t, learning: 6))
    faintLosses.append(step(faint, x, t, learning: 6))
    faultyLosses.append(step(faulty, x, t, learning: 4))
    if (iteration + 1) % 200 == 0 {
        let figures = (repairedLosses.last!, faintLosses.last!, faultyLosses.last!)
        let text = "loss %.4f, from small weights %.4f, these with a frozen last layer %.4f"
        print("step", iteration + 1, String(format: text, figures.0, figures.1, figures.2))
    }
}
let reached = tested(testLabels.count).map { String(format: "%.2f %%", $0 * 100) }
print("test accuracy: all learn", reached[0])
print("               all learn, from small weights", reached[1])
print("               small weights, last layer frozen", reached[2])
print("the frozen layer has changed by", (faulty[4].detach() - lastBefore).abs().max().item())
// %% The three beside each other
let course = plot.Figure(rows: 1, columns: 2, width: 840, height: 330)
course[0, 0].title = "Loss of each batch"
course[0, 0].xLabel = "step"
course[0, 0].yLimits = 0...3  // the very first losses of larger weights are larger still
course[0, 0].line(repairedLosses, label: "all learn").line(faintLosses, label: "from small weights")
course[0, 0].line(faultyLosses, label: "these, last layer frozen")
course[0, 1].title = "Accuracy on test images"
course[0, 1].xLabel = "step"
course[0, 1].yLimits = 0...1
course[0, 1].legend = .bottomRight
for (network, name) in ["all learn", "from small weights", "these, last layer frozen"].enumerated() {
    course[0, 1].line(testedAt, onTest.map { $0[network] }, label: name)
}
course[0, 1].line(testedAt, onTraining, label: "all learn, on training images", style: .dashed)
course.show()
// %% [markdown]
// The faulty network learns all the same! Ten random directions in a space of 100 dimensions are nearly at right angles,
// so they make ten usable targets, and the layers below learn to aim at them. That is why nobody noticed. But its loss
// begins to fall later than that of the network with the same first weights, and stays above it, because the small
// weights of its last layer cannot grow. (At this rate a single unlucky batch still costs either network a few per cent;
// the curves of the accuracy show such dips.)
//
// A good accuracy does not prove that a program does what it says. One cheap test would have found it: compare every
// array before and after a step, as the last printed line does.
//
// ## Save, load, and the same answer
//
// What is saved must give the same accuracy when it is read into a network that knows nothing: not a similar one, the
// same.
// %% Save and load
let file = NSTemporaryDirectory() + "/simple-convnet-\(ProcessInfo.processInfo.processIdentifier).safetensors"
try saveSafetensors(Dictionary(uniqueKeysWithValues: zip(names, repaired)), to: file)
let untrained = SimpleConvNet(seed: 99).weights
let stored = try loadSafetensors(from: file)
try FileManager.default.removeItem(atPath: file)
let reloaded = names.map { stored[$0]! }
let accuracies = [untrained, reloaded, repaired].map { accuracy($0, testImages, testLabels) }
let shown = accuracies.map { String(format: "%.2f %%", $0 * 100) }
print("a new network \(shown[0]), with the loaded weights \(shown[1]), the one that was saved \(shown[2])")
precondition(accuracies[1] == accuracies[2], "the weights changed on their way through the file")
// %% [markdown]
// ## To take along
//
// - A layer is a function and its gradient; a network's gradient is those of its layers in reverse. The tape does
//   exactly that, and forgets no layer.
// - im2col turns a convolution into a matrix product at the price of memory; a direct convolution pays nothing.
// - Check gradients against something independent, and check that *everything* moves.

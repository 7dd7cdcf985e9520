// Lesson 1: a convolutional network that reads digits, trained with Adam.
//     swift run notebook Notebooks-as-scripts/01-pytorch-mnist-cnn/main.swift --html lesson.html
// %% [markdown]
// # A network that reads digits
//
// Two convolutions and one linear layer, 28,938 numbers in all, learn to read handwriting better than 97 times in 100,
// in well under a minute and from 10,000 examples. This is the classic first network, written as one would write it in
// PyTorch; a reader who knows that will find every name where it is expected.
//
// What there is to see: the data, what a convolution does to the size of an image, the training loop and its three
// lines, where the network is wrong, and what its first layer has learned to look for.
// %% Imports
import ExampleSupport
import Foundation
import Tapestry
import data
import nn
import optim
import plot
import vision

let options = lessonOptions("01-pytorch-mnist-cnn", epochs: (shipped: 6, all: 2))
manualSeed(0)
// %% [markdown]
// ## The data
//
// MNIST is 70,000 digits, each 28 × 28 grey pixels, written by clerks and by students. The package ships the first
// 10,000 training and 2,000 test images, so that this lesson needs no network; `--data DIR` takes all of them.
//
// A dataset stores bytes from 0 to 255. A network wants small floating-point numbers in an array
// [images, channels, height, width], so a batch is divided by 255 and has one channel.
//
// **A fault met in lessons.** They make the training set without `ToTensor`. In PyTorch it then hands out pictures, which
// its loader cannot stack: an error at the first batch. Here a dataset always gives tensors.
// %% Load and look
let training = try vision.datasets.MNIST(root: options.data, train: true)
let test = try vision.datasets.MNIST(root: options.data, train: false)
print("\(training.count) training and \(test.count) test images")
let (firstImages, firstLabels) = training.batch(Array(0..<24))
print("a batch of 24:", firstImages.shape, firstImages.dtype, "labels", firstLabels.shape, firstLabels.dtype)

print("as it is stored:", training.data.shape, training.data.dtype)
print("some rows of the first digit:", training.data[0, 5..<12, 8..<22])

let gallery = plot.Figure(width: 720, height: 300)
gallery[0, 0].title = "The first training images and their labels"
gallery[0, 0].images(firstImages, columns: 8, captions: firstLabels.array(Int.self).map(String.init))
gallery.show()
// %% [markdown]
// ## A convolution, by hand
//
// A convolution slides a small window over the image and asks at each place: how much does this look like my pattern?
// The answer is a sum of products. An image with three channels takes patterns with three layers, and the products of all
// layers go into the *same* sum; the pattern's bias is added to it, once. Each pattern makes a channel of the result.
//
// **A fault met in lessons.** A second pattern's bias is said to be 0, and 1 is added: the bias of the first.
//
// Below two patterns of 3 × 3 walk over 5 × 5 pixels with stride 2, over a border of one zero. The first place is added
// up by hand.
// %% Two patterns on three channels
let colours = Tensor.arange(75).remainder(3).to(.float32).reshape(1, 3, 5, 5)
let pair = (Tensor.arange(54) * Tensor.arange(54)).remainder(5).to(.float32).reshape(2, 3, 3, 3) - 2
let biases = Tensor([1, 0] as [Float])
let answers = F.conv2d(colours, pair, bias: biases, stride: 2, padding: 1)
print("two patterns:", pair.shape, "on", colours.shape, "give", answers.shape)
let corner = colours.pad([1, 1, 1, 1])[0, .all, 0..<3, 0..<3]
for pattern in 0..<2 {
    let channels = (corner * pair[pattern]).sum(dims: [1, 2]).array(Int.self)
    let (bias, answer) = (biases[pattern].item(Int.self), answers[0, pattern, 0, 0].item(Int.self))
    precondition(channels.reduce(bias, +) == answer, "the sum and the layer disagree")
    print("pattern \(pattern): the channels' sums \(channels) and the bias \(bias) make \(answer)")
}
// %% [markdown]
// How large is the answer? With $A$ pixels, padding $P$, window $K$ and stride $S$ it has $(A + 2P − K) / S + 1$ pixels,
// rounded down: $(5 + 2 − 3) / 2 + 1 = 3$.
//
// ## The network
//
// Here the patterns are learned. `conv1` has 16 of 5 × 5 pixels, `conv2` has 32 that look at all 16 answers at once.
// Because the same pattern is used everywhere, a 5 that is written a little to the left is still found: that is why so
// few numbers suffice. Padding 2 keeps the size, $(28 + 4 − 5) / 1 + 1 = 28$. Max pooling then takes the largest of each
// 2 × 2 pixels: it halves the sides and forgets exactly where something was.
// %% The model
final class CNN: nn.Module {
    let conv1 = nn.Sequential(
        nn.Conv2d(1, 16, kernelSize: 5, stride: 1, padding: 2),  // [N, 1, 28, 28] → [N, 16, 28, 28]
        nn.ReLU(),
        nn.MaxPool2d(2)  // → [N, 16, 14, 14]
    )
    let conv2 = nn.Sequential(
        nn.Conv2d(16, 32, kernelSize: 5, stride: 1, padding: 2),  // → [N, 32, 14, 14]
        nn.ReLU(),
        nn.MaxPool2d(2)  // → [N, 32, 7, 7]
    )
    let out = nn.Linear(32 * 7 * 7, 10)

    override func forward(_ x: Tensor) -> Tensor { out(conv2(conv1(x)).flatten(startDim: 1)) }
}

let model = CNN()
print(model)
print(summary(model, [1, 1, 28, 28]))
// %% [markdown]
// Nearly all the work is in `conv2`, and more than half of the parameters are in the last layer: convolutions cost time,
// linear layers cost memory.
//
// ## The loss, before anything is learned
//
// The network gives ten scores (logits). Cross-entropy turns them into probabilities and takes $−log p$ of the right
// one. A network that knows nothing gives each digit 1/10, so the loss should begin near $log 10 ≈ 2.303$. It is worth
// looking: a first loss far from that means that something is wrong with the data or the initial weights.
// %% The first loss
let firstLoss = noGrad { F.crossEntropy(model(firstImages), firstLabels) }
print(String(format: "first loss %.4f, log 10 = %.4f", firstLoss.item(), log(10.0)))
// %% [markdown]
// ## Training
//
// For each batch of 50 images: forward, then the three lines that every training loop has. `zeroGrad` forgets the last
// step's gradients, `backward` plays the tape backwards, `step` lets Adam move the weights: it divides each gradient by
// a running measure of its size, so that rarely used weights move as boldly as busy ones.
//
// Every 50 steps the network is tested on images that it never learns from (at most 3,000: the whole set comes at the
// end). Testing is wrapped in `noGrad`: nothing needs to be recorded, which saves memory and time.
// %% Train with Adam
func accuracy(_ model: nn.Module, _ dataset: some Dataset) -> Double {
    model.eval()
    defer { model.train() }
    let correct = noGrad {
        data.DataLoader(dataset, batchSize: 500).reduce(0) { sum, batch in
            sum + model(batch.0).argmax(dim: 1).eq(batch.1).sum().item(Int.self)
        }
    }
    return Double(correct) / Double(dataset.count)
}

let optimizer = optim.Adam(model.parameters(), lr: 1e-3)
// A copy of the patterns as they were drawn at random, to see later what became of them.
let patternsBefore = model.getParameter("conv1.0.weight")!.detach().clone()
let loader = data.DataLoader(training, batchSize: 50, shuffle: true)
let probe = data.Subset(test, indices: Array(0..<min(3000, test.count)))
var (losses, tested, testedAt): ([Double], [Double], [Int]) = ([], [], [])
training: for epoch in 0..<options.epochs {
    for (step, (images, labels)) in loader.enumerated() {
        let loss = F.crossEntropy(model(images), labels)
        optimizer.zeroGrad()
        loss.backward()
        optimizer.step()

        losses.append(loss.item())
        if step % 50 == 0 {
            testedAt.append(losses.count)
            tested.append(accuracy(model, probe))
            let figures = String(format: "loss %.4f, test accuracy %.2f %%", losses.last!, tested.last! * 100)
            print("epoch \(epoch), step \(step): \(figures)")
        }
        if options.isQuick, step == 50 { break training }
    }
}
let reached = accuracy(model, test)
print(String(format: "after training: %.2f %% of the test images are read correctly", reached * 100))
// %% [markdown]
// The loss of single batches jumps: 50 images are a small sample. What counts is the trend (here a running mean), and
// the accuracy on the test images, which rises steeply at first and then slowly: the easy digits are learned at once.
// %% How it went
let smooth = losses.indices.map { index in
    let window = losses[max(0, index - 24)...index]
    return window.reduce(0, +) / Double(window.count)
}
let curves = plot.Figure(rows: 1, columns: 2, width: 820, height: 320)
curves[0, 0].title = "Loss"
curves[0, 0].xLabel = "step"
curves[0, 0].yScale = .log
curves[0, 0].line(losses, label: "each batch", color: .grey(0.75)).line(smooth, label: "mean of 25")
curves[0, 1].title = "Accuracy on test images"
curves[0, 1].xLabel = "step"
curves[0, 1].line(testedAt, tested, points: true).horizontalLine(at: 0.965, label: "96.5 %")
curves.show()
// %% [markdown]
// ## Ten predictions
//
// The predicted digit is the place of the largest score. There is no need for softmax here: it would not change which
// one is the largest.
// %% Predictions beside the truth
let (images, labels) = test.batch(Array(0..<10))
let predictions = noGrad { model(images).argmax(dim: 1) }.array(Int.self)
print("predicted", predictions)
print("real     ", labels.array(Int.self))
// %% [markdown]
// ## Where it is wrong
//
// One number hides much. The confusion matrix shows which digit (row) was taken for which (column); its diagonal, the
// correct ones, is left out so that the mistakes can be seen. Then the digits themselves, those first about whose wrong
// answer the network was surest. Of some one may ask whether it was the network that was wrong.
// %% Mistakes
func probabilities(_ model: nn.Module, _ dataset: some Dataset) -> Tensor {
    noGrad { Tensor.cat(data.DataLoader(dataset, batchSize: 500).map { model($0.0).softmax(dim: 1) }) }
}

let allProbabilities = probabilities(model, test)
let predicted = allProbabilities.argmax(dim: 1).array(Int.self)
let confidence = allProbabilities.amax(dims: [1]).array(Double.self)
let real = test.targets.array(Int.self)
var mistakes = [[Int]](repeating: [Int](repeating: 0, count: 10), count: 10)
for (digit, guess) in zip(real, predicted) where digit != guess { mistakes[digit][guess] += 1 }
let wrong = real.indices.filter { real[$0] != predicted[$0] }.sorted { confidence[$0] > confidence[$1] }

let errors = plot.Figure(width: 520, height: 440)
errors[0, 0].title = "Mistakes"
errors[0, 0].xLabel = "taken for"
errors[0, 0].yLabel = "digit"
errors[0, 0].heatMap(mistakes, colors: .blues)
errors.show()
if !wrong.isEmpty {
    let shown = Array(wrong.prefix(18))
    let wrongDigits = plot.Figure(width: 720, height: 380)
    wrongDigits[0, 0].title = "The surest of its \(wrong.count) mistakes: real → taken for"
    wrongDigits[0, 0].images(
        test.batch(shown).inputs, columns: 6, captions: shown.map { "\(real[$0]) → \(predicted[$0])" })
    wrongDigits.show()
}
// %% [markdown]
// ## What the first layer looks for
//
// The 16 patterns of `conv1`, before and after training: red where a pixel counts for the pattern, blue where it counts
// against it. At first noise; later smoother, with a red and a blue side: edges in various directions. Below them, what
// each makes of one digit: where a pattern fits, it is bright.
// %% Filters and what they see
/// Red for positive weights, blue for negative ones, as strong as they are large, in a white frame: [N, 3, 7, 7].
func coloured(_ patterns: Tensor) -> Tensor {
    let shares = (patterns / patterns.abs().amax(dims: [1, 2, 3], keepdim: true)).pad([1, 1, 1, 1])
    let (positive, negative) = (shares.clamp(min: 0), shares.clamp(max: 0).abs())
    return 1 - Tensor.cat([negative, positive + negative, positive], dim: 1)
}
/// Each image from its own darkest to its own brightest pixel.
func scaled(_ images: Tensor) -> Tensor {
    let flat = images.flatten(startDim: 1)
    let (low, high) = (flat.amin(dims: [1]).reshape(-1, 1, 1, 1), flat.amax(dims: [1]).reshape(-1, 1, 1, 1))
    return (images - low) / (high - low + 1e-9)
}
let patterns = model.getParameter("conv1.0.weight")!.detach()
let seen = noGrad { model.conv1[0](images[0..<1]).relu() }.transpose(0, 1)
let filters = plot.Figure(rows: 2, columns: 2, width: 820, height: 520)
filters[0, 0].title = "Patterns before training"
filters[0, 0].images(coloured(patternsBefore), columns: 4)
filters[0, 1].title = "Patterns after training"
filters[0, 1].images(coloured(patterns), columns: 4)
filters[1, 0].title = "A digit"
filters[1, 0].image(images[0])
filters[1, 1].title = "Where each pattern fits"
filters[1, 1].images(scaled(seen), columns: 4)
filters.show()
// %% [markdown]
// ## To try
//
// - `--data DIR` takes all 60,000 images, twice: about 99 %. `--epochs 5` takes them more often.
// - Replace `optim.Adam` by `optim.SGD(model.parameters(), lr: 1e-3)` and watch the first hundred steps: that is
//   lesson [05](../05-mnist-cnn-sgd-momentum/main.swift).
// - Take `conv2` away. How much is lost, and how much faster is it?

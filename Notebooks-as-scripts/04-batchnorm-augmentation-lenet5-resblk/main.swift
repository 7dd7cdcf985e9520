// Lesson 4: upsampling, batch normalisation step by step, augmentation, LeNet-5 on colour pictures, residual blocks.
//     swift run notebook Notebooks-as-scripts/04-batchnorm-augmentation-lenet5-resblk/main.swift --html lesson.html
// %% [markdown]
// # The parts of modern networks
//
// Between the first convolutional networks and those of today lie a handful of inventions: batch normalisation,
// augmentation, small filters, parallel branches, shortcuts. This lesson takes them one by one, each small enough to be
// computed by hand beside the library, and measures what each is good for.
//
// On the way it repairs mistakes that are often seen in lessons on these topics. They are marked **A fault met in
// lessons**; where the faulty version teaches something, both versions run.
// %% Imports
import ExampleSupport
import Foundation
import Tapestry
import data
import nn
import optim
import plot
import vision

let options = lessonOptions("04-batchnorm-augmentation-lenet5-resblk", epochs: (shipped: 8, all: 8))
manualSeed(4)
// %% [markdown]
// ## Upsampling
//
// Pooling makes pictures smaller; some networks (those that paint, or that label each pixel) must make them larger
// again. The simplest way repeats each pixel. It has no weights, works on each channel by itself, and here doubles 14
// to 28.
// %% Twice as large
let small = Tensor.rand([1, 16, 14, 14])
let doubled = F.interpolate(small, scaleFactor: [2], mode: .nearest)
print(small.shape, "→", doubled.shape)
precondition(F.maxPool2d(doubled, kernelSize: 2).isClose(to: small), "pooling does not undo the repetition")
print("pooling by 2 gives exactly the small one back")
// %% [markdown]
// The other way round it is not so: what pooling threw away is gone. The photograph below is pooled to 24 × 24 and made
// large again in three ways. *Nearest* repeats, *bilinear* draws straight lines from pixel to pixel, *bicubic* draws
// curves. None of them knows what the flower looked like.
// %% Down and up again
let photographs = try vision.datasets.sampleImages().to(.float32) / 255
let flower = photographs[1..<2, .all, 90..<282, 180..<372]
let shrunk = F.avgPool2d(flower, kernelSize: 8)
let enlarged = [F.InterpolationMode.nearest, .bilinear, .bicubic].map {
    F.interpolate(shrunk, scaleFactor: [8], mode: $0)
}
let upsamplingFigure = plot.Figure(width: 760, height: 212)
upsamplingFigure[0, 0].images(
    Tensor.cat([flower] + enlarged), columns: 4, captions: ["192 × 192", "24 × 24, nearest", "bilinear", "bicubic"])
upsamplingFigure.show()
// %% [markdown]
// Backwards, a pixel that was repeated four times collects the gradients of all four copies. That is the rule for
// everything that is used more than once: gradients add up.
// %% The gradient of a repetition
let repeated = Tensor.ones([1, 1, 2, 2], requiresGrad: true)
F.interpolate(repeated, scaleFactor: [2]).sum().backward()
print("each small pixel's gradient:", repeated.grad!.array(Int.self))
// %% [markdown]
// ## Batch normalisation, by hand
//
// The inputs of a layer are the outputs of the layer before, which is being trained too: their sizes drift. Too large
// ones push the next layer to where its gradient is flat, too small ones fade from layer to layer. Batch normalisation
// (Ioffe and Szegedy, 2015) brings each **channel** to mean 0 and variance 1, over all images and pixels of the batch:
//
// 1. the mean of a channel over `[N, H, W]`: one number a channel;
// 2. its variance, divided by the count $n$;
// 3. $(x - mean) / sqrt(variance + ε)$, with ε = 0.00001, lest a constant channel divides by zero;
// 4. times γ plus β, two trained numbers a channel, so that the network may have another mean if it wants one.
//
// The three channels here are made as different as can be.
// %% Four steps
let scales: Tensor = Tensor([1, 10, 0.1] as [Float]).reshape(1, 3, 1, 1)
let shifts: Tensor = Tensor([0, 5, -2] as [Float]).reshape(1, 3, 1, 1)
let x = Tensor.randn([16, 3, 8, 8]) * scales + shifts

let mean = x.mean(dims: [0, 2, 3], keepdim: true)
let variance = x.variance(dims: [0, 2, 3], correction: 0, keepdim: true)
let normalised = (x - mean) / (variance + 1e-5).sqrt()

let layer = nn.BatchNorm2d(3)
let output = layer(x)
print("mean before    ", mean.reshape([-1]))
print("variance before", variance.reshape([-1]))
precondition(output.isClose(to: normalised, rtol: 1e-4, atol: 1e-5), "the layer and the four steps disagree")
print("the layer gives what the four steps give (γ is 1 and β is 0 at first)")
let spread = plot.Figure(rows: 1, columns: 2, width: 760, height: 280)
for (column, (title, values)) in [("before", x), ("after", output.detach())].enumerated() {
    spread[0, column].title = title
    for channel in 0..<3 {
        spread[0, column].histogram(
            values[.all, channel].reshape([-1]), bins: 40, range: column == 0 ? -25...35 : -4...4, density: true,
            label: "channel \(channel)")
    }
    if column == 0 { spread[0, column].yLimits = 0...0.5 }
}
spread.show()
// %% [markdown]
// Before, one channel is as wide as the picture and one is a needle (its top is cut off). After, all three lie on one
// another.
//
// ## What the layer remembers
//
// In use there may be a single image, and its class must not depend on what else is in the batch. So the layer keeps
// **running** statistics: after each batch, 90 % of the old and 10 % of the new one (`momentum` 0.1).
//
// **A fault met in lessons.** `running_mean` is said to be the mean of the normalised data. That would be 0, always.
// It is the moving average of the means of the *inputs*. One more thing surprises: the batch is normalised with the
// variance divided by $n$, but remembered is the one divided by $n - 1$, which has no bias.
// %% Running statistics after one batch
print(layer)
for (name, parameter) in layer.namedParameters() { print("trained:   ", name, parameter.array(Float.self)) }
for (name, buffer) in layer.namedBuffers() { print("remembered:", name, buffer.array(Float.self)) }
let expectedMean = mean.reshape([-1]) * 0.1
let expectedVariance = x.variance(dims: [0, 2, 3], correction: 1) * 0.1 + 0.9
precondition(layer.runningMean!.isClose(to: expectedMean, atol: 1e-5), "the running mean is not 0.1 of the mean")
precondition(layer.runningVar!.isClose(to: expectedVariance, rtol: 1e-4), "the running variance is another")
print("0.9 · first guess + 0.1 · this batch, computed by hand, is the same")
// %% [markdown]
// One batch is not enough: the first guess (mean 0, variance 1) fades like $0.9^n$. A network evaluated after five
// steps uses statistics that are 59 % invention.
// %% How the memory fills
var followed: [Double] = [layer.runningMean![1].item()]
for _ in 0..<39 {
    _ = noGrad { layer(Tensor.randn([16, 3, 8, 8]) * scales + shifts) }
    followed.append(layer.runningMean![1].item())
}
let memoryFigure = plot.Figure(width: 620, height: 270)
memoryFigure[0, 0].title = "The running mean of a channel whose mean is 5"
memoryFigure[0, 0].xLabel = "batches seen"
memoryFigure[0, 0].yLimits = 0...6
memoryFigure[0, 0].line((1...40).map(Double.init), followed, label: "remembered", points: true)
memoryFigure[0, 0].line(
    (1...40).map(Double.init), (1...40).map { 5 * (1 - pow(0.9, Double($0))) }, label: "5 (1 − 0.9ⁿ)", style: .dashed)
memoryFigure.show()
// %% [markdown]
// ## Training and evaluation are two functions
//
// In training, an image is normalised with its companions, so its output depends on them. In evaluation it does not.
// Forgetting `eval()` before testing gives figures that change with the batch size; forgetting `train()` afterwards
// trains with frozen statistics. Neither says a word.
// %% One image in two companies
let image = x[0..<1]
let companies = [Tensor.cat([image, x[1..<8]]), Tensor.cat([image, x[8..<16] * 3])]
for mode in ["training", "evaluation"] {
    layer.train(mode == "training")
    let values = noGrad { companies.map { layer($0)[0, 1, 0, 0].item() } }
    print(String(format: "in %@: %.4f in one batch, %.4f in another", mode, values[0], values[1]))
}
layer.train()
// %% [markdown]
// ## Backwards through a mean
//
// The mean and the variance are themselves computed from the batch, and the gradient flows through them too. Two
// consequences, both visible below. Adding a constant to a channel changes nothing, since the mean takes it out again:
// the gradient of a **bias** of the convolution before is 0, such a bias is a wasted weight, and networks leave it out
// (`bias: false`). And doubling the convolution's weights changes nothing either, so that the size of the weights
// matters less, and larger learning rates are possible.
// %% A useless bias
let convolution = nn.Conv2d(3, 4, kernelSize: 3)
let norm = nn.BatchNorm2d(4)
let target = Tensor.randn([16, 4, 6, 6])
(norm(convolution(x)) - target).pow(2).mean().backward()
print("gradient of the weights, norm:", convolution.weight.grad!.norm().item())
print("gradient of the bias,    norm:", convolution.bias!.grad!.norm().item(), "– rounding, nothing else")
let outputs = noGrad { () -> [Tensor] in
    let once = norm(convolution(x))
    convolution.weight.mul_(2)
    return [once, norm(convolution(x))]
}
print("largest change of the output when all weights double:", (outputs[0] - outputs[1]).abs().max().item())
// %% [markdown]
// ## Augmentation
//
// More pictures make a better network, and a picture that is turned a little shows the same thing: a new example for
// free. Transforms are drawn anew each time a batch is made, so no epoch sees the same pictures twice. (Another way is to
// let a second network paint pictures, as the one of `swift run gan-mnist` does; but first that one needs pictures too.)
//
// **A fault met in lessons.** `RandomRotation([90, 180, 270])` is meant as "one of these three". PyTorch raises an
// error: a list is a *range* there, and a range has two ends. Here ranges are ranges, `RandomRotation(-15...15)`, and
// a choice is called one: `RandomRotation(choices: [90, 180, 270])`.
// %% Eight draws of each
let training = try vision.datasets.MNIST(root: options.data, train: true)
let test = try vision.datasets.MNIST(root: options.data, train: false)
let two = training.batch([training.targets.array(Int.self).firstIndex(of: 2)!]).inputs
let kinds: [(String, any vision.Transform)] = [
    ("RandomHorizontalFlip()", transforms.RandomHorizontalFlip()),
    ("RandomVerticalFlip()", transforms.RandomVerticalFlip()),
    ("RandomRotation(15)", transforms.RandomRotation(15)),
    ("RandomRotation(choices: [90, 180, 270])", transforms.RandomRotation(choices: [90, 180, 270])),
    ("Resize to 32, RandomCrop to 28", transforms.Compose([transforms.Resize([32, 32]), transforms.RandomCrop(28)])),
]
let drawsFigure = plot.Figure(rows: kinds.count, columns: 1, width: 620, height: 560)
for (row, (title, transform)) in kinds.enumerated() {
    drawsFigure[row, 0].title = title
    drawsFigure[row, 0].images(transform(two.expand(8, 1, 28, 28)), columns: 8)
}
drawsFigure.show()
// %% [markdown]
// Look at the second row with the eyes of a reader: a 2 upside down is no 2, and a 6 turned by 180° *is* a 9. A
// transform must keep the meaning of its picture. For a flower nearly everything is allowed, even other light:
// %% A flower in eight versions
let forFlowers = transforms.Compose([
    transforms.RandomResizedCrop(96, scale: 0.3...1), transforms.RandomHorizontalFlip(),
    transforms.ColorJitter(brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1),
    transforms.RandomErasing(p: 0.3, value: 0.5),
])
let flowersFigure = plot.Figure(width: 620, height: 310)
flowersFigure[0, 0].images(forFlowers(flower.expand(8, 3, 192, 192)), columns: 4)
flowersFigure.show()
// %% [markdown]
// ## Does it help? Measure it
//
// Few pictures (1,000 digits), so that there is something to win, and the same small network three times: with the
// plain digits; with gentle changes that keep their meaning (turned by up to 10°, moved by up to 2 pixels); and with
// everything from the figure above one after the other, as lessons do it. The test images are never changed: they are
// what the network will meet.
// %% Three ways to feed it
final class DigitCNN: nn.Module {
    let conv1 = nn.Conv2d(1, 16, kernelSize: 5, padding: 2)
    let conv2 = nn.Conv2d(16, 32, kernelSize: 5, padding: 2)
    let out = nn.Linear(32 * 7 * 7, 10)

    override func forward(_ x: Tensor) -> Tensor {
        var x = F.maxPool2d(F.relu(conv1(x)), kernelSize: 2)
        x = F.maxPool2d(F.relu(conv2(x)), kernelSize: 2)
        return out(x.flatten(startDim: 1))
    }
}

/// The share of a dataset's pictures whose class is found.
func accuracy(_ model: nn.Module, _ dataset: any data.Dataset) -> Double {
    model.eval()
    defer { model.train() }
    return noGrad {
        var correct = 0
        for (images, labels) in data.DataLoader(dataset, batchSize: 250) {
            correct += model(images).argmax(dim: 1).eq(labels).sum().item(Int.self)
        }
        return Double(correct) / Double(dataset.count)
    }
}

/// Trains for some epochs and returns the loss of each step.
func train(_ model: nn.Module, _ dataset: any data.Dataset, batchSize: Int, epochs: Int, lr: Double) -> [Double] {
    let optimizer = optim.Adam(model.parameters(), lr: lr)
    var losses: [Double] = []
    for _ in 0..<epochs {
        for (images, labels) in data.DataLoader(dataset, batchSize: batchSize, shuffle: true) {
            let loss = F.crossEntropy(model(images), labels)
            optimizer.zeroGrad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        }
    }
    return losses
}

let feeds: [(String, (any vision.Transform)?)] = [
    ("plain", nil),
    ("gentle", transforms.RandomAffine(10, translate: (x: 0.08, y: 0.08), interpolation: .bilinear)),
    ("everything", transforms.Compose(kinds.map { $0.1 })),
]
let few = Array(0..<(options.isQuick ? 100 : 1000))
var reached: [Double] = []
for (name, transform) in feeds {
    let digits = data.Subset(
        try vision.datasets.MNIST(root: options.data, train: true, transform: transform), indices: few)
    manualSeed(40)  // the same first weights for all
    let model = DigitCNN()
    let losses = train(model, digits, batchSize: 50, epochs: options.isQuick ? 1 : 15, lr: 1e-3)
    reached.append(accuracy(model, test) * 100)
    let tail = losses.suffix(20).reduce(0, +) / Double(losses.suffix(20).count)
    print(String(format: "%@: loss at the end %.3f, test accuracy %.1f %%", name, tail, reached.last!))
}
let feedFigure = plot.Figure(width: 460, height: 260)
feedFigure[0, 0].title = "Test accuracy, %"
feedFigure[0, 0].yLimits = 0...100
feedFigure[0, 0].bar(feeds.map { $0.0 }, reached)
feedFigure.show()
// %% [markdown]
// Gentle changes win although their training loss is higher: the network can no longer learn the pictures by heart. All
// changes together lose: it spends its strength on digits that nobody writes, and has to guess between 6 and 9.
//
// ## Four ideas on the way to ResNet
//
// | network | weights | idea |
// |---|---:|---|
// | AlexNet (2012) | 61,100,840 | ReLU, dropout, pooling with overlap, neighbouring channels normalised; graphics cards |
// | VGG-16 (2014) | 138,357,544 | only 3 × 3 filters, more of them |
// | GoogLeNet (2014) | 6,624,904 | several sizes of filter side by side; 1 × 1 filters save the work |
// | ResNet-152 (2015) | 60,192,808 | shortcuts |
//
// Why small filters? Two of 3 × 3 see as far as one of 5 × 5. The tape can show that: the gradient of *one* output
// pixel is not zero exactly at the input pixels that it depends on.
// %% How far a pixel sees
func field(_ kernels: [Int]) -> Int {
    let picture = Tensor.zeros([1, 1, 21, 21], requiresGrad: true)
    var y = picture
    for size in kernels { y = F.conv2d(y, Tensor.ones([1, 1, size, size]), padding: .same) }
    y[0, 0, 10, 10].backward()
    return Int(Double(picture.grad!.ne(0).sum().item(Int.self)).squareRoot())
}
for kernels in [[5], [3, 3], [7], [3, 3, 3]] {
    let (sight, weights) = (field(kernels), kernels.reduce(0) { $0 + $1 * $1 })
    print("filters of \(kernels): sees \(sight) × \(sight), \(weights) weights for each pair of channels")
}
// %% [markdown]
// The same view with 18 weights instead of 25, 27 instead of 49, and a ReLU more in between. (Some lessons print the
// comparison as "3 × 3 is better than 3 × 3".)
//
// A 1 × 1 filter sees a single pixel, but all its channels: it mixes them, and changes their number. GoogLeNet puts
// branches with different filters side by side and joins their channels with `cat`; 1 × 1 filters in front keep the
// work small.
// %% Branches side by side
let from192 = Tensor.randn([1, 192, 14, 14])
let branches: [nn.Sequential] = [
    [nn.Conv2d(192, 64, kernelSize: 1), nn.ReLU()],
    [nn.Conv2d(192, 96, kernelSize: 1), nn.ReLU(), nn.Conv2d(96, 128, kernelSize: 3, padding: 1), nn.ReLU()],
    [nn.Conv2d(192, 16, kernelSize: 1), nn.ReLU(), nn.Conv2d(16, 32, kernelSize: 5, padding: 2), nn.ReLU()],
    [nn.MaxPool2d(3, stride: 1, padding: 1), nn.Conv2d(192, 32, kernelSize: 1), nn.ReLU()],
]
let parts = branches.map { $0(from192) }
print(parts.map { "\($0.size(1))" }.joined(separator: " + "), "channels →", Tensor.cat(parts, dim: 1).shape)
let narrow = summary(branches[2], [1, 192, 14, 14]).multiplyAdds
let wide = summary(nn.Conv2d(192, 32, kernelSize: 5, padding: 2), [1, 192, 14, 14]).multiplyAdds
print("5 × 5 behind a 1 × 1: \(narrow) multiplications; without it \(wide), \(wide / narrow) times as many")
// %% [markdown]
// # LeNet-5 in colour
//
// ## Pictures
//
// CIFAR-10 is the usual set here: 32 × 32 pixels in colour, ten classes. It has to be downloaded; so that this lesson
// runs anywhere, it uses digits in random colours over pieces of the two photographs, in the same shape. The test
// pictures have other parts of the photographs behind them. (With `--data DIR`, where DIR holds
// `cifar-10-batches-bin`, it takes CIFAR-10.)
//
// **Faults met in lessons.** The three means by which the colours are shifted are printed as 0.485, 0.456, 0.456; the
// last should be 0.406. As long as training and test share the mistake little happens, but weights that were trained
// with the right numbers see everything a bit too yellow. And `Resize` to 32 × 32 does nothing to pictures of that
// size.
// %% Colours
let normalize = transforms.Normalize(mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225])
let hasCIFAR = options.data.map { FileManager.default.fileExists(atPath: $0 + "/cifar-10-batches-bin") } ?? false
func colourSet(train: Bool) throws -> any vision.ImageDataset {
    if hasCIFAR { return try vision.datasets.CIFAR10(root: options.data!, train: train, transform: normalize) }
    return try vision.datasets.ColorMNIST(train: train, transform: normalize)
}
let colourTraining = try colourSet(train: true)
let colourTest = try colourSet(train: false)
let names = hasCIFAR ? colourTest.classes : (0...9).map(String.init)
let colours = colourTraining.data.to(.float32) / 255
print("training:", colourTraining.data.shape, "test:", colourTest.data.shape)
print("mean of red, green, blue:", colours.mean(dims: [0, 2, 3]))
precondition(
    transforms.Resize([32, 32])(colours[0..<4]).isClose(to: colours[0..<4]), "Resize changes pictures of its own size")
let samplesFigure = plot.Figure(width: 640, height: 178)
samplesFigure[0, 0].images(
    colours[0..<18], columns: 9, captions: colourTraining.targets[0..<18].array(Int.self).map { names[$0] })
samplesFigure.show()
// %% [markdown]
// ## The network, with and without activations
//
// **A fault met in lessons.** No activation stands between the two convolutions. Two linear layers in a row are one
// linear layer, so the second convolution would be for nothing. Max pooling in between saves the day in part, since a
// maximum is not linear. Both versions have the same 40,010 weights, so the comparison is fair.
// %% Two versions of a network
final class Lenet5: nn.Module {
    let convUnit: nn.Sequential
    let fcUnit: nn.Sequential

    init(activations: Bool) {
        func layers(_ convolution: nn.Conv2d) -> [nn.Module] {
            activations ? [convolution, nn.ReLU(), nn.MaxPool2d(2)] : [convolution, nn.MaxPool2d(2)]
        }
        convUnit = nn.Sequential(layers(nn.Conv2d(3, 16, kernelSize: 5)) + layers(nn.Conv2d(16, 32, kernelSize: 5)))
        fcUnit = [nn.Linear(32 * 5 * 5, 32), nn.ReLU(), nn.Linear(32, 10)]
    }

    override func forward(_ x: Tensor) -> Tensor { fcUnit(convUnit(x).flatten(startDim: 1)) }
}
let lenetSummary = summary(Lenet5(activations: true), [1, 3, 32, 32])
print(lenetSummary)
precondition(lenetSummary.parameters == 40_010, "Lenet5 has \(lenetSummary.parameters) parameters, not 40,010")
// %% Training both
var lenets: [Bool: Lenet5] = [:]
var accuracies: [Bool: [Double]] = [:]
let colourCount = options.isQuick ? 384 : colourTraining.count
let colourSubset = data.Subset(colourTraining, indices: Array(0..<colourCount))
for activations in [false, true] {
    manualSeed(41)
    let model = Lenet5(activations: activations)
    let optimizer = optim.Adam(model.parameters(), lr: 1e-3)
    for epoch in 1...options.epochs {
        var sum = 0.0
        let loader = data.DataLoader(colourSubset, batchSize: 64, shuffle: true)
        for (images, labels) in loader {
            let loss = F.crossEntropy(model(images), labels)
            optimizer.zeroGrad()
            loss.backward()
            optimizer.step()
            sum += loss.item()
        }
        accuracies[activations, default: []].append(accuracy(model, colourTest))
        print(
            String(
                format: "%@ activations, epoch %2d: loss %.3f, test accuracy %.1f %%", activations ? "with" : "without",
                epoch, sum / Double(loader.count), accuracies[activations]!.last! * 100))
    }
    lenets[activations] = model
}
let lenetFigure = plot.Figure(width: 600, height: 280)
lenetFigure[0, 0].title = "Test accuracy"
lenetFigure[0, 0].xLabel = "epoch"
lenetFigure[0, 0].legend = .bottomRight
lenetFigure[0, 0].yLimits = options.isQuick ? 0...1 : 0.6...1
for activations in [true, false] {
    let values = accuracies[activations]!
    lenetFigure[0, 0].line(
        (1...values.count).map(Double.init), values, label: activations ? "with activations" : "without",
        style: activations ? .solid : .dashed, points: true)
}
lenetFigure.show()
// %% [markdown]
// With activations the network is about two points better. It is not the ruin that "two linear layers are one"
// makes one fear: the maximum in between bends the function too. A fault that costs two points is one that nobody
// notices, and that is the worst kind. (The training loss goes on falling while the test accuracy hardly rises: the
// 10,000 pictures are being learnt by heart, and augmentation would help here as well.)
//
// ## Do not shuffle the test
//
// **A fault met in lessons.** The test loader shuffles. The accuracy does not care, because each label travels with its
// picture. But as soon as predictions are laid beside the dataset's own list of labels, as for the figure below, they
// belong to other pictures:
// %% In order and shuffled
let lenet = lenets[true]!
lenet.eval()
func predictions(of model: nn.Module, _ loader: data.DataLoader) -> Tensor {
    noGrad { Tensor.cat(loader.map { model($0.0).argmax(dim: 1) }) }
}
let inOrder = predictions(of: lenet, data.DataLoader(colourTest, batchSize: 250))
let shuffled = predictions(of: lenet, data.DataLoader(colourTest, batchSize: 250, shuffle: true))
for (name, predicted) in [("in order", inOrder), ("shuffled", shuffled)] {
    let share = Double(predicted.eq(colourTest.targets).sum().item(Int.self)) / Double(predicted.count) * 100
    print(String(format: "predictions %@, beside the dataset's labels: %.1f %% agree", name, share))
}
// %% What it takes for what
let confusion = (colourTest.targets * 10 + inOrder).bincount(minLength: 100).reshape(10, 10)
let wrong = inOrder.ne(colourTest.targets).nonzero().reshape([-1])
let wrongShown = wrong.narrow(dim: 0, start: 0, length: min(20, wrong.count))
let lenetResult = plot.Figure(rows: 1, columns: 2, width: 840, height: 400)
lenetResult[0, 0].title = "Confusion"
lenetResult[0, 0].xLabel = "taken for"
lenetResult[0, 0].yLabel = "class"
lenetResult[0, 0].heatMap(confusion, rows: names, columns: names, colors: .blues)
lenetResult[0, 1].title = "Some mistakes"
lenetResult[0, 1].images(
    colourTest.data.indexSelect(dim: 0, index: wrongShown), columns: 5,
    captions: wrongShown.array(Int.self).map {
        "\(names[colourTest.targets[$0].item(Int.self)]) as \(names[inOrder[$0].item(Int.self)])"
    })
lenetResult.show()
// %% [markdown]
// # A residual block
//
// **Faults met in lessons.** The block has no `forward`, so it cannot be called; and it has no stride, so pictures
// stay as large as they are while their channels double: each stage is four times as expensive as the one before. Its
// convolutions have biases right before a batch normalisation, which the section above showed to be useless. Here it
// is whole. The shortcut is an empty `Sequential`, which passes its input on, unless the shapes differ.
// %% The block
final class ResBlk: nn.Module {
    let conv1, conv2: nn.Conv2d
    let bn1, bn2: nn.BatchNorm2d
    let extra: nn.Sequential
    let hasShortcut: Bool

    init(_ chIn: Int, _ chOut: Int, stride: Int = 1, shortcut: Bool = true) {
        conv1 = nn.Conv2d(chIn, chOut, kernelSize: 3, stride: Pair(stride), padding: 1, bias: false)
        bn1 = nn.BatchNorm2d(chOut)
        conv2 = nn.Conv2d(chOut, chOut, kernelSize: 3, padding: 1, bias: false)
        bn2 = nn.BatchNorm2d(chOut)
        hasShortcut = shortcut
        extra =
            shortcut && (chIn != chOut || stride != 1)
            ? [nn.Conv2d(chIn, chOut, kernelSize: 1, stride: Pair(stride), bias: false), nn.BatchNorm2d(chOut)] : []
    }

    override func forward(_ x: Tensor) -> Tensor {
        let y = bn2(conv2(F.relu(bn1(conv1(x)))))
        return F.relu(hasShortcut ? y + extra(x) : y)
    }
}
let block = ResBlk(64, 128, stride: 2)
print(block)
print("[2, 64, 32, 32] →", block(Tensor.randn([2, 64, 32, 32])).shape)
let blockParameters = block.parameters().reduce(0) { $0 + $1.count }
precondition(blockParameters == 9 * 64 * 128 + 9 * 128 * 128 + 64 * 128 + 3 * 2 * 128, "a block of another size")
for stride in [1, 2] {
    let stages = nn.Sequential(ResBlk(64, 128, stride: stride), ResBlk(128, 256, stride: stride))
    let costs = summary(stages, [1, 64, 32, 32])
    print("two stages with stride \(stride): \(costs.multiplyAdds / 1_000_000) million multiplications")
}
// %% [markdown]
// ## With and without the shortcut
//
// Everything equal but the `+ x`: a convolution, 16 blocks (33 convolutions in all), a linear layer. First without any
// training: how large is the gradient that arrives at each block? Then both are trained, on the same digits in the same
// order.
// %% Gradients on their way back
final class Tower: nn.Module {
    let stem = nn.Conv2d(1, 16, kernelSize: 3, stride: 2, padding: 1)
    let blocks: nn.Sequential
    let out = nn.Linear(16, 10)

    init(depth: Int, shortcut: Bool) {
        blocks = nn.Sequential((0..<depth).map { _ in ResBlk(16, 16, shortcut: shortcut) })
    }

    override func forward(_ x: Tensor) -> Tensor { out(F.globalAvgPool2d(blocks(F.relu(stem(x))))) }
}
let depth = 16
let (someDigits, someLabels) = training.batch(Array(0..<64))
let gradientFigure = plot.Figure(width: 620, height: 290)
gradientFigure[0, 0].title = "Size of the gradient at each block, before training"
gradientFigure[0, 0].xLabel = "block, from the input"
gradientFigure[0, 0].yScale = .log
for shortcut in [true, false] {
    manualSeed(42)
    let tower = Tower(depth: depth, shortcut: shortcut)
    F.crossEntropy(tower(someDigits), someLabels).backward()
    let norms = tower.blocks.layers.map { ($0 as! ResBlk).conv1.weight.grad!.norm().item() as Double }
    gradientFigure[0, 0].line(
        (1...depth).map(Double.init), norms, label: shortcut ? "with shortcuts" : "without",
        style: shortcut ? .solid : .dashed, points: true)
    print(
        String(
            format: "%@ shortcuts: first block %.2g, last block %.2g", shortcut ? "with" : "without", norms[0],
            norms[depth - 1]))
}
gradientFigure.show()
// %% Training both towers
let towerDigits = data.Subset(training, indices: Array(0..<(options.isQuick ? 100 : 2000)))
let towerFigure = plot.Figure(width: 620, height: 290)
towerFigure[0, 0].title = "33 convolutions deep: the loss"
towerFigure[0, 0].xLabel = "step"
towerFigure[0, 0].yLimits = 0...2.6
for shortcut in [true, false] {
    manualSeed(43)
    let tower = Tower(depth: depth, shortcut: shortcut)
    let losses = train(tower, towerDigits, batchSize: 50, epochs: options.isQuick ? 1 : 3, lr: 1e-3)
    let tail = losses.suffix(10).reduce(0, +) / Double(losses.suffix(10).count)
    print(
        String(
            format: "%@ shortcuts: loss of the last steps %.3f, test accuracy %.1f %%", shortcut ? "with" : "without",
            tail,
            accuracy(tower, test) * 100))
    towerFigure[0, 0].line(losses, label: shortcut ? "with shortcuts" : "without", style: shortcut ? .solid : .dashed)
}
towerFigure.show()
// %% [markdown]
// Lessons say that gradients *vanish* in deep networks. Here, without shortcuts, they do the opposite: batch
// normalisation keeps what flows forward at size 1, but what flows back grows by about a third in each block, and
// arrives 50 times as large at the first block as at the last. Either way one learning rate cannot suit all blocks.
// With shortcuts the gradient has a way back that passes no convolution, and nearly all blocks get the same.
//
// In training, that is the difference between learning and not learning, with the same layers and nearly the same
// weights. (The tower with shortcuts begins *worse*: 16 blocks add up to large numbers, so it is sure of itself
// before it knows anything. A few steps mend that.)
//
// ## To take along
//
// - Batch normalisation has two modes and a memory. Switch the modes by hand; give the memory time to fill.
// - Augment so that the meaning stays, and never the test images.
// - Put an activation after each convolution, and no bias before a batch normalisation.
// - Deep networks need a way past their layers.
//
// Next: momentum and normalised inputs, in [05-mnist-cnn-sgd-momentum](../05-mnist-cnn-sgd-momentum/main.swift).

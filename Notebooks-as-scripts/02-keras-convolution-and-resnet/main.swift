// Lesson 2: what convolution and pooling do to a photograph, a digit reader with dropout, and ResNet-34.
//     swift run notebook Notebooks-as-scripts/02-keras-convolution-and-resnet/main.swift --html lesson.html
// %% [markdown]
// # Convolution, pooling and a ResNet, the Keras way
//
// A convolutional network is built from very few kinds of layer. Before training any, this lesson lets them work on
// two photographs, with filters chosen by hand, so that one can *see* what they do. Then the same layers, with
// filters found by training, read handwritten digits: first eight layers, then ResNet-34 with its residual units.
//
// Many lessons of this kind are written for Keras. Where Keras and PyTorch differ, and a port therefore goes wrong in
// silence, the difference is computed here: the order of the axes, SAME padding, a loss on probabilities, and the
// momentum of batch normalisation.
// %% Imports
import ExampleSupport
import Foundation
import Tapestry
import data
import nn
import optim
import plot
import training
import vision

let options = lessonOptions("02-keras-convolution-and-resnet", epochs: (shipped: 7, all: 10))
manualSeed(2)
// %% [markdown]
// ## Two photographs
//
// A temple and a dahlia, 427 rows of 640 pixels with three numbers each (red, green, blue), divided by 255 so that they
// lie between 0 and 1. Both in one tensor make a batch of two.
// %% Load and show
let photographs = try vision.datasets.sampleImages().to(.float32) / 255
print("photographs:", photographs.shape, "from", photographs.min().item(), "to", photographs.max().item())

/// The same images at a quarter of the size, for figures.
func small(_ images: Tensor) -> Tensor {
    transforms.functional.resize(images, Pair(images.size(-2) / 4, images.size(-1) / 4))
}
let photographFigure = plot.Figure(width: 680, height: 250)
photographFigure[0, 0].images(small(photographs), columns: 2, captions: ["china", "flower"])
photographFigure.show()
// %% [markdown]
// ## The order of the axes
//
// Keras keeps the three colours of a pixel side by side: `[N, H, W, C]`. Here, as in PyTorch, each colour is a
// picture of its own: `[N, C, H, W]`. A filter of Keras is `[height, width, in, out]`, here it is `[out, in, height,
// width]`.
//
// Changing the order is a `permute`: it copies nothing and changes no number, only the way in which they are counted. A
// `reshape` to the other shape would also be accepted, and would be wrong: it keeps the counting and so shreds the
// picture. Below both are done, and a layer's output is laid beside the sum that defines it, written in Keras's order.
// %% NHWC and NCHW agree
let channelsLast = photographs.permute(0, 2, 3, 1)
let kerasKernel = Tensor.randn([7, 7, 3, 5]) * 0.05
let features = F.conv2d(channelsLast.permute(0, 3, 1, 2), kerasKernel.permute(3, 2, 0, 1), padding: .same)
print("in Keras's order", channelsLast.shape, "convolved in ours:", features.shape)
for (row, column) in [(100, 300), (3, 3), (423, 636)] {
    // Seven rows and columns around the place; .same put three zeros around the picture, none of which is met here.
    let window = channelsLast[1, (row - 3)...(row + 3), (column - 3)...(column + 3)]
    let byDefinition = (window.unsqueeze(3) * kerasKernel).sum(dims: [0, 1, 2])
    let byLayer = features[1, .all, row, column]
    precondition(byLayer.isClose(to: byDefinition, rtol: 1e-4, atol: 1e-5), "the orders of axes disagree")
    print("flower at (\(row), \(column)): the layer and the definition agree in all 5 channels")
}
let orderFigure = plot.Figure(rows: 1, columns: 2, width: 680, height: 250)
orderFigure[0, 0].title = "permute: the picture"
orderFigure[0, 0].image(small(channelsLast.permute(0, 3, 1, 2))[0])
orderFigure[0, 1].title = "reshape: the same numbers, shredded"
orderFigure[0, 1].image(small(channelsLast.reshape(2, 3, 427, 640))[0])
orderFigure.show()
// %% [markdown]
// **A fault met in lessons.** They write `input_shape=images.shape` in the first layer. That shape begins with the
// number of images, but `input_shape` means *one* sample, so the layer is promised five axes and gets four; whether
// it complains depends on the version. The question does not come up here: a convolution asks for the number of
// channels, which is all that its weights depend on, and takes any batch and any size.
//
// ## Two filters made by hand
//
// A filter of 7 × 7 with ones in its middle column and zeros elsewhere *averages along a vertical line*. What is
// constant along vertical lines (pillars, edges of walls) stays sharp, all else is blurred. The other one, with a
// middle row, does the same for horizontal lines. Divided by 7, they keep the brightness.
// %% A vertical and a horizontal line
let vertical = Tensor.zeros([7, 7])
vertical[.all, 3].fill_(1.0 / 7)
let horizontal = vertical.transpose(0, 1)
// One filter for a grey picture: [2 filters, 1 channel, 7, 7].
let averaging = Tensor.stack([vertical, horizontal]).unsqueeze(1)
let grey = photographs.mean(dims: [1], keepdim: true)
let averaged = F.conv2d(grey, averaging, padding: .same)
print("grey:", grey.shape, "filters:", averaging.shape, "result:", averaged.shape)

/// 120 rows of 180 pixels where both photographs have something to look at, at full size.
func detail(_ images: Tensor) -> Tensor { images[.all, .all, 120..<240, 210..<390] }
let filterFigure = plot.Figure(width: 320, height: 150)
filterFigure[0, 0].images(
    averaging, columns: 2, captions: ["vertical line", "horizontal line"], range: -0.03...0.155)
filterFigure.show()
let averagedFigure = plot.Figure(width: 720, height: 352)
averagedFigure[0, 0].images(
    Tensor.cat([detail(grey), detail(averaged)], dim: 1).reshape(6, 120, 180), columns: 3,
    captions: [
        "china, a detail", "vertical line filter", "horizontal", "flower, a detail", "vertical line filter",
        "horizontal",
    ])
averagedFigure.show()
// %% [markdown]
// The pillars of the temple survive only the first filter, its eaves and the terrace only the second.
//
// To *find* lines rather than to keep them, the mean of the filter is taken out of it. A filter whose numbers sum to
// zero gives nothing where the picture is flat, whatever its brightness: it answers only where something changes in its
// direction. ReLU keeps the answers with the right sign (a bright line on dark ground) and drops the others.
// %% Filters that sum to zero
let lineFinders = averaging - averaging.mean(dims: [2, 3], keepdim: true)
let lines = F.relu(F.conv2d(grey, lineFinders, padding: .same))
let linesFigure = plot.Figure(width: 640, height: 440)
linesFigure[0, 0].images(
    (detail(lines) * 6).reshape(4, 120, 180), columns: 2,
    captions: ["china: vertical lines", "china: horizontal", "flower: vertical lines", "flower: horizontal"])
linesFigure.show()
// %% [markdown]
// Training finds filters like these by itself, because they are useful. The first layer of most networks for pictures
// ends up with edges, lines and blobs of colour.
//
// ## How large is the result?
//
// Without padding a filter of $k$ on $n$ pixels with stride $s$ gives $floor((n - k) / s) + 1$. SAME padding adds zeros
// until the result has $ceil(n / s)$ pixels. At stride 1 that is $k - 1$ zeros, half on each side. At stride 2 their
// number depends on $n$, and is often odd; then TensorFlow puts the odd one **behind**, at the right and at the bottom.
//
// PyTorch has no such mode for strides above 1, and `padding: 1` is not the same, though it gives the same size. The
// filter below copies the *first* of three numbers, so it shows where each window begins:
// %% SAME padding at stride 2
let first: Tensor = Tensor([1, 0, 0] as [Float]).reshape(1, 1, 1, 3)
let counting: Tensor = Tensor.arange(1, 7).to(.float32).reshape(1, 1, 1, 6)
let same = F.conv2d(counting, first, stride: [1, 2], padding: .same)
let symmetric = F.conv2d(counting, first, stride: [1, 2], padding: [0, 1])
print("1 2 3 4 5 6, SAME:      windows begin at", same.array(Int.self))
print("1 2 3 4 5 6, padding 1: windows begin at", symmetric.array(Int.self), "(0 is the padding)")
for (size, stride) in [(28, 1), (28, 2), (14, 2), (7, 2), (4, 2), (2, 2)] {
    let picture = Tensor.zeros([1, 1, size, size])
    let kernel = Tensor.zeros([1, 1, 3, 3])
    let sizes = [Padding.valid, .same].map { padding -> Int in
        size >= 3 || padding == .same ? F.conv2d(picture, kernel, stride: Pair(stride), padding: padding).size(-1) : 0
    }
    print("3 × 3, stride \(stride), \(size) pixels: VALID \(sizes[0] == 0 ? "–" : "\(sizes[0])"), SAME \(sizes[1])")
}
// %% [markdown]
// Weights trained with Keras and run with `padding: 1` therefore look one pixel beside the place they were trained
// on. No error, just a worse network. Here `.same` follows TensorFlow's rule at every stride, for pooling too.
//
// ## Pooling
//
// Pooling makes a picture smaller, by the largest or by the mean number of each window. It has no weights. Why throw
// numbers away? The next filter then sees twice as far, the work falls to a quarter, and a line that moves by one pixel
// often lands in the same window: the result cares less about *exactly where*. The largest number keeps a weak signal
// that the mean would water down: "is there such a line anywhere here?"
// %% Maximum and mean
let pooled = [("maximum", F.maxPool2d(lines, kernelSize: 2)), ("mean", F.avgPool2d(lines, kernelSize: 2))]
for (name, result) in pooled {
    print("\(name) of 2 × 2:", lines.shape, "→", result.shape)
}
// Windows of 6 make the difference visible.
let poolFigure = plot.Figure(width: 720, height: 352)
poolFigure[0, 0].images(
    Tensor.cat(
        [photographs, lines[.all, 1..<2].expand(2, 3, 427, 640) * 6].flatMap { images in
            let piece = detail(images)[0..<1]
            return [
                piece,
                F.interpolate(F.maxPool2d(piece, kernelSize: 6), size: [120, 180]),
                F.interpolate(F.avgPool2d(piece, kernelSize: 6), size: [120, 180]),
            ]
        }), columns: 3,
    captions: [
        "china, a detail", "largest of 6 × 6", "mean of 6 × 6", "its horizontal lines", "largest of 6 × 6",
        "mean of 6 × 6",
    ])
poolFigure.show()
// %% [markdown]
// 427 is odd: the last row has no partner and is left out, as in Keras and PyTorch, unless `ceilMode` is set.
//
// ## Pooling across channels
//
// Nothing says that windows must lie in the plane. **Depth-wise** pooling takes the largest of several *channels* at
// one place. Give each channel the same filter in another direction, and the result answers to a line in *any*
// direction: pooling in the plane makes a network indifferent to small moves, pooling in depth makes it indifferent
// to whatever its filters differ in. Neither PyTorch nor Keras has a layer for it; a maximum over an axis is all it
// takes.
// %% Lines in any direction
/// A line through the middle of 7 × 7, turned by an angle, minus its mean.
func lineFilter(degrees: Double) -> Tensor {
    let line = transforms.functional.rotate(vertical.unsqueeze(0), degrees, interpolation: .bilinear)
    return line - line.mean()
}
let angles = [0.0, 22.5, 45, 67.5, 90, 112.5, 135, 157.5]
let names = angles.map { String(format: "%g°", $0) }
let turned = Tensor.stack(angles.map { lineFilter(degrees: $0) })
let directions = F.relu(F.conv2d(grey, turned, padding: .same))
let anyDirection = directions.amax(dims: [1], keepdim: true)
print("eight directions:", directions.shape, "→ the largest at each place:", anyDirection.shape)
let turnedFigure = plot.Figure(width: 720, height: 122)
turnedFigure[0, 0].images(turned, columns: 8, captions: names, range: -0.05...0.143)
turnedFigure.show()
let depthFigure = plot.Figure(width: 720, height: 352)
depthFigure[0, 0].images(
    (Tensor.cat([detail(directions)[.all, 0..<1], detail(directions)[.all, 2..<3], detail(anyDirection)], dim: 1) * 6)
        .reshape(6, 120, 180), columns: 3,
    captions: ["china: 0°", "45°", "any direction", "flower: 0°", "45°", "any direction"])
depthFigure.show()
// %% [markdown]
// ## Global average pooling
//
// The window can also be the whole picture. What is left is one number a channel: how much of this feature is there, no
// matter where. At the end of a network it replaces a large linear layer: 512 channels of 7 × 7 flattened would need
// 25,088 weights for each class, their means need 512. And it takes pictures of any size.
// %% One number a channel
let means = F.globalAvgPool2d(directions)
print("global average:", directions.shape, "→", means.shape)
let profileFigure = plot.Figure(width: 560, height: 260)
profileFigure[0, 0].title = "How much of each direction is in the photographs"
profileFigure[0, 0].bar(names, means[0], label: "china")
profileFigure[0, 0].bar(names, means[1], label: "flower")
profileFigure.show()
// %% [markdown]
// A building is made of uprights and levels, and it shows: eight numbers are already a description of a picture. The
// flower prefers no direction as clearly.
//
// # A network that reads digits
//
// ## The data, and the order of axes again
//
// Digits are often handed around as CSV files: the label, then 784 numbers from 0 to 255. `shape:` says how a row is to
// be read, and there is only one channel, so `[1, 28, 28]` and Keras's `[28, 28, 1]` are the same numbers in the same
// order. The check writes such a file and lays what is read beside the original.
// %% A CSV file, read back
let isFull = options.data != nil
let training = try vision.datasets.MNIST(root: options.data, train: true)
let test = try vision.datasets.MNIST(root: options.data, train: false)

let csvPath = FileManager.default.temporaryDirectory.appendingPathComponent("digits-\(UUID().uuidString).csv").path
let rows = (0..<100).map { index -> String in
    let pixels = training.data[index].array(Int.self).map(String.init).joined(separator: ",")
    return "\(training.targets[index].item(Int.self)),\(pixels)"
}
try rows.joined(separator: "\n").write(toFile: csvPath, atomically: true, encoding: .utf8)
let fromCSV = try data.CSVDataset(csvPath, shape: [28, 28, 1], scale: 1 / 255, classes: 10)
try FileManager.default.removeItem(atPath: csvPath)
let (direct, labels) = training.batch(Array(0..<100))
let permuted = fromCSV.inputs.permute(0, 3, 1, 2)
precondition(permuted.isClose(to: direct) && fromCSV.targets.eq(labels).all().item(Bool.self), "the file differs")
print(
    "read from CSV as", fromCSV.inputs.shape, "and permuted to", permuted.shape, "– the same numbers as", direct.shape)
// %% [markdown]
// Part of the training images is kept back for **validation**: with it we watch the training. The test images are used
// once, at the end. Whoever picks the best epoch by the test images has trained on them, in a way.
// %% Three sets
let validationCount = options.isQuick ? 200 : isFull ? 5000 : 500
let trainingCount = options.isQuick ? 640 : training.count - validationCount
let validationSet = data.Subset(training, indices: Array(0..<validationCount))
let trainingSet = data.Subset(training, indices: Array(validationCount..<(validationCount + trainingCount)))
print("\(trainingSet.count) images to train on, \(validationSet.count) to validate, \(test.count) to test")
// %% [markdown]
// ## Two convolutions, and dropout twice
//
// Nearly all of the 1.6 million weights sit in one place: the linear layer that takes 64 channels of 14 × 14 to 128
// numbers. With so many weights for so few pictures it could learn the pictures by heart. **Dropout** makes that hard:
// in training, a quarter of its inputs is set to 0 at random (half of those of the last layer), and the rest is scaled
// up so that the mean stays. No weight can rely on a single other one. In evaluation dropout does nothing.
//
// Keras draws first weights by Glorot's rule and sets biases to 0, so the network begins here as it would there.
// %% The network
let cnn = nn.Sequential(
    nn.Conv2d(1, 32, kernelSize: 3, padding: .same), nn.ReLU(),
    nn.Conv2d(32, 64, kernelSize: 3, padding: .same), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Dropout(0.25),
    nn.Linear(64 * 14 * 14, 128), nn.ReLU(), nn.Dropout(0.5),
    nn.Linear(128, 10))
for (name, parameter) in cnn.namedParameters() {
    if name.hasSuffix("bias") { nn.`init`.zeros_(parameter) } else { nn.`init`.xavierUniform_(parameter) }
}
let cnnSummary = summary(cnn, [1, 1, 28, 28])
print(cnnSummary)
precondition(cnnSummary.parameters == 1_625_866, "the network has \(cnnSummary.parameters) parameters, not 1,625,866")
// %% Dropout, awake and asleep
let sample = direct[0..<1]
cnn.train()
let awake = (0..<3).map { _ in cnn(sample)[0, 0].item() }
cnn.eval()
let asleep = (0..<3).map { _ in cnn(sample)[0, 0].item() }
print(String(format: "one output, three times in training:   %.3f  %.3f  %.3f", awake[0], awake[1], awake[2]))
print(String(format: "one output, three times in evaluation: %.3f  %.3f  %.3f", asleep[0], asleep[1], asleep[2]))
// %% [markdown]
// ## Why the network ends without a softmax
//
// The Keras model ends with a softmax layer, and the loss takes the logarithm of its probabilities, clipped at
// $10^{-7}$ so that it cannot become infinite. Here the network ends with the numbers before the softmax (*logits*),
// and the loss does softmax and logarithm in one. Where the network is not too sure, both give the same loss and
// gradient. Where it is **sure and wrong**, they do not: the clipped loss is flat there, so the gradient is 0, and
// exactly the worst mistakes teach nothing.
// %% The loss of a mistake
print("logit of the wrong class     loss from logits, gradient     from probabilities, gradient")
for wrong in [1.0, 5, 15, 30] {
    let label = Tensor([0])
    func lossAndGradient(_ loss: (Tensor) -> Tensor) -> (Double, Double) {
        let logits = Tensor([[0, Float(wrong)]], requiresGrad: true)
        let value = loss(logits)
        value.backward()
        return (value.item(), logits.grad![0, 0].item())
    }
    let (a, da) = lossAndGradient { F.crossEntropy($0, label) }
    let (b, db) = lossAndGradient { F.probabilityCrossEntropy($0.softmax(dim: 1), label) }
    print(String(format: "%24.0f %21.4f, %8.5f %21.4f, %8.5f", wrong, a, da, b, db))
}
// %% [markdown]
// ## Training
//
// `Trainer` is what `compile` and `fit` are in Keras: a model, an optimiser, a loss, figures to follow. NAdam is Adam
// with Nesterov's look ahead; the rate 0.001 and ε $10^{-7}$ are Keras's, PyTorch's defaults are others.
// %% Compile and fit
let trainer = Trainer(
    cnn, optimizer: optim.NAdam(cnn.parameters(), lr: 1e-3, eps: 1e-7), loss: nn.CrossEntropyLoss(),
    metrics: [.accuracy])
let report = OnEpochEnd { trainer, epoch, logs in print("epoch \(epoch + 1): \(logs)") }
let history = try trainer.fit(
    data.DataLoader(trainingSet, batchSize: 32, shuffle: true), epochs: options.epochs,
    validation: data.DataLoader(validationSet, batchSize: 250), callbacks: [report], verbose: false)
// %% [markdown]
// The accuracy in training is *lower* than in validation at first. That is no mistake: it is measured with dropout at
// work, and while the epoch runs, when the weights were still worse.
// %% Curves
let epochs = (1...history.count).map(Double.init)
let curves = plot.Figure(rows: 1, columns: 2, width: 720, height: 280)
for (column, name) in ["loss", "accuracy"].enumerated() {
    curves[0, column].title = name
    curves[0, column].xLabel = "epoch"
    curves[0, column].line(epochs, history.map { $0[name]! }, label: "training", points: true)
    curves[0, column].line(
        epochs, history.map { $0["val_" + name]! }, label: "validation", style: .dashed, points: true)
}
curves.show()
// %% Test
let result = try trainer.evaluate(data.DataLoader(test, batchSize: 250))
print(String(format: "test: loss %.4f, accuracy %.2f %%", result["loss"]!, result["accuracy"]! * 100))
// %% [markdown]
// Lessons evaluate with `batch_size=1`. In evaluation images do not influence one another, so the size of the batch
// must not change the figures; it only changes the time. A slow way to get the same numbers, but a good check.
// %% One at a time
let clock = ContinuousClock()
let someTests = data.Subset(test, indices: Array(0..<(options.isQuick ? 50 : 500)))
var figures: [Logs] = []
for batchSize in [1, 250] {
    let time = try clock.measure {
        figures.append(try trainer.evaluate(data.DataLoader(someTests, batchSize: batchSize)))
    }
    let each = time / .milliseconds(1) / Double(someTests.count)
    print(
        String(format: "batches of %3d: accuracy %.4f, %.2f ms an image", batchSize, figures.last!["accuracy"]!, each))
}
precondition(figures[0]["accuracy"] == figures[1]["accuracy"], "the size of the batch changes the accuracy")
// %% [markdown]
// ## What it takes for what
//
// One number hides where the mistakes are. A row of the confusion matrix is a digit, a column what it was taken for.
// The right ones (the diagonal) are left out, since they are so many that all else would look like nothing.
// %% Confusion and wrong digits
let scores = try trainer.predict(data.DataLoader(test, batchSize: 250))
let predictions = scores.argmax(dim: 1)
let counts = (test.targets * 10 + predictions).bincount(minLength: 100).reshape(10, 10).to(.float32)
let mistakes = counts.maskedFill(Tensor.eye(10).to(.bool), Float.nan)
let wrong = predictions.ne(test.targets).nonzero().reshape([-1])
let shown = wrong.narrow(dim: 0, start: 0, length: min(18, wrong.count))
let confusionFigure = plot.Figure(rows: 1, columns: 2, width: 820, height: 400)
confusionFigure[0, 0].title = "Mistakes"
confusionFigure[0, 0].xLabel = "taken for"
confusionFigure[0, 0].yLabel = "digit"
confusionFigure[0, 0].heatMap(mistakes, colors: .blues)
confusionFigure[0, 1].title = "\(wrong.count) of \(test.count) are wrong, some of them:"
if shown.count > 0 {
    confusionFigure[0, 1].images(
        1 - test.data.indexSelect(dim: 0, index: shown).to(.float32) / 255, columns: 6,
        captions: shown.array(Int.self).map {
            "\(test.targets[$0].item(Int.self)) as \(predictions[$0].item(Int.self))"
        })
}
confusionFigure.show()
// %% [markdown]
// # ResNet-34
//
// ## Why a shortcut
//
// A deeper network can do all that a shallower one can: let the added layers pass their input on unchanged. Yet
// networks of 30 plain layers were *worse* than those of 20, on the training images too, so it was not overfitting:
// "pass it on" is hard to learn for layers that begin with random weights. He and others (2015) turned it round: a
// unit computes $relu(F(x) + x)$. With $F = 0$ it already passes its input on, and training has only to find what to
// *add*. And backwards, the gradient of the sum reaches $x$ undiminished, past the convolutions.
//
// Where the size halves and the channels double, $x$ does not fit the sum any more: there a 1 × 1 convolution with
// stride 2 takes it to the new shape.
// %% A residual unit
let unit = models.ResidualUnit(64, 128, stride: 2)
print(unit)
print("[8, 64, 14, 14] →", unit(Tensor.randn([8, 64, 14, 14])).shape)
print("without a stride nothing stands in the shortcut:", models.ResidualUnit(64, 64).skipLayers.count, "layers")
// %% [markdown]
// **A fault met in lessons.** They keep the layers of a unit in a list and call one after the other, which is fine, but
// put an activation *function* among the layers. It can be called like one, so the forward pass works; but it is no
// layer. Keras does not track it, printing and summing up leave it out, and with an activation that has weights of its
// own, these would neither be trained nor saved. Above, the activation is a `ReLU()`, a module like the others.
//
// ## 34 layers
//
// A convolution, then 3 + 4 + 6 + 3 units of two convolutions each, then a linear layer: 34 layers with weights. Made
// for pictures of 224 × 224, it halves the size five times, so that a digit of 28 × 28 ends as a single pixel. SAME
// padding carries it through all the odd sizes.
// %% The network and its sizes
let resnet = models.KerasResNet34()
let resnetSummary = summary(resnet, [1, 1, 28, 28])
for row in resnetSummary.rows where row.depth > 0 && row.depth < 3 && !row.outputShapes.isEmpty {
    if row.kind.contains("ResidualUnit") || row.path.hasPrefix("stem.") || row.path == "head" {
        let name = row.path.padding(toLength: 10, withPad: " ", startingAt: 0)
        print(name, row.kind.padding(toLength: 14, withPad: " ", startingAt: 0), row.outputShapes[0])
    }
}
let statistics = resnet.namedBuffers().filter { !$0.name.hasSuffix("num_batches_tracked") }
    .reduce(0) { $0 + $1.buffer.count }
print("\(resnetSummary.trainableParameters) parameters, \(statistics) running statistics")
precondition(resnetSummary.trainableParameters == 21_283_530, "ResNet-34 has the wrong number of parameters")
precondition(statistics == 17_024, "ResNet-34 has the wrong number of running statistics")
// %% [markdown]
// ## A small preset
//
// 21 million weights for digits are far too many; the point is that so deep a network *trains*. Some hundred steps
// on a part of the images show it. With `--data` it runs through all of them, which takes a while.
//
// The learning rate falls to 0 along half a cosine, a little at each step. With a constant rate a network with batch
// normalisation is still moving when so short a training ends, and what it scores then is luck: 94 % after one pass
// through all images in one run, 70 % in another.
// %% Training the ResNet
let resnetCount = options.isQuick ? 64 : isFull ? trainingSet.count : 2048
let resnetTrainer = Trainer(
    resnet, optimizer: optim.NAdam(resnet.parameters(), lr: 1e-3, eps: 1e-7), loss: nn.CrossEntropyLoss(),
    metrics: [.accuracy])
final class StepLosses: Callback {
    var losses: [Double] = []
    private var (sum, batch) = (0.0, 0)
    /// Logs are means over the epoch so far; their differences are the losses of single steps.
    func didStep(_ trainer: Trainer, batch: Int, logs: Logs) {
        if batch == 1 { sum = 0 }
        let total = logs["loss"]! * Double(batch)
        losses.append(total - sum)
        sum = total
    }
}
let steps = StepLosses()
let resnetImages = data.DataLoader(
    data.Subset(trainingSet, indices: Array(0..<resnetCount)), batchSize: 32, shuffle: true)
let resnetEpochs = options.isQuick || isFull ? 1 : 2
let falling = optim.CosineAnnealingLR(resnetTrainer.optimizer, tMax: resnetEpochs * resnetImages.count)
try resnetTrainer.fit(
    resnetImages, epochs: resnetEpochs, callbacks: [steps, Schedule(falling, every: .batch), report], verbose: false)
let lossFigure = plot.Figure(width: 640, height: 280)
lossFigure[0, 0].title = "ResNet-34, loss of each step"
lossFigure[0, 0].xLabel = "step"
lossFigure[0, 0].yLimits = 0...3
lossFigure[0, 0].line(steps.losses, label: "batch of 32")
lossFigure[0, 0].horizontalLine(at: 0.5, label: "0.5")
lossFigure.show()
// %% [markdown]
// ## Evaluated too early
//
// In evaluation, batch normalisation uses running means of what it saw in training. Keras keeps 99 % of the old value
// at each step, and starts with mean 0 and variance 1: after $n$ steps $0.99^n$ of that first guess is still in it.
// That is much where the true variance is small: behind the first convolution it is about 0.003, and 28 % of a guess
// of 1 are ninety times that. The signal is divided by far too much, in one layer after the other. The weights can be
// good while the figures in evaluation are no better than guessing: a reason why a network "trains but does not
// validate" in its first epochs.
//
// One can wait for a thousand steps. Or one can take the guess out again, as Adam does with its running means, which
// begin at 0: subtract $0.99^n$ of the guess, divide by $1 - 0.99^n$.
// %% The first guess taken out
let before = try resnetTrainer.evaluate(data.DataLoader(validationSet, batchSize: 250))
resnet.train()
noGrad {
    // Once more through the images, without training: the statistics of the last weights, not of those on the way.
    for (images, _) in resnetImages { _ = resnet(images) }
    for case let norm as nn.BatchNorm2d in resnet.modules {
        let left = pow(0.99, norm.numBatchesTracked!.item() as Double)
        norm.runningMean!.mul_(1 / (1 - left))
        norm.runningVar!.copy_(((norm.runningVar! - left) / (1 - left)).clamp(min: 0))
    }
}
let after = try resnetTrainer.evaluate(data.DataLoader(validationSet, batchSize: 250))
let untouched = pow(0.99, Double(resnetTrainer.step)) * 100
print(String(format: "after %d steps %.1f %% of the first guess is left", resnetTrainer.step, untouched))
print("validation with the running statistics as they are:", before)
print("validation with the first guess taken out:         ", after)
print("test:", try resnetTrainer.evaluate(data.DataLoader(test, batchSize: 250)))
// %% [markdown]
// ## To take along
//
// - A filter answers to a pattern; one that sums to 0 ignores brightness. Pooling forgets *where*.
// - `[N, H, W, C]` to `[N, C, H, W]` is a `permute`, never a `reshape`.
// - SAME padding at stride 2 is not `padding: 1`.
// - Give the loss logits, not probabilities.
// - A shortcut lets a deep network start as a shallow one.
// - Running statistics need time; with Keras's momentum, a thousand steps.
//
// Next: the layers written by hand with nothing but arrays, in
// [03-numpy-simple-convnet](../03-numpy-simple-convnet/main.swift).

// Lesson 5: the same digits with plain SGD and momentum, beside PyTorch's figures for the same recipe.
//     swift run notebook Notebooks-as-scripts/05-mnist-cnn-sgd-momentum/main.swift --html lesson.html
// %% [markdown]
// # Patience: SGD with momentum
//
// Lesson [01](../01-pytorch-mnist-cnn/main.swift) used Adam, which finds good step sizes by itself. Here the older way:
// stochastic gradient descent with momentum, a fixed and rather small learning rate, and a network with two linear
// layers. It learns more slowly, and one sees *how* it learns: for several passes nearly nothing happens, then nearly
// everything.
//
// **Faults met in lessons.** The recipe is that of a common tutorial, with two repairs. There a module is used that was
// never imported (`torchvision` itself, where only parts of it were); here the compiler would not let that pass. And
// there the optimiser is made from a network that does not exist yet, before the model is created. An optimiser holds the
// parameters that it is given; if the model is made anew afterwards, it moves weights that nobody uses, and nothing
// complains. So: **first the model, then its optimiser**.
//
// The same program was run in PyTorch, from the same seed. Its figures stand beside ours below.
// %% Imports
import ExampleSupport
import Foundation
import Tapestry
import data
import nn
import optim
import plot
import vision

let options = lessonOptions("05-mnist-cnn-sgd-momentum", epochs: (shipped: 10, all: 10))
manualSeed(0)
// %% [markdown]
// ## Normalised images
//
// `Normalize` takes the pixels from 0…1 to −1…1: $(x − 0.5) / 0.5$. Numbers around zero suit a network, because weights
// begin around zero too and a first layer that sees only positive inputs has to shift them itself. (Most pixels are
// black, so the mean after this is still far below zero. The mean and deviation of MNIST itself, 0.1307 and 0.3081,
// would centre it; with 0.5 and 0.5 we keep to the recipe.)
// %% The data
let transform = vision.transforms.Compose([vision.transforms.Normalize(mean: [0.5], std: [0.5])])
let training = try vision.datasets.MNIST(root: options.data, train: true, transform: transform)
let test = try vision.datasets.MNIST(root: options.data, train: false, transform: transform)
print("\(training.count) training and \(test.count) test images")

let pixels = plot.Figure(rows: 1, columns: 2, width: 760, height: 280)
pixels[0, 0].title = "What the network gets"
pixels[0, 0].images(training.batch(Array(0..<8)).inputs, columns: 4, range: -1...1)
pixels[0, 1].title = "Pixels of 200 images after normalising"
pixels[0, 1].histogram(training.batch(Array(0..<200)).inputs, bins: 40)
pixels[0, 1].yScale = .log
pixels.show()
// %% [markdown]
// ## The network
//
// The convolutions of lesson 01, then two linear layers instead of one. Look at where the 417,482 parameters are: 401,664
// of them in `fc1` alone.
// %% The model, and then its optimiser
final class CNN: nn.Module {
    let conv1 = nn.Conv2d(1, 16, kernelSize: 5, stride: 1, padding: 2)
    let relu1 = nn.ReLU()
    let pool1 = nn.MaxPool2d(2, stride: 2)
    let conv2 = nn.Conv2d(16, 32, kernelSize: 5, stride: 1, padding: 2)
    let relu2 = nn.ReLU()
    let pool2 = nn.MaxPool2d(2, stride: 2)
    let fc1 = nn.Linear(7 * 7 * 32, 256)
    let relu3 = nn.ReLU()
    let fc2 = nn.Linear(256, 10)

    /// What the last layer gets: 256 numbers an image.
    func features(_ x: Tensor) -> Tensor {
        let maps = pool2(relu2(conv2(pool1(relu1(conv1(x))))))
        return relu3(fc1(maps.view(-1, 7 * 7 * 32)))
    }
    override func forward(_ x: Tensor) -> Tensor { fc2(features(x)) }
}

let model = CNN()
let optimizer = optim.SGD(model.parameters(), lr: 0.001, momentum: 0.9)
print(model)
for (name, parameter) in model.namedParameters() { print("\(name): \(parameter.shape), \(parameter.count)") }
print(model.parameters().reduce(0) { $0 + $1.count }, "parameters")
// %% [markdown]
// ## What momentum does
//
// Plain SGD follows the gradient of the moment. With momentum $μ$ the step is a running sum, $v ← μ v + g$, of which each
// old gradient still counts a part. Where gradients agree from step to step they add up to $1 / (1 − μ)$ times the step:
// ten times, with 0.9. Where they flip their sign they cancel. On a long narrow valley, the usual shape of a loss, both
// help. Here is one: $f(x, y) = x^2 / 20 + y^2$, from the same point, with the same rate.
// %% A valley
func descend(momentum: Double, steps: Int = 60) -> (x: [Double], y: [Double]) {
    let point = Tensor([-9.0, 2.5], requiresGrad: true)
    let sgd = optim.SGD([point], lr: 0.1, momentum: momentum)
    var path = (x: [Double](), y: [Double]())
    for _ in 0..<steps {
        let values = point.array(Double.self)
        path.x.append(values[0])
        path.y.append(values[1])
        sgd.zeroGrad()
        (point * point * Tensor([0.05, 1.0])).sum().backward()
        sgd.step()
    }
    return path
}
let (plain, heavy) = (descend(momentum: 0), descend(momentum: 0.8))
let valley = plot.Figure(rows: 1, columns: 2, width: 840, height: 300)
valley[0, 0].title = "60 steps in a narrow valley"
valley[0, 0].line(plain.x, plain.y, label: "plain SGD", points: true)
valley[0, 0].line(heavy.x, heavy.y, label: "momentum 0.8", points: true)
valley[0, 0].xLabel = "x"
valley[0, 0].yLabel = "y"
valley[0, 1].title = "Distance from the lowest point"
valley[0, 1].xLabel = "step"
valley[0, 1].yScale = .log
func distances(_ path: (x: [Double], y: [Double])) -> [Double] {
    zip(path.x, path.y).map { ($0 * $0 + $1 * $1).squareRoot() }
}
valley[0, 1].line(distances(plain), label: "plain SGD").line(distances(heavy), label: "momentum 0.8")
valley.show()
// %% [markdown]
// ## Training
//
// Ten passes in batches of 128. The loss is printed every hundred steps (a pass has 79 here, and 469 with all of MNIST),
// and after each pass the test images are counted, always in the same order: shuffling them would change nothing but take
// time.
// %% Ten passes
let loader = data.DataLoader(training, batchSize: 128, shuffle: true)
let testLoader = data.DataLoader(test, batchSize: 128)
let epochs = options.epochs
var (losses, epochLosses, accuracies): ([Double], [Double], [Double]) = ([], [], [])
for epoch in 1...epochs {
    var (sum, count) = (0.0, 0)
    for (index, (images, labels)) in loader.enumerated() {
        let loss = F.crossEntropy(model(images), labels)
        optimizer.zeroGrad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        sum += losses.last! * Double(labels.count)
        count += labels.count
        if (index + 1) % 100 == 0 {
            let figure = String(format: "%.4f", losses.last!)
            print("Epoch [\(epoch)/\(epochs)], step [\(index + 1)/\(loader.count)], loss \(figure)")
        }
        if options.isQuick, index == 9 { break }
    }
    let correct = noGrad {
        testLoader.reduce(0) { $0 + model($1.0).argmax(dim: 1).eq($1.1).sum().item(Int.self) }
    }
    epochLosses.append(sum / Double(count))
    accuracies.append(Double(correct) / Double(test.count))
    print(
        String(
            format: "epoch %2d: mean loss %.4f, test accuracy %.2f %%", epoch, epochLosses.last!, accuracies.last! * 100
        ))
}
// %% [markdown]
// ## Beside PyTorch
//
// The figures of PyTorch 2 on the CPU for the same recipe: seed 0, the shipped 10,000 and 2,000 images, no other change.
// Weights and the order of the images come from the same random numbers, so the curves should not merely look alike.
// What differs are the last digits of sums that are added up in another order.
// %% The same recipe, two programs
let torchLosses = [2.2798, 2.2027, 1.9866, 1.3514, 0.6902, 0.4722, 0.3870, 0.3366, 0.3059, 0.2780]
let torchAccuracies = [0.3630, 0.4850, 0.5635, 0.7525, 0.8275, 0.8575, 0.8620, 0.8905, 0.8840, 0.9015]
if options.data == nil, !options.isQuick, epochs == torchLosses.count {
    print("epoch   loss here  PyTorch   accuracy here  PyTorch")
    for epoch in 0..<epochs {
        print(
            String(
                format: "%5d   %9.4f  %7.4f   %11.2f %%  %5.2f %%", epoch + 1, epochLosses[epoch], torchLosses[epoch],
                accuracies[epoch] * 100, torchAccuracies[epoch] * 100))
    }
}
let beside = plot.Figure(rows: 1, columns: 2, width: 840, height: 320)
beside[0, 0].title = "Loss"
beside[0, 0].xLabel = "step"
beside[0, 0].line(losses, label: "each batch", color: .grey(0.75))
let middles = epochLosses.indices.map { (Double($0) + 0.5) * Double(losses.count) / Double(epochs) }
beside[0, 0].line(middles, epochLosses, label: "mean of a pass", points: true)
beside[0, 1].title = "Accuracy on test images"
beside[0, 1].xLabel = "epoch"
beside[0, 1].yLimits = 0...1
beside[0, 1].legend = .bottomRight
beside[0, 1].line(1...epochs, accuracies, label: "Tapestry", points: true)
if options.data == nil {
    beside[0, 1].line(1...torchAccuracies.count, torchAccuracies, label: "PyTorch", style: .dashed)
}
beside.show()
// %% [markdown]
// The long flat beginning is not a fault. The last layers start with small weights, so little gradient reaches the
// convolutions; as they grow, more arrives, which makes them grow faster: the loss falls off a cliff. With all 60,000
// images (`--data DIR`) a pass has six times as many steps, and the cliff comes within the first.
//
// ## What the features look like
//
// `fc1` describes each image by 256 numbers. Drawn in the two directions in which 500 test images differ most (principal
// components), digits of a kind lie together, though nobody asked for that: it makes the last layer's work easy.
// %% Test images in two dimensions
let (someImages, someLabels) = test.batch(Array(0..<min(500, test.count)))
let features = noGrad { model.features(someImages) }
let centred = features - features.mean(dim: 0, keepdim: true)
/// The direction in which rows differ most: a vector that is multiplied by the covariance again and again turns to it.
func principalDirection(_ rows: Tensor) -> Tensor {
    var direction = Tensor.ones([rows.shape[1], 1])
    for _ in 0..<100 {
        direction = rows.T.matmul(rows.matmul(direction))
        direction = direction / direction.pow(2).sum().sqrt()
    }
    return direction
}
let first = principalDirection(centred)
let rest = centred - centred.matmul(first).matmul(first.T)
let second = principalDirection(rest)
let (across, up) = (centred.matmul(first).array(Double.self), centred.matmul(second).array(Double.self))
let map = plot.Figure(width: 640, height: 460)
map[0, 0].title = "500 test digits as the first linear layer sees them"
let digits = someLabels.array(Int.self)
for digit in 0..<10 {
    let members = digits.indices.filter { digits[$0] == digit }
    let color: Color? = digit == 8 ? .grey(0.7) : digit == 9 ? Color(0x8b, 0x1a, 0x1a) : nil
    map[0, 0].scatter(members.map { across[$0] }, members.map { up[$0] }, label: String(digit), color: color)
}
map.show()
// %% [markdown]
// ## To try
//
// - `lr: 0.01`: how many passes does the cliff take then?
// - Momentum 0 with the same rate: where does the loss stand after ten passes?
// - Make the optimiser, then assign a new `CNN()` to the model's variable, and watch nothing happen.

// Two networks against each other, one of which learns to draw digits: `swift run gan-mnist`.
import ExampleSupport
import Foundation
import Tapestry
import data
import nn
import optim
import vision

/// Draws [N, 1, 28, 28] in −1...1 from noise [N, 64].
final class Artist: nn.Module {
    static let noise = 64
    let layers: nn.Sequential = [
        nn.Linear(Artist.noise, 128 * 7 * 7, bias: false), nn.Unflatten(1, [128, 7, 7]), nn.BatchNorm2d(128), nn.ReLU(),
        nn.ConvTranspose2d(128, 64, kernelSize: 4, stride: 2, padding: 1, bias: false), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 1, kernelSize: 4, stride: 2, padding: 1), nn.Tanh(),
    ]
    override func forward(_ x: Tensor) -> Tensor { layers(x) }
}

/// One logit an image: above 0 where it takes it for real.
final class Critic: nn.Module {
    let layers: nn.Sequential = [
        nn.Conv2d(1, 32, kernelSize: 4, stride: 2, padding: 1), nn.LeakyReLU(negativeSlope: 0.2),
        nn.Conv2d(32, 64, kernelSize: 4, stride: 2, padding: 1, bias: false), nn.BatchNorm2d(64),
        nn.LeakyReLU(negativeSlope: 0.2), nn.Dropout(0.3), nn.Flatten(), nn.Linear(64 * 7 * 7, 1),
    ]
    override func forward(_ x: Tensor) -> Tensor { layers(x) }
}

/// Both, so that one file holds the weights of both.
final class Rivals: nn.Module {
    let artist = Artist()
    let critic = Critic()

    override init() {
        super.init()
        // Small weights: neither begins with an opinion of its own (Radford et al., 2015).
        for (name, parameter) in namedParameters() where name.hasSuffix("weight") && parameter.rank > 1 {
            nn.`init`.normal_(parameter, std: 0.02)
        }
    }
}

run("gan-mnist") { (settings: Settings) in
    let options = settings.training
    try options.begin()
    if let path = settings.png { try checkWritable(path) }
    let rivals = Rivals()
    try options.loadWeights(into: rivals)
    // The same noise all along shows how its pictures become digits.
    let noise = Tensor.randn([64, Artist.noise])
    if options.epochs > 0 {
        try train(rivals, settings, noise)
        try options.saveWeights(of: rivals)
    }
    show(rivals.artist, noise)
    if let path = settings.png {
        try writeGrid(rivals.artist, noise, to: path)
        print("Wrote 64 digits to \(path)")
    }
}

func train(_ rivals: Rivals, _ settings: Settings, _ noise: Tensor) throws {
    let options = settings.training
    let center = vision.transforms.Normalize(mean: [0.5], std: [0.5])
    var digits: any Dataset = try vision.datasets.MNIST(root: settings.folder, train: true, transform: center)
    if options.quick, digits.count > 640 { digits = Subset(digits, indices: Array(0..<640)) }
    let loader = data.DataLoader(digits, batchSize: options.batchSize, shuffle: true, dropLast: true)
    guard loader.count > 0 else {
        throw FileError(settings.folder ?? "MNIST", "has \(digits.count) images, fewer than a batch")
    }
    print("\(rivals)\n\(digits.count) digits, batch \(options.batchSize)")
    fflush(nil)

    let (artist, critic) = (rivals.artist, rivals.critic)
    // β₁ = 0.5 keeps a network that chases a moving target from overshooting (Radford et al., 2015).
    let artistOptimizer = optim.Adam(artist.parameters(), lr: options.learningRate, betas: (0.5, 0.999))
    let criticOptimizer = optim.Adam(critic.parameters(), lr: options.learningRate, betas: (0.5, 0.999))
    for epoch in 1...options.epochs {
        rivals.train()
        var progress = Progress(epoch: epoch, epochs: options.epochs, steps: loader.count)
        var (artistSum, criticSum) = (0.0, 0.0)
        for (step, (real, _)) in loader.enumerated() {
            let count = real.shape[0]
            let drawn = artist(Tensor.randn([count, Artist.noise]))

            // The critic: real ones are real (0.9, so that it never becomes too sure to be learned from; Salimans et
            // al., 2016), drawn ones are not. Detached, for this is none of the artist's business.
            criticOptimizer.zeroGrad()
            let criticLoss = loss(critic(real), target: 0.9) + loss(critic(drawn.detach()), target: 0)
            criticLoss.backward()
            criticOptimizer.step()

            // The artist: what it drew should pass for real. The critic's gradients are passed through and forgotten.
            artistOptimizer.zeroGrad()
            let artistLoss = loss(critic(drawn), target: 1)
            artistLoss.backward()
            artistOptimizer.step()

            criticSum += criticLoss.item()
            artistSum += artistLoss.item()
            let steps = Double(step + 1)
            progress.update(
                step: step + 1, items: (step + 1) * count,
                String(format: "critic %.3f  artist %.3f", criticSum / steps, artistSum / steps))
            try options.endIfInterrupted(rivals, progress)
        }
        print(
            String(
                format: "Epoch %d: critic's loss %.3f, artist's %.3f (%.1f s)", epoch,
                criticSum / Double(loader.count), artistSum / Double(loader.count), progress.seconds))
        fflush(nil)
    }
}

/// Cross-entropy of logits [N, 1] and one answer for all.
func loss(_ logits: Tensor, target: Double) -> Tensor {
    F.binaryCrossEntropyWithLogits(logits, Tensor.full(like: logits, target))
}

/// Pictures for noise, in 0...1: [N, 1, 28, 28].
func draw(_ artist: Artist, _ noise: Tensor) -> Tensor {
    artist.eval()
    return noGrad { artist(noise) * 0.5 + 0.5 }
}

/// Some digits in the terminal.
func show(_ artist: Artist, _ noise: Tensor) {
    let columns = terminalWidth(STDOUT_FILENO)
    let inRow = min(4, max(1, (columns ?? 120) / 29))
    for row in draw(artist, noise[0..<2 * inRow]).chunk(2) {
        print(picture(row, captions: [], color: columns != nil))
    }
}

/// All of them as one picture, eight in a row.
func writeGrid(_ artist: Artist, _ noise: Tensor, to path: String) throws {
    let grid = draw(artist, noise).reshape([8, 8, 28, 28]).permute([0, 2, 1, 3]).reshape([1, 224, 224])
    try vision.io.writePNG((grid * 255).round().to(.uint8), to: path)
}

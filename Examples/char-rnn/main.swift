// Learns a text letter by letter, then writes one: `swift run char-rnn`.
import ExampleSupport
import Foundation
import Tapestry
import nn
import optim

/// Which character comes next: an embedding, an LSTM, a linear layer. x: int64 [steps, rows]; logits
/// [steps, rows, characters].
final class CharacterModel: nn.Module {
    let embedding: nn.Embedding
    let lstm: nn.LSTM
    let out: nn.Linear

    init(characters: Int, hidden: Int) {
        embedding = nn.Embedding(characters, 32)
        lstm = nn.LSTM(32, hidden)
        out = nn.Linear(hidden, characters)
    }

    /// Logits, and the state to go on from.
    func callAsFunction(
        _ x: Tensor, _ state: (h: Tensor, c: Tensor)?
    ) -> (logits: Tensor, state: (h: Tensor, c: Tensor)) {
        let (output, state) = lstm(embedding(x), state)
        return (out(output), state)
    }
}

run("char-rnn") { (settings: Settings) in
    let options = settings.training
    try options.begin()
    let text = options.epochs > 0 || options.load == nil ? try readText(settings.text) : ""
    let (model, vocabulary) = try makeModel(text, settings)
    let prompt = try vocabulary.encode(settings.prompt ?? vocabulary.usualPrompt, from: "--prompt")
    if options.epochs > 0 {
        let source = settings.text ?? "sonnets.txt"
        var numbers = try vocabulary.encode(text, from: source)
        if options.quick { numbers = Array(numbers.prefix(2000)) }
        try train(model, numbers, vocabulary, source, options)
        try options.saveWeights(of: model, metadata: metadata(vocabulary))
    }
    print(write(model, vocabulary, prompt, settings))
}

/// A new model of a text's characters, or that of `--load` with the characters it was trained with.
func makeModel(_ text: String, _ settings: Settings) throws -> (CharacterModel, Vocabulary) {
    guard let path = settings.training.load else {
        let vocabulary = Vocabulary(of: text)
        return (CharacterModel(characters: vocabulary.characters.count, hidden: settings.hidden), vocabulary)
    }
    let file = try SafetensorsFile(path)
    guard let characters = file.metadata[Vocabulary.key], !characters.isEmpty,
        let gates = file.entries.first(where: { $0.name == "lstm.weight_hh_l0" }), gates.shape.count == 2,
        gates.shape[1] > 0
    else { throw FileError(path, "was not written by char-rnn: it has no '\(Vocabulary.key)' or no LSTM") }
    let vocabulary = Vocabulary(Array(characters.unicodeScalars))
    let weights = try loadSafetensors(from: path)
    guard weights["out.bias"]?.shape == [vocabulary.characters.count] else {
        throw FileError(path, "has \(vocabulary.characters.count) characters and another number of outputs")
    }
    let model = CharacterModel(characters: vocabulary.characters.count, hidden: gates.shape[1])
    try model.loadWeights(weights, from: path)
    return (model, vocabulary)
}

func metadata(_ vocabulary: Vocabulary) -> [String: String] { [Vocabulary.key: vocabulary.text] }

func train(
    _ model: CharacterModel, _ numbers: [Int], _ vocabulary: Vocabulary, _ source: String, _ options: TrainingOptions
) throws {
    let strands = try Strands(numbers, rows: options.batchSize, steps: 50, source: source)
    let parameters = model.parameters()
    print(
        "\(model)\n\(parameters.reduce(0) { $0 + $1.count }) parameters, \(numbers.count) characters, "
            + "\(vocabulary.characters.count) different ones")
    fflush(nil)
    let optimizer = optim.Adam(parameters, lr: options.learningRate)
    for epoch in 1...options.epochs {
        var progress = Progress(epoch: epoch, epochs: options.epochs, steps: strands.count)
        var state: (h: Tensor, c: Tensor)?
        var (items, lossSum) = (0, 0.0)
        for step in 0..<strands.count {
            let (inputs, targets) = strands.piece(step)
            // The state goes on, the tape does not: gradients reach back no further than this piece.
            let (logits, next) = model(inputs, state)
            state = (next.h.detach(), next.c.detach())
            let loss = F.crossEntropy(logits.flatten(startDim: 0, endDim: 1), targets.flatten())
            optimizer.zeroGrad()
            loss.backward()
            optim.clipGradNorm(parameters, maxNorm: 1)
            optimizer.step()

            items += targets.count
            lossSum += loss.item() * Double(targets.count)
            let mean = lossSum / Double(items)
            progress.update(
                step: step + 1, items: items, unit: "characters",
                String(format: "loss %.3f  %.2f bits each", mean, mean / log(2)))
            try options.endIfInterrupted(model, progress, metadata: metadata(vocabulary))
        }
    }
}

/// Text drawn character by character, beginning with the prompt, the numbers of some characters.
func write(_ model: CharacterModel, _ vocabulary: Vocabulary, _ prompt: [Int], _ settings: Settings) -> String {
    var inputs = prompt
    var text = String(String.UnicodeScalarView(prompt.map { vocabulary.characters[$0] }))
    var state: (h: Tensor, c: Tensor)?
    noGrad {
        for _ in 0..<settings.length {
            let (logits, next) = model(Tensor(inputs).unsqueeze(1), state)
            let last = logits.select(dim: 0, index: inputs.count - 1).squeeze(0)
            let number = F.softmax(last / settings.temperature, dim: 0).multinomial(1).item(Int.self)
            text.unicodeScalars.append(vocabulary.characters[number])
            (inputs, state) = ([number], next)
        }
    }
    return text
}

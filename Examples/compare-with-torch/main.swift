// Names the first layer where a model parts from the same model in PyTorch: `swift run compare-with-torch`.
import ExampleSupport
import Foundation
import Tapestry
import nn

run("compare-with-torch") { (settings: Settings) in
    _ = InstructionSet.current
    if let threads = settings.threads { numThreads = threads }
    if let path = settings.load {
        let dump = try Dump(path)
        let name = settings.model ?? dump.model
        guard let maker = makers[name] else {
            throw FileError(path, "is of model '\(name)', which this program does not know: add it to Models.swift")
        }
        let model = maker.make()
        try model.loadWeights(dump.start.state, from: path)
        if !agrees(Recording(model, dump.start), dump, name, settings) { exit(1) }
    } else if let path = settings.save {
        try checkWritable(path)
        let dump = ownDump(settings)
        try dump.write(to: path)
        print("Wrote a step of \(dump.model), \(dump.results.count) results, to \(path)")
    } else {
        demonstrate(settings)
    }
}

/// Compares and prints the verdict.
func agrees(_ recording: Recording, _ dump: Dump, _ name: String, _ settings: Settings) -> Bool {
    let mode = dump.start.isTraining ? "training" : "evaluation"
    print("\(name), input \(dump.start.input.shape), \(mode) mode")
    guard let drifted = compare(recording, with: dump, tolerance: settings.tolerance, verbose: settings.verbose) else {
        print("No drift")
        return true
    }
    print("The first drift: \(drifted)")
    return false
}

/// A step of a model of this program's own, weights and input drawn from the seed.
func ownDump(_ settings: Settings) -> Dump {
    manualSeed(settings.seed)
    let name = settings.model ?? "lenet5"
    let maker = makers[name]!  // Settings have checked the name.
    let model = maker.make()
    let input = Tensor.randn(maker.inputShape)
    let classes = noGrad { model.eval()(input).shape[1] }
    let state = model.stateDict().map { ($0.name, $0.tensor.clone()) }
    let start = Start(
        state: Dictionary(uniqueKeysWithValues: state), input: input,
        target: Tensor.randint(classes, [input.shape[0]]), isTraining: true, seed: settings.seed)
    let steps = Recording(model, start).steps
    return Dump(
        model: name, start: start, results: Dictionary(uniqueKeysWithValues: steps.map { ($0.name, $0.tensor) }))
}

/// A run against itself, then with one weight of the second half changed: the outputs before it agree, its layer is
/// named.
func demonstrate(_ settings: Settings) {
    let dump = ownDump(settings)
    let model = makers[dump.model]!.make()
    func run() -> Recording {
        // The state is this model's own: it fits.
        try! model.loadStateDict(dump.start.state)
        return Recording(model, dump.start)
    }
    _ = agrees(run(), dump, dump.model, settings)
    let parameters = model.namedParameters()
    let (name, _) = parameters[parameters.count / 2]
    print("\nThe same with the first element of \(name) changed by 1:")
    let changed = dump.start.state[name]!.clone()
    changed.flatten().narrow(dim: 0, start: 0, length: 1).add_(1)
    var state = dump.start.state
    state[name] = changed
    try! model.loadStateDict(state)
    _ = agrees(Recording(model, dump.start), dump, dump.model, settings)
}

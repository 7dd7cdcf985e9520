// The command line of compare-with-torch.
import ExampleSupport

struct Settings: ProgramSettings {
    let model: String?
    let load, save: String?
    let tolerance: Double
    let seed: UInt64
    let threads: Int?
    let quick: Bool
    let verbose: Bool

    static let flags: [Arguments.Flag] = [
        .init("--load", "FILE", "the dump to compare with, written by dump.py"),
        .init("--model", "NAME", "model to run (default: the one that the dump names, lenet5 without a dump)"),
        .init("--tolerance", "X", "allowed difference as a share of a tensor's largest element (default 0.001)"),
        .init("--save", "FILE", "write a dump of a run of this program's own, from the seed, to compare with later"),
        .init("--quick", nil, "go without a dump: a run against itself with one weight changed, to see a drift"),
        .init("--seed", "N", "seed of weights and input of --save and --quick (default 0)"),
        .threads,
        .init("--verbose", nil, "a line for every step, not only for the first that drifts"),
    ]

    static let summary =
        "compare-with-torch: where does a model part from the same model in PyTorch? Runs one training step from a\n"
        + "dump's weights and input, and names the first layer and element that differ. Status 1 if one does."
    static let examples = [
        "python3 Examples/compare-with-torch/dump.py --model resnet18 --out run.safetensors",
        "swift run compare-with-torch --load run.safetensors",
        "swift run compare-with-torch --load run.safetensors --model lenet5 --verbose",
        "swift run compare-with-torch --quick",
    ]

    init(_ arguments: Arguments) throws {
        load = arguments.string("--load")
        save = arguments.string("--save")
        quick = arguments.has("--quick")
        guard [load != nil, save != nil, quick].count(where: { $0 }) == 1 else {
            throw Arguments.UsageError(description: "expected one of --load FILE, --save FILE and --quick (see --help)")
        }
        model = try arguments.choice("--model", of: makers.keys.sorted())
        tolerance = try arguments.positive("--tolerance") ?? 1e-3
        seed = try arguments.seed()
        threads = try arguments.threads()
        verbose = arguments.has("--verbose")
    }
}

// Random numbers, shuffles and initialisation from a seed.
import Tapestry
import data
import nn

func runRandom(_ item: Case) throws {
    let seed = UInt64(item.json["seed"].int ?? 0)
    let outputs = item.json["outputs"].list ?? []
    let args = item.json["args"]
    switch item.json["op"].string {
    case "rng.DataLoader":
        manualSeed(seed)
        let own = args["generator_seed"].int.map { Generator(seed: UInt64($0)) }
        let indices = Tensor.arange(args["n"].int ?? 0)
        let loader = data.DataLoader(
            TensorDataset(indices, indices), batchSize: args["batch_size"].int ?? 1,
            shuffle: args["shuffle"].bool ?? false, dropLast: args["drop_last"].bool ?? false, generator: own)
        for (epoch, key) in outputs.enumerated() {
            let batches = loader.map { $0.0 }
            let order = batches.isEmpty ? Tensor.zeros([0], dtype: .int64) : Tensor.cat(batches)
            try item.expect("epoch \(epoch)", order, key.string)
        }
    default:
        if item.json["op"].string == "rng.random_split" {
            let indices = Tensor.arange(args["n"].int ?? 0)
            let parts = data.randomSplit(
                TensorDataset(indices, indices), args["lengths"].ints ?? [],
                generator: Generator(seed: UInt64(args["generator_seed"].int ?? 0)))
            for (part, key) in zip(parts, outputs) { try item.expect("part", Tensor(part.indices), key.string) }
            return
        }
        let generator: Generator
        if item.json["generator"].string == "own" {
            generator = Generator(seed: seed)
        } else {
            manualSeed(seed)
            generator = .default
        }
        for (index, call) in (item.json["calls"].list ?? []).enumerated() {
            let result = try draw(call["op"].string ?? "", Args(call["args"]), generator)
            if let sum = item.json["weighted_checksum"]["value"].int {
                let values = result.array(Int.self)
                let modulus =
                    item.json["weighted_checksum"]["m"].int ?? item.json["weighted_checksum"]["modulus"].int ?? 1
                let total = values.indices.reduce(0) { $0 + (($1 + 1) * values[$1]) % modulus }
                if total != sum { throw CaseError.mismatch("checksum \(total), expected \(sum)") }
                if values.sorted() != Array(values.indices) { throw CaseError.mismatch("not a permutation") }
                let head = item.json["head"].int ?? item.json["weighted_checksum"]["head"].int ?? 0
                try item.expect("head", result.narrow(dim: 0, start: 0, length: head), outputs[index].string)
                continue
            }
            try item.expect("result \(index)", result, outputs[index].string)
        }
    }
}

private func draw(_ op: String, _ args: Args, _ generator: Generator) throws -> Tensor {
    let size = args["size"].ints ?? []
    let type = try args["dtype"].string.map { try dtype($0) } ?? .float32
    switch op {
    case "rand": return Tensor.rand(size, dtype: type, generator: generator)
    case "randn": return Tensor.randn(size, dtype: type, generator: generator)
    case "randint": return Tensor.randint(args.int("low", 0), args.int("high", 1), size, generator: generator)
    case "randperm": return Tensor.randperm(args.int("n", 0), generator: generator)
    case "normal_":
        return Tensor.empty(size, dtype: type).normal_(
            args.double("mean", 0), args.double("std", 1), generator: generator)
    case "uniform_":
        return Tensor.empty(size, dtype: type).uniform_(
            args.double("from", 0), args.double("to", 1), generator: generator)
    case "random_": return Tensor.empty(size, dtype: .int64).random_(generator: generator)
    case "exponential_":
        return Tensor.empty(size, dtype: type).exponential_(args.double("lambd", 1), generator: generator)
    case "bernoulli": return Tensor.full(size, args.double("p", 0.5), dtype: type).bernoulli(generator: generator)
    case "bernoulli_": return Tensor.empty(size, dtype: type).bernoulli_(args.double("p", 0.5), generator: generator)
    case "dropout": return F.dropout(Tensor.ones(size, dtype: type), p: args.double("p", 0.5), generator: generator)
    case "multinomial":
        guard args.bool("replacement", false) else { throw CaseError.unsupported("multinomial without replacement") }
        return Tensor(args["input"].doubles ?? []).to(type).multinomial(
            args.int("num_samples", 1), generator: generator)
    default: throw CaseError.unsupported(op)
    }
}

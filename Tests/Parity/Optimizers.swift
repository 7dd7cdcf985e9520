// Optimisers, clipping, schedulers and whole training runs.
import Foundation
import Tapestry
import data
import nn
import optim
import vision

/// An optimiser by torch's name.
func makeOptimizer(_ name: String, _ groups: [Optimizer.ParameterGroup], _ a: Args) throws -> Optimizer {
    func betas(_ first: Double = 0.9, _ second: Double = 0.999) -> (Double, Double) {
        a["betas"].doubles.map { ($0[0], $0[1]) } ?? (first, second)
    }
    let optimizer: Optimizer
    switch name {
    case "optim.SGD":
        optimizer = optim.SGD(
            groups, lr: a.double("lr", 1e-3), momentum: a.double("momentum", 0), dampening: a.double("dampening", 0),
            weightDecay: a.double("weight_decay", 0), nesterov: a.bool("nesterov", false),
            maximize: a.bool("maximize", false))
    case "optim.Adam":
        optimizer = optim.Adam(
            groups, lr: a.double("lr", 1e-3), betas: betas(), eps: a.double("eps", 1e-8),
            weightDecay: a.double("weight_decay", 0), amsgrad: a.bool("amsgrad", false),
            maximize: a.bool("maximize", false), decoupledWeightDecay: a.bool("decoupled_weight_decay", false))
    case "optim.AdamW":
        optimizer = optim.AdamW(
            groups, lr: a.double("lr", 1e-3), betas: betas(), eps: a.double("eps", 1e-8),
            weightDecay: a.double("weight_decay", 1e-2), amsgrad: a.bool("amsgrad", false),
            maximize: a.bool("maximize", false))
    case "optim.NAdam":
        optimizer = optim.NAdam(
            groups, lr: a.double("lr", 2e-3), betas: betas(), eps: a.double("eps", 1e-8),
            weightDecay: a.double("weight_decay", 0), momentumDecay: a.double("momentum_decay", 4e-3),
            decoupledWeightDecay: a.bool("decoupled_weight_decay", false), maximize: a.bool("maximize", false))
    case "optim.RAdam":
        optimizer = optim.RAdam(
            groups, lr: a.double("lr", 1e-3), betas: betas(), eps: a.double("eps", 1e-8),
            weightDecay: a.double("weight_decay", 0), decoupledWeightDecay: a.bool("decoupled_weight_decay", false),
            maximize: a.bool("maximize", false))
    case "optim.Adamax":
        optimizer = optim.Adamax(
            groups, lr: a.double("lr", 2e-3), betas: betas(), eps: a.double("eps", 1e-8),
            weightDecay: a.double("weight_decay", 0), maximize: a.bool("maximize", false))
    case "optim.Adagrad":
        optimizer = optim.Adagrad(
            groups, lr: a.double("lr", 1e-2), lrDecay: a.double("lr_decay", 0),
            weightDecay: a.double("weight_decay", 0),
            initialAccumulatorValue: a.double("initial_accumulator_value", 0), eps: a.double("eps", 1e-10),
            maximize: a.bool("maximize", false))
    case "optim.Adadelta":
        optimizer = optim.Adadelta(
            groups, lr: a.double("lr", 1), rho: a.double("rho", 0.9), eps: a.double("eps", 1e-6),
            weightDecay: a.double("weight_decay", 0), maximize: a.bool("maximize", false))
    case "optim.RMSprop":
        optimizer = optim.RMSprop(
            groups, lr: a.double("lr", 1e-2), alpha: a.double("alpha", 0.99), eps: a.double("eps", 1e-8),
            weightDecay: a.double("weight_decay", 0), momentum: a.double("momentum", 0),
            centered: a.bool("centered", false), maximize: a.bool("maximize", false))
    case "optim.Rprop":
        let (etas, sizes) = (a["etas"].doubles ?? [0.5, 1.2], a["step_sizes"].doubles ?? [1e-6, 50])
        optimizer = optim.Rprop(
            groups, lr: a.double("lr", 1e-2), etas: (etas[0], etas[1]), stepSizes: (sizes[0], sizes[1]),
            maximize: a.bool("maximize", false))
    case "optim.ASGD":
        optimizer = optim.ASGD(
            groups, lr: a.double("lr", 1e-2), lambd: a.double("lambd", 1e-4), alpha: a.double("alpha", 0.75),
            t0: a.double("t0", 1e6), weightDecay: a.double("weight_decay", 0), maximize: a.bool("maximize", false))
    default: throw CaseError.unsupported(name)
    }
    try a.finish()
    return optimizer
}

/// Overrides of a group under the library's names.
func groupOptions(_ args: Value) -> [String: Double] {
    var result: [String: Double] = [:]
    for key in args.keys {
        let parts = key.split(separator: "_")
        let name = parts.enumerated().map { $0 == 0 ? String($1) : $1.prefix(1).uppercased() + $1.dropFirst() }.joined()
        if key == "betas", let both = args[key].doubles {
            (result["beta1"], result["beta2"]) = (both[0], both[1])
        } else {
            result[name] = args[key].double ?? (args[key].bool == true ? 1 : 0)
        }
    }
    return result
}

func runOptim(_ item: Case) throws {
    let json = item.json["params"].list ?? []
    let parameters = try json.map { try item.tensor($0["init"].string).requiresGrad() }
    let groups: [Optimizer.ParameterGroup] =
        item.json["param_groups"].list?.map { group in
            .init((group["params"].ints ?? []).map { parameters[$0] }, groupOptions(group["args"]))
        } ?? [.init(parameters)]
    let optimizer = try makeOptimizer(item.json["op"].string ?? "", groups, Args(item.json["args"]))
    let gradients = try json.map { try item.tensor($0["grads"].string) }
    let after = try json.map { try item.tensor($0["after"].string) }
    for step in 0..<(item.json["steps"].int ?? 0) {
        for (index, parameter) in parameters.enumerated() {
            let isAbsent = (json[index]["none_steps"].ints ?? []).contains(step)
            parameter.grad = isAbsent ? nil : gradients[index].select(dim: 0, index: step).clone()
        }
        optimizer.step()
        for (index, parameter) in parameters.enumerated() {
            try compare(
                "parameter \(index) after step \(step)", parameter.detach(), after[index].select(dim: 0, index: step),
                rtol: item.rtol, atol: item.atol)
        }
    }
}

func runClip(_ item: Case) throws {
    let json = item.json["params"].list ?? []
    let parameters = try json.map { entry in
        let gradient = try item.tensor(entry["grad"].string)
        let parameter = Tensor.zeros(like: gradient).requiresGrad()
        parameter.grad = gradient
        return parameter
    }
    let args = Args(item.json["args"])
    switch item.json["op"].string {
    case "utils.clip_grad_norm_":
        let total = optim.clipGradNorm(
            parameters, maxNorm: args.double("max_norm", 1), normType: args.double("norm_type", 2))
        if let key = item.json["total_norm"].string { try item.expect("total norm", total, key) }
    case "utils.clip_grad_value_": optim.clipGradValue(parameters, clipValue: args.double("clip_value", 1))
    case let name: throw CaseError.unsupported(name ?? "")
    }
    try args.finish()
    for (index, parameter) in parameters.enumerated() {
        try item.expect("gradient \(index)", parameter.grad, json[index]["after"].string)
    }
}

/// Trains on MNIST and lays the losses beside PyTorch's.
func runTrajectory(_ item: Case) throws {
    let json = item.json
    let type = try dtype(json["dtype"].string)
    let model: Sequential
    if json["init"]["from"].string == "tensors" {
        model = try sequential(json["model"])
        var state: [String: Tensor] = [:]
        for name in json["init"]["state"].keys { state[name] = try item.tensor(json["init"]["state"][name].string) }
        try model.loadStateDict(state)
    } else {
        manualSeed(UInt64(json["init"]["seed"].int ?? 0))
        model = try sequential(json["model"])
        for step in json["init"]["recipe"].list ?? [] {
            let target = model.namedParameters().first { $0.name == step.list?[0].string }?.parameter
            guard let target else { throw CaseError.broken("recipe names no parameter") }
            let name = step.list?[1].string ?? ""
            try initialize(name.hasPrefix("init.") ? name : "init." + name, target, Args(step.list?[2] ?? Value(nil)))
        }
    }
    model.to(type)
    let start = model.parameters().map { $0.detach().clone() }
    let settings = json["data"]
    func images(_ set: vision.datasets.MNIST, _ rows: Tensor) -> Tensor {
        var x = set.data.indexSelect(dim: 0, index: rows).unsqueeze(1).to(.float64) / 255
        if let pad = settings["zero_pad"].int, pad > 0 { x = x.pad([pad, pad, pad, pad]) }
        if let channels = settings["repeat_channels"].int { x = x.repeat([1, channels, 1, 1]) }
        if let mean = settings["mean"].doubles, let std = settings["std"].doubles {
            x = (x - Tensor(mean).reshape([mean.count, 1, 1])) / Tensor(std).reshape([std.count, 1, 1])
        }
        return x.to(type)
    }
    let train = try vision.datasets.MNIST(root: mnistFolder, train: true)
    let optimizer = try makeOptimizer(
        json["optimizer"]["op"].string ?? "", [.init(model.parameters())], Args(json["optimizer"]["args"]))
    let indices = try item.tensor(json["indices"].string)
    var losses: [Double] = []
    model.train()
    for step in 0..<(json["steps"].int ?? 0) {
        let rows = indices.select(dim: 0, index: step)
        let loss = F.crossEntropy(model(images(train, rows)), train.targets.indexSelect(dim: 0, index: rows))
        optimizer.zeroGrad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    }
    try item.expect("losses", Tensor(losses), json["expected_loss"].string)
    let test = try vision.datasets.MNIST(root: mnistFolder, train: false)
    let count = json["test"]["count"].int ?? 0
    model.eval()
    var (correct, total) = (0, 0.0)
    noGrad {
        for start in stride(from: 0, to: count, by: 500) {
            let rows = Tensor.arange(start, min(count, start + 500))
            let output = model(images(test, rows))
            let labels = test.targets.indexSelect(dim: 0, index: rows)
            correct += output.argmax(dim: 1).eq(labels).sum().item(Int.self)
            total += F.crossEntropy(output, labels, reduction: .sum).item()
        }
    }
    let expectedCorrect = json["test"]["expected_correct"].int ?? 0
    if abs(correct - expectedCorrect) > json["test"]["tolerance_correct"].int ?? 0 {
        throw CaseError.mismatch("\(correct) test images right, expected \(expectedCorrect)")
    }
    let expectedLoss = json["test"]["expected_loss"].double ?? 0
    if !(abs(total / Double(count) - expectedLoss) <= json["test"]["loss_atol"].double ?? 0) {
        throw CaseError.mismatch("test loss \(total / Double(count)), expected \(expectedLoss)")
    }
    for (index, (name, parameter)) in model.namedParameters().enumerated() {
        guard let norms = json["final"]["params"][name].doubles else { continue }
        let value = parameter.detach().to(.float64)
        let found = [value.norm().item() as Double, (value - start[index].to(.float64)).norm().item()]
        for (a, b) in zip(found, norms) where !(abs(a - b) <= (json["final"]["rtol"].double ?? 0) * abs(b) + 1e-9) {
            throw CaseError.mismatch("norm of \(name) is \(a), expected \(b)")
        }
    }
}

// Learning rates by torch's schedulers.
import Foundation
import Tapestry
import optim

func makeScheduler(_ name: String, _ optimizer: Optimizer, _ a: Args) throws -> LRScheduler {
    func list() throws -> [LRScheduler] {
        try (a["schedulers"].list ?? []).map {
            try makeScheduler($0["op"].string ?? "", optimizer, Args($0["args"]))
        }
    }
    let scheduler: LRScheduler
    switch name.replacingOccurrences(of: "lr_scheduler.", with: "") {
    case "StepLR": scheduler = StepLR(optimizer, stepSize: a.int("step_size", 1), gamma: a.double("gamma", 0.1))
    case "MultiStepLR":
        scheduler = MultiStepLR(optimizer, milestones: a["milestones"].ints ?? [], gamma: a.double("gamma", 0.1))
    case "ConstantLR":
        scheduler = ConstantLR(optimizer, factor: a.double("factor", 1.0 / 3), totalIters: a.int("total_iters", 5))
    case "LinearLR":
        scheduler = LinearLR(
            optimizer, startFactor: a.double("start_factor", 1.0 / 3), endFactor: a.double("end_factor", 1),
            totalIters: a.int("total_iters", 5))
    case "ExponentialLR": scheduler = ExponentialLR(optimizer, gamma: a.double("gamma", 1))
    case "PolynomialLR":
        scheduler = PolynomialLR(optimizer, totalIters: a.int("total_iters", 5), power: a.double("power", 1))
    case "CosineAnnealingLR":
        scheduler = CosineAnnealingLR(optimizer, tMax: a.int("T_max", 1), etaMin: a.double("eta_min", 0))
    case "CosineAnnealingWarmRestarts":
        scheduler = CosineAnnealingWarmRestarts(
            optimizer, t0: a.int("T_0", 1), tMult: a.int("T_mult", 1), etaMin: a.double("eta_min", 0))
    case "OneCycleLR":
        let total = a["total_steps"].int ?? a.int("epochs", 1) * a.int("steps_per_epoch", 1)
        _ = (a["epochs"], a["steps_per_epoch"])
        scheduler = OneCycleLR(
            optimizer, maxLR: a["max_lr"].doubles ?? [], totalSteps: total, pctStart: a.double("pct_start", 0.3),
            annealStrategy: OneCycleLR.Anneal(rawValue: a["anneal_strategy"].string ?? "cos") ?? .cos,
            cycleMomentum: a.bool("cycle_momentum", true), baseMomentum: a.double("base_momentum", 0.85),
            maxMomentum: a.double("max_momentum", 0.95), divFactor: a.double("div_factor", 25),
            finalDivFactor: a.double("final_div_factor", 1e4), threePhase: a.bool("three_phase", false))
    case "CyclicLR":
        scheduler = CyclicLR(
            optimizer, baseLR: a.double("base_lr", 0), maxLR: a.double("max_lr", 0),
            stepSizeUp: a.int("step_size_up", 2000),
            stepSizeDown: a["step_size_down"].int,
            mode: CyclicLR.Mode(rawValue: a["mode"].string ?? "triangular") ?? .triangular,
            gamma: a.double("gamma", 1), cycleMomentum: a.bool("cycle_momentum", true),
            baseMomentum: a.double("base_momentum", 0.8), maxMomentum: a.double("max_momentum", 0.9))
    case "SequentialLR":
        scheduler = SequentialLR(optimizer, schedulers: try list(), milestones: a["milestones"].ints ?? [])
    case "ChainedScheduler": scheduler = ChainedScheduler(try list())
    default: throw CaseError.unsupported(name)
    }
    try a.finish()
    return scheduler
}

func runScheduler(_ item: Case) throws {
    let json = item.json
    let settings = json["optimizer"]
    let groups: [Optimizer.ParameterGroup] =
        (settings["group_lrs"].doubles ?? json["group_lrs"].doubles)?.map {
            .init([Tensor.zeros([1]).requiresGrad()], ["lr": $0])
        } ?? [.init([Tensor.zeros([1]).requiresGrad()])]
    let optimizer = try makeOptimizer(settings["op"].string ?? "", groups, Args(settings["args"]))
    let advance: (Int) -> Void
    if json["op"].string == "lr_scheduler.ReduceLROnPlateau" {
        let a = Args(json["args"])
        let scheduler = ReduceLROnPlateau(
            optimizer, mode: ReduceLROnPlateau.Mode(rawValue: a["mode"].string ?? "min") ?? .min,
            factor: a.double("factor", 0.1), patience: a.int("patience", 10), threshold: a.double("threshold", 1e-4),
            thresholdMode: ReduceLROnPlateau.ThresholdMode(rawValue: a["threshold_mode"].string ?? "rel") ?? .rel,
            cooldown: a.int("cooldown", 0), minLR: a.double("min_lr", 0), eps: a.double("eps", 1e-8))
        try a.finish()
        let metrics = json["metrics"].doubles ?? []
        advance = { scheduler.step(metrics[$0]) }
    } else {
        let scheduler = try makeScheduler(json["op"].string ?? "", optimizer, Args(json["args"]))
        advance = { _ in scheduler.step() }
    }
    func check(_ name: String, _ step: Int, _ found: [Double], _ expected: Value) throws {
        for (a, b) in zip(found, expected.list?[step].doubles ?? [])
        where !(abs(a - b) <= item.atol + item.rtol * abs(b)) {
            throw CaseError.mismatch("\(name) after \(step) steps is \(a), expected \(b)")
        }
    }
    for step in 0...(json["steps"].int ?? 0) {
        if step > 0 {
            optimizer.step()
            advance(step - 1)
        }
        try check("lr", step, optimizer.parameterGroups.map(\.lr), json["expected_lr"])
        if json["expected_momentum"].exists {
            let momenta = optimizer.parameterGroups.map { $0.options["beta1"] ?? $0.options["momentum"] ?? 0 }
            let expected = json["expected_momentum"]
            let row = expected.list?[step]
            if let single = row?.double {
                if !(abs(momenta[0] - single) <= item.atol + item.rtol * abs(single)) {
                    throw CaseError.mismatch("momentum after \(step) steps is \(momenta[0]), expected \(single)")
                }
            } else {
                try check("momentum", step, momenta, expected)
            }
        }
    }
}

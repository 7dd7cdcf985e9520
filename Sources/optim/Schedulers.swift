// Learning rates that change from step to step. Each mirrors the class of its name in torch.optim.lr_scheduler and
// has its recursive form, so that schedulers can be chained.
import Foundation

/// Changes an optimiser's learning rates: `step()` after each epoch or batch, as the class says.
open class LRScheduler {
    public let optimizer: Optimizer
    /// Steps so far.
    public fileprivate(set) var lastEpoch = -1
    /// Learning rates that the groups began with.
    private(set) var baseRates: [Double]

    init(_ optimizer: Optimizer) {
        self.optimizer = optimizer
        for index in optimizer.parameterGroups.indices where optimizer.parameterGroups[index].initialLR == nil {
            optimizer.parameterGroups[index].initialLR = optimizer.parameterGroups[index].lr
        }
        baseRates = optimizer.parameterGroups.map { $0.initialLR! }
    }

    /// The rates now.
    public var lastRates: [Double] { optimizer.parameterGroups.map(\.lr) }

    /// The rates for `lastEpoch`, given those for the epoch before (which the groups have).
    func rates() -> [Double] { lastRates }
    /// The rates for `lastEpoch` by itself, where there is such a form.
    func closedForm() -> [Double]? { nil }

    /// Goes on to the next step.
    public func step() {
        lastEpoch += 1
        set(rates())
    }

    /// What the scheduler must keep to go on where it stopped, by name; the rates themselves are the optimiser's state.
    /// Functions (of `LambdaLR`) are not kept. Mirrors `state_dict`.
    public func stateDict() -> [String: Double] {
        var result = ["lastEpoch": Double(lastEpoch)]
        for (index, rate) in baseRates.enumerated() { result["baseLR.\(index)"] = rate }
        return result
    }
    /// Takes on what `stateDict` of a scheduler built alike gave; keys that are missing, and counts that
    /// are none, leave the value as it is.
    public func loadStateDict(_ state: [String: Double]) {
        // −1 is the state before the first step.
        if let steps = count(state["lastEpoch"].map { $0 + 1 }) { lastEpoch = steps - 1 }
        baseRates = baseRates.enumerated().map { state["baseLR.\($0)"] ?? $1 }
    }

    /// Begins anew in the middle of a sequence.
    func restart() {
        lastEpoch = 0
        set(closedForm() ?? rates())
    }
    /// Takes the initial step back.
    func undo() { lastEpoch -= 1 }

    func set(_ rates: [Double]) {
        for (index, rate) in rates.enumerated() { optimizer.parameterGroups[index].lr = rate }
    }
    /// The rates now, each times a factor.
    func scaled(_ factor: Double) -> [Double] { lastRates.map { $0 * factor } }
}

/// Times `gamma` every `stepSize` steps.
public final class StepLR: LRScheduler {
    let stepSize: Int, gamma: Double
    public init(_ optimizer: Optimizer, stepSize: Int, gamma: Double = 0.1) {
        (self.stepSize, self.gamma) = (stepSize, gamma)
        super.init(optimizer)
        step()
    }
    override func rates() -> [Double] { lastEpoch == 0 || lastEpoch % stepSize != 0 ? lastRates : scaled(gamma) }
    override func closedForm() -> [Double]? { baseRates.map { $0 * pow(gamma, Double(lastEpoch / stepSize)) } }
}

/// Times `gamma` at each milestone.
public final class MultiStepLR: LRScheduler {
    let milestones: [Int], gamma: Double
    public init(_ optimizer: Optimizer, milestones: [Int], gamma: Double = 0.1) {
        (self.milestones, self.gamma) = (milestones, gamma)
        super.init(optimizer)
        step()
    }
    override func rates() -> [Double] {
        let count = milestones.filter { $0 == lastEpoch }.count
        return count == 0 ? lastRates : scaled(pow(gamma, Double(count)))
    }
    override func closedForm() -> [Double]? {
        baseRates.map { $0 * pow(gamma, Double(milestones.filter { $0 <= lastEpoch }.count)) }
    }
}

/// Times `factor` for the first `totalIters` steps.
public final class ConstantLR: LRScheduler {
    let factor: Double, totalIters: Int
    public init(_ optimizer: Optimizer, factor: Double = 1.0 / 3, totalIters: Int = 5) {
        (self.factor, self.totalIters) = (factor, totalIters)
        super.init(optimizer)
        step()
    }
    override func rates() -> [Double] {
        if lastEpoch == 0 { return scaled(factor) }
        return lastEpoch == totalIters ? scaled(1 / factor) : lastRates
    }
    override func closedForm() -> [Double]? { baseRates.map { $0 * (lastEpoch >= totalIters ? 1 : factor) } }
}

/// From `startFactor` to `endFactor` of the rate in `totalIters` equal steps.
public final class LinearLR: LRScheduler {
    let startFactor, endFactor: Double, totalIters: Int
    public init(_ optimizer: Optimizer, startFactor: Double = 1.0 / 3, endFactor: Double = 1, totalIters: Int = 5) {
        (self.startFactor, self.endFactor, self.totalIters) = (startFactor, endFactor, totalIters)
        super.init(optimizer)
        step()
    }
    override func rates() -> [Double] {
        if lastEpoch == 0 { return scaled(startFactor) }
        if lastEpoch > totalIters { return lastRates }
        let range = endFactor - startFactor
        return scaled(1 + range / (Double(totalIters) * startFactor + Double(lastEpoch - 1) * range))
    }
    override func closedForm() -> [Double]? {
        let share = Double(min(totalIters, lastEpoch)) / Double(totalIters)
        return baseRates.map { $0 * (startFactor + (endFactor - startFactor) * share) }
    }
}

/// Times `gamma` every step.
public final class ExponentialLR: LRScheduler {
    let gamma: Double
    public init(_ optimizer: Optimizer, gamma: Double) {
        self.gamma = gamma
        super.init(optimizer)
        step()
    }
    override func rates() -> [Double] { lastEpoch == 0 ? lastRates : scaled(gamma) }
    override func closedForm() -> [Double]? { baseRates.map { $0 * pow(gamma, Double(lastEpoch)) } }
}

/// To zero in `totalIters` steps by a power of what is left.
public final class PolynomialLR: LRScheduler {
    let totalIters: Int, power: Double
    public init(_ optimizer: Optimizer, totalIters: Int = 5, power: Double = 1) {
        (self.totalIters, self.power) = (totalIters, power)
        super.init(optimizer)
        step()
    }
    override func rates() -> [Double] {
        if lastEpoch == 0 || lastEpoch > totalIters { return lastRates }
        let total = Double(totalIters)
        return scaled(pow((1 - Double(lastEpoch) / total) / (1 - Double(lastEpoch - 1) / total), power))
    }
    override func closedForm() -> [Double]? {
        baseRates.map { $0 * pow(1 - Double(min(totalIters, lastEpoch)) / Double(totalIters), power) }
    }
}

/// Half a cosine from the rate to `etaMin` in `tMax` steps, and back (Loshchilov & Hutter, 2017).
public final class CosineAnnealingLR: LRScheduler {
    let tMax: Int, etaMin: Double
    public init(_ optimizer: Optimizer, tMax: Int, etaMin: Double = 0) {
        (self.tMax, self.etaMin) = (tMax, etaMin)
        super.init(optimizer)
        step()
    }
    override func rates() -> [Double] {
        if lastEpoch == 0 { return lastRates }
        let step = Double.pi / Double(tMax)
        if (lastEpoch - 1 - tMax) % (2 * tMax) == 0 {
            return zip(lastRates, baseRates).map { $0 + ($1 - etaMin) * (1 - cos(step)) / 2 }
        }
        let ratio = (1 + cos(step * Double(lastEpoch))) / (1 + cos(step * Double(lastEpoch - 1)))
        return lastRates.map { ratio * ($0 - etaMin) + etaMin }
    }
    override func closedForm() -> [Double]? {
        baseRates.map { etaMin + ($0 - etaMin) * (1 + cos(Double.pi * Double(lastEpoch) / Double(tMax))) / 2 }
    }
}

/// Half cosines, each `tMult` times as long as the one before (Loshchilov & Hutter, 2017).
public final class CosineAnnealingWarmRestarts: LRScheduler {
    let tMult: Int, etaMin: Double
    private var length: Int
    private var position = 0
    public init(_ optimizer: Optimizer, t0: Int, tMult: Int = 1, etaMin: Double = 0) {
        (length, self.tMult, self.etaMin) = (t0, tMult, etaMin)
        super.init(optimizer)
        step()
    }
    override func rates() -> [Double] {
        baseRates.map { etaMin + ($0 - etaMin) * (1 + cos(Double.pi * Double(position) / Double(length))) / 2 }
    }
    public override func step() {
        if lastEpoch < 0 {
            position = 0
        } else {
            position += 1
            if position >= length {
                position %= length
                length *= tMult
            }
        }
        super.step()
    }
    public override func stateDict() -> [String: Double] {
        super.stateDict().merging(["position": Double(position), "length": Double(length)]) { $1 }
    }
    public override func loadStateDict(_ state: [String: Double]) {
        super.loadStateDict(state)
        if let value = count(state["position"]) { position = value }
        if let value = count(state["length"]), value > 0 { length = value }
    }
}

/// The rate times a function of the step, one function a group or one for all.
public final class LambdaLR: LRScheduler {
    let factors: [(Int) -> Double]
    public init(_ optimizer: Optimizer, _ factors: [(Int) -> Double]) {
        precondition(
            factors.count == 1 || factors.count == optimizer.parameterGroups.count,
            "LambdaLR: \(factors.count) functions for \(optimizer.parameterGroups.count) groups")
        self.factors = factors
        super.init(optimizer)
        step()
    }
    public convenience init(_ optimizer: Optimizer, _ factor: @escaping (Int) -> Double) {
        self.init(optimizer, [factor])
    }
    override func rates() -> [Double] {
        baseRates.enumerated().map { $1 * factors[factors.count == 1 ? 0 : $0](lastEpoch) }
    }
}

/// One scheduler after another, changing at the milestones.
public final class SequentialLR: LRScheduler {
    let schedulers: [LRScheduler], milestones: [Int]
    public init(_ optimizer: Optimizer, schedulers: [LRScheduler], milestones: [Int]) {
        precondition(
            !schedulers.isEmpty && milestones.count == schedulers.count - 1,
            "SequentialLR: \(schedulers.count) schedulers need \(schedulers.count - 1) milestones")
        (self.schedulers, self.milestones) = (schedulers, milestones)
        super.init(optimizer)
        lastEpoch = 0
        set(baseRates)
        undo()
        lastEpoch = 0
        schedulers[milestones.filter { $0 <= 0 }.count].step()
    }
    public override func step() {
        lastEpoch += 1
        let index = milestones.filter { $0 <= lastEpoch }.count
        if index > 0, milestones[index - 1] == lastEpoch {
            schedulers[index].restart()
        } else {
            schedulers[index].step()
        }
    }
    override func undo() { for scheduler in schedulers { scheduler.undo() } }
    public override func stateDict() -> [String: Double] { super.stateDict().merging(nested(schedulers)) { $1 } }
    public override func loadStateDict(_ state: [String: Double]) {
        super.loadStateDict(state)
        load(state, into: schedulers)
    }
}

/// Several schedulers at once: each changes what the one before left.
public final class ChainedScheduler: LRScheduler {
    let schedulers: [LRScheduler]
    public init(_ schedulers: [LRScheduler]) {
        precondition(!schedulers.isEmpty, "ChainedScheduler: there are no schedulers")
        self.schedulers = schedulers
        super.init(schedulers[0].optimizer)
        lastEpoch = 0
    }
    public override func step() {
        lastEpoch += 1
        for scheduler in schedulers { scheduler.step() }
    }
    override func undo() { for scheduler in schedulers { scheduler.undo() } }
    public override func stateDict() -> [String: Double] { super.stateDict().merging(nested(schedulers)) { $1 } }
    public override func loadStateDict(_ state: [String: Double]) {
        super.loadStateDict(state)
        load(state, into: schedulers)
    }
}

/// States of schedulers inside another, each under `INDEX.`.
private func nested(_ schedulers: [LRScheduler]) -> [String: Double] {
    var result: [String: Double] = [:]
    for (index, scheduler) in schedulers.enumerated() {
        for (name, value) in scheduler.stateDict() { result["\(index).\(name)"] = value }
    }
    return result
}
private func load(_ state: [String: Double], into schedulers: [LRScheduler]) {
    for (index, scheduler) in schedulers.enumerated() {
        let own = state.filter { $0.key.hasPrefix("\(index).") }
        scheduler.loadStateDict(
            Dictionary(uniqueKeysWithValues: own.map { (String($0.key.dropFirst("\(index).".count)), $0.value) }))
    }
}

// Schedulers that move momentum against the learning rate, and the one that watches a metric.
import Foundation

extension Optimizer {
    /// Sets the momentum of a group, or β₁ where that is what plays its part.
    func setMomentum(_ value: Double, group: Int) {
        let name = parameterGroups[group].options["beta1"] != nil ? "beta1" : "momentum"
        precondition(parameterGroups[group].options[name] != nil, "scheduler: the optimizer has no momentum to cycle")
        parameterGroups[group][name] = value
    }
}

/// Up to a largest rate and far down again, momentum the other way, over a whole training of `totalSteps` batches
/// (Smith & Topin, 2018).
public final class OneCycleLR: LRScheduler {
    /// How the rate goes between two values.
    public enum Anneal: String, Sendable { case cos, linear }
    private struct Phase {
        let end: Double
        let from, to, momentumFrom, momentumTo: Double
    }
    private let phases: [[Phase]]
    private let anneal: Anneal
    private let cycleMomentum: Bool

    public init(
        _ optimizer: Optimizer, maxLR: [Double], totalSteps: Int, pctStart: Double = 0.3, annealStrategy: Anneal = .cos,
        cycleMomentum: Bool = true, baseMomentum: Double = 0.85, maxMomentum: Double = 0.95, divFactor: Double = 25,
        finalDivFactor: Double = 1e4, threePhase: Bool = false
    ) {
        let total = Double(totalSteps)
        phases = optimizer.parameterGroups.indices.map { group in
            let most = maxLR[maxLR.count == 1 ? 0 : group]
            let initial = most / divFactor
            let least = initial / finalDivFactor
            let up = Phase(
                end: pctStart * total - 1, from: initial, to: most, momentumFrom: maxMomentum, momentumTo: baseMomentum)
            guard threePhase else {
                let down = Phase(
                    end: total - 1, from: most, to: least, momentumFrom: baseMomentum, momentumTo: maxMomentum)
                return [up, down]
            }
            return [
                up,
                Phase(
                    end: 2 * pctStart * total - 2, from: most, to: initial, momentumFrom: baseMomentum,
                    momentumTo: maxMomentum),
                Phase(end: total - 1, from: initial, to: least, momentumFrom: maxMomentum, momentumTo: maxMomentum),
            ]
        }
        (anneal, self.cycleMomentum) = (annealStrategy, cycleMomentum)
        super.init(optimizer)
        for index in optimizer.parameterGroups.indices {
            optimizer.parameterGroups[index].initialLR = phases[index][0].from
        }
        step()
    }
    public convenience init(
        _ optimizer: Optimizer, maxLR: Double, totalSteps: Int, pctStart: Double = 0.3, annealStrategy: Anneal = .cos,
        cycleMomentum: Bool = true, baseMomentum: Double = 0.85, maxMomentum: Double = 0.95, divFactor: Double = 25,
        finalDivFactor: Double = 1e4, threePhase: Bool = false
    ) {
        self.init(
            optimizer, maxLR: [maxLR], totalSteps: totalSteps, pctStart: pctStart, annealStrategy: annealStrategy,
            cycleMomentum: cycleMomentum, baseMomentum: baseMomentum, maxMomentum: maxMomentum, divFactor: divFactor,
            finalDivFactor: finalDivFactor, threePhase: threePhase)
    }

    override func rates() -> [Double] {
        phases.enumerated().map { group, phases in
            var start = 0.0
            for (index, phase) in phases.enumerated() {
                guard Double(lastEpoch) <= phase.end || index == phases.count - 1 else {
                    start = phase.end
                    continue
                }
                let share = (Double(lastEpoch) - start) / (phase.end - start)
                if cycleMomentum {
                    optimizer.setMomentum(between(phase.momentumFrom, phase.momentumTo, share), group: group)
                }
                return between(phase.from, phase.to, share)
            }
            return optimizer.parameterGroups[group].lr
        }
    }
    private func between(_ from: Double, _ to: Double, _ share: Double) -> Double {
        anneal == .cos ? to + (from - to) / 2 * (1 + cos(Double.pi * share)) : from + (to - from) * share
    }
}

/// Up and down between two rates, momentum the other way (Smith, 2017).
public final class CyclicLR: LRScheduler {
    /// How the height of the cycles changes: not, halved each cycle, or times `gamma` each step.
    public enum Mode: String, Sendable { case triangular, triangular2, expRange = "exp_range" }
    private let base, most: Double
    private let up, total, gamma: Double
    private let mode: Mode
    private let momentum: (base: Double, most: Double)?

    public init(
        _ optimizer: Optimizer, baseLR: Double, maxLR: Double, stepSizeUp: Int = 2000, stepSizeDown: Int? = nil,
        mode: Mode = .triangular, gamma: Double = 1, cycleMomentum: Bool = true, baseMomentum: Double = 0.8,
        maxMomentum: Double = 0.9
    ) {
        (base, most, self.gamma, self.mode) = (baseLR, maxLR, gamma, mode)
        (up, total) = (Double(stepSizeUp), Double(stepSizeUp + (stepSizeDown ?? stepSizeUp)))
        momentum = cycleMomentum ? (baseMomentum, maxMomentum) : nil
        for index in optimizer.parameterGroups.indices {
            optimizer.parameterGroups[index].lr = baseLR
            optimizer.parameterGroups[index].initialLR = baseLR
        }
        super.init(optimizer)
        step()
    }

    override func rates() -> [Double] {
        let place = Double(lastEpoch) / total
        let cycle = floor(1 + place)
        let x = 1 + place - cycle
        let ratio = up / total
        let height = x <= ratio ? x / ratio : (x - 1) / (ratio - 1)
        let factor: Double =
            switch mode {
            case .triangular: 1
            case .triangular2: 1 / pow(2, cycle - 1)
            case .expRange: pow(gamma, Double(lastEpoch))
            }
        return optimizer.parameterGroups.indices.map { group in
            if let momentum {
                optimizer.setMomentum(momentum.most - (momentum.most - momentum.base) * height * factor, group: group)
            }
            return base + (most - base) * height * factor
        }
    }
}

/// Lowers the rate when a metric has stopped improving for `patience` steps.
public final class ReduceLROnPlateau {
    public enum Mode: String, Sendable { case min, max }
    public enum ThresholdMode: String, Sendable { case rel, abs }
    public let optimizer: Optimizer
    private let mode: Mode, thresholdMode: ThresholdMode
    private let factor, threshold, minLR, eps: Double
    private let patience, cooldown: Int
    private var best: Double
    private var badSteps = 0
    private var coolingSteps = 0

    public init(
        _ optimizer: Optimizer, mode: Mode = .min, factor: Double = 0.1, patience: Int = 10, threshold: Double = 1e-4,
        thresholdMode: ThresholdMode = .rel, cooldown: Int = 0, minLR: Double = 0, eps: Double = 1e-8
    ) {
        precondition(factor < 1, "ReduceLROnPlateau: factor \(factor) is not below 1")
        (self.optimizer, self.mode, self.thresholdMode) = (optimizer, mode, thresholdMode)
        (self.factor, self.threshold, self.minLR, self.eps) = (factor, threshold, minLR, eps)
        (self.patience, self.cooldown) = (patience, cooldown)
        best = mode == .min ? .infinity : -.infinity
    }

    /// Looks at the metric of another step.
    public func step(_ metric: Double) {
        if isBetter(metric) {
            best = metric
            badSteps = 0
        } else {
            badSteps += 1
        }
        if coolingSteps > 0 {
            coolingSteps -= 1
            badSteps = 0
        }
        guard badSteps > patience else { return }
        for index in optimizer.parameterGroups.indices {
            let rate = optimizer.parameterGroups[index].lr
            let lower = Swift.max(rate * factor, minLR)
            if rate - lower > eps { optimizer.parameterGroups[index].lr = lower }
        }
        coolingSteps = cooldown
        badSteps = 0
    }

    /// What must be kept to go on where this stopped. Mirrors `state_dict`.
    public func stateDict() -> [String: Double] {
        ["best": best, "badSteps": Double(badSteps), "coolingSteps": Double(coolingSteps)]
    }
    /// Takes on what `stateDict` gave.
    public func loadStateDict(_ state: [String: Double]) {
        if let value = state["best"] { best = value }
        if let value = count(state["badSteps"]) { badSteps = value }
        if let value = count(state["coolingSteps"]) { coolingSteps = value }
    }

    private func isBetter(_ metric: Double) -> Bool {
        switch (mode, thresholdMode) {
        case (.min, .rel): metric < best * (1 - threshold)
        case (.min, .abs): metric < best - threshold
        case (.max, .rel): metric > best * (1 + threshold)
        case (.max, .abs): metric > best + threshold
        }
    }
}

// What all optimisers share: parameter groups, state, zeroGrad.
@_exported import Tapestry

/// Changes parameters by their gradients. Mirrors `torch.optim.Optimizer`.
open class Optimizer {
    /// Parameters with the options that hold for them.
    public struct ParameterGroup {
        public let parameters: [Tensor]
        /// Options by torch's names in camel case (`lr`, `weightDecay`, …); a Bool is 0 or 1.
        public var options: [String: Double]
        /// The learning rate that schedulers started from.
        var initialLR: Double?

        /// A group whose options differ from the optimiser's own where given.
        public init(_ parameters: [Tensor], _ options: [String: Double] = [:]) {
            (self.parameters, self.options) = (parameters, options)
        }

        /// An option that the optimiser has; traps on others.
        public subscript(_ name: String) -> Double {
            get {
                guard let value = options[name] else { preconditionFailure("optimizer: there is no option '\(name)'") }
                return value
            }
            set { options[name] = newValue }
        }
        /// The learning rate.
        public var lr: Double {
            get { self["lr"] }
            set { self["lr"] = newValue }
        }
    }

    /// The groups; learning rates may be changed between steps.
    public var parameterGroups: [ParameterGroup]
    /// What the optimiser remembers of each parameter, by name.
    var state: [ObjectIdentifier: [String: Tensor]] = [:]
    /// Numbers that it remembers of each parameter, by name.
    var numbers: [ObjectIdentifier: [String: Double]] = [:]
    /// Updates that each parameter has had.
    var steps: [ObjectIdentifier: Int] = [:]

    /// Groups with the options they do not give taken from `defaults`.
    init(_ groups: [ParameterGroup], defaults: [String: Double]) {
        precondition(groups.contains { !$0.parameters.isEmpty }, "optimizer: there are no parameters")
        let all = groups.flatMap(\.parameters)
        precondition(
            Set(all.map { ObjectIdentifier($0) }).count == all.count, "optimizer: a parameter is given twice")
        precondition(all.allSatisfy { $0.isLeaf }, "optimizer: only leaves can be optimised")
        parameterGroups = groups.map { group in
            for name in group.options.keys {
                precondition(defaults[name] != nil, "optimizer: there is no option '\(name)'")
            }
            return ParameterGroup(group.parameters, defaults.merging(group.options) { $1 })
        }
    }

    /// Forgets all gradients. Mirrors `zero_grad`.
    public func zeroGrad() {
        for group in parameterGroups { for parameter in group.parameters { parameter.grad = nil } }
    }

    /// Changes every parameter that has a gradient. Mirrors `step`.
    public func step() {
        noGrad {
            for group in parameterGroups {
                for parameter in group.parameters {
                    guard let gradient = parameter.grad?.detach() else { continue }
                    let count = (steps[ObjectIdentifier(parameter)] ?? 0) + 1
                    steps[ObjectIdentifier(parameter)] = count
                    update(parameter, gradient, group, step: count)
                }
            }
        }
    }

    /// Works out the loss by `closure`, which goes backward too, then changes the parameters; returns the loss. Mirrors
    /// `step(closure)`.
    @discardableResult
    public func step(_ closure: () -> Tensor) -> Tensor {
        let loss = enableGrad(closure)
        step()
        return loss
    }

    /// One update of one parameter; `step` counts from 1. Runs unrecorded.
    func update(_ parameter: Tensor, _ gradient: Tensor, _ group: ParameterGroup, step: Int) {
        preconditionFailure("\(type(of: self)) does not override update")
    }

    /// State of a parameter by name, zeros at first.
    func zeroed(_ name: String, of parameter: Tensor) -> Tensor {
        if let kept = state[ObjectIdentifier(parameter)]?[name] { return kept }
        let fresh = Tensor.zeros(parameter.shape, dtype: parameter.dtype)
        state[ObjectIdentifier(parameter), default: [:]][name] = fresh
        return fresh
    }

    /// Options that are whole numbers and not negative.
    var countedOptions: Set<String> { [] }
    /// The shape of the state kept for a parameter.
    func stateShape(of parameter: Tensor) -> [Int] { parameter.shape }
    /// Puts what is kept elsewhere into `state` and `numbers`.
    func prepareForSaving() {}
    /// Takes it from there.
    func restoreAfterLoading() {}
}

// What an optimiser must keep to go on where it stopped, in a form that a safetensors file holds.
import Tapestry

/// The state of an optimiser: tensors for the body of a safetensors file, numbers for its metadata. Numbers are written
/// in the shortest form that reads back as the same Double, so a run that is resumed goes on bitwise.
public struct OptimizerState {
    /// `state.INDEX.NAME`, INDEX counting the parameters over all groups.
    public var tensors: [String: Tensor]
    /// `steps.INDEX`, `number.INDEX.NAME`, and `group.INDEX.OPTION`; `group.INDEX.count` is the group's
    /// number of parameters.
    public var metadata: [String: String]

    public init(tensors: [String: Tensor], metadata: [String: String]) {
        (self.tensors, self.metadata) = (tensors, metadata)
    }

    /// Writes a safetensors file.
    public func save(to path: String) throws { try saveSafetensors(tensors, to: path, metadata: metadata) }

    /// Reads what `save` wrote.
    public init(from path: String) throws {
        let file = try SafetensorsFile(path)
        metadata = file.metadata
        tensors = [:]
        for entry in file.entries { tensors[entry.name] = try file.tensor(entry) }
    }
}

/// The largest count that a Double holds exactly, and more than any run reaches.
let maximumCount = 1 << 53

/// A count from a saved state; nil where there is none or no such number.
func count(_ value: Double?) -> Int? {
    value.flatMap { Int(exactly: $0) }.flatMap { (0...maximumCount).contains($0) ? $0 : nil }
}

/// A state that does not fit the optimiser it is loaded into.
public struct OptimizerStateError: Error, CustomStringConvertible {
    public let description: String
}

extension Optimizer {
    /// State, step counts and options, as copies. Mirrors `state_dict`.
    public func stateDict() -> OptimizerState {
        prepareForSaving()
        var result = OptimizerState(tensors: [:], metadata: [:])
        for (index, parameter) in parameterGroups.flatMap(\.parameters).enumerated() {
            let key = ObjectIdentifier(parameter)
            for (name, tensor) in state[key] ?? [:] { result.tensors["state.\(index).\(name)"] = tensor.clone() }
            for (name, number) in numbers[key] ?? [:] { result.metadata["number.\(index).\(name)"] = "\(number)" }
            if let count = steps[key] { result.metadata["steps.\(index)"] = "\(count)" }
        }
        for (index, group) in parameterGroups.enumerated() {
            result.metadata["group.\(index).count"] = "\(group.parameters.count)"
            for (name, value) in group.options { result.metadata["group.\(index).\(name)"] = "\(value)" }
            if let rate = group.initialLR { result.metadata["group.\(index).initialLR"] = "\(rate)" }
        }
        return result
    }

    /// Takes on a saved state and its options. Mirrors `load_state_dict`.
    ///
    /// - Throws: `OptimizerStateError` if groups, options, shapes or keys differ; then nothing has been changed.
    public func loadStateDict(_ saved: OptimizerState) throws {
        let parameters = parameterGroups.flatMap(\.parameters)
        var (groups, state, numbers, steps) = (parameterGroups, self.state, self.numbers, self.steps)
        for parameter in parameters {
            let key = ObjectIdentifier(parameter)
            (state[key], numbers[key], steps[key]) = (nil, nil, nil)
        }
        func fail(_ message: String) -> OptimizerStateError {
            OptimizerStateError(description: "\(type(of: self)): \(message)")
        }
        for (index, group) in groups.enumerated() {
            for required in ["count"] + group.options.keys.sorted()
            where saved.metadata["group.\(index).\(required)"] == nil {
                throw fail("the state has no 'group.\(index).\(required)'")
            }
        }
        for (key, text) in saved.metadata {
            let parts = key.split(separator: ".").map(String.init)
            guard parts.count > 1, let index = Int(parts[1]), index >= 0, let value = Double(text) else {
                throw fail("'\(key)' = '\(text)' is no part of an optimizer's state")
            }
            switch (parts[0], parts.count) {
            case ("group", 3):
                guard index < groups.count else {
                    throw fail("the state has group \(index), the optimizer \(groups.count) groups")
                }
                switch parts[2] {
                case "count":
                    guard value == Double(groups[index].parameters.count) else {
                        throw fail(
                            "group \(index) has \(groups[index].parameters.count) parameters, in the state \(text)")
                    }
                case "initialLR": groups[index].initialLR = value
                case let name:
                    guard groups[index].options[name] != nil else { throw fail("there is no option '\(name)'") }
                    guard !countedOptions.contains(name) || count(value) != nil else {
                        throw fail("'\(key)' = '\(text)' is no count")
                    }
                    groups[index][name] = value
                }
            case ("steps", 2):
                guard index < parameters.count, let count = Int(text), (0...maximumCount).contains(count) else {
                    throw fail("'\(key)' = '\(text)' fits no parameter")
                }
                steps[ObjectIdentifier(parameters[index])] = count
            case ("number", 3...):
                guard index < parameters.count else { throw fail("'\(key)' fits no parameter") }
                let name = parts[2...].joined(separator: ".")
                numbers[ObjectIdentifier(parameters[index]), default: [:]][name] = value
            default: throw fail("'\(key)' is no part of an optimizer's state")
            }
        }
        for (key, tensor) in saved.tensors {
            let parts = key.split(separator: ".").map(String.init)
            guard parts.count > 2, parts[0] == "state", let index = Int(parts[1]), parameters.indices.contains(index)
            else {
                throw fail("tensor '\(key)' fits no parameter")
            }
            let parameter = parameters[index]
            guard tensor.shape == stateShape(of: parameter) else {
                throw fail("tensor '\(key)' is \(tensor.shape), expected \(stateShape(of: parameter))")
            }
            state[ObjectIdentifier(parameter), default: [:]][parts[2...].joined(separator: ".")] =
                tensor.detach().to(parameter.dtype).clone()
        }
        (parameterGroups, self.state, self.numbers, self.steps) = (groups, state, numbers, steps)
        restoreAfterLoading()
    }
}

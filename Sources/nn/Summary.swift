// What a model consists of, as a table: layers, shapes, parameters, work and memory.

/// A model's layers with their output shapes and costs, as `summary` finds them; prints as an aligned table.
public struct ModelSummary: CustomStringConvertible {
    /// One module of the model.
    public struct Row {
        /// The module's path, `layers.0`; empty for the model itself.
        public let path: String
        /// The name by which its parent has it.
        public let name: String
        /// The module's class.
        public let kind: String
        /// How many modules it is inside of.
        public let depth: Int
        /// Shapes of its outputs in its last call; empty if it was not called.
        public let outputShapes: [[Int]]
        /// Elements of its own parameters, without its children's and without those that a row above shares.
        public let parameters: Int
        /// Multiplications with an addition that its own products and convolutions take, over all calls.
        public let multiplyAdds: Int
        /// Bytes of its outputs over all calls; 0 if it has children, for they made them.
        public let outputBytes: Int
    }

    /// The model and all modules below it, in order of declaration.
    public let rows: [Row]
    public let inputShape: [Int]
    public let inputBytes: Int
    /// Elements of all parameters, each counted once.
    public let parameters: Int
    /// Those that are trained.
    public let trainableParameters: Int
    /// Bytes of all parameters and buffers.
    public let stateBytes: Int

    /// Multiplications with an addition in one forward pass.
    public var multiplyAdds: Int { rows.reduce(0) { $0 + $1.multiplyAdds } }
    /// Bytes of all layers' outputs in one forward pass: roughly what training keeps for backward.
    public var outputBytes: Int { rows.reduce(0) { $0 + $1.outputBytes } }

    public var description: String {
        let head = ["Layer", "Output shape", "Parameters", "Multiply-adds", "Bytes"]
        let cells = rows.map { row in
            let name = row.name.isEmpty ? row.kind : "\(row.name): \(row.kind)"
            let shapes = row.outputShapes.map { "\($0)" }.joined(separator: ", ")
            func number(_ value: Int) -> String { value == 0 ? "–" : grouped(value) }
            return [
                String(repeating: "  ", count: row.depth) + name, shapes.isEmpty ? "–" : shapes, number(row.parameters),
                number(row.multiplyAdds), number(row.outputBytes),
            ]
        }
        let widths = head.indices.map { column in ([head] + cells).map { $0[column].count }.max()! }
        func line(_ cells: [String]) -> String {
            let padded = cells.enumerated().map { column, text in
                let blanks = String(repeating: " ", count: widths[column] - text.count)
                return column < 2 ? text + blanks : blanks + text
            }
            return padded.joined(separator: "  ")
        }
        let rule = String(repeating: "─", count: widths.reduce(0, +) + 2 * (widths.count - 1))
        let totals = [
            ("Parameters", grouped(parameters)), ("Trainable", grouped(trainableParameters)),
            ("Multiply-adds", grouped(multiplyAdds)), ("Input", bytes(inputBytes)), ("Outputs", bytes(outputBytes)),
            ("Parameters and buffers", bytes(stateBytes)), ("Together", bytes(inputBytes + outputBytes + stateBytes)),
        ]
        let labels = totals.map(\.0.count).max()!
        let footer = totals.map { label, text in label + String(repeating: " ", count: labels - label.count + 2) + text
        }
        return ([line(head), rule] + cells.map(line) + [rule] + footer + [rule]).joined(separator: "\n")
    }
}

/// Runs a model once on zeros of `inputShape` (the batch included), in evaluation mode and off the tape, and tells what
/// each of its modules gave and costs. Hooks, modes and running statistics are as before afterwards.
///
///     print(summary(model, [50, 1, 28, 28]))
///
/// What torchinfo's `summary` does. Modules that the model does not call (whose weights it reads) have no shape.
///
/// - Parameter dtype: `.int64` for models that take indices.
public func summary(_ model: Module, _ inputShape: [Int], dtype: DType = .float32) -> ModelSummary {
    let input = Tensor.zeros(inputShape, dtype: dtype)
    let places = model.places()
    let modules = places.map(\.module)
    var calls: [ObjectIdentifier: (shapes: [[Int]], bytes: Int, work: Int)] = [:]
    let handles = modules.map { module in
        module.registerForwardHook { module, inputs, outputs in
            var call = calls[ObjectIdentifier(module)] ?? ([], 0, 0)
            call.shapes = outputs.map(\.shape)
            call.bytes += outputs.reduce(0) { $0 + byteCount($1) }
            call.work += module.multiplyAdds(inputs, outputs)
            calls[ObjectIdentifier(module)] = call
            return nil
        }
    }
    let modes = modules.map(\.training)
    model.eval()
    noGrad { _ = model(input) }
    for (module, mode) in zip(modules, modes) { module.training = mode }
    for handle in handles { handle.remove() }

    var seen = Set<ObjectIdentifier>()
    let rows = places.map { module, path, name, depth -> ModelSummary.Row in
        let own = module.ownTensors.filter { $0.role == .parameter }.map(\.tensor)
        let fresh = own.filter { seen.insert(ObjectIdentifier($0)).inserted }
        let call = calls[ObjectIdentifier(module)]
        return ModelSummary.Row(
            path: path, name: name, kind: module.className, depth: depth,
            outputShapes: call?.shapes ?? [], parameters: fresh.reduce(0) { $0 + $1.count },
            multiplyAdds: call?.work ?? 0, outputBytes: module.namedChildren.isEmpty ? call?.bytes ?? 0 : 0)
    }
    let parameters = model.parameters()
    let state = parameters + model.namedBuffers().map(\.buffer)
    return ModelSummary(
        rows: rows, inputShape: inputShape, inputBytes: byteCount(input),
        parameters: parameters.reduce(0) { $0 + $1.count },
        trainableParameters: parameters.filter(\.requiresGrad).reduce(0) { $0 + $1.count },
        stateBytes: state.reduce(0) { $0 + byteCount($1) })
}

private func byteCount(_ x: Tensor) -> Int { x.count * x.dtype.size }

/// `1,234,567`
private func grouped(_ value: Int) -> String {
    let digits = Array(String(value))
    return String(
        digits.enumerated().flatMap { index, digit in
            index > 0 && (digits.count - index) % 3 == 0 ? [",", digit] : [digit]
        })
}

/// `1.23 MB`, in powers of ten.
private func bytes(_ value: Int) -> String {
    for (unit, size) in [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)] where value >= size {
        let hundredths = Int((Double(value) / Double(size) * 100).rounded())
        let rest = hundredths % 100
        return "\(grouped(hundredths / 100)).\(rest < 10 ? "0" : "")\(rest) \(unit)"
    }
    return "\(value) bytes"
}

extension Module {
    /// The class's name without what it is generic over.
    var className: String { String(String(describing: type(of: self)).prefix { $0 != "<" }) }

    /// This module and all below it, each once, with the path, the last name on it and the number of modules around.
    fileprivate func places() -> [(module: Module, path: String, name: String, depth: Int)] {
        var seen = Set<ObjectIdentifier>()
        func walk(
            _ module: Module, _ path: String, _ name: String, _ depth: Int
        ) -> [(module: Module, path: String, name: String, depth: Int)] {
            guard seen.insert(ObjectIdentifier(module)).inserted else { return [] }
            return [(module, path, name, depth)]
                + module.namedChildren.flatMap { walk($1, path.isEmpty ? $0 : "\(path).\($0)", $0, depth + 1) }
        }
        return walk(self, "", "", 0)
    }
}

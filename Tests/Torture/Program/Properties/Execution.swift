// Running a program: by the reference and by the library.
import Tapestry

/// What statements inside `noGrad { }` gave, for runs with moved leaves: gradients take it as constant.
typealias Constants = [Int: [Double]]

extension Program {
    /// Runs by the reference. `constants` nil: a first run, which finds them.
    func referenceRun(_ leaves: [[Double]], constants: Constants? = nil) -> (values: [Reference], constants: Constants)
    {
        var values = startingValues(leaves)
        var found: Constants = [:]
        for (index, statement) in statements.enumerated() {
            values.append(Program.run(statement, index, values, constants, &found))
        }
        return (values, found)
    }

    /// The leaves of the reference.
    func startingValues(_ leaves: [[Double]]) -> [Reference] {
        zip(self.leaves, leaves).map { leaf, elements in
            let value = Reference(elements, leaf.shape)
            value.memory.isTrainableLeaf = leaf.requiresGrad
            return value
        }
    }

    /// Runs one statement by the reference; the value it makes or changes.
    static func run(
        _ statement: Statement, _ index: Int, _ values: [Reference], _ constants: Constants?, _ found: inout Constants
    ) -> Reference {
        let operation = Operation.named[statement.operation]!
        let operands = statement.operands.map { values[$0] }
        if statement.isDetached, let known = constants?[index] {
            if operation.isInPlace {
                operands[0].assign(zip(operands[0].values, known).map(+))
                return operands[0]
            }
            return Reference(known, operation.reference(operands, statement.parameters).shape)
        }
        let result = operation.reference(operands, statement.parameters)
        if operation.isInPlace {
            let before = operands[0].values
            operands[0].assign(result.values)
            if statement.isDetached { found[index] = zip(operands[0].values, before).map(-) }
            return operands[0]
        }
        if statement.isDetached { found[index] = result.values }
        return result
    }

    /// The weighted sum by the reference.
    func referenceLoss(_ leaves: [[Double]], constants: Constants) -> Double {
        let values = referenceRun(leaves, constants: constants).values
        return outputs.reduce(0) { sum, index in
            zip(values[index].values, weights(values[index].count, index)).reduce(sum) { $0 + $1.0 * $1.1 }
        }
    }

    /// Runs by the library.
    func libraryRun(_ leaves: [[Double]], constants: Constants? = nil) -> (
        leaves: [Tensor], values: [Tensor], loss: Tensor
    ) {
        libraryRun(leaves, constants: constants) { _, _ in }
    }

    /// Runs by the library, calling `each` with every value as it is made; the trainable leaves and the weighted sum.
    func libraryRun(
        _ leaves: [[Double]], constants: Constants? = nil, each: (Int, Tensor) throws -> Void
    ) rethrows -> (leaves: [Tensor], values: [Tensor], loss: Tensor) {
        let starts = zip(self.leaves, leaves).map { Tensor($1, shape: $0.shape, requiresGrad: $0.requiresGrad) }
        var values = starts
        for (index, statement) in statements.enumerated() {
            let operands = statement.operands.map { values[$0] }
            let operation = operation(statement)
            func call() -> Tensor { operation.tensor(operands, statement.parameters) }
            let value: Tensor
            if !statement.isDetached {
                value = call()
            } else if let known = constants?[index] {
                if operation.isInPlace {
                    noGrad { operands[0].add_(Tensor(known, shape: operands[0].shape)) }
                    value = operands[0]
                } else {
                    value = Tensor(known, shape: noGrad(call).shape)
                }
            } else {
                value = noGrad(call)
            }
            values.append(value)
            try each(self.leaves.count + index, value)
        }
        let terms = outputs.map {
            (values[$0] * Tensor(weights(values[$0].count, $0), shape: values[$0].shape)).sum()
        }
        let trainable = zip(starts, self.leaves).filter(\.1.requiresGrad).map(\.0)
        return (trainable, values, terms.dropFirst().reduce(terms[0], +))
    }
}

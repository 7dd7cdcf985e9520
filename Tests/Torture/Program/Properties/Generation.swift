// Drawing programs. Each statement is tried by the reference first, so that a program is smooth where it stands.

enum Generation {
    /// Elements that a value may have.
    static let largest = 48
    /// Values may not grow beyond this.
    private static let limit = 20.0

    /// The program of a seed.
    static func program(seed: UInt64) -> Program {
        let draw = Draw(seed: seed)
        var program = Program()
        let trainable = 1 + draw.below(3)
        for index in 0..<(trainable + draw.below(2)) {
            program.leaves.append(leaf(draw, requiresGrad: index < trainable))
        }
        var builder = Builder(program: program, values: program.startingValues(program.leaves.map(\.values)))
        let length = 2 + draw.below(12)
        var attempts = 0
        while builder.program.statements.count < length, attempts < 2000 {
            attempts += 1
            builder.attempt(draw)
        }
        return builder.program
    }

    private static func leaf(_ draw: Draw, requiresGrad: Bool) -> Leaf {
        let rank = draw.element([0, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 4])
        let shape = (0..<rank).map { _ in draw.element([1, 2, 2, 3, 3, 4]) }
        let isPositive = draw.chance(0.3)
        let hasZeros = !isPositive && draw.chance(0.15)
        let values = (0..<product(shape)).map { _ in
            hasZeros && draw.chance(0.3)
                ? 0 : ((isPositive ? draw.uniform(0.3, 2.5) : draw.uniform(-2, 2)) * 64).rounded() / 64
        }
        return product(shape) <= largest
            ? Leaf(shape: shape, values: values, requiresGrad: requiresGrad) : leaf(draw, requiresGrad: requiresGrad)
    }

    /// A program that grows, and what its values are so far.
    private struct Builder {
        var program: Program
        var values: [Reference]
        /// Values' numbers that operands may be: not the results of in-place statements, which are their operands.
        var usable: [Int]

        init(program: Program, values: [Reference]) {
            (self.program, self.values, usable) = (program, values, Array(values.indices))
        }

        /// Draws a statement and appends it if it is defined and smooth here.
        mutating func attempt(_ draw: Draw) {
            let operation = draw.element(Operation.all)
            let operands = (0..<operation.arity).map { _ in
                // Late values more often, so that programs grow deep; any value again, so that they branch.
                draw.chance(0.5) ? usable[usable.count - 1 - draw.below(min(3, usable.count))] : draw.element(usable)
            }
            let inputs = operands.map { values[$0] }
            guard let parameters = operation.draw(draw, inputs) else { return }
            let statement = Statement(
                operation: operation.name, operands: operands, parameters: parameters,
                isDetached: !operation.mayReturnOperand && draw.chance(0.06))
            guard Program.mayFollow(statement, values) else { return }
            let before = operation.isInPlace ? inputs[0].memory.values : []
            var found: Constants = [:]
            let result = Program.run(statement, program.statements.count, values, nil, &found)
            guard result.values.allSatisfy({ abs($0) <= limit }) else {
                if operation.isInPlace { inputs[0].memory.values = before }
                return
            }
            Program.mark(statement, inputs, result)
            if !operation.isInPlace { usable.append(values.count) }
            values.append(result)
            program.statements.append(statement)
        }
    }
}

extension Program {
    /// Whether the rules of in-place changes allow a statement: none to leaves that require gradients and to their
    /// views, to elements that share memory, and to what an earlier or this very statement's gradient reads.
    static func mayFollow(_ statement: Statement, _ values: [Reference]) -> Bool {
        let operation = Operation.named[statement.operation]!
        let operands = statement.operands.map { values[$0] }
        if operation.kind == .view, statement.isDetached { return true }
        guard operation.isInPlace else { return true }
        let target = operands[0]
        if target.memory.isTrainableLeaf || target.memory.isSaved || target.overlaps { return false }
        return !(operation.saves && operands.dropFirst().contains { $0.memory === target.memory })
    }

    /// Remembers what a statement's gradient reads, and what a view made off the tape looks at.
    static func mark(_ statement: Statement, _ operands: [Reference], _ result: Reference) {
        let operation = Operation.named[statement.operation]!
        if statement.isDetached {
            if operation.kind == .view { result.memory.isSaved = true }
        } else if operation.saves {
            for value in operation.isInPlace ? Array(operands.dropFirst()) : operands + [result] {
                value.memory.isSaved = true
            }
        }
    }

    /// Whether operands come before their statements and all rules hold.
    var isValid: Bool {
        var values = startingValues(leaves.map(\.values))
        var found: Constants = [:]
        for (index, statement) in statements.enumerated() {
            guard Program.mayFollow(statement, values) else { return false }
            let result = Program.run(statement, index, values, nil, &found)
            Program.mark(statement, statement.operands.map { values[$0] }, result)
            values.append(result)
        }
        return !outputs.isEmpty && variables > 0
    }
}

// A small program: leaves, and statements that each make or change one value.

/// What an operation needs besides its operands.
struct Parameters: Codable, Equatable {
    var ints: [Int] = []
    var number = 0.0
    var flag = false
}

/// One line of a program. The results of statements are numbered on from the leaves.
struct Statement: Codable {
    var operation: String
    var operands: [Int]
    var parameters: Parameters
    /// Whether it runs inside `noGrad { }`.
    var isDetached = false
}

/// A value that a program starts with.
struct Leaf: Codable {
    var shape: [Int]
    var values: [Double]
    var requiresGrad: Bool
}

/// Leaves and statements. The program's result is the sum of all values that no statement reads, and of all that are
/// changed in place, each element times a weight of its own.
struct Program: Codable {
    var leaves: [Leaf] = []
    var statements: [Statement] = []

    /// The values that are summed.
    var outputs: [Int] {
        let read = Set(statements.flatMap(\.operands))
        let changed = Set(statements.filter { operation($0).isInPlace }.map { $0.operands[0] })
        return (0..<(leaves.count + statements.count)).filter { index in
            let isInPlace = index >= leaves.count && operation(statements[index - leaves.count]).isInPlace
            return !isInPlace && (!read.contains(index) || changed.contains(index))
        }
    }

    func operation(_ statement: Statement) -> Operation { Operation.named[statement.operation]! }

    /// The program as a script that can be run on its own.
    var script: String {
        var lines = leaves.enumerated().map { index, leaf in
            "let v\(index) = Tensor(\(leaf.values) as [Double], shape: \(leaf.shape)"
                + (leaf.requiresGrad ? ", requiresGrad: true)" : ")")
        }
        for (index, statement) in statements.enumerated() {
            let operation = operation(statement)
            let call = operation.script(statement.operands.map { "v\($0)" }, statement.parameters)
            let line = statement.isDetached ? "noGrad { \(call) }" : call
            lines.append(operation.isInPlace ? line : "let v\(leaves.count + index) = \(line)")
        }
        let terms = outputs.map { "(v\($0) * weights(v\($0).shape, \($0))).sum()" }
        return (lines + ["let loss = " + terms.joined(separator: " + ")]).joined(separator: "\n")
    }

    /// Number of leaves' elements that gradients are taken of.
    var variables: Int { leaves.filter(\.requiresGrad).reduce(0) { $0 + $1.values.count } }
}

/// The weights of an output's elements in the sum.
func weights(_ count: Int, _ output: Int) -> [Double] {
    (0..<count).map { element in
        let spread = (element * 7 + output * 3) % 11
        return 0.5 + 0.07 * Double(spread)
    }
}

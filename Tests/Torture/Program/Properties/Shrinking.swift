// From a program that fails to the smallest that still fails.

extension Program {
    /// Programs that are a little smaller: a statement replaced by its value or left out, a leaf not needed left out,
    /// a `noGrad` taken away, a leaf that requires no gradient, one operand in the place of another.
    private var smaller: [Program] {
        var candidates: [Program] = []
        let values = earlyValues
        for index in statements.indices.reversed() {
            if operation(statements[index]).isInPlace {
                candidates.append(replacing(index, by: nil))
            } else {
                let leaf = Leaf(shape: values[index].1, values: values[index].0, requiresGrad: true)
                candidates.append(replacing(index, by: leaf))
                var constant = leaf
                constant.requiresGrad = false
                candidates.append(replacing(index, by: constant))
            }
        }
        for index in statements.indices where statements[index].isDetached {
            var program = self
            program.statements[index].isDetached = false
            candidates.append(program)
        }
        for index in leaves.indices where leaves[index].requiresGrad {
            var program = self
            program.leaves[index].requiresGrad = false
            candidates.append(program)
        }
        return candidates.map(\.withoutUnused).filter { $0.isSmaller(than: self) && $0.isValid }
    }

    private func isSmaller(than other: Program) -> Bool {
        func size(_ program: Program) -> Int {
            program.statements.count * 1000 + program.leaves.count * 100 + program.statements.filter(\.isDetached).count
                * 10
                + program.leaves.filter(\.requiresGrad).count
        }
        return size(self) < size(other)
    }

    /// What each statement gave when it ran.
    private var earlyValues: [([Double], [Int])] {
        var values = startingValues(leaves.map(\.values))
        var found: Constants = [:]
        return statements.enumerated().map { index, statement in
            let result = Program.run(statement, index, values, nil, &found)
            values.append(result)
            return (result.values, result.shape)
        }
    }

    /// With a statement taken out and, if `leaf` is given, its value as a leaf in its place.
    private func replacing(_ index: Int, by leaf: Leaf?) -> Program {
        var program = self
        let place = leaves.count + index
        if let leaf { program.leaves.append(leaf) }
        program.statements.remove(at: index)
        // Numbers after one more leaf and one statement fewer.
        func renumbered(_ value: Int) -> Int {
            if value < leaves.count { return value }
            if value == place { return leaves.count }
            return value - (value > place ? 1 : 0) + (leaf == nil ? 0 : 1)
        }
        for later in program.statements.indices {
            program.statements[later].operands = program.statements[later].operands.map(renumbered)
        }
        return program
    }

    /// Without leaves that no statement reads, as long as one is left.
    private var withoutUnused: Program {
        var program = self
        for index in leaves.indices.reversed() {
            let isRead = program.statements.contains { $0.operands.contains(index) }
            guard !isRead, program.leaves.count > 1 else { continue }
            program.leaves.remove(at: index)
            for later in program.statements.indices {
                program.statements[later].operands = program.statements[later].operands.map { $0 > index ? $0 - 1 : $0 }
            }
        }
        return program
    }

    /// The smallest program found for which `fails` still holds.
    func shrunk(while fails: (Program) -> Bool) -> Program {
        var program = self
        while let next = program.smaller.first(where: fails) { program = next }
        return program
    }
}

// What must hold for every program.
import Foundation
import Tapestry

/// Something that does not hold: which property, and the numbers.
struct Finding: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension Program {
    /// Checks that the library's values are the reference's, that its gradients agree with differences of the
    /// reference, with each other however they are asked for, and with what double backward says.
    func check() throws {
        let start = leaves.map(\.values)
        let (expected, constants) = referenceRun(start)
        // Views and in-place changes are right only if each value is right when made and at the end.
        var early = startingValues(start)
        var found: Constants = [:]
        let run = try libraryRun(start) { index, value in
            early.append(Program.run(statements[index - leaves.count], index - leaves.count, early, nil, &found))
            try compare("the value when made of v\(index)", value, early[index])
        }
        for index in expected.indices {
            try compare("the value at the end of v\(index)", run.values[index], expected[index])
        }

        guard run.loss.requiresGrad else {
            // Everything is inside noGrad: nothing may depend on a leaf.
            return try compareAll("gradient", variablesZero, differences(constants))
        }
        let gradients = flat(grad(outputs: [run.loss], inputs: run.leaves, allowUnused: true))
        try compareAll("gradient", gradients, differences(constants))

        let second = libraryRun(start)
        second.loss.backward()
        try compareAll("backward(), against grad(of:),", flat(second.leaves.map(\.grad)), [gradients], tolerance: 1e-12)

        let third = libraryRun(start)
        let recorded = grad(outputs: [third.loss], inputs: third.leaves, createGraph: true, allowUnused: true)
        try compareAll(
            "gradient with createGraph, against that without,", flat(recorded), [gradients], tolerance: 1e-10)
        try compareAll("second derivative", twice(recorded, third.leaves), secondDifferences(constants))
    }

    private var variablesZero: [Double] { [Double](repeating: 0, count: variables) }

    /// Gradients one behind the other, zeros where there is none.
    private func flat(_ gradients: [Tensor?]) -> [Double] {
        zip(leaves.filter(\.requiresGrad), gradients).flatMap { leaf, gradient in
            gradient?.array(Double.self) ?? [Double](repeating: 0, count: leaf.values.count)
        }
    }

    /// The Hessian times a fixed direction, by the tape.
    private func twice(_ gradients: [Tensor?], _ leaves: [Tensor]) -> [Double] {
        var position = 0
        var terms: [Tensor] = []
        for (gradient, leaf) in zip(gradients, leaves) {
            let part = direction[position..<(position + leaf.count)]
            position += leaf.count
            if let gradient, gradient.requiresGrad {
                terms.append((gradient * Tensor(Array(part), shape: leaf.shape)).sum())
            }
        }
        guard let first = terms.first else { return variablesZero }
        return flat(grad(outputs: [terms.dropFirst().reduce(first, +)], inputs: leaves, allowUnused: true))
    }

    /// A direction in the space of all leaves' elements.
    private var direction: [Double] { (0..<variables).map { cos(Double($0) * 1.7 + 0.3) } }

    /// The trainable leaves' elements moved by `amounts`.
    private func moved(_ amounts: [Double], by factor: Double) -> [[Double]] {
        var rest = amounts[...]
        return leaves.map { leaf in
            guard leaf.requiresGrad else { return leaf.values }
            defer { rest = rest.dropFirst(leaf.values.count) }
            return zip(leaf.values, rest).map { $0 + factor * $1 }
        }
    }

    /// Central differences of the reference's loss with one step after another: none suits every program.
    private func differences(_ constants: Constants) -> some Sequence<[Double]> {
        [1e-5, 1e-4, 1e-6, 3e-7].lazy.map { step in
            (0..<variables).map { index in
                var axis = variablesZero
                axis[index] = 1
                let above = referenceLoss(moved(axis, by: step), constants: constants)
                return (above - referenceLoss(moved(axis, by: -step), constants: constants)) / (2 * step)
            }
        }
    }

    /// Central differences of the library's gradient along the direction.
    private func secondDifferences(_ constants: Constants) -> some Sequence<[Double]> {
        func gradient(_ step: Double) -> [Double] {
            let run = libraryRun(moved(direction, by: step), constants: constants)
            return flat(grad(outputs: [run.loss], inputs: run.leaves, allowUnused: true))
        }
        return [1e-5, 1e-4, 1e-6, 3e-7].lazy.map { step in
            zip(gradient(step), gradient(-step)).map { ($0 - $1) / (2 * step) }
        }
    }

    private func compare(_ what: String, _ tensor: Tensor, _ expected: Reference) throws {
        guard tensor.shape == expected.shape else {
            throw Finding("\(what) has shape \(tensor.shape), expected \(expected.shape)")
        }
        try compareAll(what, tensor.array(Double.self), [expected.values], tolerance: 1e-10)
    }

    /// Throws unless `values` agree with one of `candidates`.
    private func compareAll(
        _ what: String, _ values: [Double], _ candidates: some Sequence<[Double]>, tolerance: Double = 2e-5
    ) throws {
        var finding: Finding?
        for expected in candidates {
            let scale = 1 + expected.reduce(0) { Swift.max($0, abs($1)) }
            guard let wrong = values.indices.first(where: { !(abs(values[$0] - expected[$0]) <= tolerance * scale) })
            else {
                return
            }
            if finding == nil {
                finding = Finding("\(what): element \(wrong) is \(values[wrong]), expected \(expected[wrong])")
            }
        }
        if let finding { throw finding }
    }
}

// Operations that change their first operand.
import Tapestry

/// Changes the first operand into `f` of itself.
private func inPlace(
    _ name: String, where domain: @escaping @Sendable (Double) -> Bool = { _ in true },
    _ f: @escaping @Sendable (Double, Double) -> Double, _ tensor: @escaping @Sendable (Tensor, Double) -> Void,
    script: @escaping @Sendable (Double) -> String
) -> Operation {
    Operation(
        name: name, arity: 1, kind: .inPlace, saves: false,
        draw: { draw, x in
            x[0].values.allSatisfy(domain) ? Parameters(number: (draw.uniform(-2, 2) * 8).rounded() / 8) : nil
        },
        reference: { x, p in x[0].map { f($0, p.number) } },
        tensor: { x, p in
            tensor(x[0], p.number)
            return x[0]
        },
        script: { x, p in "\(x[0]).\(script(p.number))" })
}

/// Changes the first operand by the second, which broadcasts to it. A gradient that reads the second operand makes
/// `saves` true; that of the first reads a copy.
private func inPlace(
    _ name: String, saves: Bool, _ f: @escaping @Sendable (Double, Double) -> Double,
    _ tensor: @escaping @Sendable (Tensor, Tensor) -> Void
) -> Operation {
    Operation(
        name: name, arity: 2, kind: .inPlace, saves: saves,
        draw: { _, x in plain(broadcast(x[0].shape, x[1].shape) == x[0].shape) },
        reference: { x, _ in x[0].combine(x[1], f) },
        tensor: { x, _ in
            tensor(x[0], x[1])
            return x[0]
        },
        script: { x, _ in "\(x[0]).\(name)(\(x[1]))" })
}

extension Operation {
    static let inPlace: [Operation] = [
        torture.inPlace("add_", saves: false, +) { $0.add_($1) },
        torture.inPlace("sub_", saves: false, -) { $0.sub_($1) },
        torture.inPlace("mul_", saves: true, *) { $0.mul_($1) },
        torture.inPlace("copy_", saves: false, { $1 }) { $0.copy_($1) },
        torture.inPlace("add_ s", +, { $0.add_($1) }) { "add_(\($0))" },
        torture.inPlace("mul_ s", *, { $0.mul_($1) }) { "mul_(\($0))" },
        torture.inPlace("fill_", { $1 }, { $0.fill_($1) }) { "fill_(\($0))" },
        torture.inPlace("zero_", { _, _ in 0 }, { x, _ in x.zero_() }) { _ in "zero_()" },
        torture.inPlace("relu_", where: { abs($0) > 0.01 }, { x, _ in max(x, 0) }, { x, _ in x.relu_() }) { _ in
            "relu_()"
        },
    ]
}

// Operations along dimensions, and products of matrices.
import Foundation
import Tapestry
import nn

/// A reduction over some dimensions, kept or not.
private func reduction(
    _ name: String, saves: Bool = true, single: Bool = false,
    where domain: @escaping @Sendable ([Double]) -> Bool = { _ in true }, _ f: @escaping @Sendable ([Double]) -> Double,
    _ tensor: @escaping @Sendable (Tensor, [Int], Bool) -> Tensor, script: String
) -> Operation {
    Operation(
        name: name, arity: 1, saves: saves,
        draw: { draw, x in
            guard x[0].rank > 0 else { return nil }
            let dims = single ? [draw.below(x[0].rank)] : draw.some(of: x[0].rank)
            return x[0].groups(dims).allSatisfy(domain) ? Parameters(ints: dims, flag: draw.chance(0.5)) : nil
        },
        reference: { x, p in x[0].reduce(p.ints, keepdim: p.flag, f) },
        tensor: { x, p in tensor(x[0], p.ints, p.flag) },
        script: { x, p in
            x[0] + "."
                + script.replacing("DIMS", with: single ? "\(p.ints[0])" : "\(p.ints)").replacing(
                    "KEEP", with: "\(p.flag)")
        })
}

/// An operation on each line along one dimension.
private func lines(
    _ name: String, saves: Bool = true, _ f: @escaping @Sendable ([Double]) -> [Double],
    _ tensor: @escaping @Sendable (Tensor, Int) -> Tensor
) -> Operation {
    Operation(
        name: name, arity: 1, saves: saves,
        draw: { draw, x in x[0].rank == 0 ? nil : Parameters(ints: [draw.below(x[0].rank)]) },
        reference: { x, p in x[0].mapLines(p.ints[0], f) }, tensor: { x, p in tensor(x[0], p.ints[0]) },
        script: { x, p in "\(x[0]).\(name)(dim: \(p.ints[0]))" })
}

private func mean(_ x: [Double]) -> Double { x.reduce(0, +) / Double(x.count) }
private func logSumExp(_ x: [Double]) -> Double { log(x.reduce(0) { $0 + exp($1) }) }
private func variance(_ x: [Double], _ correction: Double) -> Double {
    let middle = mean(x)
    return x.reduce(0) { $0 + ($1 - middle) * ($1 - middle) } / (Double(x.count) - correction)
}
private func scan(_ x: [Double], _ f: (Double, Double) -> Double) -> [Double] {
    x.dropFirst().reduce(into: [x[0]]) { $0.append(f($0.last!, $1)) }
}
/// No two elements so near each other that a small step changes their order.
private let isDistinct: @Sendable ([Double]) -> Bool = { x in
    zip(x.sorted(), x.sorted().dropFirst()).allSatisfy { $1 - $0 > 0.01 }
}

extension Operation {
    static let reductions: [Operation] = [
        reduction(
            "sum", saves: false, { $0.reduce(0, +) }, { $0.sum(dims: $1, keepdim: $2) },
            script: "sum(dims: DIMS, keepdim: KEEP)"),
        reduction(
            "mean", saves: false, mean, { $0.mean(dims: $1, keepdim: $2) }, script: "mean(dims: DIMS, keepdim: KEEP)"),
        reduction(
            "prod", single: true, { $0.reduce(1, *) }, { $0.prod(dim: $1[0], keepdim: $2) },
            script: "prod(dim: DIMS, keepdim: KEEP)"),
        reduction(
            "amax", where: isDistinct, { $0.max()! }, { $0.amax(dims: $1, keepdim: $2) },
            script: "amax(dims: DIMS, keepdim: KEEP)"),
        reduction(
            "amin", where: isDistinct, { $0.min()! }, { $0.amin(dims: $1, keepdim: $2) },
            script: "amin(dims: DIMS, keepdim: KEEP)"),
        reduction(
            "max", single: true, where: isDistinct, { $0.max()! }, { $0.max(dim: $1[0], keepdim: $2).values },
            script: "max(dim: DIMS, keepdim: KEEP).values"),
        reduction(
            "logsumexp", logSumExp, { $0.logsumexp(dims: $1, keepdim: $2) },
            script: "logsumexp(dims: DIMS, keepdim: KEEP)"),
        reduction(
            "variance", where: { $0.count > 1 }, { variance($0, 1) }, { $0.variance(dims: $1, keepdim: $2) },
            script: "variance(dims: DIMS, keepdim: KEEP)"),
        reduction(
            "std", where: { $0.count > 1 && variance($0, 0) > 0.05 }, { variance($0, 0).squareRoot() },
            { $0.std(dims: $1, correction: 0, keepdim: $2) }, script: "std(dims: DIMS, correction: 0, keepdim: KEEP)"),
        reduction(
            "norm", where: { $0.reduce(0) { $0 + $1 * $1 } > 0.05 }, { $0.reduce(0) { $0 + $1 * $1 }.squareRoot() },
            { $0.norm(dims: $1, keepdim: $2) }, script: "norm(dims: DIMS, keepdim: KEEP)"),
        reduction(
            "norm3", where: { $0.allSatisfy { abs($0) > 0.05 } }, { pow($0.reduce(0) { $0 + pow(abs($1), 3) }, 1 / 3) },
            { $0.norm(p: 3, dims: $1, keepdim: $2) }, script: "norm(p: 3, dims: DIMS, keepdim: KEEP)"),
        lines("softmax", { x in x.map { exp($0 - logSumExp(x)) } }) { $0.softmax(dim: $1) },
        lines("logSoftmax", { x in x.map { $0 - logSumExp(x) } }) { $0.logSoftmax(dim: $1) },
        lines("cumsum", saves: false, { scan($0, +) }) { $0.cumsum(dim: $1) },
        lines("cumprod", { scan($0, *) }) { $0.cumprod(dim: $1) },
        Operation(
            name: "sort", arity: 1,
            draw: { draw, x in
                guard x[0].rank > 0 else { return nil }
                let dim = draw.below(x[0].rank)
                return x[0].groups([dim]).allSatisfy(isDistinct) ? Parameters(ints: [dim], flag: draw.chance(0.5)) : nil
            },
            reference: { x, p in x[0].mapLines(p.ints[0]) { p.flag ? $0.sorted(by: >) : $0.sorted() } },
            tensor: { x, p in x[0].sort(dim: p.ints[0], descending: p.flag).values },
            script: { "\($0[0]).sort(dim: \($1.ints[0]), descending: \($1.flag)).values" }),
    ]

    static let products: [Operation] = [
        Operation(
            name: "matmul", arity: 2,
            draw: { _, x in
                guard x[0].rank > 0, x[1].rank > 0, x[0].rank < 4, x[1].rank < 4 else { return nil }
                let inner = x[1].shape[max(0, x[1].rank - 2)]
                guard x[0].shape.last == inner,
                    broadcast(Array(x[0].shape.dropLast(2)), Array(x[1].shape.dropLast(2))) != nil
                else { return nil }
                return plain(x[0].multiplied(by: x[1]).count <= Generation.largest)
            },
            reference: { x, _ in x[0].multiplied(by: x[1]) }, tensor: { x, _ in x[0].matmul(x[1]) },
            script: { x, _ in "\(x[0]).matmul(\(x[1]))" }),
        Operation(
            name: "linear", arity: 2,
            draw: { _, x in
                plain(
                    x[0].rank >= 1 && x[1].rank == 2 && x[0].shape.last == x[1].shape[1]
                        && x[0].count / x[1].shape[1] * x[1].shape[0] <= Generation.largest)
            },
            reference: { x, _ in
                x[0].multiplied(by: x[1].view([x[1].shape[1], x[1].shape[0]]) { [$0[1], $0[0]] })
            },
            tensor: { x, _ in Tensor.linear(x[0], x[1]) }, script: { x, _ in "Tensor.linear(\(x[0]), \(x[1]))" }),
        Operation(
            name: "einsum", arity: 2,
            draw: { _, x in
                plain(x[0].rank == 2 && x[1].rank == 2 && x[0].shape[0] == x[1].shape[0])
            },
            reference: { x, _ in
                x[0].view([x[0].shape[1], x[0].shape[0]]) { [$0[1], $0[0]] }.multiplied(by: x[1])
            },
            tensor: { x, _ in Tensor.einsum("ij,ik->jk", x) },
            script: { x, _ in "Tensor.einsum(\"ij,ik->jk\", [\(x[0]), \(x[1])])" }),
        Operation(
            name: "conv1d", arity: 2,
            draw: { draw, x in
                guard x[0].rank == 3, x[1].rank == 3, x[0].shape[1] == x[1].shape[1] else { return nil }
                // Stride, padding, dilation.
                let p = Parameters(ints: [1 + draw.below(2), draw.below(2), 1 + draw.below(2)])
                let reach = p.ints[2] * (x[1].shape[2] - 1) + 1
                return x[0].shape[2] + 2 * p.ints[1] >= reach ? p : nil
            },
            reference: { x, p in
                let (n, c, width) = (x[0].shape[0], x[0].shape[1], x[0].shape[2])
                let (channels, kernel) = (x[1].shape[0], x[1].shape[2])
                let out = (width + 2 * p.ints[1] - p.ints[2] * (kernel - 1) - 1) / p.ints[0] + 1
                let (source, filter) = (x[0].values, x[1].values)
                return Reference(
                    (0..<(n * channels * out)).map { index in
                        let at = coordinates(index, [n, channels, out])
                        var sum = 0.0
                        for channel in 0..<c {
                            for tap in 0..<kernel {
                                let place = at[2] * p.ints[0] + tap * p.ints[2] - p.ints[1]
                                guard place >= 0, place < width else { continue }
                                sum +=
                                    source[(at[0] * c + channel) * width + place]
                                    * filter[(at[1] * c + channel) * kernel + tap]
                            }
                        }
                        return sum
                    }, [n, channels, out])
            },
            tensor: { x, p in
                F.conv1d(x[0], x[1], stride: p.ints[0], padding: .both(Pair(p.ints[1])), dilation: p.ints[2])
            },
            script: {
                "F.conv1d(\($0[0]), \($0[1]), stride: \($1.ints[0]), padding: \($1.ints[1]), dilation: \($1.ints[2]))"
            }),
    ]
}

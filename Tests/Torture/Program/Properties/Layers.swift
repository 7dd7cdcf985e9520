// Functions of layers: pooling, normalisation, losses.
import Foundation
import Tapestry
import nn

/// A window of pooling along the last dimension of [N, C, L]: kernel and stride.
private func drawWindow(_ draw: Draw, _ x: Reference) -> Parameters? {
    guard x.rank == 3, x.shape[2] > 1 else { return nil }
    return Parameters(ints: [1 + draw.below(x.shape[2]), 1 + draw.below(3)])
}

/// The windows' elements, in row-major order of the results.
private func windows(_ x: Reference, _ p: Parameters) -> (values: [[Double]], shape: [Int]) {
    let shape = [x.shape[0], x.shape[1], (x.shape[2] - p.ints[0]) / p.ints[1] + 1]
    let values = x.values
    return (
        (0..<product(shape)).map { index in
            let at = coordinates(index, shape)
            let start = element([at[0], at[1], at[2] * p.ints[1]], x.shape)
            return Array(values[start..<(start + p.ints[0])])
        }, shape
    )
}

/// (x − mean) / √(variance + ε) over groups.
private func normalized(_ x: Reference, over dims: [Int]) -> Reference {
    let mean = x.reduce(dims, keepdim: true) { $0.reduce(0, +) / Double($0.count) }
    let centred = x.combine(mean, -)
    let variance = centred.reduce(dims, keepdim: true) { $0.reduce(0) { $0 + $1 * $1 } / Double($0.count) }
    return centred.combine(variance) { $0 / ($1 + 1e-5).squareRoot() }
}

/// Whether no group is so even that its normalisation is steep.
private func isSpread(_ x: Reference, over dims: [Int]) -> Bool {
    x.groups(dims).allSatisfy { group in
        let mean = group.reduce(0, +) / Double(group.count)
        return group.count > 1 && group.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } > 0.1 * Double(group.count)
    }
}

private func channelDims(_ x: Reference) -> [Int] { (0..<x.rank).filter { $0 != 1 } }

extension Operation {
    static let layers: [Operation] = [
        Operation(
            name: "maxPool1d", arity: 1,
            draw: { draw, x in
                guard let p = drawWindow(draw, x[0]) else { return nil }
                let areDistinct = windows(x[0], p).values.allSatisfy { window in
                    zip(window.sorted(), window.sorted().dropFirst()).allSatisfy { $1 - $0 > 0.01 }
                }
                return areDistinct ? p : nil
            },
            reference: { x, p in
                let (values, shape) = windows(x[0], p)
                return Reference(values.map { $0.max()! }, shape)
            },
            tensor: { x, p in F.maxPool1d(x[0], kernelSize: p.ints[0], stride: p.ints[1]) },
            script: { "F.maxPool1d(\($0[0]), kernelSize: \($1.ints[0]), stride: \($1.ints[1]))" }),
        Operation(
            name: "avgPool1d", arity: 1, saves: false, draw: { draw, x in drawWindow(draw, x[0]) },
            reference: { x, p in
                let (values, shape) = windows(x[0], p)
                return Reference(values.map { $0.reduce(0, +) / Double($0.count) }, shape)
            },
            tensor: { x, p in F.avgPool1d(x[0], kernelSize: p.ints[0], stride: p.ints[1]) },
            script: { "F.avgPool1d(\($0[0]), kernelSize: \($1.ints[0]), stride: \($1.ints[1]))" }),
        Operation(
            name: "batchNorm", arity: 2,
            draw: { _, x in
                plain(
                    x[0].rank >= 2 && x[1].shape == [x[0].shape[1]] && isSpread(x[0], over: channelDims(x[0])))
            },
            reference: { x, _ in
                let scale = x[1].view([x[1].count] + [Int](repeating: 1, count: x[0].rank - 2)) { [$0[0]] }
                return normalized(x[0], over: channelDims(x[0])).combine(scale, *)
            },
            tensor: { x, _ in F.batchNorm(x[0], weight: x[1], training: true) },
            script: { x, _ in "F.batchNorm(\(x[0]), weight: \(x[1]), training: true)" }),
        Operation(
            name: "layerNorm", arity: 1,
            draw: { _, x in plain(x[0].rank >= 1 && isSpread(x[0], over: [x[0].rank - 1])) },
            reference: { x, _ in normalized(x[0], over: [x[0].rank - 1]) },
            tensor: { x, _ in F.layerNorm(x[0], normalizedShape: [x[0].shape.last!]) },
            script: { x, _ in "F.layerNorm(\(x[0]), normalizedShape: [\(x[0]).shape.last!])" }),
        Operation(
            name: "crossEntropy", arity: 1,
            draw: { draw, x in
                guard x[0].rank == 2 else { return nil }
                return Parameters(ints: (0..<x[0].shape[0]).map { _ in draw.below(x[0].shape[1]) })
            },
            reference: { x, p in
                Reference(
                    zip(x[0].groups([1]), p.ints).map { row, label in log(row.reduce(0) { $0 + exp($1) }) - row[label]
                    }, [x[0].shape[0]])
            },
            tensor: { x, p in F.crossEntropy(x[0], Tensor(p.ints), reduction: .none) },
            script: { "F.crossEntropy(\($0[0]), Tensor(\($1.ints)), reduction: .none)" }),
        Operation(
            name: "mseLoss", arity: 2, draw: { _, x in plain(x[0].shape == x[1].shape) },
            reference: { x, _ in
                let squares = x[0].combine(x[1]) { ($0 - $1) * ($0 - $1) }.values
                return Reference([squares.reduce(0, +) / Double(squares.count)], [])
            },
            tensor: { x, _ in F.mseLoss(x[0], x[1]) }, script: { x, _ in "F.mseLoss(\(x[0]), \(x[1]))" }),
        Operation(
            name: "attention", arity: 2,
            draw: { _, x in plain(x[0].rank == 2 && x[1].rank == 2 && x[0].shape[1] == x[1].shape[1]) },
            reference: { x, _ in
                let turned = x[1].view([x[1].shape[1], x[1].shape[0]]) { [$0[1], $0[0]] }
                let scores = x[0].multiplied(by: turned).map { $0 / Double(x[0].shape[1]).squareRoot() }
                return scores.mapLines(1) { row in
                    let sum = row.reduce(0) { $0 + exp($1) }
                    return row.map { exp($0) / sum }
                }.multiplied(by: x[1])
            },
            tensor: { x, _ in Tensor.scaledDotProductAttention(x[0], x[1], x[1]) },
            script: { x, _ in "Tensor.scaledDotProductAttention(\(x[0]), \(x[1]), \(x[1]))" }),
        Operation(
            name: "scatterAdd", arity: 2, saves: false,
            draw: { draw, x in
                guard x[0].rank > 0, x[0].shape == x[1].shape else { return nil }
                let dim = draw.below(x[0].rank)
                return Parameters(ints: [dim] + (0..<x[0].count).map { _ in draw.below(x[0].shape[dim]) })
            },
            reference: { x, p in
                var values = x[0].values
                for (index, value) in x[1].values.enumerated() {
                    var at = coordinates(index, x[0].shape)
                    at[p.ints[0]] = p.ints[1 + index]
                    values[element(at, x[0].shape)] += value
                }
                return Reference(values, x[0].shape)
            },
            tensor: { x, p in
                x[0].scatterAdd(dim: p.ints[0], index: Tensor(Array(p.ints.dropFirst()), shape: x[0].shape), x[1])
            },
            script: {
                "\($0[0]).scatterAdd(dim: \($1.ints[0]), index: Tensor(\(Array($1.ints.dropFirst())), shape: \($0[0]).shape), \($0[1]))"
            }),
    ]
}

// Views and copies with elements in other places.
import Tapestry

/// A random shape with as many elements.
private func drawShape(_ draw: Draw, _ count: Int) -> [Int] {
    var (shape, rest) = ([Int](), count)
    while rest > 1 {
        let factor = draw.element((1...rest).filter { rest % $0 == 0 })
        shape.append(factor)
        rest /= factor
        if shape.count == 4 { return shape.dropLast() + [shape[3] * rest] }
    }
    return shape
}

extension Operation {
    static let shapes: [Operation] = [
        Operation(
            name: "reshape", arity: 1, kind: .view, saves: false,
            draw: { draw, x in Parameters(ints: drawShape(draw, x[0].count)) },
            reference: { x, p in
                x[0].canBeViewed(as: p.ints)
                    ? Reference(viewing: x[0], Array(0..<x[0].count), p.ints) : Reference(x[0].values, p.ints)
            },
            tensor: { x, p in x[0].reshape(p.ints) }, script: { "\($0[0]).reshape(\($1.ints))" }),
        Operation(
            name: "contiguous", arity: 1, kind: .view, saves: false, mayReturnOperand: true,
            draw: { _, _ in Parameters() },
            reference: { x, _ in x[0].isContiguous ? x[0] : x[0].copy() }, tensor: { x, _ in x[0].contiguous() },
            script: { x, _ in "\(x[0]).contiguous()" }),
        Operation(
            name: "permute", arity: 1, kind: .view, saves: false,
            draw: { draw, x in x[0].rank == 0 ? nil : Parameters(ints: draw.order(x[0].rank)) },
            reference: { x, p in
                x[0].view(p.ints.map { x[0].shape[$0] }) { at in
                    x[0].shape.indices.map { dim in at[p.ints.firstIndex(of: dim)!] }
                }
            },
            tensor: { x, p in x[0].permute(p.ints) }, script: { "\($0[0]).permute(\($1.ints))" }),
        Operation(
            name: "transpose", arity: 1, kind: .view, saves: false,
            draw: { draw, x in
                x[0].rank == 0 ? nil : Parameters(ints: [draw.below(x[0].rank), draw.below(x[0].rank)])
            },
            reference: { x, p in
                var shape = x[0].shape
                shape.swapAt(p.ints[0], p.ints[1])
                return x[0].view(shape) { at in
                    var at = at
                    at.swapAt(p.ints[0], p.ints[1])
                    return at
                }
            },
            tensor: { x, p in x[0].transpose(p.ints[0], p.ints[1]) },
            script: { "\($0[0]).transpose(\($1.ints[0]), \($1.ints[1]))" }),
        Operation(
            name: "expand", arity: 1, kind: .view, saves: false,
            draw: { draw, x in
                let front = draw.chance(0.4) && x[0].rank < 4 ? [1 + draw.below(3)] : []
                let shape = front + x[0].shape.map { $0 == 1 ? 1 + draw.below(4) : $0 }
                return product(shape) <= Generation.largest ? Parameters(ints: shape) : nil
            },
            reference: { x, p in x[0].expanded(to: p.ints) }, tensor: { x, p in x[0].expand(p.ints) },
            script: { "\($0[0]).expand(\($1.ints))" }),
        Operation(
            name: "narrow", arity: 1, kind: .view, saves: false,
            draw: { draw, x in
                guard x[0].rank > 0 else { return nil }
                let dim = draw.below(x[0].rank)
                let start = draw.below(x[0].shape[dim])
                return Parameters(ints: [dim, start, 1 + draw.below(x[0].shape[dim] - start)])
            },
            reference: { x, p in
                var shape = x[0].shape
                shape[p.ints[0]] = p.ints[2]
                return x[0].view(shape) { at in
                    var at = at
                    at[p.ints[0]] += p.ints[1]
                    return at
                }
            },
            tensor: { x, p in x[0].narrow(dim: p.ints[0], start: p.ints[1], length: p.ints[2]) },
            script: { "\($0[0]).narrow(dim: \($1.ints[0]), start: \($1.ints[1]), length: \($1.ints[2]))" }),
        Operation(
            name: "slice", arity: 1, kind: .view, saves: false,
            draw: { draw, x in
                guard x[0].rank > 0 else { return nil }
                let dim = draw.below(x[0].rank)
                return Parameters(ints: [dim, draw.below(x[0].shape[dim]), 1 + draw.below(3)])
            },
            reference: { x, p in
                var shape = x[0].shape
                shape[p.ints[0]] = (shape[p.ints[0]] - p.ints[1] + p.ints[2] - 1) / p.ints[2]
                return x[0].view(shape) { at in
                    var at = at
                    at[p.ints[0]] = p.ints[1] + at[p.ints[0]] * p.ints[2]
                    return at
                }
            },
            tensor: { x, p in x[0].slice(dim: p.ints[0], start: p.ints[1], step: p.ints[2]) },
            script: { "\($0[0]).slice(dim: \($1.ints[0]), start: \($1.ints[1]), step: \($1.ints[2]))" }),
        Operation(
            name: "select", arity: 1, kind: .view, saves: false,
            draw: { draw, x in
                guard x[0].rank > 0 else { return nil }
                let dim = draw.below(x[0].rank)
                return Parameters(ints: [dim, draw.below(x[0].shape[dim])])
            },
            reference: { x, p in
                var shape = x[0].shape
                shape.remove(at: p.ints[0])
                return x[0].view(shape) { at in
                    var at = at
                    at.insert(p.ints[1], at: p.ints[0])
                    return at
                }
            },
            tensor: { x, p in x[0].select(dim: p.ints[0], index: p.ints[1]) },
            script: { "\($0[0]).select(dim: \($1.ints[0]), index: \($1.ints[1]))" }),
        Operation(
            name: "unsqueeze", arity: 1, kind: .view, saves: false,
            draw: { draw, x in x[0].rank > 3 ? nil : Parameters(ints: [draw.below(x[0].rank + 1)]) },
            reference: { x, p in
                var shape = x[0].shape
                shape.insert(1, at: p.ints[0])
                return Reference(viewing: x[0], Array(0..<x[0].count), shape)
            },
            tensor: { x, p in x[0].unsqueeze(p.ints[0]) }, script: { "\($0[0]).unsqueeze(\($1.ints[0]))" }),
        Operation(
            name: "squeeze", arity: 1, kind: .view, saves: false, draw: { _, _ in Parameters() },
            reference: { x, _ in Reference(viewing: x[0], Array(0..<x[0].count), x[0].shape.filter { $0 != 1 }) },
            tensor: { x, _ in x[0].squeeze() }, script: { x, _ in "\(x[0]).squeeze()" }),
        Operation(
            name: "diagonal", arity: 1, kind: .view, saves: false,
            draw: { draw, x in
                guard x[0].rank >= 2 else { return nil }
                return Parameters(ints: [draw.below(x[0].shape[1])])
            },
            reference: { x, p in
                let length = min(x[0].shape[0], x[0].shape[1] - p.ints[0])
                return x[0].view(Array(x[0].shape.dropFirst(2)) + [length]) { at in
                    [at[at.count - 1], at[at.count - 1] + p.ints[0]] + at.dropLast()
                }
            },
            tensor: { x, p in x[0].diagonal(offset: p.ints[0]) }, script: { "\($0[0]).diagonal(offset: \($1.ints[0]))" }
        ),
    ]

    static let arrangements: [Operation] = [
        Operation(
            name: "flip", arity: 1, saves: false,
            draw: { draw, x in x[0].rank == 0 ? nil : Parameters(ints: draw.some(of: x[0].rank)) },
            reference: { x, p in
                x[0].view(x[0].shape) { at in
                    at.enumerated().map { p.ints.contains($0) ? x[0].shape[$0] - 1 - $1 : $1 }
                }.copy()
            },
            tensor: { x, p in x[0].flip(p.ints) }, script: { "\($0[0]).flip(\($1.ints))" }),
        Operation(
            name: "roll", arity: 1, saves: false,
            draw: { draw, x in x[0].rank == 0 ? nil : Parameters(ints: [draw.below(7) - 3, draw.below(x[0].rank)]) },
            reference: { x, p in
                x[0].view(x[0].shape) { at in
                    var at = at
                    let length = x[0].shape[p.ints[1]]
                    at[p.ints[1]] = ((at[p.ints[1]] - p.ints[0]) % length + length) % length
                    return at
                }.copy()
            },
            tensor: { x, p in x[0].roll([p.ints[0]], dims: [p.ints[1]]) },
            script: { "\($0[0]).roll([\($1.ints[0])], dims: [\($1.ints[1])])" }),
        Operation(
            name: "repeat", arity: 1, saves: false,
            draw: { draw, x in
                let repeats = x[0].shape.map { _ in 1 + draw.below(2) }
                return product(repeats) * x[0].count <= Generation.largest ? Parameters(ints: repeats) : nil
            },
            reference: { x, p in
                x[0].view(zip(x[0].shape, p.ints).map { $0 * $1 }) { at in zip(at, x[0].shape).map { $0 % $1 } }.copy()
            },
            tensor: { x, p in x[0].repeat(p.ints) }, script: { "\($0[0]).repeat(\($1.ints))" }),
        Operation(
            name: "indexSelect", arity: 1, saves: false,
            draw: { draw, x in
                guard x[0].rank > 0 else { return nil }
                let dim = draw.below(x[0].rank)
                let length = x[0].shape[dim]
                let index = (0..<(1 + draw.below(4))).map { _ in draw.below(length) }
                guard x[0].count / length * index.count <= Generation.largest else { return nil }
                return Parameters(ints: [dim] + index)
            },
            reference: { x, p in
                var shape = x[0].shape
                shape[p.ints[0]] = p.ints.count - 1
                return x[0].view(shape) { at in
                    var at = at
                    at[p.ints[0]] = p.ints[1 + at[p.ints[0]]]
                    return at
                }.copy()
            },
            tensor: { x, p in x[0].indexSelect(dim: p.ints[0], index: Tensor(Array(p.ints.dropFirst()))) },
            script: { "\($0[0]).indexSelect(dim: \($1.ints[0]), index: Tensor(\(Array($1.ints.dropFirst()))))" }),
        Operation(
            name: "gather", arity: 1, saves: false,
            draw: { draw, x in
                guard x[0].rank > 0 else { return nil }
                let dim = draw.below(x[0].rank)
                return Parameters(ints: [dim] + (0..<x[0].count).map { _ in draw.below(x[0].shape[dim]) })
            },
            reference: { x, p in
                x[0].view(x[0].shape) { at in
                    var from = at
                    from[p.ints[0]] = p.ints[1 + element(at, x[0].shape)]
                    return from
                }.copy()
            },
            tensor: { x, p in
                x[0].gather(dim: p.ints[0], index: Tensor(Array(p.ints.dropFirst()), shape: x[0].shape))
            },
            script: {
                "\($0[0]).gather(dim: \($1.ints[0]), index: Tensor(\(Array($1.ints.dropFirst())), shape: \($0[0]).shape))"
            }),
        Operation(
            name: "pad", arity: 1, saves: false,
            draw: { draw, x in
                guard x[0].rank > 0 else { return nil }
                let amounts = [draw.below(3), draw.below(3)]
                let last = x[0].shape[x[0].rank - 1]
                let isSmall = x[0].count / last * (last + amounts[0] + amounts[1]) <= Generation.largest
                return isSmall ? Parameters(ints: amounts) : nil
            },
            reference: { x, p in
                var shape = x[0].shape
                let last = shape.count - 1
                shape[last] += p.ints[0] + p.ints[1]
                return Reference(
                    (0..<product(shape)).map { index in
                        var at = coordinates(index, shape)
                        at[last] -= p.ints[0]
                        let isInside = at[last] >= 0 && at[last] < x[0].shape[last]
                        return isInside ? x[0].values[element(at, x[0].shape)] : 0
                    }, shape)
            },
            tensor: { x, p in x[0].pad(p.ints) }, script: { "\($0[0]).pad(\($1.ints))" }),
        Operation(
            name: "tril", arity: 1, saves: false,
            draw: { draw, x in x[0].rank < 2 ? nil : Parameters(ints: [draw.below(3) - 1]) },
            reference: { x, p in
                Reference(
                    x[0].values.enumerated().map { index, value in
                        let at = coordinates(index, x[0].shape).suffix(2)
                        return at[at.endIndex - 1] - at[at.startIndex] <= p.ints[0] ? value : 0
                    }, x[0].shape)
            },
            tensor: { x, p in x[0].tril(p.ints[0]) }, script: { "\($0[0]).tril(\($1.ints[0]))" }),
        Operation(
            name: "cat", arity: 2, saves: false,
            draw: { draw, x in
                guard x[0].rank > 0, x[0].rank == x[1].rank, x[0].count + x[1].count <= Generation.largest else {
                    return nil
                }
                let differing = x[0].shape.indices.filter { x[0].shape[$0] != x[1].shape[$0] }
                if differing.count > 1 { return nil }
                return Parameters(ints: [differing.first ?? draw.below(x[0].rank)])
            },
            reference: { x, p in
                var shape = x[0].shape
                let (dim, first) = (p.ints[0], x[0].shape[p.ints[0]])
                shape[dim] += x[1].shape[dim]
                let (left, right) = (x[0].values, x[1].values)
                return Reference(
                    (0..<product(shape)).map { index in
                        var at = coordinates(index, shape)
                        if at[dim] < first { return left[element(at, x[0].shape)] }
                        at[dim] -= first
                        return right[element(at, x[1].shape)]
                    }, shape)
            },
            tensor: { x, p in Tensor.cat(x, dim: p.ints[0]) },
            script: { "Tensor.cat([\($0[0]), \($0[1])], dim: \($1.ints[0]))" }),
        Operation(
            name: "stack", arity: 2, saves: false,
            draw: { _, x in plain(x[0].shape == x[1].shape && x[0].count * 2 <= Generation.largest && x[0].rank < 4) },
            reference: { x, _ in Reference(x[0].values + x[1].values, [2] + x[0].shape) },
            tensor: { x, _ in Tensor.stack(x) }, script: { x, _ in "Tensor.stack([\(x[0]), \(x[1])])" }),
    ]
}

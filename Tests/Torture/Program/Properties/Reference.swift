// What a program's values should be: plain loops over places in shared memory, sharing no code with the library.
import Foundation

/// A value of the reference. Views name places of the same memory, so that a change through one is seen through all.
struct Reference {
    /// What views share.
    final class Memory {
        var values: [Double]
        /// Whether some gradient reads these elements later: they must not be changed in place.
        var isSaved = false
        /// Whether it is a leaf's that requires gradients.
        var isTrainableLeaf = false
        init(_ values: [Double]) { self.values = values }
    }

    let memory: Memory
    /// Where each element is, in row-major order.
    let places: [Int]
    let shape: [Int]

    /// New memory.
    init(_ values: [Double], _ shape: [Int]) {
        (memory, places, self.shape) = (Memory(values), Array(values.indices), shape)
    }

    /// A view of another value: its element `i` is that one's element `elements[i]`.
    init(viewing other: Reference, _ elements: [Int], _ shape: [Int]) {
        (memory, places, self.shape) = (other.memory, elements.map { other.places[$0] }, shape)
    }

    var rank: Int { shape.count }
    var count: Int { places.count }
    var values: [Double] { places.map { memory.values[$0] } }
    /// Whether two elements share a place.
    var overlaps: Bool { Set(places).count != places.count }

    /// Overwrites the elements.
    func assign(_ values: [Double]) {
        for (place, value) in zip(places, values) { memory.values[place] = value }
    }

    /// Whether these places have one step for each dimension of `shape`: then a view has that shape, else a copy.
    func canBeViewed(as shape: [Int]) -> Bool {
        let steps = rowMajorSteps(shape)
        return places.indices.allSatisfy { element in
            var expected = places[0]
            for (index, (length, step)) in zip(shape, steps).enumerated() where length > 1 {
                expected += coordinates(element, shape)[index] * (places[step] - places[0])
            }
            return places[element] == expected
        }
    }

    /// Whether the places are consecutive.
    var isContiguous: Bool { places.indices.allSatisfy { places[$0] == places[0] + $0 } }
}

/// Steps of a row-major layout.
func rowMajorSteps(_ shape: [Int]) -> [Int] {
    var steps = [Int](repeating: 1, count: shape.count)
    for dim in shape.indices.dropLast().reversed() { steps[dim] = steps[dim + 1] * shape[dim + 1] }
    return steps
}

/// Where the element with a row-major number stands.
func coordinates(_ element: Int, _ shape: [Int]) -> [Int] {
    zip(shape, rowMajorSteps(shape)).map { element / $1 % $0 }
}

/// The row-major number of a place.
func element(_ coordinates: [Int], _ shape: [Int]) -> Int {
    zip(coordinates, rowMajorSteps(shape)).reduce(0) { $0 + $1.0 * $1.1 }
}

func product(_ shape: some Sequence<Int>) -> Int { shape.reduce(1, *) }

/// The shape that two shapes broadcast to; nil if they do not.
func broadcast(_ a: [Int], _ b: [Int]) -> [Int]? {
    let rank = max(a.count, b.count)
    let (left, right) = (ones(rank - a.count) + a, ones(rank - b.count) + b)
    guard zip(left, right).allSatisfy({ $0 == $1 || $0 == 1 || $1 == 1 }) else { return nil }
    return zip(left, right).map(max)
}

private func ones(_ count: Int) -> [Int] { [Int](repeating: 1, count: count) }

extension Reference {
    /// The same elements seen with a larger shape.
    func expanded(to target: [Int]) -> Reference {
        let skip = target.count - rank
        return Reference(
            viewing: self,
            (0..<product(target)).map { index in
                let at = coordinates(index, target).dropFirst(skip)
                return element(zip(at, shape).map { $1 == 1 ? 0 : $0 }, shape)
            }, target)
    }

    /// A view whose element at some coordinates is this one's at `source(coordinates)`.
    func view(_ target: [Int], _ source: ([Int]) -> [Int]) -> Reference {
        Reference(
            viewing: self, (0..<product(target)).map { element(source(coordinates($0, target)), shape) }, target)
    }

    func copy() -> Reference { Reference(values, shape) }
    func map(_ f: (Double) -> Double) -> Reference { Reference(values.map(f), shape) }

    func combine(_ other: Reference, _ f: (Double, Double) -> Double) -> Reference {
        let target = broadcast(shape, other.shape)!
        return Reference(zip(expanded(to: target).values, other.expanded(to: target).values).map(f), target)
    }

    /// Elements that differ only along `dims`, group by group, in row-major order.
    func groups(_ dims: [Int]) -> [[Double]] {
        let kept = shape.indices.map { dims.contains($0) ? 1 : shape[$0] }
        var groups = [[Double]](repeating: [], count: product(kept))
        for (index, value) in values.enumerated() {
            let at = coordinates(index, shape).enumerated().map { dims.contains($0.offset) ? 0 : $0.element }
            groups[element(at, kept)].append(value)
        }
        return groups
    }

    func reduce(_ dims: [Int], keepdim: Bool, _ f: ([Double]) -> Double) -> Reference {
        let kept =
            keepdim
            ? shape.indices.map { dims.contains($0) ? 1 : shape[$0] }
            : shape.indices.filter { !dims.contains($0) }.map { shape[$0] }
        return Reference(groups(dims).map(f), kept)
    }

    /// Each line along `dim` replaced by `f` of it.
    func mapLines(_ dim: Int, _ f: ([Double]) -> [Double]) -> Reference {
        let kept = shape.indices.map { $0 == dim ? 1 : shape[$0] }
        let lines = groups([dim]).map(f)
        return Reference(
            (0..<count).map { index in
                var at = coordinates(index, shape)
                let step = at[dim]
                at[dim] = 0
                return lines[element(at, kept)][step]
            }, shape)
    }

    /// Matrix product of matrices in the last two dimensions.
    func multiplied(by other: Reference) -> Reference {
        let a = rank == 1 ? view([1] + shape) { [$0[1]] } : self
        let b = other.rank == 1 ? other.view(other.shape + [1]) { [$0[0]] } : other
        let batch = broadcast(Array(a.shape.dropLast(2)), Array(b.shape.dropLast(2)))!
        let (m, k, n) = (a.shape[a.rank - 2], a.shape[a.rank - 1], b.shape[b.rank - 1])
        let (left, right) = (a.expanded(to: batch + [m, k]).values, b.expanded(to: batch + [k, n]).values)
        var result: [Double] = []
        for matrix in 0..<product(batch) {
            for row in 0..<m {
                for column in 0..<n {
                    result.append(
                        (0..<k).reduce(0) {
                            $0 + left[(matrix * m + row) * k + $1] * right[(matrix * k + $1) * n + column]
                        })
                }
            }
        }
        return Reference(result, batch + (rank == 1 ? [] : [m]) + (other.rank == 1 ? [] : [n]))
    }
}

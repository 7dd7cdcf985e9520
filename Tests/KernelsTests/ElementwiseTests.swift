// Elementwise functions, reductions and softmax of every instruction set against libm and plain loops.
import Foundation
import Kernels
import Testing

@Suite struct ElementwiseTests {
    static let edges: [Double] = [
        0, -0.0, 1, -1, 0.5, 88, -88, 100, -105, 1e-30, -1e-30, 1e30, .infinity, -.infinity, .nan,
    ]

    @Test(arguments: floatTables.indices, [UnaryOp.exp, .log, .tanh, .sigmoid, .sqrt, .relu, .reciprocal, .sin, .erf])
    func floatFunctionsAreWithinAFewRoundings(_ table: Int, _ op: UnaryOp) {
        var random = SeededGenerator(3)
        var x = (0..<1003).map { _ in Float(Double.random(in: -20...20, using: &random)) }
        if op == .log || op == .sqrt { x = x.map { abs($0) } }
        x += Self.edges.map { Float($0) }
        var y = [Float](repeating: 0, count: x.count)
        floatTables[table].unary(op, x.count, x, 1, &y, 1)
        let f = Double.function(op)
        for (input, result) in zip(x, y) {
            let expected = f(Double(input))
            let close =
                (expected.isNaN && result.isNaN) || Double(result) == expected || Float(expected) == result
                || abs(Double(result) - expected) <= 4e-7 * abs(expected) + 1e-37
            #expect(close, "\(floatTables[table].name) \(op)(\(input)) is \(result), expected \(expected)")
            if !close { return }
        }
    }

    @Test(arguments: doubleTables.indices, UnaryOp.allCases) func doubleFunctionsAreLibm(_ table: Int, _ op: UnaryOp) {
        let x: [Double] = [0.3, -0.7, 2.5, -3.5, 0, 10] + Self.edges
        var y = [Double](repeating: 0, count: x.count)
        doubleTables[table].unary(op, x.count, x, 1, &y, 1)
        let f = Double.function(op)
        for (input, result) in zip(x, y) {
            let expected = f(input)
            #expect(
                (expected.isNaN && result.isNaN) || result == expected
                    || abs(result - expected) <= 1e-15 * abs(expected),
                "\(doubleTables[table].name) \(op)(\(input)) is \(result), expected \(expected)")
        }
    }

    @Test(arguments: floatTables.indices, BinaryOp.allCases) func binaryOpsWithEveryStride(_ table: Int, _ op: BinaryOp)
    {
        var random = SeededGenerator(5)
        let a = (0..<80).map { _ in Float.random(in: 0.2...3, using: &random) }
        let b = (0..<80).map { _ in Float.random(in: 0.2...3, using: &random) }
        let f = Double.function(op)
        for (aStride, bStride, yStride, count) in [
            (1, 1, 1, 37), (0, 1, 1, 20), (1, 0, 1, 8), (2, 3, 1, 13), (1, 1, 2, 21), (1, 1, 1, 0),
        ] {
            var y = [Float](repeating: -1, count: 80)
            floatTables[table].binary(op, count, a, aStride, b, bStride, &y, yStride)
            for index in 0..<count {
                let expected = f(Double(a[index * aStride]), Double(b[index * bStride]))
                #expect(abs(Double(y[index * yStride]) - expected) <= 1e-6 * max(1, abs(expected)), "\(op)")
            }
        }
    }

    @Test(
        arguments: floatTables.indices, [(1, 100_003, 1), (7, 33, 1), (3, 5, 19), (2, 1000, 300), (1, 0, 3), (4, 1, 1)])
    func sums(_ table: Int, _ extents: (Int, Int, Int)) {
        let (outer, length, inner) = extents
        var random = SeededGenerator(9)
        let x = (0..<outer * length * inner).map { _ in Float.random(in: -1...3, using: &random) }
        var results: [[Float]] = []
        let before = Parallel.threads
        for threads in [1, 2, 4, 8] {
            Parallel.threads = threads
            var y = [Float](repeating: -1, count: outer * inner)
            floatTables[table].reduce(.sum, outer, length, inner, x, &y)
            results.append(y)
        }
        Parallel.threads = before
        #expect(results.allSatisfy { $0 == results[0] })
        for o in 0..<outer {
            for i in 0..<inner {
                let expected = (0..<length).reduce(0.0) { $0 + Double(x[(o * length + $1) * inner + i]) }
                #expect(abs(Double(results[0][o * inner + i]) - expected) <= 2e-6 * max(1, Double(length)))
            }
        }
    }

    @Test(arguments: floatTables.indices) func extremesKeepNaNAndTakeTheFirst(_ table: Int) {
        let x: [Float] = [1, 5, 5, 2, .nan, 9, 3, 3, 3]
        var (largest, place) = ([Float](repeating: 0, count: 3), [Int64](repeating: 0, count: 3))
        floatTables[table].reduce(.max, 3, 3, 1, x, &largest)
        floatTables[table].argReduce(true, 3, 3, 1, x, &place)
        #expect(largest[0] == 5 && largest[1].isNaN && largest[2] == 3)
        #expect(place == [1, 1, 0])
    }

    @Test(arguments: floatTables.indices, [(3, 10, 1), (2, 5, 13), (1, 1, 1), (4, 1000, 1)])
    func softmaxOfExtremeValues(_ table: Int, _ extents: (Int, Int, Int)) {
        let (outer, length, inner) = extents
        var random = SeededGenerator(2)
        var x = (0..<outer * length * inner).map { _ in Float.random(in: -30...30, using: &random) }
        x[0] = 1e30
        for logarithm in [false, true] {
            var y = [Float](repeating: -1, count: x.count)
            floatTables[table].softmax(logarithm, outer, length, inner, x, &y)
            for o in 0..<outer {
                for i in 0..<inner {
                    let places = (0..<length).map { (o * length + $0) * inner + i }
                    let largest = places.map { Double(x[$0]) }.max()!
                    let sum = places.reduce(0.0) { $0 + exp(Double(x[$1]) - largest) }
                    for place in places {
                        let log = Double(x[place]) - largest - Foundation.log(sum)
                        let expected = logarithm ? log : exp(log)
                        #expect(abs(Double(y[place]) - expected) <= 2e-6 * max(1, abs(expected)))
                    }
                }
            }
        }
    }
}

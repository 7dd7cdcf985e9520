// Matrix products of every instruction set against the definition, in Double.
import Kernels
import Testing

@Suite(.serialized) struct GEMMTests {
    /// A product to try: shape, layout of the factors, and what happens to C.
    struct Case: CustomTestStringConvertible {
        var batch = 1
        var m: Int
        var n: Int
        var k: Int
        var transposesA = false
        var transposesB = false
        /// Distance of neighbouring scalars along the contiguous axis of A and B.
        var gap = 1
        var sharesA = false
        var sharesB = false
        var accumulate = false
        var bias = false
        /// Unused scalars at the end of each row of C.
        var slack = 0

        var testDescription: String {
            "\(batch)×\(m)×\(n)×\(k)\(transposesA ? " Aᵀ" : "")\(transposesB ? " Bᵀ" : "") gap \(gap)"
                + "\(sharesA ? " one A" : "")\(sharesB ? " one B" : "")\(accumulate ? " +=" : "")\(bias ? " bias" : "")"
        }
    }

    /// Runs `test` with `table`; returns what C holds, and the largest error against the definition.
    func run<Scalar: BinaryFloatingPoint & BitwiseCopyable>(
        _ test: Case, _ table: KernelTable, _: Scalar.Type, comparing: Bool = true
    ) -> (result: [Scalar], error: Double) {
        var generator = SeededGenerator(UInt64(test.m * 7 + test.n * 5 + test.k))
        func fill(_ count: Int) -> [Scalar] {
            (0..<count).map { _ in Scalar(Float.random(in: -1...1, using: &generator)) }
        }
        let (batch, m, n, k) = (test.batch, test.m, test.n, test.k)
        let a = fill((test.sharesA ? 1 : batch) * m * k * test.gap)
        let b = fill((test.sharesB ? 1 : batch) * k * n * test.gap)
        let bias = fill(n)
        let cRow = n + test.slack
        var c = fill(batch * m * cRow)
        let before = c
        var arguments: GEMMArguments?
        a.withUnsafeBytes { a in
            b.withUnsafeBytes { b in
                bias.withUnsafeBytes { bias in
                    c.withUnsafeMutableBytes { c in
                        // Empty arrays have no address; nothing is read there.
                        let nowhere = UnsafeMutableRawPointer(bitPattern: 64)!
                        let g = GEMMArguments(
                            batch: batch, m: m, n: n, k: k, a: a.baseAddress ?? UnsafeRawPointer(nowhere),
                            aRow: test.transposesA ? test.gap : k * test.gap,
                            aColumn: test.transposesA ? m * test.gap : test.gap,
                            aBatch: test.sharesA ? 0 : m * k * test.gap,
                            b: b.baseAddress ?? UnsafeRawPointer(nowhere),
                            bRow: test.transposesB ? test.gap : n * test.gap,
                            bColumn: test.transposesB ? k * test.gap : test.gap,
                            bBatch: test.sharesB ? 0 : k * n * test.gap, c: c.baseAddress ?? nowhere, cRow: cRow,
                            cBatch: m * cRow, accumulate: test.accumulate,
                            columnBias: test.bias ? bias.baseAddress : nil)
                        table.gemm(g)
                        arguments = g
                    }
                }
            }
        }
        guard comparing, let g = arguments else { return (c, 0) }
        var error = 0.0
        for batch in 0..<batch {
            for i in 0..<m {
                for j in 0..<cRow {
                    let index = batch * g.cBatch + i * cRow + j
                    var expected = test.accumulate || j >= n ? Double(before[index]) : 0
                    if j < n {
                        if test.bias { expected += Double(bias[j]) }
                        let (aStart, bStart) = (batch * g.aBatch + i * g.aRow, batch * g.bBatch + j * g.bColumn)
                        var p = 0
                        while p < k {
                            expected += Double(a[aStart + p * g.aColumn]) * Double(b[bStart + p * g.bRow])
                            p += 1
                        }
                    }
                    let difference = abs(Double(c[index]) - expected)
                    error = difference.isNaN ? .infinity : max(error, difference)
                }
            }
        }
        return (c, error)
    }

    func check(_ test: Case) {
        // Sums of k products of numbers below 1: rounding errors grow like a random walk.
        let scale = Double(test.k + 2).squareRoot()
        for table in floatTables {
            let error = run(test, table, Float.self).error
            #expect(error <= 8 * scale * Double(Float.ulpOfOne), "\(test.testDescription), Float, \(table.name)")
        }
        for table in doubleTables {
            let error = run(test, table, Double.self).error
            #expect(error <= 8 * scale * Double.ulpOfOne, "\(test.testDescription), Double, \(table.name)")
        }
    }

    @Test func everyLayoutOfOddShapes() {
        let shapes = [
            (1, 1, 1), (1, 1, 300), (1, 37, 5), (37, 1, 5), (5, 3, 8), (6, 16, 4), (7, 17, 9), (13, 33, 31),
            (12, 32, 64), (23, 10, 129), (3, 130, 70), (50, 47, 19), (29, 66, 263), (61, 5, 40),
        ]
        for (m, n, k) in shapes {
            for layout in 0..<4 {
                for gap in 1...2 {
                    check(
                        Case(
                            m: m, n: n, k: k, transposesA: layout & 1 != 0, transposesB: layout & 2 != 0, gap: gap,
                            accumulate: (m + n + layout) % 2 == 0, bias: (k + layout) % 3 == 0, slack: layout % 3))
                }
            }
        }
    }

    @Test func eachRemainderOfRowsAndColumns() {
        for size in 1...37 {
            check(Case(m: size, n: 19, k: 11, accumulate: size % 2 == 0, bias: true))
            check(Case(m: 5, n: size, k: 11, transposesB: true, bias: size % 2 == 0, slack: 1))
            check(Case(m: size, n: size, k: size, transposesA: true, transposesB: size % 2 == 0))
        }
    }

    @Test func severalBlocksInEachDirection() {
        check(Case(m: 151, n: 67, k: 523, transposesA: true, bias: true))
        check(Case(m: 157, n: 521, k: 97, accumulate: true))
        check(Case(m: 31, n: 1031, k: 61, transposesB: true, bias: true))
        check(Case(m: 10, n: 7, k: 3001, transposesB: true))
        check(Case(m: 3, n: 1100, k: 37, accumulate: true, bias: true))
        check(Case(m: 200, n: 40, k: 9))
    }

    @Test func smallResultsOfLongSums() {
        // In parts of k, with a few steps left over, or none.
        check(Case(m: 41, n: 43, k: 2053, transposesB: true, accumulate: true, bias: true, slack: 3))
        check(Case(m: 17, n: 9, k: 2048, bias: true))
        check(Case(m: 23, n: 35, k: 5003, transposesB: true, bias: true))
        check(Case(m: 9, n: 50, k: 2063, transposesA: true, accumulate: true, slack: 1))
    }

    @Test func batchesWithSharedFactors() {
        for layout in 0..<4 {
            for sharing in 0..<4 {
                for (m, n, k) in [(1, 1, 1), (4, 9, 6), (17, 15, 33)] {
                    check(
                        Case(
                            batch: 5, m: m, n: n, k: k, transposesA: layout & 1 != 0, transposesB: layout & 2 != 0,
                            sharesA: sharing & 1 != 0, sharesB: sharing & 2 != 0, accumulate: layout == 2,
                            bias: layout == 1, slack: sharing == 3 ? 2 : 0))
                }
            }
        }
    }

    @Test func aColumnAsResult() {
        for layout in 0..<4 {
            for k in [3, 70] {
                check(
                    Case(
                        m: 45, n: 1, k: k, transposesA: layout & 1 != 0, transposesB: layout & 2 != 0,
                        accumulate: layout < 2, bias: layout % 3 == 0))
                check(Case(batch: 3, m: 45, n: 1, k: k, transposesA: layout & 1 != 0, bias: layout > 1))
            }
        }
    }

    @Test func emptyProducts() {
        for (m, n, k) in [(0, 3, 2), (3, 0, 2), (0, 0, 0)] { check(Case(m: m, n: n, k: k)) }
        check(Case(batch: 0, m: 3, n: 3, k: 3))
        for batch in [1, 3] {
            check(Case(batch: batch, m: 5, n: 19, k: 0))
            check(Case(batch: batch, m: 5, n: 19, k: 0, accumulate: true, bias: true))
        }
    }

    @Test func zeroTimesInfinityStaysInItsRowAndColumn() {
        // Lanes and rows that only fill up a tile must not leak into the result.
        for table in floatTables {
            for (m, n, k) in [(7, 19, 13), (1, 5, 67), (7, 1, 67), (40, 3, 21)] {
                for transposesB in [false, true] {
                    var a = [Float](repeating: 1, count: m * k)
                    a[0] = .infinity
                    let b = [Float](repeating: 1, count: k * n)
                    var c = [Float](repeating: .nan, count: m * n)
                    table.gemm(
                        GEMMArguments(
                            m: m, n: n, k: k, a: a, aRow: k, aColumn: 1, b: b, bRow: transposesB ? 1 : n,
                            bColumn: transposesB ? k : 1, c: &c, cRow: n))
                    let expected = (0..<m * n).map { $0 < n ? Float.infinity : Float(k) }
                    #expect(c == expected)
                }
            }
        }
    }

    @Test func anyNumberOfThreadsGivesTheSameBits() {
        let threads = Parallel.threads
        defer { Parallel.threads = threads }
        let cases = [
            Case(m: 171, n: 207, k: 301, bias: true), Case(m: 50, n: 10, k: 1568, transposesB: true),
            Case(m: 128, n: 256, k: 150, transposesA: true, accumulate: true),
            Case(batch: 64, m: 17, n: 33, k: 40), Case(m: 1, n: 800, k: 700), Case(m: 300, n: 1, k: 800),
        ]
        for test in cases {
            for table in floatTables.suffix(1) {
                Parallel.threads = 1
                let one = run(test, table, Float.self, comparing: false).result
                for count in [2, 4, 8] {
                    Parallel.threads = count
                    let same = run(test, table, Float.self, comparing: false).result == one
                    #expect(same, "\(test.testDescription), \(table.name)")
                }
            }
        }
    }
}

// Axes and their ticks; histograms against numpy 2.4's.
import Testing

@testable import plot

private func labels(_ low: Double, _ high: Double, _ most: Int, _ scale: Scale = .linear) -> [String] {
    Axis(scale, limits: low...high).ticks(atMost: most).map(\.label).filter { !$0.isEmpty }
}

/// Ends that hardly any number can be told from, or that overflow when subtracted.
private let oddRanges: [(Double, Double)] = [
    (0, 0), (5, 5), (-1e300, 1e300), (-1.7e308, 1.7e308), (1e300, 1e300), (0, .leastNonzeroMagnitude), (1e-308, 2e-308),
    (1e16, 1e16 + 2),
    (-3e-9, 4e12), (.leastNormalMagnitude, .greatestFiniteMagnitude), (-.infinity, .infinity), (0, .infinity),
]

@Suite struct AxisTests {
    @Test func ticksStandAtStepsOfOneTwoOrFive() {
        #expect(labels(0, 1, 6) == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"])
        #expect(labels(0, 1, 5) == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"])
        #expect(labels(0, 1, 2) == ["0.0", "0.5", "1.0"])
        #expect(labels(-3.2, 7.9, 6) == ["−2", "0", "2", "4", "6"])
        #expect(labels(0, 60_000, 4) == ["0", "20000", "40000", "60000"])
        #expect(labels(0.0012, 0.0038, 4) == ["0.002", "0.003"])
        #expect(labels(0, 3e9, 3) == ["0", "1e9", "2e9", "3e9"])
        #expect(labels(1e-7, 3e-7, 4) == ["1.0e−7", "1.5e−7", "2.0e−7", "2.5e−7", "3.0e−7"])
    }

    @Test func logTicksStandAtPowersOfTen() {
        #expect(labels(0.01, 1000, 8, .log) == ["10⁻²", "10⁻¹", "10⁰", "10¹", "10²", "10³"])
        #expect(labels(1e-12, 1e12, 5, .log) == ["10⁻¹⁰", "10⁻⁵", "10⁰", "10⁵", "10¹⁰"])
        #expect(labels(2, 6, 4, .log) == ["2", "3", "4", "5", "6"])
        let small = Axis(.log, limits: 1...100).ticks(atMost: 5).filter(\.label.isEmpty).map(\.value)
        #expect(small == [2, 3, 4, 5, 6, 7, 8, 9, 20, 30, 40, 50, 60, 70, 80, 90])
    }

    @Test(arguments: 2...12)
    func thereAreNotMoreTicksThanAskedForAndNotFewerThanHalf(_ most: Int) {
        for index in 1..<200 {
            let low = Double(index * 7919 % 1000) - 500, span = Double(index * index) / 37
            let ticks = Axis(.linear, limits: low...low + span).ticks(atMost: most)
            #expect(ticks.count <= most + 1 && ticks.count >= most / 3)
            #expect(ticks.allSatisfy { $0.value >= low - span * 1e-5 && $0.value <= low + span * (1 + 1e-5) })
        }
    }

    @Test(arguments: oddRanges)
    func oddRangesHaveTicksToo(_ low: Double, _ high: Double) {
        for scale in [Scale.linear, .log] {
            for axis in [
                Axis(scale, limits: low...high), Axis(scale, containing: [low, high], margin: 0.05),
                Axis(scale, containing: [low, high], margin: 0.05, standsOnZero: true),
            ] {
                #expect(axis.low < axis.high)
                let ticks = axis.ticks(atMost: 5)
                #expect(ticks.count < 200)
                #expect(ticks.allSatisfy { $0.value.isFinite && $0.label.count < 24 })
            }
        }
    }

    @Test func positionsGoFromTheLowToTheHighEnd() {
        let linear = Axis(.linear, limits: 2...6)
        #expect(linear.position(3) == 0.25)
        #expect(linear.position(8) == 1.5)
        #expect(linear.position(.nan) == nil)
        #expect(linear.position(.infinity) == nil)
        let log = Axis(.log, limits: 1...100)
        #expect(log.position(10) == 0.5)
        #expect(log.position(0) == nil)
        #expect(log.position(-1) == nil)
        var reversed = linear
        reversed.isReversed = true
        #expect(reversed.position(3) == 0.75)
    }

    @Test func dataStayOffTheEndsUnlessTheyStandOnZero() {
        let axis = Axis(.linear, containing: [0, 10], margin: 0.1)
        #expect(axis.low == -1 && axis.high == 11)
        let bars = Axis(.linear, containing: [0, 10], margin: 0.1, standsOnZero: true)
        #expect(bars.low == 0 && bars.high == 11)
        let none = Axis(.linear, containing: [.nan, .infinity], margin: 0)
        #expect(none.low == 0 && none.high == 1)
    }

    @Test func linesAreCutAtTheArea() throws {
        let frame = Frame(
            area: Rect(x: 0, y: 0, width: 10, height: 10), x: Axis(.linear, limits: 0...1),
            y: Axis(.linear, limits: 0...1))
        let cut = try #require(frame.clipped(Point(x: -5, y: 5), Point(x: 15, y: 5)))
        #expect(cut == (Point(x: 0, y: 5), Point(x: 10, y: 5)))
        #expect(frame.clipped(Point(x: -5, y: -1), Point(x: 15, y: -1)) == nil)
        #expect(frame.clipped(Point(x: -5, y: 8), Point(x: 2, y: 15)) == nil)
        let inside = try #require(frame.clipped(Point(x: 1, y: 2), Point(x: 3, y: 4)))
        #expect(inside == (Point(x: 1, y: 2), Point(x: 3, y: 4)))
    }

    @Test func binsCountAsNumpys() {
        let values = (0..<50).map { Double($0 * 37 % 101) / 10 - 3 }
        #expect(Bins(values, 5, range: nil).counts == [10, 10, 10, 9, 11])
        #expect(Bins(values, 7, range: 0...5).counts == [4, 3, 4, 3, 3, 3, 5])
        #expect(Bins([1, 2, 3, 4, 5], 4, range: nil).counts == [1, 1, 1, 2])
        #expect(Bins(values + [.nan, .infinity], 5, range: nil).counts == [10, 10, 10, 9, 11])
        #expect(Bins(values, nil, range: nil).counts == [8, 6, 7, 8, 6, 7, 8])
        #expect(Bins([], nil, range: nil).counts == [0])
        #expect(Bins([7], nil, range: nil).counts == [1])
        #expect(Bins([7, 7, 7], 3, range: nil).counts == [0, 3, 0])
        #expect(Bins([-1e300, 1e300], 2, range: nil).counts == [1, 1])
    }

    @Test func briefNumbersHaveAboutThreeDigits() {
        let expected: [(Double, String)] = [
            (0, "0"), (950, "950"), (-3, "−3"), (0.12345, "0.12"), (12.345, "12.3"), (123.45, "123"),
            (1.5e-7, "1.5e−07"),
            (.nan, "NaN"), (-.infinity, "−∞"), (1e300, "1.0e+300"),
        ]
        for (value, text) in expected { #expect(brief(value) == text) }
    }
}

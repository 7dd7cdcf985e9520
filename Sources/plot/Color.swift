// Colours that can be told apart by everybody: a palette for series, maps for magnitudes.

/// A colour of 8 bits a channel.
public struct Color: Sendable, Hashable {
    /// 0 to 255 each, as screens take them (sRGB).
    public var red, green, blue: UInt8
    /// 0 is invisible, 1 covers what is below.
    public var alpha: Double

    /// An alpha outside of 0...1 is brought into it.
    public init(_ red: UInt8, _ green: UInt8, _ blue: UInt8, alpha: Double = 1) {
        (self.red, self.green, self.blue) = (red, green, blue)
        self.alpha = alpha.isFinite ? min(1, max(0, alpha)) : 1
    }

    /// A grey from 0 (black) to 1 (white).
    public static func grey(_ level: Double) -> Color {
        let value = UInt8((min(1, max(0, level)) * 255).rounded())
        return Color(value, value, value)
    }

    public static let black = Color(0, 0, 0)
    public static let white = Color(255, 255, 255)

    /// Eight colours that remain distinct with every kind of colour blindness, black last (Okabe & Ito, 2008).
    public static let palette = [
        Color(0, 114, 178), Color(213, 94, 0), Color(0, 158, 115), Color(204, 121, 167), Color(230, 159, 0),
        Color(86, 180, 233), Color(240, 228, 66), Color(0, 0, 0),
    ]

    /// The same colour, less opaque.
    public func opacity(_ alpha: Double) -> Color { Color(red, green, blue, alpha: self.alpha * alpha) }

    /// How bright it appears, 0...1 (Rec. 709 weights, without gamma).
    var luminance: Double { (0.2126 * Double(red) + 0.7152 * Double(green) + 0.0722 * Double(blue)) / 255 }

    /// Black or white, whichever reads better on this colour.
    var readable: Color { luminance > 0.5 ? .black : .white }

    /// `#rrggbb`, alpha left out.
    var hex: String {
        let value = Int(red) << 16 | Int(green) << 8 | Int(blue)
        let digits = String(value, radix: 16)
        return "#" + String(repeating: "0", count: 6 - digits.count) + digits
    }

    /// This colour laid over another with the given coverage.
    func over(_ below: Color, coverage: Double) -> Color {
        let share = alpha * coverage
        func mix(_ top: UInt8, _ bottom: UInt8) -> UInt8 {
            UInt8((Double(bottom) + (Double(top) - Double(bottom)) * share).rounded())
        }
        return Color(mix(red, below.red), mix(green, below.green), mix(blue, below.blue))
    }
}

/// Colours for numbers from 0 to 1, evenly bright from step to step.
public struct ColorMap: Sendable {
    private let stops: [Color]

    /// A map that goes through the given colours at equal distances. Traps unless there are at least two.
    public init(_ stops: [Color]) {
        precondition(stops.count >= 2, "ColorMap: \(stops.count) colours, expected at least two")
        self.stops = stops
    }

    /// The colour of a number; beyond 0...1 that of the nearer end, light grey for NaN.
    public func color(_ value: Double) -> Color {
        guard !value.isNaN else { return ColorMap.missing }
        let place = min(1, max(0, value)) * Double(stops.count - 1)
        let index = min(stops.count - 2, Int(place))
        return stops[index + 1].over(stops[index], coverage: place - Double(index))
    }

    /// The colour of a number whose range is not 0...1; in the middle if the range is one number.
    func color(_ value: Double, in range: ClosedRange<Double>) -> Color {
        let (low, high) = (range.lowerBound, range.upperBound)
        return color(high > low ? (value - low) / (high - low) : value.isNaN ? .nan : 0.5)
    }

    /// What stands for a number that is none.
    static let missing = Color(221, 221, 221)

    public static let grey = ColorMap([.black, .white])
    /// White to dark blue: for counts that are mostly near zero.
    public static let blues = ColorMap([
        Color(247, 251, 255), Color(222, 235, 247), Color(198, 219, 239), Color(158, 202, 225), Color(107, 174, 214),
        Color(66, 146, 198), Color(33, 113, 181), Color(8, 81, 156), Color(8, 48, 107),
    ])
    /// Dark violet to yellow (van der Walt & Smith, 2015), in sixteenths.
    public static let viridis = ColorMap([
        Color(68, 1, 84), Color(72, 24, 106), Color(71, 45, 123), Color(66, 64, 134), Color(59, 82, 139),
        Color(51, 99, 141), Color(44, 114, 142), Color(38, 130, 142), Color(33, 145, 140), Color(31, 160, 136),
        Color(40, 174, 128), Color(63, 188, 115), Color(94, 201, 98), Color(132, 212, 75), Color(173, 220, 48),
        Color(216, 226, 25), Color(253, 231, 37),
    ])
    /// Dark blue to yellow, alike with and without red-green blindness (Nuñez, Anderton & Renslow, 2018), in eighths.
    public static let cividis = ColorMap([
        Color(0, 34, 78), Color(24, 54, 107), Color(65, 77, 107), Color(97, 101, 112), Color(124, 123, 120),
        Color(155, 147, 118), Color(188, 174, 108), Color(221, 203, 92), Color(254, 232, 56),
    ])
}

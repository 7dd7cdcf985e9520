// A font of lines for pictures made of pixels: letters as a pen would draw them, in a table that fits on a page.
import Foundation

/// Text as polylines.
///
/// A glyph is its width and its strokes. Points are two base-36 digits, x and y; y is 3 on the baseline, 10 (`a`) at the
/// top of small letters, 13 (`d`) at that of capitals. `~` before a stroke makes it a smooth curve from the first point
/// to the last with the others as its control points (a quadratic B-spline), `@` a closed one.
enum StrokeFont {
    /// A capital's height, as a part of the text size.
    private static let capHeight = 0.72
    /// Units of the grid in a capital's height, and between glyphs.
    private static let capUnits = 10.0, spacing = 2.5, blank = 2.5

    /// Length of a text.
    static func width(_ text: String, _ size: Double) -> Double {
        let units = glyphs(of: text).reduce(0.0) { $0 + $1.advance }
        return max(0, units - spacing) * unit(size)
    }

    /// Thickness of the pen for a size.
    static func penWidth(_ size: Double) -> Double { max(1, size * 0.085) }

    /// The strokes of a text that begins at x = 0 and whose capitals are centred on y = 0; y goes down.
    static func strokes(_ text: String, _ size: Double) -> [[Point]] {
        var result: [[Point]] = []
        var x = 0.0
        let unit = unit(size)
        for glyph in glyphs(of: text) {
            for stroke in glyph.strokes {
                result.append(
                    stroke.map {
                        Point(
                            x: (x + $0.x * glyph.scale) * unit,
                            y: (capUnits / 2 - glyph.rise - $0.y * glyph.scale) * unit)
                    })
            }
            x += glyph.advance
        }
        return result
    }

    private static func unit(_ size: Double) -> Double { size * capHeight / capUnits }

    private struct Glyph {
        var strokes: [[Point]]
        var width: Double
        /// Superscripts are smaller and higher.
        var scale = 1.0, rise = 0.0
        var advance: Double { width * scale + StrokeFont.spacing }
    }

    private static let superscripts: [Character: Character] = [
        "⁰": "0", "¹": "1", "²": "2", "³": "3", "⁴": "4", "⁵": "5", "⁶": "6", "⁷": "7", "⁸": "8", "⁹": "9", "⁻": "−",
    ]

    private static let subscripts: [Character: Character] = [
        "₀": "0", "₁": "1", "₂": "2", "₃": "3", "₄": "4", "₅": "5", "₆": "6", "₇": "7", "₈": "8", "₉": "9", "₋": "−",
    ]

    private static func glyphs(of text: String) -> [Glyph] {
        text.map { character in
            for (small, rise) in [(superscripts, 5.0), (subscripts, -3)] {
                guard let plain = small[character], var glyph = table[plain] else { continue }
                (glyph.scale, glyph.rise) = (0.65, rise)
                return glyph
            }
            if let glyph = table[character] { return glyph }
            if character.isWhitespace { return Glyph(strokes: [], width: blank) }
            return marked(character) ?? box
        }
    }

    /// A letter with marks above it, without those that are not known; nil if the letter itself is not.
    private static func marked(_ character: Character) -> Glyph? {
        let scalars = String(character).decomposedStringWithCanonicalMapping.unicodeScalars
        guard let base = scalars.first, var glyph = table[Character(base)] else { return nil }
        for mark in scalars.dropFirst().compactMap({ marks[$0] }) {
            // The mark stands in the dot's place.
            if base == "i" || base == "j" { glyph.strokes.removeLast() }
            let top = glyph.strokes.joined().reduce(0) { max($0, $1.y) }
            glyph.strokes += mark.strokes.map { stroke in
                stroke.map { Point(x: $0.x + (glyph.width - mark.width) / 2, y: $0.y + top) }
            }
        }
        return glyph
    }

    /// Diaeresis, acute, grave, circumflex, tilde, ring, caron; y is 3 at the letter's top.
    private static let marks: [Unicode.Scalar: Glyph] = [
        "\u{308}": "4 0506 4546", "\u{301}": "2 0528", "\u{300}": "2 0825", "\u{302}": "4 052845",
        "\u{303}": "5 ~05183558", "\u{30a}": "3 @05353808", "\u{30c}": "4 082548",
    ].mapValues(glyph)

    private static let box = glyph("6 030d6d6303")
    private static let table: [Character: Glyph] = {
        var result = definitions.mapValues(glyph)
        for (alias, of) in [("–", "—"), ("’", "'"), ("μ", "µ"), ("⋅", "·")] as [(Character, Character)] {
            result[alias] = result[of]
        }
        return result
    }()

    /// Reads `width stroke stroke …`.
    private static func glyph(_ definition: String) -> Glyph {
        let parts = definition.split(separator: " ")
        let strokes = parts.dropFirst().map { part -> [Point] in
            let kind = part.first.flatMap { "~@".contains($0) ? $0 : nil }
            let digits = part.drop { "~@".contains($0) }.compactMap { $0.wholeBase36 }
            let points = stride(from: 0, to: digits.count - 1, by: 2).map {
                Point(x: Double(digits[$0]), y: Double(digits[$0 + 1] - 3))
            }
            return kind == nil ? points : curve(points, isClosed: kind == "@")
        }
        return Glyph(strokes: strokes, width: Double(parts.first.flatMap { Int($0) } ?? 0))
    }

    /// The B-spline of control points as a polyline: it goes through the middles of the control polygon's sides.
    private static func curve(_ controls: [Point], isClosed: Bool) -> [Point] {
        func middle(_ a: Point, _ b: Point) -> Point { Point(x: (a.x + b.x) / 2, y: (a.y + b.y) / 2) }
        let count = controls.count
        var points = [isClosed ? middle(controls[count - 1], controls[0]) : controls[0]]
        for index in isClosed ? 0..<count : 1..<count - 1 {
            let (start, control) = (points[points.count - 1], controls[index])
            let isLast = !isClosed && index == count - 2
            let end = isLast ? controls[count - 1] : middle(control, controls[(index + 1) % count])
            for step in 1...6 {
                let t = Double(step) / 6
                let (a, b, c) = ((1 - t) * (1 - t), 2 * t * (1 - t), t * t)
                points.append(
                    Point(x: a * start.x + b * control.x + c * end.x, y: a * start.y + b * control.y + c * end.y))
            }
        }
        return points
    }

    private static let definitions: [Character: String] = [
        "A": "8 034d83 1676", "B": "7 030d ~0d3d6d683808 ~084878734303", "C": "7 ~7b6d0d036375",
        "D": "7 030d ~0d3d7d733303", "E": "6 6d0d0363 0858", "F": "6 6d0d03 0858", "G": "7 ~7b6d0d037378 7848",
        "H": "7 030d 737d 0878", "I": "0 030d", "J": "5 ~5d58530306", "K": "7 030d 7d06 2873", "L": "6 0d0363",
        "M": "8 030d468d83", "N": "7 030d737d", "O": "8 @0d8d8303", "P": "7 030d ~0d4d7d784808",
        "Q": "8 @0d8d8303 5682", "R": "7 030d ~0d4d7d784808 4873", "S": "7 ~7b7d0d0878730305", "T": "8 0d8d 434d",
        "U": "7 ~0d080373787d", "V": "8 0d438d", "W": "10 0d335d73ad", "X": "7 0d73 037d", "Y": "8 0d488d 4843",
        "Z": "7 0d7d0373",
        "a": "6 @0a6a6303 6a63", "b": "6 030d @0a6a6303", "c": "6 ~685a0a035365", "d": "6 6d63 @0a6a6303",
        "e": "6 0767 ~676a0a035365", "f": "4 ~4d2d2b23 0a4a", "g": "6 @0a6a6303 ~6a63600002", "h": "6 030d ~070a6a6663",
        "i": "0 030a 0c0d", "j": "2 ~2a232000 2c2d", "k": "5 030d 5a06 2853", "l": "0 030d",
        "m": "8 030a ~070a4a4643 ~474a8a8683", "n": "6 030a ~070a6a6663", "o": "6 @0a6a6303", "p": "6 000a @0a6a6303",
        "q": "6 606a @0a6a6303", "r": "4 030a ~070a4a", "s": "5 ~595a0a0757530304", "t": "4 ~1c161343 0a4a",
        "u": "6 ~666303070a 6a63", "v": "6 0a336a", "w": "8 0a234a638a", "x": "5 0a53 035a", "y": "6 0a33 6a20",
        "z": "5 0a5a0353",
        "0": "6 @0d6d6303", "1": "6 1b3d33", "2": "6 ~0b0d6d6903 0363", "3": "6 ~0b0d5d5828 ~2868630305",
        "4": "6 434d0666", "5": "6 5d1d08 ~08296a630304", "6": "6 @09696303 ~5d0c06", "7": "6 0d6d23",
        "8": "6 @1d5d5818 @08686303", "9": "6 @0d6d6707 ~6a6413",
        ".": "1 0304 1314", ",": "1 1402", ":": "1 0304 1314 090a 191a", ";": "1 1402 191a", "!": "0 0304 060d",
        "?": "5 ~0b0d5d592826 2324", "'": "0 0b0d", "\"": "2 0b0d 2b2d", "`": "1 0d1b", "-": "4 0747", "−": "6 0868",
        "—": "8 0787", "+": "6 0868 353b", "=": "6 0969 0666", "_": "6 0161", "/": "5 025d", "\\": "5 0d52",
        "|": "0 0e01", "(": "2 ~2e0b0522", ")": "2 ~0e2b2502", "[": "2 2e0e0222", "]": "2 0e2e2202",
        "{": "3 3e1e1908171232", "}": "3 0e2e2938272202", "<": "6 6b0865", ">": "6 0b6805", "^": "6 0a3d6a",
        "~": "6 ~072a4669", "*": "4 282e 0a4c 0c4a", "#": "7 133d 436d 0a7a 0676", "%": "8 038d @0d3d3a0a @56868353",
        "&": "8 ~831a1d5d5a08036387", "@": "9 @0d9d9303 @29696626", "$": "7 ~7b7d0d0878730305 424e",
        "°": "3 @0d3d3a0a", "×": "5 0954 0459", "±": "6 0969 363c 0363", "·": "0 0708", "…": "6 0304 3334 6364",
        "µ": "6 ~666303070a 6a63 0a00", "λ": "6 1d63 3803", "→": "8 0888 5b8855", "≤": "6 6c0966 0363",
        "≥": "6 0c6906 0363", "≈": "6 ~092c486b ~05284467", "∞": "10 @0a5a5505 @5aaaa555",
        "∂": "6 @09696303 ~1c3e6d69", "∇": "8 0d8d430d", "ß": "6 030b ~0b0d5d5828 ~28686323",
        "α": "7 ~7a4303030a4a73", "β": "6 000b ~0b0d5d592818 ~1868630303", "γ": "6 0a33 6a3330",
        "δ": "6 @0a6a6303 ~3a0c1d5d", "ε": "5 ~5a0a0727 ~27070353", "η": "6 030a ~070a6a6660", "θ": "6 @0d6d6303 0868",
        "π": "7 0a7a 2a23 5a53", "ρ": "6 @0a6a6303 0600", "σ": "7 @0a5a5303 3a7a", "τ": "5 0a5a 3a33",
        "φ": "7 @0a7a7303 3d30", "Δ": "8 034d8303", "Σ": "6 6d0d480363",
    ]
}

extension Character {
    /// The value of a digit or a small letter.
    fileprivate var wholeBase36: Int? { Int(String(self), radix: 36) }
}

// Text on its way into SVG and HTML.

/// Text as XML and HTML may hold it, between tags and within attributes: markup escaped, control characters, which XML
/// may not hold at all, as spaces (tabs and line ends stay).
package func escapedMarkup(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "\t", "\n", "\r": result.unicodeScalars.append(scalar)
        case _ where scalar.value < 0x20 || (0xFFFE...0xFFFF).contains(scalar.value): result += " "
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}

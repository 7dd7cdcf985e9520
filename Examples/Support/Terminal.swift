// Pictures and tables made of characters.
import Foundation
import Tapestry

/// Characters in a line of the terminal behind a file descriptor; nil if there is no terminal.
public func terminalWidth(_ descriptor: Int32) -> Int? {
    guard isatty(descriptor) != 0 else { return nil }
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
}

/// Grey images side by side, two pixels a character (half blocks, 256 grey levels by colour on a terminal, five shades
/// of characters elsewhere). `images`: [N, 1, H, W] of values 0...1.
public func picture(_ images: Tensor, captions: [String], color: Bool) -> String {
    let (count, height, width) = (images.size(0), images.size(-2), images.size(-1))
    let pixels = images.array(Double.self)
    func pixel(_ image: Int, _ row: Int, _ column: Int) -> Double {
        row < height ? pixels[(image * height + row) * width + column] : 0
    }
    var lines: [String] = []
    for row in stride(from: 0, to: height, by: 2) {
        var line = ""
        for image in 0..<count {
            for column in 0..<width {
                let (top, bottom) = (pixel(image, row, column), pixel(image, row + 1, column))
                if color {
                    func grey(_ value: Double) -> Int { 232 + Int((max(0, min(1, value)) * 23).rounded()) }
                    line += "\u{1b}[38;5;\(grey(top));48;5;\(grey(bottom))m▀"
                } else {
                    line += String(Array(" ░▒▓█")[Int((max(0, min(1, (top + bottom) / 2)) * 4).rounded())])
                }
            }
            line += color ? "\u{1b}[0m " : " "
        }
        lines.append(line)
    }
    let labels = captions.map { $0.padding(to: width) }.joined(separator: " ")
    return (lines + [labels]).joined(separator: "\n")
}

/// How often class `row` was taken for class `column`, with a column of recall. Ten classes of up to 9,999 fit into 80
/// characters.
public func confusionTable(_ counts: [[Int]]) -> String {
    let width = max(5, (counts.joined().max().map { String($0).count } ?? 1) + 2)
    func cell(_ text: String) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
    let head = "real\\pred" + counts.indices.map { cell(String($0)) }.joined() + "   recall"
    let rows = counts.enumerated().map { index, row in
        let total = row.reduce(0, +)
        let recall = total == 0 ? "      –" : percent(Double(row[index]) / Double(total))
        return String(index).padding(to: 9) + row.map { cell($0 == 0 ? "·" : String($0)) }.joined() + "  " + recall
    }
    return ([head] + rows).joined(separator: "\n")
}

/// `97.5 %`, seven characters wide.
public func percent(_ share: Double) -> String {
    let tenths = Int((share * 1000).rounded())
    let text = "\(tenths / 10).\(tenths % 10) %"
    return String(repeating: " ", count: max(0, 7 - text.count)) + text
}

extension String {
    func padding(to width: Int) -> String {
        count >= width ? String(prefix(width)) : self + String(repeating: " ", count: width - count)
    }
}

// A text as numbers.
import Foundation
import Tapestry

/// The characters (Unicode scalars: they stay apart wherever they are put together) that a model knows, each with a
/// number.
struct Vocabulary {
    let characters: [Unicode.Scalar]
    private let numbers: [Unicode.Scalar: Int]

    /// Under this key the characters stand in the metadata of a file of weights.
    static let key = "vocabulary"

    init(_ characters: [Unicode.Scalar]) {
        self.characters = characters
        numbers = Dictionary(characters.enumerated().map { ($1, $0) }) { first, _ in first }
    }
    /// Those that a text is made of, in their own order.
    init(of text: String) { self.init(Set(text.unicodeScalars).sorted()) }

    /// How a text begins unless one says otherwise: with a line break, or the first character if there is none.
    var usualPrompt: String { numbers["\n"] == nil ? String(characters.prefix(1).map(Character.init)) : "\n" }

    /// All of them in a row.
    var text: String { String(String.UnicodeScalarView(characters)) }

    /// - Throws: `FileError` naming the first character that is not known.
    func encode(_ text: String, from source: String) throws -> [Int] {
        try text.unicodeScalars.map { character in
            guard let number = numbers[character] else {
                throw FileError(source, "has the character '\(character)', which the model has never seen")
            }
            return number
        }
    }
}

/// The text of a file, or the one that ships here; line ends as single characters.
func readText(_ path: String?) throws -> String {
    guard let path = path ?? Bundle.module.path(forResource: "sonnets", ofType: "txt") else {
        throw FileError("sonnets.txt", "is missing from the program's own resources")
    }
    guard let data = FileManager.default.contents(atPath: path) else { throw FileError(path, "cannot be read") }
    guard let text = String(data: data, encoding: .utf8) else { throw FileError(path, "is not UTF-8") }
    guard !text.isEmpty else { throw FileError(path, "is empty") }
    return text.replacingOccurrences(of: "\r\n", with: "\n")
}

/// A text cut into `rows` pieces that are read side by side, some steps at a time, so that each row's state goes on from
/// piece to piece.
struct Strands {
    let tokens: Tensor
    let steps: Int

    /// - Throws: `FileError` if the text is too short to give every row a step.
    init(_ numbers: [Int], rows: Int, steps: Int, source: String) throws {
        let length = (numbers.count - 1) / rows
        guard length > 0 else {
            throw FileError(source, "has \(numbers.count) characters, too few for \(rows) rows side by side")
        }
        tokens = Tensor(Array(numbers[..<(rows * length + 1)]))
        (self.rows, self.length, self.steps) = (rows, length, min(steps, length))
    }
    private let rows, length: Int

    /// Pieces in a pass over the text.
    var count: Int { (length + steps - 1) / steps }

    /// Piece `index`: characters and those that follow them, int64 [steps, rows] each.
    func piece(_ index: Int) -> (inputs: Tensor, targets: Tensor) {
        func strands(from start: Int) -> Tensor {
            tokens.narrow(dim: 0, start: start, length: rows * length).reshape([rows, length])
                .narrow(dim: 1, start: index * steps, length: min(steps, length - index * steps)).T.contiguous()
        }
        return (strands(from: 0), strands(from: 1))
    }
}

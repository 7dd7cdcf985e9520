// Tables of numbers in text files.
import Foundation
import Tapestry

/// Rows of a CSV file with one column of labels and the others as input: MNIST with the label first, for example.
///
/// Fields are numbers, with spaces or double quotes around them or not; lines end with LF or CR LF; blank lines do not
/// count; a byte order mark is skipped. Everything is read once and kept in memory; a batch is one gather.
public struct CSVDataset: Dataset {
    /// All inputs, float32 [N, columns − 1] or [N] + `shape`, and all labels, int64 [N] (float32 if so asked).
    public let inputs, targets: Tensor
    /// Names of the columns, the label's too, if the file has a header.
    public let header: [String]?
    private let samples: TensorDataset

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - path: the file.
    ///   - labelColumn: which column is the label, counted from 0; negative from the end.
    ///   - hasHeader: whether the first line names the columns; if nil, it does where one of its fields is no number.
    ///   - separator: what stands between fields.
    ///   - shape: the shape of an input, `[1, 28, 28]`; a row by default.
    ///   - scale: what inputs are multiplied with, `1 / 255` for bytes.
    ///   - classes: with this, labels have to be in `0 ..< classes`.
    ///   - targetType: int64, for which labels have to be whole numbers, or float32.
    ///   - transform: applied to the inputs of each batch.
    /// - Throws: `FileError` naming the file, the line and the column. Traps unless `separator` is one byte and
    ///   `targetType` one of the two.
    public init(
        _ path: String, labelColumn: Int = 0, hasHeader: Bool? = nil, separator: Character = ",", shape: [Int]? = nil,
        scale: Float = 1, classes: Int? = nil, targetType: DType = .int64,
        transform: (@Sendable (Tensor) throws -> Tensor)? = nil, file: StaticString = #fileID, line: UInt = #line
    ) throws {
        let site = SourceSite(file, line)
        require(separator.asciiValue != nil, "CSVDataset: the separator '\(separator)' is not one byte", site)
        require(
            targetType == .int64 || targetType == .float32, "CSVDataset: labels cannot be \(targetType)", site)
        require(shape?.allSatisfy { $0 >= 0 } ?? true, "CSVDataset: shape \(shape ?? []) has a negative length", site)
        let input = try InputFile(path)
        let table = try CSVTable(
            path, try input.bytes(input.size, at: 0), separator: separator.asciiValue ?? 44, hasHeader: hasHeader)
        header = table.header
        let label = labelColumn < 0 ? labelColumn + table.columns : labelColumn
        guard label >= 0, label < table.columns else {
            throw FileError(path, "has \(table.columns) columns; there is no column \(labelColumn) for the labels")
        }
        let width = table.columns - 1
        if let shape, shape.reduce(1, *) != width {
            throw FileError(path, "has \(width) columns besides the label, which do not fill shape \(shape)")
        }
        let (values, labels) = (Tensor.empty([table.rows, width]), Tensor.empty([table.rows], dtype: targetType))
        /// Labels as `convert` makes them of a number and its line.
        func fill<T: TensorElement>(_: T.Type, _ convert: (Double, Int) throws -> T) throws {
            try values.withElements(as: Float.self) { target in
                try labels.withElements(as: T.self) { labels in
                    var (row, next) = (0, 0)
                    try table.forEachNumber { line, column, value in
                        if column == label {
                            labels[row] = try convert(value, line)
                            row += 1
                        } else {
                            target[next] = Float(value) * scale
                            next += 1
                        }
                    }
                }
            }
        }
        if targetType == .int64 {
            try fill(Int.self) { value, line in
                guard let whole = Int(exactly: value) else {
                    throw table.error(line, label, "the label \(value) is not a whole number")
                }
                guard classes.map({ whole >= 0 && whole < $0 }) ?? true else {
                    throw table.error(line, label, "the label \(whole) is not in 0 to \((classes ?? 0) - 1)")
                }
                return whole
            }
        } else {
            try fill(Float.self) { value, _ in Float(value) }
        }
        inputs = shape.map { values.reshape([table.rows] + $0) } ?? values
        targets = labels
        samples = TensorDataset(inputs, targets, transform: transform)
    }

    public var count: Int { samples.count }
    public func sample(_ index: Int) throws -> (input: Tensor, target: Tensor) { try samples.sample(index) }
    public func batch(_ indices: [Int]) throws -> (inputs: Tensor, targets: Tensor) { try samples.batch(indices) }
}

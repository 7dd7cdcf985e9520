// CSV files, ordinary and hostile.
import Foundation
import Testing
import data

/// Reads a text as a file.
private func read<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
    let path = FileManager.default.temporaryDirectory.path + "/table-\(UInt64.random(in: 0 ... .max)).csv"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

private func read<Result>(_ text: String, _ body: (String) throws -> Result) throws -> Result {
    try read(Array(text.utf8), body)
}

/// What a file's error says, without its path; "none" if there is none.
private func complaint(_ text: String, _ body: (String) throws -> CSVDataset = { try CSVDataset($0) }) throws -> String
{
    try read(text) { path in
        do { _ = try body(path) } catch let error as FileError {
            #expect(error.path == path)
            return error.message
        }
        return "none"
    }
}

/// Texts that are no tables, and what is to be said of them.
private let damaged = [
    ("", "holds no samples"),
    ("\n \r\n\t\n", "holds no samples"),
    ("label,a,b\n", "holds no samples"),
    ("1,2,3\n4,5\n", "line 2: the number of columns is 2, expected 3 as in the first"),
    ("1,2,3\n\n4,5,6,7\n", "line 3: the number of columns is 4, expected 3 as in the first"),
    ("1,2,3\n4,x,6\n", "line 2, column 2: 'x' is not a number"),
    ("l,a\r\n1,2\r\n3,four\r\n", "line 3, column 2: 'four' is not a number"),
    ("1,2\n3,\n", "line 2, column 2: there is no number"),
    ("1,2\n3,4,\n", "line 2: the number of columns is 3, expected 2 as in the first"),
    ("1,2\n1.5,3\n", "line 2, column 1: the label 1.5 is not a whole number"),
    ("1,2\n1e300,3\n", "line 2, column 1: the label 1e+300 is not a whole number"),
    ("1,2\n3,nan\n", "line 2, column 2: 'nan' is not a number"),
    ("1,2\n3,inf\n", "line 2, column 2: 'inf' is not a number"),
    ("1,2\n3,1e999\n", "line 2, column 2: '1e999' is not a number"),
    ("1,2\n3,0x10\n", "line 2, column 2: '0x10' is not a number"),
    ("1,2\n3,--4\n", "line 2, column 2: '--4' is not a number"),
    ("1,2\n3,\"4\n", "line 2, column 2: '\"4' is not a number"),
    ("1,2\n3,4\u{0}\n", "line 2, column 2: '4·' is not a number"),
    ("1,2\n3,\u{1b}[31mred\u{7}\n", "line 2, column 2: '·[31mred·' is not a number"),
    ("1,2\n3,4;5\n", "line 2, column 2: '4;5' is not a number"),
    ("1,2\n3,\(String(repeating: "9", count: 100))\n", "line 2, column 2: '999999999999999999999999…' is not a number"),
    ("1,2\n3 4,5\n", "line 2, column 1: '3 4' is not a number"),
]

@Suite struct CSVTests {
    @Test(arguments: [
        "5,0,255\n7,1,2\n", "label,1x1,1x2\n5,0,255\n7,1,2", "\u{FEFF}5, 0 ,255\r\n\r\n\"7\",\"1\",2.0e0\r\n",
    ])
    func tablesWithTheLabelFirstAreRead(_ text: String) throws {
        try read(text) { path in
            let table = try CSVDataset(path)
            #expect(table.count == 2)
            #expect(table.inputs.shape == [2, 2] && table.inputs.dtype == .float32)
            #expect(table.inputs.array(Float.self) == [0, 255, 1, 2])
            #expect(table.targets.dtype == .int64)
            #expect(table.targets.array(Int.self) == [5, 7])
            let (inputs, targets) = try table.batch([1, 1, 0])
            #expect(inputs.array(Float.self) == [1, 2, 1, 2, 0, 255])
            #expect(targets.array(Int.self) == [7, 7, 5])
        }
    }

    @Test func whatATableMeansCanBeSaid() throws {
        try read("a;b;y\n1;2;0.5\n-3;+4;1e-3\n") { path in
            let table = try CSVDataset(
                path, labelColumn: -1, separator: ";", shape: [1, 2, 1], scale: 0.5, targetType: .float32,
                transform: { $0 + 1 })
            #expect(table.header == ["a", "b", "y"])
            #expect(table.inputs.shape == [2, 1, 2, 1])
            #expect(table.inputs.array(Float.self) == [0.5, 1, -1.5, 2])
            #expect(table.targets.array(Float.self) == [0.5, 0.001])
            #expect(try table.batch([0]).inputs.array(Float.self) == [1.5, 2])
            #expect(try table.sample(1).input.shape == [1, 2, 1])
        }
        try read("1,2\n3,4\n") { path in
            let (named, plain) = (try CSVDataset(path, hasHeader: true), try CSVDataset(path, hasHeader: false))
            #expect(named.count == 1 && plain.count == 2)
            #expect(named.header == ["1", "2"])
            #expect(plain.header == nil)
        }
        let labelsOnly = try read("3\n1\n") { try CSVDataset($0) }
        #expect(labelsOnly.inputs.shape == [2, 0])
    }

    @Test(arguments: damaged)
    func damagedTablesAreRefusedByLineAndColumn(_ text: String, _ message: String) throws {
        #expect(try complaint(text) == message)
    }

    @Test func labelsAndShapesAreChecked() throws {
        #expect(
            try complaint("9,1\n10,2\n") { try CSVDataset($0, classes: 10) }
                == "line 2, column 1: the label 10 is not in 0 to 9")
        #expect(
            try complaint("-1,1\n") { try CSVDataset($0, classes: 10) }
                == "line 1, column 1: the label -1 is not in 0 to 9")
        #expect(
            try complaint("1,2,3\n") { try CSVDataset($0, shape: [2, 2]) }
                == "has 2 columns besides the label, which do not fill shape [2, 2]")
        #expect(
            try complaint("1,2,3\n") { try CSVDataset($0, labelColumn: 3) }
                == "has 3 columns; there is no column 3 for the labels")
        #expect(
            try complaint("l,a\n1,2\n") { try CSVDataset($0, hasHeader: false) }
                == "line 1, column 1: 'l' is not a number")
        #expect(throws: FileError.self) { try CSVDataset("/nowhere/table.csv") }
        #expect(throws: FileError.self) { try CSVDataset(FileManager.default.temporaryDirectory.path) }
    }

    /// A line with very many columns and very many short lines: nothing is set aside for a table that cannot be there.
    @Test func aTableLargerThanItsFileIsRefused() throws {
        let wide = String(repeating: "1,", count: 50_000) + "1\n" + String(repeating: "1\n", count: 50_000)
        #expect(try complaint(wide) == "line 2: the number of columns is 1, expected 50001 as in the first")
    }

    /// Bytes of a good file changed at random: read or refused, nothing else.
    @Test func changedBytesNeverEndTheProgram() throws {
        let good = Array("label,a,b\n1,2,3\n4,5.5,6e2\n\"7\",8,9\r\n".utf8)
        var state: UInt64 = 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<400 {
            var bytes = good
            for _ in 0...random(4) {
                switch random(3) {
                case 0: bytes[random(bytes.count)] = UInt8(random(256))
                case 1: bytes.removeSubrange(random(bytes.count)...)
                default: bytes.insert(Array(",\n\"-.e\r\u{0}9".utf8)[random(9)], at: random(bytes.count))
                }
                if bytes.isEmpty { break }
            }
            try read(bytes) { path in
                do { _ = try CSVDataset(path) } catch let error as FileError { #expect(error.path == path) }
            }
        }
    }
}

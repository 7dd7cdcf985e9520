// Unpacking the archives that datasets come in.
import Foundation
import Tapestry

/// Unpacks one folder of a tar archive, plain or gzip: regular files in blocks of 512 bytes behind a header each (POSIX
/// ustar). The folder appears under its name only when it is whole.
///
/// - Throws: `FileError` for an archive that is damaged, has names that lead elsewhere, or lacks the folder.
package func unpackTar(_ path: String, folder: String, into root: String) throws {
    let temporary = "\(root)/.\(folder).\(UInt32.random(in: .min ... .max)).part"
    defer { try? FileManager.default.removeItem(atPath: temporary) }
    let reader = try GzipReader(path)
    var position = 0
    func read(_ count: Int) throws -> [UInt8] {
        let bytes = try reader.read(count)
        guard bytes.count == count else {
            throw FileError(path, "ends early, \(position + bytes.count) bytes unpacked")
        }
        position += count
        return bytes
    }
    while true {
        let start = position
        let header = try read(512)
        // Two empty blocks end an archive; one is enough to know.
        if header.allSatisfy({ $0 == 0 }) { break }
        func field(_ range: Range<Int>) -> String { String(decoding: header[range].prefix { $0 != 0 }, as: UTF8.self) }
        func octal(_ range: Range<Int>) -> Int? { Int(field(range).trimmingCharacters(in: .whitespaces), radix: 8) }
        // The checksum counts itself as blanks.
        let sum = header.indices.reduce(0) { $0 + Int((148..<156).contains($1) ? 32 : header[$1]) }
        guard octal(148..<156) == sum, let size = octal(124..<136), size >= 0 else {
            throw FileError(path, "has no right header at byte \(start) unpacked")
        }
        guard size <= reader.largestContent else {
            throw FileError(
                path, "a file of \(size) bytes, claimed at byte \(start) unpacked, is more than it can hold")
        }
        let prefix = field(257..<262) == "ustar" ? field(345..<500) : ""
        let name = (prefix.isEmpty ? "" : prefix + "/") + field(0..<100)
        let parts = name.split(separator: "/").filter { $0 != "." }
        let isFile = header[156] == 0 || header[156] == UInt8(ascii: "0")
        let isWanted = isFile && parts.first.map(String.init) == folder && parts.count > 1
        guard !name.hasPrefix("/"), !parts.contains("..") else {
            throw FileError(path, "the name '\(name)' at byte \(start) unpacked leads out of the folder")
        }
        let target = "\(temporary)/\(parts.dropFirst().joined(separator: "/"))"
        var left = size
        func next() throws -> [UInt8] {
            let bytes = try read(min(left, 1 << 20))
            left -= bytes.count
            return bytes
        }
        if isWanted {
            let parent = (target as NSString).deletingLastPathComponent
            do {
                try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
            } catch {
                throw FileError(parent, "cannot be made (\(error.localizedDescription))")
            }
            try writeAtomically(to: target) { append in
                while left > 0 { try next().withUnsafeBytes { try append($0) } }
            }
        } else {
            while left > 0 { _ = try next() }
        }
        _ = try read((512 - size % 512) % 512)
    }
    do {
        try FileManager.default.moveItem(atPath: temporary, toPath: "\(root)/\(folder)")
    } catch {
        throw FileError(path, "has no folder \(folder), or it cannot be made in \(root)")
    }
}

// Unpacking the archives that datasets come in.
import Foundation
import Tapestry

/// Unpacks one folder of a tar archive, plain or gzip: regular files in blocks of 512 bytes behind a header each (POSIX
/// ustar). The folder appears under its name only when it is whole.
///
/// - Throws: `FileError` for an archive that is damaged, has names that lead elsewhere, or lacks the folder.
package func unpackTar(_ path: String, folder: String, into root: String) throws {
    let target = ArchiveFolder(archive: path, name: folder, root: root)
    defer { target.removeTemporary() }
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
        let place = try target.place(of: name, at: "byte \(start) unpacked")
        let isFile = header[156] == 0 || header[156] == UInt8(ascii: "0")
        var left = size
        func next() throws -> [UInt8] {
            let bytes = try read(min(left, 1 << 20))
            left -= bytes.count
            return bytes
        }
        if isFile, let place {
            try target.write(place) { append in while left > 0 { try next().withUnsafeBytes { try append($0) } } }
        } else {
            while left > 0 { _ = try next() }
        }
        _ = try read((512 - size % 512) % 512)
    }
    try target.finish()
}

/// Unpacks one folder of a zip archive, as `unpackTar`; of its files those that `isWanted` says.
///
/// - Throws: `FileError` for an archive that is damaged, has names that lead elsewhere, or lacks the folder.
func unpackZip(_ path: String, folder: String, into root: String, isWanted: (String) -> Bool = { _ in true }) throws {
    let target = ArchiveFolder(archive: path, name: folder, root: root)
    defer { target.removeTemporary() }
    let archive = try ZipArchive(path)
    // A name that ends with a slash is that of a folder.
    for member in archive.members where !member.name.hasSuffix("/") && isWanted(member.name) {
        guard let place = try target.place(of: member.name, at: "byte \(member.offset)") else { continue }
        let bytes = try archive.contents(of: member)
        try target.write(place) { append in try bytes.withUnsafeBytes(append) }
    }
    try target.finish()
}

/// A folder that is unpacked under another name, so that it is there whole or not at all.
private struct ArchiveFolder {
    let archive, name, root: String
    private let temporary: String

    init(archive: String, name: String, root: String) {
        (self.archive, self.name, self.root) = (archive, name, root)
        temporary = "\(root)/.\(name).\(UInt32.random(in: .min ... .max)).part"
    }

    /// Where a file of the archive goes; nil if it lies outside the folder.
    ///
    /// - Throws: `FileError` for a name that leads elsewhere.
    func place(of file: String, at position: String) throws -> String? {
        let parts = file.split(separator: "/").filter { $0 != "." }
        guard !file.hasPrefix("/"), !parts.contains("..") else {
            throw FileError(archive, "the name '\(file)' at \(position) leads out of the folder")
        }
        guard parts.count > 1, parts[0] == name else { return nil }
        return "\(temporary)/\(parts.dropFirst().joined(separator: "/"))"
    }

    /// Writes a file; `body` gets a function that appends bytes.
    func write(_ place: String, _ body: (_ append: (UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
        let parent = (place as NSString).deletingLastPathComponent
        do {
            try FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
        } catch {
            throw FileError(parent, "cannot be made (\(error.localizedDescription))")
        }
        try writeAtomically(to: place, body)
    }

    /// Gives the folder its name.
    func finish() throws {
        do {
            try FileManager.default.moveItem(atPath: temporary, toPath: "\(root)/\(name)")
        } catch {
            throw FileError(archive, "has no folder \(name), or it cannot be made in \(root)")
        }
    }

    /// What is left of a folder that did not become whole.
    func removeTemporary() { try? FileManager.default.removeItem(atPath: temporary) }
}

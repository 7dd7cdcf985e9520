// Downloads without a network: mirrors that answer from memory.
import Foundation
import TestSupport
import Testing

@testable import vision

@Suite struct DownloadTests {
    private let folder = TemporaryFolder()
    private let source = Download.Source(
        files: [("a.gz", "0cc175b9c0f1b6a831c399e269772661"), ("b.gz", "92eb5ffee6ae2fec3ad71c777531578f")],
        mirrors: ["https://one.example/", "https://two.example/"])

    @Test(arguments: [
        // The test suite of RFC 1321, and lengths around the padding's edge (Python's hashlib).
        ("", "d41d8cd98f00b204e9800998ecf8427e"), ("a", "0cc175b9c0f1b6a831c399e269772661"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        (String(repeating: "1234567890", count: 8), "57edf4a22be3c955ac49da2e2107b67a"),
        (String(repeating: "x", count: 55), "04364420e25c512fd958a70738aa8f72"),
        (String(repeating: "x", count: 56), "668a72d5ba17f08e62dabcafad6db14b"),
        (String(repeating: "x", count: 64), "c1bb4f81d892b2d57947682aeb252456"),
    ])
    func checksumsAreMD5(_ text: String, _ expected: String) { #expect(md5(Data(text.utf8)) == expected) }

    @Test func filesComeFromTheFirstMirrorThatHasThemWhole() throws {
        var asked: [String] = []
        try Download.fetchMissing(source, into: folder.path("new")) { url in
            asked.append(url.absoluteString)
            // The first mirror has a damaged a.
            if url.absoluteString == "https://one.example/a.gz" { return Data("x".utf8) }
            return Data(url.lastPathComponent.prefix(1).utf8)
        }
        #expect(asked == ["https://one.example/a.gz", "https://two.example/a.gz", "https://one.example/b.gz"])
        #expect(FileManager.default.contents(atPath: folder.path("new/a.gz")) == Data("a".utf8))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("new")).sorted() == ["a.gz", "b.gz"])
    }

    @Test func filesThatAreThereAreNotFetchedAgain() throws {
        try Data("a".utf8).write(to: URL(fileURLWithPath: folder.path("a.gz")))
        try Data("unpacked".utf8).write(to: URL(fileURLWithPath: folder.path("b")))
        try Download.fetchMissing(source, into: folder.root) { _ in
            Issue.record("nothing is missing")
            return Data()
        }
    }

    @Test func aDamagedFileIsNeitherUsedNorReplaced() throws {
        try Data("mine".utf8).write(to: URL(fileURLWithPath: folder.path("a.gz")))
        expect("is damaged: its MD5 is") {
            try Download.fetchMissing(source, into: folder.root) { _ in Data("a".utf8) }
        }
        #expect(FileManager.default.contents(atPath: folder.path("a.gz")) == Data("mine".utf8))
    }

    @Test func withoutANetworkTheMessageSaysWhatToPutWhere() throws {
        expect("put these files there by hand: a.gz, b.gz") {
            try Download.fetchMissing(source, into: folder.root) { _ in throw URLError(.cannotFindHost) }
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.root) == [])
    }

    @Test func aConnectionThatIsRefusedIsSaidToBe() throws {
        let nobody = Download.Source(files: source.files, mirrors: ["http://127.0.0.1:9/"])
        expect("a.gz cannot be downloaded (127.0.0.1: ") { try Download.fetchMissing(nobody, into: folder.root) }
    }

    @Test func filesComeOverHTTPAndRefusalsAreNamed() throws {
        let good = try LocalServer(answering: "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na")
        let one = [source.files[0]]
        try Download.fetchMissing(.init(files: one, mirrors: [good.address]), into: folder.root)
        #expect(FileManager.default.contents(atPath: folder.path("a.gz")) == Data("a".utf8))

        let bad = try LocalServer(
            answering: "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\nConnection: close\r\n\r\na")
        expect("127.0.0.1: the server answered 404") {
            try Download.fetchMissing(.init(files: one, mirrors: [bad.address]), into: folder.path("other"))
        }
        let short = try LocalServer(answering: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\na")
        expect("a.gz cannot be downloaded") {
            try Download.fetchMissing(.init(files: one, mirrors: [short.address]), into: folder.path("other"))
        }
    }

    @Test func aFolderThatCannotBeMadeIsNamed() throws {
        try Data().write(to: URL(fileURLWithPath: folder.path("file")))
        expect("cannot be made") { try Download.fetchMissing(source, into: folder.path("file/below")) { _ in Data() } }
    }

    @Test func progressIsALine() {
        #expect(Transfer.line(received: 5_000_000, of: 10_000_000) == "[##########..........]  50 %  5.0 of 10.0 MB")
        #expect(Transfer.line(received: 10_000_000, of: 10_000_000) == "[####################] 100 %  10.0 of 10.0 MB")
        #expect(Transfer.line(received: 2_340_000, of: -1) == "2.3 MB")
    }
}

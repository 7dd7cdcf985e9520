// Hostile files: each is refused with the file's name and a place in it, quickly, and without taking memory that it
// only claims to need.
import Foundation
import TestSupport
import Testing
import data

@testable import vision

/// Writes what a format's reader looks for into a folder.
private func lay(_ bytes: [UInt8], _ format: HostileFormat, in folder: TemporaryFolder) throws {
    for file in format.beside { try write(file.bytes, to: folder.path(file.name)) }
    try write(bytes, to: folder.path(format.name))
}

@Suite struct HostileFileTests {
    @Test(arguments: HostileFormat.all) func eachIsRefusedByFileAndPlace(_ format: HostileFormat) throws {
        let folder = TemporaryFolder()
        try lay(try format.good(), format, in: folder)
        try format.read(folder.root)
        let files = Set(try format.bad())
        #expect(files.count >= 200)
        print("Hostile files, \(format): \(files.count)")
        for bytes in files {
            try lay(bytes, format, in: folder)
            let start = ContinuousClock.now
            let error = #expect(throws: FileError.self) { try format.read(folder.root) }
            #expect(ContinuousClock.now - start < .seconds(2))
            #expect(error?.path == folder.path(format.name))
            let message = error?.message ?? ""
            #expect(message.contains(/(byte|line) \d/), "\(message)")
            #expect(!message.contains("\n") && message.utf8.count < 300, "\(message)")
        }
    }

    #if os(Linux)
        /// Ten times the file's size, what is in it, and a fixed amount for buffers: half a megabyte, while the claims
        /// are of tens of megabytes and more.
        @Test func noneTakesMoreMemoryThanItsSizeAllows() async {
            await #expect(processExitsWith: .success) {
                for format in HostileFormat.all {
                    let folder = TemporaryFolder()
                    // What the reader sets up once is there before anything is counted.
                    try lay(try format.good(), format, in: folder)
                    try format.read(folder.root)
                    for bytes in try format.bad() {
                        try lay(bytes, format, in: folder)
                        let refused = withMemoryLimit(10 * bytes.count + format.needs + 1 << 19) {
                            do { try format.read(folder.root) } catch { return error is FileError }
                            return false
                        }
                        #expect(refused, "\(format): \(bytes.count) bytes")
                    }
                }
            }
        }

        /// The limit is one.
        @Test func anAllocationBeyondTheLimitEndsTheProcess() async {
            await #expect(processExitsWith: .failure) {
                withMemoryLimit(1 << 20) { print(UnsafeMutableRawPointer.allocate(byteCount: 4 << 20, alignment: 64)) }
            }
        }
    #endif
}

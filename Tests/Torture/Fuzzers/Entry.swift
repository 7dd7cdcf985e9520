// What libFuzzer calls: one program for all parsers, the environment variable FUZZ says which.
import Foundation
import Tapestry

private let parser: Parser = {
    let name = ProcessInfo.processInfo.environment["FUZZ"] ?? ""
    guard let parser = Parser.all.first(where: { $0.name == name }) else {
        fatalError("FUZZ is '\(name)'; expected one of \(Parser.all.map(\.name).joined(separator: " "))")
    }
    return parser
}()

/// A folder of this process's own, left to the script that started it.
private let folder: String = {
    let path = FileManager.default.temporaryDirectory.appending(path: "tapestry-fuzz-\(getpid())").path
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
}()

/// Reads one input; anything but a return or a `FileError` ends the program, which is a finding.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    expectFileError { try parser.read(Array(UnsafeBufferPointer(start: bytes, count: count)), folder) }
    return 0
}

/// With FUZZ_SEEDS, puts the inputs that the library itself makes into that folder.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutableRawPointer?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
    if let seeds = ProcessInfo.processInfo.environment["FUZZ_SEEDS"] {
        do { try parser.seed(seeds) } catch { fatalError("no seeds: \(error)") }
    }
    return 0
}

/// Runs what may end by a `FileError`, by no other error.
func expectFileError(_ body: () throws -> Void) {
    do { try body() } catch is FileError {} catch { fatalError("\(parser.name) threw what is no FileError: \(error)") }
}

/// SwiftPM gives each program an entry of its own name; libFuzzer's takes over from here.
@_cdecl("fuzz_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    var (count, arguments) = (count, arguments)
    return runDriver(&count, &arguments, testOneInput)
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

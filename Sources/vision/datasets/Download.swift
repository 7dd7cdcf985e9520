// Fetching dataset files: from one of several mirrors, checked, and never half-written under their name.
import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Fetches `name` from the first mirror that has it in full, and moves it to `path` once its MD5 is right.
///
/// - Throws: `FileError` that says where the file can be put by hand if no mirror can be reached.
func fetch(_ name: String, _ checksum: String, _ mirrors: [String], to path: String) throws {
    var failures: [String] = []
    for mirror in mirrors {
        guard let url = URL(string: mirror + name) else { continue }
        FileHandle.standardError.write(Data("Downloading \(url)\n".utf8))
        let data: Data
        do {
            data = try download(url)
        } catch {
            failures.append("\(url.host ?? mirror): \(error.localizedDescription)")
            continue
        }
        let found = md5(data)
        guard found == checksum else {
            failures.append("\(url.host ?? mirror): the MD5 is \(found), expected \(checksum)")
            continue
        }
        let temporary = "\(path).\(ProcessInfo.processInfo.processIdentifier).part"
        do {
            try data.write(to: URL(fileURLWithPath: temporary))
            guard rename(temporary, path) == 0 else { throw CocoaError(.fileWriteUnknown) }
        } catch {
            try? FileManager.default.removeItem(atPath: temporary)
            throw FileError(path, "cannot be written (\(reason(error)))")
        }
        return
    }
    let folder = (path as NSString).deletingLastPathComponent
    throw FileError(
        path,
        "cannot be downloaded (\(failures.joined(separator: "; "))). Without a network, put \(name) into \(folder) by hand")
}

/// The body of a successful answer, waited for.
private func download(_ url: URL) throws -> Data {
    final class Answer: @unchecked Sendable {  // Safe: written before the semaphore is signalled, read after.
        var result: Result<Data, any Error> = .failure(URLError(.unknown))
    }
    let answer = Answer()
    let done = DispatchSemaphore(value: 0)
    var request = URLRequest(url: url)
    request.timeoutInterval = 60
    let task = URLSession.shared.dataTask(with: request) { data, response, error in
        if let error {
            answer.result = .failure(error)
        } else if let status = (response as? HTTPURLResponse)?.statusCode, status != 200 {
            answer.result = .failure(FileError(url.absoluteString, "the server answered \(status)"))
        } else {
            answer.result = .success(data ?? Data())
        }
        done.signal()
    }
    task.resume()
    done.wait()
    return try answer.result.get()
}

/// The MD5 of some bytes in hexadecimal (RFC 1321): the checksum that datasets publish. Foundation has none on Linux.
func md5(_ data: Data) -> String {
    let shifts: [UInt32] = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21]
    let constants = (0..<64).map { UInt32(abs(sin(Double($0 + 1))) * 4_294_967_296) }
    var message = [UInt8](data)
    message.append(0x80)
    message += [UInt8](repeating: 0, count: (120 - message.count % 64) % 64)
    message += withUnsafeBytes(of: (UInt64(data.count) &* 8).littleEndian, Array.init)
    var state: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476]
    var words = [UInt32](repeating: 0, count: 16)
    for block in stride(from: 0, to: message.count, by: 64) {
        for index in 0..<16 {
            let at = block + 4 * index
            words[index] =
                UInt32(message[at]) | UInt32(message[at + 1]) << 8 | UInt32(message[at + 2]) << 16
                | UInt32(message[at + 3]) << 24
        }
        var (a, b, c, d) = (state[0], state[1], state[2], state[3])
        for index in 0..<64 {
            let (f, word): (UInt32, Int)
            switch index / 16 {
            case 0: (f, word) = ((b & c) | (~b & d), index)
            case 1: (f, word) = ((d & b) | (~d & c), (5 * index + 1) % 16)
            case 2: (f, word) = (b ^ c ^ d, (3 * index + 5) % 16)
            default: (f, word) = (c ^ (b | ~d), (7 * index) % 16)
            }
            let sum = a &+ f &+ constants[index] &+ words[word]
            let shift = shifts[index / 16 * 4 + index % 4]
            (a, d, c, b) = (d, c, b, b &+ (sum << shift | sum >> (32 - shift)))
        }
        state = zip(state, [a, b, c, d]).map { $0 &+ $1 }
    }
    return state.flatMap { withUnsafeBytes(of: $0.littleEndian, Array.init) }.map { String(format: "%02x", $0) }.joined()
}

// One file coming over the network.
import Foundation

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Gathers the body of an answer, and shows on a terminal how far it has come.
///
/// `@unchecked Sendable`: a session calls its delegate from one queue; `wait` reads what was written before the signal.
final class Transfer: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    private var data = Data()
    private var expected: Int64 = -1
    private var failure: (any Error)?
    private var lastDrawing = DispatchTime(uptimeNanoseconds: 0)
    private let done = DispatchSemaphore(value: 0)
    private let isOnTerminal = isatty(STDERR_FILENO) == 1

    /// The body.
    ///
    /// - Throws: what the network said, or `Download.Refusal` for an answer other than success.
    func wait() throws -> Data {
        done.wait()
        if let failure { throw failure }
        return data
    }

    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
    ) {
        if let status = (response as? HTTPURLResponse)?.statusCode, status != 200 {
            failure = Download.Refusal(status: status)
            return completionHandler(.cancel)
        }
        expected = response.expectedContentLength
        completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive piece: Data) {
        data.append(piece)
        let now = DispatchTime.now()
        guard isOnTerminal, now > lastDrawing + .milliseconds(100) else { return }
        lastDrawing = now
        draw()
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        // A cancelled refusal stays a refusal.
        if failure == nil { failure = error }
        if isOnTerminal, failure == nil {
            draw()
            FileHandle.standardError.write(Data("\n".utf8))
        }
        done.signal()
    }

    private func draw() {
        FileHandle.standardError.write(Data("\r\(Transfer.line(received: data.count, of: Int(expected)))".utf8))
    }

    /// `[##########..........]  50 %  5.0 of 10.0 MB`; without a bar if the size is not known.
    static func line(received: Int, of total: Int) -> String {
        func megabytes(_ bytes: Int) -> String { String(format: "%.1f", Double(bytes) / 1e6) }
        guard total > 0 else { return "\(megabytes(received)) MB" }
        let share = min(1, Double(received) / Double(total))
        let filled = Int(share * 20)
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 20 - filled)
        return "[\(bar)] \(String(format: "%3d", Int(share * 100))) %  \(megabytes(received)) of \(megabytes(total)) MB"
    }
}

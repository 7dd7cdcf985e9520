// Fetching dataset files: from one of several mirrors, checked, and never half-written under their name.
import Foundation
import Tapestry

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Downloads of datasets.
enum Download {
    /// Files of a dataset by name, with their MD5, and the addresses that have them.
    struct Source: Sendable {
        let files: [(name: String, md5: String)]
        let mirrors: [String]
    }

    /// Fetches the files that `folder` does not have yet (plain or .gz), each from the first mirror that has it whole.
    /// A file gets its name only after its MD5 has been found right.
    ///
    /// - Parameter get: the bytes behind an address.
    /// - Throws: `FileError` for a file in the folder that is damaged, or, if no mirror can be reached, which files
    ///   to put into the folder by hand.
    static func fetchMissing(
        _ source: Source, into folder: String, get: (URL) throws -> Data = Download.body
    ) throws {
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw FileError(folder, "cannot be made (\(reason(error)))")
        }
        let missing = try source.files.filter { file in
            let path = "\(folder)/\(file.name)"
            guard let data = FileManager.default.contents(atPath: path) else {
                let isPacked = file.name.hasSuffix(".gz")
                return !isPacked || !FileManager.default.fileExists(atPath: String(path.dropLast(3)))
            }
            let found = md5(data)
            guard found == file.md5 else {
                throw FileError(path, "is damaged: its MD5 is \(found), expected \(file.md5); remove it and try again")
            }
            return false
        }
        for (index, file) in missing.enumerated() {
            let (data, failures) = fetch(file, source.mirrors, get)
            guard let data else {
                let names = missing[index...].map(\.name).joined(separator: ", ")
                throw FileError(
                    folder,
                    "\(file.name) cannot be downloaded (\(failures.joined(separator: "; "))). Without a network, "
                        + "put these files there by hand: \(names)")
            }
            try data.withUnsafeBytes { bytes in
                try writeAtomically(to: "\(folder)/\(file.name)") { append in try append(bytes) }
            }
        }
    }

    /// The bytes from the first mirror whose answer has the right MD5, or why each of them has failed.
    private static func fetch(
        _ file: (name: String, md5: String), _ mirrors: [String], _ get: (URL) throws -> Data
    ) -> (data: Data?, failures: [String]) {
        var failures: [String] = []
        for mirror in mirrors {
            guard let url = URL(string: mirror + file.name) else { continue }
            FileHandle.standardError.write(Data("Downloading \(url.absoluteString)\n".utf8))
            let place = url.host ?? mirror
            do {
                let data = try get(url)
                let found = md5(data)
                if found == file.md5 { return (data, []) }
                failures.append("\(place): the MD5 is \(found), expected \(file.md5)")
            } catch {
                failures.append("\(place): \(reason(error))")
            }
        }
        return (nil, failures)
    }

    /// The body of a successful answer, waited for; on a terminal with a progress bar.
    static func body(_ url: URL) throws -> Data {
        let transfer = Transfer()
        let session = URLSession(configuration: .ephemeral, delegate: transfer, delegateQueue: nil)
        defer { session.finishTasksAndInvalidate() }
        var request = URLRequest(url: url)
        request.timeoutInterval = 60
        session.dataTask(with: request).resume()
        return try transfer.wait()
    }

    /// An answer other than success.
    struct Refusal: Error {
        let status: Int
    }

    /// An error in a few words.
    private static func reason(_ error: any Error) -> String {
        if let refusal = error as? Refusal { return "the server answered \(refusal.status)" }
        let error = error as NSError
        let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
        return cause.domain == NSPOSIXErrorDomain
            ? String(cString: strerror(Int32(cause.code))).lowercased() : error.localizedDescription
    }
}

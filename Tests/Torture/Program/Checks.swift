// What a command found.

/// Counts checks and prints what does not hold.
final class Checks {
    private let name: String
    private var count = 0
    private var findings = 0

    init(_ name: String) { self.name = name }

    func expect(_ condition: Bool, _ finding: @autoclosure () -> String) {
        count += 1
        guard !condition else { return }
        findings += 1
        print("\(name): FINDING: \(finding())")
    }

    /// Says something that was measured.
    func note(_ text: String) { print("\(name): \(text)") }

    /// Prints the sum; whether nothing was found.
    func conclude() -> Bool {
        print("\(name): \(count) checks, \(findings) findings")
        return findings == 0
    }
}

// What a long run shows: a bar on a terminal, plain lines elsewhere.
import Foundation

/// Progress of one epoch on standard error.
public struct Progress {
    private let epoch, epochs, steps: Int
    private let isTerminal = isatty(STDERR_FILENO) != 0
    private let start = ContinuousClock.now
    private var lastDrawn: ContinuousClock.Instant?

    public init(epoch: Int, epochs: Int, steps: Int) { (self.epoch, self.epochs, self.steps) = (epoch, epochs, steps) }

    /// Seconds since the epoch began.
    public var seconds: Double {
        let duration = ContinuousClock.now - start
        return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }

    /// Shows where the epoch stands after `step` steps (from 1) of a classifier of images.
    public mutating func update(step: Int, _ tally: Tally) {
        update(
            step: step, items: tally.count,
            String(format: "loss %.4f  accuracy %5.2f %%", tally.loss, tally.accuracy * 100))
    }

    /// The same with figures of one's own, for `items` images or other things.
    public mutating func update(step: Int, items: Int, unit: String = "images", _ values: @autoclosure () -> String) {
        let now = ContinuousClock.now
        let isLast = step == steps
        if isTerminal {
            // Ten times a second is enough for the eye.
            if let lastDrawn, now - lastDrawn < .milliseconds(100), !isLast { return }
        } else if step % 50 != 0, !isLast {
            return
        }
        lastDrawn = now
        let elapsed = max(seconds, 1e-9)
        let left = elapsed / Double(step) * Double(steps - step)
        let figures = values() + String(format: "  %.0f %@/s  %@ left", Double(items) / elapsed, unit, time(left))
        if isTerminal {
            write("\r" + bar(step, figures) + "\u{1b}[K" + (isLast ? "\n" : ""))
        } else {
            write("Epoch [\(epoch)/\(epochs)], step [\(step)/\(steps)]  \(figures)\n")
        }
    }

    /// The line with a bar as long as the terminal has room for: a line that wraps could not be drawn over.
    private func bar(_ step: Int, _ figures: String) -> String {
        let (before, after) = ("Epoch \(epoch)/\(epochs) ", " \(step)/\(steps)  \(figures)")
        let columns = terminalWidth(STDERR_FILENO) ?? 80
        let width = max(0, min(24, columns - 1 - before.count - after.count))
        let filled = width * step / max(1, steps)
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        return String((before + bar + after).prefix(columns - 1))
    }

    /// Ends a bar that has not reached its end.
    public func interrupt() { if isTerminal { write("\n") } }

    private func time(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        return whole < 60 ? "\(whole) s" : String(format: "%d:%02d min", whole / 60, whole % 60)
    }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

// What a long run shows: a bar on a terminal, a line an epoch elsewhere.
import Foundation

/// Shows each epoch on standard error: a bar with rate and time left on a terminal, then its figures in a line.
public final class ProgressBar: Callback {
    private let isTerminal = isatty(STDERR_FILENO) != 0
    private var (epochs, steps) = (0, 0)
    private var start = ContinuousClock.now
    private var lastDrawn: ContinuousClock.Instant?

    public init() {}

    public func willTrain(_ trainer: Trainer, epochs: Int, steps: Int) { (self.epochs, self.steps) = (epochs, steps) }
    public func willBegin(_ trainer: Trainer, epoch: Int) { (start, lastDrawn) = (.now, nil) }

    public func didStep(_ trainer: Trainer, batch: Int, logs: Logs) {
        let now = ContinuousClock.now
        // Ten times a second is enough for the eye.
        guard isTerminal, lastDrawn.map({ now - $0 >= .milliseconds(100) }) ?? true else { return }
        lastDrawn = now
        let rate = Double(batch) / max(seconds, 1e-9)
        let left = duration(Double(steps - batch) / rate)
        write("\r" + bar(trainer.epoch, batch, "\(decimal(rate)) batches/s  \(left) left  \(logs)") + "\u{1b}[K")
    }

    public func didEnd(_ trainer: Trainer, epoch: Int, logs: inout Logs) {
        write((isTerminal ? "\r\u{1b}[K" : "") + "Epoch \(epoch + 1)/\(epochs)  \(logs)  \(duration(seconds))\n")
    }

    private var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }

    /// The line with a bar as long as the terminal has room for: a line that wraps could not be drawn over.
    private func bar(_ epoch: Int, _ batch: Int, _ figures: String) -> String {
        var size = winsize()
        let isKnown = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
        let columns = isKnown ? Int(size.ws_col) : 80
        let (before, after) = ("Epoch \(epoch + 1)/\(epochs) ", " \(batch)/\(steps)  \(figures)")
        let width = max(0, min(24, columns - 1 - before.count - after.count))
        let filled = min(width, width * batch / max(1, steps))
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        return String((before + bar + after).prefix(columns - 1))
    }

    private func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        return seconds < 9.95
            ? String(format: "%.1f s", seconds) : whole < 60 ? "\(whole) s" : "\(whole / 60) min \(whole % 60) s"
    }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

/// A figure with four digits that count: `0.1234`, `12.34`, `0.0001000`.
func decimal(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
    let digits = max(0, min(8, 3 - Int(log10(abs(value)).rounded(.down))))
    return String(format: "%.\(digits)f", value)
}

// Ctrl-C as a wish to end after the current step.
import Dispatch
import Foundation
import Synchronization

/// Notes SIGINT and SIGTERM instead of dying of them.
public enum Interrupt {
    private static let received = Atomic<Int32>(0)
    // Safe: written once, by `install`, before any signal is handled.
    nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []

    /// Starts noting signals; a second one ends the program at once. Returns when none can be missed any more.
    public static func install() {
        let registration = DispatchGroup()
        for number in [SIGINT, SIGTERM] {
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                if received.exchange(number, ordering: .relaxed) != 0 { _exit(128 + number) }
            }
            registration.enter()
            source.setRegistrationHandler { registration.leave() }
            source.resume()
            sources.append(source)
        }
        registration.wait()
    }

    /// Whether a signal has come.
    public static var isRequested: Bool { received.load(ordering: .relaxed) != 0 }
    /// The status that a program ended by the signal exits with: 130 after Ctrl-C.
    public static var exitStatus: Int32 { 128 + received.load(ordering: .relaxed) }
}

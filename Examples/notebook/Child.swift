// Other programs, run as the shell runs them: in the same terminal, with the same Ctrl-C.
import Foundation
import Synchronization
import Tapestry

/// SIGTERM is for the child: once it has ended we do too, as after any other end, and leave no files behind.
private enum Ending {
    /// The program that runs, or 0.
    static let child = Atomic<pid_t>(0)
    private static let isAsked = Atomic(false)

    static func install() {
        // Who starts us from a thread of a pool hands down that thread's mask, which lets no signal through.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        signal(SIGTERM) { _ in
            Ending.isAsked.store(true, ordering: .sequentiallyConsistent)
            Ending.passOn()
        }
    }

    static func passOn() {
        let child = child.load(ordering: .sequentiallyConsistent)
        if child > 0, isAsked.load(ordering: .sequentiallyConsistent) { kill(child, SIGTERM) }
    }
}

/// A program that has been started.
struct Child {
    private let process: pid_t
    /// What it writes on standard output and standard error, in order; nil if that goes where ours goes.
    private let output: Int32?

    /// How a program has ended.
    enum End: Equatable {
        case exit(Int32), signal(Int32)
    }

    /// Starts a program, found along `PATH` unless its name holds a slash.
    ///
    /// - Throws: `FileError` if there is no such program.
    init(_ command: [String], environment: [String: String] = [:], collectsOutput: Bool) throws {
        var ends: [Int32] = [-1, -1]
        if collectsOutput, pipe(&ends) != 0 { throw FileError.system(command[0], "connected") }
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        if collectsOutput {
            posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
            posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
            for end in ends { posix_spawn_file_actions_addclose(&actions, end) }
        }
        // We ignore Ctrl-C while the child runs; the child must not, and no signal is held back from it.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigaddset(&signals, SIGINT)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
        signal(SIGINT, SIG_IGN)
        Ending.install()

        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        var words = command.map { strdup($0) } + [nil]
        var settings = variables.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in words + settings { free(text) } }
        var process: pid_t = 0
        let status = posix_spawnp(&process, command[0], &actions, &attributes, &words, &settings)
        if collectsOutput { close(ends[1]) }
        guard status == 0 else {
            if collectsOutput { close(ends[0]) }
            throw FileError(command[0], "cannot be run (\(String(cString: strerror(status)).lowercased()))")
        }
        self.process = process
        Ending.child.store(process, ordering: .sequentiallyConsistent)
        Ending.passOn()
        output = collectsOutput ? ends[0] : nil
    }

    /// Hands on what the program writes, as it comes, until there is no more; then waits for its end. Once for a child.
    func wait(_ body: ([UInt8]) -> Void = { _ in }) -> End {
        if let output {
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = read(output, &buffer, buffer.count), count > 0 || (count < 0 && errno == EINTR) {
                if count > 0 { body(Array(buffer[..<count])) }
            }
            close(output)
        }
        // Once it is waited for, its number may be another's.
        var ended = siginfo_t()
        while waitid(P_PID, id_t(process), &ended, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        Ending.child.store(0, ordering: .sequentiallyConsistent)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        let number = status & 0x7f
        return number == 0 ? .exit(status >> 8 & 0xff) : .signal(number)
    }
}

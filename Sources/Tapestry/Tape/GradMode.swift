// Whether ops are recorded: a setting of each thread.
import Foundation

/// Recording of ops on the current thread. Mirrors `torch.set_grad_enabled`.
public enum GradMode {
    /// A thread-local word: 0 means that ops are recorded, 1 that they are not, anything else that they are not because
    /// an op is running, whose type it is. (Swift has no thread-local variables of its own, and
    /// task-local values cost more than a small op.)
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        guard pthread_key_create(&key, nil) == 0 else { fail("no thread-local storage left", nil) }
        return key
    }()

    /// Whether ops on tensors that require gradients are recorded on this thread.
    public internal(set) static var isEnabled: Bool {
        get { pthread_getspecific(key) == nil }
        set { pthread_setspecific(key, newValue ? nil : UnsafeRawPointer(bitPattern: 1)) }
    }

    /// Calls `body` with recording on or off, then restores what was.
    @inline(__always)
    static func with<Result>(_ enabled: Bool, _ body: () throws -> Result) rethrows -> Result {
        let before = pthread_getspecific(key)
        isEnabled = enabled
        defer { pthread_setspecific(key, before) }
        return try body()
    }

    /// Calls `body`, the forward of an op, without recording, then restores what was.
    @inline(__always)
    static func inside<Result>(_ op: any Primitive.Type, _ body: () throws -> Result) rethrows -> Result {
        let before = pthread_getspecific(key)
        pthread_setspecific(key, unsafeBitCast(op as Any.Type, to: UnsafeRawPointer.self))
        defer { pthread_setspecific(key, before) }
        return try body()
    }

    /// The op whose forward runs on this thread, for the line that ends the program.
    static var currentOp: String? {
        // Safe: beyond 1 the word is a type's address, and types live for ever.
        guard let word = pthread_getspecific(key), Int(bitPattern: word) != 1 else { return nil }
        return String(describing: unsafeBitCast(UnsafeRawPointer(word), to: Any.Type.self))
    }
}

/// Runs `body` without recording: results do not require gradients. Mirrors `torch.no_grad`.
@discardableResult
public func noGrad<Result>(_ body: () throws -> Result) rethrows -> Result {
    try GradMode.with(false, body)
}

/// Runs `body` with recording, inside `noGrad` too. Mirrors `torch.enable_grad`.
@discardableResult
public func enableGrad<Result>(_ body: () throws -> Result) rethrows -> Result {
    try GradMode.with(true, body)
}

/// Runs `body` for inference only: nothing is recorded and views do not remember their bases.
/// Mirrors `torch.inference_mode`.
@discardableResult
public func inferenceMode<Result>(_ body: () throws -> Result) rethrows -> Result {
    try GradMode.with(false, body)
}

// Which kernels run and on how many threads: chosen once at start, from the processor and the environment.
import CPUFeatures
import Foundation
import Kernels
import KernelsBaseline

#if arch(x86_64)
    import KernelsAVX2
    import KernelsAVX512
#endif

/// An instruction set that kernels are compiled for.
public enum InstructionSet: String, CaseIterable, Sendable {
    case baseline, avx2, avx512

    /// Whether this processor can run it.
    public var isAvailable: Bool {
        switch self {
        case .baseline: true
        case .avx2: tapestry_cpu_has_avx2() != 0
        case .avx512: tapestry_cpu_has_avx512() != 0
        }
    }

    /// The widest that this processor can run.
    public static var best: InstructionSet { allCases.last { $0.isAvailable } ?? .baseline }

    /// The one in use: the best, or what the environment variable `TAPESTRY_ISA` says.
    public static var current: InstructionSet { Engine.instructionSet }
}

/// Number of threads that kernels use: the number of cores, or what the environment variable
/// `TAPESTRY_NUM_THREADS` says. Results do not depend on it. Mirrors `torch.get_num_threads`.
public var numThreads: Int {
    get {
        _ = Engine.instructionSet
        return Parallel.threads
    }
    set {
        _ = Engine.instructionSet
        Parallel.threads = newValue
    }
}

/// Runs `body` with the kernels that it calls on this thread alone: for threads in the background.
package func onOneThread<Result>(_ body: () throws -> Result) rethrows -> Result {
    try Parallel.onOneThread(body)
}

/// The kernels in use.
package enum Engine {
    static let instructionSet: InstructionSet = {
        let environment = ProcessInfo.processInfo.environment
        if let text = environment["TAPESTRY_NUM_THREADS"] {
            guard let threads = Int(text), threads >= 1, threads <= 1024 else {
                exitUsage("TAPESTRY_NUM_THREADS is '\(text)'; expected a number of threads from 1 to 1024")
            }
            Parallel.threads = threads
        } else {
            Parallel.threads = ProcessInfo.processInfo.activeProcessorCount
        }
        guard let text = environment["TAPESTRY_ISA"] else { return .best }
        guard let chosen = InstructionSet(rawValue: text) else {
            exitUsage("TAPESTRY_ISA is '\(text)'; expected baseline, avx2 or avx512")
        }
        guard chosen.isAvailable else {
            exitUsage(
                "TAPESTRY_ISA is '\(text)', which this processor does not have; the best it has is "
                    + InstructionSet.best.rawValue)
        }
        return chosen
    }()

    package static let float: KernelTable = {
        switch instructionSet {
        case .baseline: return baselineFloat
        #if arch(x86_64)
            case .avx2: return avx2Float
            case .avx512: return avx512Float
        #else
            default: return baselineFloat
        #endif
        }
    }()

    package static let double: KernelTable = {
        switch instructionSet {
        case .baseline: return baselineDouble
        #if arch(x86_64)
            case .avx2: return avx2Double
            case .avx512: return avx512Double
        #else
            default: return baselineDouble
        #endif
        }
    }()

    /// The kernels for a floating-point dtype.
    @inline(__always)
    static func kernels(_ dtype: DType) -> KernelTable { dtype == .float64 ? double : float }

    private static func exitUsage(_ message: String) -> Never {
        FileHandle.standardError.write(Data("tapestry: \(message)\n".utf8))
        exit(2)
    }
}

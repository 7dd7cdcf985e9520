// The kernel tables that this processor can run, for tests of each against naive references.
import CPUFeatures
import Kernels
import KernelsBaseline

#if arch(x86_64)
    import KernelsAVX2
    import KernelsAVX512
#endif

/// Tables for Float, the widest last.
let floatTables: [KernelTable] = {
    var tables = [baselineFloat]
    #if arch(x86_64)
        if tapestry_cpu_has_avx2() != 0 { tables.append(avx2Float) }
        if tapestry_cpu_has_avx512() != 0 { tables.append(avx512Float) }
    #endif
    return tables
}()

/// Tables for Double, the widest last.
let doubleTables: [KernelTable] = {
    var tables = [baselineDouble]
    #if arch(x86_64)
        if tapestry_cpu_has_avx2() != 0 { tables.append(avx2Double) }
        if tapestry_cpu_has_avx512() != 0 { tables.append(avx512Double) }
    #endif
    return tables
}()

/// A small generator with a seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

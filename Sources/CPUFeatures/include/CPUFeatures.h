// Which instruction sets this processor has: the one question Swift itself cannot ask.
#pragma once

/// 1 if the processor and the operating system support AVX2, FMA and the rest of x86-64-v3.
static inline int tapestry_cpu_has_avx2(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
#else
    return 0;
#endif
}

/// 1 if they support AVX-512 F, BW, CD, DQ and VL (x86-64-v4).
static inline int tapestry_cpu_has_avx512(void) {
#if defined(__x86_64__)
    return tapestry_cpu_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl");
#else
    return 0;
#endif
}

// SPDX-License-Identifier: Apache-2.0
// The most fused multiply-adds a path's instructions can do: independent chains in registers, no loads.
#include "bench.h"
#include <string.h>

#pragma clang diagnostic ignored "-Wpsabi" // vectors stay inside their functions

typedef float floats4 __attribute__((vector_size(16)));
typedef float floats8 __attribute__((vector_size(32)));
typedef float floats16 __attribute__((vector_size(64)));

// CHAINS covers latency times throughput, and leaves room in the path's registers. The empty assembly keeps every chain in a register of class REGISTER
// and hides that the steps are equal.
#define PEAK(NAME, ATTRIBUTE, TYPE, REGISTER, CHAINS)                                                                      \
    ATTRIBUTE static double NAME(size_t repeats) {                                                                         \
        TYPE sum[CHAINS], x = {0}, w = {0};                                                                                \
        x += 0.5f, w += 0.5f;                                                                                              \
        for (int i = 0; i < CHAINS; i++) sum[i] = x;                                                                       \
        for (size_t r = 0; r < repeats; r++) {                                                                             \
            __asm__ volatile("" : "+" REGISTER(x), "+" REGISTER(w));                                                       \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) {                                          \
                sum[i] = __builtin_elementwise_fma(x, w, sum[i]);                                                          \
                __asm__ volatile("" : "+" REGISTER(sum[i]));                                                               \
            }                                                                                                              \
        }                                                                                                                  \
        return (double)repeats * CHAINS * (sizeof(TYPE) / sizeof(float));                                                  \
    }

#ifdef __x86_64__
PEAK(peak_portable, , float, "x", 4) // calls of fmaf
PEAK(peak_avx2, __attribute__((target("avx2,fma"))), floats8, "x", 12)
PEAK(peak_avx512, __attribute__((target("avx512f"))), floats16, "v", 12)
#else
PEAK(peak_portable, , floats4, "w", 20)
#endif

double run_peak(const nck_kernels *kernels, size_t repeats, void *unused) {
    (void)unused;
#ifdef __x86_64__
    if (strcmp(kernels->name, "avx512") == 0) return peak_avx512(64 * repeats);
    if (strcmp(kernels->name, "avx2") == 0) return peak_avx2(64 * repeats);
#endif
    (void)kernels;
    return peak_portable(64 * repeats);
}

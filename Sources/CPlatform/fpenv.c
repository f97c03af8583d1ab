// SPDX-License-Identifier: Apache-2.0
#include "CPlatform.h"

#if defined(__x86_64__)
#include <xmmintrin.h>

enum { MXCSR_DEFAULT = 0x1f80 }; // round to nearest, all exceptions masked, FTZ and DAZ off

uint64_t ncp_fp_enter(void) {
    uint64_t saved = _mm_getcsr();
    _mm_setcsr(MXCSR_DEFAULT);
    return saved;
}

void ncp_fp_leave(uint64_t saved) {
    // The caller gets its control bits back, and its sticky flags without ours.
    _mm_setcsr((unsigned)saved);
}
#elif defined(__aarch64__)
uint64_t ncp_fp_enter(void) {
    uint64_t saved, standard = 0; // round to nearest, no flush-to-zero, default NaN off, no traps
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, %0" : : "r"(standard));
    return saved;
}

void ncp_fp_leave(uint64_t saved) {
    __asm__ volatile("msr fpcr, %0" : : "r"(saved));
}
#else
#error "the floating-point environment of this architecture is not known"
#endif

// SPDX-License-Identifier: Apache-2.0
#include "paths.h"
#include <string.h>

typedef struct {
    const nck_kernels *kernels;
    int (*supported)(void); // by the CPU and by the system, which must save the registers
} candidate;

static int always(void) { return 1; }

#ifdef __x86_64__
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

static int has_avx512(void) {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl");
}
#endif

// Fastest first.
static const candidate candidates[] = {
#ifdef __x86_64__
    {&nck_avx512, has_avx512},
    {&nck_avx2, has_avx2},
#endif
#ifdef __aarch64__
    {&nck_neon, always}, // part of the architecture's base
#endif
    {&nck_portable, always},
};

nck_selection nck_select(const char *name, const nck_kernels **kernels) {
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        const candidate *c = &candidates[i];
        if (name && strcmp(name, c->kernels->name) != 0) continue;
        if (c->supported()) {
            *kernels = c->kernels;
            return NCK_SELECTED;
        }
        if (name) return NCK_UNSUPPORTED;
    }
    return NCK_UNKNOWN;
}

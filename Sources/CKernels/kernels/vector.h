/* SPDX-License-Identifier: Apache-2.0 */
/* Sixteen binary32 lanes and their operations. fused is llvm.fma: one instruction, or fmaf in the portable path. */
#include <string.h>

#pragma clang diagnostic ignored "-Wpsabi" // vectors are passed between functions of one path only

#define INLINE __attribute__((always_inline)) static inline

typedef float vector __attribute__((vector_size(4 * NCK_LANES)));
typedef int32_t mask __attribute__((vector_size(4 * NCK_LANES)));

INLINE vector load(const float *p) {
    vector v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store(float *p, vector v) { memcpy(p, &v, sizeof v); }

INLINE vector splat(float x) { return (vector){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }

INLINE vector fused(vector a, vector b, vector c) { return __builtin_elementwise_fma(a, b, c); }

/* Lanes of a where the mask is set (all ones), of b elsewhere. Written with ?:, which C has for this kind of vector only, it becomes a masked operation. */
INLINE vector choose(mask set, vector a, vector b) {
    typedef float values __attribute__((ext_vector_type(NCK_LANES)));
    typedef int32_t conditions __attribute__((ext_vector_type(NCK_LANES)));
    return (vector)((conditions)set ? (values)a : (values)b);
}

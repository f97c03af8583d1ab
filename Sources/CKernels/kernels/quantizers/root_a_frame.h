/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The orthonormal frame in which A_n is given, for k = 1...n: f_k = (1, ..., 1, -k, 0, ..., 0) / sqrt(k (k + 1)) spans with the others the vectors of n + 1
 * coordinates with sum zero. Each number is computed in binary64 and rounded once. Index 0 is unused.
 */

typedef struct root_a_frame {
    float narrow[NCK_MOST_LATTICE_DIMENSIONS + 1]; /* 1 / sqrt(k (k + 1)) */
    float wide[NCK_MOST_LATTICE_DIMENSIONS + 1];   /* sqrt(k / (k + 1)) */
    float grown[NCK_MOST_LATTICE_DIMENSIONS + 1];  /* sqrt((k + 1) / k) */
} root_a_frame;

INLINE void root_a_make(root_a_frame *frame, const size_t n) {
    for (size_t k = 1; k <= n; k++) {
        const double size = (double)k, next = size + 1.0;
        frame->narrow[k] = (float)(1.0 / __builtin_elementwise_sqrt(size * next));
        frame->wide[k] = (float)__builtin_elementwise_sqrt(size / next);
        frame->grown[k] = (float)__builtin_elementwise_sqrt(next / size);
    }
}

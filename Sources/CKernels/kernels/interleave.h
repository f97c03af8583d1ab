/* SPDX-License-Identifier: Apache-2.0 */
/* Between sixteen records of n floats, one after the other, and n vectors of sixteen floats. n is a power of two up to 16 and a constant at every call. */

/* One stage of a transposition on rows first ... first + count - 1: in every square of 2d x 2d values the two d x d blocks off the diagonal change places. */
INLINE void exchange(const int d, const int first, const int count, vector *v) {
#pragma clang loop unroll(full)
    for (int k = first; k < first + count; k++) {
        if (k & d) continue;
        const vector a = v[k], b = v[k + d];
        if (d == 8) {
            v[k] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
            v[k + d] = __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
        } else if (d == 4) {
            v[k] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
            v[k + d] = __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
        } else if (d == 2) {
            v[k] = __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
            v[k + d] = __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
        } else {
            v[k] = __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
            v[k + d] = __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
        }
    }
}

/* Sixteen records of sixteen: both directions at once. Most stages stay within 128 bits, which is cheap where registers are shorter than a vector. */
INLINE void transpose(vector *v) {
    exchange(8, 0, 16, v);
#pragma clang loop unroll(full)
    for (int half = 0; half < 16; half += 8) {
        exchange(4, half, 8, v);
        exchange(2, half, 8, v);
        exchange(1, half, 8, v);
    }
}

/* v holds the records, one after the other; v[k] becomes the k-th floats of all. Each round takes even and odd floats apart, so log2 n rounds do it. */
INLINE void deinterleave(const int n, vector *v) {
    if (n == NCK_LANES) return transpose(v);
#pragma clang loop unroll(full)
    for (int round = 1; round < n; round *= 2) {
        vector halves[NCK_LANES];
#pragma clang loop unroll(full)
        for (int k = 0; k < n / 2; k++) {
            halves[k] = __builtin_shufflevector(v[2 * k], v[2 * k + 1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            halves[n / 2 + k] = __builtin_shufflevector(v[2 * k], v[2 * k + 1], 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
        }
#pragma clang loop unroll(full)
        for (int k = 0; k < n; k++) v[k] = halves[k];
    }
}

/* The inverse. */
INLINE void interleave(const int n, vector *v) {
    if (n == NCK_LANES) return transpose(v);
#pragma clang loop unroll(full)
    for (int round = 1; round < n; round *= 2) {
        vector pairs[NCK_LANES];
#pragma clang loop unroll(full)
        for (int k = 0; k < n / 2; k++) {
            pairs[2 * k] = __builtin_shufflevector(v[k], v[n / 2 + k], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            pairs[2 * k + 1] = __builtin_shufflevector(v[k], v[n / 2 + k], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
        }
#pragma clang loop unroll(full)
        for (int k = 0; k < n; k++) v[k] = pairs[k];
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sixteen vectors of n values, one after the other, to one register a coordinate and back. Which lane holds which vector does not matter to what happens in
 * between, so small powers of two need no moves across the lanes of a whole register: each group of n lanes is transposed by itself, which is its own inverse.
 */

INLINE void transpose_groups(const int n, vector *v) {
#pragma clang loop unroll(full)
    for (int d = n / 2; d; d /= 2) exchange(d, 0, n, v);
}

INLINE void narrow_columns(const int n, const float *in, vector *t) {
#pragma clang loop unroll(full)
    for (int k = 0; k < n; k++) t[k] = load(in + k * NCK_LANES);
    transpose_groups(n, t);
}

INLINE void narrow_rows(const int n, vector *t, float *out) {
    transpose_groups(n, t);
#pragma clang loop unroll(full)
    for (int k = 0; k < n; k++) store(out + k * NCK_LANES, t[k]);
}

/* The values are moved as bits: they may be integers. */
INLINE void columns_of(const size_t n, const float *in, vector *t) {
    if (n == 2) return narrow_columns(2, in, t);
    if (n == 4) return narrow_columns(4, in, t);
    if (n == 8) return narrow_columns(8, in, t);
    if (n < NCK_LANES) {
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < NCK_LANES; k++) memcpy((float *)(t + i) + k, in + k * n + i, sizeof *in);
        return;
    }
    for (size_t i = 0; i < n; i += NCK_LANES) {
        const size_t first = i + NCK_LANES > n ? n - NCK_LANES : i; // the last square may overlap the one before
        vector v[NCK_LANES];
#pragma clang loop unroll(full)
        for (size_t k = 0; k < NCK_LANES; k++) v[k] = load(in + k * n + first);
        transpose(v);
#pragma clang loop unroll(full)
        for (size_t k = 0; k < NCK_LANES; k++) t[first + k] = v[k];
    }
}

/* Leaves anything in t. */
INLINE void rows_of(const size_t n, vector *t, float *out) {
    if (n == 2) return narrow_rows(2, t, out);
    if (n == 4) return narrow_rows(4, t, out);
    if (n == 8) return narrow_rows(8, t, out);
    if (n < NCK_LANES) {
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < NCK_LANES; k++) memcpy(out + k * n + i, (const float *)(t + i) + k, sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i += NCK_LANES) {
        const size_t first = i + NCK_LANES > n ? n - NCK_LANES : i;
        vector v[NCK_LANES];
#pragma clang loop unroll(full)
        for (size_t k = 0; k < NCK_LANES; k++) v[k] = t[first + k];
        transpose(v);
#pragma clang loop unroll(full)
        for (size_t k = 0; k < NCK_LANES; k++) store(out + k * n + first, v[k]);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A_n, the integer vectors z of n + 1 coordinates with sum zero, in the frame f_1, ..., f_n of root_a_frame.h. The basis e_k - e_(k+1) has two components there:
 * grown[k] along f_k and -wide[k-1] along f_(k-1).
 *
 * Closest point (Conway and Sloane 1982): y = sum of t[k] f_k in n + 1 coordinates, each rounded; while the sum is not zero, the coordinate that is nearest to
 * its next choice in the sum's direction, the first of equals, takes it. u[k] = z[1] + ... + z[k].
 */
#include "root_a_frame.h"

/* Half to even for |y| <= 2^23: a coordinate of y can be 4.2 times as large as those of t. */
INLINE vector rounded_wide(vector y) {
    const vector magic = (vector)(sign_of(y) | (bits)splat(0x1p23f));
    return (y + magic) - magic;
}

INLINE void root_a_nearest(const root_a_frame *frame, const size_t n, const vector *t, mask *u) {
    vector gap[NCK_MOST_LATTICE_DIMENSIONS + 1], y = splat(0.0f); // error, positive where z is too small
    mask z[NCK_MOST_LATTICE_DIMENSIONS + 1], sum = {0};
    for (size_t k = n + 1; k-- > 0;) {
        const vector here = k ? fused(splat(-frame->wide[k]), t[k - 1], y) : y, r = rounded_wide(here);
        if (k) y = fused(splat(frame->narrow[k]), t[k - 1], y);
        gap[k] = here - r;
        sum += z[k] = __builtin_convertvector(r, mask);
    }
    const mask lower = sum > 0, step = lower | 1; // every move's direction
    mask missing = lower - (sum ^ lower);
    for (size_t k = 0; k <= n; k++) gap[k] = (vector)((bits)gap[k] ^ ((bits)lower & 0x80000000u));
    while (__builtin_reduce_or(missing)) {
        vector largest = gap[0];
        for (size_t k = 1; k <= n; k++) largest = greater(gap[k], largest);
        mask still = missing > 0;
        missing += still;
        for (size_t k = 0; k <= n; k++) {
            const mask move = (gap[k] == largest) & still;
            still &= ~move;
            z[k] += move & step;
            gap[k] -= (vector)((bits)move & (bits)splat(1.0f));
        }
    }
    sum = (mask){0};
    for (size_t k = 0; k < n; k++) u[k] = sum += z[k];
}

/* The products of u B, rows ascending. */
INLINE void root_a_points(const root_a_frame *frame, const size_t n, const mask *u, vector *p) {
    vector next = __builtin_convertvector(u[0], vector);
    for (size_t k = 1; k <= n; k++) {
        p[k - 1] = next * splat(frame->grown[k]);
        if (k == n) break;
        next = __builtin_convertvector(u[k], vector);
        p[k - 1] = fused(next, splat(-frame->wide[k]), p[k - 1]);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * D_n, the integer vectors with an even sum. Basis: 2 e_1, then e_i + e_1.
 *
 * Closest point (Conway and Sloane 1982): round; if the sum is odd, the coordinate with the largest error, the first of equals, takes its second choice.
 */

/* t becomes the closest point. */
INLINE void root_d_nearest(const size_t n, vector *t) {
    const vector magic = splat(NCK_ROUND_MAGIC);
    vector largest = splat(0.0f);
    bits parity = {0};
    for (size_t i = 0; i < n; i++) {
        const vector sum = t[i] + magic; // its lowest bit is that of the integer
        largest = greater(absolute(t[i] - (sum - magic)), largest);
        parity ^= (bits)sum;
    }
    mask odd = -(mask)(parity & 1);
    for (size_t i = 0; i < n; i++) {
        const vector r = rounded(t[i]), error = t[i] - r;
        const mask move = (absolute(error) == largest) & odd;
        odd &= ~move;
        t[i] = r + (vector)((bits)move & (sign_of(error) | (bits)splat(1.0f)));
    }
}

INLINE void root_d_coordinates(const size_t n, const vector *p, mask *u) {
    mask first = __builtin_convertvector(p[0], mask);
    for (size_t i = 1; i < n; i++) first -= u[i] = __builtin_convertvector(p[i], mask);
    u[0] = first >> 1;
}

INLINE void root_d_points(const size_t n, const mask *u, vector *p) {
    bits first = 2 * (bits)u[0];
    for (size_t i = 1; i < n; i++) {
        first += (bits)u[i];
        p[i] = __builtin_convertvector(u[i], vector);
    }
    p[0] = __builtin_convertvector((mask)first, vector);
}

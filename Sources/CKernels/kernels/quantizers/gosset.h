/* SPDX-License-Identifier: Apache-2.0 */
/*
 * E8, the vectors of D8 and those of D8 + 1/2 (all coordinates half-integers). Basis: 2 e_1, then e_i + e_1 for i = 2...7, then (1/2, ..., 1/2).
 *
 * Closest point (Conway and Sloane 1982): the closest of each coset. With r the rounded coordinates and a = |t - r|, the half-integers next to t are r +-
 * 1/2 on the side of t (above, if t = r), 1/2 - a away, so that the sums of squares differ by 2 - (a_1 + ... + a_8). If its parity is wrong, D8 moves its
 * largest a at a cost of 1 - 2 a, D8 + 1/2 its smallest at a cost of 2 a. One pass gives both; all costs are halved below. On a tie D8 comes first.
 */

/* t becomes the closest point. */
INLINE void gosset_nearest(vector *t) {
    const vector magic = splat(NCK_ROUND_MAGIC), half = splat(0.5f), one = splat(1.0f);
    vector r[8], error[8], a[8];
    bits integers = {0}, signs = {0};
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++) {
        const vector sum = t[i] + magic; // its lowest bit is that of the integer
        r[i] = sum - magic;
        error[i] = t[i] - r[i];
        a[i] = absolute(error[i]);
        integers ^= (bits)sum;
        signs ^= (bits)error[i];
    }
    const vector total = ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]));
    const vector largest = greater(greater(greater(a[0], a[1]), greater(a[2], a[3])), greater(greater(a[4], a[5]), greater(a[6], a[7])));
    const vector smallest = lesser(lesser(lesser(a[0], a[1]), lesser(a[2], a[3])), lesser(lesser(a[4], a[5]), lesser(a[6], a[7])));
    const mask odd = -(mask)(integers & 1), odd_halves = odd ^ ((mask)signs >> 31); // a half-integer r - 1/2 counts as r - 1, r + 1/2 as r
    const vector cost = (vector)((bits)odd & (bits)(half - largest)), cost_halves = (vector)((bits)odd_halves & (bits)smallest) + (one - half * total);
    const mask halves = cost_halves < cost;
    const vector extreme = choose(halves, smallest, largest);
    mask move = (mask)choose(halves, (vector)odd_halves, (vector)odd);
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++) {
        const mask here = (a[i] == extreme) & move;
        const vector first = r[i] + (vector)((sign_of(error[i]) | (bits)half) & (bits)halves);
        move &= ~here;
        t[i] = first + (vector)((sign_of(t[i] - first) | (bits)one) & (bits)here);
    }
}

INLINE void gosset_coordinates(const vector *p, mask *u) {
    u[7] = __builtin_convertvector(p[7] + p[7], mask);
    mask first = (__builtin_convertvector(p[0] + p[0], mask) - u[7]) >> 1;
#pragma clang loop unroll(full)
    for (int i = 1; i < 7; i++) first -= u[i] = (__builtin_convertvector(p[i] + p[i], mask) - u[7]) >> 1;
    u[0] = first >> 1;
}

INLINE void gosset_points(const mask *u, vector *p) {
    const bits last = (bits)u[7];
    bits first = 4 * (bits)u[0] + last; // doubled coordinates
#pragma clang loop unroll(full)
    for (int i = 1; i < 7; i++) {
        first += 2 * (bits)u[i];
        p[i] = __builtin_convertvector((mask)(2 * (bits)u[i] + last), vector) * splat(0.5f);
    }
    p[0] = __builtin_convertvector((mask)first, vector) * splat(0.5f);
    p[7] = __builtin_convertvector((mask)last, vector) * splat(0.5f);
}

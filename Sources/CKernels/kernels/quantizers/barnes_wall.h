/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Barnes-Wall lattice of 16 dimensions: integer vectors that modulo 2 are a word of the Reed-Muller code RM(1,4) and whose sum is divisible by 4 (Conway
 * and Sloane, SPLAG, chapter 4). Every word's weight is 0, 8 or 16, so it is 32 cosets word + 2 D16. Coordinate i of word 2 f + w is w + f . i, the bits of
 * f and i multiplied and added modulo 2. Basis: 4 e_0; 2 e_i + 2 e_0; but at i = 7, 11, 13 and 14 the word whose last one is there, at 15 the word of ones.
 *
 * Closest point, without decoding 32 times. Let a be the distance of a coordinate to its nearest even integer (of two, the multiple of 4); the odd integer
 * next to it on the side of t (above, if a = 0) is 1 - a away. The distance to a word's coset is, up to a term of t alone, the sum over the coordinates of
 * +-(a - 1/2), + where the word has 0 and - where it has 1: a Hadamard transform and its negative. If the parity is wrong, a coordinate takes its second
 * choice; with an error of x that costs 4 (1 - x), so the cost's quarter is the least of 1 - a (word 0) or a (word 1), which the same butterflies find with
 * the minimum in place of the sum, for a word and its complement. The parity is an affine function of the word: six masks give all 32. All costs are divided
 * by 4 below.
 */

enum { BARNES_WALL = 16 };

/* All ones or zero: whether the sum of word 0's integers, halved, is odd, and what each bit of f, and w, change in that. */
typedef struct barnes_wall_parity {
    mask odd, bits_of_f[4], w;
} barnes_wall_parity;

/* halves: the lowest bit is that of the even integers' sum, halved. below: bit 31 is set where the odd integer is the lower one; overwritten. */
INLINE barnes_wall_parity barnes_wall_parities(bits halves, bits *below) {
    barnes_wall_parity parity;
    parity.odd = -(mask)(halves & 1);
#pragma clang loop unroll(full)
    for (int bit = 0; bit < 4; bit++) {
        bits sum = below[1];
#pragma clang loop unroll(full)
        for (int i = 3; i < BARNES_WALL >> bit; i += 2) sum ^= below[i];
        parity.bits_of_f[bit] = (mask)sum >> 31;
#pragma clang loop unroll(full)
        for (int i = 0; i < BARNES_WALL >> (bit + 1); i++) below[i] = below[2 * i] ^ below[2 * i + 1]; // coordinates that differ in this bit only
    }
    parity.w = (mask)below[0] >> 31;
    return parity;
}

/* One stage of the butterflies: `move` holds the least cost of a move with word 2 f, `move_ones` with its complement. */
INLINE void barnes_wall_stage(const int d, vector *sum, vector *move, vector *move_ones) {
#pragma clang loop unroll(full)
    for (int i = 0; i < BARNES_WALL; i++) {
        if (i & d) continue;
        const int j = i + d;
        const vector s[2] = {sum[i], sum[j]}, m[2] = {move[i], move[j]}, o[2] = {move_ones[i], move_ones[j]};
        sum[i] = s[0] + s[1], move[i] = lesser(m[0], m[1]), move_ones[i] = lesser(o[0], o[1]);
        sum[j] = s[0] - s[1], move[j] = lesser(m[0], o[1]), move_ones[j] = lesser(o[0], m[1]);
    }
}

/* Keeps the first of equals. */
INLINE void barnes_wall_compare(const vector cost, const uint32_t candidate, vector *least, bits *word) {
    const mask better = cost < *least;
    *least = choose(better, cost, *least);
    *word = (bits)choose(better, (vector)((bits){0} + candidate), (vector)*word);
}

/* The word of the closest coset: bit i for coordinate i. */
INLINE bits barnes_wall_word(const barnes_wall_parity *parity, const vector *a) {
    static const uint32_t coordinate_bits[4] = {0xaaaa, 0xcccc, 0xf0f0, 0xff00};
    vector sum[BARNES_WALL], move[BARNES_WALL], move_ones[BARNES_WALL], least = splat(64.0f); // more than any cost
    bits word = {0};
#pragma clang loop unroll(full)
    for (int i = 0; i < BARNES_WALL; i++) {
        sum[i] = (a[i] - splat(0.5f)) * splat(0.25f);
        move[i] = splat(1.0f) - a[i];
        move_ones[i] = a[i];
    }
#pragma clang loop unroll(full)
    for (int d = 1; d < BARNES_WALL; d *= 2) barnes_wall_stage(d, sum, move, move_ones);
#pragma clang loop unroll(full)
    for (int f = 0; f < BARNES_WALL; f++) {
        mask odd = parity->odd;
        uint32_t candidate = 0;
#pragma clang loop unroll(full)
        for (int bit = 0; bit < 4; bit++)
            if (f >> bit & 1) odd ^= parity->bits_of_f[bit], candidate ^= coordinate_bits[bit];
        barnes_wall_compare((vector)((bits)move[f] & (bits)odd) + sum[f], candidate, &least, &word);
        barnes_wall_compare((vector)((bits)move_ones[f] & (bits)(odd ^ parity->w)) - sum[f], candidate ^ 0xffff, &least, &word);
    }
    return word;
}

/* t becomes the closest point. */
INLINE void barnes_wall_nearest(vector *t) {
    const vector magic = splat(2 * NCK_ROUND_MAGIC), one = splat(1.0f); // rounds to even integers
    vector a[BARNES_WALL], cost[BARNES_WALL], least = one;
    bits halves = {0}, below[BARNES_WALL];
#pragma clang loop unroll(full)
    for (int i = 0; i < BARNES_WALL; i++) {
        const vector sum = t[i] + magic, error = t[i] - (sum - magic);
        a[i] = absolute(error);
        below[i] = (bits)error;
        halves ^= (bits)sum;
    }
    const barnes_wall_parity parity = barnes_wall_parities(halves, below);
    const bits word = barnes_wall_word(&parity, a);
    mask odd = parity.odd;
#pragma clang loop unroll(full)
    for (int i = 0; i < BARNES_WALL; i++) {
        const mask ones = (mask)(word << (31 - i)) >> 31;
        const vector error = t[i] - ((t[i] + magic) - magic);
        cost[i] = choose(ones, a[i], one - a[i]);
        least = lesser(cost[i], least);
        odd ^= ones & ((mask)error >> 31);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < BARNES_WALL; i++) {
        const mask ones = (mask)(word << (31 - i)) >> 31, move = (cost[i] == least) & odd;
        const vector even = (t[i] + magic) - magic, first = even + (vector)((sign_of(t[i] - even) | (bits)one) & (bits)ones);
        odd &= ~move;
        t[i] = first + (vector)((sign_of(t[i] - first) | (bits)splat(2.0f)) & (bits)move);
    }
}

static const int barnes_wall_words[] = {15, 14, 13, 11, 7}; /* the last ones of the basis's words */

/* Whether the basis's word at `row` has a one at i: at 15 all, at 15 - 2^b the coordinates without bit b. */
INLINE int barnes_wall_one(const int row, const int i) { return ((15 - row) & i) == 0; }

INLINE void barnes_wall_coordinates(const vector *p, mask *u) {
#pragma clang loop unroll(full)
    for (int i = 0; i < BARNES_WALL; i++) u[i] = __builtin_convertvector(p[i], mask);
#pragma clang loop unroll(full)
    for (int k = 0; k < 5; k++) { // each word is determined by its last coordinate
        const int row = barnes_wall_words[k];
#pragma clang loop unroll(full)
        for (int i = 0; i < row; i++)
            if (barnes_wall_one(row, i)) u[i] -= u[row];
    }
#pragma clang loop unroll(full)
    for (int i = 1; i < 15; i++)
        if (i != 7 && i != 11 && i != 13 && i != 14) {
            u[0] -= u[i];
            u[i] >>= 1;
        }
    u[0] >>= 2;
}

INLINE void barnes_wall_points(const mask *u, vector *p) {
    bits sum[BARNES_WALL];
    sum[0] = 4 * (bits)u[0];
#pragma clang loop unroll(full)
    for (int i = 1; i < BARNES_WALL; i++) {
        const int word = i == 15 || i == 14 || i == 13 || i == 11 || i == 7;
        sum[i] = word ? (bits)u[i] : 2 * (bits)u[i];
        if (!word) sum[0] += sum[i];
    }
#pragma clang loop unroll(full)
    for (int k = 0; k < 5; k++) {
        const int row = barnes_wall_words[k];
#pragma clang loop unroll(full)
        for (int i = 0; i < row; i++)
            if (barnes_wall_one(row, i)) sum[i] += (bits)u[row];
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < BARNES_WALL; i++) p[i] = __builtin_convertvector((mask)sum[i], vector);
}

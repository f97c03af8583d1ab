/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Leech lattice, in integers: x is in it if all x[i] are m modulo 2, the (x[i] - m) / 2 modulo 2 are a word c of the extended Golay code, and the sum of x is
 * 4 m modulo 8. So x[i] = m + 2 c[i] + 4 z[i], and as the code's weights are multiples of 4, the last condition says that the sum of z is m modulo 2.
 *
 * The Golay code by the hexacode (Conway and Sloane, SPLAG, chapter 11): coordinate 4 j + i is row i of column j, of six. With the field of four elements written
 * 0, 1, 2, 3 (addition is xor), the symbol of a column of bits c0 ... c3 is c1 + 2 c2 + 3 c3. The six symbols of a word are a hexacode word, and its columns and
 * its top row have one parity. Two columns, complements, have the same parity and symbol; the top bit h = c0 tells them apart. The hexacode's words, as three
 * pairs of symbols, are (a + x | b + x | a + b + x) with a and b one of 00, 11, 22, 33 and x one of 00, 23, 31, 12.
 *
 * Closest point: decoding by hexacode words (Conway and Sloane, Soft decoding techniques for codes and lattices, including the Golay code and the Leech lattice,
 * 1986; Vardy and Be'ery, Maximum likelihood decoding of the Leech lattice, 1993), without their sorting and branches, so that each lane decodes a vector of its
 * own. Let k be the parity of a column's z and 2 h + k its state. Each column, for every m, parity, symbol and state, has a least squared distance. States add up
 * by xor, over all columns to (parity, m); so two parts of a word join by the least of the four sums whose states add up to the wanted one: columns to pairs,
 * pairs to words. This is Forney's trellis of 256 states (Coset codes II, 1988). The best word is then traced back to symbols and states. They leave of each
 * column a coset of 4 D4, which is rounded like D4.
 *
 * Ties, by the binary32 distances: even parity before odd, then m = 0 before 1, then the lower x, then the lower a + b, both in the order above; then the lower
 * state of the first four columns, then the lower a, then the lower state of the first pair, then of each pair's first column. In a column z is rounded, halves
 * to even; if its parity is wrong, the largest error, the first of equals, takes its second choice, upwards if there is no error.
 */
#include "leech_basis.h"

/* The search keeps many values in registers: a vector that takes several would not leave enough of them. */
#ifndef REGISTER_LANES
#define REGISTER_LANES 4
#endif

typedef float leech_vector __attribute__((vector_size(4 * REGISTER_LANES)));
typedef int32_t leech_mask __attribute__((vector_size(4 * REGISTER_LANES)));

enum { LEECH = 24, LEECH_COLUMNS = 6 };

#define LEECH_MOST 0x1p20f /* more than any squared distance below */

/* Least squared distances, 88 kB of them if registers have 16 lanes. First index: 2 * parity + m, what the states of all columns add up to; last: the state. */
typedef struct leech_costs {
    leech_vector columns[4][LEECH_COLUMNS][4][4]; /* by symbol */
    leech_vector pairs[4][3][16][4];              /* by 4 * first symbol + second symbol */
    leech_vector fours[4][16][4];                 /* the first four columns, over all a, by 4 * index of x + index of a + b, which give the last pair */
} leech_costs;

static const int32_t leech_offsets[4] = {0, 11, 13, 6}; /* the x; the a and b are multiples of 5 */

INLINE leech_mask leech_choose(leech_mask set, leech_mask a, leech_mask b) { return (set & a) | (~set & b); }

/* Floats that are not negative are ordered like their bits, and minima of integers do not compete with sums for the adders. */
INLINE leech_vector leech_least(leech_vector a, leech_vector b) { return (leech_vector)__builtin_elementwise_min((leech_mask)a, (leech_mask)b); }

/* Joins two parts: the least sum for each state of both. */
INLINE void leech_join(const leech_vector *a, const leech_vector *b, leech_vector *both) {
#pragma clang loop unroll(full)
    for (int s = 0; s < 4; s++) both[s] = leech_least(leech_least(a[0] + b[s], a[1] + b[s ^ 1]), leech_least(a[2] + b[s ^ 2], a[3] + b[s ^ 3]));
}

/* The least cost for the two bits of two rows and the parity of their z, from each row's by its bit and the parity of its z. */
INLINE void leech_join_rows(const leech_vector (*first)[2], const leech_vector (*second)[2], leech_vector (*both)[2]) {
#pragma clang loop unroll(full)
    for (int c = 0; c < 4; c++)
#pragma clang loop unroll(full)
        for (int k = 0; k < 2; k++) both[c][k] = leech_least(first[c & 1][0] + second[c >> 1][k], first[c & 1][1] + second[c >> 1][!k]);
}

/* y: a column, within +-4. */
INLINE void leech_column(const leech_vector *y, const int m, leech_vector (*even)[4], leech_vector (*odd)[4]) {
    leech_vector rows[4][2][2], upper[4][2], lower[4][2];
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++)
#pragma clang loop unroll(full)
        for (int c = 0; c < 2; c++) { // m + 2 c modulo 8 has an even z, what is 4 away an odd one
            const leech_vector far = __builtin_elementwise_abs(__builtin_elementwise_abs(y[i] - (float)(m + 2 * c)) - 4.0f), near = 4.0f - far;
            rows[i][c][0] = near * near;
            rows[i][c][1] = far * far;
        }
    leech_join_rows(rows[0], rows[1], upper);
    leech_join_rows(rows[2], rows[3], lower);
#pragma clang loop unroll(full)
    for (int c = 0; c < 16; c++)
#pragma clang loop unroll(full)
        for (int k = 0; k < 2; k++) {
            const int c0 = c & 1, c1 = c >> 1 & 1, c2 = c >> 2 & 1, c3 = c >> 3, symbol = c1 ^ 2 * c2 ^ 3 * c3, state = 2 * c0 + k;
            leech_vector(*to)[4] = c0 ^ c1 ^ c2 ^ c3 ? odd : even;
            to[symbol][state] = leech_least(upper[c & 3][0] + lower[c >> 2][k], upper[c & 3][1] + lower[c >> 2][!k]);
        }
}

INLINE void leech_pair(const leech_vector (*first)[4], const leech_vector (*second)[4], leech_vector (*pair)[4]) {
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) leech_join(first[i], second[j], pair[4 * i + j]);
}

/* The best of all words so far. winner: 16 * whole + index in `fours`. whole: what all states add up to. */
INLINE void leech_words(const int whole, leech_vector (*const pairs)[16][4], leech_vector (*fours)[4], leech_vector *best, leech_mask *winner) {
    for (int word = 0; word < 16; word++) {
        const int x = leech_offsets[word >> 2], sum = word & 3; // of a and b
        leech_vector least[4], four[4];
        leech_join(pairs[0][x], pairs[1][5 * sum ^ x], least);
        for (int a = 1; a < 4; a++) {
            leech_join(pairs[0][5 * a ^ x], pairs[1][5 * (a ^ sum) ^ x], four);
#pragma clang loop unroll(full)
            for (int s = 0; s < 4; s++) least[s] = leech_least(four[s], least[s]);
        }
        const leech_vector *last = pairs[2][5 * sum ^ x];
        leech_vector total[4];
#pragma clang loop unroll(full)
        for (int s = 0; s < 4; s++) {
            fours[word][s] = least[s];
            total[s] = least[s] + last[s ^ whole];
        }
        const leech_vector cost = leech_least(leech_least(total[0], total[1]), leech_least(total[2], total[3]));
        *winner = leech_choose(cost < *best, (leech_mask){0} + (16 * whole + word), *winner);
        *best = leech_least(cost, *best);
    }
}

INLINE leech_mask leech_search(const leech_vector *y, leech_costs *costs) {
    leech_vector best = (leech_vector){0} + LEECH_MOST;
    leech_mask winner = {0};
    for (int j = 0; j < LEECH_COLUMNS; j++) leech_column(y + 4 * j, 0, costs->columns[0][j], costs->columns[2][j]);
    for (int j = 0; j < LEECH_COLUMNS; j++) leech_column(y + 4 * j, 1, costs->columns[1][j], costs->columns[3][j]);
    for (int whole = 0; whole < 4; whole++) {
        for (int p = 0; p < 3; p++) leech_pair(costs->columns[whole][2 * p], costs->columns[whole][2 * p + 1], costs->pairs[whole][p]);
        leech_words(whole, costs->pairs[whole], costs->fours[whole], &best, &winner);
    }
    return winner;
}

/* Each lane from a row of its own. */
INLINE leech_vector leech_gather(const leech_vector *rows, leech_mask row) {
    const float *values = (const float *)rows;
    float gathered[REGISTER_LANES];
#pragma clang loop unroll(full)
    for (int lane = 0; lane < REGISTER_LANES; lane++) gathered[lane] = values[row[lane] * REGISTER_LANES + lane];
    leech_vector v;
    memcpy(&v, gathered, sizeof v);
    return v;
}

/* Keeps the first of equals. */
INLINE void leech_keep_least(leech_vector cost, const int candidate, leech_vector *least, leech_mask *which) {
    const leech_mask less = cost < *least;
    *which = leech_choose(less, (leech_mask){0} + candidate, *which);
    *least = leech_least(cost, *least);
}

/* The state of the first of two parts that join to `state`; their costs begin at row a and b. */
INLINE leech_mask leech_split(const leech_vector *a_rows, leech_mask a, const leech_vector *b_rows, leech_mask b, leech_mask state) {
    leech_vector least = leech_gather(a_rows, a) + leech_gather(b_rows, b + state);
    leech_mask first = {0};
#pragma clang loop unroll(full)
    for (int s = 1; s < 4; s++) leech_keep_least(leech_gather(a_rows, a + s) + leech_gather(b_rows, b + (state ^ s)), s, &least, &first);
    return first;
}

/* A column by its parity (0 or 1), symbol and state: c0 in the lowest bit. */
INLINE leech_mask leech_pattern(leech_mask parity, leech_mask symbol, leech_mask state) {
    const leech_mask odd = leech_choose(symbol == 0, (leech_mask){0} + 14, ((leech_mask){0} + 1) << symbol), top = state >> 1; // odd with c0 = 0
    return odd ^ (14 & (parity - 1)) ^ (15 & -top);
}

/* The first four columns: 4 * a + the state of the first pair, which with the second pair's makes `four`. pair: the first row of the first pair. */
INLINE leech_mask leech_split_four(const leech_vector *pairs, leech_mask pair, leech_mask x, leech_mask sum, leech_mask four) {
    leech_vector least = (leech_vector){0} + LEECH_MOST;
    leech_mask split = {0};
    for (int i = 0; i < 16; i++) {
        const int a = i >> 2, s = i & 3;
        const leech_mask first = pair + (4 * (5 * a ^ x) + s), second = pair + 64 + 4 * (5 * (a ^ sum) ^ x) + (four ^ s);
        leech_keep_least(leech_gather(pairs, first) + leech_gather(pairs, second), i, &least, &split);
    }
    return split;
}

/* The word c and, from bit 24 on, the parity of each column's z. */
static leech_mask leech_trace(const leech_costs *costs, leech_mask winner) {
    const leech_vector *columns = costs->columns[0][0][0], *pairs = costs->pairs[0][0][0], *fours = costs->fours[0][0];
    const leech_mask whole = winner >> 4, parity = whole >> 1, sum = winner & 3, pair = whole * (3 * 64);
    leech_mask x = {0}, traced = {0};
    for (int i = 1; i < 4; i++) x = leech_choose((winner >> 2 & 3) == i, (leech_mask){0} + leech_offsets[i], x);
    const leech_mask last = 5 * sum ^ x, four = leech_split(fours, 4 * winner, pairs, pair + 2 * 64 + 4 * last, whole);
    const leech_mask split = leech_split_four(pairs, pair, x, sum, four), a = split >> 2;
    const leech_mask symbols[3] = {5 * a ^ x, 5 * (a ^ sum) ^ x, last}, states[3] = {split & 3, four ^ (split & 3), four ^ whole};
    for (int p = 0; p < 3; p++) {
        const leech_mask left = symbols[p] >> 2, right = symbols[p] & 3, column = whole * (16 * LEECH_COLUMNS) + 32 * p;
        const leech_mask first = leech_split(columns, column + 4 * left, columns, column + 16 + 4 * right, states[p]), second = states[p] ^ first;
        traced |= (leech_pattern(parity, left, first) | leech_pattern(parity, right, second) << 4) << (8 * p);
        traced |= ((first & 1) | (second & 1) << 1) << (24 + 2 * p);
    }
    return traced;
}

/* y becomes the point: a column of residues m + 2 c modulo 4 and a parity of z. */
INLINE void leech_round(leech_vector m, leech_mask traced, const int column, leech_vector *y) {
    leech_vector residue[4], z[4], error[4], largest = {0};
    leech_mask odd = traced >> (24 + column), at = {0};
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const leech_mask c = traced >> (4 * column + i) & 1;
        residue[i] = m + __builtin_convertvector(2 * c, leech_vector);
        const leech_vector exact = (y[i] - residue[i]) * 0.25f, sum = exact + NCK_ROUND_MAGIC; // its lowest bit is that of z
        z[i] = sum - NCK_ROUND_MAGIC;
        error[i] = exact - z[i];
        odd ^= (leech_mask)sum;
        const leech_vector size = __builtin_elementwise_abs(error[i]);
        const leech_mask more = size > largest;
        at = leech_choose(more, (leech_mask){0} + i, at);
        largest = (leech_vector)leech_choose(more, (leech_mask)size, (leech_mask)largest);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const leech_mask move = (at == i) & -(odd & 1), down = move & (error[i] < 0.0f);
        y[i] = residue[i] + 4.0f * (z[i] - __builtin_convertvector(move - 2 * down, leech_vector)); // move and down are -1
    }
}

/* t becomes the closest point. */
static void leech_nearest(vector *t) {
    leech_costs costs;
    for (size_t lane = 0; lane < NCK_LANES; lane += REGISTER_LANES) {
        leech_vector y[LEECH], period[LEECH];
        for (int i = 0; i < LEECH; i++) { // all multiples of 8 are in the lattice
            memcpy(&y[i], (const float *)(t + i) + lane, sizeof y[i]);
            period[i] = ((y[i] * 0.125f + NCK_ROUND_MAGIC) - NCK_ROUND_MAGIC) * 8.0f;
            y[i] -= period[i];
        }
        const leech_mask winner = leech_search(y, &costs), traced = leech_trace(&costs, winner);
        const leech_vector m = __builtin_convertvector(winner >> 4 & 1, leech_vector);
        for (int j = 0; j < LEECH_COLUMNS; j++) leech_round(m, traced, j, y + 4 * j);
        for (int i = 0; i < LEECH; i++) {
            y[i] += period[i];
            memcpy((float *)(t + i) + lane, &y[i], sizeof y[i]);
        }
    }
}

/* Substitution from the last coordinate on; the basis is triangular and its diagonal powers of two. */
INLINE void leech_coordinates(const vector *p, mask *u) {
    bits rest[LEECH];
#pragma clang loop unroll(full)
    for (int i = 0; i < LEECH; i++) rest[i] = (bits)__builtin_convertvector(p[i], mask);
#pragma clang loop unroll(full)
    for (int row = LEECH - 1; row >= 0; row--) {
        const int step = leech_basis[row][row];
        u[row] = (mask)rest[row] >> ((step > 1) + (step > 2) + (step > 4));
#pragma clang loop unroll(full)
        for (int i = 0; i < row; i++)
            if (leech_basis[row][i]) rest[i] -= (uint32_t)leech_basis[row][i] * (bits)u[row];
    }
}

INLINE void leech_points(const mask *u, vector *p) {
#pragma clang loop unroll(full)
    for (int i = 0; i < LEECH; i++) {
        bits sum = {0};
#pragma clang loop unroll(full)
        for (int row = i; row < LEECH; row++)
            if (leech_basis[row][i]) sum += (uint32_t)leech_basis[row][i] * (bits)u[row];
        p[i] = __builtin_convertvector((mask)sum, vector);
    }
}

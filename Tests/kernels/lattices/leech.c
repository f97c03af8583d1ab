// SPDX-License-Identifier: Apache-2.0
// The Leech lattice by its definition: x = m + 2 c + 4 z with c in the Golay code and the sum of z congruent m modulo 2; 8192 cosets of a scaled D24.
#include "lattices.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 24, WORDS = 4096, MINIMAL = 196560 };

static const lattice leech = {NCK_LATTICE_LEECH, N};

// A word has bit i for coordinate i. The code is spanned by the basis's rows that are twice a word, and by the word of ones.
static uint32_t generators[12], words[WORDS];

static void make_words(void) {
    float basis[N * N];
    if (words[WORDS - 1]) return;
    size_t count = 0;
    nck_lattice_basis(leech.kind, N, basis);
    for (size_t row = 0; row < N - 1; row++)
        if (basis[row * N + row] == 2) {
            for (size_t i = 0; i < N; i++) generators[count] |= (uint32_t)(basis[row * N + i] == 2) << i;
            count++;
        }
    CHECK(count == 11, "%d words in the basis", (int)count);
    generators[11] = (1u << N) - 1;
    for (size_t w = 0; w < WORDS; w++)
        for (size_t g = 0; g < 12; g++)
            if (w >> g & 1) words[w] ^= generators[g];
}

// The code of 24 bits with these weights is unique (SPLAG, chapter 10). It is its own dual. The basis is of minimal vectors, but for its first.
static void check_code(void) {
    size_t weights[N + 1] = {0};
    float basis[N * N];
    const float zero[N] = {0};
    nck_lattice_basis(leech.kind, N, basis);
    for (size_t row = 0; row < N; row++) CHECK(squared_distance(N, basis + row * N, zero) == (row ? 32 : 64), "row %d of the basis", (int)row);
    for (size_t w = 0; w < WORDS; w++) weights[__builtin_popcount(words[w])]++;
    CHECK(weights[0] == 1 && weights[8] == 759 && weights[12] == 2576 && weights[16] == 759 && weights[24] == 1, "not the Golay code");
    for (size_t g = 0; g < 12; g++)
        for (size_t h = 0; h < 12; h++) CHECK(__builtin_popcount(generators[g] & generators[h]) % 2 == 0, "the code is not its own dual");
}

int is_leech(const float *p) {
    make_words();
    const double m = p[0] - 2 * floor(p[0] / 2);
    double sum = 0;
    uint32_t word = 0;
    for (size_t i = 0; i < N; i++) {
        const double half = (p[i] - m) / 2;
        if (half != floor(half)) return 0;
        word |= (uint32_t)(half - 2 * floor(half / 2)) << i;
        sum += p[i];
    }
    for (size_t g = 0; g < 12; g++)
        if (__builtin_popcount(word & generators[g]) % 2) return 0;
    return (m == 0 || m == 1) && (sum - 4 * m) / 8 == floor((sum - 4 * m) / 8);
}

// Of a coordinate and its residue modulo 4: the squared distance to the nearest z, what the second nearest costs more, and z's parity.
typedef struct residue {
    double distance, move;
    int odd;
} residue;

static residue residue_of(double x, double r) {
    const double z = round((x - r) / 4), error = fabs(x - r - 4 * z);
    return (residue){error * error, 16 - 8 * error, z != 2 * floor(z / 2)};
}

// The least squared distance to a coset.
static double distance_to_coset(const residue (*residues)[2], uint32_t word, int m) {
    double sum = 0, move = 16;
    int odd = m;
    for (size_t i = 0; i < N; i++) {
        const residue *r = &residues[i][word >> i & 1];
        sum += r->distance;
        odd ^= r->odd;
        if (r->move < move) move = r->move;
    }
    return odd ? sum + move : sum;
}

double leech_distance(const float *x) {
    double least = 1e9;
    make_words();
    for (int m = 0; m < 2; m++) {
        residue residues[N][2];
        for (size_t i = 0; i < N; i++)
            for (int c = 0; c < 2; c++) residues[i][c] = residue_of(x[i], m + 2 * c);
        for (size_t w = 0; w < WORDS; w++) least = fmin(least, distance_to_coset(residues, words[w], m));
    }
    return least;
}

// The vectors of norm 32 by their shapes (SPLAG, chapter 4): +-2 at a word of eight, evenly many negative; one -3 and ones, the signs changed at a word; two +-4.
static size_t eights(float *v) {
    size_t count = 0;
    for (size_t w = 0; w < WORDS; w++)
        for (unsigned signs = 0; signs < 256 && __builtin_popcount(words[w]) == 8; signs++) {
            if (__builtin_popcount(signs) % 2) continue;
            for (size_t i = 0, at = 0; i < N; i++) v[count * N + i] = words[w] >> i & 1 ? (signs >> at++ & 1 ? -2 : 2) : 0;
            count++;
        }
    return count;
}

static size_t threes(float *v) {
    size_t count = 0;
    for (size_t w = 0; w < WORDS; w++)
        for (size_t three = 0; three < N; three++, count++)
            for (size_t i = 0; i < N; i++) v[count * N + i] = (float)((i == three ? -3 : 1) * (words[w] >> i & 1 ? -1 : 1));
    return count;
}

static size_t fours(float *v) {
    size_t count = 0;
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < i; j++)
            for (int signs = 0; signs < 4; signs++, count++) {
                v[count * N + i] = signs & 1 ? -4 : 4;
                v[count * N + j] = signs & 2 ? -4 : 4;
            }
    return count;
}

static float *minimal_vectors(void) {
    float *v = calloc(MINIMAL * N, sizeof *v);
    if (!v) abort();
    const size_t of_two = eights(v), of_three = threes(v + of_two * N), of_four = fours(v + (of_two + of_three) * N);
    CHECK(of_two == 97152 && of_three == 98304 && of_four == 1104, "%d, %d, %d minimal vectors", (int)of_two, (int)of_three, (int)of_four);
    return v;
}

// Each is in the lattice, of norm 32, different from the others, and its own closest point.
static int compare(const void *a, const void *b) { return memcmp(a, b, N * sizeof(float)); }

static void check_minimal(float *v) {
    float *points = malloc(MINIMAL * N * sizeof *points);
    if (!points) abort();
    quantizers->nearest(leech.kind, N, 1.0f, v, points, NULL, MINIMAL);
    for (size_t k = 0; k < MINIMAL; k++) {
        const float zero[N] = {0};
        CHECK(is_leech(v + k * N) && squared_distance(N, v + k * N, zero) == 32, "not a minimal vector: number %d", (int)k);
        CHECK(squared_distance(N, v + k * N, points + k * N) == 0, "minimal vector %d is moved", (int)k);
    }
    qsort(points, MINIMAL, N * sizeof *points, compare);
    for (size_t k = 1; k < MINIMAL; k++) CHECK(compare(points + (k - 1) * N, points + k * N), "a minimal vector twice");
    free(points);
}

// No point is nearer to 0 than a minimal vector: in the coset of 0 the nearest are two of +-4, in the others what leech_distance finds.
static void check_minimum(void) {
    size_t at_32 = 0;
    for (int m = 0; m < 2; m++) {
        residue residues[N][2];
        for (size_t i = 0; i < N; i++)
            for (int c = 0; c < 2; c++) residues[i][c] = residue_of(0, m + 2 * c);
        for (size_t w = m == 0; w < WORDS; w++) {
            const double norm = distance_to_coset(residues, words[w], m);
            CHECK(norm >= 32, "a point of norm %g", norm);
            at_32 += norm == 32;
        }
    }
    CHECK(at_32 == 759 + WORDS, "%d cosets have minimal vectors", (int)at_32);
}

static void check_batch(const float *in, size_t count, const char *what) {
    static float points[BATCH * N];
    quantizers->nearest(leech.kind, N, 1.0f, in, points, NULL, count);
    for (size_t v = 0; v < count; v++) {
        const double distance = squared_distance(N, in + v * N, points + v * N), least = leech_distance(in + v * N);
        CHECK(is_leech(points + v * N), "%s: not a point of the lattice", what);
        CHECK(distance <= least + 3e-5, "%s: squared distance %.9g, the least is %.9g", what, distance, least);
        CHECK(distance <= 16 + 3e-5, "%s: squared distance %.9g beyond the covering radius", what, distance);
    }
}

static double normal(void) { return sqrt(-2 * log(1 - uniform())) * cos(6.283185307179586 * uniform()); }

static void check_normal(void) {
    static const double scales[] = {0.3, 1.2, 3, 20, 2000};
    static float in[BATCH * N];
    for (size_t k = 0; k < sizeof scales / sizeof *scales; k++) {
        const size_t count = 400;
        for (size_t i = 0; i < count * N; i++) in[i] = (float)(scales[k] * normal());
        check_batch(in, count, "normal");
    }
}

// Half of a vector of norm 64 is 4 from the lattice, a deep hole with 48 closest points; here it is moved by a point of the lattice, then a little. The vector is
// the sum of two minimal ones at right angles.
static void check_holes(const float *minimal) {
    static const double noises[] = {0, 1e-6, 1e-3, 0.1};
    static float in[BATCH * N];
    const size_t count = 400;
    for (size_t k = 0; k < sizeof noises / sizeof *noises; k++) {
        for (size_t v = 0; v < count;) {
            const float *some[3];
            for (size_t j = 0; j < 3; j++) some[j] = minimal + (size_t)(uniform() * MINIMAL) * N;
            double product = 0;
            for (size_t i = 0; i < N; i++) product += (double)some[0][i] * some[1][i];
            if (product != 0) continue;
            for (size_t i = 0; i < N; i++) in[v * N + i] = (float)((some[0][i] + some[1][i]) / 2 + (double)v * some[2][i] + noises[k] * normal());
            if (noises[k] == 0) CHECK(leech_distance(in + v * N) == 16, "not a deep hole");
            v++;
        }
        check_batch(in, count, "deep holes");
    }
}

// Sides of ties that leech.h states.
static void check_leech_ties(void) {
    static const struct {
        float x[N], p[N];
    } cases[] = {
        {{0}, {0}},
        {{4}, {8}}, // of 48 points those with the lowest states; one 4 is an odd z, and the first coordinate, without an error, moves up
        {{-4}, {0}},
        {{0, 0, 0, 0, 4}, {0, 0, 0, 0, 8}},
        {{2, 2}, {0}},
        {{2, 2, 2, 2}, {0}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        float p[N];
        quantizers->nearest(leech.kind, N, 1.0f, cases[k].x, p, NULL, 1);
        CHECK(memcmp(p, cases[k].p, sizeof p) == 0, "tie %d: (%g, %g, %g, %g, %g ...)", (int)k, p[0], p[1], p[2], p[3], p[4]);
    }
}

void check_leech(void) {
    make_words();
    check_code();
    float *minimal = minimal_vectors();
    check_minimal(minimal);
    check_minimum();
    check_leech_ties();
    check_normal();
    check_holes(minimal);
    free(minimal);
    check_definition(leech);
    check_moment(leech, 0.065754, 0.089, 1000000);
}

// SPDX-License-Identifier: Apache-2.0
// What the lattices are, without the kernels: membership, covering radii, and what makes a point the closest.
#include "lattices.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int is_integer(double x) { return x == floor(x); }

static int is_even(double x) { return is_integer(x / 2); }

// x in the n + 1 coordinates of A_n's hyperplane: the frame's vectors are (1, ..., 1, -k, 0, ...) / sqrt(k (k + 1)).
static void embed(size_t n, const float *x, double *y) {
    memset(y, 0, (n + 1) * sizeof *y);
    for (size_t k = 1; k <= n; k++) {
        const double part = x[k - 1] / sqrt((double)k * (double)(k + 1));
        for (size_t i = 0; i < k; i++) y[i] += part;
        y[k] -= (double)k * part;
    }
}

// RM(1,4): 1 for a word of 16 bits that is an affine function of its index.
static int is_word(unsigned word) {
    unsigned affine = word & 1 ? 0xffff : 0;
    for (unsigned bit = 0; bit < 4; bit++)
        if (((word >> (1u << bit)) ^ word) & 1)
            for (unsigned i = 0; i < 16; i++) affine ^= (i >> bit & 1) << i;
    return affine == word;
}

int is_member(lattice l, const float *p) {
    double sum = 0, y[MOST + 1];
    unsigned word = 0;
    if (l.kind == NCK_LATTICE_AN) {
        embed(l.n, p, y);
        double size = 1;
        for (size_t i = 0; i < l.n; i++) size += fabs((double)p[i]);
        for (size_t i = 0; i <= l.n; i++)
            if (fabs(y[i] - round(y[i])) > 1e-7 * size * sqrt((double)l.n)) return 0;
        return 1;
    }
    if (l.kind == NCK_LATTICE_LEECH) return is_leech(p);
    const int halves = l.kind == NCK_LATTICE_E8 && !is_integer(p[0]);
    for (size_t i = 0; i < l.n; i++) {
        if (!is_integer(halves ? p[i] - 0.5 : p[i])) return 0;
        sum += p[i];
        if (l.kind == NCK_LATTICE_BW16) word |= (unsigned)!is_even(p[i]) << i;
    }
    if (l.kind == NCK_LATTICE_ZN) return 1;
    if (l.kind == NCK_LATTICE_BW16) return is_word(word) && is_integer(sum / 4);
    return is_even(sum);
}

double squared_distance(size_t n, const float *x, const float *p) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += ((double)x[i] - p[i]) * ((double)x[i] - p[i]);
    return sum;
}

double covering_norm(lattice l) {
    const double n = (double)l.n, a = floor((n + 1) / 2);
    switch (l.kind) {
    case NCK_LATTICE_ZN: return n / 4;
    case NCK_LATTICE_AN: return a * (n + 1 - a) / (n + 1);
    case NCK_LATTICE_DN: return n > 4 ? n / 4 : 1; // the deep hole is (1/2, ..., 1/2) or (1, 0, ..., 0)
    case NCK_LATTICE_E8: return 1;
    case NCK_LATTICE_LEECH: return 16;
    default: return 6;
    }
}

static void list_words(unsigned *words) {
    size_t count = 0, weights[17] = {0};
    for (unsigned word = 0; word < 0x10000; word++) {
        if (!is_word(word)) continue;
        CHECK(count < 32, "more than 32 words");
        if (count < 32) words[count++] = word;
        weights[__builtin_popcount(word)]++;
    }
    CHECK(weights[0] == 1 && weights[8] == 30 && weights[16] == 1, "RM(1,4) has %zu, %zu, %zu words of weight 0, 8, 16", weights[0], weights[8], weights[16]);
}

// The squared distance from x to the coset word + 2 D16.
static double distance_to_word(const float *x, unsigned word) {
    double sum = 0, largest = -1;
    int odd = 0;
    for (unsigned i = 0; i < 16; i++) {
        const double one = word >> i & 1, half = round((x[i] - one) / 2), error = fabs(x[i] - one - 2 * half);
        sum += error * error;
        odd ^= !is_even(half);
        if (error > largest) largest = error;
    }
    return odd ? sum + 4 - 4 * largest : sum;
}

// In root lattices every Voronoi-relevant vector is a root, so these few inequalities prove a point closest: e . v <= |v|^2 / 2 for the error e (SPLAG, 21).
static int within_roots(lattice l, const float *x, const float *p, double tolerance) {
    double e[MOST + 1], largest[2] = {0}, greatest = -1e9, lowest = 1e9, total = 0, least = 1e9;
    int odd = 0;
    if (l.kind == NCK_LATTICE_AN) {
        float difference[MOST];
        for (size_t i = 0; i < l.n; i++) difference[i] = x[i] - p[i];
        embed(l.n, difference, e);
        for (size_t i = 0; i <= l.n; i++) greatest = fmax(greatest, e[i]), lowest = fmin(lowest, e[i]);
        return greatest - lowest <= 1 + tolerance;
    }
    for (size_t i = 0; i < l.n; i++) {
        const double error = (double)x[i] - p[i], size = fabs(error);
        if (size > largest[0]) {
            largest[1] = largest[0];
            largest[0] = size;
        } else if (size > largest[1])
            largest[1] = size;
        total += size;
        least = fmin(least, size);
        odd ^= error < 0;
    }
    if (l.kind == NCK_LATTICE_ZN) return largest[0] <= 0.5 + tolerance;
    if (l.n == 1) return largest[0] <= 1 + tolerance;
    if (largest[0] + largest[1] > 1 + tolerance) return 0;                               // +-1 at two coordinates
    return l.kind != NCK_LATTICE_E8 || (total - (odd ? 2 * least : 0)) / 2 <= 1 + tolerance; // +-1/2 everywhere, evenly many negative
}

int is_closest(lattice l, const float *x, const float *p, double tolerance) {
    if (l.kind == NCK_LATTICE_LEECH) return squared_distance(l.n, x, p) <= leech_distance(x) + tolerance;
    if (l.kind != NCK_LATTICE_BW16) return within_roots(l, x, p, tolerance);
    static unsigned words[32];
    if (words[31] == 0) list_words(words);
    double least = 1e9;
    for (unsigned k = 0; k < 32; k++) least = fmin(least, distance_to_word(x, words[k]));
    return squared_distance(16, x, p) <= least + tolerance;
}

// SPDX-License-Identifier: Apache-2.0
// Million vectors a second on one core, every path, operands in the second-level cache; scalars also on large arrays beside memcpy.
#define _GNU_SOURCE
#include "lattices.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { POINTS = 1, COORDINATES = 2, DEQUANTIZE = 4 };

// The best of several runs.
static double rate(const nck_quantizers *q, lattice l, float *in, float *points, int32_t *coordinates, size_t count, int work, double seconds) {
    double best = 1e9;
    for (double until = now() + seconds; now() < until;) {
        const double start = now();
        if (work == DEQUANTIZE)
            q->lattice_points(l.kind, l.n, 0.3f, coordinates, points, count);
        else
            q->nearest(l.kind, l.n, 0.3f, in, work & POINTS ? points : NULL, work & COORDINATES ? coordinates : NULL, count);
        const double time = now() - start;
        if (time < best) best = time;
    }
    return (double)count / best * 1e-6;
}

void speed(void) {
    static const char *const paths[] = {"avx512", "avx2", "neon", "portable"};
    static const lattice lattices[] = {{NCK_LATTICE_ZN, 1},  {NCK_LATTICE_AN, 2}, {NCK_LATTICE_AN, 8}, {NCK_LATTICE_AN, 24}, {NCK_LATTICE_AN, 64},
                                       {NCK_LATTICE_DN, 4},  {NCK_LATTICE_DN, 8}, {NCK_LATTICE_DN, 24}, {NCK_LATTICE_DN, 64}, {NCK_LATTICE_E8, 8},
                                       {NCK_LATTICE_BW16, 16}, {NCK_LATTICE_LEECH, 24}};
    const size_t cached = 1 << 15, large = 1 << 24; // values
    float *in = malloc(large * sizeof *in), *points = malloc(large * sizeof *points);
    int32_t *coordinates = malloc(large * sizeof *coordinates);
    fill(in, large, -3, 3);
    memset(points, 0, large * sizeof *points);
    memset(coordinates, 0, large * sizeof *coordinates);
    printf("%-10s %-12s %12s %12s %12s %12s\n", "", "Mvectors/s", "points", "coordinates", "both", "dequantize");
    for (size_t p = 0; p < sizeof paths / sizeof *paths; p++) {
        const nck_kernels *k;
        if (nck_select(paths[p], &k) != NCK_SELECTED) continue;
        for (size_t i = 0; i < sizeof lattices / sizeof *lattices; i++) {
            const lattice l = lattices[i];
            printf("%-10s %-12s", paths[p], name_of(l));
            const int work[] = {POINTS, COORDINATES, POINTS | COORDINATES, DEQUANTIZE};
            for (size_t w = 0; w < 4; w++) printf(" %12.1f", rate(&k->quantizers, l, in, points, coordinates, cached / l.n, work[w], 0.05));
            printf("\n");
        }
        printf("%-10s %-12s", paths[p], "Z1, large");
        printf(" %12.1f", rate(&k->quantizers, lattices[0], in, points, coordinates, large, POINTS, 1));
        printf(" %12.1f\n", rate(&k->quantizers, lattices[0], in, points, coordinates, large, COORDINATES, 1));
    }
    double best = 1e9;
    for (int i = 0; i < 9; i++) {
        const double start = now();
        memcpy(points, in, large * sizeof *in);
        const double time = now() - start;
        if (time < best) best = time;
    }
    printf("%-10s %-12s %12.1f\n", "memcpy", "Z1, large", (double)large / best * 1e-6);
    free(in), free(points), free(coordinates);
}

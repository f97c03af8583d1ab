// SPDX-License-Identifier: Apache-2.0
// The normalized second moment of the cell, by Monte Carlo over a period: a quantizer that misses the closest point raises it, points off the lattice lower it.
#include "lattices.h"
#include <math.h>
#include <stdio.h>

// Uniform over a parallelepiped of the basis, whose rows have few entries, moved around by the errors of rounding only.
static void draw(lattice l, const float *basis, float *x) {
    for (size_t j = 0; j < l.n; j++) x[j] = 0;
    for (size_t i = 0; i < l.n; i++) {
        const double theta = uniform();
        for (size_t j = 0; j <= i; j++) x[j] += (float)(theta * basis[i * l.n + j]);
    }
}

// deviation: the known standard deviation of one vector's squared error in units of its mean, or 0 to estimate it.
void check_moment(lattice l, double expected, double deviation, size_t count) {
    static float in[BATCH * MOST], points[BATCH * MOST], basis[MOST * MOST];
    const double n = (double)l.n, unit = n * pow(nck_lattice_volume(l.kind, l.n), 2 / n);
    const double side = l.kind == NCK_LATTICE_LEECH ? 8 : l.kind == NCK_LATTICE_BW16 ? 4 : l.kind == NCK_LATTICE_ZN ? 1 : 2;
    double sum = 0, squares = 0;
    size_t done = 0;
    nck_lattice_basis(l.kind, l.n, basis);
    for (; done < count; done += BATCH) {
        if (l.kind == NCK_LATTICE_AN)
            for (size_t v = 0; v < BATCH; v++) draw(l, basis, in + v * l.n);
        else
            fill(in, BATCH * l.n, 0, side);
        quantizers->nearest(l.kind, l.n, 1.0f, in, points, NULL, BATCH);
        for (size_t v = 0; v < BATCH; v++) {
            const double g = squared_distance(l.n, in + v * l.n, points + v * l.n) / unit;
            sum += g;
            squares += g * g;
        }
    }
    const double total = (double)done, mean = sum / total, spread = sqrt(squares / total - mean * mean) / mean;
    const double error = (deviation > 0 ? deviation : spread) * expected / sqrt(total);
    printf("%-12s second moment %.7f, expected %.7f, standard error %.7f (spread %.3f)\n", name_of(l), mean, expected, error, spread);
    CHECK(fabs(mean - expected) <= 4 * error, "%s: second moment off by %.1f standard errors", name_of(l), (mean - expected) / error);
}

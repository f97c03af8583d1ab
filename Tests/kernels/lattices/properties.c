// SPDX-License-Identifier: Apache-2.0
// Properties of every lattice on many kinds of input.
#include "lattices.h"
#include <math.h>
#include <string.h>

static float in[BATCH * MOST], points[BATCH * MOST], again[BATCH * MOST], basis[MOST * MOST];
static int32_t coordinates[BATCH * MOST], repeated[BATCH * MOST];

// p = u B in double; exact but for A_n.
static void check_coordinates(lattice l, float scale) {
    for (size_t v = 0; v < BATCH; v++)
        for (size_t j = 0; j < l.n; j++) {
            double sum = 0, size = 0;
            for (size_t i = 0; i < l.n; i++) {
                const double term = (double)coordinates[v * l.n + i] * basis[i * l.n + j];
                sum += term;
                size += fabs(term);
            }
            const float p = points[v * l.n + j];
            const double tolerance = l.kind == NCK_LATTICE_AN ? size * 0x1p-22 * scale : 0;
            CHECK(fabs((float)(sum * scale) - p) <= tolerance, "%s: u B = %g, point %g", name_of(l), sum * scale, p);
        }
}

// What holds for any input: the outputs agree with each other, and nothing depends on what is asked for, on the number of vectors or on where they are.
static void check_outputs(lattice l, float scale) {
    const size_t size = BATCH * l.n;
    quantizers->nearest(l.kind, l.n, scale, in, points, coordinates, BATCH);
    check_coordinates(l, scale);
    quantizers->lattice_points(l.kind, l.n, scale, coordinates, again, BATCH);
    CHECK(memcmp(points, again, size * sizeof *points) == 0, "%s: dequantized points differ", name_of(l));
    quantizers->nearest(l.kind, l.n, scale, in, again, NULL, BATCH);
    CHECK(memcmp(points, again, size * sizeof *points) == 0, "%s: points alone differ", name_of(l));
    quantizers->nearest(l.kind, l.n, scale, in, NULL, repeated, BATCH);
    CHECK(memcmp(coordinates, repeated, size * sizeof *coordinates) == 0, "%s: coordinates alone differ", name_of(l));
    for (size_t v = 0, some; v < BATCH; v += some) {
        some = 1 + v % 23 < BATCH - v ? 1 + v % 23 : BATCH - v;
        quantizers->nearest(l.kind, l.n, scale, in + v * l.n, again + v * l.n, repeated + v * l.n, some);
    }
    CHECK(memcmp(points, again, size * sizeof *points) == 0 && memcmp(coordinates, repeated, size * sizeof *repeated) == 0, "%s: pieces differ", name_of(l));
    memcpy(again, in, size * sizeof *in);
    quantizers->nearest(l.kind, l.n, scale, again, again, NULL, BATCH);
    CHECK(memcmp(points, again, size * sizeof *points) == 0, "%s: in place differs", name_of(l));
}

// For scale 1 and moderate values.
static void check_closest(lattice l, double tolerance) {
    check_outputs(l, 1.0f);
    for (size_t v = 0; v < BATCH; v++) {
        const float *x = in + v * l.n, *p = points + v * l.n;
        CHECK(is_member(l, p), "%s: not a point of the lattice", name_of(l));
        CHECK(is_closest(l, x, p, tolerance), "%s: not the closest point, squared distance %.9g", name_of(l), squared_distance(l.n, x, p));
        const double distance = squared_distance(l.n, x, p);
        CHECK(distance <= covering_norm(l) * (1 + tolerance), "%s: squared distance %.9g beyond the covering radius", name_of(l), distance);
    }
    quantizers->nearest(l.kind, l.n, 1.0f, points, again, repeated, BATCH);
    CHECK(memcmp(repeated, coordinates, BATCH * l.n * sizeof *repeated) == 0, "%s: a point of the lattice is moved", name_of(l));
}

// Q(x + v) = Q(x) + v, on a grid on which x + v is exact; if a tie falls to the other side, the distance is the same.
static void check_translation(lattice l) {
    static float shifted[BATCH * MOST], moved[BATCH * MOST];
    fill(in, BATCH * l.n, -30, 30);
    for (size_t i = 0; i < BATCH * l.n; i++) in[i] = roundf(in[i] * 0x1p12f) * 0x1p-12f;
    quantizers->nearest(l.kind, l.n, 1.0f, in, points, NULL, BATCH);
    for (size_t v = 0; v < BATCH; v++)
        for (size_t i = 0; i < l.n; i++) shifted[v * l.n + i] = in[v * l.n + i] + points[(v + 1) % BATCH * l.n + i];
    quantizers->nearest(l.kind, l.n, 1.0f, shifted, moved, NULL, BATCH);
    for (size_t v = 0; v < BATCH; v++) {
        int same = 1;
        for (size_t i = 0; i < l.n; i++) same &= fabsf(moved[v * l.n + i] - points[v * l.n + i] - points[(v + 1) % BATCH * l.n + i]) < 1e-4f;
        const double before = squared_distance(l.n, in + v * l.n, points + v * l.n), after = squared_distance(l.n, shifted + v * l.n, moved + v * l.n);
        CHECK(same || fabs(before - after) < 1e-3, "%s: translation changes the distance from %.9g to %.9g", name_of(l), before, after);
    }
}

// |t| is clamped and NaN is 0, so every point is a point of the lattice; the clamped vector's own point, but for rounding.
static void check_hostile(lattice l) {
    static const float edges[] = {0, -0.0f, NAN, -NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 0x1p20f, -0x1p20f,
                                  0x1p22f, 0x1p24f, 1e-45f, -1e-45f, 1048575.4f, 0.5f, -0.5f, 1, 2};
    static float clean[BATCH * MOST];
    for (size_t i = 0; i < BATCH * l.n; i++) {
        in[i] = edges[(size_t)(uniform() * (sizeof edges / sizeof *edges))];
        clean[i] = in[i] != in[i] ? 0 : fmaxf(-0x1p20f, fminf(0x1p20f, in[i])) + 0.0f;
    }
    check_outputs(l, 1.0f);
    quantizers->nearest(l.kind, l.n, 1.0f, clean, again, repeated, BATCH);
    CHECK(memcmp(points, again, BATCH * l.n * sizeof *points) == 0, "%s: hostile input is not its clamped self", name_of(l));
    for (size_t v = 0; v < BATCH; v++) CHECK(is_member(l, points + v * l.n), "%s: not a point of the lattice, hostile input", name_of(l));
    static const float scales[] = {1e-38f, 0x1p-100f, 0.3f, 7, 0x1p100f};
    for (size_t k = 0; k < sizeof scales / sizeof *scales; k++) check_outputs(l, scales[k]);
}

// The rows of B are in the lattice, and |det B| is the cell's volume, so they span it.
static void check_basis(lattice l) {
    double determinant = 1;
    CHECK(nck_lattice_exists(l.kind, l.n), "%s does not exist", name_of(l));
    nck_lattice_basis(l.kind, l.n, basis);
    for (size_t i = 0; i < l.n; i++) {
        CHECK(is_member(l, basis + i * l.n), "%s: row %d of the basis is not in the lattice", name_of(l), (int)i);
        for (size_t j = i + 1; j < l.n; j++) CHECK(basis[i * l.n + j] == 0, "%s: the basis is not lower triangular", name_of(l));
        determinant *= basis[i * l.n + i];
    }
    const double volume = nck_lattice_volume(l.kind, l.n);
    CHECK(fabs(determinant / volume - 1) < 1e-6 * (double)l.n, "%s: determinant %g, volume %g", name_of(l), determinant, volume);
}

void check_definition(lattice l) {
    const double tolerance = 2e-6 * (double)(l.n + 8);
    check_basis(l);
    fill(in, BATCH * l.n, -4, 4);
    check_closest(l, tolerance);
    fill(in, BATCH * l.n, -0.75, 0.75);
    check_closest(l, tolerance);
    for (int halves = 1; halves <= 2; halves++) { // integers, half-integers: deep holes, faces, points
        fill(in, BATCH * l.n, -2.49, 2.49);
        for (size_t i = 0; i < BATCH * l.n; i++) in[i] = roundf(in[i] * (float)halves) / (float)halves;
        check_closest(l, tolerance);
    }
    fill(in, BATCH * l.n, -1000, 1000);
    check_closest(l, 1e-3 * sqrt((double)l.n));
    check_translation(l);
    fill(in, BATCH * l.n, -4, 4);
    check_outputs(l, 0.37f);
    check_hostile(l);
}

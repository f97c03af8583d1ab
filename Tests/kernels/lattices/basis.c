// SPDX-License-Identifier: Apache-2.0
// Searches on any basis: against exhaustive search, the classical lattices' own decoders, other bases of the same lattice, and the closed forms of Babai's methods.
#define _GNU_SOURCE // M_PI, clock_gettime
#include "lattices.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const nck_kernels *kernels;
static _Alignas(double) char scratch[65536];

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double gaussian(void) { return sqrt(-2 * log(1 - uniform())) * cos(2 * M_PI * uniform()); }

// A prepared basis to free(), or null.
static const nck_basis *prepared(const float *rows, size_t n, nck_basis_status expected) {
    void *memory = malloc(nck_basis_size(n ? n : 1));
    const nck_basis *basis = NULL;
    const nck_basis_status status = nck_basis_prepare(rows, n, memory, &basis);
    CHECK(status == expected, "status %d of a basis of %d dimensions, not %d", (int)status, (int)n, (int)expected);
    if (status != NCK_BASIS_PREPARED) free(memory);
    return basis;
}

static void point_of(const float *rows, size_t n, const int32_t *u, double *p) {
    memset(p, 0, n * sizeof *p);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) p[j] += (double)u[i] * rows[i * n + j];
}

static double distance_of(const float *rows, size_t n, const float *x, const int32_t *u) {
    double p[MOST], sum = 0;
    point_of(rows, n, u, p);
    for (size_t j = 0; j < n; j++) sum += (x[j] - p[j]) * (x[j] - p[j]);
    return sum;
}

// Random operations on the rows: another basis of the same lattice.
static void mix(float *rows, size_t n, int operations) {
    for (; operations; operations--) {
        const size_t a = (size_t)(uniform() * (double)n), b = (a + 1 + (size_t)(uniform() * (double)(n - 1))) % n;
        const float sign = uniform() < 0.5 ? -1.0f : 1.0f;
        for (size_t j = 0; j < n; j++) rows[a * n + j] += sign * rows[b * n + j];
    }
}

static void random_basis(float *rows, size_t n) {
    for (size_t i = 0; i < n * n; i++) rows[i] = (float)gaussian();
}

// x = t B with t uniform in +-range.
static void random_target(const float *rows, size_t n, double range, float *x) {
    double sums[MOST] = {0};
    for (size_t i = 0; i < n; i++) {
        const double t = (2 * uniform() - 1) * range;
        for (size_t j = 0; j < n; j++) sums[j] += t * rows[i * n + j];
    }
    for (size_t j = 0; j < n; j++) x[j] = (float)sums[j];
}

static void check_prepared(const char *name, const float *rows, size_t n, double volume) {
    const nck_basis *b = prepared(rows, n, NCK_BASIS_PREPARED);
    if (!b) return;
    const double *L = b->reduced.triangle;
    if (volume > 0) CHECK(fabs(b->volume - volume) < 1e-9 * volume, "%s: volume %g, not %g", name, b->volume, volume);
    CHECK(fabs(pow(b->side, (double)n) / b->volume - 1) < 1e-9, "%s: side %g, volume %g", name, b->side, b->volume);
    CHECK(b->defect >= 1 - 1e-9 && b->reduced_defect >= 1 - 1e-9 && b->condition >= 1 - 1e-9, "%s: defects %g, %g, condition %g", name, b->defect,
          b->reduced_defect, b->condition);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double unit = 0, point = 0, inner = 0, integer = 0;
            for (size_t k = 0; k < n; k++) {
                unit += rows[i * n + k] * b->precise_inverse[k * n + j];
                point += (double)b->transform[i * n + k] * rows[k * n + j];
                inner += L[i * n + k] * b->reduced.axes_across[j * n + k];
                integer += b->reduced.rows[i * n + k] * b->precise_inverse[k * n + j];
            }
            const double scale = b->condition * b->side;
            CHECK(fabs(unit - (i == j)) < 1e-12 * b->condition, "%s: inverse is off by %g", name, unit - (i == j));
            CHECK(b->inverse[i * n + j] == (float)b->precise_inverse[i * n + j], "%s: inverse is not the rounded one", name);
            CHECK(fabs(point - b->reduced.rows[i * n + j]) < 1e-10 * scale, "%s: reduced basis is not transform times basis", name);
            CHECK(fabs(inner - b->reduced.rows[i * n + j]) < 1e-12 * scale, "%s: triangle times axes is not the basis", name);
            CHECK(fabs(integer - (double)b->transform[i * n + j]) < 1e-6, "%s: %g in the transform", name, integer);
            CHECK(j >= i || fabs(L[i * n + j]) <= 0.5001 * L[j * n + j], "%s: row %d is not size-reduced", name, (int)i);
        }
    double reduced_volume = 1;
    for (size_t i = 0; i < n; i++) {
        reduced_volume *= L[i * n + i] / b->side;
        if (i > 0)
            CHECK(L[i * n + i] * L[i * n + i] + L[i * n + i - 1] * L[i * n + i - 1] >= 0.9899 * L[(i - 1) * n + i - 1] * L[(i - 1) * n + i - 1],
                  "%s: not reduced at row %d", name, (int)i);
    }
    CHECK(fabs(reduced_volume - 1) < 1e-9, "%s: the reduced basis has %g times the volume", name, reduced_volume);
    free((void *)b);
}

// The squared distance of the closest of all points of a box that must hold it; -1 if they are too many.
static double exhaustive(const nck_basis *b, const float *x, double radius) {
    const size_t n = b->n;
    int32_t low[4], high[4], u[4];
    double least = 1e300, points = 1;
    for (size_t i = 0; i < n; i++) {
        double t = 0, length = 0;
        for (size_t r = 0; r < n; r++) t += x[r] * b->precise_inverse[r * n + i], length += b->precise_inverse[r * n + i] * b->precise_inverse[r * n + i];
        u[i] = low[i] = (int32_t)floor(t - radius * sqrt(length));
        high[i] = (int32_t)ceil(t + radius * sqrt(length));
        points *= high[i] - low[i] + 1;
    }
    if (points > 20000) return -1;
    for (;;) {
        least = fmin(least, distance_of(b->rows, n, x, u));
        size_t i = 0;
        for (; i < n && u[i] == high[i]; i++) u[i] = low[i];
        if (i == n) return least;
        u[i]++;
    }
}

static void check_exhaustive(void) {
    int done = 0;
    for (int round = 0; round < 200; round++) {
        const size_t n = 1 + (size_t)round % 4;
        float rows[16], x[4];
        random_basis(rows, n);
        if (n > 1) mix(rows, n, round % 5);
        const nck_basis *b = prepared(rows, n, NCK_BASIS_PREPARED);
        for (int v = 0; b && v < 20; v++) {
            int32_t u[4], plane[4];
            uint8_t proven;
            random_target(rows, n, v < 10 ? 1.5 : 1000, x);
            nck_basis_nearest_plane(b, &b->reduced, x, plane, 1, scratch);
            nck_basis_closest(b, x, 0, u, &proven, 1, scratch);
            const double found = distance_of(rows, n, x, u), first = distance_of(rows, n, x, plane), least = exhaustive(b, x, sqrt(first) * 1.0001 + 1e-6);
            if (least < 0) continue;
            done++;
            CHECK(proven && found <= first + 1e-9 && fabs(found - least) < 1e-8 * (1 + least), "%d dimensions: %.12g found, %.12g by exhaustion", (int)n, found, least);
        }
        free((void *)b);
    }
    CHECK(done > 2000, "only %d exhaustive searches", done);
}

// Other bases of the classical lattices against their own decoders, and of any lattice against each other.
static void check_same_lattice(nck_lattice kind, size_t n) {
    enum { VECTORS = 400 };
    static float rows[MOST * MOST], in[VECTORS * MOST], points[VECTORS * MOST];
    static int32_t u[VECTORS * MOST];
    static uint8_t proven[VECTORS];
    for (int round = 0; round < 4; round++) {
        nck_lattice_basis(kind, n, rows);
        mix(rows, n, (int)n * round);
        const nck_basis *b = prepared(rows, n, NCK_BASIS_PREPARED);
        if (!b) return;
        fill(in, VECTORS * n, -20, 20);
        if (round == 3)
            for (size_t i = 0; i < VECTORS * n; i++) in[i] = rintf(in[i] * 2) / 2; // ties
        quantizers->nearest(kind, n, 1, in, points, NULL, VECTORS);
        nck_basis_closest(b, in, 0, u, proven, VECTORS, scratch);
        for (size_t v = 0; v < VECTORS; v++) {
            const double found = distance_of(rows, n, in + v * n, u + v * n), least = squared_distance(n, in + v * n, points + v * n);
            CHECK(proven[v] && fabs(found - least) < 1e-5, "%s, basis %d: %g, its decoder finds %g", name_of((lattice){kind, n}), round, found, least);
        }
        free((void *)b);
    }
}

static void check_random_bases(void) {
    enum { VECTORS = 100 };
    static float rows[2][MOST * MOST], in[VECTORS * MOST];
    static int32_t u[2][VECTORS * MOST];
    const size_t dimensions[] = {2, 5, 8, 13, 16, 20};
    for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
        const size_t n = dimensions[d];
        const nck_basis *b[2];
        for (size_t i = 0; i < n * n; i++) rows[0][i] = rows[1][i] = (float)rint(gaussian() * 1000); // so that mixing is exact
        mix(rows[1], n, 3 * (int)n);
        for (int k = 0; k < 2; k++) b[k] = prepared(rows[k], n, NCK_BASIS_PREPARED);
        if (!b[0] || !b[1]) return;
        for (size_t v = 0; v < VECTORS; v++) random_target(rows[0], n, 30, in + v * n);
        for (int k = 0; k < 2; k++) nck_basis_closest(b[k], in, 0, u[k], NULL, VECTORS, scratch);
        for (size_t v = 0; v < VECTORS; v++) {
            double p[2][MOST];
            for (int k = 0; k < 2; k++) point_of(rows[k], n, u[k] + v * n, p[k]);
            CHECK(memcmp(p[0], p[1], n * sizeof **p) == 0, "%d dimensions: two bases of a lattice give different points", (int)n);
        }
        check_prepared("random", rows[0], n, 0);
        check_prepared("mixed", rows[1], n, 0);
        CHECK(fabs(b[0]->volume / b[1]->volume - 1) < 1e-9, "%d dimensions: mixing changed the volume", (int)n);
        free((void *)b[0]), free((void *)b[1]);
    }
    for (size_t n = 32; n <= 64; n += 16) {
        random_basis(rows[0], n);
        check_prepared("large", rows[0], n, 0);
    }
}

enum { ROUNDING, PLANE, REDUCED_PLANE, CLOSEST };

// Mean squared error per dimension over V^(2/n), and its standard error.
static double moment_of(const nck_basis *b, int method, size_t count, double *deviation) {
    enum { SOME = 100 };
    static float in[SOME * MOST], t[SOME * MOST];
    static int32_t u[SOME * MOST];
    const size_t n = b->n;
    const ptrdiff_t step = (ptrdiff_t)n;
    const double unit = (double)n * b->side * b->side;
    double sum = 0, squares = 0;
    for (size_t done = 0; done < count; done += SOME) {
        for (size_t v = 0; v < SOME; v++) random_target(b->rows, n, 4, in + v * n);
        if (method == ROUNDING) {
            kernels->lattice_transform(b->inverse, n, in, step, t, step, SOME);
            kernels->babai_round(n, t, step, u, t, step, SOME);
        } else if (method == CLOSEST)
            nck_basis_closest(b, in, 0, u, NULL, SOME, scratch);
        else
            nck_basis_nearest_plane(b, method == PLANE ? &b->given : &b->reduced, in, u, SOME, scratch);
        for (size_t v = 0; v < SOME; v++) {
            const double error = distance_of(b->rows, n, in + v * n, u + v * n) / unit;
            sum += error, squares += error * error;
        }
    }
    const double samples = (double)(count / SOME * SOME), mean = sum / samples;
    *deviation = sqrt((squares / samples - mean * mean) / samples);
    return mean;
}

static double squares_of(const double *rows, size_t n, int diagonal) {
    double sum = 0;
    for (size_t i = 0; i < n * n; i++)
        if (!diagonal || i % (n + 1) == 0) sum += rows[i] * rows[i];
    return sum;
}

static void expect_moment(const char *name, const nck_basis *b, int method, size_t count, double expected) {
    static const char *const methods[] = {"rounding", "nearest plane", "nearest plane, reduced", "closest"};
    double deviation;
    const double moment = moment_of(b, method, count, &deviation);
    CHECK(fabs(moment - expected) < 4.5 * deviation + 2e-6, "%s, %s: second moment %.6f, not %.6f +- %.6f", name, methods[method], moment, expected, deviation);
}

// Uniform over a parallelepiped of the lattice, Babai's methods err uniformly over one of their own: closed forms.
static void check_closed_forms(const char *name, const nck_basis *b, size_t count) {
    const size_t n = b->n;
    const double unit = 12 * (double)n * b->side * b->side;
    expect_moment(name, b, ROUNDING, count, squares_of(b->given.rows, n, 0) / unit);
    expect_moment(name, b, PLANE, count, squares_of(b->given.triangle, n, 1) / unit);
    expect_moment(name, b, REDUCED_PLANE, count, squares_of(b->reduced.triangle, n, 1) / unit);
}

// A lattice with known facts, from a bad basis of it. Its reduced basis has minimal vectors only.
static void check_known(const char *name, float *rows, size_t n, double volume, double minimum, double plane, double moment, size_t count) {
    mix(rows, n, 2 * (int)n);
    check_prepared(name, rows, n, volume);
    const nck_basis *b = prepared(rows, n, NCK_BASIS_PREPARED);
    if (!b) return;
    expect_moment(name, b, CLOSEST, count, moment);
    static float reduced[MOST * MOST];
    for (size_t i = 0; i < n * n; i++) reduced[i] = (float)b->reduced.rows[i];
    const nck_basis *r = prepared(reduced, n, NCK_BASIS_PREPARED);
    if (r) {
        for (size_t i = 0; i < n; i++) {
            double norm = 0;
            for (size_t j = 0; j < n; j++) norm += reduced[i * n + j] * reduced[i * n + j];
            CHECK(norm == minimum, "%s: norm %g in the reduced basis, not %g", name, norm, minimum);
        }
        check_closed_forms(name, r, 20000);
        const double found = squares_of(r->given.triangle, n, 1) / (12 * (double)n * r->side * r->side);
        CHECK(fabs(found - plane) < 0.002, "%s: nearest plane gives %g on the reduced basis", name, found);
    }
    free((void *)b), free((void *)r);
}

static void check_refusals(void) {
    float rows[MOST * MOST] = {0};
    prepared(rows, 0, NCK_BASIS_BAD_DIMENSION);
    prepared(rows, 65, NCK_BASIS_BAD_DIMENSION);
    prepared(rows, 3, NCK_BASIS_SINGULAR);
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t k = 0; k < 3; k++) {
        random_basis(rows, 5);
        rows[7 * k] = bad[k];
        prepared(rows, 5, NCK_BASIS_NOT_FINITE);
    }
    for (size_t n = 2; n <= 64; n += 7) {
        random_basis(rows, n);
        memcpy(rows + (n - 1) * n, rows, n * sizeof *rows);
        prepared(rows, n, NCK_BASIS_SINGULAR);
        for (size_t j = 0; j < n; j++) rows[(n - 1) * n + j] = 0.3f * rows[j] - 0.7f * rows[(n / 2) * n + j]; // but for rounding
        prepared(rows, n, NCK_BASIS_SINGULAR);
        memset(rows, 0, sizeof rows);
        for (size_t i = 0; i < n; i++) rows[i * n + i] = i ? 1.0f : 0x1p-21f;
        prepared(rows, n, NCK_BASIS_ILL_CONDITIONED);
        rows[0] = 0x1p-19f;
        free((void *)prepared(rows, n, NCK_BASIS_PREPARED));
        for (size_t i = 0; i < n; i++) rows[i * n + i] = 0x1p-101f;
        prepared(rows, n, NCK_BASIS_OUT_OF_RANGE);
        for (size_t i = 0; i < n; i++) rows[i * n + i] = 0x1p101f;
        prepared(rows, n, NCK_BASIS_OUT_OF_RANGE);
        for (size_t i = 0; i < n; i++) rows[i * n + i] = 0x1p-100f;
        const nck_basis *b = prepared(rows, n, NCK_BASIS_PREPARED);
        CHECK(b->side == 0x1p-100 && b->condition == 1 && b->defect == 1 && b->inverse[0] == 0x1p100f, "side %g of a small cube", b->side);
        CHECK(b->volume == (n <= 10 ? ldexp(1, -100 * (int)n) : 0), "volume %g of a small cube", b->volume);
        free((void *)b);
    }
    // A skew basis whose rows are many times each other: far beyond what double could reduce, were it not refused.
    for (size_t i = 0; i < 64; i++)
        for (size_t j = 0; j < 64; j++) rows[i * 64 + j] = i == j ? 1.0f : j < i ? 7.0f : 0.0f;
    prepared(rows, 64, NCK_BASIS_ILL_CONDITIONED);
}

static void check_limits(void) {
    enum { VECTORS = 50, N = 20 };
    float rows[N * N], in[VECTORS * N];
    int32_t u[VECTORS * N], plane[VECTORS * N], exact[VECTORS * N];
    uint8_t proven[VECTORS];
    double last[VECTORS];
    random_basis(rows, N);
    const nck_basis *b = prepared(rows, N, NCK_BASIS_PREPARED);
    for (size_t v = 0; v < VECTORS; v++) random_target(rows, N, 50, in + v * N);
    nck_basis_nearest_plane(b, &b->reduced, in, plane, VECTORS, scratch);
    const uint64_t all = nck_basis_closest(b, in, 0, exact, NULL, VECTORS, scratch);
    size_t certain = 0;
    for (uint64_t limit = 1; limit < all; limit *= 2) {
        const uint64_t tried = nck_basis_closest(b, in, limit, u, proven, VECTORS, scratch);
        CHECK(tried <= VECTORS * limit, "%d integers tried for %d vectors, limit %d", (int)tried, VECTORS, (int)limit);
        certain = 0;
        for (size_t v = 0; v < VECTORS; v++) {
            const double distance = distance_of(rows, N, in + v * N, u + v * N);
            const int same = memcmp(u + v * N, exact + v * N, N * sizeof *u) == 0;
            if (limit == 1) CHECK(!proven[v] && memcmp(u + v * N, plane + v * N, N * sizeof *u) == 0, "a search that may not start leaves the nearest plane's point");
            else CHECK(distance <= last[v] + 1e-9, "a higher limit made it worse: %g, then %g", last[v], distance);
            CHECK(same || !proven[v], "proven, but not closest");
            last[v] = distance;
            certain += proven[v];
        }
    }
    CHECK(certain == VECTORS, "%d of %d proven without a limit that matters", (int)certain, VECTORS);
    free((void *)b);
}

static void check_extremes(void) {
    float rows[64], in[8], shifted[8], points[8];
    int32_t u[8], v[8];
    uint8_t proven;
    nck_lattice_basis(NCK_LATTICE_E8, 8, rows);
    mix(rows, 8, 20);
    const nck_basis *b = prepared(rows, 8, NCK_BASIS_PREPARED);
    // Far targets: adding a lattice vector adds its coordinates, exactly.
    for (int round = 0; round < 2000; round++) {
        int32_t far[8];
        double p[8];
        for (int i = 0; i < 8; i++) in[i] = (float)(rint(gaussian() * 100) / 64), far[i] = (int32_t)((2 * uniform() - 1) * 1000);
        point_of(rows, 8, far, p);
        for (int i = 0; i < 8; i++) shifted[i] = (float)(in[i] + p[i]);
        for (int i = 0; i < 8; i++) CHECK(shifted[i] == in[i] + p[i], "the test itself rounds");
        nck_basis_closest(b, in, 0, u, NULL, 1, scratch);
        nck_basis_closest(b, shifted, 0, v, &proven, 1, scratch);
        const double near = distance_of(rows, 8, in, u), moved = distance_of(rows, 8, shifted, v);
        CHECK(proven && fabs(near - moved) < 1e-9, "distance %g, but %g after a lattice vector was added", near, moved);
        nck_basis_points(kernels, b, v, points, 1);
        point_of(rows, 8, v, p);
        for (int i = 0; i < 8; i++) CHECK(points[i] == p[i], "point %g, not %g", points[i], p[i]);
    }
    // Beyond all bounds: clamped, and not called proven.
    const float edges[] = {0, -1e30f, 3e38f, INFINITY, -INFINITY, NAN, 1e7f, -1e-45f};
    for (int round = 0; round < 2000; round++) {
        int far = 0;
        for (int i = 0; i < 8; i++) {
            in[i] = edges[(int)(uniform() * 8)];
            far |= fabsf(in[i]) > 1e20f;
            shifted[i] = in[i] == in[i] ? in[i] : 0.0f;
        }
        nck_basis_closest(b, in, 0, u, &proven, 1, scratch);
        nck_basis_closest(b, shifted, 0, v, NULL, 1, scratch);
        CHECK(!(far && proven), "a far vector proven");
        for (int k = 0; k < 3; k++) {
            if (k) nck_basis_nearest_plane(b, k == 1 ? &b->given : &b->reduced, in, u, 1, scratch);
            else CHECK(memcmp(u, v, sizeof u) == 0, "NaN does not count as 0");
            for (int i = 0; i < 8; i++) CHECK(abs(u[i]) <= 1 << 20, "coordinate %d", (int)u[i]);
        }
    }
    free((void *)b);
    // The bound itself.
    const float unit[] = {1, 0, 0, 1}, inside[] = {0x1p20f, -0x1p20f}, outside[] = {0x1.00001p20f, 1.25f};
    b = prepared(unit, 2, NCK_BASIS_PREPARED);
    nck_basis_closest(b, inside, 0, u, &proven, 1, scratch);
    CHECK(u[0] == 1 << 20 && u[1] == -(1 << 20) && proven, "coordinates %d, %d at the bound", (int)u[0], (int)u[1]);
    nck_basis_closest(b, outside, 0, u, &proven, 1, scratch);
    CHECK(u[0] == 1 << 20 && u[1] == 1 && !proven, "coordinates %d, %d beyond the bound", (int)u[0], (int)u[1]);
    // Halves go to the even integer: nearest plane comes first, and nothing is nearer.
    const float halves[] = {0.5f, -2.5f};
    nck_basis_closest(b, halves, 0, u, &proven, 1, scratch);
    CHECK(u[0] == 0 && u[1] == -2 && proven, "halves become %d, %d", (int)u[0], (int)u[1]);
    free((void *)b);
}

void check_bases(void) {
    static float rows[MOST * MOST];
    nck_select(NULL, &kernels);
    check_refusals();
    check_exhaustive();
    check_random_bases();
    check_limits();
    check_extremes();
    check_same_lattice(NCK_LATTICE_AN, 2);
    check_same_lattice(NCK_LATTICE_DN, 4);
    check_same_lattice(NCK_LATTICE_DN, 9);
    check_same_lattice(NCK_LATTICE_E8, 8);
    check_same_lattice(NCK_LATTICE_BW16, 16);
    check_same_lattice(NCK_LATTICE_LEECH, 24);
    for (size_t n = 2; n <= 12; n += 5) {
        random_basis(rows, n);
        const nck_basis *b = prepared(rows, n, NCK_BASIS_PREPARED);
        if (b) check_closed_forms("random", b, 50000);
        free((void *)b);
    }
    nck_lattice_basis(NCK_LATTICE_DN, 4, rows);
    check_known("D4", rows, 4, 2, 2, 0.0859, 0.0766032, 200000);
    nck_lattice_basis(NCK_LATTICE_E8, 8, rows);
    check_known("E8", rows, 8, 1, 2, 0.0911, 0.0716821, 200000);
    nck_lattice_basis(NCK_LATTICE_BW16, 16, rows);
    check_known("Barnes-Wall", rows, 16, 0x1p12, 8, 0.0967, 0.0682976, 20000);
    nck_lattice_basis(NCK_LATTICE_LEECH, 24, rows);
    check_known("Leech", rows, 24, 0x1p36, 32, 0.1067, 0.065754, 2000);
}

// Microseconds a vector on random bases, their mean and the range, and integers tried.
void bases_speed(void) {
    static const size_t dimensions[] = {2, 4, 8, 16, 24, 32}, counts[] = {100000, 50000, 50000, 10000, 1000, 60};
    enum { BASES = 12 };
    nck_select(NULL, &kernels);
    printf("%4s %10s %10s %10s %24s %10s\n", "n", "prepare", "plane", "closest", "(bases: from, to)", "tried");
    for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++) {
        const size_t n = dimensions[d], count = counts[d] / BASES + 1;
        float *rows = malloc(n * n * sizeof *rows), *in = malloc(count * n * sizeof *in);
        int32_t *u = malloc(count * n * sizeof *u);
        double preparation = 0, plane = 0, closest = 0, least = 1e9, greatest = 0, tried = 0;
        for (int k = 0; k < BASES; k++) {
            random_basis(rows, n);
            double start = seconds();
            const nck_basis *b = prepared(rows, n, NCK_BASIS_PREPARED);
            preparation += (seconds() - start) / BASES;
            if (!b) continue;
            for (size_t v = 0; v < count; v++) random_target(rows, n, 20, in + v * n);
            start = seconds();
            nck_basis_nearest_plane(b, &b->reduced, in, u, count, scratch);
            plane += (seconds() - start) / (double)count / BASES;
            start = seconds();
            tried += (double)nck_basis_closest(b, in, 0, u, NULL, count, scratch) / (double)count / BASES;
            const double each = (seconds() - start) / (double)count;
            closest += each / BASES, least = fmin(least, each), greatest = fmax(greatest, each);
            free((void *)b);
        }
        printf("%4d %10.1f %10.3f %10.2f %12.2f %11.2f %10.0f\n", (int)n, preparation * 1e6, plane * 1e6, closest * 1e6, least * 1e6, greatest * 1e6, tried);
        free(rows), free(in), free(u);
    }
}

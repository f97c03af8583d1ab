// SPDX-License-Identifier: Apache-2.0
// Points near a vector on a prepared basis: Babai's nearest plane, and the closest point by the enumeration of Schnorr and Euchner (1994) as Agrell, Eriksson, Vardy
// and Zeger (2002) set it out, with the projections updated lazily (Ghasemmehdi and Agrell, arXiv 0906.0249).
#include "basis.h"
#include <string.h>

/* One vector's search. Arrays of n, in the caller's scratch. */
typedef struct {
    double *target;     /* the vector, then what is left of it */
    double *along;      /* its coordinates along the axes */
    double *start;      /* integers: the nearest plane's point */
    double *integers;   /* being tried */
    double *best;
    double *position;   /* real coordinate at each level, in units of the diagonal, given the integers above */
    double *step;       /* to the next integer */
    double *distance;   /* squared, of the levels from here up; one more, 0 */
    double *weight;     /* the squared diagonal of the triangle */
    double *history;    /* n * n: see enumerate */
    size_t *changed;    /* n + 1: see enumerate */
} search;

size_t nck_basis_scratch(size_t n) { return (n * n + 9 * n + 1) * sizeof(double) + (n + 1) * sizeof(size_t); }

static search laid_out(void *scratch, size_t n) {
    double *p = scratch;
    search s = {.history = p};
    double **const arrays[] = {&s.target, &s.along, &s.start, &s.integers, &s.best, &s.position, &s.step, &s.weight, &s.distance};
    p += n * n;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++, p += n) *arrays[i] = p;
    s.changed = (size_t *)(p + 1);
    return s;
}

/* The target in binary64. Returns 0 if a coordinate had to be clamped. */
static int set_target(const nck_basis *basis, const float *in, double *target) {
    const size_t n = basis->n;
    double greatest = 0;
    for (size_t i = 0; i < n; i++) {
        double v = in[i];
        v = v == v ? v : 0;
        v = v < -0x1p128 ? -0x1p128 : v; // infinities
        v = v > 0x1p128 ? 0x1p128 : v;
        target[i] = v;
        v = v < 0 ? -v : v;
        greatest = v > greatest ? v : greatest;
    }
    if (greatest <= basis->reach) return 1;

    double coordinates[NCK_BASIS_DIMENSION] = {0};
    int within = 1;
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < n; i++) coordinates[i] += target[r] * basis->precise_inverse[r * n + i];
    for (size_t i = 0; i < n; i++) {
        if (coordinates[i] >= -NCK_BASIS_MOST && coordinates[i] <= NCK_BASIS_MOST) continue;
        coordinates[i] = coordinates[i] < 0 ? -NCK_BASIS_MOST : NCK_BASIS_MOST;
        within = 0;
    }
    if (within) return 1;
    memset(target, 0, n * sizeof *target);
    for (size_t r = 0; r < n; r++)
        for (size_t i = 0; i < n; i++) target[i] += coordinates[r] * basis->given.rows[r * n + i];
    return 0;
}

static void turn_to_axes(const nck_frame *frame, size_t n, const double *target, double *along) {
    memset(along, 0, n * sizeof *along);
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < n; i++) along[i] += target[k] * frame->axes_across[k * n + i];
}

/* Integers of the nearest plane's point; `along` keeps what is left. */
static void nearest_plane(const nck_frame *frame, size_t n, double *along, double *integers) {
    for (size_t i = n; i-- > 0;) {
        const double *row = frame->triangle + i * n, times = nearest_integer(along[i] / row[i]);
        integers[i] = times;
        for (size_t j = 0; j <= i; j++) along[j] -= times * row[j];
    }
}

/* Writes the coordinates, clamped. Returns 0 if one had to be. */
static int write_coordinates(const double *integers, size_t n, int32_t *coordinates) {
    int within = 1;
    for (size_t i = 0; i < n; i++) {
        double v = integers[i];
        if (!(v >= -NCK_BASIS_MOST && v <= NCK_BASIS_MOST)) v = v < 0 ? -NCK_BASIS_MOST : NCK_BASIS_MOST, within = 0;
        coordinates[i] = (int32_t)v;
    }
    return within;
}

/* integers * transform, modulo 2^64: the result is small, whatever its terms are. */
static void back_to_given(const nck_basis *basis, double *integers) {
    const size_t n = basis->n;
    uint64_t sums[NCK_BASIS_DIMENSION] = {0};
    for (size_t r = 0; r < n; r++) {
        const uint64_t times = (uint64_t)(int64_t)integers[r];
        if (!times) continue;
        for (size_t i = 0; i < n; i++) sums[i] += times * (uint64_t)basis->transform[r * n + i];
    }
    for (size_t i = 0; i < n; i++) integers[i] = (double)(int64_t)sums[i];
}

void nck_basis_nearest_plane(const nck_basis *basis, const nck_frame *frame, const float *in, int32_t *coordinates, size_t count, void *scratch) {
    const size_t n = basis->n;
    search s = laid_out(scratch, n);
    for (size_t v = 0; v < count; v++, in += n, coordinates += n) {
        set_target(basis, in, s.target);
        turn_to_axes(frame, n, s.target, s.along);
        nearest_plane(frame, n, s.along, s.integers);
        if (frame->rows == basis->reduced.rows) back_to_given(basis, s.integers);
        write_coordinates(s.integers, n, coordinates);
    }
}

/*
 * Looks for integers nearer to `along` than 0. history[i * n + j] is coordinate i, in units of the diagonal, after the integers of the levels above j are taken
 * away. When level i is entered only those below changed[i + 1] have to be computed again: the highest level with another integer than when level i was entered
 * last. Returns the integers tried, and whether the search came to its end.
 */
static uint64_t enumerate(const nck_basis *basis, search *s, uint64_t limit, int *ended) {
    const size_t n = basis->n;
    const double nearer = 1 - 0x1p-40, *triangle = basis->reduced.triangle;
    double *const u = s->integers, *const position = s->position, *const step = s->step, *const distance = s->distance, *const weight = s->weight;
    double bound = 0;
    for (size_t i = n; i-- > 0;) {
        bound += s->along[i] * s->along[i];
        s->best[i] = 0;
        s->history[i * n + n - 1] = s->along[i] / triangle[i * n + i];
        weight[i] = triangle[i * n + i] * triangle[i * n + i];
        s->changed[i] = n - 1;
    }
    s->changed[n] = n - 1;
    bound *= nearer;
    distance[n] = 0;
    uint64_t tried = 0;
    *ended = 0;
    for (size_t i = n - 1;;) {
        if (tried == limit) return tried;
        // Enter level i with the nearest integer.
        const double *column = basis->reduced_columns + i * n;
        const size_t from = s->changed[i + 1];
        double *history = s->history + i * n, left = history[from];
        for (size_t j = from; j > i; j--) history[j - 1] = left = left - u[j] * column[j];
        s->changed[i] = from > s->changed[i] ? from : s->changed[i];
        s->changed[i + 1] = i + 1;
        position[i] = left;
        u[i] = nearest_integer(left);
        double away = left - u[i];
        step[i] = away < 0 ? -1 : 1;
        distance[i] = distance[i + 1] + away * away * weight[i];
        tried++;
        if (distance[i] < bound) {
            if (i > 0) {
                i--;
                continue;
            }
            memcpy(s->best, u, n * sizeof *u);
            bound = distance[0] * nearer;
        }
        // Up to the first level with another integer near enough; what follows on a level is farther still.
        do {
            if (++i == n) {
                *ended = 1;
                return tried;
            }
            if (tried == limit) return tried;
            u[i] += step[i];
            step[i] = -step[i] - (step[i] < 0 ? -1 : 1);
            away = position[i] - u[i];
            distance[i] = distance[i + 1] + away * away * weight[i];
            tried++;
        } while (distance[i] >= bound);
        i--;
    }
}

uint64_t nck_basis_closest(const nck_basis *basis, const float *in, uint64_t node_limit, int32_t *coordinates, uint8_t *proven, size_t count, void *scratch) {
    const size_t n = basis->n;
    const nck_frame *frame = &basis->reduced;
    search s = laid_out(scratch, n);
    uint64_t tried = 0;
    for (size_t v = 0; v < count; v++, in += n, coordinates += n) {
        int ended, within = set_target(basis, in, s.target);
        // The nearest plane's point first, exactly taken away: the search then sees small coordinates only, however far the vector is.
        turn_to_axes(frame, n, s.target, s.along);
        nearest_plane(frame, n, s.along, s.start);
        for (size_t r = 0; r < n; r++)
            if (s.start[r] != 0)
                for (size_t i = 0; i < n; i++) s.target[i] -= s.start[r] * frame->rows[r * n + i];
        turn_to_axes(frame, n, s.target, s.along);
        tried += enumerate(basis, &s, node_limit ? node_limit : UINT64_MAX, &ended);
        for (size_t i = 0; i < n; i++) s.start[i] += s.best[i];
        back_to_given(basis, s.start);
        within &= write_coordinates(s.start, n, coordinates);
        if (proven) proven[v] = (uint8_t)(ended && within);
    }
    return tried;
}

void nck_basis_points(const nck_kernels *kernels, const nck_basis *basis, const int32_t *coordinates, float *points, size_t count) {
    const size_t n = basis->n;
    for (size_t i = 0; i < n * count; i++) points[i] = (float)coordinates[i];
    kernels->lattice_transform(basis->rows, n, points, (ptrdiff_t)n, points, (ptrdiff_t)n, count);
}

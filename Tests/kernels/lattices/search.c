// SPDX-License-Identifier: Apache-2.0
// In few dimensions, every lattice point nearby in double precision; and the numbers of points in the first shells, enumerated from the basis.
#include "lattices.h"
#include <math.h>
#include <string.h>

// Calls visit for every u whose point lies within `bound` of x (squared). The basis is lower triangular: coordinate i depends on u[i], u[i + 1], ... only.
typedef struct search {
    size_t n;
    double basis[MOST * MOST], bound;
    const double *x;
    double sums[MOST + 1][MOST]; // what the rows from k on add up to
    int32_t u[MOST];
    void (*visit)(struct search *, double distance);
    double least;
    size_t counts[64];
} search;

static void descend(search *s, size_t i, double distance) {
    if (i-- == 0) return s->visit(s, distance);
    const double step = s->basis[i * s->n + i], rest = s->x[i] - s->sums[i + 1][i], reach = sqrt(s->bound - distance + 1e-4);
    for (double u = ceil((rest - reach) / step); u <= floor((rest + reach) / step); u++) {
        const double error = rest - u * step;
        s->u[i] = (int32_t)u;
        for (size_t j = 0; j < i; j++) s->sums[i][j] = s->sums[i + 1][j] + u * s->basis[i * s->n + j];
        if (distance + error * error <= s->bound + 1e-4) descend(s, i, distance + error * error);
    }
}

static void begin(search *s, lattice l, double bound, const double *x) {
    float basis[MOST * MOST];
    memset(s, 0, sizeof *s);
    nck_lattice_basis(l.kind, l.n, basis);
    for (size_t i = 0; i < l.n * l.n; i++) s->basis[i] = basis[i];
    s->n = l.n;
    s->bound = bound;
    s->x = x;
    s->least = 1e9;
}

static void keep_least(search *s, double distance) { s->least = fmin(s->least, distance); }

void check_search(lattice l) {
    static float in[BATCH * MOST], points[BATCH * MOST];
    static search s;
    fill(in, BATCH * l.n, -3, 3);
    quantizers->nearest(l.kind, l.n, 1.0f, in, points, NULL, BATCH);
    for (size_t v = 0; v < BATCH; v++) {
        double x[MOST];
        for (size_t i = 0; i < l.n; i++) x[i] = in[v * l.n + i];
        begin(&s, l, covering_norm(l) + 1e-3, x);
        s.visit = keep_least;
        descend(&s, l.n, 0);
        const double distance = squared_distance(l.n, in + v * l.n, points + v * l.n);
        CHECK(fabs(distance - s.least) < 1e-5, "%s: squared distance %.9g, the least is %.9g", name_of(l), distance, s.least);
    }
}

// Counts the point at its norm, and holds the quantizer to it: dequantized and quantized again it stays.
static lattice enumerated;

static void count_point(search *s, double norm) {
    s->counts[(size_t)(norm + 0.5)]++;
    float point[MOST];
    int32_t u[MOST];
    if (norm > 8 && s->counts[(size_t)(norm + 0.5)] % 64) return;
    quantizers->lattice_points(enumerated.kind, enumerated.n, 1.0f, s->u, point, 1);
    quantizers->nearest(enumerated.kind, enumerated.n, 1.0f, point, NULL, u, 1);
    CHECK(memcmp(u, s->u, enumerated.n * sizeof *u) == 0 && is_member(enumerated, point), "%s: a point of norm %g is moved", name_of(enumerated), norm);
}

static void check_shell_counts(lattice l, const size_t *expected, size_t most) {
    static search s;
    const double zero[MOST] = {0};
    begin(&s, l, (double)most, zero);
    s.visit = count_point;
    enumerated = l;
    descend(&s, l.n, 0);
    for (size_t norm = 0; norm <= most; norm++)
        CHECK(s.counts[norm] == expected[norm], "%s: %zu points of norm %zu, not %zu", name_of(l), s.counts[norm], norm, expected[norm]);
}

// Theta series: Conway and Sloane, SPLAG, chapter 4.
void check_shells(void) {
    check_shell_counts((lattice){NCK_LATTICE_AN, 2}, (size_t[]){1, 0, 6, 0, 0, 0, 6, 0, 6}, 8);
    check_shell_counts((lattice){NCK_LATTICE_AN, 8}, (size_t[]){1, 0, 72, 0, 756}, 4);
    check_shell_counts((lattice){NCK_LATTICE_DN, 4}, (size_t[]){1, 0, 24, 0, 24, 0, 96, 0, 24}, 8);
    check_shell_counts((lattice){NCK_LATTICE_DN, 9}, (size_t[]){1, 0, 144, 0, 2034}, 4);
    check_shell_counts((lattice){NCK_LATTICE_E8, 8}, (size_t[]){1, 0, 240, 0, 2160, 0, 6720}, 6);
    check_shell_counts((lattice){NCK_LATTICE_BW16, 16}, (size_t[17]){[0] = 1, [8] = 4320, [12] = 61440, [16] = 522720}, 16);
}

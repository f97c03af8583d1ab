/* SPDX-License-Identifier: Apache-2.0 */
/* Learning a lattice: what comes of it, its report, progress and cancelling, and misuse. */
#include <math.h>

#include "check.h"
#include "progress.h"

enum { count = 2000 };

static float samples[2 * count];
static uint32_t noise = 1;

/* Nearly Gaussian, of variance 1. */
static double normal(void)
{
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        noise = noise * 1664525u + 1013904223u;
        sum += (noise >> 8) * 0x1p-24;
    }
    return sum;
}

static void make_samples(void)
{
    for (size_t i = 0; i < count; i++) {
        const double a = normal(), b = normal();
        samples[2 * i] = (float)(5 * a);
        samples[2 * i + 1] = (float)(4.5 * a + 5 * b);
    }
}

static double determinant(const float *b) { return fabs((double)b[0] * b[3] - (double)b[1] * b[2]); }

static void defaults(void)
{
    nc_lattice_learning_options options;
    nc_lattice_learning_options_init(&options);
    CHECK(options.struct_size == sizeof options && options.scale == 1 && options.search == NC_SEARCH_BABAI && options.node_limit == 0);
    CHECK(fabs(options.lambda - 8.656170245333781) < 1e-12 && options.orthogonality == NC_ORTHOGONALITY_DEFAULT && options.orthogonality_weight == 0.1);
    CHECK(options.model == NC_COORDINATE_GAUSSIAN && options.condition_limit == 0 && options.learning_rate == 0.02 && options.steps == 600);
    CHECK(options.batch == 256 && options.starts == 4 && options.classical_start == 1 && options.seed == 1 && options.threads == 0 && !options.progress);
    nc_lattice_learning_options_init(NULL);
}

static void rounding(void)
{
    nc_lattice_learning_options options;
    nc_lattice_learning_options_init(&options);
    options.progress = watch;
    options.progress_user = &last_fraction;
    nc_quantizer *quantizer = NULL, *other = NULL;
    nc_lattice_learning_report report = {.struct_size = sizeof report}, again = report;
    CHECK(nc_quantizer_learn(samples, count, 2, &options, &quantizer, &report) == NC_OK && last_fraction == 1);
    CHECK(report.samples == 1600 && report.held_out == 400 && report.start <= NC_START_RANDOM && report.proven == 1);
    CHECK(report.scalar.rate - report.babai.rate > 0.15 && fabs(report.babai.distortion * 12 - 1) < 0.1 && report.objective < report.scalar_objective);
    CHECK(report.orthogonality_defect >= 1 && report.orthogonality_defect < 1.05 && report.condition < 1.5 && fabs(report.scalar.nsm * 12 - 1) < 1e-15);

    /* The quantizer is like one on its basis. */
    nc_quantizer_info info = {.struct_size = sizeof info};
    float basis[4], points[2][2 * count];
    CHECK(nc_quantizer_get_info(quantizer, &info) == NC_OK && strcmp(info.name, "basis") == 0 && info.dimension == 2 && info.scale == 1);
    CHECK(nc_quantizer_get_basis(quantizer, basis, 4) == NC_OK && fabs(determinant(basis) - 1) < 1e-5);
    CHECK(nc_quantizer_create_basis(basis, 2, NULL, &other) == NC_OK);
    CHECK(nc_quantizer_quantize(quantizer, samples, 2 * count, points[0], NULL, NULL, 0) == NC_OK);
    CHECK(nc_quantizer_quantize(other, samples, 2 * count, points[1], NULL, NULL, 0) == NC_OK);
    CHECK(memcmp(points[0], points[1], sizeof points[0]) == 0);
    nc_quantizer_close(&other);

    /* Defaults, without a report. */
    float basis_again[4];
    CHECK(nc_quantizer_learn(samples, count, 2, NULL, &other, NULL) == NC_OK && nc_quantizer_get_basis(other, basis_again, 4) == NC_OK);
    CHECK(memcmp(basis, basis_again, sizeof basis) == 0);
    nc_quantizer_close(&other);

    /* Orthonormal rows at another scale. */
    nc_lattice_learning_options_init(&options);
    options.orthogonality = NC_ORTHOGONALITY_HARD, options.scale = 0.5, options.model = NC_COORDINATE_LAPLACE;
    CHECK(nc_quantizer_learn(samples, count, 2, &options, &other, &again) == NC_OK && nc_quantizer_get_basis(other, basis, 4) == NC_OK);
    CHECK(fabs(determinant(basis) - 0.25) < 1e-6 && fabs((double)basis[0] * basis[2] + (double)basis[1] * basis[3]) < 1e-6 && again.condition < 1.00001);
    CHECK(again.babai.rate > report.babai.rate + 0.9 && again.babai.rate < report.babai.rate + 1.1);
    nc_quantizer_close(&other);
    nc_quantizer_close(&quantizer);
}

static void closest(void)
{
    nc_lattice_learning_options options;
    nc_lattice_learning_options_init(&options);
    options.search = NC_SEARCH_EXACT, options.classical_start = 0, options.starts = 2;
    nc_quantizer *quantizer = NULL;
    nc_lattice_learning_report report = {.struct_size = sizeof report};
    CHECK(nc_quantizer_learn(samples, count, 2, &options, &quantizer, &report) == NC_OK);
    CHECK(report.exact.nsm > 0.0792 && report.exact.nsm < 0.0812 && report.exact.distortion < report.babai.distortion && report.start != NC_START_CLASSICAL);
    nc_quantizer_close(&quantizer);
    options.search = NC_SEARCH_NEAREST_PLANE;
    CHECK(nc_quantizer_learn(samples, count, 2, &options, &quantizer, &report) == NC_OK && report.nearest_plane.rate < report.scalar.rate - 0.15);
    nc_quantizer_close(&quantizer);
}

static void misuse(void)
{
    nc_quantizer *untouched = (nc_quantizer *)16;
    nc_lattice_learning_report report = {.struct_size = sizeof report, .objective = 77};
    nc_lattice_learning_options options;
#define LEARN(number, dimension) nc_quantizer_learn(samples, number, dimension, &options, &untouched, &report)
#define WRONG(member, value) nc_lattice_learning_options_init(&options), options.member = (value); FAILS(LEARN(count, 2), NC_INVALID_ARGUMENT)
    nc_lattice_learning_options_init(&options), options.progress = cancel, stop_after = 7;
    FAILS(LEARN(count, 2), NC_CANCELLED);
    CHECK(reports == stop_after);
    nc_lattice_learning_options_init(&options);
    FAILS(nc_quantizer_learn(NULL, count, 2, &options, &untouched, &report), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_learn(samples, count, 2, &options, NULL, &report), NC_INVALID_ARGUMENT);
    FAILS(LEARN(0, 2), NC_INVALID_ARGUMENT);
    FAILS(LEARN(19, 2), NC_INVALID_ARGUMENT);
    FAILS(LEARN(count, 0), NC_INVALID_ARGUMENT);
    FAILS(LEARN(1, 65), NC_INVALID_ARGUMENT);
    FAILS(LEARN(count, SIZE_MAX), NC_INVALID_ARGUMENT);
    FAILS(LEARN(SIZE_MAX, 2), NC_INVALID_ARGUMENT);
    FAILS(LEARN(SIZE_MAX / 2, 2), NC_INVALID_ARGUMENT);
    const double bad[] = {(double)NAN, (double)INFINITY, -1};
    for (int i = 0; i < 3; i++) {
        WRONG(scale, bad[i]);
        WRONG(lambda, bad[i]);
        WRONG(orthogonality_weight, bad[i]);
        WRONG(condition_limit, bad[i]);
        WRONG(learning_rate, bad[i]);
    }
    WRONG(condition_limit, 1);
    WRONG(learning_rate, 0);
    WRONG(steps, 0);
    WRONG(steps, UINT32_MAX);
    WRONG(batch, 0);
    WRONG(starts, 0);
    WRONG(starts, 257);
    WRONG(threads, 1025);
    WRONG(search, (nc_search)3);
    WRONG(orthogonality, (nc_orthogonality)4);
    WRONG(model, (nc_coordinate_model)2);
    WRONG(struct_size, sizeof options - 1);
    nc_lattice_learning_options_init(&options), options.search = NC_SEARCH_EXACT, options.orthogonality = NC_ORTHOGONALITY_HARD;
    FAILS(LEARN(count, 2), NC_INVALID_ARGUMENT);
    nc_lattice_learning_options_init(&options);
    report.struct_size--;
    FAILS(LEARN(count, 2), NC_INVALID_ARGUMENT);
    report.struct_size++;
    const float bad_values[] = {NAN, INFINITY, -INFINITY, 1e6f};
    for (int i = 0; i < 4; i++) {
        const float kept = samples[999];
        samples[999] = bad_values[i];
        FAILS(LEARN(count, 2), NC_INVALID_ARGUMENT);
        samples[999] = kept;
    }
    CHECK(untouched == (nc_quantizer *)16 && report.objective == 77);
}

int main(void)
{
    make_samples();
    defaults();
    rounding();
    closest();
    misuse();
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The quantizers: what they answer, ties and special values included, and misuse of every function. */
#include <math.h>

#include "check.h"
#include "progress.h"

enum { most = 64 };

static const struct {
    const char *name;
    size_t asked, dimension;
    double volume, nsm;
} lattices[] = {
    {"scalar", 0, 1, 1, 1.0 / 12},   {"scalar", 64, 64, 1, 1.0 / 12}, {"zn", 0, 1, 1, 1.0 / 12},      {"zn", 5, 5, 1, 1.0 / 12},
    {"a2", 0, 2, 1.7320508075688772, 0.0801875}, {"an", 7, 7, 2.8284271247461903, 0.0774}, {"d4", 4, 4, 2, 0.0766032},  {"dn", 9, 9, 2, 0.0762},
    {"e8", 0, 8, 1, 0.0716821},      {"barnes-wall", 16, 16, 4096, 0.0682976}, {"leech", 0, 24, 68719476736.0, 0.06575},
};
enum { lattice_count = sizeof lattices / sizeof *lattices };

static uint32_t noise = 1;

/* -4...4 */
static float random_value(void)
{
    noise = noise * 1664525u + 1013904223u;
    return (float)(int32_t)(noise & ~0xffu) * 0x1p-29f;
}

static nc_quantizer *open_lattice(const char *name, size_t dimension, double scale)
{
    nc_quantizer_options options;
    nc_quantizer_options_init(&options);
    options.scale = scale;
    nc_quantizer *quantizer = NULL;
    CHECK(nc_quantizer_create(name, dimension, &options, &quantizer) == NC_OK && nc_last_error()[0] == 0);
    return quantizer;
}

static nc_quantizer *open_basis(const float *rows, size_t dimension, nc_search search, uint64_t node_limit)
{
    nc_quantizer_options options;
    nc_quantizer_options_init(&options);
    options.search = search;
    options.node_limit = node_limit;
    nc_quantizer *quantizer = NULL;
    CHECK(nc_quantizer_create_basis(rows, dimension, &options, &quantizer) == NC_OK);
    return quantizer;
}

/* ---- What they answer ---- */

static double distance(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    return sum;
}

/* Points are u B, their own points, and no neighbour along a row of the basis or a sum of two is nearer. */
static void check_points(nc_quantizer *quantizer, size_t n, const float *x, const float *points, const int32_t *indices, size_t count)
{
    static float basis[most * most], again[1 << 16];
    static int32_t same[1 << 16];
    CHECK(nc_quantizer_get_basis(quantizer, basis, n * n) == NC_OK);
    CHECK(nc_quantizer_dequantize(quantizer, indices, count * n, again, 0) == NC_OK && memcmp(again, points, 4 * count * n) == 0);
    CHECK(nc_quantizer_quantize(quantizer, points, count * n, again, same, NULL, 0) == NC_OK);
    CHECK(memcmp(again, points, 4 * count * n) == 0 && memcmp(same, indices, 4 * count * n) == 0);
    for (size_t v = 0; v < count; v++, x += n, points += n, indices += n) {
        double least = distance(x, points, n);
        for (size_t i = 0; i < n; i++) {
            double sum = 0;
            for (size_t r = 0; r < n; r++) sum += (double)indices[r] * basis[r * n + i];
            CHECK(fabs(sum - points[i]) < 1e-5 * (1 + fabs(sum)));
        }
        for (size_t r = 0; r < n; r++)
            for (size_t s = 0; s <= r; s++)
                for (int sign = -3; sign <= 3; sign += 2) {
                    float other[most];
                    for (size_t i = 0; i < n; i++)
                        other[i] = points[i] + (s < r ? (sign < 0 ? -1 : 1) * basis[s * n + i] : 0) + (sign & 2 ? -1 : 1) * basis[r * n + i];
                    CHECK(distance(x, other, n) > least - 1e-4);
                }
    }
}

static void classical(void)
{
    static float x[100 * most], points[100 * most], inplace[100 * most], alone[100 * most];
    static int32_t indices[100 * most], indices_alone[100 * most];
    static uint8_t proven[100];
    for (size_t k = 0; k < lattice_count; k++)
        for (double scale = 0.25; scale <= 4; scale *= 4) {
            size_t n = lattices[k].dimension, length = 100 * n;
            nc_quantizer *quantizer = open_lattice(lattices[k].name, lattices[k].asked, scale);
            nc_quantizer_info info = {.struct_size = sizeof info};
            CHECK(nc_quantizer_get_info(quantizer, &info) == NC_OK);
            CHECK(strcmp(info.name, lattices[k].name) == 0 && info.dimension == n && info.index_count == n && info.codewords == 0 && info.scale == scale);
            CHECK(fabs(info.volume / (lattices[k].volume * pow(scale, (double)n)) - 1) < 1e-12 && fabs(info.nsm - lattices[k].nsm) < 1e-4);
            for (size_t i = 0; i < length; i++) x[i] = random_value() * (float)scale;
            CHECK(nc_quantizer_quantize(quantizer, x, length, points, indices, proven, 0) == NC_OK);
            check_points(quantizer, n, x, points, indices, 100);
            for (size_t v = 0; v < 100; v++) CHECK(proven[v] == 1);
            /* Any output alone, and in place. */
            memcpy(inplace, x, 4 * length);
            CHECK(nc_quantizer_quantize(quantizer, inplace, length, inplace, NULL, NULL, 1) == NC_OK && memcmp(inplace, points, 4 * length) == 0);
            CHECK(nc_quantizer_quantize(quantizer, x, length, alone, NULL, NULL, 1) == NC_OK && memcmp(alone, points, 4 * length) == 0);
            CHECK(nc_quantizer_quantize(quantizer, x, length, NULL, indices_alone, NULL, 1) == NC_OK && memcmp(indices_alone, indices, 4 * length) == 0);
            CHECK(nc_quantizer_quantize(quantizer, x, length, NULL, NULL, NULL, 1) == NC_OK);
            /* Vectors do not depend on their neighbours. */
            for (size_t v = 0; v < 20; v++)
                CHECK(nc_quantizer_quantize(quantizer, x + v * n, n, alone, NULL, NULL, 0) == NC_OK && memcmp(alone, points + v * n, 4 * n) == 0);
            nc_quantizer_close(&quantizer);
            CHECK(quantizer == NULL);
        }
}

/* Bits, so that -0 is not 0. */
static int same(const float *a, const float *b, size_t n) { return memcmp(a, b, 4 * n) == 0; }

static void ties_and_special_values(void)
{
    const float inf = INFINITY;
    float points[8];
    int32_t indices[8];
    nc_quantizer *zn = open_lattice("zn", 8, 1);
    const float halves[8] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -0.0f, -0.25f, 3}, even[8] = {0, 2, 2, 0, -2, 0, 0, 3};
    CHECK(nc_quantizer_quantize(zn, halves, 8, points, indices, NULL, 0) == NC_OK && same(points, even, 8));
    const float odd_ones[8] = {NAN, inf, -inf, 1e30f, -1e30f, 0x1p20f, 0x1p20f + 4, 1e-40f}, bounded[8] = {0, 0x1p20f, -0x1p20f, 0x1p20f, -0x1p20f, 0x1p20f, 0x1p20f, 0};
    CHECK(nc_quantizer_quantize(zn, odd_ones, 8, points, indices, NULL, 0) == NC_OK && same(points, bounded, 8) && indices[2] == -(1 << 20));
    nc_quantizer_close(&zn);

    /* Parity in D4 and D8: the first of the coordinates with the greatest error moves, and up where there is no error. */
    nc_quantizer *d4 = open_lattice("d4", 0, 1);
    const float one[4] = {1, 0, 0, 0}, two[4] = {2, 0, 0, 0}, half[4] = {0.5f, 0.5f, 0.5f, 0.5f}, zero[4] = {0};
    CHECK(nc_quantizer_quantize(d4, one, 4, points, NULL, NULL, 0) == NC_OK && same(points, two, 4));
    CHECK(nc_quantizer_quantize(d4, half, 4, points, NULL, NULL, 0) == NC_OK && same(points, zero, 4));
    nc_quantizer_close(&d4);

    /* Every lattice: NaN counts as 0, infinities as 2^20 steps, and the answer is a point of the lattice. */
    for (size_t k = 0; k < lattice_count; k++) {
        static float x[most], clean[most], a[most], b[most], again[most];
        static int32_t u[most];
        size_t n = lattices[k].dimension;
        nc_quantizer *quantizer = open_lattice(lattices[k].name, lattices[k].asked, 0.5);
        for (size_t i = 0; i < n; i++) {
            x[i] = i % 4 == 0 ? NAN : i % 4 == 1 ? -inf : i % 4 == 2 ? 1e38f : 0.3f;
            clean[i] = i % 4 == 0 ? 0 : i % 4 == 1 ? -0x1p19f : i % 4 == 2 ? 0x1p19f : 0.3f;
        }
        CHECK(nc_quantizer_quantize(quantizer, x, n, a, u, NULL, 0) == NC_OK && nc_quantizer_quantize(quantizer, clean, n, b, NULL, NULL, 0) == NC_OK);
        CHECK(same(a, b, n) && nc_quantizer_dequantize(quantizer, u, n, again, 0) == NC_OK && same(a, again, n));
        nc_quantizer_close(&quantizer);
    }
}

static void scalars(void)
{
    nc_quantizer_options options;
    nc_quantizer_options_init(&options);
    CHECK(options.scale == 1 && options.offset == 0 && options.dead_zone == 0 && options.search == NC_SEARCH_BABAI && options.node_limit == 0);
    options.scale = 2;
    options.offset = 0.5;
    options.dead_zone = 0.75;
    nc_quantizer *quantizer = NULL;
    CHECK(nc_quantizer_create("scalar", 0, &options, &quantizer) == NC_OK);
    const float x[] = {0.5f, 1.9f, 2, 2.1f, -1, -1.1f, 5, NAN}, expected[] = {0.5f, 0.5f, 0.5f, 2.5f, 0.5f, -1.5f, 4.5f, 0.5f};
    const int32_t steps[] = {0, 0, 0, 1, 0, -1, 2, 0};
    float points[8];
    int32_t indices[8];
    CHECK(nc_quantizer_quantize(quantizer, x, 8, points, indices, NULL, 0) == NC_OK && same(points, expected, 8) && memcmp(indices, steps, sizeof steps) == 0);
    nc_quantizer_info info = {.struct_size = sizeof info};
    CHECK(nc_quantizer_get_info(quantizer, &info) == NC_OK && info.volume == 2 && isnan(info.nsm));  /* a dead zone's error depends on the source */
    nc_quantizer_close(&quantizer);
}

static void bases(void)
{
    const float skewed[] = {1, 0, 0.9f, 0.5f}, inf = INFINITY;
    nc_quantizer *babai = open_basis(skewed, 2, NC_SEARCH_BABAI, 0), *plane = open_basis(skewed, 2, NC_SEARCH_NEAREST_PLANE, 0);
    nc_quantizer *exact = open_basis(skewed, 2, NC_SEARCH_EXACT, 0);
    double errors[3] = {0};
    for (int round = 0; round < 500; round++) {
        const float x[2] = {random_value(), random_value()};
        nc_quantizer *all[3] = {babai, plane, exact};
        for (int k = 0; k < 3; k++) {
            float point[2], again[2];
            int32_t u[2];
            uint8_t proven = 7;
            CHECK(nc_quantizer_quantize(all[k], x, 2, point, u, &proven, 0) == NC_OK && proven == (k == 2));
            CHECK(nc_quantizer_dequantize(all[k], u, 2, again, 0) == NC_OK && same(point, again, 2));
            if (k == 0) CHECK(u[1] == (int32_t)rintf(2 * x[1]) && abs(u[0] - (int32_t)rintf(x[0] - 1.8f * x[1])) <= 0);
            for (int a = -3; a <= 3 && k == 2; a++)
                for (int b = -3; b <= 3; b++) {
                    const float other[2] = {point[0] + (float)a + 0.9f * (float)b, point[1] + 0.5f * (float)b};
                    CHECK(distance(x, other, 2) > distance(x, point, 2) - 1e-5);
                }
            errors[k] += distance(x, point, 2);
        }
    }
    CHECK(errors[2] < errors[1] && errors[1] < errors[0]);

    /* Formulas of Babai's second moments; none for the closest point. */
    nc_quantizer_info info = {.struct_size = sizeof info};
    CHECK(nc_quantizer_get_info(babai, &info) == NC_OK && strcmp(info.name, "basis") == 0 && fabs(info.volume - 0.5) < 1e-7 && fabs(info.nsm - 2.06 / 12) < 1e-6);
    CHECK(nc_quantizer_get_info(plane, &info) == NC_OK && fabs(info.nsm - 1.25 / 12) < 1e-6);
    CHECK(nc_quantizer_get_info(exact, &info) == NC_OK && isnan(info.nsm) && info.index_count == 2);
    float rows[4];
    CHECK(nc_quantizer_get_basis(exact, rows, 4) == NC_OK && same(rows, skewed, 4));

    /* NaN counts as 0 and does not spoil the other coordinate; what is too large is clamped, and no longer proven. */
    nc_quantizer *all[3] = {babai, plane, exact};
    for (int k = 0; k < 3; k++) {
        const float x[] = {NAN, 1.2f, 0, 1.2f, 3.4f, NAN, 3.4f, 0, 1, inf, -inf, NAN, 3e38f, -3e38f, 1, 1e30f};
        float points[16];
        int32_t u[16];
        uint8_t proven[8];
        CHECK(nc_quantizer_quantize(all[k], x, 16, points, u, proven, 0) == NC_OK && memcmp(u, u + 2, 8) == 0 && memcmp(u + 4, u + 6, 8) == 0);
        CHECK(u[3] == (k == 1 ? 2 : u[3]) && u[4] == 3 && u[5] == 0 && proven[2] == (k == 2));
        for (int i = 8; i < 16; i++) CHECK(u[i] >= -(1 << 20) && u[i] <= 1 << 20);
        CHECK(u[9] == 1 << 20 && u[10] == -(1 << 20) && proven[4] == 0 && proven[6] == 0);
    }
    nc_quantizer_close(&babai), nc_quantizer_close(&plane), nc_quantizer_close(&exact);

    /* A limit ends the search with a point that is not proven. */
    static float random_rows[24 * 24], x[24 * 50], points[24 * 50], best[24 * 50];
    static uint8_t proven[50];
    for (size_t i = 0; i < 24 * 24; i++) random_rows[i] = random_value();
    for (size_t i = 0; i < 24 * 50; i++) x[i] = 3 * random_value();
    nc_quantizer *limited = open_basis(random_rows, 24, NC_SEARCH_EXACT, 30), *whole = open_basis(random_rows, 24, NC_SEARCH_EXACT, 0);
    CHECK(nc_quantizer_quantize(limited, x, 24 * 50, points, NULL, proven, 0) == NC_OK);
    int certain = 0;
    for (int v = 0; v < 50; v++) certain += proven[v];
    CHECK(certain < 25);
    CHECK(nc_quantizer_quantize(whole, x, 24 * 50, best, NULL, proven, 0) == NC_OK);
    for (int v = 0; v < 50; v++) CHECK(proven[v] == 1 && distance(x + 24 * v, best + 24 * v, 24) <= distance(x + 24 * v, points + 24 * v, 24) * (1 + 1e-6));
    nc_quantizer_close(&limited), nc_quantizer_close(&whole);
}

static void codebooks(void)
{
    const float codewords[] = {0, 0, 2, 0, 0, 2, 2, 0, -3, -3};
    nc_quantizer_options options;
    nc_quantizer_options_init(&options);
    options.scale = 0.5;
    nc_quantizer *quantizer = NULL;
    CHECK(nc_quantizer_create_codebook(codewords, 5, 2, &options, &quantizer) == NC_OK);
    nc_quantizer_info info = {.struct_size = sizeof info};
    CHECK(nc_quantizer_get_info(quantizer, &info) == NC_OK && strcmp(info.name, "codebook") == 0 && info.dimension == 2 && info.index_count == 1);
    CHECK(info.codewords == 5 && info.scale == 0.5 && isnan(info.volume) && isnan(info.nsm));
    float rows[10];
    CHECK(nc_quantizer_get_basis(quantizer, rows, 10) == NC_OK && rows[2] == 1 && rows[9] == -1.5f);
    /* Ties and duplicates: the lower index. */
    const float x[] = {0.1f, 0.2f, 0.5f, 0, 0.9f, 0.1f, 0.4f, 0.6f, -INFINITY, -INFINITY, NAN, 0.9f};
    const int32_t expected[] = {0, 0, 1, 2, 4, 2};
    int32_t indices[6];
    float points[12], again[12];
    uint8_t proven[6];
    CHECK(nc_quantizer_quantize(quantizer, x, 12, points, indices, proven, 0) == NC_OK && memcmp(indices, expected, sizeof expected) == 0);
    CHECK(nc_quantizer_dequantize(quantizer, indices, 6, again, 0) == NC_OK && same(points, again, 12));
    for (int v = 0; v < 6; v++) CHECK(proven[v] == 1 && same(points + 2 * v, rows + 2 * indices[v], 2));
    int32_t wrong[] = {0, 5}, negative[] = {-1, 0};
    again[0] = 99;
    FAILS(nc_quantizer_dequantize(quantizer, wrong, 2, again, 0), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_dequantize(quantizer, negative, 2, again, 0), NC_INVALID_ARGUMENT);
    CHECK(again[0] == 99);
    FAILS(nc_quantizer_quantize(quantizer, x, 3, points, indices, NULL, 0), NC_INVALID_ARGUMENT);
    nc_quantizer_close(&quantizer);
}

/* ---- Training ---- */

enum { samples_count = 3000 };

static double mean_error(nc_quantizer *quantizer, const float *x, size_t length)
{
    static float points[3 * samples_count];
    CHECK(nc_quantizer_quantize(quantizer, x, length, points, NULL, NULL, 0) == NC_OK);
    return distance(x, points, length) / (double)length;
}

static void training(void)
{
    static float x[3 * samples_count], rows[2][3 * 32];
    for (size_t i = 0; i < 3 * samples_count; i++) x[i] = random_value() + (i / 3 % 4 == 0 ? 8.0f : 0);
    x[17] = NAN;
    nc_codebook_options options;
    nc_codebook_options_init(&options);
    CHECK(options.struct_size == sizeof options && options.seed == 1 && options.rounds == 50 && options.tolerance == 1e-4 && options.threads == 0 && !options.progress);
    options.progress = watch;
    options.progress_user = &last_fraction;
    nc_quantizer *quantizer = NULL, *other = NULL;
    CHECK(nc_quantizer_train_codebook(x, samples_count, 3, 32, &options, &quantizer) == NC_OK && last_fraction == 1);
    CHECK(nc_quantizer_train_codebook(x, samples_count, 3, 32, NULL, &other) == NC_OK);
    CHECK(nc_quantizer_get_basis(quantizer, rows[0], 96) == NC_OK && nc_quantizer_get_basis(other, rows[1], 96) == NC_OK && same(rows[0], rows[1], 96));
    x[17] = 0;
    const double error = mean_error(quantizer, x, 3 * samples_count);
    nc_quantizer_close(&other);

    /* More rounds are better, another seed is another codebook, as many codewords as samples are the samples. */
    nc_codebook_options_init(&options), options.rounds = 1;
    CHECK(nc_quantizer_train_codebook(x, samples_count, 3, 32, &options, &other) == NC_OK && mean_error(other, x, 3 * samples_count) > error);
    nc_quantizer_close(&other);
    nc_codebook_options_init(&options), options.seed = 2;
    CHECK(nc_quantizer_train_codebook(x, samples_count, 3, 32, &options, &other) == NC_OK && nc_quantizer_get_basis(other, rows[1], 96) == NC_OK);
    CHECK(!same(rows[0], rows[1], 96));
    nc_quantizer_close(&other);
    CHECK(nc_quantizer_train_codebook(x, 32, 3, 32, NULL, &other) == NC_OK && mean_error(other, x, 96) == 0);
    nc_quantizer_close(&other);

    nc_quantizer *untouched = (nc_quantizer *)16;
#define TRAIN(count, dimension, size) nc_quantizer_train_codebook(x, count, dimension, size, &options, &untouched)
    nc_codebook_options_init(&options), options.progress = cancel, stop_after = 3;
    FAILS(TRAIN(samples_count, 3, 32), NC_CANCELLED);
    CHECK(reports == stop_after);
    nc_codebook_options_init(&options);
    FAILS(nc_quantizer_train_codebook(NULL, samples_count, 3, 32, &options, &untouched), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_train_codebook(x, samples_count, 3, 32, &options, NULL), NC_INVALID_ARGUMENT);
    FAILS(TRAIN(31, 3, 32), NC_INVALID_ARGUMENT);
    FAILS(TRAIN(0, 3, 1), NC_INVALID_ARGUMENT);
    FAILS(TRAIN(samples_count, 3, 0), NC_INVALID_ARGUMENT);
    FAILS(TRAIN(samples_count, 0, 1), NC_INVALID_ARGUMENT);
    FAILS(TRAIN(1, 513, 1), NC_INVALID_ARGUMENT);
    FAILS(TRAIN(SIZE_MAX, 3, 1), NC_INVALID_ARGUMENT);
    FAILS(TRAIN(SIZE_MAX / 2, 3, 1), NC_INVALID_ARGUMENT);
    FAILS(TRAIN(samples_count, SIZE_MAX, 1), NC_INVALID_ARGUMENT);
    FAILS(TRAIN(samples_count, 3, SIZE_MAX), NC_INVALID_ARGUMENT);
    options.rounds = 0;
    FAILS(TRAIN(samples_count, 3, 32), NC_INVALID_ARGUMENT);
    const double tolerances[] = {-1, (double)NAN, (double)INFINITY};
    for (int i = 0; i < 3; i++) {
        nc_codebook_options_init(&options), options.tolerance = tolerances[i];
        FAILS(TRAIN(samples_count, 3, 32), NC_INVALID_ARGUMENT);
    }
    nc_codebook_options_init(&options), options.threads = 1025;
    FAILS(TRAIN(samples_count, 3, 32), NC_INVALID_ARGUMENT);
    nc_codebook_options_init(&options), options.struct_size++;
    FAILS(TRAIN(samples_count, 3, 32), NC_INVALID_ARGUMENT);
    nc_codebook_options_init(NULL);
    CHECK(untouched == (nc_quantizer *)16);
    nc_quantizer_close(&quantizer);
}

/* ---- Misuse ---- */

static void wrong_options(void)
{
    nc_quantizer *untouched = (nc_quantizer *)16;
    nc_quantizer_options options;
    const float basis[] = {1, 0, 0, 1};
#define FRESH nc_quantizer_options_init(&options)
#define ALL_FAIL                                                                                           \
    do {                                                                                                   \
        FAILS(nc_quantizer_create("zn", 2, &options, &untouched), NC_INVALID_ARGUMENT);                    \
        FAILS(nc_quantizer_create_basis(basis, 2, &options, &untouched), NC_INVALID_ARGUMENT);             \
        FAILS(nc_quantizer_create_codebook(basis, 2, 2, &options, &untouched), NC_INVALID_ARGUMENT);       \
    } while (0)
    FRESH, options.struct_size = 0;
    ALL_FAIL;
    FRESH, options.struct_size += 8;
    ALL_FAIL;
    const double scales[] = {0, -1, (double)NAN, (double)INFINITY, -(double)INFINITY, 1e-31, 1e31, 1e300};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        FRESH, options.scale = scales[i];
        ALL_FAIL;
        FAILS(nc_quantizer_create("scalar", 2, &options, &untouched), NC_INVALID_ARGUMENT);
    }
    FRESH, options.offset = 0.5;
    ALL_FAIL;
    FRESH, options.dead_zone = 0.5;
    ALL_FAIL;
    const double wrong[] = {(double)NAN, (double)INFINITY, -(double)INFINITY, 1e30};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        FRESH, options.offset = wrong[i];
        FAILS(nc_quantizer_create("scalar", 2, &options, &untouched), NC_INVALID_ARGUMENT);
        FRESH, options.dead_zone = wrong[i];
        FAILS(nc_quantizer_create("scalar", 2, &options, &untouched), NC_INVALID_ARGUMENT);
    }
    FRESH, options.dead_zone = -0.1;
    FAILS(nc_quantizer_create("scalar", 2, &options, &untouched), NC_INVALID_ARGUMENT);
    FRESH, options.search = (nc_search)3;
    FAILS(nc_quantizer_create_basis(basis, 2, &options, &untouched), NC_INVALID_ARGUMENT);
    nc_quantizer_options_init(NULL);
    CHECK(untouched == (nc_quantizer *)16);
}

static void wrong_quantizers(void)
{
    nc_quantizer *untouched = (nc_quantizer *)16;
    const struct {
        const char *name;
        size_t dimension;
    } names[] = {{NULL, 0}, {"", 0}, {"E8", 0}, {"e7", 0}, {"e8 ", 8}, {"e8", 7}, {"a2", 3}, {"d4", 5}, {"leech", 23}, {"barnes-wall", 8}, {"an", 0}, {"dn", 0},
                 {"an", 65}, {"dn", 65}, {"zn", 65}, {"scalar", 65}, {"zn", SIZE_MAX}, {"basis", 2}, {"codebook", 2}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) FAILS(nc_quantizer_create(names[i].name, names[i].dimension, NULL, &untouched), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_create("e8", 8, NULL, NULL), NC_INVALID_ARGUMENT);

    static float rows[65 * 65];
    for (size_t i = 0; i < 65; i++) rows[66 * i] = 1;
    FAILS(nc_quantizer_create_basis(rows, 65, NULL, &untouched), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_create_basis(rows, 0, NULL, &untouched), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_create_basis(rows, SIZE_MAX, NULL, &untouched), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_create_basis(NULL, 2, NULL, &untouched), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_create_basis(rows, 1, NULL, NULL), NC_INVALID_ARGUMENT);
    const float bad[][4] = {{0, 0, 0, 0}, {1, 2, 2, 4}, {1, 0, 0, 0}, {NAN, 0, 0, 1}, {1, 0, INFINITY, 1}, {1, 0, 0, 1e-7f}, {1e31f, 0, 0, 1e31f}, {1e-31f, 0, 0, 1e-31f}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) FAILS(nc_quantizer_create_basis(bad[i], 2, NULL, &untouched), NC_INVALID_ARGUMENT);

    FAILS(nc_quantizer_create_codebook(NULL, 2, 2, NULL, &untouched), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_create_codebook(rows, 0, 2, NULL, &untouched), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_create_codebook(rows, 2, 0, NULL, &untouched), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_create_codebook(rows, 1, 513, NULL, &untouched), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_create_codebook(rows, ((size_t)1 << 24) + 1, 1, NULL, &untouched), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_create_codebook(rows, SIZE_MAX / 2, 4, NULL, &untouched), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_create_codebook(rows, SIZE_MAX, 1, NULL, &untouched), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_create_codebook(rows, 1, 1, NULL, NULL), NC_INVALID_ARGUMENT);
    const float beyond[][2] = {{NAN, 0}, {0, INFINITY}, {0, 1e16f}};
    for (size_t i = 0; i < 3; i++) FAILS(nc_quantizer_create_codebook(beyond[i], 1, 2, NULL, &untouched), NC_INVALID_ARGUMENT);
    CHECK(untouched == (nc_quantizer *)16);
}

static void wrong_calls(void)
{
    nc_quantizer *e8 = NULL;
    CHECK(nc_quantizer_create("e8", 0, NULL, &e8) == NC_OK);
    float x[16] = {0}, points[64];
    int32_t indices[16] = {0};
    points[0] = 99;
    nc_quantizer_info info = {.struct_size = sizeof info}, bad = {.struct_size = sizeof bad - 1};
    FAILS(nc_quantizer_get_info(NULL, &info), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_get_info(e8, NULL), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_get_info(e8, &bad), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_get_basis(NULL, points, 64), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_get_basis(e8, NULL, 64), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_get_basis(e8, points, 63), NC_BUFFER_TOO_SMALL);
    FAILS(nc_quantizer_get_basis(e8, points, 0), NC_BUFFER_TOO_SMALL);
    FAILS(nc_quantizer_quantize(NULL, x, 8, points, indices, NULL, 0), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_quantize(e8, NULL, 8, points, indices, NULL, 0), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_quantize(e8, x, 9, points, indices, NULL, 0), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_quantize(e8, x, SIZE_MAX - 7, points, indices, NULL, 0), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_quantize(e8, x, 8, points, indices, NULL, 1025), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_dequantize(NULL, indices, 8, points, 0), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_dequantize(e8, NULL, 8, points, 0), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_dequantize(e8, indices, 8, NULL, 0), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_dequantize(e8, indices, 7, points, 0), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_dequantize(e8, indices, SIZE_MAX - 7, points, 0), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_dequantize(e8, indices, 8, points, 1025), NC_INVALID_ARGUMENT);
    CHECK(points[0] == 99);
    CHECK(nc_quantizer_quantize(e8, NULL, 0, NULL, NULL, NULL, 0) == NC_OK && nc_quantizer_dequantize(e8, NULL, 0, NULL, 0) == NC_OK);
    nc_quantizer_close(NULL);
    nc_quantizer_close(&e8);
    nc_quantizer_close(&e8);
}

int main(void)
{
    classical();
    ties_and_special_values();
    scalars();
    bases();
    codebooks();
    training();
    wrong_options();
    wrong_quantizers();
    wrong_calls();
    return 0;
}

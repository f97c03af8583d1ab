// SPDX-License-Identifier: Apache-2.0
// Codebooks: the search against brute force in double precision, exact ties, values beyond all bounds, and the training.
#define _GNU_SOURCE // M_PI
#include "lattices.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const nck_codebook *packed(const float *rows, size_t n, size_t codewords) {
    static nck_codebook codebook;
    static float *memory;
    free(memory);
    memory = malloc(nck_codebook_size(n, codewords) * sizeof *memory);
    const nck_codebook_status status = nck_codebook_pack(rows, n, codewords, memory, &codebook);
    CHECK(status == NCK_CODEBOOK_PACKED, "status %d of %d codewords of %d", (int)status, (int)codewords, (int)n);
    return &codebook;
}

// Integers make every sum exact, so the winner is the first of the nearest; real numbers may leave the choice between nearly equal ones to rounding.
static void check_codebook_search(size_t n, size_t codewords, size_t count, int integers) {
    float *rows = malloc(codewords * n * sizeof *rows), *in = malloc(count * n * sizeof *in), *points = malloc(count * n * sizeof *points);
    float *distances = malloc(count * sizeof *distances);
    int32_t *indices = malloc(count * sizeof *indices);
    fill(rows, codewords * n, -2, 2);
    fill(in, count * n, -3, 3);
    if (integers) {
        for (size_t i = 0; i < codewords * n; i++) rows[i] = rintf(rows[i]);
        for (size_t i = 0; i < count * n; i++) in[i] = rintf(in[i] * 2) / 2;
    }
    quantizers->codebook(packed(rows, n, codewords), in, indices, points, distances, count);
    for (size_t v = 0; v < count; v++) {
        size_t best = 0;
        double least = 1e300;
        for (size_t k = 0; k < codewords; k++) {
            const double distance = squared_distance(n, in + v * n, rows + k * n);
            if (distance < least) least = distance, best = k;
        }
        const size_t found = (size_t)indices[v];
        CHECK(found < codewords, "index %d of %d", (int)found, (int)codewords);
        if (found >= codewords) continue;
        const double distance = squared_distance(n, in + v * n, rows + found * n);
        if (integers) CHECK(found == best, "%d codewords of %d: %d, not %d", (int)codewords, (int)n, (int)found, (int)best);
        else CHECK(distance - least <= 2e-6 * (double)n, "%d codewords of %d: distance %g, not %g", (int)codewords, (int)n, distance, least);
        CHECK(fabs(distances[v] - distance) <= 1e-5 * distance, "distance %g, not %g", distances[v], distance);
        CHECK(memcmp(points + v * n, rows + found * n, n * sizeof *points) == 0, "the point is not the codeword");
    }
    quantizers->codebook(packed(rows, n, codewords), in, NULL, in, NULL, count); // in place
    CHECK(memcmp(in, points, count * n * sizeof *in) == 0, "other points in place");
    free(rows), free(in), free(points), free(distances), free(indices);
}

static void check_edges(void) {
    const float rows[] = {0, 0, 5, 5, -1, 0x1p50f};
    const float in[] = {NAN, NAN, NAN, 6, INFINITY, INFINITY, -INFINITY, 0x1p60f, 3e38f, -3e38f, INFINITY, 4};
    const int32_t expected[] = {0, 1, 2, 2, 0, 1};
    int32_t indices[6];
    float distances[6];
    quantizers->codebook(packed(rows, 2, 3), in, indices, NULL, distances, 6);
    for (int v = 0; v < 6; v++) {
        // infinities are 2^50; the criterion's binary32 sums decide, and both sums of (2^50, -2^50) are 0 or more
        if (v != 4) CHECK(indices[v] == expected[v], "hostile vector %d: codeword %d, not %d", v, (int)indices[v], (int)expected[v]);
        CHECK(indices[v] >= 0 && indices[v] < 3 && isfinite(distances[v]), "hostile vector %d: codeword %d, distance %g", v, (int)indices[v], distances[v]);
    }
    static float many[4], memory[64];
    nck_codebook codebook;
    CHECK(nck_codebook_pack(many, 0, 1, memory, &codebook) == NCK_CODEBOOK_BAD_DIMENSION, "0 dimensions packed");
    CHECK(nck_codebook_pack(many, 513, 1, memory, &codebook) == NCK_CODEBOOK_BAD_DIMENSION, "513 dimensions packed");
    CHECK(nck_codebook_pack(many, 1, 0, memory, &codebook) == NCK_CODEBOOK_BAD_COUNT, "no codewords packed");
    CHECK(nck_codebook_pack(many, 1, ((size_t)1 << 24) + 1, memory, &codebook) == NCK_CODEBOOK_BAD_COUNT, "too many codewords packed");
    const float bad[] = {NAN, INFINITY, -INFINITY, 0x1.000002p50f};
    for (int k = 0; k < 4; k++) {
        many[2] = bad[k];
        CHECK(nck_codebook_pack(many, 1, 4, memory, &codebook) == NCK_CODEBOOK_OUT_OF_RANGE, "%g packed", many[2]);
    }
}

// Trains for some rounds, the search in parts of `part` vectors as threads would do it. Returns the distortion before the last improvement, per value.
static double train(const float *vectors, size_t count, size_t n, size_t codewords, float *rows, int rounds, size_t part, size_t *moved) {
    int32_t *indices = malloc(count * sizeof *indices);
    void *scratch = malloc(nck_codebook_improve_scratch(n, codewords));
    double last = INFINITY;
    *moved = 0;
    for (int round = 0; round < rounds; round++) {
        const nck_codebook *codebook = packed(rows, n, codewords);
        for (size_t v = 0; v < count; v += part) quantizers->codebook(codebook, vectors + v * n, indices + v, NULL, NULL, count - v < part ? count - v : part);
        size_t some;
        const double distortion = nck_codebook_improve(vectors, indices, count, n, codewords, rows, scratch, &some);
        CHECK(distortion <= last * (1 + 1e-6), "distortion rose from %.9g to %.9g", last, distortion);
        last = distortion;
        *moved += some;
    }
    free(indices), free(scratch);
    return last / (double)(count * n);
}

static void check_training(void) {
    enum { COUNT = 20000, N = 4, CODEWORDS = 100 };
    static float vectors[COUNT * N], rows[2][CODEWORDS * N];
    size_t moved[2];
    fill(vectors, COUNT * N, -1, 1);
    vectors[17] = NAN, vectors[18] = 1.5f;
    // The same twice, whatever the parts; and other draws for another seed.
    for (int k = 0; k < 2; k++) {
        CHECK(nck_codebook_draw(vectors, COUNT, N, CODEWORDS, 7, rows[k]), "nothing drawn");
        train(vectors, COUNT, N, CODEWORDS, rows[k], 15, k ? 977 : COUNT, &moved[k]);
    }
    CHECK(memcmp(rows[0], rows[1], sizeof *rows) == 0 && moved[0] == moved[1], "a second training gives another codebook");
    nck_codebook_draw(vectors, COUNT, N, CODEWORDS, 7, rows[0]);
    nck_codebook_draw(vectors, COUNT, N, CODEWORDS, 8, rows[1]);
    CHECK(memcmp(rows[0], rows[1], sizeof *rows) != 0, "two seeds draw the same");
    CHECK(!nck_codebook_draw(vectors, 99, N, CODEWORDS, 7, rows[0]), "100 of 99 vectors drawn");
    CHECK(nck_codebook_draw(vectors, CODEWORDS, N, CODEWORDS, 7, rows[0]), "100 of 100 vectors not drawn");
    for (size_t i = 0; i < CODEWORDS * N; i++) CHECK(rows[0][i] == (i == 17 ? 0 : vectors[i]), "all of the vectors are not all of them");
    // Codewords that are all the same: every cell gets its share.
    for (size_t i = 0; i < CODEWORDS * N; i++) rows[0][i] = 0.25f;
    const double poor = train(vectors, COUNT, N, CODEWORDS, rows[0], 40, COUNT, &moved[0]);
    nck_codebook_draw(vectors, COUNT, N, CODEWORDS, 7, rows[1]);
    const double good = train(vectors, COUNT, N, CODEWORDS, rows[1], 40, COUNT, &moved[1]);
    CHECK(moved[0] > CODEWORDS / 2 && poor < 1.02 * good, "from one point: distortion %g, moved %d; from a draw %g", poor, (int)moved[0], good);
    // As many codewords as different vectors: no error is left, and nothing more happens.
    const float few[] = {1, 2, 2, 3, 3, 3, 4, 1};
    float five[] = {9, 9, 9, 9, 9};
    const double none = train(few, 8, 1, 5, five, 8, 8, &moved[0]);
    CHECK(none == 0, "distortion %g with a codeword for every vector", none);
}

// The optimal scalar quantizers of a Gaussian (Max 1960).
static void check_gaussian(void) {
    enum { COUNT = 200000 };
    static float x[COUNT];
    const size_t levels[] = {1, 2, 4, 8};
    const double distortions[] = {1, 0.3634, 0.1175, 0.03454};
    for (size_t i = 0; i < COUNT; i++) x[i] = (float)(sqrt(-2 * log(1 - uniform())) * cos(2 * M_PI * uniform()));
    for (int k = 0; k < 4; k++) {
        float rows[8];
        size_t moved;
        nck_codebook_draw(x, COUNT, 1, levels[k], 1, rows);
        const double distortion = train(x, COUNT, 1, levels[k], rows, k == 3 ? 150 : 50, COUNT, &moved);
        CHECK(fabs(distortion - distortions[k]) < 0.012 * distortions[k], "%d levels: distortion %g, not %g", (int)levels[k], distortion, distortions[k]);
    }
}

void check_codebooks(void) {
    const size_t dimensions[] = {1, 2, 3, 8, 15, 16, 33, 128, 129, 512}, codewords[] = {1, 2, 15, 16, 17, 64, 65, 200, 1031};
    for (size_t d = 0; d < sizeof dimensions / sizeof *dimensions; d++)
        for (size_t k = 0; k < sizeof codewords / sizeof *codewords; k++)
            for (int integers = 0; integers < 2; integers++)
                check_codebook_search(dimensions[d], codewords[k], 1 + (dimensions[d] * 31 + codewords[k]) % 120, integers);
    check_codebook_search(8, 20000, 60, 1);
    check_codebook_search(4, 2000, 500, 1); // duplicates
    check_edges();
    check_training();
    check_gaussian();
}

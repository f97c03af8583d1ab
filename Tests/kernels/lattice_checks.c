// SPDX-License-Identifier: Apache-2.0
// Classical lattices, the scalar quantizer, codebooks and bases: blocks and what is left of them, unaligned starts, outputs left out, points back from coordinates.
#include "kernelcheck.h"
#include <stdlib.h>
#include <string.h>

static int32_t *zeros_of(size_t count) { return calloc(count + GUARD_FLOATS, sizeof(int32_t)); }

// Both outputs, the guards behind them included.
static uint64_t hash_outputs(uint64_t hash, float *points, const int32_t *integers, size_t count) {
    const uint64_t first = hash_floats(points, count);
    return hash_bytes(hash_bytes(hash, &first, sizeof first), integers, (count + GUARD_FLOATS) * sizeof *integers);
}

// Integers and half-integers of steps: points of the lattice and ties.
static void to_halves(float *values, size_t count, float step) {
    const float magic = 0x1.8p22f;
    for (size_t i = 0; i < count; i++) values[i] = ((3 * values[i] + magic) - magic) * step;
}

static uint64_t run_lattice(const nck_kernels *k, uint64_t round, nck_lattice kind, size_t n) {
    static const float scales[] = {1.0f, 0.3f, 0x1p-30f, 7.0f, 0x1p-18f};
    const size_t count = positions_of(round), values = count * n + 1, shift = round % 2;
    const float scale = scales[round % 5];
    float *in = floats_of(values), *points = floats_of(values);
    int32_t *coordinates = zeros_of(values);
    if (round % 3 == 0) to_halves(in, values, scale);
    k->quantizers.nearest(kind, n, scale, in + shift, round % 4 == 1 ? NULL : points + shift, round % 4 == 2 ? NULL : coordinates + shift, count);
    uint64_t hash = hash_outputs(HASH_START, points, coordinates, values);
    k->quantizers.lattice_points(kind, n, scale, coordinates + shift, points + shift, count);
    hash = hash_outputs(hash, points, coordinates, values);
    for (size_t i = 0; i < values; i++) coordinates[i] = (int32_t)random_bits(); // sums of these wrap
    k->quantizers.lattice_points(kind, n, scale, coordinates, points, count);
    hash = hash_outputs(hash, points, coordinates, values);
    k->quantizers.nearest(kind, n, scale, in, in, NULL, count);
    hash = hash_outputs(hash, in, coordinates, values);
    free(in), free(points), free(coordinates);
    return hash;
}

static uint64_t run_z(const nck_kernels *k, uint64_t round) { return run_lattice(k, round, NCK_LATTICE_ZN, 1 + random_bits() % 64); }

static uint64_t run_a(const nck_kernels *k, uint64_t round) { return run_lattice(k, round, NCK_LATTICE_AN, round % 4 ? 1 + random_bits() % 64 : 2); }

static uint64_t run_d(const nck_kernels *k, uint64_t round) { return run_lattice(k, round, NCK_LATTICE_DN, round % 4 ? 1 + random_bits() % 64 : 4); }

static uint64_t run_gosset(const nck_kernels *k, uint64_t round) { return run_lattice(k, round, NCK_LATTICE_E8, 8); }

static uint64_t run_barnes_wall(const nck_kernels *k, uint64_t round) { return run_lattice(k, round, NCK_LATTICE_BW16, 16); }

static uint64_t run_leech(const nck_kernels *k, uint64_t round) { return run_lattice(k, round, NCK_LATTICE_LEECH, 24); }

static uint64_t run_scalar(const nck_kernels *k, uint64_t round) {
    static const float zones[] = {0, 0.5f, 0.7f, 1, 3};
    const size_t count = 5 * positions_of(round) + 1, shift = round % 2;
    const nck_scalar quantizer = {.step = round % 3 ? 0.3f : 1e-6f, .offset = round % 4 ? 0.1f : 0, .dead_zone = zones[round % 5]};
    float *in = floats_of(count), *points = floats_of(count);
    int32_t *indices = zeros_of(count);
    if (round % 3 == 1) to_halves(in, count, quantizer.step);
    k->quantizers.scalar(&quantizer, in + shift, round % 4 == 1 ? NULL : points + shift, round % 4 == 2 ? NULL : indices + shift, count - 1);
    uint64_t hash = hash_outputs(HASH_START, points, indices, count);
    for (size_t i = 0; i < count; i++) indices[i] = (int32_t)random_bits();
    k->quantizers.scalar_points(&quantizer, indices + shift, points + shift, count - 1);
    hash = hash_outputs(hash, points, indices, count);
    free(in), free(points), free(indices);
    return hash;
}

static int is_small(float v) { return v >= -8 && v <= 8; }

// Codewords that hold none of the hostile values, but come twice; and a step of training.
static uint64_t run_codebook(const nck_kernels *k, uint64_t round) {
    static const size_t dimensions[] = {1, 2, 8, 13, 16, 32, 128, 131};
    const size_t n = dimensions[round % 8], codewords = 1 + random_bits() % (n > 100 ? 40 : 600), count = 3 * positions_of(round) + 1, shift = round % 2;
    float *rows = floats_of(codewords * n), *packed = floats_of(nck_codebook_size(n, codewords)), *in = floats_of(count * n), *points = floats_of(count * n);
    float *distances = floats_of(count);
    int32_t *indices = zeros_of(count);
    for (size_t i = 0; i < codewords * n; i++) rows[i] = is_small(rows[i]) ? rows[i] : 0.5f;
    if (codewords > 20) memcpy(rows + (codewords - 2) * n, rows, 2 * n * sizeof *rows);
    if (round % 3 == 0) to_halves(rows, codewords * n, 1), to_halves(in, count * n, 1); // ties
    nck_codebook codebook;
    uint64_t hash = HASH_START ^ (uint64_t)nck_codebook_pack(rows, n, codewords, packed, &codebook);
    k->quantizers.codebook(&codebook, in + shift, indices, round % 4 == 1 ? NULL : points + shift, round % 4 == 2 ? NULL : distances + shift, count - 1);
    hash = hash_outputs(hash, distances, indices, count) ^ hash_floats(points, count * n);
    void *scratch = malloc(nck_codebook_improve_scratch(n, codewords));
    size_t moved;
    const double distortion = nck_codebook_improve(in + shift, indices, count - 1, n, codewords, rows, scratch, &moved);
    hash = hash_bytes(hash_bytes(hash, &distortion, sizeof distortion), rows, codewords * n * sizeof *rows) ^ moved;
    k->quantizers.codebook(&codebook, in, NULL, in, NULL, count);
    hash ^= hash_floats(in, count * n);
    free(rows), free(packed), free(in), free(points), free(distances), free(indices), free(scratch);
    return hash;
}

// The searches on any basis: the same code on every path, but not the same compiler's output on every architecture.
static uint64_t run_basis(const nck_kernels *k, uint64_t round) {
    const size_t n = 1 + round % 20, count = 1 + round % 5;
    float *rows = floats_of(n * n), *in = floats_of(count * n), *points = floats_of(count * n);
    int32_t *coordinates = zeros_of(count * n);
    uint8_t proven[8] = {0};
    void *memory = malloc(nck_basis_size(n)), *scratch = malloc(nck_basis_scratch(n));
    const nck_basis *basis;
    uint64_t hash = HASH_START ^ (uint64_t)nck_basis_prepare(rows, n, memory, &basis);
    for (size_t i = 0; i < n * n; i++) rows[i] = is_small(rows[i]) ? rows[i] : 0.5f;
    if (round % 4 == 0) to_halves(rows, n * n, 1);
    nck_basis_status status = nck_basis_prepare(rows, n, memory, &basis);
    hash = hash_bytes(hash, &status, sizeof status);
    if (status == NCK_BASIS_PREPARED) {
        const double facts[] = {basis->volume, basis->side, basis->defect, basis->reduced_defect, basis->condition, basis->reach};
        hash = hash_bytes(hash_bytes(hash, facts, sizeof facts), basis->inverse, n * n * sizeof *basis->inverse);
        hash = hash_bytes(hash, basis->transform, n * n * sizeof *basis->transform);
        hash = hash_bytes(hash_bytes(hash, basis->given.triangle, n * n * 8), basis->reduced.axes_across, n * n * 8);
        for (int method = 0; method < 3; method++) {
            uint64_t tried = 0;
            if (method == 2) tried = nck_basis_closest(basis, in, round % 3 ? 0 : 100, coordinates, proven, count, scratch);
            else nck_basis_nearest_plane(basis, method ? &basis->reduced : &basis->given, in, coordinates, count, scratch);
            nck_basis_points(k, basis, coordinates, points, count);
            hash = hash_bytes(hash_bytes(hash_outputs(hash, points, coordinates, count * n), proven, sizeof proven), &tried, sizeof tried);
        }
    }
    free(rows), free(in), free(points), free(coordinates), free(memory), free(scratch);
    return hash;
}

const check lattice_checks[] = {
    {"scalar", run_scalar},
    {"lattice_z", run_z},
    {"lattice_a", run_a},
    {"lattice_d", run_d},
    {"lattice_e8", run_gosset},
    {"lattice_barnes_wall", run_barnes_wall},
    {"lattice_leech", run_leech},
    {"codebook", run_codebook},
    {"basis", run_basis},
    {0},
};

// SPDX-License-Identifier: Apache-2.0
// Classical lattices and the scalar quantizer: blocks and what is left of them, unaligned starts, outputs left out, points back from coordinates.
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

const check lattice_checks[] = {
    {"scalar", run_scalar},
    {"lattice_z", run_z},
    {"lattice_a", run_a},
    {"lattice_d", run_d},
    {"lattice_e8", run_gosset},
    {"lattice_barnes_wall", run_barnes_wall},
    {0},
};

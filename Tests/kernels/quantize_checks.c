// SPDX-License-Identifier: Apache-2.0
// One function a kernel: odd counts, steps larger than the channels, unaligned starts.
#include "kernelcheck.h"
#include <stdlib.h>
#include <string.h>

static uint64_t run_parameters(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3), step = channels * 2;
    float *gain = floats_of(channels), *log_scale = floats_of(channels), *raw = floats_of(positions * step), *mean = floats_of(positions * step);
    float thresholds[255];
    for (int i = 0; i < 255; i++) thresholds[i] = i < 127 ? -2.0f + 0.03f * (float)i : __builtin_inff();
    uint8_t *index = calloc(positions * channels + GUARD_FLOATS, 1);
    k->parameters(gain, log_scale, thresholds, channels, raw, mean, (ptrdiff_t)step, index, positions);
    uint64_t hash = hash_bytes(hash_floats(mean, positions * step), index, positions * channels + GUARD_FLOATS);
    free(gain), free(log_scale), free(raw), free(mean), free(index);
    return hash;
}

static uint64_t run_quantize(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3), step = channels * 2;
    float *gain = floats_of(channels), *y = floats_of(positions * step), *mean = floats_of(positions * step);
    for (size_t c = 0; c < channels; c++) gain[c] *= round % 2 ? 1.0f : 1e6f;
    int32_t *symbols = calloc(positions * channels + GUARD_FLOATS, sizeof *symbols);
    k->quantize(gain, channels, y, (ptrdiff_t)step, mean, (ptrdiff_t)step, symbols, positions);
    uint64_t hash = hash_bytes(hash_floats(mean, positions * step), symbols, (positions * channels + GUARD_FLOATS) * sizeof *symbols);
    k->reconstruct(symbols, channels, mean, (ptrdiff_t)step, positions);
    hash ^= hash_floats(mean, positions * step);
    free(gain), free(y), free(mean), free(symbols);
    return hash;
}

static uint64_t run_hyper(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3);
    float *median = floats_of(channels), *z = floats_of(positions * channels);
    int32_t *symbols = calloc(positions * channels + GUARD_FLOATS, sizeof *symbols);
    k->quantize_hyper(median, channels, z, symbols, positions);
    k->reconstruct_hyper(median, channels, symbols, z, positions);
    uint64_t hash = hash_bytes(hash_floats(z, positions * channels), symbols, (positions * channels + GUARD_FLOATS) * sizeof *symbols);
    free(median), free(z), free(symbols);
    return hash;
}

// A variable rate's helpers, which are the same code on every path.
static uint64_t run_steps(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3), count = positions * channels;
    const float step = 0.5f + 0.25f * (float)(round % 5);
    (void)k;
    float *median = floats_of(channels), *z = floats_of(count), *pairs = floats_of(2 * count), *offsets = floats_of(16 * count), *values = floats_of(count);
    int32_t *symbols = calloc(count + GUARD_FLOATS, sizeof *symbols);
    nck_quantize_steps(median, step, channels, z, symbols, positions);
    nck_reconstruct_steps(median, step, channels, symbols, z, positions);
    nck_offset_inputs(z, 0x1.c28f5cp-4f, step, pairs, count);
    nck_add_with_offsets(symbols, offsets, step, values, count);
    uint64_t hash = hash_bytes(hash_floats(z, count), symbols, (count + GUARD_FLOATS) * sizeof *symbols);
    hash ^= hash_floats(pairs, 2 * count) ^ 3 * hash_floats(values, count);
    free(median), free(z), free(pairs), free(offsets), free(values), free(symbols);
    return hash;
}

const check quantize_checks[] = {
    {"parameters", run_parameters},
    {"quantize", run_quantize},
    {"hyper", run_hyper},
    {"steps", run_steps},
    {0},
};

// SPDX-License-Identifier: Apache-2.0
// One function a kernel: odd counts, steps larger than the channels, unaligned starts.
#include "kernelcheck.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_POSITIONS = 33 };

static size_t positions_of(uint64_t round) { return 1 + round % MOST_POSITIONS; }

// Hashes the floats a kernel may have written, and the guard behind them, which it may not.
static uint64_t finish(float *values, size_t count) {
    canonicalize(values, count + GUARD_FLOATS);
    uint64_t hash = hash_bytes(HASH_START, values, (count + GUARD_FLOATS) * sizeof *values);
    return hash;
}

static uint64_t run_convolve(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), taps = round % 3 == 0 ? 9 : 1, inputs = 1 + random_bits() % 24;
    const size_t outputs = NCK_LANES * (1 + round % 7), step = outputs + (round % 4 == 1 ? 16 : 0);
    const ptrdiff_t stride = round % 5 == 0 ? 2 : 1, row = (ptrdiff_t)((positions + 2) * inputs) * stride;
    float *weights = floats_of(outputs * inputs * taps), *bias = floats_of(outputs), *in = floats_of((size_t)row * 3 + inputs * 8 + 1);
    float *residual = floats_of(positions * step + 1), *out = floats_of(positions * step + 1);
    ptrdiff_t offsets[9] = {0};
    for (size_t t = 0; t < taps; t++) offsets[t] = (ptrdiff_t)(t / 3) * row + (ptrdiff_t)(t % 3) * (ptrdiff_t)inputs;
    const nck_convolution convolution = {weights, bias, offsets, taps, inputs, outputs};
    const nck_epilogue epilogue = {round % 2 ? residual + 1 : NULL, (ptrdiff_t)step, round % 3 ? 0.1f : 1.0f};
    k->convolve(&convolution, in + round % 2, (ptrdiff_t)inputs * stride, out + round % 2, (ptrdiff_t)step, positions, epilogue);
    uint64_t hash = finish(out, positions * step + 1);
    free(weights), free(bias), free(in), free(residual), free(out);
    return hash;
}

static uint64_t run_depthwise(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), size = round % 2 ? 3 : 5, channels = NCK_LANES * (1 + round % 3), apart = 1 + round % 3 / 2;
    const size_t row = (positions * apart + size) * channels;
    float *weights = floats_of(size * size * channels), *bias = floats_of(channels), *in = floats_of(row * size + 1), *out = floats_of(positions * channels + 1);
    k->depthwise(weights, bias, size, channels, in + round % 2, (ptrdiff_t)row, (ptrdiff_t)(channels * apart), out + round % 2, (ptrdiff_t)channels, positions,
                 round % 3 ? 0.1f : 1.0f);
    uint64_t hash = finish(out, positions * channels + 1);
    free(weights), free(bias), free(in), free(out);
    return hash;
}

static uint64_t run_activate(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3), step = channels * 2;
    float *in = floats_of(positions * step), *out = floats_of(positions * channels);
    k->activate(channels, in, (ptrdiff_t)step, out, (ptrdiff_t)channels, positions, 0.1f);
    uint64_t hash = finish(out, positions * channels);
    free(in), free(out);
    return hash;
}

static uint64_t run_scale(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3), step = channels * 2;
    float *factor = floats_of(channels), *in = floats_of(positions * step), *out = floats_of(positions * channels);
    k->scale(factor, channels, in, (ptrdiff_t)step, out, (ptrdiff_t)channels, positions);
    uint64_t hash = finish(out, positions * channels);
    free(factor), free(in), free(out);
    return hash;
}

static uint64_t run_parameters(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3), step = channels * 2;
    float *gain = floats_of(channels), *log_scale = floats_of(channels), *raw = floats_of(positions * step), *mean = floats_of(positions * step);
    float thresholds[255];
    for (int i = 0; i < 255; i++) thresholds[i] = i < 127 ? -2.0f + 0.03f * (float)i : __builtin_inff();
    uint8_t *index = calloc(positions * channels + GUARD_FLOATS, 1);
    k->parameters(gain, log_scale, thresholds, channels, raw, mean, (ptrdiff_t)step, index, positions);
    uint64_t hash = hash_bytes(finish(mean, positions * step), index, positions * channels + GUARD_FLOATS);
    free(gain), free(log_scale), free(raw), free(mean), free(index);
    return hash;
}

static uint64_t run_quantize(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3), step = channels * 2;
    float *gain = floats_of(channels), *y = floats_of(positions * step), *mean = floats_of(positions * step);
    for (size_t c = 0; c < channels; c++) gain[c] *= round % 2 ? 1.0f : 1e6f;
    int32_t *symbols = calloc(positions * channels + GUARD_FLOATS, sizeof *symbols);
    k->quantize(gain, channels, y, (ptrdiff_t)step, mean, (ptrdiff_t)step, symbols, positions);
    uint64_t hash = hash_bytes(finish(mean, positions * step), symbols, (positions * channels + GUARD_FLOATS) * sizeof *symbols);
    k->reconstruct(symbols, channels, mean, (ptrdiff_t)step, positions);
    hash ^= finish(mean, positions * step);
    free(gain), free(y), free(mean), free(symbols);
    return hash;
}

static uint64_t run_hyper(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3);
    float *median = floats_of(channels), *z = floats_of(positions * channels);
    int32_t *symbols = calloc(positions * channels + GUARD_FLOATS, sizeof *symbols);
    k->quantize_hyper(median, channels, z, symbols, positions);
    k->reconstruct_hyper(median, channels, symbols, z, positions);
    uint64_t hash = hash_bytes(finish(z, positions * channels), symbols, (positions * channels + GUARD_FLOATS) * sizeof *symbols);
    free(median), free(z), free(symbols);
    return hash;
}

static uint64_t run_patches(const nck_kernels *k, uint64_t round) {
    const size_t positions = 1 + round % 5, channels = round % 2 ? 3 : 1, width = 1 + random_bits() % 80, height = 1 + random_bits() % 40, stride = width * channels + round % 3;
    uint8_t *pixels = malloc(stride * height);
    for (size_t i = 0; i < stride * height; i++) pixels[i] = (uint8_t)random_bits();
    float *out = floats_of(positions * 768);
    k->patches(pixels, stride, width, height, channels, round % 4, round % 3, out, positions);
    uint64_t hash = finish(out, positions * 768);
    free(pixels), free(out);
    return hash;
}

static uint64_t run_pixels(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = round % 2 ? 3 : 1, width = 1 + random_bits() % 80, height = 1 + random_bits() % 9, stride = width * channels + 5;
    float *base = floats_of(positions * 64), *detail = floats_of(positions * 48);
    uint8_t *out = calloc(stride * height + GUARD_FLOATS, 1);
    k->pixels(base, 64, detail, round % 2, round % 4, positions, out, stride, width, height, channels);
    uint64_t hash = hash_bytes(HASH_START, out, stride * height + GUARD_FLOATS);
    free(base), free(detail), free(out);
    return hash;
}

// The same code on every path, but not on every architecture.
static uint64_t run_common(const nck_kernels *k, uint64_t round) {
    (void)k;
    enum { KNOTS = 5, CHANNELS = 32 };
    float *table = floats_of(KNOTS * CHANNELS), *out = floats_of(2 * CHANNELS);
    nck_rate_table(table, KNOTS, CHANNELS, (uint32_t)(round * 1663), out);
    nck_exp(round % 2 ? 1.0f : -1.0f, out, out + CHANNELS, CHANNELS);
    uint64_t hash = finish(out, 2 * CHANNELS);
    free(table), free(out);
    return hash;
}

const check checks[] = {
    {"convolve", run_convolve}, {"depthwise", run_depthwise}, {"activate", run_activate}, {"scale", run_scale},   {"parameters", run_parameters},
    {"quantize", run_quantize}, {"hyper", run_hyper},         {"patches", run_patches},   {"pixels", run_pixels}, {"common", run_common},
};
const size_t check_count = sizeof checks / sizeof *checks;

// SPDX-License-Identifier: Apache-2.0
// One function a kernel: odd counts, steps larger than the channels, unaligned starts.
#include "kernelcheck.h"
#include <stdlib.h>
#include <string.h>

static uint64_t run_activate(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3), step = channels * 2;
    float *in = floats_of(positions * step), *out = floats_of(positions * channels);
    k->activate(channels, in, (ptrdiff_t)step, out, (ptrdiff_t)channels, positions, (nck_activation){NCK_LEAKY_RELU, 0.1f});
    uint64_t hash = hash_floats(out, positions * channels);
    free(in), free(out);
    return hash;
}

static uint64_t run_scale(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3), step = channels * 2;
    float *factor = floats_of(channels), *in = floats_of(positions * step), *out = floats_of(positions * channels);
    k->scale(factor, channels, in, (ptrdiff_t)step, out, (ptrdiff_t)channels, positions);
    uint64_t hash = hash_floats(out, positions * channels);
    free(factor), free(in), free(out);
    return hash;
}

// A function of one value, by itself and as a convolution's activation; the ranges reach the saturated ends of all.
static uint64_t run_function(const nck_kernels *k, uint64_t round, nck_function function) {
    static const float ranges[] = {1.0f, 4.0f, 50.0f, 1e-30f, 1e37f};
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3), step = channels * (1 + round % 2);
    const nck_activation activation = {function, 0};
    float *in = floats_of(positions * step + 1), *out = floats_of(positions * step + 1), *weights = floats_of(channels), *bias = floats_of(channels);
    for (size_t i = 0; i < positions * step + 1; i++) in[i] *= ranges[round % 5];
    k->activate(channels, in + round % 2, (ptrdiff_t)step, out + round % 2, (ptrdiff_t)step, positions, activation);
    uint64_t hash = hash_floats(out, positions * step + 1);
    const ptrdiff_t here[] = {0};
    const nck_convolution convolution = {weights, bias, here, NULL, 1, 1, channels};
    const nck_epilogue epilogue = {in, (ptrdiff_t)step, round % 3 ? NCK_ADD_BEFORE : NCK_ADD_AFTER, activation};
    k->convolve(&convolution, in, (ptrdiff_t)step, out, (ptrdiff_t)step, positions, epilogue);
    hash ^= hash_floats(out, positions * step + 1) * 3;
    k->activate(channels, in, (ptrdiff_t)step, in, (ptrdiff_t)step, positions, activation);
    hash ^= hash_floats(in, positions * step + 1) * 5;
    free(in), free(out), free(weights), free(bias);
    return hash;
}

static uint64_t run_exp(const nck_kernels *k, uint64_t round) { return run_function(k, round, NCK_EXP); }
static uint64_t run_gelu(const nck_kernels *k, uint64_t round) { return run_function(k, round, NCK_GELU); }
static uint64_t run_sigmoid(const nck_kernels *k, uint64_t round) { return run_function(k, round, NCK_SIGMOID); }
static uint64_t run_softplus(const nck_kernels *k, uint64_t round) { return run_function(k, round, NCK_SOFTPLUS); }
static uint64_t run_tanh(const nck_kernels *k, uint64_t round) { return run_function(k, round, NCK_TANH); }

// The same code on every path, but not on every architecture.
static uint64_t run_common(const nck_kernels *k, uint64_t round) {
    (void)k;
    enum { KNOTS = 5, CHANNELS = 32 };
    float *table = floats_of(KNOTS * CHANNELS), *out = floats_of(2 * CHANNELS);
    nck_rate_table(table, KNOTS, CHANNELS, (uint32_t)(round * 1663), out);
    nck_exp(round % 2 ? 1.0f : -1.0f, out, out + CHANNELS, CHANNELS);
    uint64_t hash = hash_floats(out, 2 * CHANNELS);
    free(table), free(out);
    return hash;
}

const check elementwise_checks[] = {
    {"activate", run_activate},
    {"scale", run_scale},
    {"exp", run_exp},
    {"gelu", run_gelu},
    {"sigmoid", run_sigmoid},
    {"softplus", run_softplus},
    {"tanh", run_tanh},
    {"common", run_common},
    {0},
};

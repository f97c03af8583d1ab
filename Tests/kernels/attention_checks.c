// SPDX-License-Identifier: Apache-2.0
// One function a kernel: odd counts, steps larger than the channels, unaligned starts.
#include "kernelcheck.h"
#include <stdlib.h>
#include <string.h>

static uint64_t run_layer_norm(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 7), step = channels + round % 3 * 8;
    float *weight = floats_of(channels), *bias = floats_of(channels), *in = floats_of(positions * step + 1), *out = floats_of(positions * step + 1);
    for (size_t i = 0; i < step && round % 4 == 1; i++) in[1 + i] = 1.5f; // variance 0
    for (size_t i = 0; i < positions * step + 1 && round % 4 == 2; i++) in[i] *= 1e25f; // variance beyond the range
    k->layer_norm(weight, bias, 1e-5f, channels, in + round % 2, (ptrdiff_t)step, out + round % 2, (ptrdiff_t)step, positions);
    uint64_t hash = hash_floats(out, positions * step + 1);
    k->layer_norm(weight, bias, 1e-5f, channels, in, (ptrdiff_t)step, in, (ptrdiff_t)step, positions);
    hash ^= hash_floats(in, positions * step + 1) * 3;
    free(weight), free(bias), free(in), free(out);
    return hash;
}

static uint64_t run_softmax(const nck_kernels *k, uint64_t round) {
    const size_t rows = positions_of(round), count = 1 + random_bits() % 70, step = count + round % 3;
    float *in = floats_of(rows * step + 1), *out = floats_of(rows * step + 1);
    for (size_t i = 0; i < rows * step + 1; i++) in[i] *= round % 4 ? 20.0f : 1e20f;
    for (size_t i = 0; i < count && round % 4 == 1; i++) in[1 + i] = -__builtin_inff(); // nothing is greatest
    k->softmax(count, in + round % 2, (ptrdiff_t)step, out + round % 2, (ptrdiff_t)step, rows);
    uint64_t hash = hash_floats(out, rows * step + 1);
    k->softmax(count, in, (ptrdiff_t)step, in, (ptrdiff_t)step, rows);
    hash ^= hash_floats(in, rows * step + 1) * 3;
    free(in), free(out);
    return hash;
}

// Tokens lie in a shuffled order, other channels between them. Even rounds: results beside the input; odd ones: over the queries.
static uint64_t run_attention(const nck_kernels *k, uint64_t round) {
    static const size_t window[] = {16, 64, 4, 49, 16, 36, 1, 32}, head[] = {16, 32, 8, 24, 64, 20, 7};
    enum { MOST = 64 };
    const size_t tokens = window[round % 8], channels = head[round % 7], width = channels * 2 + 5, step = width * 3;
    float *qkv = floats_of(tokens * step + 1), *out = floats_of(tokens * width), *bias = floats_of(tokens * tokens);
    const size_t room = nck_attention_scratch(tokens, channels);
    float *scratch = floats_of(room);
    ptrdiff_t in_offsets[MOST], out_offsets[MOST];
    uint8_t region[MOST];
    for (size_t t = 0; t < tokens; t++) {
        const size_t place = t * 37 % tokens;
        in_offsets[t] = (ptrdiff_t)(place * step + 3), out_offsets[t] = round % 2 ? in_offsets[t] : (ptrdiff_t)(place * width + 5);
        region[t] = (uint8_t)(t % 8 < 3 ? 200 : t / 8 < 3 ? 7 : 0);
    }
    const nck_attention attention = {tokens, channels, in_offsets, out_offsets, (ptrdiff_t)width, 2 * (ptrdiff_t)width - 3, 0.25f,
                                     round % 3 ? bias : NULL, round % 5 > 2 ? region : NULL};
    k->attention(&attention, qkv, round % 2 ? qkv : out, scratch);
    uint64_t hash = hash_floats(out, tokens * width) ^ hash_floats(qkv, tokens * step + 1) * 3 ^ hash_floats(scratch + room, 0) * 5;
    free(qkv), free(out), free(bias), free(scratch);
    return hash;
}

static uint64_t run_add(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3), step = channels * 2;
    float *a = floats_of(positions * step + 1), *b = floats_of(positions * channels), *out = floats_of(positions * channels + 1);
    k->add(channels, a + round % 2, (ptrdiff_t)step, b, (ptrdiff_t)channels, out + round % 2, (ptrdiff_t)channels, positions);
    uint64_t hash = hash_floats(out, positions * channels + 1);
    k->add(channels, a, (ptrdiff_t)step, b, (ptrdiff_t)channels, a, (ptrdiff_t)step, positions);
    hash ^= hash_floats(a, positions * step + 1) * 3;
    free(a), free(b), free(out);
    return hash;
}

static uint64_t run_gate(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3), step = channels * 2;
    float *residual = floats_of(positions * step), *a = floats_of(positions * channels + 1), *b = floats_of(positions * channels), *out = floats_of(positions * channels + 1);
    for (size_t i = 0; i < positions * channels; i++) b[i] *= round % 2 ? 5.0f : 60.0f;
    k->gate(channels, round % 3 ? residual : NULL, (ptrdiff_t)step, a + round % 2, (ptrdiff_t)channels, b, (ptrdiff_t)channels, out + round % 2, (ptrdiff_t)channels,
            positions);
    uint64_t hash = hash_floats(out, positions * channels + 1);
    k->gate(channels, residual, (ptrdiff_t)step, a, (ptrdiff_t)channels, b, (ptrdiff_t)channels, residual, (ptrdiff_t)step, positions);
    hash ^= hash_floats(residual, positions * step) * 3;
    free(residual), free(a), free(b), free(out);
    return hash;
}

const check attention_checks[] = {
    {"layer_norm", run_layer_norm},
    {"softmax", run_softmax},
    {"attention", run_attention},
    {"add", run_add},
    {"gate", run_gate},
    {0},
};

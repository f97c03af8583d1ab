// SPDX-License-Identifier: Apache-2.0
// One function a kernel: odd counts, steps larger than the channels, unaligned starts.
#include "reference.h"

static nck_activation leaky_or_none(uint64_t round) { return round % 3 ? (nck_activation){NCK_LEAKY_RELU, 0.1f} : (nck_activation){NCK_IDENTITY, 0}; }

static uint64_t run_convolve(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), taps = round % 3 == 0 ? 9 : 1, inputs = 1 + random_bits() % 24;
    const size_t outputs = NCK_LANES * (1 + round % 7), step = outputs + (round % 4 == 1 ? 16 : 0);
    const ptrdiff_t stride = round % 5 == 0 ? 2 : 1, row = (ptrdiff_t)((positions + 2) * inputs) * stride;
    float *weights = floats_of(outputs * inputs * taps), *bias = floats_of(outputs), *in = floats_of((size_t)row * 3 + inputs * 8 + 1);
    float *residual = floats_of(positions * step + 1), *out = floats_of(positions * step + 1);
    ptrdiff_t offsets[9] = {0};
    for (size_t t = 0; t < taps; t++) offsets[t] = (ptrdiff_t)(t / 3) * row + (ptrdiff_t)(t % 3) * (ptrdiff_t)inputs;
    const nck_convolution convolution = {weights, bias, offsets, NULL, taps, inputs, outputs};
    const nck_epilogue epilogue = {round % 2 ? residual + 1 : NULL, (ptrdiff_t)step, NCK_ADD_BEFORE, leaky_or_none(round)};
    k->convolve(&convolution, in + round % 2, (ptrdiff_t)inputs * stride, out + round % 2, (ptrdiff_t)step, positions, epilogue);
    uint64_t hash = hash_floats(out, positions * step + 1);
    free(weights), free(bias), free(in), free(residual), free(out);
    return hash;
}

static uint64_t run_depthwise(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), size = round % 2 ? 3 : 5, channels = NCK_LANES * (1 + round % 3), apart = 1 + round % 3 / 2;
    const size_t row = (positions * apart + size) * channels;
    float *weights = floats_of(size * size * channels), *bias = floats_of(channels), *in = floats_of(row * size + 1), *out = floats_of(positions * channels + 1);
    k->depthwise(weights, bias, size, channels, in + round % 2, (ptrdiff_t)row, (ptrdiff_t)(channels * apart), out + round % 2, (ptrdiff_t)channels, positions,
                 leaky_or_none(round));
    uint64_t hash = hash_floats(out, positions * channels + 1);
    free(weights), free(bias), free(in), free(out);
    return hash;
}

static float activation_by_definition(float v, nck_activation a) {
    if (a.function == NCK_LEAKY_RELU) return v < 0.0f ? a.slope * v : v;
    return a.function == NCK_RELU && !(v > 0.0f) ? 0.0f : v;
}

static float epilogue_by_definition(float sum, const float *operand, nck_epilogue e) {
    switch (e.combination) {
    case NCK_ADD_BEFORE: return activation_by_definition(operand ? *operand + sum : sum, e.activation);
    case NCK_ADD_AFTER: return operand ? *operand + activation_by_definition(sum, e.activation) : activation_by_definition(sum, e.activation);
    case NCK_DIVIDE_BY_ROOT: return *operand / __builtin_sqrtf(sum);
    case NCK_MULTIPLY_BY_ROOT: return *operand * __builtin_sqrtf(sum);
    }
    abort();
}

// The operand may be what `out` holds.
static void convolve_by_definition(const nck_convolution *c, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions, nck_epilogue e) {
    for (ptrdiff_t p = 0; p < (ptrdiff_t)positions; p++)
        for (size_t o = 0; o < c->outputs; o++) {
            float sum = c->bias[o];
            for (size_t tap = 0; tap < c->taps; tap++) {
                if (c->tap_lanes && !(c->tap_lanes[tap] >> o & 1)) continue;
                for (size_t i = 0; i < c->inputs; i++)
                    sum = __builtin_fmaf(c->weights[((o / NCK_LANES * c->taps + tap) * c->inputs + i) * NCK_LANES + o % NCK_LANES],
                                         in[p * in_step + c->tap_offsets[tap] + (ptrdiff_t)i], sum);
            }
            out[p * out_step + (ptrdiff_t)o] = epilogue_by_definition(sum, e.operand ? e.operand + p * e.operand_step + (ptrdiff_t)o : NULL, e);
        }
}

// Runs the kernel and holds it against the definition; count is the size of `out` with everything in it that is not to change.
static uint64_t checked(const char *name, const nck_kernels *k, uint64_t round, const nck_convolution *c, const float *in, ptrdiff_t in_step, float *out,
                        ptrdiff_t out_step, size_t count, size_t positions, nck_epilogue e) {
    float *expected = copy_of(out, count);
    convolve_by_definition(c, in, in_step, expected, out_step, positions, e);
    k->convolve(c, in, in_step, out, out_step, positions, e);
    expect_floats(name, k, round, out, expected, count);
    free(expected);
    return hash_floats(out, count);
}

// Every combination with every activation of a comparison; operands absent, apart with a step of their own, and in place.
static nck_epilogue epilogue_of(uint64_t round, const float *operand, ptrdiff_t operand_step, const float *out, ptrdiff_t out_step) {
    static const nck_activation activations[] = {{NCK_IDENTITY, 0}, {NCK_LEAKY_RELU, 0.01f}, {NCK_RELU, 0}};
    nck_epilogue e = {NULL, 0, (nck_combination)(round % 4), activations[round / 4 % 3]};
    const uint64_t place = round / 12 % 3;
    if (place == 0 && e.combination <= NCK_ADD_AFTER) return e;
    e.operand = place == 1 ? out : operand, e.operand_step = place == 1 ? out_step : operand_step;
    return e;
}

static uint64_t run_epilogues(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round * 7), inputs = 1 + random_bits() % 6, outputs = NCK_LANES * (1 + random_bits() % 7), step = outputs + round % 2 * 3;
    const size_t in_step = inputs + round % 3, operand_step = outputs + 16, count = positions * step;
    float *weights = floats_of(outputs * inputs), *bias = floats_of(outputs), *in = floats_of(positions * in_step), *operand = floats_of(positions * operand_step);
    float *out = floats_of(count);
    if (round % 4 >= NCK_DIVIDE_BY_ROOT && round % 5) // sums of which most have a root
        for (size_t o = 0; o < outputs; o++) bias[o] = __builtin_fabsf(bias[o]) * 8.0f;
    const ptrdiff_t here = 0;
    const nck_convolution c = {weights, bias, &here, NULL, 1, inputs, outputs};
    uint64_t hash = HASH_START;
    for (uint64_t more = 0; more < 36; more += 4) { // all of them for each shape
        const nck_epilogue e = epilogue_of(round % 4 + more, operand, (ptrdiff_t)operand_step, out, (ptrdiff_t)step);
        const uint64_t result = checked("convolve_epilogues", k, round, &c, in, (ptrdiff_t)in_step, out, (ptrdiff_t)step, count, positions, e);
        hash = hash_bytes(hash, &result, sizeof result);
    }
    free(weights), free(bias), free(in), free(operand), free(out);
    return hash;
}

static uint64_t run_lanes(const nck_kernels *k, uint64_t round) {
    enum { TAPS = 9 };
    const size_t positions = positions_of(round * 7), inputs = 1 + random_bits() % 12, step = NCK_LANES + round % 2, taps = 1 + random_bits() % TAPS, count = positions * step;
    const size_t row = (positions + 2) * inputs;
    float *weights = floats_of(NCK_LANES * inputs * taps), *bias = floats_of(NCK_LANES), *in = floats_of(3 * row), *operand = floats_of(count), *out = floats_of(count);
    for (size_t l = 0; l < NCK_LANES && round % 4 == 0; l++) bias[l] = l % 2 ? -0.0f : 0.0f; // which a skipped tap leaves as it is
    ptrdiff_t offsets[TAPS];
    uint16_t lanes[TAPS];
    for (size_t t = 0; t < taps; t++) {
        offsets[t] = (ptrdiff_t)(t / 3 * row + t % 3 * inputs);
        lanes[t] = (uint16_t)(round % 5 == 1 ? 0xffff : round % 5 == 2 ? 0 : random_bits() >> 8);
    }
    const nck_convolution c = {weights, bias, offsets, lanes, taps, inputs, NCK_LANES};
    const nck_epilogue e = epilogue_of(round, operand, (ptrdiff_t)step, out, (ptrdiff_t)step);
    uint64_t hash = checked("convolve_lanes", k, round, &c, in, (ptrdiff_t)inputs, out, (ptrdiff_t)step, count, positions, e);
    free(weights), free(bias), free(in), free(operand), free(out);
    return hash;
}

// Some of 5 x 5 taps at stride 1 or 2: all of them, the causal ones of a masked convolution, or any in any order as a phase of a transposed one has them.
static uint64_t run_taps(const nck_kernels *k, uint64_t round) {
    enum { SIDE = 5, TAPS = SIDE * SIDE, CAUSAL = TAPS / 2 };
    const size_t positions = positions_of(round), inputs = 1 + random_bits() % 5, outputs = NCK_LANES * (1 + random_bits() % 4), stride = 1 + round % 2;
    const size_t row = (positions * stride + SIDE) * inputs, count = positions * outputs;
    float *weights = floats_of(outputs * inputs * TAPS), *bias = floats_of(outputs), *in = floats_of(SIDE * row), *out = floats_of(count);
    const size_t centre = round % 4 < 2 ? 2 * row + 2 * inputs : 0; // offsets on both sides of the first position, or on one
    size_t order[TAPS], taps = round % 3 == 1 ? CAUSAL : TAPS;
    for (size_t t = 0; t < TAPS; t++) order[t] = t;
    if (round % 3 == 2) {
        for (size_t t = TAPS - 1; t > 0; t--) {
            const size_t other = random_bits() % (t + 1), kept = order[t];
            order[t] = order[other], order[other] = kept;
        }
        taps = random_bits() % (TAPS + 1); // none leaves the bias
    }
    ptrdiff_t offsets[TAPS];
    for (size_t t = 0; t < taps; t++) offsets[t] = (ptrdiff_t)(order[t] / SIDE * row + order[t] % SIDE * inputs) - (ptrdiff_t)centre;
    const nck_convolution c = {weights, bias, offsets, NULL, taps, inputs, outputs};
    const nck_epilogue e = {NULL, 0, NCK_ADD_BEFORE, {NCK_RELU, 0}};
    uint64_t hash = checked("convolve_taps", k, round, &c, in + centre, (ptrdiff_t)(inputs * stride), out, (ptrdiff_t)outputs, count, positions, e);
    free(weights), free(bias), free(in), free(out);
    return hash;
}

// A grouped convolution is one call for each group, on its part of the channels.
static uint64_t run_grouped(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), groups = 2 + round % 3, inputs = NCK_LANES * (1 + round % 2), outputs = NCK_LANES * (1 + random_bits() % 3);
    const size_t in_step = groups * inputs, step = groups * outputs, count = positions * step, block = inputs * outputs;
    float *weights = floats_of(groups * block), *bias = floats_of(groups * outputs), *in = floats_of(positions * in_step), *out = floats_of(count);
    float *expected = copy_of(out, count);
    for (size_t p = 0; p < positions; p++)
        for (size_t o = 0; o < step; o++) {
            const size_t group = o / outputs, lane = o % outputs;
            float sum = bias[o];
            for (size_t i = 0; i < inputs; i++)
                sum = __builtin_fmaf(weights[group * block + (lane / NCK_LANES * inputs + i) * NCK_LANES + lane % NCK_LANES], in[p * in_step + group * inputs + i], sum);
            expected[p * step + o] = sum;
        }
    const ptrdiff_t here = 0;
    for (size_t g = 0; g < groups; g++) {
        const nck_convolution c = {weights + g * block, bias + g * outputs, &here, NULL, 1, inputs, outputs};
        k->convolve(&c, in + g * inputs, (ptrdiff_t)in_step, out + g * outputs, (ptrdiff_t)step, positions, (nck_epilogue){0});
    }
    expect_floats("grouped", k, round, out, expected, count);
    uint64_t hash = hash_floats(out, count);
    free(weights), free(bias), free(in), free(out), free(expected);
    return hash;
}

// In place in odd rounds.
static uint64_t run_square(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = NCK_LANES * (1 + round % 3), in_step = channels + 3, step = round % 2 ? in_step : channels * 2;
    float *in = floats_of(positions * in_step), *out = round % 2 ? in : floats_of(positions * step), *expected = copy_of(out, positions * step);
    for (size_t p = 0; p < positions; p++)
        for (size_t c = 0; c < channels; c++) expected[p * step + c] = in[p * in_step + c] * in[p * in_step + c];
    k->square(channels, in, (ptrdiff_t)in_step, out, (ptrdiff_t)step, positions);
    expect_floats("square", k, round, out, expected, positions * step);
    uint64_t hash = hash_floats(out, positions * step);
    if (out != in) free(out);
    free(in), free(expected);
    return hash;
}

const check convolution_checks[] = {
    {"convolve", run_convolve},
    {"depthwise", run_depthwise},
    {"convolve_epilogues", run_epilogues},
    {"convolve_lanes", run_lanes},
    {"convolve_taps", run_taps},
    {"grouped", run_grouped},
    {"square", run_square},
    {0},
};

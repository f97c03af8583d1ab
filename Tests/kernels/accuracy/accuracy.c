// SPDX-License-Identifier: Apache-2.0
// The functions, layer normalization, softmax and attention against binary64 and libm: the greatest errors, and exit status 1 if one exceeds its limit.
// Runs on this machine's fastest path; kernelcheck holds the paths equal.
#include "CKernels.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

// Uniform in -2...2.
static float random_float(void) {
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(state >> 40) * 0x1p-22f - 2.0f;
}

static float *floats_of(size_t count) {
    float *p = malloc(count * sizeof *p);
    if (!p) abort();
    for (size_t i = 0; i < count; i++) p[i] = random_float();
    return p;
}

typedef struct {
    double ulp, relative, absolute;
} error;

static void note(error *worst, float got, double expected) {
    const double absolute = fabs((double)got - expected);
    const double ulp = fabs(expected) < 0x1p-126 ? 0x1p-149 : ldexp(1, ilogb(expected) - 23);
    if (!(absolute <= worst->absolute)) worst->absolute = absolute; // NaN is noted, too
    if (!(absolute / ulp <= worst->ulp)) worst->ulp = absolute / ulp;
    if (!(absolute / fabs(expected) <= worst->relative) && expected != 0) worst->relative = absolute / fabs(expected);
}

// Prints and holds what has a limit: 0 is none.
static void report(const char *name, error worst, error limit) {
    const double errors[] = {worst.ulp, worst.relative, worst.absolute}, limits[] = {limit.ulp, limit.relative, limit.absolute};
    static const char *const kinds[] = {"ulp", "relative", "absolute"};
    for (int i = 0; i < 3; i++) {
        if (limits[i] == 0) continue;
        printf("%-38s %-8s %8.2g%s\n", name, kinds[i], errors[i], errors[i] <= limits[i] ? "" : "  ABOVE ITS LIMIT");
        failures += !(errors[i] <= limits[i]);
    }
}

static double exact_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double exact_softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static double exact_gelu(double x) { return x / 2 * erfc(-x * 0.70710678118654752440); }

static const struct {
    const char *name;
    nck_function function;
    double (*exact)(double);
    float low, high;
    error limit;
} sweeps[] = {
    {"exp, -87 to 88", NCK_EXP, exp, -87, 88, {1, 0, 0}},
    {"sigmoid, above -87", NCK_SIGMOID, exact_sigmoid, -87, 0x1p127f, {2.5, 0, 0}},
    {"softplus, above -87", NCK_SOFTPLUS, exact_softplus, -87, 0x1p127f, {3, 0, 0}},
    {"tanh", NCK_TANH, tanh, -0x1p127f, 0x1p127f, {1.5, 0, 0}},
    {"GELU, above -1", NCK_GELU, exact_gelu, -1, 0x1p127f, {4.5, 0, 0}},
    {"GELU, below -1", NCK_GELU, exact_gelu, -0x1p127f, -1, {0, 0, 3e-7}},
    // Beyond the clamp: nothing but saturation.
    {"exp, below -87", NCK_EXP, exp, -0x1p127f, -87, {0, 0, 2e-38}},
    {"sigmoid, below -87", NCK_SIGMOID, exact_sigmoid, -0x1p127f, -87, {0, 0, 2e-38}},
    {"softplus, below -87", NCK_SOFTPLUS, exact_softplus, -0x1p127f, -87, {0, 0, 2e-38}},
};

// Every 211th binary32 number of the range.
static void sweep(const nck_kernels *k, size_t s) {
    enum { BLOCK = 4096 };
    static float in[BLOCK], out[BLOCK];
    error worst = {0};
    size_t count = 0;
    for (uint64_t bits = 0; bits <= 0xffffffff; bits += 211) {
        const uint32_t word = (uint32_t)bits;
        memcpy(&in[count], &word, sizeof word);
        if (!(in[count] >= sweeps[s].low && in[count] <= sweeps[s].high)) continue;
        if (++count < BLOCK) continue;
        k->activate(BLOCK, in, 0, out, 0, 1, (nck_activation){sweeps[s].function, 0});
        for (size_t i = 0; i < BLOCK; i++) note(&worst, out[i], sweeps[s].exact(in[i]));
        count = 0;
    }
    report(sweeps[s].name, worst, sweeps[s].limit);
}

static void check_layer_norm(const nck_kernels *k) {
    enum { CHANNELS = 192, POSITIONS = 2000 };
    float *in = floats_of(CHANNELS * POSITIONS), *out = floats_of(CHANNELS * POSITIONS), *weight = floats_of(CHANNELS), *bias = floats_of(CHANNELS);
    for (size_t p = 0; p < POSITIONS; p++) {
        const float offset = random_float() * 5, spread = fabsf(random_float()) + 0.1f;
        for (size_t c = 0; c < CHANNELS; c++) in[p * CHANNELS + c] = in[p * CHANNELS + c] * spread + offset;
    }
    k->layer_norm(weight, bias, 1e-5f, CHANNELS, in, CHANNELS, out, CHANNELS, POSITIONS);
    error worst = {0};
    for (const float *x = in, *y = out; x < in + CHANNELS * POSITIONS; x += CHANNELS, y += CHANNELS) {
        double mean = 0, variance = 0;
        for (size_t c = 0; c < CHANNELS; c++) mean += (double)x[c] / CHANNELS;
        for (size_t c = 0; c < CHANNELS; c++) variance += (x[c] - mean) * (x[c] - mean) / CHANNELS;
        for (size_t c = 0; c < CHANNELS; c++) note(&worst, y[c], (x[c] - mean) / sqrt(variance + (double)1e-5f) * weight[c] + bias[c]);
    }
    report("layer norm, mean up to 90 deviations", worst, (error){0, 0, 2e-5});
    free(in), free(out), free(weight), free(bias);
}

static void check_softmax(const nck_kernels *k) {
    enum { COUNT = 61, ROWS = 4000 };
    float *in = floats_of(COUNT * ROWS), *out = floats_of(COUNT * ROWS);
    for (size_t i = 0; i < COUNT * ROWS; i++) in[i] *= 4; // values within 16 of each other
    k->softmax(COUNT, in, COUNT, out, COUNT, ROWS);
    error worst = {0};
    for (const float *x = in, *y = out; x < in + COUNT * ROWS; x += COUNT, y += COUNT) {
        double sum = 0;
        for (size_t i = 0; i < COUNT; i++) sum += exp(x[i]);
        for (size_t i = 0; i < COUNT; i++) note(&worst, y[i], exp(x[i]) / sum);
    }
    report("softmax, values within 16", worst, (error){0, 1e-6, 1e-7});
    free(in), free(out);
}

static void check_attention(const nck_kernels *k) {
    enum { TOKENS = 64, CHANNELS = 24, STEP = 3 * CHANNELS, WINDOWS = 50 };
    error worst = {0};
    for (int window = 0; window < WINDOWS; window++) {
        float *qkv = floats_of(TOKENS * STEP), *out = floats_of(TOKENS * CHANNELS), *bias = floats_of(TOKENS * TOKENS);
        float *scratch = floats_of(nck_attention_scratch(TOKENS, CHANNELS));
        ptrdiff_t in_offsets[TOKENS], out_offsets[TOKENS];
        uint8_t region[TOKENS];
        for (int t = 0; t < TOKENS; t++) in_offsets[t] = t * STEP, out_offsets[t] = t * CHANNELS, region[t] = (uint8_t)(random_float() + 2);
        const nck_attention a = {TOKENS, CHANNELS, in_offsets, out_offsets, CHANNELS, 2 * CHANNELS, 0.2f, bias, window % 2 ? region : NULL};
        k->attention(&a, qkv, out, scratch);
        for (int t = 0; t < TOKENS; t++) {
            double sum = 0, products[CHANNELS] = {0};
            for (int s = 0; s < TOKENS; s++) {
                if (a.region && region[s] != region[t]) continue;
                const float *key = qkv + in_offsets[s] + CHANNELS, *value = key + CHANNELS;
                double score = bias[t * TOKENS + s];
                for (int c = 0; c < CHANNELS; c++) score += (double)qkv[in_offsets[t] + c] * (double)a.scale * key[c];
                sum += exp(score);
                for (int c = 0; c < CHANNELS; c++) products[c] += exp(score) * value[c];
            }
            for (int c = 0; c < CHANNELS; c++) note(&worst, out[t * CHANNELS + c], products[c] / sum);
        }
        free(qkv), free(out), free(bias), free(scratch);
    }
    report("attention, values up to 2", worst, (error){0, 0, 3e-6});
}

int main(void) {
    const nck_kernels *k;
    nck_select(NULL, &k);
    for (size_t s = 0; s < sizeof sweeps / sizeof *sweeps; s++) sweep(k, s);
    check_layer_norm(k);
    check_softmax(k);
    check_attention(k);
    return failures != 0;
}

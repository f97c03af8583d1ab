// SPDX-License-Identifier: Apache-2.0
// Convolution shapes of the shipped model and of CompressAI's, as the library calls them, and attention, as a share of the peak of fused multiply-adds: a span of
// 64 output positions, operands in the second-level cache.
#include "bench.h"
#include <stdlib.h>

typedef enum { DENSE, PHASE, CAUSAL, NORM, LANES } kind;

typedef struct {
    const char *name;
    size_t inputs, outputs, rows, columns, stride; // rows x columns taps
    kind kind;
} shape;

static const shape shapes[] = {
    // The shipped model.
    {"embed 768-320", 768, 320, 1, 1, 1, DENSE},
    {"embed 768-192", 768, 192, 1, 1, 1, DENSE},
    {"block 320-320", 320, 320, 1, 1, 1, DENSE},
    {"block 320-640", 320, 640, 1, 1, 1, DENSE},
    {"block 640-320", 640, 320, 1, 1, 1, DENSE},
    {"hyper 512-96", 512, 96, 1, 1, 1, DENSE},
    {"hyper 96-96", 96, 96, 1, 1, 1, DENSE},
    {"hyper 96-96 3x3 /2", 96, 96, 3, 3, 2, DENSE},
    {"hyper 96-96 3x3", 96, 96, 3, 3, 1, DENSE},
    {"hidden 96-320 3x3", 96, 320, 3, 3, 1, DENSE},
    {"context 512-192", 512, 192, 1, 1, 1, DENSE},
    {"context 192-320", 192, 320, 1, 1, 1, DENSE},
    {"parameters 320-1024", 320, 1024, 1, 1, 1, DENSE},
    {"unembed 512-48", 512, 48, 1, 1, 1, DENSE},
    {"grid 320-32", 320, 32, 1, 1, 1, DENSE},
    {"render 80-32 3x3", 80, 32, 3, 3, 1, DENSE},
    {"render 32-32", 32, 32, 1, 1, 1, DENSE},
    {"render 32-64", 32, 64, 1, 1, 1, DENSE},
    {"render 64-32", 64, 32, 1, 1, 1, DENSE},
    {"render 32-48 3x3", 32, 48, 3, 3, 1, DENSE},
    // bmshj2018-hyperprior and mbt2018-mean at quality 4 (N 128, M 192), mbt2018's context and entropy parameters.
    {"g_a 3-128 5x5 /2", 3, 128, 5, 5, 2, DENSE},
    {"g_a 128-128 5x5 /2", 128, 128, 5, 5, 2, DENSE},
    {"g_a 128-192 5x5 /2", 128, 192, 5, 5, 2, DENSE},
    {"gdn 128-128", 128, 128, 1, 1, 1, NORM},
    {"g_s 192-128 5x5 *2, 9 taps", 192, 128, 3, 3, 1, PHASE},
    {"g_s 192-128 5x5 *2, 6 taps", 192, 128, 3, 2, 1, PHASE},
    {"g_s 192-128 5x5 *2, 4 taps", 192, 128, 2, 2, 1, PHASE},
    {"g_s 128-128 5x5 *2, 9 taps", 128, 128, 3, 3, 1, PHASE},
    {"g_s 128-128 5x5 *2, 6 taps", 128, 128, 3, 2, 1, PHASE},
    {"g_s 128-128 5x5 *2, 4 taps", 128, 128, 2, 2, 1, PHASE},
    {"g_s 128-3 5x5 *2, 16 lanes", 128, 16, 3, 3, 1, LANES},
    {"h_a 192-128 3x3", 192, 128, 3, 3, 1, DENSE},
    {"h_s 128-192 3x3", 128, 192, 3, 3, 1, DENSE},
    {"h_s 288-384 3x3", 288, 384, 3, 3, 1, DENSE},
    {"context 192-384 5x5, 12 taps", 192, 384, 5, 5, 1, CAUSAL},
    {"parameters 768-640", 768, 640, 1, 1, 1, DENSE},
    {"parameters 640-512", 640, 512, 1, 1, 1, DENSE},
    {"parameters 512-384", 512, 384, 1, 1, 1, DENSE},
    // cheng2020-anchor.
    {"cheng 3-128 3x3 /2", 3, 128, 3, 3, 2, DENSE},
    {"cheng 128-128 3x3", 128, 128, 3, 3, 1, DENSE},
    {"cheng 128-128 3x3 /2", 128, 128, 3, 3, 2, DENSE},
    {"cheng 128-128 3x3, phase of 512", 128, 128, 3, 3, 1, DENSE}, // subpel_conv3x3: four phases
};

enum { MOST_TAPS = 25 };

typedef struct {
    nck_convolution convolution;
    nck_epilogue epilogue;
    ptrdiff_t in_step, out_step;
    float *weights, *bias, *in, *out, *operand;
    ptrdiff_t offsets[MOST_TAPS];
    uint16_t lanes[MOST_TAPS];
    size_t positions;
} layer;

// Lanes of (channel * 2 + i) * 2 + j that tap (row, column) of 3 x 3 reaches: a phase of odd i has no upper taps, one of odd j none at the left.
static uint16_t lanes_of(size_t row, size_t column) {
    unsigned lanes = 0;
    for (unsigned lane = 0; lane < 12; lane++)
        if ((row < 2 || !(lane & 2)) && (column < 2 || !(lane & 1))) lanes |= 1u << lane;
    return (uint16_t)lanes;
}

static layer layer_of(const shape *s, size_t positions) {
    layer l = {.in_step = (ptrdiff_t)(s->inputs * s->stride), .out_step = (ptrdiff_t)s->outputs, .positions = positions};
    const size_t row = ((positions - 1) * s->stride + s->columns) * s->inputs;
    // Neighbouring taps of a row are one tap of more inputs where a layer's order of summation has them so.
    const size_t run = s->kind == DENSE ? s->columns : 1;
    size_t taps = 0;
    for (size_t r = 0; r < s->rows; r++)
        for (size_t c = 0; c < s->columns; c += run) {
            if (s->kind == CAUSAL && r * s->columns + c >= s->rows * s->columns / 2) continue;
            const int mirrored = s->kind == PHASE || s->kind == LANES; // the kernel ascends, so the input descends
            l.lanes[taps] = lanes_of(r, c);
            l.offsets[taps++] = (ptrdiff_t)((mirrored ? s->rows - 1 - r : r) * row + (mirrored ? s->columns - 1 - c : c) * s->inputs);
        }
    l.weights = aligned_floats(s->outputs * s->inputs * run * taps), l.bias = aligned_floats(s->outputs);
    l.in = aligned_floats(row * s->rows), l.out = aligned_floats(positions * s->outputs), l.operand = aligned_floats(positions * s->outputs);
    for (size_t i = 0; s->kind == NORM && i < s->outputs; i++) l.bias[i] = 1e3f; // a root of a positive sum
    l.epilogue = s->kind == NORM ? (nck_epilogue){l.operand, l.out_step, NCK_DIVIDE_BY_ROOT, {NCK_IDENTITY, 0}}
                                 : (nck_epilogue){NULL, 0, NCK_ADD_BEFORE, {NCK_LEAKY_RELU, 0.1f}};
    l.convolution = (nck_convolution){.weights = l.weights, .bias = l.bias, .taps = taps, .inputs = s->inputs * run, .outputs = s->outputs};
    return l;
}

static double run_layer(const nck_kernels *kernels, size_t repeats, void *context) {
    const layer *l = context;
    nck_convolution c = l->convolution;
    c.tap_offsets = l->offsets;
    c.tap_lanes = l->lanes;
    if (c.outputs > NCK_LANES) c.tap_lanes = NULL;
    for (size_t r = 0; r < repeats; r++) kernels->convolve(&c, l->in, l->in_step, l->out, l->out_step, l->positions, l->epilogue);
    return (double)repeats * (double)(c.taps * c.inputs * c.outputs * l->positions);
}

// A window of 8 x 8 tokens, a head of 32 channels.
static double run_attention(const nck_kernels *kernels, size_t repeats, void *context) {
    enum { TOKENS = 64, CHANNELS = 32 };
    float *qkv = context, *out = qkv + 3 * TOKENS * CHANNELS, *bias = out + TOKENS * CHANNELS, *scratch = bias + TOKENS * TOKENS;
    ptrdiff_t in_offsets[TOKENS], out_offsets[TOKENS];
    for (ptrdiff_t t = 0; t < TOKENS; t++) in_offsets[t] = t * 3 * CHANNELS, out_offsets[t] = t * CHANNELS;
    const nck_attention attention = {TOKENS, CHANNELS, in_offsets, out_offsets, CHANNELS, 2 * CHANNELS, 0.2f, bias, NULL};
    for (size_t r = 0; r < repeats; r++) kernels->attention(&attention, qkv, out, scratch);
    return (double)repeats * 2 * TOKENS * TOKENS * CHANNELS;
}

void bench_products(const nck_kernels *const *paths, size_t count, FILE *json) {
    print_header("GMAC/s, share of FMA peak (spread)", paths, count);
    speed speeds[MOST_PATHS];
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        for (size_t p = 0; p < count; p++) {
            const int slow = is_portable(paths[p]);
            layer l = layer_of(&shapes[s], slow ? 4 : 64);
            speeds[p] = measure(paths[p], (yardstick){run_layer, &l}, (yardstick){run_peak, NULL}, slow ? 3 : 15, 1e-3);
            free(l.weights), free(l.bias), free(l.in), free(l.out), free(l.operand);
        }
        print_row(json, "convolution", shapes[s].name, paths, speeds, count);
    }
    float *heads = aligned_floats(1 << 16);
    for (size_t p = 0; p < count; p++)
        speeds[p] = measure(paths[p], (yardstick){run_attention, heads}, (yardstick){run_peak, NULL}, is_portable(paths[p]) ? 3 : 15, 1e-3);
    print_row(json, "attention", "attention 64 tokens, 32 channels", paths, speeds, count);
    free(heads);
    for (size_t p = 0; p < count; p++) speeds[p] = measure(paths[p], (yardstick){run_peak, NULL}, (yardstick){run_peak, NULL}, 15, 1e-3);
    print_row(json, "peak", "registers only", paths, speeds, count);
}

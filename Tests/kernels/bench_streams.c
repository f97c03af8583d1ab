// SPDX-License-Identifier: Apache-2.0
// Kernels that do little for each value, as a share of copy bandwidth: operands of at least four times the last-level cache, in spans of 64 positions as the
// library calls them. Bytes are those of the operands, each counted once.
#include "bench.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SPAN = 64, ROUNDS = 7, SPANS_A_ROW = 4 };

typedef struct {
    float *a, *b, *c; // of `floats` each
    size_t floats;
    float *small; // gains, weights and the like
    float *thresholds; // 255, as a model with 64 scales has them
    size_t channels;
    int variant; // what else distinguishes a row of the table
} operands;

// ---- The yardstick

static double copy_by_memcpy(const nck_kernels *kernels, size_t repeats, void *context) {
    const operands *o = context;
    (void)kernels;
    for (size_t r = 0; r < repeats; r++) memcpy(o->b, o->a, o->floats * sizeof(float));
    return (double)repeats * 2 * sizeof(float) * (double)o->floats;
}

static double copy_by_loop(const nck_kernels *kernels, size_t repeats, void *context) {
    const operands *o = context;
    (void)kernels;
    for (size_t r = 0; r < repeats; r++)
        for (size_t i = 0; i < o->floats; i += NCK_LANES) {
            memcpy(o->b + i, o->a + i, NCK_LANES * sizeof(float));
            __asm__ volatile("" ::: "memory"); // not one memcpy
        }
    return (double)repeats * 2 * sizeof(float) * (double)o->floats;
}

// ---- Passes over all operands

// Spans s one after the other: n values a position, of which the first operand has FLOATS.
#define PASS(NAME, FLOATS, BYTES_A_VALUE, CALL)                                                                        \
    static double NAME(const nck_kernels *k, size_t repeats, void *context) {                                          \
        const operands *o = context;                                                                                   \
        const size_t n = o->channels, spans = o->floats / (SPAN * (FLOATS));                                           \
        const ptrdiff_t step = (ptrdiff_t)n;                                                                           \
        (void)step;                                                                                                    \
        for (size_t r = 0; r < repeats; r++)                                                                           \
            for (size_t s = 0; s < spans; s++) {                                                                       \
                float *const a = o->a + s * SPAN * (FLOATS), *const b = o->b + s * SPAN * n, *const c = o->c + s * SPAN * n; \
                (void)b, (void)c;                                                                                      \
                CALL;                                                                                                  \
            }                                                                                                          \
        return (double)(repeats * spans * SPAN * n) * (BYTES_A_VALUE);                                                 \
    }

PASS(run_activate, n, 8, k->activate(n, a, step, b, step, SPAN, ((nck_activation){(nck_function)o->variant, 0.1f})))
PASS(run_scale, n, 8, k->scale(o->small, n, a, step, a, step, SPAN))
PASS(run_square, n, 8, k->square(n, a, step, b, step, SPAN))
PASS(run_add, n, 12, k->add(n, a, step, b, step, c, step, SPAN))
PASS(run_gate, n, 16, k->gate(n, c, step, a, step, b, step, c, step, SPAN))
PASS(run_layer_norm, n, 8, k->layer_norm(o->small, o->small, 0x1p-20f, n, a, step, b, step, SPAN))
PASS(run_softmax, n, 8, k->softmax(n, a, step, b, step, SPAN))
PASS(run_parameters, 2 * n, 13, k->parameters(o->small, o->small + n, o->thresholds, n, a, b, step, (uint8_t *)c, SPAN))
PASS(run_quantize, n, 16, k->quantize(o->small, n, a, step, b, step, (int32_t *)c, SPAN))
PASS(run_reconstruct, n, 12, k->reconstruct((const int32_t *)a, n, b, step, SPAN))
PASS(run_quantize_hyper, n, 8, k->quantize_hyper(o->small, n, a, (int32_t *)b, SPAN))
PASS(run_reconstruct_hyper, n, 8, k->reconstruct_hyper(o->small, n, (const int32_t *)a, b, SPAN))
PASS(run_shuffle, n, 8, k->pixel_shuffle(2, n / 4, a, step, b, SPAN * step / 2, step / 4, SPAN))
PASS(run_unshuffle, n, 8, k->pixel_unshuffle(2, n / 4, a, SPAN * step / 2, step / 4, b, step, SPAN))

// The same through a picture of `width` times rows * SIDE pixels; the largest operand has FLOATS a position.
#define PICTURE_PASS(NAME, FLOATS, SIDE, BYTES_A_POSITION, CALL)                                                       \
    static double NAME(const nck_kernels *k, size_t repeats, void *context) {                                          \
        const operands *o = context;                                                                                   \
        const size_t rows = o->floats / (SPANS_A_ROW * SPAN * (FLOATS)), width = SPANS_A_ROW * SPAN * (SIDE);          \
        for (size_t r = 0; r < repeats; r++)                                                                           \
            for (size_t s = 0; s < rows * SPANS_A_ROW; s++) {                                                          \
                const size_t row = s / SPANS_A_ROW, column = s % SPANS_A_ROW * SPAN, first = s * SPAN;                 \
                CALL;                                                                                                  \
            }                                                                                                          \
        return (double)(repeats * rows * SPANS_A_ROW * SPAN) * (BYTES_A_POSITION);                                     \
    }

PICTURE_PASS(run_patches, 768, 16, 768 * 5, k->patches((const uint8_t *)o->a, width * 3, width, rows * 16, 3, row, column, o->b + first * 768, SPAN))
PICTURE_PASS(run_pixels, 80, 4, 48 * 9, k->pixels(o->a + first * 80, 80, o->b + first * 48, row, column, SPAN, (uint8_t *)o->c, width * 3, width, rows * 4, 3))
PICTURE_PASS(run_pixels_to_map, 3, 1, 15, k->pixels_to_map((const uint8_t *)o->a, width * 3, width, rows, 3, row, column, o->b + first * 3, 3, SPAN))
PICTURE_PASS(run_map_to_pixels, 3, 1, 15, k->map_to_pixels(o->a + first * 3, 3, row, column, SPAN, (uint8_t *)o->b, width * 3, width, rows, 3))

// size x size, every `apart`-th position of the input.
static double depthwise(const nck_kernels *k, size_t repeats, const operands *o, size_t size, size_t apart) {
    const size_t n = o->channels, width = SPANS_A_ROW * SPAN, columns = width * apart + size - 1, rows = o->floats / (columns * n) - size + 1;
    for (size_t r = 0; r < repeats; r++)
        for (size_t row = 0; row < rows; row++)
            for (size_t start = 0; start < width; start += SPAN)
                k->depthwise(o->small, o->small, size, n, o->a + (row * columns + start * apart) * n, (ptrdiff_t)(columns * n), (ptrdiff_t)(n * apart),
                             o->b + (row * width + start) * n, (ptrdiff_t)n, SPAN, (nck_activation){NCK_IDENTITY, 0});
    return (double)(repeats * sizeof(float) * rows * width * n) * (double)(apart + 1);
}

static double run_depthwise(const nck_kernels *k, size_t repeats, void *context) { return depthwise(k, repeats, context, (size_t)((operands *)context)->variant, 1); }
static double run_depthwise_apart(const nck_kernels *k, size_t repeats, void *context) { return depthwise(k, repeats, context, (size_t)((operands *)context)->variant, 2); }

static const struct {
    const char *name;
    double (*run)(const nck_kernels *, size_t, void *);
    size_t channels;
    int variant;
} rows[] = {
    {"depthwise 3x3, 320", run_depthwise, 320, 3},
    {"depthwise 3x3, 192", run_depthwise, 192, 3},
    {"depthwise 3x3, 32", run_depthwise, 32, 3},
    {"depthwise 5x5, 320", run_depthwise, 320, 5},
    {"depthwise 5x5, 192", run_depthwise, 192, 5},
    {"depthwise 5x5, 192, every second", run_depthwise_apart, 192, 5},
    {"leaky relu, 320", run_activate, 320, NCK_LEAKY_RELU},
    {"gelu, 320", run_activate, 320, NCK_GELU},
    {"sigmoid, 320", run_activate, 320, NCK_SIGMOID},
    {"softplus, 320", run_activate, 320, NCK_SOFTPLUS},
    {"tanh, 320", run_activate, 320, NCK_TANH},
    {"exp, 320", run_activate, 320, NCK_EXP},
    {"scale in place, 512", run_scale, 512, 0},
    {"square, 128", run_square, 128, 0},
    {"add, 192", run_add, 192, 0},
    {"gate, 192", run_gate, 192, 0},
    {"layer_norm, 192", run_layer_norm, 192, 0},
    {"softmax, 64", run_softmax, 64, 0},
    {"parameters, 512", run_parameters, 512, 0},
    {"quantize, 512", run_quantize, 512, 0},
    {"reconstruct, 512", run_reconstruct, 512, 0},
    {"quantize_hyper, 96", run_quantize_hyper, 96, 0},
    {"reconstruct_hyper, 96", run_reconstruct_hyper, 96, 0},
    {"patches", run_patches, 0, 0},
    {"pixels", run_pixels, 0, 0},
    {"pixels_to_map", run_pixels_to_map, 0, 0},
    {"map_to_pixels", run_map_to_pixels, 0, 0},
    {"pixel_shuffle 2, 128", run_shuffle, 512, 0},
    {"pixel_unshuffle 2, 128", run_unshuffle, 512, 0},
};

// Bytes of the largest cache of the first core; 32 MiB where the system does not say.
static size_t last_level_cache(void) {
    size_t largest = 0;
    for (int i = 0; i < 8; i++) {
        char path[80], unit = 0;
        unsigned long size = 0;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/size", i);
        FILE *file = fopen(path, "r");
        if (!file) break;
        if (fscanf(file, "%lu%c", &size, &unit) == 2) size <<= unit == 'M' ? 20 : unit == 'K' ? 10 : 0;
        if (size > largest) largest = size;
        fclose(file);
    }
    return largest ? largest : (size_t)32 << 20;
}

void bench_streams(const nck_kernels *const *paths, size_t count, FILE *json) {
    const size_t floats = last_level_cache(); // four times its bytes
    operands o = {aligned_floats(floats), aligned_floats(floats), aligned_floats(floats), floats, aligned_floats(1 << 14), aligned_floats(256), 0, 0};
    const yardstick by_memcpy = {copy_by_memcpy, &o}, by_loop = {copy_by_loop, &o};
    for (size_t i = 0; i < 1 << 14; i++) o.small[i] = 1; // passes in place keep their magnitudes
    for (int i = 0; i < 255; i++) o.thresholds[i] = i < 63 ? -2.2f + 0.134f * (float)i : INFINITY; // from log 0.11 to log 512
    char title[64];
    snprintf(title, sizeof title, "GB/s of %zu MiB, share of copy", floats * sizeof(float) >> 20);
    print_header(title, paths, count);
    // The faster copy is the yardstick.
    const yardstick copy = measure(paths[0], by_loop, by_memcpy, ROUNDS, 0).share > 1 ? by_loop : by_memcpy;
    speed speeds[MOST_PATHS];
    for (size_t p = 0; p < count; p++) speeds[p] = measure(paths[p], by_memcpy, copy, ROUNDS, 0);
    print_row(json, "stream", "copy by memcpy", paths, speeds, count);
    for (size_t p = 0; p < count; p++) speeds[p] = measure(paths[p], by_loop, copy, ROUNDS, 0);
    print_row(json, "stream", "copy by a loop", paths, speeds, count);
    for (size_t s = 0; s < sizeof rows / sizeof *rows; s++) {
        for (size_t p = 0; p < count; p++) {
            operands part = o;
            part.floats = is_portable(paths[p]) ? floats / 32 : floats; // short
            part.channels = rows[s].channels;
            part.variant = rows[s].variant;
            speeds[p] = measure(paths[p], (yardstick){rows[s].run, &part}, copy, is_portable(paths[p]) ? 3 : ROUNDS, 0);
        }
        print_row(json, "stream", rows[s].name, paths, speeds, count);
    }
    free(o.a), free(o.b), free(o.c), free(o.small), free(o.thresholds);
}

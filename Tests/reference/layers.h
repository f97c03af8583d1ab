// SPDX-License-Identifier: Apache-2.0
// The arithmetic of section 4 and annex A, on whole maps. It is implemented twice: plain_layers.c, in plain loops written from
// docs/format.md alone, and with_kernels.c, by the library's kernels. A program is linked with one of them.
#ifndef LAYERS_H
#define LAYERS_H

#include "nicref.h"

typedef struct {
    int rows, columns, channels;
    float *x;              // [row][column][channel]
} Map;

static inline size_t map_size(Map map) { return (size_t)map.rows * (size_t)map.columns * (size_t)map.channels; }

// All zero.
static inline Map new_map(int rows, int columns, int channels) {
    Map map = {rows, columns, channels, NULL};
    map.x = take(map_size(map), sizeof(float));
    return map;
}

static inline float *at(Map map, int row, int column) {
    return map.x + ((size_t)row * (size_t)map.columns + (size_t)column) * (size_t)map.channels;
}

// A dense convolution and what is done with its sums, in this order.
typedef struct {
    const float *weight;   // (outputs, inputs, kernel, kernel)
    const float *bias;
    int outputs, kernel;
    int stride, shuffle;   // 0 means 1; at most one of them is more
    const Map *residual;   // added, unless null
    int leaky;             // LeakyReLU
} Dense;

// Every function that returns a map makes a new one.
Map dense(Map in, Dense layer);
Map depthwise(Map in, const float *weight, const float *bias, int kernel, int leaky);
Map leaky_relu(Map in);
Map scaled(Map in, const float *factors);  // a factor a channel

// The values of a rate table at rate parameter `rate`.
void rate_values(const float *table, int knots, int channels, uint32_t rate, float *values);
// values[i] = exp(sign * values[i])
void exponentials(float sign, float *values, int count);

// Step 3: raw holds M means and M log-scales a position; `indices` has as many entries as `means`.
void entropy_parameters(const Model *model, const float *gain, const float *log_scale, Map raw, Map means, uint8_t *indices);
// Steps 4 and 1: rebuilt values take the place of the means, or fill z.
void reconstruct(const int32_t *symbols, Map means);
void reconstruct_hyper(const int32_t *symbols, const float *medians, Map z);
// Step 7: the colours.
void make_samples(Map base, Map detail, Picture picture);

// The encoder's side.
Map patches(Picture picture, int rows, int columns);
// Rebuilt values take the place of the means.
void quantize(const float *gain, Map y0, Map means, int32_t *symbols);
void quantize_hyper(const float *medians, Map z, int32_t *symbols);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every floating-point operation that can reach a file's bytes or pixels. docs/format.md, annex A, is the normative description.
 *
 * One source (template.h) is compiled once for each instruction set; results are equal to the bit because each output value is one fixed
 * sequence of IEEE-754 operations and vectors only ever run across outputs. Feature maps are NHWC: (rows, columns, channels), channels
 * contiguous and a multiple of 16. A "step" is the distance in floats from one position to the next of the same row.
 */
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stddef.h>
#include <stdint.h>

enum { NCK_LANES = 16 }; /* channels come in multiples of this */

/* A dense convolution, weights packed as [output block of 16][tap][input channel][16]. */
typedef struct nck_convolution {
    const float *weights;
    const float *bias;            /* output channels */
    const ptrdiff_t *tap_offsets; /* floats from the first tap's position, kernel row then kernel column ascending */
    size_t taps, inputs, outputs;
} nck_convolution;

/* Scale of the negative side of LeakyReLU; 1 means no activation. */
typedef struct nck_epilogue {
    const float *residual;        /* added before the activation, or null */
    ptrdiff_t residual_step;
    float slope;
} nck_epilogue;

typedef struct nck_kernels {
    const char *name;

    /* out = act(residual + (bias + sum over taps, input channels)) for `positions` positions of one row. */
    void (*convolve)(const nck_convolution *convolution, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step,
                     size_t positions, nck_epilogue epilogue);

    /* Depthwise size x size, stride 1: `in` is the first tap of position 0 and rows are in_row floats apart; weights [size * size][channels]. */
    void (*depthwise)(const float *weights, const float *bias, size_t size, size_t channels, const float *in, ptrdiff_t in_row, ptrdiff_t in_step,
                      float *out, ptrdiff_t out_step, size_t positions, float slope);

    /* out = act(in). */
    void (*activate)(size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions, float slope);

    /* out = in * factor[channel]. */
    void (*scale)(const float *factor, size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions);

    /* raw holds (means, log-scales) of 2 * channels a position. mean = raw * gain; index = number of thresholds below raw + log_scale.
     * thresholds: 255 ascending values, unused ones +infinity. Indices are written without gaps. */
    void (*parameters)(const float *gain, const float *log_scale, const float *thresholds, size_t channels, const float *raw,
                       float *mean, ptrdiff_t mean_step, uint8_t *index, size_t positions);

    /* symbol = round(clamp(y * gain - mean)); mean becomes float(symbol) + mean. Symbols are written without gaps. */
    void (*quantize)(const float *gain, size_t channels, const float *y, ptrdiff_t y_step, float *mean, ptrdiff_t mean_step, int32_t *symbols, size_t positions);

    /* mean becomes float(symbol) + mean. */
    void (*reconstruct)(const int32_t *symbols, size_t channels, float *mean, ptrdiff_t mean_step, size_t positions);

    /* symbol = round(clamp(z - median)). */
    void (*quantize_hyper)(const float *median, size_t channels, const float *z, int32_t *symbols, size_t positions);

    /* z = float(symbol) + median. */
    void (*reconstruct_hyper)(const float *median, size_t channels, const int32_t *symbols, float *z, size_t positions);

    /* Part of a row of 16 x 16 patches: out[position][colour * 256 + row * 16 + column] = pixel / 255 - 1/2, edges replicated, gray in all three colours. */
    void (*patches)(const uint8_t *pixels, size_t stride, size_t width, size_t height, size_t channels, size_t patch_row, size_t patch_column, float *out,
                    size_t positions);

    /* Part of a row of 4 x 4 cells: base and detail hold [colour * 16 + row * 4 + column] a position; pixels = round(clamp(255 (base + detail) + 127.5)).
     * Writes only inside width x height. channels 1: the mean of the three colours. */
    void (*pixels)(const float *base, ptrdiff_t base_step, const float *detail, size_t cell_row, size_t cell_column, size_t positions, uint8_t *out, size_t stride,
                   size_t width, size_t height, size_t channels);
} nck_kernels;

typedef enum nck_selection { NCK_SELECTED = 0, NCK_UNKNOWN = 1, NCK_UNSUPPORTED = 2 } nck_selection;

/* Finds the kernels of a path by name ("portable", "avx2", "avx512", "neon"), or with null the fastest this CPU and system support. */
nck_selection nck_select(const char *name, const nck_kernels **kernels);

/* Values of a rate table (knots, channels) at rate parameter r in 0...65535: linear interpolation between equidistant knots. Same code on every path. */
void nck_rate_table(const float *table, size_t knots, size_t channels, uint32_t r, float *out);
/* out[i] = exp(sign * in[i]) for sign +-1; arguments are clamped to [-87, 88], NaN counts as 0. Same code on every path. */
void nck_exp(float sign, const float *in, float *out, size_t count);
/* Exact binary32 values of binary16 numbers. */
void nck_from_half(const uint16_t *half, float *out, size_t count);
/* 1 if every value is finite. */
int nck_all_finite(const float *values, size_t count);
/* Sum of squared differences of bytes. */
uint64_t nck_squared_error(const uint8_t *a, const uint8_t *b, size_t count);

#endif

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
#include "CBasis.h"
#include "CChain.h"
#include "CLatticeCoding.h"
#include "CQuantizers.h"

enum { NCK_LANES = 16 }; /* channels come in multiples of this */

/* Applied to single values. */
typedef enum nck_function { NCK_IDENTITY, NCK_LEAKY_RELU, NCK_RELU, NCK_GELU, NCK_SIGMOID, NCK_SOFTPLUS, NCK_TANH, NCK_EXP } nck_function;

typedef struct nck_activation {
    nck_function function;
    float slope;                  /* of LeakyReLU's negative side */
} nck_activation;

/* A dense convolution, weights packed as [output block of 16][tap][input channel][16]. */
typedef struct nck_convolution {
    const float *weights;
    const float *bias;            /* output channels */
    const ptrdiff_t *tap_offsets; /* floats from the first tap's position, in the order of summation */
    const uint16_t *tap_lanes;    /* null, or for the only output block the lanes that each tap reaches (bit l: lane l); the others keep their sum */
    size_t taps, inputs, outputs;
} nck_convolution;

/* How a convolution's sum becomes its output. */
typedef enum nck_combination {
    NCK_ADD_BEFORE,               /* act(operand + sum) */
    NCK_ADD_AFTER,                /* operand + act(sum) */
    NCK_DIVIDE_BY_ROOT,           /* operand / sqrt(sum): generalized divisive normalization (GDN) */
    NCK_MULTIPLY_BY_ROOT          /* operand * sqrt(sum): inverse GDN */
} nck_combination;

typedef struct nck_epilogue {
    const float *operand;         /* null (an addition without its operand), or one value for each output */
    ptrdiff_t operand_step;
    nck_combination combination;
    nck_activation activation;    /* additions only */
} nck_epilogue;

enum { NCK_MOST_TOKENS = 256, NCK_MOST_HEAD_CHANNELS = 256 };

/* One head of self-attention in one window. */
typedef struct nck_attention {
    size_t tokens, channels;      /* of the window, of the head: 1 to the limits above, not necessarily multiples of 16 */
    const ptrdiff_t *in_offsets;  /* floats from `qkv` to each token's query of this head */
    const ptrdiff_t *out_offsets; /* floats from `out` to each token's result */
    ptrdiff_t k_offset, v_offset; /* floats from a token's query to its key and to its value */
    float scale;                  /* of the queries */
    const float *bias;            /* null, or [query][key], tokens * tokens relative position biases */
    const uint8_t *region;        /* null, or each token's region: a token sees its own region only */
} nck_attention;

/* The usual scale of queries, 1 / sqrt(channels). */
static inline float nck_attention_scale(size_t channels) { return 1.0f / __builtin_sqrtf((float)channels); }

/* Floats of scratch that the attention kernel needs. */
static inline size_t nck_attention_scratch(size_t tokens, size_t channels) {
    const size_t t = (tokens + NCK_LANES - 1) / NCK_LANES * NCK_LANES, c = (channels + NCK_LANES - 1) / NCK_LANES * NCK_LANES;
    return 3 * t * c + 2 * t * t;
}

typedef struct nck_kernels {
    const char *name;

    /* sum = bias + products over taps and input channels; out = what the epilogue makes of it, for `positions` positions of one row. */
    void (*convolve)(const nck_convolution *convolution, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step,
                     size_t positions, nck_epilogue epilogue);

    /* Depthwise size x size, stride 1: `in` is the first tap of position 0 and rows are in_row floats apart; weights [size * size][channels]. */
    void (*depthwise)(const float *weights, const float *bias, size_t size, size_t channels, const float *in, ptrdiff_t in_row, ptrdiff_t in_step,
                      float *out, ptrdiff_t out_step, size_t positions, nck_activation activation);

    /* out = act(in). */
    void (*activate)(size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions, nck_activation activation);

    /* out = in * factor[channel]. */
    void (*scale)(const float *factor, size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions);

    /* out = in * in. */
    void (*square)(size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions);

    /* out = a + b. out may be a or b, with its step. */
    void (*add)(size_t channels, const float *a, ptrdiff_t a_step, const float *b, ptrdiff_t b_step, float *out, ptrdiff_t out_step, size_t positions);

    /* out = residual + a * sigmoid(b), product then sum; without a residual (null) the product. out may be any of the three, with its step. */
    void (*gate)(size_t channels, const float *residual, ptrdiff_t residual_step, const float *a, ptrdiff_t a_step, const float *b, ptrdiff_t b_step, float *out,
                 ptrdiff_t out_step, size_t positions);

    /* Over the channels of each position: out = (in - mean) * (1 / sqrt(variance + epsilon)) * weight + bias, the last two operations fused. The variance is
     * that of the differences, divided by the number of channels. out may be in, with its step. */
    void (*layer_norm)(const float *weight, const float *bias, float epsilon, size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step,
                       size_t positions);

    /* Over the `count` values of each row, any number: out = exp(in - greatest) / their sum. out may be in, with its step. */
    void (*softmax)(size_t count, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t rows);

    /* score(t, s) = bias[t][s] + sum over channels of (query(t) * scale) * key(s); weight(t, s) = exp(score(t, s) - the greatest of t);
     * out(t) = (sum over s of weight(t, s) * value(s)) / sum of the weights; s runs through the tokens of t's region. Reads and writes the head's channels of
     * each token and nothing between them. A result may lie on its own token's query, key or value, on no other's. scratch: nck_attention_scratch floats. */
    void (*attention)(const nck_attention *attention, const float *qkv, float *out, float *scratch);

    /* raw holds (means, log-scales) of 2 * channels a position. mean = raw * gain; index = number of thresholds below raw + log_scale. (With gains of 1 and log-scales
     * of 0, raw may hold scales, for thresholds of scales.)
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

    /* The next four have pixels of 1 channel (gray), 2 (gray, alpha), 3 (colours) or 4 (colours, alpha). Alpha is neither read nor written. */

    /* Part of a row of 16 x 16 patches: out[position][colour * 256 + row * 16 + column] = pixel / 255 - 1/2, edges replicated, gray in all three colours. */
    void (*patches)(const uint8_t *pixels, size_t stride, size_t width, size_t height, size_t channels, size_t patch_row, size_t patch_column, float *out,
                    size_t positions);

    /* Part of a row of 4 x 4 cells: base and detail hold [colour * 16 + row * 4 + column] a position; pixels = round(clamp(255 (base + detail) + 127.5)).
     * Writes only inside width x height. Gray: the mean of the three colours. */
    void (*pixels)(const float *base, ptrdiff_t base_step, const float *detail, size_t cell_row, size_t cell_column, size_t positions, uint8_t *out, size_t stride,
                   size_t width, size_t height, size_t channels);

    /* Part of a row of a map of plain colours: out[position][colour] = pixel / 255, edges replicated to the right and below, gray in all three colours.
     * Three floats a position are written. */
    void (*pixels_to_map)(const uint8_t *pixels, size_t stride, size_t width, size_t height, size_t channels, size_t row, size_t column, float *out,
                          ptrdiff_t out_step, size_t positions);

    /* The way back: pixel = round(255 clamp(in[position][colour])), clamped to 0...1, NaN to 0. Gray: round(clamp(((red + green) + blue) * 85)), to 0...255.
     * Writes only inside width x height. */
    void (*map_to_pixels)(const float *in, ptrdiff_t in_step, size_t row, size_t column, size_t positions, uint8_t *out, size_t stride, size_t width, size_t height,
                          size_t channels);

    /* The same four for samples of 16 bits in the machine's order, not necessarily aligned, with 65535, 32767.5 and 21845 in place of 255, 127.5 and 85.
     * `pixels`, `out` and strides still count bytes. */
    void (*patches_16)(const uint8_t *pixels, size_t stride, size_t width, size_t height, size_t channels, size_t patch_row, size_t patch_column, float *out,
                       size_t positions);
    void (*pixels_16)(const float *base, ptrdiff_t base_step, const float *detail, size_t cell_row, size_t cell_column, size_t positions, uint8_t *out, size_t stride,
                      size_t width, size_t height, size_t channels);
    void (*pixels_to_map_16)(const uint8_t *pixels, size_t stride, size_t width, size_t height, size_t channels, size_t row, size_t column, float *out,
                             ptrdiff_t out_step, size_t positions);
    void (*map_to_pixels_16)(const float *in, ptrdiff_t in_step, size_t row, size_t column, size_t positions, uint8_t *out, size_t stride, size_t width, size_t height,
                             size_t channels);

    /* Position p of a coarse row has factor^2 * channels values; its channel (c * factor + i) * factor + j becomes channel c of column p * factor + j of fine
     * row i. Fine rows are out_row floats apart. Any factor and any channels; in and out do not overlap. */
    void (*pixel_shuffle)(size_t factor, size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_row, ptrdiff_t out_step, size_t positions);

    /* The inverse: `in` is the fine map, `positions` counts coarse ones. */
    void (*pixel_unshuffle)(size_t factor, size_t channels, const float *in, ptrdiff_t in_row, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions);

    /* out[v][j] = sum over i of in[v][i] * matrix[i][j] for `count` vectors of n values, n in 1...64; the matrix has n rows of n. out may be in, with its step. */
    void (*lattice_transform)(const float *matrix, size_t n, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t count);

    /* index = round(clamp(in)); rounded = float(index). Indices are written without gaps. rounded may be in, with its step. */
    void (*babai_round)(size_t n, const float *in, ptrdiff_t in_step, int32_t *indices, float *rounded, ptrdiff_t rounded_step, size_t count);

    nck_quantizers quantizers;
} nck_kernels;

typedef enum nck_selection { NCK_SELECTED = 0, NCK_UNKNOWN = 1, NCK_UNSUPPORTED = 2 } nck_selection;

/* Finds the kernels of a path by name ("portable", "avx2", "avx512", "neon"), or with null the fastest this CPU and system support. */
nck_selection nck_select(const char *name, const nck_kernels **kernels);

/* Values of a rate table (knots, channels) at rate parameter r in 0...65535: linear interpolation between equidistant knots. Same code on every path. */
void nck_rate_table(const float *table, size_t knots, size_t channels, uint32_t r, float *out);
/* out[i] = exp(sign * in[i]) for sign +-1; arguments are clamped to [-87, 88], NaN counts as 0. Same code on every path. */
void nck_exp(float sign, const float *in, float *out, size_t count);
/* values[i] = max(values[i], bound)^2 - 2^-36, bound = sqrt(minimum + 2^-36): what CompressAI stores of GDN's parameters to what they are.
 * Same code on every path. */
void nck_nonnegative(float minimum, float *values, size_t count);
/* symbol = round(clamp((z - median) / step)), and back: z = float(symbol) * step + median, product then sum. Same code on every path. */
void nck_quantize_steps(const float *median, float step, size_t channels, const float *z, int32_t *symbols, size_t positions);
void nck_reconstruct_steps(const float *median, float step, size_t channels, const int32_t *symbols, float *z, size_t positions);
/* pairs[i] = (scale if it exceeds the least, else the least; gain). Same code on every path. */
void nck_offset_inputs(const float *scales, float least, float gain, float *pairs, size_t count);
/* values[i] = (symbol moved towards zero by offsets[16 i], 0 stays) * inverse + values[i], product then sum. Same code on every path. */
void nck_add_with_offsets(const int32_t *symbols, const float *offsets, float inverse, float *values, size_t count);
/* Exact binary32 values of binary16 numbers. */
void nck_from_half(const uint16_t *half, float *out, size_t count);
/* 1 if every value is finite. */
int nck_all_finite(const float *values, size_t count);
/* Sum of squared differences of bytes, and of 16-bit samples, which are not necessarily aligned (up to 2^32 of them). */
uint64_t nck_squared_error(const uint8_t *a, const uint8_t *b, size_t count);
uint64_t nck_squared_error_16(const uint8_t *a, const uint8_t *b, size_t count);

#endif

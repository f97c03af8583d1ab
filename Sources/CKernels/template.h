/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels, written once. Each path (portable.c, avx2.c, avx512.c) sets PATH, TILE_ROWS_n (positions held in registers beside n vectors of
 * output channels, 0: never) and the target attribute, then includes this file. fma is llvm.fma: one instruction, or fmaf in the portable path.
 */
#include <string.h>

#pragma clang diagnostic ignored "-Wpsabi" // vectors are passed between inlined functions only

#define INLINE __attribute__((always_inline)) static inline

typedef float vector __attribute__((vector_size(4 * NCK_LANES)));
typedef int32_t mask __attribute__((vector_size(4 * NCK_LANES)));

INLINE vector load(const float *p) {
    vector v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void store(float *p, vector v) { memcpy(p, &v, sizeof v); }

INLINE vector splat(float x) { return (vector){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }

INLINE vector fused(vector a, vector b, vector c) { return __builtin_elementwise_fma(a, b, c); }

/* v < 0 ? slope * v : v, lane by lane. */
INLINE vector leaky(vector v, float slope) {
    if (slope == 1.0f) return v;
    mask negative = v < splat(0.0f);
    return (vector)((negative & (mask)(v * splat(slope))) | (~negative & (mask)v));
}

/* rows positions times columns vectors of output channels, all accumulators in registers; both are constants at every call. */
INLINE void convolve_tile(const int rows, const int columns, const nck_convolution *c, size_t block, const float *in,
                                                                ptrdiff_t in_step, float *out, ptrdiff_t out_step, nck_epilogue e) {
    vector sum[rows * columns];
    const size_t stride = c->taps * c->inputs * NCK_LANES;
#pragma clang loop unroll(full)
    for (int m = 0; m < rows; m++)
#pragma clang loop unroll(full)
        for (int n = 0; n < columns; n++) sum[m * columns + n] = load(c->bias + (block + (size_t)n) * NCK_LANES);
    const float *w = c->weights + block * stride;
    for (size_t tap = 0; tap < c->taps; tap++) {
        const float *x = in + c->tap_offsets[tap];
        for (size_t i = 0; i < c->inputs; i++, w += NCK_LANES) {
            vector weight[columns];
#pragma clang loop unroll(full)
            for (int n = 0; n < columns; n++) weight[n] = load(w + (size_t)n * stride);
#pragma clang loop unroll(full)
            for (int m = 0; m < rows; m++) {
                vector value = splat(x[m * in_step + (ptrdiff_t)i]);
#pragma clang loop unroll(full)
                for (int n = 0; n < columns; n++) sum[m * columns + n] = fused(weight[n], value, sum[m * columns + n]);
            }
        }
    }
#pragma clang loop unroll(full)
    for (int m = 0; m < rows; m++)
#pragma clang loop unroll(full)
        for (int n = 0; n < columns; n++) {
            vector v = sum[m * columns + n];
            ptrdiff_t channel = (ptrdiff_t)(block + (size_t)n) * NCK_LANES;
            if (e.residual) v = load(e.residual + m * e.residual_step + channel) + v;
            store(out + m * out_step + channel, leaky(v, e.slope));
        }
}

/* All positions of one group of `columns` output blocks: full tiles, then single positions. */
#define CONVOLVE_GROUP(NAME, ROWS, COLUMNS)                                                                                                             \
    static void NAME(const nck_convolution *c, size_t block, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions,      \
                     nck_epilogue e) {                                                                                                                  \
        size_t p = 0;                                                                                                                                   \
        for (; p + (ROWS) <= positions; p += (ROWS)) {                                                                                                  \
            convolve_tile(ROWS, COLUMNS, c, block, in, in_step, out, out_step, e);                                                                      \
            in += (ROWS)*in_step, out += (ROWS)*out_step;                                                                                               \
            if (e.residual) e.residual += (ROWS)*e.residual_step;                                                                                       \
        }                                                                                                                                               \
        if ((ROWS) > 2)                                                                                                                                 \
            for (; p + 2 <= positions; p += 2) {                                                                                                        \
                convolve_tile(2, COLUMNS, c, block, in, in_step, out, out_step, e);                                                                     \
                in += 2 * in_step, out += 2 * out_step;                                                                                                 \
                if (e.residual) e.residual += 2 * e.residual_step;                                                                                      \
            }                                                                                                                                           \
        for (; p < positions; p++) {                                                                                                                    \
            convolve_tile(1, COLUMNS, c, block, in, in_step, out, out_step, e);                                                                         \
            in += in_step, out += out_step;                                                                                                             \
            if (e.residual) e.residual += e.residual_step;                                                                                              \
        }                                                                                                                                               \
    }

CONVOLVE_GROUP(convolve_1, TILE_ROWS_1, 1)
#if TILE_ROWS_2
CONVOLVE_GROUP(convolve_2, TILE_ROWS_2, 2)
#endif
#if TILE_ROWS_3
CONVOLVE_GROUP(convolve_3, TILE_ROWS_3, 3)
#endif
#if TILE_ROWS_4
CONVOLVE_GROUP(convolve_4, TILE_ROWS_4, 4)
#endif

static void convolve(const nck_convolution *c, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions, nck_epilogue e) {
    const size_t blocks = c->outputs / NCK_LANES;
    size_t block = 0;
#if TILE_ROWS_4
    for (; block + 4 <= blocks; block += 4) convolve_4(c, block, in, in_step, out, out_step, positions, e);
#endif
#if TILE_ROWS_3
    for (; block + 3 <= blocks; block += 3) convolve_3(c, block, in, in_step, out, out_step, positions, e);
#endif
#if TILE_ROWS_2
    for (; block + 2 <= blocks; block += 2) convolve_2(c, block, in, in_step, out, out_step, positions, e);
#endif
    for (; block < blocks; block++) convolve_1(c, block, in, in_step, out, out_step, positions, e);
}

/* size is a constant at every call, so the weights of a channel block stay in registers where they fit. */
INLINE void depthwise_size(const int size, const float *weights, const float *bias, size_t channels, const float *in,
                                                                 ptrdiff_t in_row, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions, float slope) {
    for (size_t channel = 0; channel < channels; channel += NCK_LANES)
        for (size_t p = 0; p < positions; p++) {
            const float *x = in + (ptrdiff_t)p * in_step + (ptrdiff_t)channel;
            vector sum = load(bias + channel);
#pragma clang loop unroll(full)
            for (int row = 0; row < size; row++)
#pragma clang loop unroll(full)
                for (int column = 0; column < size; column++)
                    sum = fused(load(weights + (size_t)(row * size + column) * channels + channel), load(x + row * in_row + column * (ptrdiff_t)channels), sum);
            store(out + (ptrdiff_t)p * out_step + (ptrdiff_t)channel, leaky(sum, slope));
        }
}

static void depthwise(const float *weights, const float *bias, size_t size, size_t channels, const float *in, ptrdiff_t in_row, ptrdiff_t in_step, float *out,
                      ptrdiff_t out_step, size_t positions, float slope) {
    if (size == 3)
        depthwise_size(3, weights, bias, channels, in, in_row, in_step, out, out_step, positions, slope);
    else
        depthwise_size(5, weights, bias, channels, in, in_row, in_step, out, out_step, positions, slope);
}

static void scale(const float *factor, size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions) {
    for (size_t p = 0; p < positions; p++, in += in_step, out += out_step)
        for (size_t c = 0; c < channels; c++) out[c] = in[c] * factor[c];
}

static void activate(size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions, float slope) {
    for (size_t p = 0; p < positions; p++, in += in_step, out += out_step)
        for (size_t c = 0; c < channels; c += NCK_LANES) store(out + c, leaky(load(in + c), slope));
}

/* The number of thresholds below v, by halving: 255 thresholds take eight comparisons. NaN gives 0. */
INLINE uint32_t count_below(const float *thresholds, float v) {
    uint32_t count = 0;
    for (uint32_t step = 128; step; step /= 2) count += thresholds[count + step - 1] < v ? step : 0;
    return count;
}

static void parameters(const float *gain, const float *log_scale, const float *thresholds, size_t channels, const float *raw, float *mean, ptrdiff_t mean_step,
                       uint8_t *index, size_t positions) {
    for (size_t p = 0; p < positions; p++, raw += 2 * channels, mean += mean_step, index += channels) {
        for (size_t c = 0; c < channels; c++) mean[c] = raw[c] * gain[c];
        for (size_t c = 0; c < channels; c++) index[c] = (uint8_t)count_below(thresholds, raw[channels + c] + log_scale[c]);
    }
}

/* Round half to even after clamping to +-2^20; NaN becomes 0. */
INLINE float round_symbol(float v) {
    v = v == v ? v : 0.0f;
    v = v < -0x1p20f ? -0x1p20f : v;
    v = v > 0x1p20f ? 0x1p20f : v;
    return (v + NCK_ROUND_MAGIC) - NCK_ROUND_MAGIC;
}

static void quantize(const float *gain, size_t channels, const float *y, ptrdiff_t y_step, float *mean, ptrdiff_t mean_step, int32_t *symbols, size_t positions) {
    for (size_t p = 0; p < positions; p++, y += y_step, mean += mean_step, symbols += channels)
        for (size_t c = 0; c < channels; c++) {
            float symbol = round_symbol(y[c] * gain[c] - mean[c]);
            symbols[c] = (int32_t)symbol;
            mean[c] = symbol + mean[c];
        }
}

static void reconstruct(const int32_t *symbols, size_t channels, float *mean, ptrdiff_t mean_step, size_t positions) {
    for (size_t p = 0; p < positions; p++, mean += mean_step, symbols += channels)
        for (size_t c = 0; c < channels; c++) mean[c] = (float)symbols[c] + mean[c];
}

static void quantize_hyper(const float *median, size_t channels, const float *z, int32_t *symbols, size_t positions) {
    for (size_t p = 0; p < positions; p++, z += channels, symbols += channels)
        for (size_t c = 0; c < channels; c++) symbols[c] = (int32_t)round_symbol(z[c] - median[c]);
}

static void reconstruct_hyper(const float *median, size_t channels, const int32_t *symbols, float *z, size_t positions) {
    for (size_t p = 0; p < positions; p++, z += channels, symbols += channels)
        for (size_t c = 0; c < channels; c++) z[c] = (float)symbols[c] + median[c];
}

static void patches(const uint8_t *pixels, size_t stride, size_t width, size_t height, size_t channels, size_t patch_row, size_t patch_column, float *out, size_t positions) {
    enum { SIDE = 16 };
    const size_t left = patch_column * SIDE;
    for (size_t i = 0; i < SIDE; i++) {
        size_t y = patch_row * SIDE + i < height ? patch_row * SIDE + i : height - 1;
        for (size_t colour = 0; colour < 3; colour++) {
            const uint8_t *row = pixels + y * stride + (channels == 3 ? colour : 0);
            float *to = out + colour * SIDE * SIDE + i * SIDE;
            for (size_t x = 0; x < positions * SIDE; x++) {
                float value = (float)row[(left + x < width ? left + x : width - 1) * channels];
                to[x / SIDE * (3 * SIDE * SIDE) + x % SIDE] = __builtin_elementwise_fma(value, 0x1.010102p-8f, -0.5f);
            }
        }
    }
}

INLINE uint8_t pixel_of(float v) {
    v = v == v ? v : 0.0f;
    v = v < 0.0f ? 0.0f : v;
    v = v > 255.0f ? 255.0f : v;
    return (uint8_t)(int32_t)((v + NCK_ROUND_MAGIC) - NCK_ROUND_MAGIC);
}

static void pixels(const float *base, ptrdiff_t base_step, const float *detail, size_t cell_row, size_t cell_column, size_t positions, uint8_t *out, size_t stride,
                   size_t width, size_t height, size_t channels) {
    enum { SIDE = 4, COLOURS = 3, CELL = COLOURS * SIDE * SIDE };
    for (size_t cell = cell_column; cell < cell_column + positions && cell * SIDE < width; cell++, base += base_step, detail += CELL) {
        float sum[CELL];
        for (int k = 0; k < CELL; k++) sum[k] = base[k] + detail[k];
        for (size_t i = 0; i < SIDE && cell_row * SIDE + i < height; i++) {
            uint8_t *to = out + (cell_row * SIDE + i) * stride + cell * SIDE * channels;
            for (size_t j = 0; j < SIDE && cell * SIDE + j < width; j++) {
                const float *s = sum + i * SIDE + j;
                if (channels == 1)
                    to[j] = pixel_of(__builtin_elementwise_fma((s[0] + s[16]) + s[32], 85.0f, 127.5f));
                else
                    for (size_t colour = 0; colour < COLOURS; colour++) to[j * COLOURS + colour] = pixel_of(__builtin_elementwise_fma(s[colour * 16], 255.0f, 127.5f));
            }
        }
    }
}

const nck_kernels PATH = {PATH_NAME, convolve, depthwise, activate, scale, parameters, quantize, reconstruct, quantize_hyper, reconstruct_hyper, patches, pixels};

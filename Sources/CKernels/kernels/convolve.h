/* SPDX-License-Identifier: Apache-2.0 */
/* Dense convolutions: implicit matrix products blocked for the registers. */

/* The vector of outputs at `sum`, for combinations and activations that take more than a few instructions. */
INLINE vector combined(vector sum, const float *operand, nck_epilogue e) {
    switch (e.combination) {
    case NCK_ADD_BEFORE: return activated(operand ? load(operand) + sum : sum, e.activation);
    case NCK_ADD_AFTER: return operand ? load(operand) + activated(sum, e.activation) : activated(sum, e.activation);
    case NCK_DIVIDE_BY_ROOT: return load(operand) / __builtin_elementwise_sqrt(sum);
    case NCK_MULTIPLY_BY_ROOT: return load(operand) * __builtin_elementwise_sqrt(sum);
    }
    return sum;
}

/* Kept out of the tile, where it would be repeated for each register. */
__attribute__((noinline)) static void finish_tile(int rows, int columns, const float *sums, size_t block, float *out, ptrdiff_t out_step, nck_epilogue e) {
    for (int m = 0; m < rows; m++)
        for (int n = 0; n < columns; n++, sums += NCK_LANES) {
            ptrdiff_t channel = (ptrdiff_t)(block + (size_t)n) * NCK_LANES;
            store(out + m * out_step + channel, combined(load(sums), e.operand ? e.operand + m * e.operand_step + channel : NULL, e));
        }
}

INLINE int is_quick(nck_epilogue e) { return (e.combination == NCK_ADD_BEFORE || (e.combination == NCK_ADD_AFTER && !e.operand)) && is_plain(e.activation); }

/* Stores a tile's sums as outputs. */
INLINE void store_tile(const int rows, const int columns, const vector *sum, size_t block, float *out, ptrdiff_t out_step, nck_epilogue e) {
    if (is_quick(e)) {
#pragma clang loop unroll(full)
        for (int m = 0; m < rows; m++)
#pragma clang loop unroll(full)
            for (int n = 0; n < columns; n++) {
                vector v = sum[m * columns + n];
                ptrdiff_t channel = (ptrdiff_t)(block + (size_t)n) * NCK_LANES;
                if (e.operand) v = load(e.operand + m * e.operand_step + channel) + v;
                store(out + m * out_step + channel, plain_activation(v, e.activation));
            }
    } else {
        float sums[rows * columns * NCK_LANES]; // out may be the operand
#pragma clang loop unroll(full)
        for (int k = 0; k < rows * columns; k++) store(sums + k * NCK_LANES, sum[k]);
        finish_tile(rows, columns, sums, block, out, out_step, e);
    }
}

/* rows positions times columns vectors of output channels, all accumulators in registers; both are constants at every call. */
INLINE void convolve_tile(const int rows, const int columns, const nck_convolution *c, size_t block, const float *in, ptrdiff_t in_step, float *out,
                          ptrdiff_t out_step, nck_epilogue e) {
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
    store_tile(rows, columns, sum, block, out, out_step, e);
}

/* The same for one block whose taps reach some lanes only. To the other lanes a tap adds -0 * +0, which leaves every sum as it is: cheaper than choosing
 * between sums, and off their chain. */
INLINE void convolve_lanes_tile(const int rows, const nck_convolution *c, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, nck_epilogue e) {
    const mask bits = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
    vector sum[rows];
#pragma clang loop unroll(full)
    for (int m = 0; m < rows; m++) sum[m] = load(c->bias);
    const float *w = c->weights;
    for (size_t tap = 0; tap < c->taps; tap++) {
        const float *x = in + c->tap_offsets[tap];
        const mask reached = ((int32_t)c->tap_lanes[tap] & bits) == bits, neutral = ~reached & (mask)splat(-0.0f);
        for (size_t i = 0; i < c->inputs; i++, w += NCK_LANES) {
            const vector weight = (vector)((reached & (mask)load(w)) | neutral);
#pragma clang loop unroll(full)
            for (int m = 0; m < rows; m++) sum[m] = fused(weight, (vector)(reached & (mask)splat(x[m * in_step + (ptrdiff_t)i])), sum[m]);
        }
    }
    store_tile(rows, 1, sum, 0, out, out_step, e);
}

/* All positions of one group of `columns` output blocks: full tiles, then single positions. */
#define CONVOLVE_GROUP(NAME, ROWS, COLUMNS)                                                                                                             \
    static void NAME(const nck_convolution *c, size_t block, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions,      \
                     nck_epilogue e) {                                                                                                                  \
        size_t p = 0;                                                                                                                                   \
        for (; p + (ROWS) <= positions; p += (ROWS)) {                                                                                                  \
            convolve_tile(ROWS, COLUMNS, c, block, in, in_step, out, out_step, e);                                                                      \
            in += (ROWS)*in_step, out += (ROWS)*out_step;                                                                                               \
            if (e.operand) e.operand += (ROWS)*e.operand_step;                                                                                       \
        }                                                                                                                                               \
        if ((ROWS) > 2)                                                                                                                                 \
            for (; p + 2 <= positions; p += 2) {                                                                                                        \
                convolve_tile(2, COLUMNS, c, block, in, in_step, out, out_step, e);                                                                     \
                in += 2 * in_step, out += 2 * out_step;                                                                                                 \
                if (e.operand) e.operand += 2 * e.operand_step;                                                                                      \
            }                                                                                                                                           \
        for (; p < positions; p++) {                                                                                                                    \
            convolve_tile(1, COLUMNS, c, block, in, in_step, out, out_step, e);                                                                         \
            in += in_step, out += out_step;                                                                                                             \
            if (e.operand) e.operand += e.operand_step;                                                                                              \
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

/* Fewer positions than in a dense tile: the masks take registers too. */
enum { LANES_ROWS = TILE_ROWS_1 > 2 ? TILE_ROWS_1 - 2 : 1 };

static void convolve_lanes(const nck_convolution *c, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions, nck_epilogue e) {
    size_t p = 0;
    for (; p + LANES_ROWS <= positions; p += LANES_ROWS) {
        convolve_lanes_tile(LANES_ROWS, c, in, in_step, out, out_step, e);
        in += LANES_ROWS * in_step, out += LANES_ROWS * out_step;
        if (e.operand) e.operand += LANES_ROWS * e.operand_step;
    }
    for (; p < positions; p++) {
        convolve_lanes_tile(1, c, in, in_step, out, out_step, e);
        in += in_step, out += out_step;
        if (e.operand) e.operand += e.operand_step;
    }
}

static void convolve(const nck_convolution *c, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions, nck_epilogue e) {
    if (c->tap_lanes) return convolve_lanes(c, in, in_step, out, out_step, positions, e);
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

/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolutions, vectors across channels. */

/*
 * There is little arithmetic, so memory decides. The loops go along the positions for a block of channels at a time: its weights, and what neighbouring positions
 * share, stay in the first-level cache. The one row of the input that was not read before, and the output, are fetched some positions ahead, because
 * processors do not foresee such steps themselves.
 */
enum { DEPTHWISE_BLOCK = 2 * NCK_LANES, DEPTHWISE_AHEAD = 16 };

/* Positions held in registers. */
#if TILE_ROWS_4
enum { DEPTHWISE_ROWS_3 = 4, DEPTHWISE_ROWS_5 = 8 };
#else
enum { DEPTHWISE_ROWS_3 = 4, DEPTHWISE_ROWS_5 = 4 };
#endif

/* rows positions, `apart` columns apart, of `count` channels. rows, size and apart are constants at every call. */
INLINE void depthwise_tile(const int rows, const int size, const int apart, const float *weights, const float *bias, size_t channels, size_t count,
                           const float *in, ptrdiff_t in_row, float *out, ptrdiff_t out_step, nck_activation activation) {
    const ptrdiff_t column_step = (ptrdiff_t)channels, in_step = apart * column_step;
    for (size_t c = 0; c < count; c += NCK_LANES) {
        const float *w = weights + c, *x = in + c;
        float *to = out + c;
        vector sum[rows];
#pragma clang loop unroll(full)
        for (int m = 0; m < rows; m++) {
            sum[m] = load(bias + c);
#pragma clang loop unroll(full)
            for (int i = 0; i < apart; i++)
                __builtin_prefetch(x + (DEPTHWISE_AHEAD + m) * in_step + (size - 1 + i) * column_step + (size - 1) * in_row, 0);
            __builtin_prefetch(to + (DEPTHWISE_AHEAD + m) * out_step, 1);
        }
#pragma clang loop unroll(disable) /* the addresses of one row fit the registers */
        for (int row = 0; row < size; row++, w += size * column_step, x += in_row)
#pragma clang loop unroll(full)
            for (int column = 0; column < size; column++) {
                const vector weight = load(w + column * column_step);
#pragma clang loop unroll(full)
                for (int m = 0; m < rows; m++) sum[m] = fused(weight, load(x + m * in_step + column * column_step), sum[m]);
            }
#pragma clang loop unroll(full)
        for (int m = 0; m < rows; m++) store(to + m * out_step, plain_activation(sum[m], activation));
    }
}

INLINE void depthwise_size(const int rows, const int size, const int apart, const float *weights, const float *bias, size_t channels, const float *in,
                           ptrdiff_t in_row, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions, nck_activation activation) {
    const size_t in_tiles = in_step == apart * (ptrdiff_t)channels ? positions / (size_t)rows * (size_t)rows : 0;
    for (size_t c = 0; c < channels; c += DEPTHWISE_BLOCK) {
        const size_t count = channels - c < DEPTHWISE_BLOCK ? channels - c : DEPTHWISE_BLOCK;
        const float *x = in + c;
        float *to = out + c;
        for (size_t p = 0; p < in_tiles; p += (size_t)rows, x += rows * in_step, to += rows * out_step)
            depthwise_tile(rows, size, apart, weights + c, bias + c, channels, count, x, in_row, to, out_step, activation);
        for (size_t p = in_tiles; p < positions; p++, x += in_step, to += out_step)
            depthwise_tile(1, size, apart, weights + c, bias + c, channels, count, x, in_row, to, out_step, activation);
    }
}

static void depthwise(const float *weights, const float *bias, size_t size, size_t channels, const float *in, ptrdiff_t in_row, ptrdiff_t in_step, float *out,
                      ptrdiff_t out_step, size_t positions, nck_activation activation) {
    const nck_activation plain = is_plain(activation) ? activation : (nck_activation){NCK_IDENTITY, 0};
    const int apart = in_step == 2 * (ptrdiff_t)channels ? 2 : 1;
    if (size == 3)
        depthwise_size(DEPTHWISE_ROWS_3, 3, 1, weights, bias, channels, in, in_row, in_step, out, out_step, positions, plain);
    else if (apart == 1)
        depthwise_size(DEPTHWISE_ROWS_5, 5, 1, weights, bias, channels, in, in_row, in_step, out, out_step, positions, plain);
    else
        depthwise_size(4, 5, 2, weights, bias, channels, in, in_row, in_step, out, out_step, positions, plain);
    if (!is_plain(activation)) activate(channels, out, out_step, out, out_step, positions, activation);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Moves values between maps of different resolution; no arithmetic. */

/* factor is 2 or 4 and a constant, so that blocks of 16 channels stay in registers; or `blocks` is 0. */
INLINE void pixel_shuffle_by(const int factor, const int blocks, size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_row,
                             ptrdiff_t out_step, size_t positions) {
    const int parts = factor * factor;
    for (size_t p = 0; p < positions; p++, in += in_step, out += factor * out_step) {
        size_t c = 0;
        for (; blocks && c + NCK_LANES <= channels; c += NCK_LANES) {
            vector v[NCK_LANES];
#pragma clang loop unroll(full)
            for (int k = 0; k < parts; k++) v[k] = load(in + c * (size_t)parts + (size_t)k * NCK_LANES);
            deinterleave(parts, v);
#pragma clang loop unroll(full)
            for (int k = 0; k < parts; k++) store(out + k / factor * out_row + k % factor * out_step + (ptrdiff_t)c, v[k]);
        }
        for (; c < channels; c++)
            for (int k = 0; k < parts; k++) out[k / factor * out_row + k % factor * out_step + (ptrdiff_t)c] = in[c * (size_t)parts + (size_t)k];
    }
}

static void pixel_shuffle(size_t factor, size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_row, ptrdiff_t out_step, size_t positions) {
    if (factor == 2) return pixel_shuffle_by(2, 1, channels, in, in_step, out, out_row, out_step, positions);
    if (factor == 4) return pixel_shuffle_by(4, 1, channels, in, in_step, out, out_row, out_step, positions);
    pixel_shuffle_by((int)factor, 0, channels, in, in_step, out, out_row, out_step, positions);
}

INLINE void pixel_unshuffle_by(const int factor, const int blocks, size_t channels, const float *in, ptrdiff_t in_row, ptrdiff_t in_step, float *out,
                               ptrdiff_t out_step, size_t positions) {
    const int parts = factor * factor;
    for (size_t p = 0; p < positions; p++, in += factor * in_step, out += out_step) {
        size_t c = 0;
        for (; blocks && c + NCK_LANES <= channels; c += NCK_LANES) {
            vector v[NCK_LANES];
#pragma clang loop unroll(full)
            for (int k = 0; k < parts; k++) v[k] = load(in + k / factor * in_row + k % factor * in_step + (ptrdiff_t)c);
            interleave(parts, v);
#pragma clang loop unroll(full)
            for (int k = 0; k < parts; k++) store(out + c * (size_t)parts + (size_t)k * NCK_LANES, v[k]);
        }
        for (; c < channels; c++)
            for (int k = 0; k < parts; k++) out[c * (size_t)parts + (size_t)k] = in[k / factor * in_row + k % factor * in_step + (ptrdiff_t)c];
    }
}

static void pixel_unshuffle(size_t factor, size_t channels, const float *in, ptrdiff_t in_row, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions) {
    if (factor == 2) return pixel_unshuffle_by(2, 1, channels, in, in_row, in_step, out, out_step, positions);
    if (factor == 4) return pixel_unshuffle_by(4, 1, channels, in, in_row, in_step, out, out_step, positions);
    pixel_unshuffle_by((int)factor, 0, channels, in, in_row, in_step, out, out_step, positions);
}

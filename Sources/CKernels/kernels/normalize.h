/* SPDX-License-Identifier: Apache-2.0 */
/* Layer normalization and softmax: sums run through sixteen lanes, value i through lane i mod 16, which one fixed tree then adds up. */

/* Lane l with l + 8, then + 4, + 2, + 1. */
INLINE float lane_sum(vector v) {
    v = v + __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v = v + __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v = v + __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    v = v + __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    return v[0];
}

/* The greater of the two; b if a is NaN. */
INLINE vector greater(vector a, vector b) { return choose(a > b, a, b); }

INLINE float lane_maximum(vector v) {
    v = greater(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    v = greater(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
    v = greater(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
    v = greater(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
    return v[0];
}

/* Copies count < 16 floats in pieces of fixed size. */
INLINE void copy_first(float *to, const float *from, size_t count) {
#pragma clang loop unroll(full)
    for (size_t piece = NCK_LANES / 2; piece; piece /= 2)
        if (count & piece) {
            memcpy(to, from, piece * sizeof *to);
            to += piece, from += piece;
        }
}

/* The first `count` lanes, below sixteen; nothing else is read or written. */
INLINE vector load_first(const float *p, size_t count, float others) {
    vector v = splat(others);
    copy_first((float *)&v, p, count);
    return v;
}

INLINE void store_first(float *p, vector v, size_t count) { copy_first(p, (const float *)&v, count); }

/*
 * out = exp(in - greatest), out may be in; returns the sum. Lanes beyond `count` stay out of the maximum and add +0, which changes no sum of exponentials.
 * padded (a constant at every call): the last vector may be read and written whole.
 */
INLINE float exponentials(const int padded, size_t count, const float *in, float *out) {
    const mask lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const size_t rest = count % NCK_LANES, whole = count - rest;
    const vector lowest = splat(-__builtin_inff());
    vector last = lowest, maximum = lowest, sum = splat(0.0f);
    for (size_t i = 0; i < whole; i += NCK_LANES) maximum = greater(load(in + i), maximum);
    if (rest) {
        last = padded ? choose(lane < (int32_t)rest, load(in + whole), lowest) : load_first(in + whole, rest, lowest[0]);
        maximum = greater(last, maximum);
    }
    maximum = splat(lane_maximum(maximum));
    for (size_t i = 0; i < whole; i += NCK_LANES) {
        const vector e = exp_of(load(in + i) - maximum);
        store(out + i, e);
        sum = sum + e;
    }
    if (rest) {
        const vector e = choose(lane < (int32_t)rest, exp_of(last - maximum), splat(0.0f));
        sum = sum + e;
        if (padded)
            store(out + whole, e);
        else
            store_first(out + whole, e, rest);
    }
    return lane_sum(sum);
}

static void softmax(size_t count, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t rows) {
    const size_t rest = count % NCK_LANES, whole = count - rest;
    for (size_t r = 0; r < rows; r++, in += in_step, out += out_step) {
        const vector sum = splat(exponentials(0, count, in, out));
        for (size_t i = 0; i < whole; i += NCK_LANES) store(out + i, load(out + i) / sum);
        if (rest) store_first(out + whole, load_first(out + whole, rest, 0.0f) / sum, rest);
    }
}

static void layer_norm(const float *weight, const float *bias, float epsilon, size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step,
                       size_t positions) {
    const float count = (float)channels;
    for (size_t p = 0; p < positions; p++, in += in_step, out += out_step) {
        vector sum = splat(0.0f), squares = splat(0.0f);
        for (size_t c = 0; c < channels; c += NCK_LANES) sum = sum + load(in + c);
        const vector mean = splat(lane_sum(sum) / count);
        for (size_t c = 0; c < channels; c += NCK_LANES) {
            const vector difference = load(in + c) - mean;
            squares = fused(difference, difference, squares);
        }
        const vector factor = splat(1.0f / __builtin_elementwise_sqrt(lane_sum(squares) / count + epsilon));
        for (size_t c = 0; c < channels; c += NCK_LANES) store(out + c, fused((load(in + c) - mean) * factor, load(weight + c), load(bias + c)));
    }
}

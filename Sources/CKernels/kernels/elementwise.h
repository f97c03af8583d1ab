/* SPDX-License-Identifier: Apache-2.0 */
/* Each output from the inputs at its own place. */

/* v < 0 ? slope * v : v. */
INLINE vector leaky_relu(vector v, float slope) { return choose(v < splat(0.0f), v * splat(slope), v); }

/* v > 0 ? v : +0. */
INLINE vector relu(vector v) { return choose(v > splat(0.0f), v, splat(0.0f)); }

/* Activations of a comparison and a select, which convolutions apply in registers. */
INLINE int is_plain(nck_activation a) { return a.function <= NCK_RELU; }

INLINE vector plain_activation(vector v, nck_activation a) {
    if (a.function == NCK_LEAKY_RELU) return leaky_relu(v, a.slope);
    return a.function == NCK_RELU ? relu(v) : v;
}

/* Of the five functions of functions.h. */
INLINE vector curved_activation(vector v, nck_function function) {
    switch (function) {
    case NCK_GELU: return gelu(v);
    case NCK_SIGMOID: return sigmoid(v);
    case NCK_SOFTPLUS: return softplus(v);
    case NCK_TANH: return tanh_of(v);
    case NCK_EXP: return exp_of(v);
    default: return v;
    }
}

/* Kept out of the convolutions, which would hold it once for each place where they finish. */
__attribute__((noinline)) static vector activated_apart(vector v, nck_function function) { return curved_activation(v, function); }

INLINE vector activated(vector v, nck_activation a) { return is_plain(a) ? plain_activation(v, a) : activated_apart(v, a.function); }

/* The function is a constant at every call, so the loop holds no choice. */
INLINE void activate_all(const nck_function function, size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions,
                         float slope) {
    const nck_activation plain = {function, slope};
    for (size_t p = 0; p < positions; p++, in += in_step, out += out_step)
        for (size_t c = 0; c < channels; c += NCK_LANES) {
            const vector v = load(in + c);
            store(out + c, is_plain(plain) ? plain_activation(v, plain) : curved_activation(v, function));
        }
}

static void activate(size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions, nck_activation activation) {
    switch (activation.function) {
    case NCK_GELU: return activate_all(NCK_GELU, channels, in, in_step, out, out_step, positions, 0);
    case NCK_SIGMOID: return activate_all(NCK_SIGMOID, channels, in, in_step, out, out_step, positions, 0);
    case NCK_SOFTPLUS: return activate_all(NCK_SOFTPLUS, channels, in, in_step, out, out_step, positions, 0);
    case NCK_TANH: return activate_all(NCK_TANH, channels, in, in_step, out, out_step, positions, 0);
    case NCK_EXP: return activate_all(NCK_EXP, channels, in, in_step, out, out_step, positions, 0);
    case NCK_LEAKY_RELU: return activate_all(NCK_LEAKY_RELU, channels, in, in_step, out, out_step, positions, activation.slope);
    case NCK_RELU: return activate_all(NCK_RELU, channels, in, in_step, out, out_step, positions, 0);
    default: return activate_all(NCK_IDENTITY, channels, in, in_step, out, out_step, positions, 0);
    }
}

static void scale(const float *factor, size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions) {
    for (size_t p = 0; p < positions; p++, in += in_step, out += out_step)
        for (size_t c = 0; c < channels; c += NCK_LANES) store(out + c, load(in + c) * load(factor + c));
}

static void square(size_t channels, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t positions) {
    for (size_t p = 0; p < positions; p++, in += in_step, out += out_step)
        for (size_t c = 0; c < channels; c += NCK_LANES) store(out + c, load(in + c) * load(in + c));
}

/* Whole vectors: a loop over single values would be compiled to run one by one where out is an input. */
static void add(size_t channels, const float *a, ptrdiff_t a_step, const float *b, ptrdiff_t b_step, float *out, ptrdiff_t out_step, size_t positions) {
    for (size_t p = 0; p < positions; p++, a += a_step, b += b_step, out += out_step)
        for (size_t c = 0; c < channels; c += NCK_LANES) store(out + c, load(a + c) + load(b + c));
}

static void gate(size_t channels, const float *residual, ptrdiff_t residual_step, const float *a, ptrdiff_t a_step, const float *b, ptrdiff_t b_step, float *out,
                 ptrdiff_t out_step, size_t positions) {
    for (size_t p = 0; p < positions; p++, a += a_step, b += b_step, out += out_step) {
        for (size_t c = 0; c < channels; c += NCK_LANES) {
            const vector product = load(a + c) * sigmoid(load(b + c));
            store(out + c, residual ? load(residual + c) + product : product);
        }
        if (residual) residual += residual_step;
    }
}

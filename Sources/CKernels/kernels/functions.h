/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exp, tanh, sigmoid, softplus and GELU of sixteen values, also included by common.c. Polynomials are minimax fits with rounded coefficients, highest
 * degree first; every range is chosen by ordered compares and selects. Errors: Tests/kernels/accuracy.
 */

INLINE vector polynomial(const float *coefficients, const int count, vector x) {
    vector p = splat(coefficients[0]);
#pragma clang loop unroll(full)
    for (int i = 1; i < count; i++) p = fused(p, x, splat(coefficients[i]));
    return p;
}

INLINE vector magnitude(vector x) { return choose(x < splat(0.0f), -x, x); }

/* For x in [-87, 88]: 2^n * p(r), |r| <= ln 2 / 2, by Cody-Waite reduction and the Taylor terms up to degree 7. */
INLINE vector exp_in_range(vector x) {
    const float taylor[] = {0x1.a01a02p-13f, 0x1.6c16c2p-10f, 0x1.111112p-7f, 0x1.555556p-5f, 0x1.555556p-3f, 0x1p-1f, 0x1p+0f, 0x1p+0f};
    const vector n = (x * splat(0x1.715476p+0f) + splat(NCK_ROUND_MAGIC)) - splat(NCK_ROUND_MAGIC);
    vector r = fused(n, splat(-0x1.62e4p-1f), x);
    r = fused(n, splat(-0x1.7f7d1cp-20f), r);
    const mask power = (__builtin_convertvector(n, mask) + 127) << 23;
    return polynomial(taylor, 8, r) * (vector)power;
}

/* exp(x), x clamped to [-87, 88]; NaN counts as 0. */
INLINE vector exp_of(vector x) {
    x = choose(x == x, x, splat(0.0f)); // before n becomes an integer
    x = choose(x < splat(-87.0f), splat(-87.0f), x);
    x = choose(x > splat(88.0f), splat(88.0f), x);
    return exp_in_range(x);
}

/* 1 / (1 + exp(-x)), by exp(-|x|), which neither overflows nor loses the small values. NaN gives 1/2. */
INLINE vector sigmoid(vector x) {
    const vector one = splat(1.0f), e = exp_of(-magnitude(x));
    return choose(x < splat(0.0f), e, one) / (one + e);
}

/* max(x, 0) + log(1 + e), e = exp(-|x|). With q = 2 e / (2 + e) the logarithm is 2 artanh(q / 2) = q + q^3 l(q^2), q <= 2/3. NaN gives log 2. */
INLINE vector softplus(vector x) {
    const float artanh[] = {0x1.1eca1ap-11f, 0x1.1ec04p-9f, 0x1.99d1ccp-7f, 0x1.555502p-4f};
    const vector e = exp_of(-magnitude(x)), q = (e + e) / (splat(2.0f) + e), square = q * q;
    return choose(x > splat(0.0f), x, splat(0.0f)) + fused(q * square, polynomial(artanh, 4, square), q);
}

/* Below 0.625 x + x^3 t(x^2), elsewhere 1 - 2 / (exp(2 |x|) + 1) with the sign of x. NaN gives +0. */
INLINE vector tanh_of(vector x) {
    const float near[] = {-0x1.750ce2p-8f, 0x1.51f8cep-6f, -0x1.b835a4p-5f, 0x1.1106f6p-3f, -0x1.555532p-2f};
    const vector size = magnitude(x), square = x * x, small = fused(x * square, polynomial(near, 5, square), x);
    const vector large = splat(1.0f) - splat(2.0f) / (exp_of(size + size) + splat(1.0f));
    return choose(size < splat(0.625f), small, choose(x < splat(0.0f), -large, large));
}

/*
 * GELU without approximation: x F(x), F the normal distribution's function, which is (1 + erf(x / sqrt 2)) / 2. The lower tail 2 F(-a) = erfc(a / sqrt 2)
 * is exp(a l(a)) for 0 <= a <= 8; there is no difference of nearly equal numbers on the negative side. Below -8, and for NaN, the value is that at -8.
 */
INLINE vector gelu(vector x) {
    const float log_tail[] = {-0x1.7167f4p-26f, 0x1.4fcf5ep-21f, -0x1.067ce6p-17f, 0x1.c213c4p-15f, -0x1.96c58p-13f,
                              -0x1.05f072p-18f, 0x1.3c2ad2p-8f, -0x1.29d818p-5f, -0x1.45f198p-2f, -0x1.988462p-1f};
    x = choose(x > splat(-8.0f), x, splat(-8.0f));
    vector a = magnitude(x);
    a = choose(a < splat(8.0f), a, splat(8.0f));
    const vector tail = splat(0.5f) * exp_in_range(a * polynomial(log_tail, 10, a));
    return x * choose(x < splat(0.0f), tail, splat(1.0f) - tail);
}

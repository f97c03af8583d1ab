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

/* exp(-|x|), x clamped likewise. A number that is not above zero needs one clamp only. */
INLINE vector exp_of_negative_magnitude(vector x) {
    x = -magnitude(choose(x == x, x, splat(0.0f)));
    return exp_in_range(choose(x < splat(-87.0f), splat(-87.0f), x));
}

/* 1 / (1 + exp(-x)), by exp(-|x|), which neither overflows nor loses the small values. NaN gives 1/2. */
INLINE vector sigmoid(vector x) {
    const vector one = splat(1.0f), e = exp_of_negative_magnitude(x);
    return choose(x < splat(0.0f), e, one) / (one + e);
}

/* max(x, 0) + log(1 + e), e = exp(-|x|). With q = 2 e / (2 + e) the logarithm is 2 artanh(q / 2) = q + q^3 l(q^2), q <= 2/3. NaN gives log 2. */
INLINE vector softplus(vector x) {
    const float artanh[] = {0x1.1eca1ap-11f, 0x1.1ec04p-9f, 0x1.99d1ccp-7f, 0x1.555502p-4f};
    const vector e = exp_of_negative_magnitude(x), q = (e + e) / (splat(2.0f) + e), square = q * q;
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
 * GELU as the error function defines it: x F(x), F the normal distribution's function. F(a) - 1/2 is odd: a p(a^2), p in t = 2 a^2 / 5.25^2 - 1, which lies
 * in [-1, 1] and keeps the polynomial's rounding errors small. Above 5.25 F is 1 to the last bit but one; below -5.25, and for NaN, the value is that at -5.25
 * (-2^-22.6, for a true value that is smaller still).
 */
INLINE vector gelu(vector x) {
    const float odd[] = {0x1.f7366cp-13f, -0x1.583d3ap-11f, 0x1.5c82b8p-11f, -0x1.1081fp-10f, 0x1.7b1b94p-9f, -0x1.651302p-8f, 0x1.13d636p-7f, -0x1.a29e9p-7f,
                         0x1.2fbcbap-6f, -0x1.9a497ap-6f, 0x1.0666ccp-5f, -0x1.45bdecp-5f, 0x1.96b2c2p-5f, -0x1.12f392p-4f, 0x1.13c848p-3f};
    x = choose(x > splat(-5.25f), x, splat(-5.25f));
    const vector a = choose(x < splat(5.25f), x, splat(5.25f));
    const vector t = fused(a, a * splat(0x1.293726p-4f), splat(-1.0f));
    return x * fused(a, polynomial(odd, 15, t), splat(0.5f));
}

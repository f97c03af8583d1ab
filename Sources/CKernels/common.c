// SPDX-License-Identifier: Apache-2.0
// Small computations that run once a call: the same code on every path.
#include "strict.h"
#include <math.h>
#include <string.h>

void nck_rate_table(const float *table, size_t knots, size_t channels, uint32_t r, float *out) {
    uint32_t scaled = r * (uint32_t)(knots - 1);
    uint32_t lower = scaled / 65535u;
    if (lower > knots - 2) lower = (uint32_t)(knots - 2);
    float t = (float)(scaled - 65535u * lower) / 65535.0f;
    const float *a = table + lower * channels, *b = a + channels;
    for (size_t c = 0; c < channels; c++) out[c] = fmaf(t, b[c] - a[c], a[c]);
}

// exp by 2^n * p(r), |r| <= ln 2 / 2: Cody-Waite reduction and the Taylor terms up to degree 7 (relative error below 1e-7).
static float exp_strict(float x) {
    x = x == x ? x : 0.0f; // before n becomes an integer
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float n = (x * 0x1.715476p+0f + NCK_ROUND_MAGIC) - NCK_ROUND_MAGIC;
    float r = fmaf(n, -0x1.62e4p-1f, x);
    r = fmaf(n, -0x1.7f7d1cp-20f, r);
    float p = 0x1.a01a02p-13f;
    p = fmaf(p, r, 0x1.6c16c2p-10f);
    p = fmaf(p, r, 0x1.111112p-7f);
    p = fmaf(p, r, 0x1.555556p-5f);
    p = fmaf(p, r, 0x1.555556p-3f);
    p = fmaf(p, r, 0x1p-1f);
    p = fmaf(p, r, 0x1p+0f);
    p = fmaf(p, r, 0x1p+0f);
    uint32_t bits = (uint32_t)((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

void nck_exp(float sign, const float *in, float *out, size_t count) {
    for (size_t i = 0; i < count; i++) out[i] = exp_strict(sign * in[i]);
}

void nck_from_half(const uint16_t *half, float *out, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t h = half[i], sign = (h & 0x8000u) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff, bits;
        if (exponent == 31) {
            bits = sign | 0x7f800000u | fraction << 13;
        } else if (exponent) {
            bits = sign | (exponent + 112) << 23 | fraction << 13;
        } else {
            float value = (float)fraction * 0x1p-24f; // subnormal or zero: exact
            memcpy(&bits, &value, sizeof bits);
            bits |= sign;
        }
        memcpy(&out[i], &bits, sizeof bits);
    }
}

int nck_all_finite(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        if ((bits & 0x7f800000u) == 0x7f800000u) return 0;
    }
    return 1;
}

uint64_t nck_squared_error(const uint8_t *a, const uint8_t *b, size_t count) {
    uint64_t total = 0;
    while (count) {
        size_t n = count < 4096 ? count : 4096; // 4096 * 255^2 fits 32 bits, which vectorize
        uint32_t sum = 0;
        for (size_t i = 0; i < n; i++) {
            int32_t d = (int32_t)a[i] - (int32_t)b[i];
            sum += (uint32_t)(d * d);
        }
        total += sum;
        a += n;
        b += n;
        count -= n;
    }
    return total;
}

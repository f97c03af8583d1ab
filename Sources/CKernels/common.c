// SPDX-License-Identifier: Apache-2.0
// Small computations that run once a call: the same code on every path.
#include "strict.h"
#include "kernels/vector.h"
#include "kernels/functions.h"
#include <math.h>

void nck_rate_table(const float *table, size_t knots, size_t channels, uint32_t r, float *out) {
    uint32_t scaled = r * (uint32_t)(knots - 1);
    uint32_t lower = scaled / 65535u;
    if (lower > knots - 2) lower = (uint32_t)(knots - 2);
    float t = (float)(scaled - 65535u * lower) / 65535.0f;
    const float *a = table + lower * channels, *b = a + channels;
    for (size_t c = 0; c < channels; c++) out[c] = fmaf(t, b[c] - a[c], a[c]);
}

void nck_exp(float sign, const float *in, float *out, size_t count) {
    for (size_t some; count; count -= some, in += some, out += some) {
        vector v = splat(0.0f);
        some = count < NCK_LANES ? count : NCK_LANES;
        memcpy(&v, in, some * sizeof *in);
        v = exp_of(splat(sign) * v);
        memcpy(out, &v, some * sizeof *out);
    }
}

void nck_nonnegative(float minimum, float *values, size_t count) {
    const float pedestal = 0x1p-36f, bound = __builtin_elementwise_sqrt(minimum + pedestal);
    for (size_t i = 0; i < count; i++) {
        float v = values[i] > bound ? values[i] : bound;
        values[i] = v * v - pedestal;
    }
}

static int32_t rounded(float v) {
    v = v == v ? v : 0.0f;
    v = v < -0x1p20f ? -0x1p20f : v;
    v = v > 0x1p20f ? 0x1p20f : v;
    return (int32_t)((v + NCK_ROUND_MAGIC) - NCK_ROUND_MAGIC);
}

void nck_quantize_steps(const float *median, float step, size_t channels, const float *z, int32_t *symbols, size_t positions) {
    for (size_t p = 0; p < positions; p++, z += channels, symbols += channels)
        for (size_t c = 0; c < channels; c++) symbols[c] = rounded((z[c] - median[c]) / step);
}

void nck_reconstruct_steps(const float *median, float step, size_t channels, const int32_t *symbols, float *z, size_t positions) {
    for (size_t p = 0; p < positions; p++, z += channels, symbols += channels)
        for (size_t c = 0; c < channels; c++) z[c] = (float)symbols[c] * step + median[c];
}

void nck_offset_inputs(const float *scales, float least, float gain, float *pairs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        pairs[2 * i] = scales[i] > least ? scales[i] : least;
        pairs[2 * i + 1] = gain;
    }
}

void nck_add_with_offsets(const int32_t *symbols, const float *offsets, float inverse, float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const float symbol = (float)symbols[i], offset = offsets[16 * i];
        const float moved = symbols[i] > 0 ? symbol - offset : symbols[i] < 0 ? symbol + offset : 0.0f;
        values[i] = moved * inverse + values[i];
    }
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

uint64_t nck_squared_error_16(const uint8_t *a, const uint8_t *b, size_t count) {
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++, a += 2, b += 2) {
        uint16_t v, w;
        memcpy(&v, a, 2);
        memcpy(&w, b, 2);
        const int64_t d = (int64_t)v - (int64_t)w;
        total += (uint64_t)(d * d);
    }
    return total;
}

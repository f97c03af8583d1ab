// SPDX-License-Identifier: Apache-2.0
// Annex A in naive loops; no operation is regrouped.
#include "layers.h"

#include <math.h>
#include <string.h>

static float round_to_integer(float v) { return (v + 0x1.8p23f) - 0x1.8p23f; }

static float leaky(float v) { return v < 0 ? v * 0x1.99999ap-4f : v; }

static float exponential(float x) {
    static const float coefficients[8] = {0x1.a01a02p-13f, 0x1.6c16c2p-10f, 0x1.111112p-7f, 0x1.555556p-5f,
                                          0x1.555556p-3f, 0x1p-1f, 1, 1};
    if (x != x) x = 0;
    x = x < -87 ? -87 : x;
    x = x > 88 ? 88 : x;
    float n = round_to_integer(x * 0x1.715476p+0f);
    float t = fmaf(n, -0x1.62e4p-1f, x);
    t = fmaf(n, -0x1.7f7d1cp-20f, t);
    float sum = coefficients[0];
    for (int i = 1; i < 8; i++) sum = fmaf(sum, t, coefficients[i]);
    uint32_t bits = (uint32_t)((int)n + 127) << 23;  // 2^n; n is -126 ... 127
    float power;
    memcpy(&power, &bits, 4);
    return sum * power;
}

void exponentials(float sign, float *values, int count) {
    for (int i = 0; i < count; i++) values[i] = exponential(sign * values[i]);
}

void rate_values(const float *table, int knots, int channels, uint32_t rate, float *values) {
    uint32_t n = rate * (uint32_t)(knots - 1);
    uint32_t k = n / 65535;
    if (k > (uint32_t)knots - 2) k = (uint32_t)knots - 2;
    float t = (float)(n - 65535 * k) / 65535.0f;
    const float *low = table + k * (uint32_t)channels, *high = low + channels;
    for (int c = 0; c < channels; c++) values[c] = fmaf(t, high[c] - low[c], low[c]);
}

// The sum of output o at (p, q); padding taps count as +0.
static float convolution(Map in, const Dense *layer, int stride, int p, int q, int o) {
    int k = layer->kernel, pad = (k - 1) / 2;
    float acc = layer->bias[o];
    for (int i = 0; i < k; i++)
        for (int j = 0; j < k; j++) {
            int row = stride * p + i - pad, column = stride * q + j - pad;
            int inside = row >= 0 && row < in.rows && column >= 0 && column < in.columns;
            const float *x = inside ? at(in, row, column) : NULL;
            for (int c = 0; c < in.channels; c++)
                acc = fmaf(layer->weight[((o * in.channels + c) * k + i) * k + j], x ? x[c] : 0.0f, acc);
        }
    return acc;
}

Map dense(Map in, Dense layer) {
    int stride = layer.stride ? layer.stride : 1, s = layer.shuffle ? layer.shuffle : 1;
    int rows = in.rows / stride, columns = in.columns / stride;
    Map out = new_map(rows * s, columns * s, layer.outputs / (s * s));
    for (int p = 0; p < rows; p++)
        for (int q = 0; q < columns; q++)
            for (int o = 0; o < layer.outputs; o++) {
                int c = o / (s * s), i = o / s % s, j = o % s;  // pixel shuffle
                float v = convolution(in, &layer, stride, p, q, o);
                if (layer.residual) v = at(*layer.residual, p, q)[o] + v;
                at(out, s * p + i, s * q + j)[c] = layer.leaky ? leaky(v) : v;
            }
    return out;
}

Map depthwise(Map in, const float *weight, const float *bias, int kernel, int is_leaky) {
    Map out = new_map(in.rows, in.columns, in.channels);
    int pad = (kernel - 1) / 2;
    for (int p = 0; p < out.rows; p++)
        for (int q = 0; q < out.columns; q++)
            for (int c = 0; c < in.channels; c++) {
                float acc = bias[c];
                for (int i = 0; i < kernel; i++)
                    for (int j = 0; j < kernel; j++) {
                        int row = p + i - pad, column = q + j - pad;
                        int inside = row >= 0 && row < in.rows && column >= 0 && column < in.columns;
                        acc = fmaf(weight[(c * kernel + i) * kernel + j], inside ? at(in, row, column)[c] : 0.0f, acc);
                    }
                at(out, p, q)[c] = is_leaky ? leaky(acc) : acc;
            }
    return out;
}

Map leaky_relu(Map in) {
    Map out = new_map(in.rows, in.columns, in.channels);
    for (size_t i = 0; i < map_size(in); i++) out.x[i] = leaky(in.x[i]);
    return out;
}

Map scaled(Map in, const float *factors) {
    Map out = new_map(in.rows, in.columns, in.channels);
    for (size_t i = 0; i < map_size(in); i++) out.x[i] = in.x[i] * factors[i % (size_t)in.channels];
    return out;
}

static int scale_index(const Model *model, float log_scale) {
    int index = 0;
    while (index < model->scale_count - 1 && model->thresholds[index] < log_scale) index++;
    return index;
}

void entropy_parameters(const Model *model, const float *gain, const float *log_scale, Map raw, Map means, uint8_t *indices) {
    int m = means.channels;
    for (int p = 0; p < means.rows; p++)
        for (int q = 0; q < means.columns; q++)
            for (int c = 0; c < m; c++) {
                const float *parameter = at(raw, p, q);
                at(means, p, q)[c] = parameter[c] * gain[c];
                *indices++ = (uint8_t)scale_index(model, parameter[m + c] + log_scale[c]);
            }
}

void reconstruct(const int32_t *symbols, Map means) {
    for (size_t i = 0; i < map_size(means); i++) means.x[i] = (float)symbols[i] + means.x[i];
}

void reconstruct_hyper(const int32_t *symbols, const float *medians, Map z) {
    for (size_t i = 0; i < map_size(z); i++) z.x[i] = (float)symbols[i] + medians[i % (size_t)z.channels];
}

static uint16_t to_sample(float v, float full) {
    v = v > 0 ? v : 0;  // NaN: 0
    v = v < full ? v : full;
    return (uint16_t)round_to_integer(v);
}

void make_samples(Map base, Map detail, Picture picture) {
    float full = full_of(picture);
    uint16_t *pixel = picture.samples;
    for (int row = 0; row < (int)picture.height; row++)
        for (int column = 0; column < (int)picture.width; column++, pixel += picture.channels) {
            const float *b = at(base, row / 4, column / 4), *d = at(detail, row / 4, column / 4);
            float s[3];
            for (int c = 0; c < 3; c++) {
                int channel = 16 * c + 4 * (row % 4) + column % 4;
                s[c] = b[channel] + d[channel];
            }
            if (colours_of(picture) == 1) pixel[0] = to_sample(fmaf((s[0] + s[1]) + s[2], full / 3, full / 2), full);
            else for (int c = 0; c < 3; c++) pixel[c] = to_sample(fmaf(s[c], full, full / 2), full);
        }
}

// The encoder's side.

Map patches(Picture picture, int rows, int columns) {
    int width = (int)picture.width, height = (int)picture.height;
    float unit = picture.bits == 8 ? 0x1.010102p-8f : 0x1.0001p-16f;
    Map out = new_map(rows, columns, 768);
    for (int row = 0; row < 16 * rows; row++)
        for (int column = 0; column < 16 * columns; column++)
            for (int c = 0; c < 3; c++) {
                int y = row < height ? row : height - 1, x = column < width ? column : width - 1;
                const uint16_t *pixel = picture.samples + ((size_t)y * (size_t)width + (size_t)x) * picture.channels;
                at(out, row / 16, column / 16)[256 * c + 16 * (row % 16) + column % 16] = fmaf(pixel[colours_of(picture) == 3 ? c : 0], unit, -0.5f);
            }
    return out;
}

static float round_symbol(float v) {
    if (v != v) v = 0;
    v = v < -0x1p20f ? -0x1p20f : v;
    v = v > 0x1p20f ? 0x1p20f : v;
    return round_to_integer(v);
}

void quantize(const float *gain, Map y0, Map means, int32_t *symbols) {
    for (size_t i = 0; i < map_size(y0); i++) symbols[i] = (int32_t)round_symbol(y0.x[i] * gain[i % (size_t)y0.channels] - means.x[i]);
    reconstruct(symbols, means);
}

void quantize_hyper(const float *medians, Map z, int32_t *symbols) {
    for (size_t i = 0; i < map_size(z); i++) symbols[i] = (int32_t)round_symbol(z.x[i] - medians[i % (size_t)z.channels]);
}

// SPDX-License-Identifier: Apache-2.0
// Section 4 and annex A: the network. One function a step; naive loops; no operation is regrouped.
#include "nicref.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    int rows, columns, channels;
    float *x;              // [row][column][channel]
} Map;

static Map new_map(int rows, int columns, int channels) {
    return (Map){rows, columns, channels, take((size_t)rows * (size_t)columns * (size_t)channels, sizeof(float))};
}

static size_t map_size(Map map) { return (size_t)map.rows * (size_t)map.columns * (size_t)map.channels; }

static float *at(Map map, int row, int column) {
    return map.x + ((size_t)row * (size_t)map.columns + (size_t)column) * (size_t)map.channels;
}

// Channels first ... first + count - 1 of `from` become channels to_first ... of `to`.
static void copy_channels(Map to, int to_first, Map from, int first, int count) {
    for (int p = 0; p < to.rows; p++)
        for (int q = 0; q < to.columns; q++)
            memcpy(at(to, p, q) + to_first, at(from, p, q) + first, (size_t)count * sizeof(float));
}

// Annex A.

static float round_to_integer(float v) { return (v + 0x1.8p23f) - 0x1.8p23f; }

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

// Dense convolution with a stride of 1; padding taps count as +0.
static Map dense(Map in, const float *weight, const float *bias, int outputs, int kernel) {
    Map out = new_map(in.rows, in.columns, outputs);
    int pad = (kernel - 1) / 2;
    for (int p = 0; p < out.rows; p++)
        for (int q = 0; q < out.columns; q++)
            for (int o = 0; o < outputs; o++) {
                float acc = bias[o];
                for (int i = 0; i < kernel; i++)
                    for (int j = 0; j < kernel; j++) {
                        int row = p + i - pad, column = q + j - pad;
                        int inside = row >= 0 && row < in.rows && column >= 0 && column < in.columns;
                        const float *x = inside ? at(in, row, column) : NULL;
                        for (int c = 0; c < in.channels; c++) {
                            size_t tap = (size_t)(((o * in.channels + c) * kernel + i) * kernel + j);
                            acc = fmaf(weight[tap], x ? x[c] : 0.0f, acc);
                        }
                    }
                at(out, p, q)[o] = acc;
            }
    return out;
}

static Map depthwise(Map in, const float *weight, const float *bias, int kernel) {
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
                at(out, p, q)[c] = acc;
            }
    return out;
}

// Section 4.

static Map leaky_relu(Map map) {
    for (size_t i = 0; i < map_size(map); i++) map.x[i] = map.x[i] < 0 ? map.x[i] * 0x1.99999ap-4f : map.x[i];
    return map;
}

static void add_residual(Map residual, Map map) {
    for (size_t i = 0; i < map_size(map); i++) map.x[i] = residual.x[i] + map.x[i];
}

static Map pixel_shuffle(Map in, int s) {
    Map out = new_map(in.rows * s, in.columns * s, in.channels / (s * s));
    for (int p = 0; p < in.rows; p++)
        for (int q = 0; q < in.columns; q++)
            for (int c = 0; c < out.channels; c++)
                for (int i = 0; i < s; i++)
                    for (int j = 0; j < s; j++)
                        at(out, s * p + i, s * q + j)[c] = at(in, p, q)[(c * s + i) * s + j];
    return out;
}

typedef struct {
    const Model *model;
    uint32_t rate;
} Net;

// The values of a rate table at the file's rate.
static float *rate_table(Net net, const char *name, int channels) {
    int knots = net.model->knots;
    const float *table = weights(net.model, name, knots, channels, 0, 0);
    uint32_t n = net.rate * (uint32_t)(knots - 1);
    uint32_t k = n / 65535;
    if (k > (uint32_t)knots - 2) k = (uint32_t)knots - 2;
    float t = (float)(n - 65535 * k) / 65535.0f;
    const float *low = table + k * (uint32_t)channels, *high = low + channels;
    float *values = take((size_t)channels, sizeof(float));
    for (int c = 0; c < channels; c++) values[c] = fmaf(t, high[c] - low[c], low[c]);
    return values;
}

// exp(sign * table)
static float *exp_rate_table(Net net, const char *name, int channels, float sign) {
    float *values = rate_table(net, name, channels);
    for (int c = 0; c < channels; c++) values[c] = exponential(sign * values[c]);
    return values;
}

enum Bias { fixed, rated };

// The layer NAME: NAME.weight with NAME.bias, or with the rate table NAME.bias.table.
static Map layer(Net net, const char *name, Map in, int outputs, int kernel, enum Bias kind) {
    char weight[96], bias[96];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, kind == rated ? "%s.bias.table" : "%s.bias", name);
    float *table = kind == rated ? rate_table(net, bias, outputs) : NULL;
    const float *b = table ? table : weights(net.model, bias, outputs, 0, 0, 0);
    Map out = dense(in, weights(net.model, weight, outputs, in.channels, kernel, kernel), b, outputs, kernel);
    drop(table);
    return out;
}

static Map depthwise_layer(Net net, const char *name, Map in, int kernel) {
    char weight[96], bias[96];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    return depthwise(in, weights(net.model, weight, in.channels, 1, kernel, kernel),
                     weights(net.model, bias, in.channels, 0, 0, 0), kernel);
}

// Block number i of the stage; x is replaced.
static void residual_block(Net net, const char *stage, int i, Map *x) {
    int n = x->channels;
    char name[5][80];
    static const char *const parts[5] = {"space_in", "space_depthwise", "space_out", "mix_in", "mix_out"};
    for (int part = 0; part < 5; part++) snprintf(name[part], sizeof name[part], "%s.%d.%s", stage, i, parts[part]);

    Map a = leaky_relu(layer(net, name[0], *x, n, 1, rated));
    Map b = depthwise_layer(net, name[1], a, 3);
    Map y = layer(net, name[2], b, n, 1, fixed);
    add_residual(*x, y);
    Map h = leaky_relu(layer(net, name[3], y, 2 * n, 1, rated));
    Map z = layer(net, name[4], h, n, 1, fixed);
    add_residual(y, z);
    drop(x->x); drop(a.x); drop(b.x); drop(y.x); drop(h.x);
    *x = z;
}

// Step 1.
static Map decode_hyperlatents(Net net, Entropy *entropy, int rows, int columns) {
    Map z = new_map(rows, columns, net.model->hyper);
    const float *medians = weights(net.model, "prior.medians", z.channels, 0, 0, 0);
    for (int p = 0; p < rows; p++)
        for (int q = 0; q < columns; q++)
            for (int c = 0; c < z.channels; c++)
                at(z, p, q)[c] = (float)entropy_symbol(entropy, &net.model->prior[c]) + medians[c];
    return z;
}

// Step 2.
static Map hyper_synthesis(Net net, Map z) {
    int h = net.model->hyper, f = net.model->hidden;
    Map u = leaky_relu(pixel_shuffle(layer(net, "hyper_synthesis.0", z, 4 * h, 1, fixed), 2));
    Map v = leaky_relu(pixel_shuffle(layer(net, "hyper_synthesis.1", u, 4 * h, 3, fixed), 2));
    return dense(v, weights(net.model, "hidden.weight", f, h, 3, 3), rate_table(net, "hidden_bias.table", f), f, 3);
}

// Step 3, the hidden layer of pass 1. y is zero where there is no anchor yet.
static Map hidden_with_context(Net net, Map prior, Map y) {
    int m = net.model->latent;
    const float *context_gain = exp_rate_table(net, "log_gain.table", m, -1);
    Map e = new_map(y.rows, y.columns, m);
    for (int p = 0; p < y.rows; p++)
        for (int q = 0; q < y.columns; q++)
            for (int c = 0; c < m; c++)
                at(e, p, q)[c] = (p + q) % 2 == 0 ? context_gain[c] * at(y, p, q)[c] : 0.0f;
    Map k = layer(net, "context_in", e, net.model->context, 1, fixed);
    Map hidden = layer(net, "context_out", leaky_relu(depthwise_layer(net, "context_depthwise", k, 5)), prior.channels, 1, fixed);
    add_residual(prior, hidden);
    return leaky_relu(hidden);
}

static int scale_index(const Model *model, float log_scale) {
    int index = 0;
    while (index < model->scale_count - 1 && model->thresholds[index] < log_scale) index++;
    return index;
}

// Steps 3 and 4: the latents of one pass.
static void decode_pass(Net net, Entropy *entropy, int pass, Map prior, Map y) {
    int m = net.model->latent;
    Map hidden;
    if (pass == 0) {
        hidden = new_map(prior.rows, prior.columns, prior.channels);
        copy_channels(hidden, 0, prior, 0, prior.channels);
        leaky_relu(hidden);
    } else hidden = hidden_with_context(net, prior, y);
    Map parameters = layer(net, "parameters_out", hidden, 2 * m, 1, fixed);
    const float *gain = exp_rate_table(net, "log_gain.table", m, 1);
    const float *log_scale = rate_table(net, "log_scale.table", m);
    for (int p = 0; p < y.rows; p++)
        for (int q = 0; q < y.columns; q++) {
            if ((p + q) % 2 != pass) continue;
            const float *parameter = at(parameters, p, q);
            for (int c = 0; c < m; c++) {
                float mean = parameter[c] * gain[c];
                int scale = scale_index(net.model, parameter[m + c] + log_scale[c]);
                at(y, p, q)[c] = (float)entropy_symbol(entropy, &net.model->gaussian[scale]) + mean;
            }
        }
}

// Step 5.
static Map synthesis(Net net, Map y) {
    int m = net.model->latent, n = net.model->core;
    const float *inverse_gain = exp_rate_table(net, "log_inverse_gain.table", m, 1);
    Map f = new_map(y.rows, y.columns, m), core = new_map(y.rows, y.columns, n);
    for (size_t i = 0; i < map_size(y); i++) f.x[i] = y.x[i] * inverse_gain[i % (size_t)m];
    copy_channels(core, 0, f, 0, n);
    for (int i = 0; i < net.model->synthesis_blocks; i++) residual_block(net, "synthesis", i, &core);
    copy_channels(f, 0, core, 0, n);
    return f;
}

// Step 6. Gives base and detail, 48 channels each.
static void render(Net net, Map f, Map *base, Map *detail) {
    int n = net.model->core, r = net.model->render;
    Map core = new_map(f.rows, f.columns, n);
    copy_channels(core, 0, f, 0, n);
    Map features = pixel_shuffle(layer(net, "grid", core, 16 * r, 1, fixed), 4);
    *base = pixel_shuffle(layer(net, "unembed", f, 768, 1, fixed), 4);
    Map cells = new_map(features.rows, features.columns, r + 48);
    copy_channels(cells, 0, features, 0, r);
    copy_channels(cells, r, *base, 0, 48);
    drop(features.x);
    Map d = leaky_relu(layer(net, "render_in", cells, r, 3, fixed));
    drop(cells.x);
    for (int i = 0; i < net.model->render_blocks; i++) residual_block(net, "render", i, &d);
    *detail = layer(net, "render_out", d, 48, 3, fixed);
}

// Step 7.
static uint8_t to_byte(float v) {
    v = v > 0 ? v : 0;  // NaN: 0
    v = v < 255 ? v : 255;
    return (uint8_t)round_to_integer(v);
}

static void make_samples(Map base, Map detail, int width, int height, int channels, uint8_t *pixels) {
    for (int row = 0; row < height; row++)
        for (int column = 0; column < width; column++) {
            const float *b = at(base, row / 4, column / 4), *d = at(detail, row / 4, column / 4);
            float s[3];
            for (int c = 0; c < 3; c++) {
                int channel = 16 * c + 4 * (row % 4) + column % 4;
                s[c] = b[channel] + d[channel];
            }
            if (channels == 1) *pixels++ = to_byte(fmaf((s[0] + s[1]) + s[2], 85, 127.5f));
            else for (int c = 0; c < 3; c++) *pixels++ = to_byte(fmaf(s[c], 255, 127.5f));
        }
}

void decode_neural(const Model *model, Entropy *entropy, uint32_t rate, uint32_t crc,
                   int width, int height, int channels, uint8_t *pixels) {
    Net net = {model, rate};
    int rows = (height + 63) / 64, columns = (width + 63) / 64;  // of the hyperlatents
    Map z = decode_hyperlatents(net, entropy, rows, columns);
    Map prior = hyper_synthesis(net, z);
    Map y = new_map(4 * rows, 4 * columns, model->latent);
    decode_pass(net, entropy, 0, prior, y);
    decode_pass(net, entropy, 1, prior, y);
    entropy_finish(entropy, crc);
    Map base, detail;
    render(net, synthesis(net, y), &base, &detail);
    make_samples(base, detail, width, height, channels, pixels);
}

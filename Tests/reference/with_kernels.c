// SPDX-License-Identifier: Apache-2.0
// The same operations by the library's kernels, called as the library calls them: packed weights, halos, rows of positions with steps.
// NEURALCODEC_ISA chooses the path.
#include "layers.h"

#include "CKernels.h"

#include <stdlib.h>
#include <string.h>

static const nck_kernels *kernels(void) {
    static const nck_kernels *path;
    if (!path && nck_select(getenv("NEURALCODEC_ISA"), &path) != NCK_SELECTED) fail("NEURALCODEC_ISA names no path of this machine");
    return path;
}

static nck_activation activation(int leaky) {
    return leaky ? (nck_activation){NCK_LEAKY_RELU, 0x1.99999ap-4f} : (nck_activation){NCK_IDENTITY, 0};
}

void exponentials(float sign, float *values, int count) { nck_exp(sign, values, values, (size_t)count); }

void rate_values(const float *table, int knots, int channels, uint32_t rate, float *values) {
    nck_rate_table(table, (size_t)knots, (size_t)channels, rate, values);
}

static Map with_halo(Map in, int reach) {
    Map out = new_map(in.rows + 2 * reach, in.columns + 2 * reach, in.channels);
    for (int p = 0; p < in.rows; p++)
        memcpy(at(out, p + reach, reach), at(in, p, 0), (size_t)in.columns * (size_t)in.channels * sizeof(float));
    return out;
}

// What makes a convolution's outputs first, first + every, ...: weights as [block of 16][tap][input][16].
static float *packed_weights(const Dense *layer, int inputs, int first, int every) {
    int taps = layer->kernel * layer->kernel;
    float *packed = take((size_t)layer->outputs / (size_t)every * (size_t)(taps * inputs), sizeof(float)), *to = packed;
    for (int block = 0; block < layer->outputs; block += 16 * every)
        for (int tap = 0; tap < taps; tap++)
            for (int input = 0; input < inputs; input++)
                for (int lane = 0; lane < 16; lane++)
                    *to++ = layer->weight[((block + lane * every + first) * inputs + input) * taps + tap];
    return packed;
}

static float *some_biases(const Dense *layer, int first, int every) {
    float *values = take((size_t)(layer->outputs / every), sizeof(float));
    for (int o = 0; o < layer->outputs / every; o++) values[o] = layer->bias[o * every + first];
    return values;
}

// A pixel shuffle is one convolution for each of its positions, whose outputs are written with a step.
Map dense(Map in, Dense layer) {
    int stride = layer.stride ? layer.stride : 1, s = layer.shuffle ? layer.shuffle : 1;
    int rows = in.rows / stride, columns = in.columns / stride, outputs = layer.outputs / (s * s), taps = layer.kernel * layer.kernel;
    Map padded = with_halo(in, layer.kernel / 2), out = new_map(rows * s, columns * s, outputs);
    if (layer.residual) memcpy(out.x, layer.residual->x, map_size(out) * sizeof(float));  // in place, as in the library's blocks
    ptrdiff_t *offsets = take((size_t)taps, sizeof *offsets);
    for (int tap = 0; tap < taps; tap++) offsets[tap] = at(padded, tap / layer.kernel, tap % layer.kernel) - padded.x;
    for (int part = 0; part < s * s; part++) {
        float *weights = packed_weights(&layer, in.channels, part, s * s), *bias = some_biases(&layer, part, s * s);
        nck_convolution convolution = {.weights = weights, .bias = bias, .tap_offsets = offsets, .taps = (size_t)taps,
                                       .inputs = (size_t)in.channels, .outputs = (size_t)outputs};
        for (int p = 0; p < rows; p++) {
            float *to = at(out, p * s + part / s, part % s);
            nck_epilogue epilogue = {.operand = layer.residual ? to : NULL, .operand_step = outputs,
                                     .combination = NCK_ADD_BEFORE, .activation = activation(layer.leaky)};
            kernels()->convolve(&convolution, at(padded, p * stride, 0), stride * in.channels, to, s * outputs, (size_t)columns, epilogue);
        }
        drop(weights), drop(bias);
    }
    drop(offsets), drop(padded.x);
    return out;
}

Map depthwise(Map in, const float *weight, const float *bias, int kernel, int leaky) {
    int channels = in.channels, taps = kernel * kernel;
    Map padded = with_halo(in, kernel / 2), out = new_map(in.rows, in.columns, channels);
    float *packed = take((size_t)(taps * channels), sizeof(float));
    for (int tap = 0; tap < taps; tap++)
        for (int c = 0; c < channels; c++) packed[tap * channels + c] = weight[c * taps + tap];
    for (int p = 0; p < in.rows; p++)
        kernels()->depthwise(packed, bias, (size_t)kernel, (size_t)channels, at(padded, p, 0), padded.columns * channels, channels,
                             at(out, p, 0), channels, (size_t)in.columns, activation(leaky));
    drop(packed), drop(padded.x);
    return out;
}

Map leaky_relu(Map in) {
    Map out = new_map(in.rows, in.columns, in.channels);
    for (int p = 0; p < in.rows; p++)
        kernels()->activate((size_t)in.channels, at(in, p, 0), in.channels, at(out, p, 0), in.channels, (size_t)in.columns, activation(1));
    return out;
}

Map scaled(Map in, const float *factors) {
    Map out = new_map(in.rows, in.columns, in.channels);
    for (int p = 0; p < in.rows; p++)
        kernels()->scale(factors, (size_t)in.channels, at(in, p, 0), in.channels, at(out, p, 0), in.channels, (size_t)in.columns);
    return out;
}

void entropy_parameters(const Model *model, const float *gain, const float *log_scale, Map raw, Map means, uint8_t *indices) {
    float thresholds[255];
    for (int i = 0; i < 255; i++) thresholds[i] = i < model->scale_count - 1 ? model->thresholds[i] : __builtin_inff();
    for (int p = 0; p < means.rows; p++, indices += means.columns * means.channels)
        kernels()->parameters(gain, log_scale, thresholds, (size_t)means.channels, at(raw, p, 0), at(means, p, 0), means.channels, indices,
                              (size_t)means.columns);
}

void reconstruct(const int32_t *symbols, Map means) {
    for (int p = 0; p < means.rows; p++, symbols += means.columns * means.channels)
        kernels()->reconstruct(symbols, (size_t)means.channels, at(means, p, 0), means.channels, (size_t)means.columns);
}

void reconstruct_hyper(const int32_t *symbols, const float *medians, Map z) {
    kernels()->reconstruct_hyper(medians, (size_t)z.channels, symbols, z.x, (size_t)(z.rows * z.columns));
}

// Samples as the kernels have them: bytes, or pairs of bytes in the machine's order.
static uint8_t *packed_samples(Picture picture) {
    size_t count = pixel_count(picture) * picture.channels;
    uint8_t *bytes = take(count, picture.bits / 8);
    if (picture.bits == 16) memcpy(bytes, picture.samples, 2 * count);
    else for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)picture.samples[i];
    return bytes;
}

void make_samples(Map base, Map detail, Picture picture) {
    size_t count = pixel_count(picture) * picture.channels, stride = picture.width * picture.channels * picture.bits / 8;
    uint8_t *bytes = packed_samples(picture);
    for (int p = 0; p < base.rows; p++)
        (picture.bits == 8 ? kernels()->pixels : kernels()->pixels_16)(
            at(base, p, 0), base.channels, at(detail, p, 0), (size_t)p, 0, (size_t)base.columns, bytes, stride, picture.width, picture.height, picture.channels);
    if (picture.bits == 16) memcpy(picture.samples, bytes, 2 * count);
    else for (size_t i = 0; i < count; i++) picture.samples[i] = bytes[i];
}

Map patches(Picture picture, int rows, int columns) {
    Map out = new_map(rows, columns, 768);
    size_t stride = picture.width * picture.channels * picture.bits / 8;
    const uint8_t *bytes = packed_samples(picture);
    for (int p = 0; p < rows; p++)
        (picture.bits == 8 ? kernels()->patches : kernels()->patches_16)(
            bytes, stride, picture.width, picture.height, picture.channels, (size_t)p, 0, at(out, p, 0), (size_t)columns);
    return out;
}

void quantize(const float *gain, Map y0, Map means, int32_t *symbols) {
    for (int p = 0; p < y0.rows; p++, symbols += y0.columns * y0.channels)
        kernels()->quantize(gain, (size_t)y0.channels, at(y0, p, 0), y0.channels, at(means, p, 0), means.channels, symbols, (size_t)y0.columns);
}

void quantize_hyper(const float *medians, Map z, int32_t *symbols) {
    kernels()->quantize_hyper(medians, (size_t)z.channels, z.x, symbols, (size_t)(z.rows * z.columns));
}

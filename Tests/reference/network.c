// SPDX-License-Identifier: Apache-2.0
// Section 4: the decoder, and what the encoder does as the decoder does it. One function a step.
#include "network.h"

#include <string.h>

// Step 1.
static Map code_hyperlatents(Net net, Symbols *source) {
    Map z = new_map(source->z.rows, source->z.columns, net.model->hyper);
    const float *medians = weights(net.model, "prior.medians", z.channels, 0, 0, 0);
    if (source->entropy)
        for (size_t i = 0; i < map_size(z); i++)
            source->symbols[i] = entropy_symbol(source->entropy, &net.model->prior[i % (size_t)z.channels]);
    else quantize_hyper(medians, source->z, source->symbols);
    reconstruct_hyper(source->symbols, medians, z);
    source->symbols += map_size(z);
    return z;
}

// Step 2.
static Map hyper_synthesis(Net net, Map z) {
    int h = net.model->hyper, f = net.model->hidden;
    Map u = layer(net, "hyper_synthesis.0", fixed, z, (Dense){.outputs = 4 * h, .kernel = 1, .shuffle = 2, .leaky = 1});
    Map v = layer(net, "hyper_synthesis.1", fixed, u, (Dense){.outputs = 4 * h, .kernel = 3, .shuffle = 2, .leaky = 1});
    int kernel = net.model->separable_hidden ? 1 : 3;
    if (net.model->separable_hidden) v = depthwise_layer(net, "hidden_depthwise", v, 3, 0);
    return dense(v, (Dense){.weight = weights(net.model, "hidden.weight", f, h, kernel, kernel), .bias = rate_table(net, "hidden_bias.table", f),
                            .outputs = f, .kernel = kernel});
}

// The positions of a pass side by side, and back. The latents' columns are a multiple of four.
static void move_pass(Map whole, Map part, int pass, int back) {
    for (int p = 0; p < part.rows; p++)
        for (int q = 0; q < part.columns; q++) {
            float *a = at(whole, p, 2 * q + (p + pass) % 2), *b = at(part, p, q);
            memcpy(back ? a : b, back ? b : a, (size_t)part.channels * sizeof(float));
        }
}

static Map of_pass(Map whole, int pass) {
    Map part = new_map(whole.rows, whole.columns / 2, whole.channels);
    move_pass(whole, part, pass, 0);
    return part;
}

// Step 3, the hidden layer at the positions of pass 1.
static Map hidden_with_context(Net net, Map prior, Map y) {
    Map e = scaled(of_pass(y, 0), exp_rate_table(net, "log_gain.table", y.channels, -1));
    Map anchors = layer(net, "context_in", fixed, e, (Dense){.outputs = net.model->context, .kernel = 1});
    Map k = new_map(y.rows, y.columns, anchors.channels);
    const float *bias = weights(net.model, "context_in.bias", k.channels, 0, 0, 0);  // of a latent of zero
    for (size_t i = 0; i < map_size(k); i++) k.x[i] = bias[i % (size_t)k.channels];
    move_pass(k, anchors, 0, 1);
    Map m = of_pass(depthwise_layer(net, "context_depthwise", k, 5, 1), 1), part = of_pass(prior, 1);
    return layer(net, "context_out", fixed, m, (Dense){.outputs = prior.channels, .kernel = 1, .residual = &part, .leaky = 1});
}

// Steps 3 and 4: the latents of one pass.
static void code_pass(Net net, Symbols *source, int pass, Map prior, Map y) {
    int m = net.model->latent;
    Map hidden = pass == 0 ? leaky_relu(of_pass(prior, 0)) : hidden_with_context(net, prior, y);
    Map raw = layer(net, "parameters_out", fixed, hidden, (Dense){.outputs = 2 * m, .kernel = 1});
    Map values = new_map(raw.rows, raw.columns, m);  // means, then rebuilt latents
    uint8_t *indices = take(map_size(values), 1);
    const float *gain = exp_rate_table(net, "log_gain.table", m, 1);
    entropy_parameters(net.model, gain, rate_table(net, "log_scale.table", m), raw, values, indices);
    if (source->entropy) {
        for (size_t i = 0; i < map_size(values); i++)
            source->symbols[i] = entropy_symbol(source->entropy, &net.model->gaussian[indices[i]]);
        reconstruct(source->symbols, values);
    } else quantize(gain, of_pass(source->y0, pass), values, source->symbols);
    source->symbols += map_size(values);
    move_pass(y, values, pass, 1);
}

Map code_latents(Net net, Symbols *source) {
    Map y = new_map(source->y0.rows, source->y0.columns, net.model->latent);
    Map prior = hyper_synthesis(net, code_hyperlatents(net, source));
    code_pass(net, source, 0, prior, y);
    code_pass(net, source, 1, prior, y);
    return y;
}

// Step 5.
static Map synthesis(Net net, Map y) {
    Map f = scaled(y, exp_rate_table(net, "log_inverse_gain.table", y.channels, 1));
    for (int i = 0; i < net.model->synthesis_blocks; i++) residual_block(net, "synthesis", i, rated, f, net.model->core, net.model->synthesis_mix);
    return f;
}

// Step 6. Gives base and detail, 48 channels each.
static void render(Net net, Map f, Map *base, Map *detail) {
    int n = net.model->core, r = net.model->render;
    Map core = new_map(f.rows, f.columns, n);
    copy_channels(core, 0, f, 0, n);
    Map features = layer(net, "grid", fixed, core, (Dense){.outputs = 16 * r, .kernel = 1, .shuffle = 4});
    *base = layer(net, "unembed", fixed, f, (Dense){.outputs = 768, .kernel = 1, .shuffle = 4});
    Map cells = new_map(features.rows, features.columns, r + 48);
    copy_channels(cells, 0, features, 0, r);
    copy_channels(cells, r, *base, 0, 48);
    drop(features.x);
    Map d = layer(net, "render_in", fixed, cells, (Dense){.outputs = r, .kernel = 3, .leaky = 1});
    drop(cells.x);
    for (int i = 0; i < net.model->render_blocks; i++) residual_block(net, "render", i, rated, d, r, 2 * r);
    *detail = layer(net, "render_out", fixed, d, (Dense){.outputs = 48, .kernel = 3});
}

void decode_neural(const Model *model, Entropy *entropy, uint32_t rate, uint32_t crc, Picture picture) {
    Net net = {model, rate};
    int rows = ((int)picture.height + 63) / 64, columns = ((int)picture.width + 63) / 64;  // of the hyperlatents
    Symbols source = {.entropy = entropy, .z = {rows, columns, model->hyper, NULL}, .y0 = {4 * rows, 4 * columns, model->latent, NULL}};
    source.symbols = take(map_size(source.z) + map_size(source.y0), sizeof(int32_t));
    Map y = code_latents(net, &source);
    entropy_finish(entropy, crc);
    Map base, detail;
    render(net, synthesis(net, y), &base, &detail);
    make_samples(base, detail, picture);
}

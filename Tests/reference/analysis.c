// SPDX-License-Identifier: Apache-2.0
// Section 4, the encoder's side: the symbols of a picture. Coding them is left to the library.
#include "network.h"

#include <string.h>

Encoding encode_neural(const Model *model, uint32_t rate, Picture picture) {
    Net net = {model, rate};
    int m = model->latent, h = model->hyper;
    Map pixel_vectors = patches(picture, ((int)picture.height + 63) / 64 * 4, ((int)picture.width + 63) / 64 * 4);
    Map y0 = layer(net, "embed", fixed, pixel_vectors, (Dense){.outputs = m, .kernel = 1});
    for (int i = 0; i < model->analysis_blocks; i++) residual_block(net, "analysis", i, fixed, y0, model->core, 2 * model->core);
    Map a = layer(net, "hyper_analysis.0", fixed, y0, (Dense){.outputs = h, .kernel = 1, .leaky = 1});
    Map b = layer(net, "hyper_analysis.1", fixed, a, (Dense){.outputs = h, .kernel = 3, .stride = 2, .leaky = 1});
    Map z = layer(net, "hyper_analysis.2", fixed, b, (Dense){.outputs = h, .kernel = 3, .stride = 2});

    Encoding encoding = {.latents = y0.x, .latent_count = map_size(y0), .symbol_count = map_size(z) + map_size(y0)};
    encoding.symbols = take(encoding.symbol_count, sizeof(int32_t));
    Symbols source = {.entropy = NULL, .z = z, .y0 = y0, .symbols = encoding.symbols};
    code_latents(net, &source);
    return encoding;
}

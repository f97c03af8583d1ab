// SPDX-License-Identifier: Apache-2.0
// What the decoder's and the encoder's side of section 4 share.
#ifndef NETWORK_H
#define NETWORK_H

#include "layers.h"

typedef struct {
    const Model *model;
    uint32_t rate;         // the rate parameter r
} Net;

// blocks.c
float *rate_table(Net net, const char *name, int channels);                  // at the net's rate
float *exp_rate_table(Net net, const char *name, int channels, float sign);  // exp(sign * table)
enum Bias { fixed, rated };
// The layer NAME: NAME.weight with NAME.bias, or with the rate table NAME.bias.table; `shape` says the rest.
Map layer(Net net, const char *name, enum Bias bias, Map in, Dense shape);
Map depthwise_layer(Net net, const char *name, Map in, int kernel, int leaky);
// Block number i of the stage on channels 0 ... count - 1 of x; `bias` tells of space_in and mix_in; `mix`: mix_in's outputs.
void residual_block(Net net, const char *stage, int i, enum Bias bias, Map x, int count, int mix);
// Channels first ... first + count - 1 of `from` become channels to_first ... of `to`.
void copy_channels(Map to, int to_first, Map from, int first, int count);

// network.c: steps 1 to 4. Symbols come from a file, or are rounded from the latents of a picture.
typedef struct {
    Entropy *entropy;          // null: round
    Map z, y0;                 // then what is rounded; else only their sizes are read
    int32_t *symbols;          // the next in coding order; moved on
} Symbols;

Map code_latents(Net net, Symbols *source);  // rebuilt: y_hat

#endif

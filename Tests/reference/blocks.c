// SPDX-License-Identifier: Apache-2.0
// Rate tables, layers by their names, and residual blocks (section 4).
#include "network.h"

#include <stdio.h>
#include <string.h>

float *rate_table(Net net, const char *name, int channels) {
    float *values = take((size_t)channels, sizeof(float));
    rate_values(weights(net.model, name, net.model->knots, channels, 0, 0), net.model->knots, channels, net.rate, values);
    return values;
}

float *exp_rate_table(Net net, const char *name, int channels, float sign) {
    float *values = rate_table(net, name, channels);
    exponentials(sign, values, channels);
    return values;
}

Map layer(Net net, const char *name, enum Bias bias, Map in, Dense shape) {
    char weight[96], other[96];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(other, sizeof other, bias == rated ? "%s.bias.table" : "%s.bias", name);
    float *table = bias == rated ? rate_table(net, other, shape.outputs) : NULL;
    shape.weight = weights(net.model, weight, shape.outputs, in.channels, shape.kernel, shape.kernel);
    shape.bias = table ? table : weights(net.model, other, shape.outputs, 0, 0, 0);
    Map out = dense(in, shape);
    drop(table);
    return out;
}

Map depthwise_layer(Net net, const char *name, Map in, int kernel, int leaky) {
    char weight[96], bias[96];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    return depthwise(in, weights(net.model, weight, in.channels, 1, kernel, kernel),
                     weights(net.model, bias, in.channels, 0, 0, 0), kernel, leaky);
}

void copy_channels(Map to, int to_first, Map from, int first, int count) {
    for (int p = 0; p < to.rows; p++)
        for (int q = 0; q < to.columns; q++)
            memcpy(at(to, p, q) + to_first, at(from, p, q) + first, (size_t)count * sizeof(float));
}

void residual_block(Net net, const char *stage, int i, enum Bias bias, Map whole, int n, int mix) {
    char name[5][80];
    static const char *const parts[5] = {"space_in", "space_depthwise", "space_out", "mix_in", "mix_out"};
    for (int part = 0; part < 5; part++) snprintf(name[part], sizeof name[part], "%s.%d.%s", stage, i, parts[part]);

    Map x = new_map(whole.rows, whole.columns, n);
    copy_channels(x, 0, whole, 0, n);
    Map a = layer(net, name[0], bias, x, (Dense){.outputs = n, .kernel = 1, .leaky = 1});
    Map b = depthwise_layer(net, name[1], a, 3, 0);
    Map y = layer(net, name[2], fixed, b, (Dense){.outputs = n, .kernel = 1, .residual = &x});
    Map h = layer(net, name[3], bias, y, (Dense){.outputs = mix, .kernel = 1, .leaky = 1});
    Map z = layer(net, name[4], fixed, h, (Dense){.outputs = n, .kernel = 1, .residual = &y});
    copy_channels(whole, 0, z, 0, n);
    drop(x.x), drop(a.x), drop(b.x), drop(y.x), drop(h.x), drop(z.x);
}

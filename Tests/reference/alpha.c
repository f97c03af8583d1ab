// SPDX-License-Identifier: Apache-2.0
// Section 5: the alpha channel.
#include "nicref.h"

#include <stdlib.h>

// The filters of PNG, undone in place: `row` and the one above it have `size` bytes each, `sample` bytes a sample.
static void unfilter(int filter, uint8_t *row, const uint8_t *above, size_t size, size_t sample) {
    for (size_t i = 0; i < size; i++) {
        int a = i < sample ? 0 : row[i - sample], b = above[i], c = i < sample ? 0 : above[i - sample];
        int to_a = abs(b - c), to_b = abs(a - c), to_c = abs(a + b - 2 * c);
        int paeth = to_a <= to_b && to_a <= to_c ? a : to_b <= to_c ? b : c;
        int predictions[] = {0, a, b, (a + b) / 2, paeth};
        row[i] = (uint8_t)(row[i] + predictions[filter]);
    }
}

static void put(Picture picture, size_t pixel, const uint8_t *sample) {
    picture.samples[pixel * picture.channels + picture.channels - 1] = picture.bits == 8 ? sample[0] : (uint16_t)(sample[0] << 8 | sample[1]);
}

static void read_scanlines(const uint8_t *stream, size_t size, Picture picture) {
    size_t sample = picture.bits / 8, row = picture.width * sample;
    uint8_t *lines = take(picture.height, row + 1), *above = take(row, 1);
    inflate_exactly(stream, size, lines, (row + 1) * picture.height);
    for (size_t y = 0; y < picture.height; y++) {
        uint8_t *line = lines + y * (row + 1);
        if (line[0] > 4) fail("an unknown filter");
        unfilter(line[0], line + 1, above, row, sample);
        above = line + 1;
        for (size_t x = 0; x < picture.width; x++) put(picture, y * picture.width + x, above + x * sample);
    }
}

void decode_alpha(const uint8_t *payload, size_t size, Picture picture) {
    size_t sample = picture.bits / 8, count = pixel_count(picture);
    if (size == 0 || payload[0] > 2) fail("unsupported alpha channel");
    if (payload[0] == 1) {
        read_scanlines(payload + 1, size - 1, picture);
        return;
    }
    int constant = payload[0] == 2;
    if (size != 1 + (constant ? 1 : count) * sample) fail("the alpha channel has another length");
    for (size_t i = 0; i < count; i++) put(picture, i, payload + 1 + (constant ? 0 : i * sample));
}

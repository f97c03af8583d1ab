// SPDX-License-Identifier: Apache-2.0
// Binary PPM and PGM files.
#include "nicref.h"

#include <stdio.h>
#include <string.h>

// This program's limit: 2^24 pixels after padding (section 4).
void check_size(uint32_t width, uint32_t height) {
    uint64_t rows = ((uint64_t)height + 63) / 64, columns = ((uint64_t)width + 63) / 64;
    if (rows > 4096 || columns > 4096 || rows * columns > 4096) fail("the picture is too large for this program");
}

// A decimal number and the white space after it.
static uint32_t number(const uint8_t **at, const uint8_t *end) {
    uint32_t value = 0;
    const uint8_t *start = *at;
    for (; *at < end && **at >= '0' && **at <= '9' && value < 1u << 24; (*at)++) value = 10 * value + (uint32_t)(**at - '0');
    if (*at == start || *at == end || !strchr(" \n", **at)) fail("the picture's header is malformed");
    (*at)++;
    return value;
}

// Without comments.
Picture read_picture(const char *path) {
    size_t size;
    const uint8_t *file = read_file(path, &size);
    if (size < 3 || file[0] != 'P' || (file[1] != '5' && file[1] != '6') || file[2] != '\n') fail("not a binary PPM or PGM file");
    const uint8_t *at = file + 3, *end = file + size;
    Picture picture = {.channels = file[1] == '5' ? 1 : 3};
    picture.width = number(&at, end);
    picture.height = number(&at, end);
    if (picture.width == 0 || picture.height == 0) fail("empty picture");
    check_size(picture.width, picture.height);
    if (number(&at, end) != 255) fail("unsupported picture");
    size_t count = (size_t)picture.width * picture.height * picture.channels;
    if ((size_t)(end - at) != count) fail("the picture has another length");
    picture.samples = take(count, 1);
    memcpy(picture.samples, at, count);
    return picture;
}

void write_picture(const char *path, Picture picture) {
    char header[64];
    snprintf(header, sizeof header, "P%c\n%lu %lu\n255\n", picture.channels == 1 ? '5' : '6', (unsigned long)picture.width,
             (unsigned long)picture.height);
    write_file(path, header, picture.samples, (size_t)picture.width * picture.height * picture.channels);
}

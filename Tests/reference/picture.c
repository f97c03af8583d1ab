// SPDX-License-Identifier: Apache-2.0
// Binary PPM, PGM and PAM files.
#include "nicref.h"

#include <stdio.h>
#include <string.h>

// This program's limit: 2^24 pixels after padding (section 4).
void check_size(uint32_t width, uint32_t height) {
    uint64_t rows = ((uint64_t)height + 63) / 64, columns = ((uint64_t)width + 63) / 64;
    if (rows > 4096 || columns > 4096 || rows * columns > 4096) fail("the picture is too large for this program");
}

// A decimal number after the name of a field, which may be "", and the white space after it.
static uint32_t number(const uint8_t **at, const uint8_t *end, const char *name) {
    uint32_t value = 0;
    size_t length = strlen(name);
    if ((size_t)(end - *at) < length || memcmp(*at, name, length) != 0) fail("the picture's header is malformed");
    *at += length;
    const uint8_t *start = *at;
    for (; *at < end && **at >= '0' && **at <= '9' && value < 1u << 24; (*at)++) value = 10 * value + (uint32_t)(**at - '0');
    if (*at == start || *at == end || !strchr(" \n", **at)) fail("the picture's header is malformed");
    (*at)++;
    return value;
}

static const char *const tuple_types[] = {"GRAYSCALE", "GRAYSCALE_ALPHA", "RGB", "RGB_ALPHA"};

// Without comments, and of PAM only as it is written below.
Picture read_picture(const char *path) {
    size_t size;
    const uint8_t *file = read_file(path, &size);
    if (size < 3 || file[0] != 'P' || file[1] < '5' || file[1] > '7' || file[2] != '\n') fail("not a binary PPM, PGM or PAM file");
    const uint8_t *at = file + 3, *end = file + size;
    int pam = file[1] == '7';
    Picture picture = {.channels = file[1] == '5' ? 1 : 3};
    picture.width = number(&at, end, pam ? "WIDTH " : "");
    picture.height = number(&at, end, pam ? "HEIGHT " : "");
    if (picture.width == 0 || picture.height == 0) fail("empty picture");
    check_size(picture.width, picture.height);
    if (pam) picture.channels = number(&at, end, "DEPTH ");
    uint32_t maximum = number(&at, end, pam ? "MAXVAL " : "");
    if (picture.channels < 1 || picture.channels > 4 || (maximum != 255 && maximum != 65535)) fail("unsupported picture");
    if (pam) {
        char rest[40];
        int length = snprintf(rest, sizeof rest, "TUPLTYPE %s\nENDHDR\n", tuple_types[picture.channels - 1]);
        if (end - at < length || memcmp(at, rest, (size_t)length) != 0) fail("unsupported picture");
        at += length;
    }
    picture.bits = maximum == 255 ? 8 : 16;
    size_t count = pixel_count(picture) * picture.channels;
    if ((size_t)(end - at) != count * picture.bits / 8) fail("the picture has another length");
    picture.samples = take(count, sizeof *picture.samples);
    for (size_t i = 0; i < count; i++) picture.samples[i] = picture.bits == 8 ? at[i] : (uint16_t)(at[2 * i] << 8 | at[2 * i + 1]);
    return picture;
}

void write_picture(const char *path, Picture picture) {
    char header[120];
    unsigned long width = picture.width, height = picture.height;
    int maximum = picture.bits == 8 ? 255 : 65535;
    if (picture.channels % 2)
        snprintf(header, sizeof header, "P%c\n%lu %lu\n%d\n", picture.channels == 1 ? '5' : '6', width, height, maximum);
    else
        snprintf(header, sizeof header, "P7\nWIDTH %lu\nHEIGHT %lu\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n", width, height, (int)picture.channels, maximum,
                 tuple_types[picture.channels - 1]);
    size_t count = pixel_count(picture) * picture.channels, bytes = picture.bits / 8;
    uint8_t *samples = take(count, bytes);
    for (size_t i = 0; i < count; i++) {
        if (bytes == 2) samples[2 * i] = (uint8_t)(picture.samples[i] >> 8);
        samples[bytes * i + bytes - 1] = (uint8_t)picture.samples[i];
    }
    write_file(path, header, samples, count * bytes);
}

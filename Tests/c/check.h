/* SPDX-License-Identifier: Apache-2.0 */
/* What the C tests share: CHECK and FAILS, and a picture with edges, ramps and a little noise. */
#ifndef CHECK_H
#define CHECK_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <neuralcodec.h>

#define CHECK(condition)                                                                                                        \
    do {                                                                                                                        \
        if (!(condition)) {                                                                                                     \
            fprintf(stderr, "%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, nc_last_error());                   \
            exit(1);                                                                                                            \
        }                                                                                                                       \
    } while (0)

/* The call fails with that status, and says why. */
#define FAILS(call, expected)                                     \
    do {                                                          \
        nc_status status_ = (call);                               \
        if (status_ != (expected)) fprintf(stderr, "status %d\n", (int)status_); \
        CHECK(status_ == (expected) && nc_last_error()[0]);       \
    } while (0)

static inline nc_image make_picture(uint8_t *pixels, size_t width, size_t height, size_t channels)
{
    uint32_t noise = 1;
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++)
            for (size_t c = 0; c < channels; c++) {
                noise = noise * 1664525u + 1013904223u;
                size_t ramp = (3 * x + 2 * y + 40 * c) % 200, edge = (x / 13 + y / 7) % 3 == 0 ? 40 : 0;
                pixels[(y * width + x) * channels + c] = (uint8_t)(ramp + edge + (noise >> 29));
            }
    return (nc_image){.pixels = pixels, .width = width, .height = height, .channels = channels};
}

/* The bytes of a file, or exit. */
static inline uint8_t *load(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    CHECK(file && fseek(file, 0, SEEK_END) == 0);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*size);
    CHECK(data && fread(data, 1, *size, file) == *size);
    fclose(file);
    return data;
}
#endif

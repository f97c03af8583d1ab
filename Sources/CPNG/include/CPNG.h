// SPDX-License-Identifier: Apache-2.0
// PNG files in memory, through libpng. libpng reports errors by longjmp, which Swift cannot receive; it stays inside this target.
#ifndef NCPNG_H
#define NCPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Capacity that every `message` argument below must have.
enum { NCPNG_MESSAGE_SIZE = 160 };

typedef struct ncpng_header {
    uint32_t width, height;
    int channels;         // after expanding palettes: 1 or 3, alpha not counted
    int bit_depth;        // as stored: 1, 2, 4, 8 or 16
    bool alpha;           // an alpha channel
    bool transparency;    // a tRNS chunk
    bool colour_profile;  // an iCCP chunk
} ncpng_header;

typedef struct ncpng_reader ncpng_reader;

// Reads everything before the pixels. The bytes must outlive the reader. Null on an error, with one sentence in `message`.
ncpng_reader *ncpng_open(const void *data, size_t size, ncpng_header *header, char *message);

// Reads the pixels, 8 bits a sample, rows without gaps, width * height * header.channels bytes. Only for pictures without alpha, transparency or
// 16-bit samples. May be called once. False on an error, with one sentence in `message`.
bool ncpng_read(ncpng_reader *reader, void *pixels, char *message);

// Accepts null.
void ncpng_close(ncpng_reader *reader);

// Compresses a picture of 1 (gray) or 3 (RGB) channels. *data is to be freed with free(). False on an error, with one sentence in `message`.
bool ncpng_write(const void *pixels, uint32_t width, uint32_t height, int channels, uint8_t **data, size_t *size, char *message);

#endif

// SPDX-License-Identifier: Apache-2.0
// PNG files in memory, through libpng. libpng reports errors by longjmp, which Swift cannot receive; it stays inside this target.
#ifndef NCPNG_H
#define NCPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Capacity that every `message` argument below must have.
enum { NCPNG_MESSAGE_SIZE = 160 };

// What the pixels will be: palettes and 1, 2 and 4 bits expanded, transparency as alpha.
typedef struct ncpng_header {
    uint32_t width, height;
    int channels;   // 1 gray, 2 gray and alpha, 3 RGB, 4 RGB and alpha
    int bit_depth;  // 8 or 16
} ncpng_header;

// What stands beside the pixels, as it is; null: not there. Exif from its TIFF header on.
typedef struct ncpng_metadata {
    uint8_t *icc, *exif, *xmp;
    size_t icc_size, exif_size, xmp_size;
} ncpng_metadata;

typedef struct ncpng_reader ncpng_reader;

// Reads everything before the pixels. The bytes must outlive the reader. Null on an error, with one sentence in `message`.
ncpng_reader *ncpng_open(const void *data, size_t size, ncpng_header *header, char *message);

// Reads the pixels, rows without gaps, samples of 16 bits in the machine's order: width * height * channels * bit_depth / 8 bytes. May be called once.
// False on an error, with one sentence in `message`.
bool ncpng_read(ncpng_reader *reader, void *pixels, char *message);

// After ncpng_read. The memory is the reader's.
ncpng_metadata ncpng_get_metadata(const ncpng_reader *reader);

// After ncpng_read: what of the file could not be kept, in words that follow "the" ("gamma", "ICC profile"), or null.
const char *ncpng_lost(const ncpng_reader *reader);

// Accepts null.
void ncpng_close(ncpng_reader *reader);

// Compresses a picture that is laid out as ncpng_read does. Metadata goes into the chunks that PNG has for it, or, as raw profiles, into text for ImageMagick.
// *data is to be freed with free(). False on an error, with one sentence in `message`.
bool ncpng_write(const void *pixels, const ncpng_header *header, const ncpng_metadata *metadata, bool raw_profiles, uint8_t **data, size_t *size, char *message);

#endif

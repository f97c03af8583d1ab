// SPDX-License-Identifier: Apache-2.0
// Contents of the chunks that hold metadata.
#ifndef NCPNG_CHUNKS_H
#define NCPNG_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NCPNG_LARGEST_METADATA = 1 << 24 };

// Largest chunk that can hold as much, as text of two digits a byte with line breaks; and the most that is inflated.
enum { NCPNG_LARGEST_TEXT = 4 * NCPNG_LARGEST_METADATA };

enum ncpng_kind { NCPNG_ICC, NCPNG_EXIF, NCPNG_XMP, NCPNG_KINDS };

// Memory is for free(). No bytes: nothing.
struct ncpng_payload {
    uint8_t *bytes;
    size_t size;
};

// What the chunks of a file hold: in the chunks that PNG has for it, and as raw profiles.
struct ncpng_found {
    struct ncpng_payload own[NCPNG_KINDS], raw[NCPNG_KINDS];
    bool damaged[NCPNG_KINDS]; // or larger than NCPNG_LARGEST_METADATA
};

// Takes the metadata out of a chunk, if it holds any: iCCP, eXIf, tEXt, zTXt, iTXt. The first whole one of a kind and form counts. False: out of memory.
bool ncpng_take(struct ncpng_found *found, const uint8_t name[4], const uint8_t *data, size_t size);

void ncpng_free_found(struct ncpng_found *found);

// One kind of metadata as a chunk to be written: its own, or a tEXt chunk with a raw profile.
struct ncpng_chunk {
    const char *name;
    struct ncpng_payload content; // no bytes: out of memory
};
struct ncpng_chunk ncpng_chunk(enum ncpng_kind kind, bool raw, const uint8_t *data, size_t size);

#endif

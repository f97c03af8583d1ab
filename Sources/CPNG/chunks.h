// SPDX-License-Identifier: Apache-2.0
// Contents of the chunks that hold metadata.
#ifndef NCPNG_CHUNKS_H
#define NCPNG_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

enum { NCPNG_LARGEST_METADATA = 1 << 24 };

enum ncpng_found { NCPNG_NOTHING, NCPNG_FOUND, NCPNG_DAMAGED, NCPNG_OUT_OF_MEMORY };

// From the content of an iCCP, eXIf or iTXt chunk to what it holds, in memory for free(). Damaged, or larger than NCPNG_LARGEST_METADATA: NCPNG_DAMAGED.
// An iTXt chunk with another keyword holds nothing.
enum ncpng_found ncpng_profile(const uint8_t *data, size_t size, uint8_t **profile, size_t *profile_size);
enum ncpng_found ncpng_exif(const uint8_t *data, size_t size, uint8_t **exif, size_t *exif_size);
enum ncpng_found ncpng_xmp(const uint8_t *data, size_t size, uint8_t **xmp, size_t *xmp_size);

// The other way, with memory for free(). Nothing of nothing; no bytes: out of memory.
struct ncpng_payload {
    uint8_t *bytes;
    size_t size;
};
struct ncpng_payload ncpng_profile_payload(const uint8_t *profile, size_t size);
struct ncpng_payload ncpng_xmp_payload(const uint8_t *xmp, size_t size);

#endif

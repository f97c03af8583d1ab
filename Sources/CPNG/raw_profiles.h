// SPDX-License-Identifier: Apache-2.0
// Raw profiles: bytes as text, in which ImageMagick, and programs from before PNG had the eXIf chunk, keep metadata. The text is a line break, a line with the
// profile's name, a line with the number of bytes in decimal digits, and the bytes in hexadecimal digits, broken into lines.
#ifndef NCPNG_RAW_PROFILES_H
#define NCPNG_RAW_PROFILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The number of bytes that the text says it holds; *digits then stands behind it. 0: it says none, or more than `most`.
size_t ncpng_raw_profile_size(const uint8_t *text, const uint8_t *end, size_t most, const uint8_t **digits);

// The bytes of hexadecimal digits up to `end`. False unless there are digits for so many, and nothing else but white space.
bool ncpng_read_hexadecimal(const uint8_t *digits, const uint8_t *end, uint8_t *bytes, size_t count);

// Capacity for the text of so many bytes; the name has at most 8 letters.
size_t ncpng_raw_profile_bound(size_t count);

// The text, and where it ends. `prefix` stands before the bytes.
uint8_t *ncpng_write_raw_profile(uint8_t *text, const char *name, const uint8_t *prefix, size_t prefix_size, const uint8_t *bytes, size_t count);

#endif

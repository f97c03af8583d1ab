// SPDX-License-Identifier: Apache-2.0
#include "raw_profiles.h"

#include <stdio.h>
#include <string.h>

static bool is_space(uint8_t c) { return c == '\n' || c == ' ' || c == '\r' || c == '\t'; }

size_t ncpng_raw_profile_size(const uint8_t *text, const uint8_t *end, size_t most, const uint8_t **digits) {
    if (text == end || *text != '\n') return 0;
    const uint8_t *next = memchr(text + 1, '\n', (size_t)(end - text - 1)); // behind the name
    if (next == NULL) return 0;
    while (next < end && is_space(*next)) next++;
    size_t count = 0;
    for (; next < end && *next >= '0' && *next <= '9' && count <= most; next++) count = 10 * count + (size_t)(*next - '0');
    *digits = next;
    return count > most || next == end || !is_space(*next) ? 0 : count;
}

static int value_of(uint8_t digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
}

bool ncpng_read_hexadecimal(const uint8_t *digits, const uint8_t *end, uint8_t *bytes, size_t count) {
    size_t found = 0; // digits
    for (; digits < end; digits++) {
        if (is_space(*digits)) continue;
        const int value = value_of(*digits);
        if (value < 0 || found == 2 * count) return false;
        bytes[found / 2] = (uint8_t)(found % 2 ? bytes[found / 2] << 4 | value : value);
        found++;
    }
    return found == 2 * count;
}

enum { LINE = 36 }; // bytes, as in ImageMagick's files

size_t ncpng_raw_profile_bound(size_t count) { return 64 + 2 * count + count / LINE; }

uint8_t *ncpng_write_raw_profile(uint8_t *text, const char *name, const uint8_t *prefix, size_t prefix_size, const uint8_t *bytes, size_t count) {
    static const char digits[] = "0123456789abcdef";
    text += sprintf((char *)text, "\n%s\n%8zu", name, prefix_size + count);
    for (size_t i = 0; i < prefix_size + count; i++) {
        const uint8_t byte = i < prefix_size ? prefix[i] : bytes[i - prefix_size];
        if (i % LINE == 0) *text++ = '\n';
        *text++ = (uint8_t)digits[byte >> 4];
        *text++ = (uint8_t)digits[byte & 15];
    }
    *text++ = '\n';
    return text;
}

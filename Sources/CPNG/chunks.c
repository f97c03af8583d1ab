// SPDX-License-Identifier: Apache-2.0
#include "chunks.h"
#include "CZlib.h"

#include <stdlib.h>
#include <string.h>

static void *allocate(void *user, unsigned count, unsigned size) {
    (void)user;
    return calloc(count, size);
}

static void release(void *user, void *pointer) {
    (void)user;
    free(pointer);
}

static enum ncpng_found copied(const uint8_t *data, size_t size, uint8_t **out, size_t *out_size) {
    if (size == 0 || size > NCPNG_LARGEST_METADATA) return NCPNG_DAMAGED;
    *out = malloc(size);
    if (*out == NULL) return NCPNG_OUT_OF_MEMORY;
    memcpy(*out, data, size);
    *out_size = size;
    return NCPNG_FOUND;
}

// Of a whole zlib stream. The memory grows with what comes out.
static enum ncpng_found inflated(const uint8_t *data, size_t size, uint8_t **out, size_t *out_size) {
    z_stream stream = {.next_in = data, .avail_in = (uInt)size, .zalloc = allocate, .zfree = release};
    if (inflateInit(&stream) != Z_OK) return NCPNG_OUT_OF_MEMORY;
    uint8_t *bytes = NULL;
    size_t capacity = 0;
    int result = Z_OK;
    while (result == Z_OK && capacity < NCPNG_LARGEST_METADATA) {
        const size_t more = capacity ? capacity : 65536;
        uint8_t *grown = realloc(bytes, capacity + more);
        if (grown == NULL) {
            result = Z_MEM_ERROR;
            break;
        }
        bytes = grown;
        stream.next_out = bytes + capacity;
        stream.avail_out = (uInt)more;
        capacity += more;
        result = inflate(&stream, Z_SYNC_FLUSH);
    }
    *out_size = stream.total_out;
    inflateEnd(&stream);
    if (result == Z_STREAM_END && *out_size > 0) {
        *out = bytes;
        return NCPNG_FOUND;
    }
    free(bytes);
    return result == Z_MEM_ERROR ? NCPNG_OUT_OF_MEMORY : NCPNG_DAMAGED;
}

// What follows the first zero byte; null without one.
static const uint8_t *after_zero(const uint8_t *data, const uint8_t *end) {
    const uint8_t *zero = data < end ? memchr(data, 0, (size_t)(end - data)) : NULL;
    return zero ? zero + 1 : NULL;
}

enum ncpng_found ncpng_profile(const uint8_t *data, size_t size, uint8_t **profile, size_t *profile_size) {
    const uint8_t *end = data + size, *method = after_zero(data, end); // after its name
    if (method == NULL || method == end || *method != 0) return NCPNG_DAMAGED;
    return inflated(method + 1, (size_t)(end - method - 1), profile, profile_size);
}

enum ncpng_found ncpng_exif(const uint8_t *data, size_t size, uint8_t **exif, size_t *exif_size) {
    if (size < 4 || (memcmp(data, "II*\0", 4) != 0 && memcmp(data, "MM\0*", 4) != 0)) return NCPNG_DAMAGED;
    return copied(data, size, exif, exif_size);
}

static const char xmp_keyword[] = "XML:com.adobe.xmp";

enum ncpng_found ncpng_xmp(const uint8_t *data, size_t size, uint8_t **xmp, size_t *xmp_size) {
    if (size < sizeof xmp_keyword || memcmp(data, xmp_keyword, sizeof xmp_keyword) != 0) return NCPNG_NOTHING;
    // Compression flag, compression method, language and zero, translated keyword and zero.
    const uint8_t *end = data + size, *flags = data + sizeof xmp_keyword;
    if (end - flags < 2) return NCPNG_DAMAGED;
    const uint8_t *translated = after_zero(flags + 2, end), *text = translated ? after_zero(translated, end) : NULL;
    if (text == NULL || flags[0] > 1 || flags[1] != 0) return NCPNG_DAMAGED;
    return (flags[0] ? inflated : copied)(text, (size_t)(end - text), xmp, xmp_size);
}

struct ncpng_payload ncpng_profile_payload(const uint8_t *profile, size_t size) {
    static const char name[] = "ICC profile"; // then the method of compression
    struct ncpng_payload payload = {0};
    if (size == 0) return payload;
    z_stream stream = {.next_in = profile, .avail_in = (uInt)size, .zalloc = allocate, .zfree = release};
    if (deflateInit(&stream, 9) != Z_OK) return payload;
    const size_t bound = sizeof name + 1 + deflateBound(&stream, size);
    payload.bytes = malloc(bound);
    if (payload.bytes != NULL) {
        memcpy(payload.bytes, name, sizeof name);
        payload.bytes[sizeof name] = 0;
        stream.next_out = payload.bytes + sizeof name + 1;
        stream.avail_out = (uInt)(bound - sizeof name - 1);
        deflate(&stream, Z_FINISH); // has all the room that it may need
        payload.size = sizeof name + 1 + stream.total_out;
    }
    deflateEnd(&stream);
    return payload;
}

struct ncpng_payload ncpng_xmp_payload(const uint8_t *xmp, size_t size) {
    enum { BEFORE = sizeof xmp_keyword + 4 };
    struct ncpng_payload payload = {0};
    if (size == 0) return payload;
    payload.bytes = calloc(BEFORE + size, 1);
    if (payload.bytes == NULL) return payload;
    memcpy(payload.bytes, xmp_keyword, sizeof xmp_keyword);
    memcpy(payload.bytes + BEFORE, xmp, size);
    payload.size = BEFORE + size;
    return payload;
}

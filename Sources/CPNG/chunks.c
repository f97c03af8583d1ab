// SPDX-License-Identifier: Apache-2.0
#include "chunks.h"
#include "CZlib.h"
#include "raw_profiles.h"

#include <stdio.h>
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

// ---- Reading

enum outcome { FOUND, NOTHING, DAMAGED, OUT_OF_MEMORY };

// A part of a chunk.
struct span {
    const uint8_t *start, *end;
};

static size_t length(struct span span) { return (size_t)(span.end - span.start); }

static bool begins(struct span span, const void *bytes, size_t count) { return length(span) >= count && memcmp(span.start, bytes, count) == 0; }

// Moves the start behind the next zero byte; false without one.
static bool skip_string(struct span *span) {
    const uint8_t *zero = length(*span) ? memchr(span->start, 0, length(*span)) : NULL;
    if (zero) span->start = zero + 1;
    return zero;
}

static enum outcome copied(struct span data, struct ncpng_payload *out) {
    if (length(data) == 0) return DAMAGED;
    out->bytes = malloc(length(data));
    if (out->bytes == NULL) return OUT_OF_MEMORY;
    memcpy(out->bytes, data.start, length(data));
    out->size = length(data);
    return FOUND;
}

// Of a whole zlib stream that holds at most `most` bytes, 65536 times a power of two. The memory grows with what comes out.
static enum outcome inflated(struct span data, size_t most, struct ncpng_payload *out) {
    z_stream stream = {.next_in = data.start, .avail_in = (uInt)length(data), .zalloc = allocate, .zfree = release};
    if (inflateInit(&stream) != Z_OK) return OUT_OF_MEMORY;
    uint8_t *bytes = NULL;
    size_t capacity = 0;
    int result = Z_OK;
    while (result == Z_OK && capacity < most) {
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
    const size_t size = stream.total_out;
    inflateEnd(&stream);
    if (result == Z_STREAM_END && size > 0) {
        *out = (struct ncpng_payload){bytes, size};
        return FOUND;
    }
    free(bytes);
    return result == Z_MEM_ERROR ? OUT_OF_MEMORY : DAMAGED;
}

static enum outcome from_profile_chunk(struct span chunk, struct ncpng_payload *out) {
    if (!skip_string(&chunk) || length(chunk) == 0 || *chunk.start++ != 0) return DAMAGED; // its name, the method of compression
    return inflated(chunk, NCPNG_LARGEST_METADATA, out);
}

#define XMP_KEYWORD "XML:com.adobe.xmp"

// What the keyword of a text says that it is.
static const struct keyword {
    const char *text;
    enum ncpng_kind kind;
    bool raw;
} keywords[] = {
    {XMP_KEYWORD, NCPNG_XMP, false},
    {"Raw profile type icc", NCPNG_ICC, true},
    {"Raw profile type icm", NCPNG_ICC, true},
    {"Raw profile type exif", NCPNG_EXIF, true},
    {"Raw profile type xmp", NCPNG_XMP, true},
    // Of a JPEG file's marker, which may hold XMP too.
    {"Raw profile type APP1", NCPNG_EXIF, true},
    {"Raw profile type app1", NCPNG_EXIF, true},
};

// Null for others. The text is then what follows.
static const struct keyword *keyword_of(struct span *chunk) {
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        const size_t size = strlen(keywords[i].text) + 1;
        if (!begins(*chunk, keywords[i].text, size)) continue;
        chunk->start += size;
        return &keywords[i];
    }
    return NULL;
}

// The text of a tEXt, zTXt or iTXt chunk, from behind the keyword on. False if it is damaged.
static bool find_text(const uint8_t name[4], struct span *chunk, bool *compressed) {
    *compressed = name[0] == 'z';
    if (name[0] == 't') return true;
    if (name[0] == 'z') return length(*chunk) > 0 && *chunk->start++ == 0; // method of compression
    // Flag and method of compression, language, translated keyword.
    if (length(*chunk) < 2 || chunk->start[0] > 1 || chunk->start[1] != 0) return false;
    *compressed = chunk->start[0];
    chunk->start += 2;
    return skip_string(chunk) && skip_string(chunk);
}

static enum outcome from_raw_profile(struct span text, struct ncpng_payload *out) {
    const uint8_t *digits;
    const size_t size = ncpng_raw_profile_size(text.start, text.end, length(text) / 2, &digits);
    if (size == 0) return DAMAGED;
    out->bytes = malloc(size);
    if (out->bytes == NULL) return OUT_OF_MEMORY;
    out->size = size;
    return ncpng_read_hexadecimal(digits, text.end, out->bytes, size) ? FOUND : DAMAGED;
}

static const char exif_header[] = "Exif\0"; // before Exif in JPEG files
static const char xmp_header[] = "http://ns.adobe.com/xap/1.0/";

static bool remove_header(struct ncpng_payload *content, const char *header, size_t size) {
    if (content->size < size || memcmp(content->bytes, header, size) != 0) return false;
    content->size -= size;
    memmove(content->bytes, content->bytes + size, content->size);
    return true;
}

// Raw profiles have the headers of JPEG files, more or less; they tell one kind from the other.
static void remove_headers(struct ncpng_payload *content, enum ncpng_kind *kind) {
    if (*kind == NCPNG_EXIF && remove_header(content, xmp_header, sizeof xmp_header)) *kind = NCPNG_XMP;
    else if (*kind == NCPNG_EXIF) remove_header(content, exif_header, sizeof exif_header);
    else if (*kind == NCPNG_XMP) remove_header(content, xmp_header, sizeof xmp_header);
}

static enum outcome from_text(const uint8_t name[4], struct span chunk, enum ncpng_kind *kind, bool *raw, struct ncpng_payload *out) {
    const struct keyword *keyword = keyword_of(&chunk);
    if (keyword == NULL) return NOTHING;
    *kind = keyword->kind;
    *raw = keyword->raw;
    bool compressed;
    if (!find_text(name, &chunk, &compressed)) return DAMAGED;
    if (!*raw) return compressed ? inflated(chunk, NCPNG_LARGEST_METADATA, out) : copied(chunk, out);

    struct ncpng_payload text = {0};
    enum outcome outcome = compressed ? inflated(chunk, NCPNG_LARGEST_TEXT, &text) : FOUND;
    if (outcome == FOUND) outcome = from_raw_profile(compressed ? (struct span){text.bytes, text.bytes + text.size} : chunk, out);
    free(text.bytes);
    if (outcome == FOUND) remove_headers(out, kind);
    return outcome;
}

static bool is_sound(enum ncpng_kind kind, struct ncpng_payload content) {
    if (content.size == 0 || content.size > NCPNG_LARGEST_METADATA) return false;
    return kind != NCPNG_EXIF || (content.size >= 4 && (memcmp(content.bytes, "II*\0", 4) == 0 || memcmp(content.bytes, "MM\0*", 4) == 0));
}

bool ncpng_take(struct ncpng_found *found, const uint8_t name[4], const uint8_t *data, size_t size) {
    const struct span chunk = {data, data + size};
    struct ncpng_payload content = {0};
    enum outcome outcome = NOTHING;
    enum ncpng_kind kind = NCPNG_ICC;
    bool raw = false;
    if (memcmp(name, "iCCP", 4) == 0) {
        outcome = from_profile_chunk(chunk, &content);
    } else if (memcmp(name, "eXIf", 4) == 0) {
        kind = NCPNG_EXIF;
        outcome = copied(chunk, &content);
    } else if (memcmp(name, "tEXt", 4) == 0 || memcmp(name, "zTXt", 4) == 0 || memcmp(name, "iTXt", 4) == 0) {
        outcome = from_text(name, chunk, &kind, &raw, &content);
    }
    if (outcome == FOUND && !is_sound(kind, content)) outcome = DAMAGED;
    if (outcome == DAMAGED) found->damaged[kind] = true;
    struct ncpng_payload *place = &(raw ? found->raw : found->own)[kind];
    if (outcome == FOUND && place->bytes == NULL) *place = content;
    else free(content.bytes);
    return outcome != OUT_OF_MEMORY;
}

void ncpng_free_found(struct ncpng_found *found) {
    for (int kind = 0; kind < NCPNG_KINDS; kind++) {
        free(found->own[kind].bytes);
        free(found->raw[kind].bytes);
    }
}

// ---- Writing

static struct ncpng_payload to_profile_chunk(const uint8_t *profile, size_t size) {
    static const char name[] = "ICC profile"; // then the method of compression
    struct ncpng_payload payload = {0};
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

// The bytes with what stands before them.
static struct ncpng_payload joined(const void *before, size_t before_size, const uint8_t *data, size_t size) {
    struct ncpng_payload payload = {malloc(before_size + size), before_size + size};
    if (payload.bytes == NULL) return payload;
    memcpy(payload.bytes, before, before_size);
    memcpy(payload.bytes + before_size, data, size);
    return payload;
}

static struct ncpng_payload to_raw_profile(enum ncpng_kind kind, const uint8_t *data, size_t size) {
    static const char keyword[] = "Raw profile type ", *const names[] = {"icc", "exif", "xmp"};
    const size_t header = kind == NCPNG_EXIF ? sizeof exif_header : 0; // which ImageMagick expects
    struct ncpng_payload payload = {malloc(sizeof keyword + 8 + ncpng_raw_profile_bound(header + size)), 0};
    if (payload.bytes == NULL) return payload;
    uint8_t *text = payload.bytes + sprintf((char *)payload.bytes, "%s%s", keyword, names[kind]) + 1;
    text = ncpng_write_raw_profile(text, names[kind], (const uint8_t *)exif_header, header, data, size);
    payload.size = (size_t)(text - payload.bytes);
    return payload;
}

struct ncpng_chunk ncpng_chunk(enum ncpng_kind kind, bool raw, const uint8_t *data, size_t size) {
    static const char before_xmp[] = XMP_KEYWORD "\0\0\0\0"; // neither compression nor language nor translated keyword
    if (raw) return (struct ncpng_chunk){"tEXt", to_raw_profile(kind, data, size)};
    if (kind == NCPNG_ICC) return (struct ncpng_chunk){"iCCP", to_profile_chunk(data, size)};
    if (kind == NCPNG_EXIF) return (struct ncpng_chunk){"eXIf", joined("", 0, data, size)};
    return (struct ncpng_chunk){"iTXt", joined(before_xmp, sizeof before_xmp, data, size)};
}

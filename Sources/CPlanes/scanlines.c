// SPDX-License-Identifier: Apache-2.0
// Scanlines of PNG (ISO/IEC 15948, sections 7 and 9) in a zlib stream: what a PNG file of the plane has in its IDAT chunks.
#include "rows.h"
#include "CPlatform.h"
#include "CZlib.h"
#include <stdlib.h>
#include <string.h>

enum { FILTERS = 5, PIECE = 1 << 30 }; // zlib counts in 32 bits

static void *allocate(void *user, unsigned count, unsigned size) {
    (void)user;
    return ncp_allocate((size_t)count * size);
}

static void release(void *user, void *pointer) {
    (void)user;
    ncp_free(pointer);
}

static const z_stream new_stream = {.zalloc = allocate, .zfree = release};

static int paeth(int a, int b, int c) {
    const int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

// What filter `type` predicts of a byte from those to the left, above, and above left.
static uint8_t predicted(int type, uint8_t left, uint8_t above, uint8_t corner) {
    switch (type) {
    case 1: return left;
    case 2: return above;
    case 3: return (uint8_t)((left + above) / 2);
    case 4: return (uint8_t)paeth(left, above, corner);
    default: return 0;
    }
}

// ---- Coding

// The differences of one filter, after its number; returns the sum of their absolute values as signed bytes.
static uint64_t filter(int type, const uint8_t *row, const uint8_t *above, size_t size, size_t sample, uint8_t *out) {
    uint64_t sum = 0;
    *out++ = (uint8_t)type;
    for (size_t i = 0; i < size; i++) {
        const uint8_t d = (uint8_t)(row[i] - predicted(type, i < sample ? 0 : row[i - sample], above[i], i < sample ? 0 : above[i - sample]));
        out[i] = d;
        sum += d < 128 ? d : 256u - d;
    }
    return sum;
}

// The filter of the least sum, the lowest of several, leaves its scanline in *best; *trial is scratch.
static void filter_best(const uint8_t *row, const uint8_t *above, size_t size, size_t sample, uint8_t **best, uint8_t **trial) {
    uint64_t least = UINT64_MAX;
    for (int type = 0; type < FILTERS; type++) {
        const uint64_t sum = filter(type, row, above, size, sample, *trial);
        if (sum >= least) continue;
        least = sum;
        uint8_t *swap = *best;
        *best = *trial;
        *trial = swap;
    }
}

static ncl_status feed(z_stream *stream, const uint8_t *bytes, size_t count, int flush) {
    do {
        stream->next_in = bytes;
        stream->avail_in = (uInt)(count < PIECE ? count : PIECE);
        bytes += stream->avail_in, count -= stream->avail_in;
        const int result = deflate(stream, count ? Z_NO_FLUSH : flush);
        if (stream->avail_in || (flush == Z_FINISH && !count && result != Z_STREAM_END)) return NCL_NO_ROOM;
    } while (count);
    return NCL_OK;
}

static ncl_status deflate_rows(const ncl_source *source, bool filtered, z_stream *stream, uint8_t *memory) {
    const size_t size = source->width * source->sample_bytes;
    uint8_t *row = memory, *above = row + size, *best = above + size, *trial = best + size + 1;
    memset(above, 0, size);
    for (size_t y = 0; y < source->height; y++) {
        ncl_take_row(source, y, row);
        if (filtered)
            filter_best(row, above, size, source->sample_bytes, &best, &trial);
        else
            filter(0, row, above, size, source->sample_bytes, best);
        const ncl_status status = feed(stream, best, size + 1, Z_NO_FLUSH);
        if (status != NCL_OK) return status;
        uint8_t *swap = row;
        row = above;
        above = swap;
    }
    return feed(stream, NULL, 0, Z_FINISH);
}

ncl_status ncl_deflate(const ncl_source *source, bool filtered, uint8_t *out, size_t capacity, size_t *size) {
    uint8_t *memory = ncp_allocate(4 * source->width * source->sample_bytes + 2);
    if (!memory) return NCL_OUT_OF_MEMORY;
    z_stream stream = new_stream;
    ncl_status status = NCL_OUT_OF_MEMORY;
    if (deflateInit2(&stream, 9, Z_DEFLATED, 15, 9, filtered ? Z_FILTERED : Z_DEFAULT_STRATEGY) == Z_OK) {
        stream.next_out = out;
        stream.avail_out = (uInt)(capacity < UINT32_MAX ? capacity : UINT32_MAX);
        status = deflate_rows(source, filtered, &stream, memory);
        *size = (size_t)(stream.next_out - out);
        deflateEnd(&stream);
    }
    ncp_free(memory);
    return status;
}

// ---- Decoding

static void unfilter(int type, uint8_t *row, const uint8_t *above, size_t size, size_t sample) {
    if (type == 0) return;
    for (size_t i = 0; i < size; i++)
        row[i] = (uint8_t)(row[i] + predicted(type, i < sample ? 0 : row[i - sample], above[i], i < sample ? 0 : above[i - sample]));
}

// Exactly `count` bytes, or an error.
static ncl_status draw(z_stream *stream, uint8_t *out, size_t count) {
    while (count) {
        const uInt piece = (uInt)(count < PIECE ? count : PIECE);
        stream->next_out = out;
        stream->avail_out = piece;
        const int result = inflate(stream, Z_SYNC_FLUSH);
        if (result == Z_MEM_ERROR) return NCL_OUT_OF_MEMORY;
        if (stream->avail_out || (result != Z_OK && result != Z_STREAM_END)) return NCL_DAMAGED;
        out += piece, count -= piece;
    }
    return NCL_OK;
}

// The stream ends here, with its checksum, and so does its input.
static ncl_status draw_end(z_stream *stream) {
    uint8_t more;
    stream->next_out = &more;
    stream->avail_out = 1;
    return inflate(stream, Z_FINISH) == Z_STREAM_END && stream->avail_out == 1 && stream->avail_in == 0 ? NCL_OK : NCL_DAMAGED;
}

static ncl_status inflate_rows(z_stream *stream, const ncl_target *target, uint8_t *memory) {
    const size_t size = target->width * target->sample_bytes;
    uint8_t *row = memory, *above = row + size + 1; // each after the number of its filter
    memset(above, 0, size + 1);
    for (size_t y = 0; y < target->height; y++) {
        const ncl_status status = draw(stream, row, size + 1);
        if (status != NCL_OK) return status;
        if (row[0] >= FILTERS) return NCL_DAMAGED;
        unfilter(row[0], row + 1, above + 1, size, target->sample_bytes);
        ncl_put_row(row + 1, target, y);
        uint8_t *swap = row;
        row = above;
        above = swap;
    }
    return draw_end(stream);
}

ncl_status ncl_inflate(const uint8_t *data, size_t size, const ncl_target *target) {
    uint8_t *memory = ncp_allocate(2 * (target->width * target->sample_bytes + 1));
    if (!memory) return NCL_OUT_OF_MEMORY;
    z_stream stream = new_stream;
    stream.next_in = data;
    stream.avail_in = (uInt)size; // chunks have lengths of 32 bits
    ncl_status status = NCL_OUT_OF_MEMORY;
    if (inflateInit(&stream) == Z_OK) {
        status = inflate_rows(&stream, target, memory);
        inflateEnd(&stream);
    }
    ncp_free(memory);
    return status;
}

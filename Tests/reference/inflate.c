// SPDX-License-Identifier: Apache-2.0
// Zlib streams (RFC 1950) of deflated data (RFC 1951), bit by bit.
#include "nicref.h"

#include <string.h>

typedef struct {
    const uint8_t *at, *end;
    unsigned bit;          // of *at that comes next
    uint8_t *out;
    size_t size, count;    // written, and in all
} Stream;

static unsigned bits(Stream *s, int n) {
    unsigned value = 0;
    for (int i = 0; i < n; i++) {
        if (s->at == s->end) fail("truncated zlib stream");
        value |= (unsigned)(*s->at >> s->bit & 1) << i;
        if (++s->bit == 8) s->bit = 0, s->at++;
    }
    return value;
}

static void put(Stream *s, uint8_t byte) {
    if (s->size == s->count) fail("the zlib stream gives too much");
    s->out[s->size++] = byte;
}

// Codes of one length are consecutive numbers from first[length] on, for the symbols from sorted[start[length]] on (RFC 1951, 3.2.2).
typedef struct {
    unsigned first[16], start[16], count[16];
    uint16_t sorted[288];
} Code;

static Code make_code(const uint8_t *lengths, unsigned symbols) {
    Code code = {{0}, {0}, {0}, {0}};
    for (unsigned i = 0; i < symbols; i++) code.count[lengths[i]]++;
    code.count[0] = 0;
    for (int length = 1; length < 16; length++) {
        code.first[length] = (code.first[length - 1] + code.count[length - 1]) << 1;
        code.start[length] = code.start[length - 1] + code.count[length - 1];
        if (code.first[length] + code.count[length] > 1u << length) fail("an impossible Huffman code");
    }
    unsigned next[16];
    memcpy(next, code.start, sizeof next);
    for (unsigned i = 0; i < symbols; i++)
        if (lengths[i]) code.sorted[next[lengths[i]]++] = (uint16_t)i;
    return code;
}

static unsigned symbol(Stream *s, const Code *code) {
    unsigned value = 0;
    for (int length = 1; length < 16; length++) {
        value = value << 1 | bits(s, 1);
        if (value - code->first[length] < code->count[length]) return code->sorted[code->start[length] + value - code->first[length]];
    }
    fail("an unused Huffman code");
}

static void fixed_codes(Code *literals, Code *distances) {
    uint8_t lengths[288], fives[30];
    for (int i = 0; i < 288; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    memset(fives, 5, sizeof fives);
    *literals = make_code(lengths, 288);
    *distances = make_code(fives, 30);
}

static void read_codes(Stream *s, Code *literals, Code *distances) {
    static const uint8_t order[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    unsigned literal_count = bits(s, 5) + 257, distance_count = bits(s, 5) + 1, length_count = bits(s, 4) + 4;
    if (literal_count > 286 || distance_count > 30) fail("too many Huffman codes");
    uint8_t lengths[19] = {0}, all[316];
    for (unsigned i = 0; i < length_count; i++) lengths[order[i]] = (uint8_t)bits(s, 3);
    Code code = make_code(lengths, 19);
    for (unsigned i = 0; i < literal_count + distance_count;) {
        unsigned value = symbol(s, &code), repeat = 1;
        if (value == 16) repeat = 3 + bits(s, 2);
        if (value == 17) repeat = 3 + bits(s, 3);
        if (value == 18) repeat = 11 + bits(s, 7);
        if ((value == 16 && i == 0) || i + repeat > literal_count + distance_count) fail("wrong Huffman codes");
        uint8_t length = value < 16 ? (uint8_t)value : value == 16 ? all[i - 1] : 0;
        while (repeat--) all[i++] = length;
    }
    *literals = make_code(all, literal_count);
    *distances = make_code(all + literal_count, distance_count);
}

// The length or distance that a symbol begins: `base` of symbol 0, and after `plain` symbols one more bit for each `group` of them.
static unsigned extended(Stream *s, unsigned symbol, unsigned base, unsigned plain, unsigned group) {
    if (symbol < plain) return base + symbol;
    unsigned extra = (symbol - plain) / group + 1;
    return base + ((group + symbol % group) << extra) + bits(s, (int)extra);
}

static void read_block(Stream *s, const Code *literals, const Code *distances) {
    for (unsigned value; (value = symbol(s, literals)) != 256;) {
        if (value < 256) {
            put(s, (uint8_t)value);
            continue;
        }
        if (value > 285) fail("an unknown length");
        unsigned length = value == 285 ? 258 : extended(s, value - 257, 3, 8, 4), number = symbol(s, distances);
        size_t distance = extended(s, number, 1, 4, 2);
        if (distance > s->size) fail("a distance beyond the beginning");
        while (length--) put(s, s->out[s->size - distance]);
    }
}

static void read_plain(Stream *s) {
    if (s->bit) s->bit = 0, s->at++;
    unsigned length = bits(s, 16);
    if ((length ^ bits(s, 16)) != 0xFFFF) fail("a damaged stored block");
    while (length--) put(s, (uint8_t)bits(s, 8));
}

void inflate_exactly(const uint8_t *stream, size_t size, uint8_t *out, size_t count) {
    if (size < 6 || (stream[0] & 15) != 8 || stream[0] >> 4 > 7 || stream[1] & 32 || (stream[0] << 8 | stream[1]) % 31) fail("no zlib stream");
    Stream s = {stream + 2, stream + size - 4, 0, out, 0, count};
    for (unsigned last = 0; !last;) {
        last = bits(&s, 1);
        unsigned type = bits(&s, 2);
        Code literals, distances;
        if (type == 3) fail("an unknown kind of block");
        if (type == 0) {
            read_plain(&s);
            continue;
        }
        if (type == 1) fixed_codes(&literals, &distances);
        else read_codes(&s, &literals, &distances);
        read_block(&s, &literals, &distances);
    }
    if (s.size != count || s.at + (s.bit != 0) != s.end) fail("the zlib stream has another length");
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < count; i++) a = (a + out[i]) % 65521, b = (b + a) % 65521;
    const uint8_t *sum = s.end;
    if ((b << 16 | a) != ((uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 | sum[3])) fail("zlib checksum mismatch");
}

// SPDX-License-Identifier: Apache-2.0
// Section 3: interleaved rANS, escapes, end of the payload.
#include "nicref.h"

#define LOWEST ((uint64_t)1 << 31)

void entropy_start(Entropy *entropy, const uint8_t *payload, size_t size) {
    if (size < 32 || size % 4 != 0) fail("the payload has a wrong length");
    *entropy = (Entropy){.word = payload + 32, .end = payload + size};
    for (int i = 0; i < 4; i++) {
        entropy->state[i] = little_endian(payload + 8 * i, 8);
        if (entropy->state[i] < LOWEST || entropy->state[i] >> 63) fail("a state is out of range");
    }
}

// Takes the symbol with this start and frequency off a state.
static void advance(Entropy *entropy, uint64_t *state, uint32_t start, uint32_t frequency) {
    uint64_t x = frequency * (*state >> 16) + (*state & 0xFFFF) - start;
    if (x < LOWEST) {
        if (entropy->word == entropy->end) fail("the payload ends too early");
        x = x << 32 | little_endian(entropy->word, 4);
        entropy->word += 4;
    }
    *state = x;
}

static uint32_t raw_bits(Entropy *entropy, uint64_t *state, int bits) {
    uint32_t frequency = 1u << (16 - bits);
    uint32_t value = (uint32_t)(*state & 0xFFFF) / frequency;
    advance(entropy, state, value * frequency, frequency);
    return value;
}

// What follows an escape, in the same state.
static int32_t escaped_value(Entropy *entropy, uint64_t *state, const Table *table) {
    int n = (int)raw_bits(entropy, state, 5);
    if (n > 21) fail("bad escape");
    uint32_t distance = 1;  // the implied leading bit
    if (n > 16) distance = distance << (n - 16) | raw_bits(entropy, state, n - 16);
    int low = n < 16 ? n : 16;
    distance = distance << low | raw_bits(entropy, state, low);
    int64_t value = raw_bits(entropy, state, 1) ? (int64_t)table->offset - distance
                                                : (int64_t)table->offset + table->length - 1 + distance;
    if (value > 1 << 20 || value < -(1 << 20)) fail("a symbol is out of range");
    return (int32_t)value;
}

int32_t entropy_symbol(Entropy *entropy, const Table *table) {
    uint64_t *state = &entropy->state[entropy->symbols++ % 4];
    uint32_t slot = *state & 0xFFFF;
    int32_t index = 0;
    while (table->start[index + 1] <= slot) index++;  // the last start is 2^16
    advance(entropy, state, table->start[index], table->start[index + 1] - table->start[index]);
    int32_t value = index < table->length ? table->offset + index : escaped_value(entropy, state, table);
    uint8_t bytes[4];
    for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)((uint32_t)value >> (8 * i));
    entropy->crc = crc32c(entropy->crc, bytes, 4);
    return value;
}

void entropy_finish(const Entropy *entropy, uint32_t crc) {
    for (int i = 0; i < 4; i++)
        if (entropy->state[i] != LOWEST) fail("a final state is wrong");
    if (entropy->word != entropy->end) fail("the payload is too long");
    if (entropy->crc != crc) fail("symbol checksum mismatch");
}

// SPDX-License-Identifier: Apache-2.0
#include "CPlatform.h"
#include <string.h>

static uint32_t byte_step(uint32_t crc, uint8_t byte) {
    crc ^= byte;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
    return crc;
}

// Eight tables (slicing by eight): entry [k][b] advances byte b by k further zero bytes. Built by the loader, before any thread exists.
static uint32_t slices[8][256];

__attribute__((constructor)) static void build_slices(void) {
    for (unsigned b = 0; b < 256; b++) slices[0][b] = byte_step(0, (uint8_t)b);
    for (int k = 1; k < 8; k++)
        for (unsigned b = 0; b < 256; b++) slices[k][b] = (slices[k - 1][b] >> 8) ^ slices[0][slices[k - 1][b] & 0xff];
}

static uint32_t update_sliced(uint32_t crc, const uint8_t *p, size_t size) {
    for (; size >= 8; size -= 8, p += 8) {
        uint32_t low, high;
        memcpy(&low, p, 4);
        memcpy(&high, p + 4, 4);
        low ^= crc;
        crc = slices[7][low & 0xff] ^ slices[6][low >> 8 & 0xff] ^ slices[5][low >> 16 & 0xff] ^ slices[4][low >> 24]
            ^ slices[3][high & 0xff] ^ slices[2][high >> 8 & 0xff] ^ slices[1][high >> 16 & 0xff] ^ slices[0][high >> 24];
    }
    for (; size; size--) crc = (crc >> 8) ^ slices[0][(crc ^ *p++) & 0xff];
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t update_sse42(uint32_t crc, const uint8_t *p, size_t size) {
    uint64_t state = crc;
    for (; size >= 8; size -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        state = _mm_crc32_u64(state, word);
    }
    for (; size; size--) state = _mm_crc32_u8((uint32_t)state, *p++);
    return (uint32_t)state;
}
#endif

uint32_t ncp_crc32c(uint32_t crc, const void *data, size_t size) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return ~update_sse42(~crc, data, size);
#endif
    return ~update_sliced(~crc, data, size);
}

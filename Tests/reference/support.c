// SPDX-License-Identifier: Apache-2.0
// Errors, memory, bytes, checksums, files.
#include "nicref.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Memory. Every block stands in one list, so that a failure anywhere can free all of them.

typedef union Block {
    struct { union Block *before, *after; } link;
    max_align_t alignment;
} Block;

static Block *blocks;

void *take(size_t count, size_t size) {
    if (size != 0 && count > (SIZE_MAX - sizeof(Block)) / size) fail("out of memory");
    Block *block = calloc(1, sizeof(Block) + count * size);
    if (!block) fail("out of memory");
    block->link.after = blocks;
    if (blocks) blocks->link.before = block;
    blocks = block;
    return block + 1;
}

void drop(void *memory) {
    if (!memory) return;
    Block *block = (Block *)memory - 1;
    if (block->link.before) block->link.before->link.after = block->link.after;
    else blocks = block->link.after;
    if (block->link.after) block->link.after->link.before = block->link.before;
    free(block);
}

void drop_all(void) {
    while (blocks) drop(blocks + 1);
}

void fail(const char *message) {
    fprintf(stderr, "nicref: %s\n", message);
    drop_all();
    exit(1);
}

uint64_t little_endian(const uint8_t *bytes, int count) {
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

uint32_t crc32c(uint32_t crc, const uint8_t *bytes, size_t count) {
    crc = ~crc;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) ? 0x82F63B78u : 0);
    }
    return ~crc;
}

uint8_t *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) fail("cannot open a file");
    uint8_t *bytes = NULL;
    size_t capacity = 0;
    *size = 0;
    for (;;) {
        if (*size == capacity) {
            size_t larger = capacity ? capacity * 2 : 65536;
            uint8_t *copy = take(larger, 1);
            if (bytes) memcpy(copy, bytes, *size);
            drop(bytes);
            bytes = copy;
            capacity = larger;
        }
        size_t got = fread(bytes + *size, 1, capacity - *size, file);
        if (got == 0) break;
        *size += got;
    }
    int bad = ferror(file);
    fclose(file);
    if (bad) fail("cannot read a file");
    return bytes;
}

void write_file(const char *path, const char *header, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    if (!file) fail("cannot create the output");
    int good = fputs(header, file) >= 0 && fwrite(bytes, 1, count, file) == count;
    if (fclose(file) != 0 || !good) fail("cannot write the output");
}

// SPDX-License-Identifier: Apache-2.0
// nicref MODEL.safetensors FILE.nic OUT.ppm: the program and the container (section 1).
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

static void drop_all(void) {
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

static uint8_t *read_file(const char *path, size_t *size) {
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

// The container.

typedef struct {
    const uint8_t *type, *payload;
    size_t length;
} Chunk;

// The chunk at *offset, which is moved past it.
static Chunk next_chunk(const uint8_t *file, size_t size, size_t *offset) {
    const uint8_t *at = file + *offset;
    size_t left = size - *offset;
    if (left < 12) fail("truncated chunk");
    size_t length = (size_t)little_endian(at, 4);
    if (length > left - 12) fail("a chunk reaches beyond the end of the file");
    for (int i = 4; i < 8; i++) {
        uint8_t letter = at[i] | 0x20;
        if (letter < 'a' || letter > 'z') fail("bad chunk type");
    }
    if (crc32c(0, at, 8 + length) != little_endian(at + 8 + length, 4)) fail("chunk checksum mismatch");
    *offset += 12 + length;
    return (Chunk){at + 4, at + 8, length};
}

typedef struct {
    uint32_t width, height, channels, coding, rate, crc;
    const uint8_t *id, *hash;
} Head;

static Head parse_head(Chunk chunk) {
    if (memcmp(chunk.type, "HEAD", 4) != 0 || chunk.length != 37) fail("no HEAD chunk");
    const uint8_t *p = chunk.payload;
    Head head = {
        .width = (uint32_t)little_endian(p, 4), .height = (uint32_t)little_endian(p + 4, 4),
        .channels = p[8], .coding = p[10], .rate = (uint32_t)little_endian(p + 11, 2),
        .id = p + 17, .hash = p + 25, .crc = (uint32_t)little_endian(p + 33, 4),
    };
    if (head.width == 0 || head.height == 0) fail("empty picture");
    if ((head.channels != 1 && head.channels != 3) || p[9] != 8 || head.coding > 1 ||
        little_endian(p + 13, 2) != 1 || little_endian(p + 15, 2) != 1) fail("unsupported file");
    // This decoder's limit: 2^24 pixels after padding (section 4).
    uint64_t rows = ((uint64_t)head.height + 63) / 64, columns = ((uint64_t)head.width + 63) / 64;
    if (rows > 4096 || columns > 4096 || rows * columns > 4096) fail("the picture is too large for this decoder");
    return head;
}

// Finds the only TILE chunk and checks everything around it.
static Chunk parse_container(const uint8_t *file, size_t size, Head *head) {
    static const uint8_t signature[10] = {0x8E, 0x4E, 0x49, 0x43, 0x0D, 0x0A, 0x1A, 0x0A, 1, 1};
    if (size < 10 || memcmp(file, signature, 8) != 0) fail("not a .nic file");
    if (memcmp(file, signature, 10) != 0) fail("unsupported version");
    size_t offset = 10;
    *head = parse_head(next_chunk(file, size, &offset));
    Chunk tile = {NULL, NULL, 0};
    while (offset < size) {
        Chunk chunk = next_chunk(file, size, &offset);
        if (chunk.type[0] & 0x20) continue;  // ancillary
        if (memcmp(chunk.type, "TILE", 4) != 0 || tile.type) fail("a critical chunk that is unknown or misplaced");
        tile = chunk;
    }
    if (!tile.type) fail("no TILE chunk");
    return tile;
}

static void write_picture(const char *path, const Head *head, const uint8_t *pixels, size_t count) {
    FILE *file = fopen(path, "wb");
    if (!file) fail("cannot create the output");
    int good = fprintf(file, "P%c\n%lu %lu\n255\n", head->channels == 1 ? '5' : '6',
                       (unsigned long)head->width, (unsigned long)head->height) > 0;
    good = good && fwrite(pixels, 1, count, file) == count;
    if (fclose(file) != 0 || !good) fail("cannot write the output");
}

int main(int argc, char **argv) {
    if (argc != 4) fail("usage: nicref MODEL.safetensors FILE.nic OUT.ppm");
    size_t model_size, size;
    const uint8_t *model_file = read_file(argv[1], &model_size);
    const uint8_t *file = read_file(argv[2], &size);

    Head head;
    Chunk tile = parse_container(file, size, &head);
    size_t count = (size_t)head.width * head.height * head.channels;
    uint8_t *pixels = take(count, 1);
    if (head.coding == 1) {
        if (tile.length != count) fail("the stored samples have another length");
        if (crc32c(0, tile.payload, count) != head.crc) fail("pixel checksum mismatch");
        memcpy(pixels, tile.payload, count);
    } else {
        const Model *model = load_model(model_file, model_size);
        char id[8] = {0};
        memcpy(id, model->id, strlen(model->id));
        if (memcmp(head.id, id, 8) != 0) fail("the file names another model");
        if (memcmp(head.hash, model->hash, 8) != 0) fail("the file's model has another hash");
        Entropy entropy;
        entropy_start(&entropy, tile.payload, tile.length);
        decode_neural(model, &entropy, head.rate, head.crc, (int)head.width, (int)head.height, (int)head.channels, pixels);
    }
    write_picture(argv[3], &head, pixels, count);
    drop_all();
    return 0;
}

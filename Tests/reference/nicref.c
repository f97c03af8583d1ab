// SPDX-License-Identifier: Apache-2.0
// nicref MODEL.safetensors FILE.nic OUT.ppm: the program and the container (section 1).
// nicref MODEL.safetensors PICTURE.ppm RATE SYMBOLS LATENTS: what an encoder computes at a rate parameter before it codes anything.
#include "nicref.h"

#include <stdlib.h>
#include <string.h>

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
    uint32_t width, height, channels, bits, coding, rate, crc;
    const uint8_t *id, *hash;
} Head;

static Head parse_head(Chunk chunk) {
    if (memcmp(chunk.type, "HEAD", 4) != 0 || chunk.length != 37) fail("no HEAD chunk");
    const uint8_t *p = chunk.payload;
    Head head = {
        .width = (uint32_t)little_endian(p, 4), .height = (uint32_t)little_endian(p + 4, 4),
        .channels = p[8], .bits = p[9], .coding = p[10], .rate = (uint32_t)little_endian(p + 11, 2),
        .id = p + 17, .hash = p + 25, .crc = (uint32_t)little_endian(p + 33, 4),
    };
    if (head.width == 0 || head.height == 0) fail("empty picture");
    if (head.channels < 1 || head.channels > 4 || (head.bits != 8 && head.bits != 16) || head.coding > 1 ||
        little_endian(p + 13, 2) != 1 || little_endian(p + 15, 2) != 1) fail("unsupported file");
    check_size(head.width, head.height);
    return head;
}

static int is_type(Chunk chunk, const char *type) { return memcmp(chunk.type, type, 4) == 0; }

// Finds the only TILE chunk, and the ALPH chunk before it of a picture with alpha, and checks everything around them.
static Chunk parse_container(const uint8_t *file, size_t size, Head *head, Chunk *alpha) {
    static const uint8_t signature[10] = {0x8E, 0x4E, 0x49, 0x43, 0x0D, 0x0A, 0x1A, 0x0A, 1, 1};
    if (size < 10 || memcmp(file, signature, 8) != 0) fail("not a .nic file");
    if (memcmp(file, signature, 10) != 0) fail("unsupported version");
    size_t offset = 10;
    *head = parse_head(next_chunk(file, size, &offset));
    static const char *const metadata[] = {"iccp", "exif", "xmpp"};
    Chunk tile = {NULL, NULL, 0};
    int found[3] = {0}, wants_alpha = head->channels % 2 == 0;
    *alpha = tile;
    while (offset < size) {
        Chunk chunk = next_chunk(file, size, &offset);
        for (int i = 0; i < 3; i++)
            if (is_type(chunk, metadata[i]) && (found[i]++ || chunk.length < 1 || chunk.length > 1 << 24)) fail("metadata twice, or of a wrong size");
        if (chunk.type[0] & 0x20) continue;  // ancillary
        if (is_type(chunk, "ALPH") && wants_alpha && !alpha->type && !tile.type) *alpha = chunk;
        else if (is_type(chunk, "TILE") && !tile.type) tile = chunk;
        else fail("a critical chunk that is unknown or misplaced");
    }
    if (!tile.type) fail("no TILE chunk");
    if (wants_alpha && !alpha->type) fail("no ALPH chunk");
    return tile;
}

// Stored samples of the colours.
static void read_stored(Chunk tile, uint32_t crc, Picture picture) {
    size_t bytes = picture.bits / 8, colours = colours_of(picture);
    if (tile.length != pixel_count(picture) * colours * bytes) fail("the stored samples have another length");
    if (crc32c(0, tile.payload, tile.length) != crc) fail("pixel checksum mismatch");
    for (size_t i = 0; i < pixel_count(picture) * colours; i++)
        picture.samples[i / colours * picture.channels + i % colours] = (uint16_t)little_endian(tile.payload + i * bytes, (int)bytes);
}

static const Model *open_model(const char *path) {
    size_t size;
    const uint8_t *file = read_file(path, &size);
    return load_model(file, size);
}

static uint32_t parse_rate(const char *text) {
    char *end;
    unsigned long rate = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || rate > 65535) fail("the rate is no integer in 0 ... 65535");
    return (uint32_t)rate;
}

static Picture decode(const char *model_path, const char *path) {
    size_t size;
    const uint8_t *file = read_file(path, &size);
    Head head;
    Chunk alpha, tile = parse_container(file, size, &head, &alpha);
    Picture picture = {head.width, head.height, head.channels, head.bits, NULL};
    picture.samples = take(pixel_count(picture) * picture.channels, sizeof *picture.samples);
    if (alpha.type) decode_alpha(alpha.payload, alpha.length, picture);
    if (head.coding == 1) {
        read_stored(tile, head.crc, picture);
        return picture;
    }
    const Model *model = open_model(model_path);
    char id[8] = {0};
    memcpy(id, model->id, strlen(model->id));
    if (memcmp(head.id, id, 8) != 0) fail("the file names another model");
    if (memcmp(head.hash, model->hash, 8) != 0) fail("the file's model has another hash");
    Entropy entropy;
    entropy_start(&entropy, tile.payload, tile.length);
    decode_neural(model, &entropy, head.rate, head.crc, picture);
    return picture;
}

// Both kinds of values as 32 bits, little-endian.
static void write_words(const char *path, const void *values, size_t count) {
    uint8_t *bytes = take(count, 4);
    for (size_t i = 0; i < 4 * count; i++) {
        uint32_t word;
        memcpy(&word, (const uint8_t *)values + i / 4 * 4, 4);
        bytes[i] = (uint8_t)(word >> 8 * (i % 4));
    }
    write_file(path, "", bytes, 4 * count);
}

int main(int argc, char **argv) {
    if (argc == 4) write_picture(argv[3], decode(argv[1], argv[2]));
    else if (argc == 6) {
        Picture picture = read_picture(argv[2]);
        Encoding encoding = encode_neural(open_model(argv[1]), parse_rate(argv[3]), picture);
        write_words(argv[4], encoding.symbols, encoding.symbol_count);
        write_words(argv[5], encoding.latents, encoding.latent_count);
    } else fail("usage: nicref MODEL.safetensors FILE.nic OUT.ppm, or nicref MODEL.safetensors PICTURE.ppm RATE SYMBOLS LATENTS");
    drop_all();
    return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Between pixels and maps, by definition: samples of 16 bits, and of 8 bits with alpha between them (layout_checks.c has those without). What is not a colour of the
// picture (alpha, gaps between rows, what lies beyond the edges) must keep its bytes.
#include "reference.h"

typedef struct {
    size_t bits, channels, width, height, stride, size; // the last: bytes in all
    uint8_t *bytes;
} picture;

static picture random_picture(size_t bits, size_t channels, size_t width, size_t height, size_t gap) {
    picture p = {.bits = bits, .channels = channels, .width = width, .height = height, .stride = width * channels * bits / 8 + gap};
    p.size = p.stride * height + GUARD_FLOATS;
    p.bytes = malloc(p.size);
    for (size_t i = 0; i < p.size; i++) p.bytes[i] = (uint8_t)(random_bits() >> 16);
    return p;
}

static uint8_t *at(picture p, size_t x, size_t y, size_t channel) { return p.bytes + y * p.stride + (x * p.channels + channel) * p.bits / 8; }

static uint32_t get(picture p, size_t x, size_t y, size_t channel) {
    const uint8_t *s = at(p, x, y, channel);
    return p.bits == 8 ? *s : (uint32_t)s[0] | (uint32_t)s[1] << 8;
}

static void put(picture p, size_t x, size_t y, size_t channel, uint32_t value) {
    uint8_t *s = at(p, x, y, channel);
    s[0] = (uint8_t)value;
    if (p.bits == 16) s[1] = (uint8_t)(value >> 8);
}

// The picture's sample at a position that may lie beyond its edges.
static uint32_t repeated(picture p, size_t x, size_t y, size_t colour) {
    return get(p, x < p.width ? x : p.width - 1, y < p.height ? y : p.height - 1, p.channels < 3 ? 0 : colour);
}

static float full(size_t bits) { return bits == 8 ? 255.0f : 65535.0f; }

static uint32_t rounded(float v, size_t bits) {
    v = v == v ? v : 0.0f;
    return (uint32_t)__builtin_rintf(v < 0.0f ? 0.0f : v > full(bits) ? full(bits) : v);
}

static size_t channels_of(uint64_t round, size_t bits) { return bits == 16 ? 1 + round % 4 : 2 + 2 * (round % 2); }

static uint64_t check_patches(const nck_kernels *k, uint64_t round, size_t bits) {
    const size_t positions = 1 + round % 5, row = round % 4, column = round % 3;
    picture p = random_picture(bits, channels_of(round, bits), 1 + random_bits() % 80, 1 + random_bits() % 40, round % 3);
    float *out = floats_of(positions * 768), *expected = copy_of(out, positions * 768);
    for (size_t i = 0; i < positions * 768; i++) {
        const size_t colour = i % 768 / 256, y = 16 * row + i % 256 / 16, x = 16 * (column + i / 768) + i % 16;
        expected[i] = __builtin_fmaf((float)repeated(p, x, y, colour), bits == 8 ? 0x1.010102p-8f : 0x1.0001p-16f, -0.5f);
    }
    (bits == 8 ? k->patches : k->patches_16)(p.bytes, p.stride, p.width, p.height, p.channels, row, column, out, positions);
    expect_floats("patches", k, round, out, expected, positions * 768);
    uint64_t hash = hash_floats(out, positions * 768);
    free(p.bytes), free(out), free(expected);
    return hash;
}

static uint64_t check_pixels(const nck_kernels *k, uint64_t round, size_t bits) {
    const size_t positions = positions_of(round), row = round % 2, column = round % 4;
    picture p = random_picture(bits, channels_of(round, bits), 1 + random_bits() % 80, 1 + random_bits() % 9, 5), expected = p;
    float *base = floats_of(positions * 64), *detail = floats_of(positions * 48);
    for (size_t i = 0; i < positions * 64; i += 3) base[i] = (float)((random_bits() >> 8) % 70000) / full(bits) - 0.5f; // between two samples, and beyond
    for (size_t i = 0; i < positions * 48; i += 2) detail[i] = 0.0f;
    expected.bytes = memcpy(malloc(p.size), p.bytes, p.size);
    for (size_t i = 0; i < 16 * positions; i++) {
        const size_t cell = i / 16, s = i % 16, y = 4 * row + s / 4, x = 4 * (column + cell) + s % 4;
        if (x >= p.width || y >= p.height) continue;
        float sum[3];
        for (size_t c = 0; c < 3; c++) sum[c] = base[64 * cell + 16 * c + s] + detail[48 * cell + 16 * c + s];
        if (p.channels < 3)
            put(expected, x, y, 0, rounded(__builtin_fmaf((sum[0] + sum[1]) + sum[2], full(bits) / 3, full(bits) / 2), bits));
        else
            for (size_t c = 0; c < 3; c++) put(expected, x, y, c, rounded(__builtin_fmaf(sum[c], full(bits), full(bits) / 2), bits));
    }
    (bits == 8 ? k->pixels : k->pixels_16)(base, 64, detail, row, column, positions, p.bytes, p.stride, p.width, p.height, p.channels);
    expect_bytes("pixels", k, round, p.bytes, expected.bytes, p.size);
    uint64_t hash = hash_bytes(HASH_START, p.bytes, p.size);
    free(base), free(detail), free(p.bytes), free(expected.bytes);
    return hash;
}

static uint64_t check_pixels_to_map(const nck_kernels *k, uint64_t round, size_t bits) {
    const size_t positions = positions_of(round), step = round % 3 ? 3 : 16, row = random_bits() % 7, column = random_bits() % 16;
    picture p = random_picture(bits, channels_of(round, bits), 1 + random_bits() % 40, 1 + random_bits() % 5, round % 5);
    float *out = floats_of(positions * step), *expected = copy_of(out, positions * step);
    for (size_t i = 0; i < 3 * positions; i++) expected[i / 3 * step + i % 3] = (float)repeated(p, column + i / 3, row, i % 3) / full(bits);
    (bits == 8 ? k->pixels_to_map : k->pixels_to_map_16)(p.bytes, p.stride, p.width, p.height, p.channels, row, column, out, (ptrdiff_t)step, positions);
    expect_floats("pixels_to_map", k, round, out, expected, positions * step);
    uint64_t hash = hash_floats(out, positions * step);
    free(p.bytes), free(out), free(expected);
    return hash;
}

static uint64_t check_map_to_pixels(const nck_kernels *k, uint64_t round, size_t bits) {
    const size_t positions = positions_of(round), step = round % 3 ? 3 : 16, row = random_bits() % 6, column = random_bits() % 16;
    picture p = random_picture(bits, channels_of(round, bits), 1 + random_bits() % 40, 1 + random_bits() % 5, 5), expected = p;
    float *in = floats_of(positions * step);
    for (size_t i = 0; i < positions; i += 2) // between two samples
        for (size_t c = 0; c < 3; c++) in[i * step + c] = ((float)((random_bits() >> 8) % 65540) - 1.5f) / full(bits);
    for (size_t i = 0; i < positions && p.channels < 3; i += 4) in[i * step + 1] = in[i * step + 2] = in[i * step];
    expected.bytes = memcpy(malloc(p.size), p.bytes, p.size);
    for (size_t i = 0; i < positions && row < p.height && column + i < p.width; i++) {
        const float *colours = in + i * step;
        if (p.channels < 3)
            put(expected, column + i, row, 0, rounded(((colours[0] + colours[1]) + colours[2]) * (full(bits) / 3), bits));
        else
            for (size_t c = 0; c < 3; c++) put(expected, column + i, row, c, rounded(colours[c] * full(bits), bits));
    }
    (bits == 8 ? k->map_to_pixels : k->map_to_pixels_16)(in, (ptrdiff_t)step, row, column, positions, p.bytes, p.stride, p.width, p.height, p.channels);
    expect_bytes("map_to_pixels", k, round, p.bytes, expected.bytes, p.size);
    uint64_t hash = hash_bytes(HASH_START, p.bytes, p.size);
    free(in), free(p.bytes), free(expected.bytes);
    return hash;
}

#define CHECKS(NAME)                                                                                                     \
    static uint64_t run_##NAME##_alpha(const nck_kernels *k, uint64_t round) { return check_##NAME(k, round, 8); }       \
    static uint64_t run_##NAME##_16(const nck_kernels *k, uint64_t round) { return check_##NAME(k, round, 16); }
CHECKS(patches)
CHECKS(pixels)
CHECKS(pixels_to_map)
CHECKS(map_to_pixels)

// The difference of the extremes has a square of 32 bits, and many of them sum up.
static uint64_t run_squared_error_16(const nck_kernels *k, uint64_t round) {
    (void)k;
    const size_t count = 1 + random_bits() % 5000;
    uint8_t *a = malloc(2 * count + 1), *b = malloc(2 * count + 1);
    uint64_t expected = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t v = round % 2 ? 65535 : random_bits() >> 16, w = round % 2 ? 0 : random_bits() >> 16;
        a[2 * i + 1] = (uint8_t)v, a[2 * i + 2] = (uint8_t)(v >> 8);
        b[2 * i + 1] = (uint8_t)w, b[2 * i + 2] = (uint8_t)(w >> 8);
        expected += (uint64_t)(v > w ? v - w : w - v) * (v > w ? v - w : w - v);
    }
    const uint64_t sum = nck_squared_error_16(a + 1, b + 1, count);
    expect_bytes("squared_error_16", k, round, &sum, &expected, sizeof sum);
    free(a), free(b);
    return hash_bytes(HASH_START, &sum, sizeof sum);
}

const check picture_checks[] = {
    {"patches_alpha", run_patches_alpha},
    {"pixels_alpha", run_pixels_alpha},
    {"pixels_to_map_alpha", run_pixels_to_map_alpha},
    {"map_to_pixels_alpha", run_map_to_pixels_alpha},
    {"patches_16", run_patches_16},
    {"pixels_16", run_pixels_16},
    {"pixels_to_map_16", run_pixels_to_map_16},
    {"map_to_pixels_16", run_map_to_pixels_16},
    {"squared_error_16", run_squared_error_16},
    {0},
};

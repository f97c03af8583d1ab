// SPDX-License-Identifier: Apache-2.0
// One function a kernel: odd counts, steps larger than the channels, unaligned starts.
#include "reference.h"

static uint64_t run_patches(const nck_kernels *k, uint64_t round) {
    const size_t positions = 1 + round % 5, channels = round % 2 ? 3 : 1, width = 1 + random_bits() % 80, height = 1 + random_bits() % 40, stride = width * channels + round % 3;
    uint8_t *pixels = malloc(stride * height);
    for (size_t i = 0; i < stride * height; i++) pixels[i] = (uint8_t)random_bits();
    float *out = floats_of(positions * 768);
    k->patches(pixels, stride, width, height, channels, round % 4, round % 3, out, positions);
    uint64_t hash = hash_floats(out, positions * 768);
    free(pixels), free(out);
    return hash;
}

static uint64_t run_pixels(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = round % 2 ? 3 : 1, width = 1 + random_bits() % 80, height = 1 + random_bits() % 9, stride = width * channels + 5;
    float *base = floats_of(positions * 64), *detail = floats_of(positions * 48);
    uint8_t *out = calloc(stride * height + GUARD_FLOATS, 1);
    k->pixels(base, 64, detail, round % 2, round % 4, positions, out, stride, width, height, channels);
    uint64_t hash = hash_bytes(HASH_START, out, stride * height + GUARD_FLOATS);
    free(base), free(detail), free(out);
    return hash;
}

static uint64_t run_pixels_to_map(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = round % 2 ? 3 : 1, step = round % 3 ? 3 : 16, width = 1 + random_bits() % 40, height = 1 + random_bits() % 5;
    const size_t stride = width * channels + round % 5, row = random_bits() % 7, column = random_bits() % 16;
    uint8_t *pixels = malloc(stride * height);
    for (size_t i = 0; i < stride * height; i++) pixels[i] = (uint8_t)random_bits();
    float *out = floats_of(positions * step), *expected = copy_of(out, positions * step);
    for (size_t p = 0; p < positions; p++)
        for (size_t colour = 0; colour < 3; colour++) {
            size_t x = column + p < width ? column + p : width - 1, y = row < height ? row : height - 1;
            expected[p * step + colour] = (float)(pixels[y * stride + x * channels + (channels == 3 ? colour : 0)] / 255.0);
        }
    k->pixels_to_map(pixels, stride, width, height, channels, row, column, out, (ptrdiff_t)step, positions);
    expect_floats("pixels_to_map", k, round, out, expected, positions * step);
    // Every byte, in a picture of one row.
    uint8_t all[256];
    float values[256 * 3];
    for (int i = 0; i < 256; i++) all[i] = (uint8_t)i;
    k->pixels_to_map(all, 256, 256, 1, 1, 0, 0, values, 3, 256);
    for (int i = 0; i < 256 * 3; i++)
        if (values[i] != (float)(i / 3) / 255.0f) printf("pixels_to_map: %s: %d\n", k->name, i / 3), exit(1);
    uint64_t hash = hash_floats(out, positions * step);
    free(pixels), free(out), free(expected);
    return hash;
}

// Clamped first here, last in the kernel.
static uint8_t pixel_by_definition(float v) {
    v = v == v ? v : 0.0f;
    v = v < 0.0f ? 0.0f : v > 1.0f ? 1.0f : v;
    return (uint8_t)__builtin_rintf(v * 255.0f);
}

static uint8_t gray_by_definition(const float *colours) {
    float v = ((colours[0] + colours[1]) + colours[2]) * 85.0f;
    v = v == v ? v : 0.0f;
    return (uint8_t)__builtin_rintf(v < 0.0f ? 0.0f : v > 255.0f ? 255.0f : v);
}

static uint64_t run_map_to_pixels(const nck_kernels *k, uint64_t round) {
    const size_t positions = positions_of(round), channels = round % 2 ? 3 : 1, step = round % 3 ? 3 : 16, width = 1 + random_bits() % 40, height = 1 + random_bits() % 5;
    const size_t stride = width * channels + 5, row = random_bits() % 6, column = random_bits() % 16, size = stride * height + GUARD_FLOATS;
    float *in = floats_of(positions * step);
    for (size_t p = 0; p < positions; p += 2) // between two pixels
        for (size_t c = 0; c < 3; c++) in[p * step + c] = ((float)((random_bits() >> 8) % 260) - 1.5f) / 255.0f;
    for (size_t p = 0; p < positions && channels == 1; p += 4) in[p * step + 1] = in[p * step + 2] = in[p * step];
    uint8_t *out = malloc(size), *expected = malloc(size);
    for (size_t i = 0; i < size; i++) out[i] = expected[i] = (uint8_t)random_bits();
    for (size_t p = 0; p < positions && row < height && column + p < width; p++)
        for (size_t c = 0; c < channels; c++)
            expected[row * stride + (column + p) * channels + c] = channels == 1 ? gray_by_definition(in + p * step) : pixel_by_definition(in[p * step + c]);
    k->map_to_pixels(in, (ptrdiff_t)step, row, column, positions, out, stride, width, height, channels);
    expect_bytes("map_to_pixels", k, round, out, expected, size);
    uint64_t hash = hash_bytes(HASH_START, out, size);
    free(in), free(out), free(expected);
    return hash;
}

typedef struct {
    size_t factor, channels, positions, coarse_step, fine_step, fine_row, coarse, fine; // the last two: floats in all
} shuffle_shape;

static shuffle_shape shuffle_shape_of(uint64_t round) {
    static const size_t factors[] = {2, 4, 2, 3, 4}, channels[] = {1, 3, 12, 16, 20, 48, 128};
    shuffle_shape s = {.factor = factors[round % 5], .channels = channels[round % 7], .positions = positions_of(round * 5)};
    s.coarse_step = s.factor * s.factor * s.channels + round % 3 * 4, s.fine_step = s.channels + round % 4 * 5;
    s.fine_row = s.factor * s.positions * s.fine_step + 7;
    s.coarse = s.positions * s.coarse_step + 1, s.fine = s.factor * s.fine_row + 1;
    return s;
}

// Channel (c * factor + i) * factor + j of coarse position p is channel c at row i, column p * factor + j.
static void move_by_definition(shuffle_shape s, float *coarse, float *fine, int to_fine) {
    for (size_t i = 0; i < s.factor; i++)
        for (size_t column = 0; column < s.factor * s.positions; column++)
            for (size_t c = 0; c < s.channels; c++) {
                float *here = &fine[i * s.fine_row + column * s.fine_step + c];
                float *there = &coarse[column / s.factor * s.coarse_step + (c * s.factor + i) * s.factor + column % s.factor];
                if (to_fine)
                    *here = *there;
                else
                    *there = *here;
            }
}

static uint64_t run_pixel_shuffle(const nck_kernels *k, uint64_t round) {
    const shuffle_shape s = shuffle_shape_of(round);
    float *in = floats_of(s.coarse), *out = floats_of(s.fine), *expected = copy_of(out, s.fine);
    move_by_definition(s, in + round % 2, expected + round % 2, 1);
    k->pixel_shuffle(s.factor, s.channels, in + round % 2, (ptrdiff_t)s.coarse_step, out + round % 2, (ptrdiff_t)s.fine_row, (ptrdiff_t)s.fine_step, s.positions);
    expect_floats("pixel_shuffle", k, round, out, expected, s.fine);
    uint64_t hash = hash_floats(out, s.fine);
    free(in), free(out), free(expected);
    return hash;
}

static uint64_t run_pixel_unshuffle(const nck_kernels *k, uint64_t round) {
    const shuffle_shape s = shuffle_shape_of(round);
    float *in = floats_of(s.fine), *out = floats_of(s.coarse), *expected = copy_of(out, s.coarse);
    move_by_definition(s, expected + round % 2, in + round % 2, 0);
    k->pixel_unshuffle(s.factor, s.channels, in + round % 2, (ptrdiff_t)s.fine_row, (ptrdiff_t)s.fine_step, out + round % 2, (ptrdiff_t)s.coarse_step, s.positions);
    expect_floats("pixel_unshuffle", k, round, out, expected, s.coarse);
    uint64_t hash = hash_floats(out, s.coarse);
    free(in), free(out), free(expected);
    return hash;
}

// The dimensions that have their own code often, the others by chance; vectors with and without gaps; beside the input and over it.
static uint64_t run_lattice_transform(const nck_kernels *k, uint64_t round) {
    static const size_t dimensions[] = {2, 4, 8, 16, 24, 32, 1, 64};
    const size_t n = round % 2 ? dimensions[round / 2 % 8] : 1 + random_bits() % 64, gap = round % 3 == 1 ? random_bits() % 5 : 0, step = n + gap;
    const size_t count = n < 16 ? 5 * positions_of(round) : positions_of(round * 3) + (round % 8 == 7 ? 170 : 0);
    float *matrix = floats_of(n * n), *in = floats_of(count * step + 1), *out = round % 4 < 2 ? floats_of(count * step + 1) : in;
    for (size_t v = 0; v < count; v += 3) memset(in + 1 + v * step, 0, n * sizeof *in); // sums of zeros of both signs, which begin with +0
    float *expected = copy_of(out, count * step + 1), *to = expected + (out == in);
    for (size_t v = 0; v < count; v++)
        for (size_t j = 0; j < n; j++) {
            float sum = 0.0f;
            for (size_t i = 0; i < n; i++) sum = __builtin_fmaf(in[1 + v * step + i], matrix[i * n + j], sum);
            to[v * step + j] = sum;
        }
    k->lattice_transform(matrix, n, in + 1, (ptrdiff_t)step, out + (out == in), (ptrdiff_t)step, count);
    expect_floats("lattice_transform", k, round, out, expected, count * step + 1);
    uint64_t hash = hash_floats(out, count * step + 1);
    if (out != in) free(out);
    free(matrix), free(in), free(expected);
    return hash;
}

static uint64_t run_babai_round(const nck_kernels *k, uint64_t round) {
    const size_t count = positions_of(round), n = 1 + random_bits() % 24, step = n + (round % 3 ? 0 : random_bits() % 5), size = (count * n + GUARD_FLOATS) * sizeof(int32_t);
    float *in = floats_of(count * step);
    for (size_t i = 0; i < count * step; i++) in[i] = i % 3 ? in[i] * 1e6f : __builtin_rintf(in[i] * 100.0f) + 0.5f;
    float *rounded = round % 2 ? floats_of(count * step) : in, *expected = copy_of(rounded, count * step);
    int32_t *indices = calloc(1, size), *expected_indices = calloc(1, size);
    for (size_t v = 0; v < count; v++)
        for (size_t i = 0; i < n; i++) {
            float value = in[v * step + i];
            value = value == value ? value : 0.0f;
            value = value < -1048576.0f ? -1048576.0f : value > 1048576.0f ? 1048576.0f : value;
            expected_indices[v * n + i] = (int32_t)__builtin_lrintf(value);
            expected[v * step + i] = (float)expected_indices[v * n + i];
        }
    k->babai_round(n, in, (ptrdiff_t)step, indices, rounded, (ptrdiff_t)step, count);
    expect_floats("babai_round", k, round, rounded, expected, count * step);
    expect_bytes("babai_round", k, round, indices, expected_indices, size);
    uint64_t hash = hash_bytes(hash_floats(rounded, count * step), indices, size);
    if (rounded != in) free(rounded);
    free(in), free(expected), free(indices), free(expected_indices);
    return hash;
}

const check layout_checks[] = {
    {"patches", run_patches},
    {"pixels", run_pixels},
    {"pixels_to_map", run_pixels_to_map},
    {"map_to_pixels", run_map_to_pixels},
    {"pixel_shuffle", run_pixel_shuffle},
    {"pixel_unshuffle", run_pixel_unshuffle},
    {"lattice_transform", run_lattice_transform},
    {"babai_round", run_babai_round},
    {0},
};

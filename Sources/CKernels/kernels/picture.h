/* SPDX-License-Identifier: Apache-2.0 */
/* Between 8-bit pixels and feature maps. */

static void patches(const uint8_t *pixels, size_t stride, size_t width, size_t height, size_t channels, size_t patch_row, size_t patch_column, float *out, size_t positions) {
    enum { SIDE = 16 };
    const size_t left = patch_column * SIDE;
    for (size_t i = 0; i < SIDE; i++) {
        size_t y = patch_row * SIDE + i < height ? patch_row * SIDE + i : height - 1;
        for (size_t colour = 0; colour < 3; colour++) {
            const uint8_t *row = pixels + y * stride + (channels == 3 ? colour : 0);
            float *to = out + colour * SIDE * SIDE + i * SIDE;
            for (size_t x = 0; x < positions * SIDE; x++) {
                float value = (float)row[(left + x < width ? left + x : width - 1) * channels];
                to[x / SIDE * (3 * SIDE * SIDE) + x % SIDE] = __builtin_elementwise_fma(value, 0x1.010102p-8f, -0.5f);
            }
        }
    }
}

INLINE uint8_t pixel_of(float v) {
    v = v == v ? v : 0.0f;
    v = v < 0.0f ? 0.0f : v;
    v = v > 255.0f ? 255.0f : v;
    return (uint8_t)(int32_t)((v + NCK_ROUND_MAGIC) - NCK_ROUND_MAGIC);
}

static void pixels(const float *base, ptrdiff_t base_step, const float *detail, size_t cell_row, size_t cell_column, size_t positions, uint8_t *out, size_t stride,
                   size_t width, size_t height, size_t channels) {
    enum { SIDE = 4, COLOURS = 3, CELL = COLOURS * SIDE * SIDE };
    for (size_t cell = cell_column; cell < cell_column + positions && cell * SIDE < width; cell++, base += base_step, detail += CELL) {
        float sum[CELL];
        for (int k = 0; k < CELL; k++) sum[k] = base[k] + detail[k];
        for (size_t i = 0; i < SIDE && cell_row * SIDE + i < height; i++) {
            uint8_t *to = out + (cell_row * SIDE + i) * stride + cell * SIDE * channels;
            for (size_t j = 0; j < SIDE && cell * SIDE + j < width; j++) {
                const float *s = sum + i * SIDE + j;
                if (channels == 1)
                    to[j] = pixel_of(__builtin_elementwise_fma((s[0] + s[16]) + s[32], 85.0f, 127.5f));
                else
                    for (size_t colour = 0; colour < COLOURS; colour++) to[j * COLOURS + colour] = pixel_of(__builtin_elementwise_fma(s[colour * 16], 255.0f, 127.5f));
            }
        }
    }
}

static void pixels_to_map(const uint8_t *pixels, size_t stride, size_t width, size_t height, size_t channels, size_t row, size_t column, float *out,
                          ptrdiff_t out_step, size_t positions) {
    const uint8_t *from = pixels + (row < height ? row : height - 1) * stride;
    size_t p = 0;
    if (channels == 3 && out_step == 3 && column < width) { // samples in a line
        p = positions < width - column ? positions : width - column;
        for (size_t k = 0; k < 3 * p; k++) out[k] = (float)from[3 * column + k] / 255.0f;
    }
    for (; p < positions; p++) {
        const uint8_t *pixel = from + (column + p < width ? column + p : width - 1) * channels;
        for (size_t colour = 0; colour < 3; colour++) out[(ptrdiff_t)p * out_step + (ptrdiff_t)colour] = (float)pixel[channels == 3 ? colour : 0] / 255.0f;
    }
}

static void map_to_pixels(const float *in, ptrdiff_t in_step, size_t row, size_t column, size_t positions, uint8_t *out, size_t stride, size_t width, size_t height,
                          size_t channels) {
    if (row >= height || column >= width) return;
    uint8_t *to = out + row * stride + column * channels;
    if (positions > width - column) positions = width - column;
    if (channels == 1)
        for (size_t p = 0; p < positions; p++, in += in_step) to[p] = pixel_of(((in[0] + in[1]) + in[2]) * 85.0f);
    else if (in_step == 3)
        for (size_t k = 0; k < 3 * positions; k++) to[k] = pixel_of(in[k] * 255.0f);
    else
        for (size_t p = 0; p < positions; p++, in += in_step)
            for (size_t colour = 0; colour < 3; colour++) to[3 * p + colour] = pixel_of(in[colour] * 255.0f);
}

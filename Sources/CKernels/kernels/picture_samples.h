/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of one size of samples: picture.h includes this for each, with SAMPLE, SIZED (their names), UNIT and FULL (the greatest sample's inverse, and itself).
 * Samples of 16 bits are not necessarily aligned. */

typedef SAMPLE SIZED(samples) __attribute__((vector_size(NCK_LANES * sizeof(SAMPLE))));
typedef SAMPLE SIZED(colour_samples) __attribute__((vector_size(4 * NCK_LANES * sizeof(SAMPLE)))); /* of three colours, and alpha or padding */

INLINE float SIZED(sample_at)(const uint8_t *row, size_t index) {
    SAMPLE s;
    memcpy(&s, row + index * sizeof s, sizeof s);
    return (float)s;
}

INLINE void SIZED(put_sample)(uint8_t *row, size_t index, int32_t value) {
    const SAMPLE s = (SAMPLE)value;
    memcpy(row + index * sizeof s, &s, sizeof s);
}

/* Sixteen neighbouring pixels of three or four channels. */
INLINE SIZED(colour_samples) SIZED(load_colours)(const uint8_t *pixels, size_t channels) {
    SIZED(colour_samples) v = {0};
    if (channels == 3)
        memcpy(&v, pixels, 3 * NCK_LANES * sizeof(SAMPLE));
    else
        memcpy(&v, pixels, sizeof v);
    return v;
}

INLINE vector SIZED(centred)(SIZED(samples) v) { return fused(__builtin_convertvector(v, vector), splat(UNIT), splat(-0.5f)); }

/* A row of a patch at the picture's right edge or of a gray picture; columns beyond the edge repeat the last one. */
INLINE void SIZED(patch_row_at_edge)(const uint8_t *row, size_t width, size_t channels, size_t left, size_t side, float *to) {
    for (size_t colour = 0; colour < 3; colour++, to += side * side)
        for (size_t x = 0; x < side; x++) {
            const size_t column = left + x < width ? left + x : width - 1;
            to[x] = __builtin_elementwise_fma(SIZED(sample_at)(row, column * channels + (channels < 3 ? 0 : colour)), UNIT, -0.5f);
        }
}

static void SIZED(patches)(const uint8_t *pixels, size_t stride, size_t width, size_t height, size_t channels, size_t patch_row, size_t patch_column, float *out,
                           size_t positions) {
    enum { SIDE = NCK_LANES, PATCH = SIDE * SIDE };
    for (size_t i = 0; i < SIDE; i++) {
        const size_t y = patch_row * SIDE + i < height ? patch_row * SIDE + i : height - 1;
        const uint8_t *row = pixels + y * stride;
        float *to = out + i * SIDE;
        for (size_t p = 0; p < positions; p++, to += 3 * PATCH) {
            const size_t left = (patch_column + p) * SIDE;
            if (channels < 3 || left + SIDE > width) {
                SIZED(patch_row_at_edge)(row, width, channels, left, SIDE, to);
                continue;
            }
            const SIZED(colour_samples) v = SIZED(load_colours)(row + channels * left * sizeof(SAMPLE), channels);
            if (channels == 3) {
                store(to, SIZED(centred)(EVERY_THIRD(v, 0)));
                store(to + PATCH, SIZED(centred)(EVERY_THIRD(v, 1)));
                store(to + 2 * PATCH, SIZED(centred)(EVERY_THIRD(v, 2)));
            } else {
                store(to, SIZED(centred)(EVERY_FOURTH(v, 0)));
                store(to + PATCH, SIZED(centred)(EVERY_FOURTH(v, 1)));
                store(to + 2 * PATCH, SIZED(centred)(EVERY_FOURTH(v, 2)));
            }
        }
    }
}

/* Sixteen values to samples. */
INLINE SIZED(samples) SIZED(samples_of)(vector v) { return __builtin_convertvector(whole_of(v, FULL), SIZED(samples)); }

/* A cell of 4 x 4 pixels of three colours without alpha. */
INLINE void SIZED(interleave_cell)(const SIZED(samples) *colour, uint8_t *to, size_t stride) {
    typedef SAMPLE pair __attribute__((vector_size(2 * NCK_LANES * sizeof(SAMPLE))));
    const pair rg = __builtin_shufflevector(colour[0], colour[1], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                            13, 29, 14, 30, 15, 31);
    const pair b = __builtin_shufflevector(colour[2], colour[2], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                           -1, -1, -1, -1);
#define CELL_ROW(I)                                                                                                                                   \
    __builtin_shufflevector(rg, b, 8 * I, 8 * I + 1, 32 + 4 * I, 8 * I + 2, 8 * I + 3, 33 + 4 * I, 8 * I + 4, 8 * I + 5, 34 + 4 * I, 8 * I + 6, 8 * I + 7, \
                            35 + 4 * I, -1, -1, -1, -1)
    const SIZED(samples) rows[4] = {CELL_ROW(0), CELL_ROW(1), CELL_ROW(2), CELL_ROW(3)};
#undef CELL_ROW
    for (int i = 0; i < 4; i++) memcpy(to + (size_t)i * stride, &rows[i], 12 * sizeof(SAMPLE));
}

/* The pixels of a cell that lie inside the picture, with or without alpha between them. */
INLINE void SIZED(scatter_cell)(const SIZED(samples) *colour, uint8_t *to, size_t stride, size_t columns, size_t rows, size_t channels) {
    for (size_t i = 0; i < rows; i++, to += stride)
        for (size_t j = 0; j < columns; j++)
            for (size_t k = 0; k < colours_of(channels); k++) SIZED(put_sample)(to, j * channels + k, colour[k][4 * i + j]);
}

static void SIZED(pixels)(const float *base, ptrdiff_t base_step, const float *detail, size_t cell_row, size_t cell_column, size_t positions, uint8_t *out,
                          size_t stride, size_t width, size_t height, size_t channels) {
    enum { SIDE = 4, CELL = 3 * SIDE * SIDE };
    const size_t top = cell_row * SIDE, rows = top + SIDE <= height ? SIDE : top < height ? height - top : 0;
    for (size_t cell = cell_column; cell < cell_column + positions && cell * SIDE < width; cell++, base += base_step, detail += CELL) {
        vector sum[3];
        for (int k = 0; k < 3; k++) sum[k] = load(base + NCK_LANES * k) + load(detail + NCK_LANES * k);
        SIZED(samples) colour[3];
        if (channels < 3)
            colour[0] = SIZED(samples_of)(fused((sum[0] + sum[1]) + sum[2], splat(FULL / 3), splat(FULL / 2)));
        else
            for (int k = 0; k < 3; k++) colour[k] = SIZED(samples_of)(fused(sum[k], splat(FULL), splat(FULL / 2)));
        const size_t left = cell * SIDE, columns = left + SIDE <= width ? SIDE : width - left;
        uint8_t *to = out + top * stride + left * channels * sizeof(SAMPLE);
        if (channels == 3 && rows == SIDE && columns == SIDE)
            SIZED(interleave_cell)(colour, to, stride);
        else
            SIZED(scatter_cell)(colour, to, stride, columns, rows, channels);
    }
}

static void SIZED(pixels_to_map)(const uint8_t *pixels, size_t stride, size_t width, size_t height, size_t channels, size_t row, size_t column, float *out,
                                 ptrdiff_t out_step, size_t positions) {
    const uint8_t *from = pixels + (row < height ? row : height - 1) * stride;
    size_t p = 0;
    if (channels == 3 && out_step == 3 && column < width) { // samples in a line
        p = positions < width - column ? positions : width - column;
        for (size_t k = 0; k < 3 * p; k++) out[k] = SIZED(sample_at)(from, 3 * column + k) / FULL;
    }
    for (; p < positions; p++) {
        const size_t pixel = (column + p < width ? column + p : width - 1) * channels;
        for (size_t colour = 0; colour < 3; colour++) out[(ptrdiff_t)p * out_step + (ptrdiff_t)colour] = SIZED(sample_at)(from, pixel + (channels < 3 ? 0 : colour)) / FULL;
    }
}

static void SIZED(map_to_pixels)(const float *in, ptrdiff_t in_step, size_t row, size_t column, size_t positions, uint8_t *out, size_t stride, size_t width,
                                 size_t height, size_t channels) {
    if (row >= height || column >= width) return;
    uint8_t *to = out + row * stride + column * channels * sizeof(SAMPLE);
    if (positions > width - column) positions = width - column;
    if (channels < 3)
        for (size_t p = 0; p < positions; p++, in += in_step) SIZED(put_sample)(to, p * channels, whole_number(((in[0] + in[1]) + in[2]) * (FULL / 3), FULL));
    else if (channels == 3 && in_step == 3)
        for (size_t k = 0; k < 3 * positions; k++) SIZED(put_sample)(to, k, whole_number(in[k] * FULL, FULL));
    else
        for (size_t p = 0; p < positions; p++, in += in_step)
            for (size_t colour = 0; colour < 3; colour++) SIZED(put_sample)(to, p * channels + colour, whole_number(in[colour] * FULL, FULL));
}

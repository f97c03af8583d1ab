/* SPDX-License-Identifier: Apache-2.0 */
/* Between 8-bit pixels and feature maps. */

typedef uint8_t samples __attribute__((vector_size(NCK_LANES)));
typedef uint8_t colour_samples __attribute__((vector_size(4 * NCK_LANES))); /* of three colours, and padding: vectors have powers of two */

/* Sixteen neighbouring pixels of three colours. */
INLINE colour_samples load_colours(const uint8_t *pixels) {
    colour_samples v = {0};
    memcpy(&v, pixels, 3 * NCK_LANES);
    return v;
}

#define EVERY_THIRD(V, I)                                                                                                          \
    __builtin_shufflevector(V, V, I, I + 3, I + 6, I + 9, I + 12, I + 15, I + 18, I + 21, I + 24, I + 27, I + 30, I + 33, I + 36, I + 39, I + 42, \
                            I + 45)

INLINE vector centred(samples v) { return fused(__builtin_convertvector(v, vector), splat(0x1.010102p-8f), splat(-0.5f)); }

/* A row of a patch at the picture's right edge or of a gray picture; columns beyond the edge repeat the last one. */
INLINE void patch_row_at_edge(const uint8_t *row, size_t width, size_t channels, size_t left, size_t side, float *to) {
    for (size_t colour = 0; colour < 3; colour++, to += side * side)
        for (size_t x = 0; x < side; x++) {
            const size_t column = left + x < width ? left + x : width - 1;
            to[x] = __builtin_elementwise_fma((float)row[column * channels + (channels == 3 ? colour : 0)], 0x1.010102p-8f, -0.5f);
        }
}

static void patches(const uint8_t *pixels, size_t stride, size_t width, size_t height, size_t channels, size_t patch_row, size_t patch_column, float *out, size_t positions) {
    enum { SIDE = NCK_LANES, PATCH = SIDE * SIDE };
    for (size_t i = 0; i < SIDE; i++) {
        const size_t y = patch_row * SIDE + i < height ? patch_row * SIDE + i : height - 1;
        const uint8_t *row = pixels + y * stride;
        float *to = out + i * SIDE;
        for (size_t p = 0; p < positions; p++, to += 3 * PATCH) {
            const size_t left = (patch_column + p) * SIDE;
            if (channels != 3 || left + SIDE > width) {
                patch_row_at_edge(row, width, channels, left, SIDE, to);
                continue;
            }
            const colour_samples v = load_colours(row + 3 * left);
            store(to, centred(EVERY_THIRD(v, 0)));
            store(to + PATCH, centred(EVERY_THIRD(v, 1)));
            store(to + 2 * PATCH, centred(EVERY_THIRD(v, 2)));
        }
    }
}

INLINE uint8_t pixel_of(float v) {
    v = v == v ? v : 0.0f;
    v = v < 0.0f ? 0.0f : v;
    v = v > 255.0f ? 255.0f : v;
    return (uint8_t)(int32_t)((v + NCK_ROUND_MAGIC) - NCK_ROUND_MAGIC);
}

/* pixel_of, of sixteen values. */
INLINE samples pixels_of(vector v) {
    v = choose(v == v, v, splat(0.0f));
    v = choose(v < splat(0.0f), splat(0.0f), v);
    v = choose(v > splat(255.0f), splat(255.0f), v);
    const mask whole = __builtin_convertvector((v + splat(NCK_ROUND_MAGIC)) - splat(NCK_ROUND_MAGIC), mask);
    return __builtin_convertvector(whole, samples);
}

/* Pixels of a cell of 4 x 4, colour by colour; those beyond the picture's edges are left out. */
static void cell_at_edge(const float *sum, uint8_t *to, size_t stride, size_t columns, size_t rows, size_t channels) {
    for (size_t i = 0; i < rows; i++, to += stride)
        for (size_t j = 0; j < columns; j++) {
            const float *s = sum + 4 * i + j;
            if (channels == 1)
                to[j] = pixel_of(__builtin_elementwise_fma((s[0] + s[16]) + s[32], 85.0f, 127.5f));
            else
                for (size_t colour = 0; colour < 3; colour++) to[3 * j + colour] = pixel_of(__builtin_elementwise_fma(s[16 * colour], 255.0f, 127.5f));
        }
}

/* The same for a cell of three colours inside the picture. */
INLINE void whole_cell(const float *sum, uint8_t *to, size_t stride) {
    samples colour[3];
    for (int k = 0; k < 3; k++) colour[k] = pixels_of(fused(load(sum + NCK_LANES * k), splat(255.0f), splat(127.5f)));
    typedef uint8_t pair __attribute__((vector_size(2 * NCK_LANES)));
    const pair rg = __builtin_shufflevector(colour[0], colour[1], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                            13, 29, 14, 30, 15, 31);
    const pair b = __builtin_shufflevector(colour[2], colour[2], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
                                           -1, -1, -1, -1);
#define CELL_ROW(I)                                                                                                                                   \
    __builtin_shufflevector(rg, b, 8 * I, 8 * I + 1, 32 + 4 * I, 8 * I + 2, 8 * I + 3, 33 + 4 * I, 8 * I + 4, 8 * I + 5, 34 + 4 * I, 8 * I + 6, 8 * I + 7, \
                            35 + 4 * I, -1, -1, -1, -1)
    const samples rows[4] = {CELL_ROW(0), CELL_ROW(1), CELL_ROW(2), CELL_ROW(3)};
#undef CELL_ROW
    for (int i = 0; i < 4; i++) memcpy(to + (size_t)i * stride, &rows[i], 12);
}

static void pixels(const float *base, ptrdiff_t base_step, const float *detail, size_t cell_row, size_t cell_column, size_t positions, uint8_t *out, size_t stride,
                   size_t width, size_t height, size_t channels) {
    enum { SIDE = 4, CELL = 3 * SIDE * SIDE };
    const size_t top = cell_row * SIDE, rows = top + SIDE <= height ? SIDE : top < height ? height - top : 0;
    for (size_t cell = cell_column; cell < cell_column + positions && cell * SIDE < width; cell++, base += base_step, detail += CELL) {
        float sum[CELL];
        for (int k = 0; k < CELL; k += NCK_LANES) store(sum + k, load(base + k) + load(detail + k));
        const size_t left = cell * SIDE, columns = left + SIDE <= width ? SIDE : width - left;
        uint8_t *to = out + top * stride + left * channels;
        if (channels == 3 && rows == SIDE && columns == SIDE)
            whole_cell(sum, to, stride);
        else
            cell_at_edge(sum, to, stride, columns, rows, channels);
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

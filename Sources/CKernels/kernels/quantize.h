/* SPDX-License-Identifier: Apache-2.0 */
/* Entropy parameters, quantization and its inverse. */

/* The number of thresholds below v, by halving: 255 thresholds take eight comparisons. NaN gives 0. */
INLINE uint32_t count_below(const float *thresholds, float v) {
    uint32_t count = 0;
    for (uint32_t step = 128; step; step /= 2) count += thresholds[count + step - 1] < v ? step : 0;
    return count;
}

/*
 * Thresholds by cells of equal width, so that a value need not be compared with all. Whatever the rounding, a cell's number never falls as its value rises:
 * thresholds of lower cells are below a value, those of higher ones are not, and if a cell has one threshold at most, one comparison settles the count.
 */
enum { PARAMETER_CELLS = 512 };

typedef struct {
    float lowest, scale;
    uint8_t first[PARAMETER_CELLS]; /* thresholds in lower cells */
} threshold_cells;

/* NaN counts as the lowest value. */
INLINE uint32_t cell_of(const threshold_cells *cells, float v) {
    float x = (v - cells->lowest) * cells->scale;
    x = x > 0.0f ? x : 0.0f;
    return (uint32_t)(int32_t)(x < PARAMETER_CELLS - 1 ? x : PARAMETER_CELLS - 1);
}

/* 1, or 0 if a cell has several thresholds, or none of them is infinite. */
static int find_cells(const float *thresholds, threshold_cells *cells) {
    uint32_t count = 255;
    while (count && !(thresholds[count - 1] <= 0x1.fffffep127f)) count--;
    if (count == 255) return 0;
    cells->lowest = thresholds[0];
    cells->scale = count > 1 ? (PARAMETER_CELLS - 1) / (thresholds[count - 1] - thresholds[0]) : 0.0f;
    uint32_t next = 0;
    for (uint32_t i = 0; i < PARAMETER_CELLS; i++) {
        cells->first[i] = (uint8_t)next;
        const uint32_t first = next;
        while (next < count && cell_of(cells, thresholds[next]) == i) next++;
        if (next > first + 1) return 0;
    }
    return next == count;
}

static void parameters(const float *gain, const float *log_scale, const float *thresholds, size_t channels, const float *raw, float *mean, ptrdiff_t mean_step,
                       uint8_t *index, size_t positions) {
    threshold_cells cells;
    const int quick = positions * channels > 1024 && find_cells(thresholds, &cells); /* finding them takes as long as 200 values do */
    for (size_t p = 0; p < positions; p++, raw += 2 * channels, mean += mean_step, index += channels) {
        for (size_t c = 0; c < channels; c++) mean[c] = raw[c] * gain[c];
        if (!quick) {
            for (size_t c = 0; c < channels; c++) index[c] = (uint8_t)count_below(thresholds, raw[channels + c] + log_scale[c]);
            continue;
        }
        for (size_t c = 0; c < channels; c += NCK_LANES) {
            float v[NCK_LANES];
            uint32_t cell[NCK_LANES];
            for (int l = 0; l < NCK_LANES; l++) v[l] = raw[channels + c + (size_t)l] + log_scale[c + (size_t)l];
            for (int l = 0; l < NCK_LANES; l++) cell[l] = cell_of(&cells, v[l]);
            for (int l = 0; l < NCK_LANES; l++) {
                const uint32_t first = cells.first[cell[l]];
                index[c + (size_t)l] = (uint8_t)(first + (thresholds[first] < v[l] ? 1u : 0u));
            }
        }
    }
}

/* Round half to even after clamping to +-2^20; NaN becomes 0. */
INLINE float round_symbol(float v) {
    v = v == v ? v : 0.0f;
    v = v < -0x1p20f ? -0x1p20f : v;
    v = v > 0x1p20f ? 0x1p20f : v;
    return (v + NCK_ROUND_MAGIC) - NCK_ROUND_MAGIC;
}

static void quantize(const float *gain, size_t channels, const float *y, ptrdiff_t y_step, float *mean, ptrdiff_t mean_step, int32_t *symbols, size_t positions) {
    for (size_t p = 0; p < positions; p++, y += y_step, mean += mean_step, symbols += channels)
        for (size_t c = 0; c < channels; c++) {
            float symbol = round_symbol(y[c] * gain[c] - mean[c]);
            symbols[c] = (int32_t)symbol;
            mean[c] = symbol + mean[c];
        }
}

static void reconstruct(const int32_t *symbols, size_t channels, float *mean, ptrdiff_t mean_step, size_t positions) {
    for (size_t p = 0; p < positions; p++, mean += mean_step, symbols += channels)
        for (size_t c = 0; c < channels; c++) mean[c] = (float)symbols[c] + mean[c];
}

static void quantize_hyper(const float *median, size_t channels, const float *z, int32_t *symbols, size_t positions) {
    for (size_t p = 0; p < positions; p++, z += channels, symbols += channels)
        for (size_t c = 0; c < channels; c++) symbols[c] = (int32_t)round_symbol(z[c] - median[c]);
}

static void reconstruct_hyper(const float *median, size_t channels, const int32_t *symbols, float *z, size_t positions) {
    for (size_t p = 0; p < positions; p++, z += channels, symbols += channels)
        for (size_t c = 0; c < channels; c++) z[c] = (float)symbols[c] + median[c];
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Entropy parameters, quantization and its inverse. */

/* The number of thresholds below v, by halving: 255 thresholds take eight comparisons. NaN gives 0. */
INLINE uint32_t count_below(const float *thresholds, float v) {
    uint32_t count = 0;
    for (uint32_t step = 128; step; step /= 2) count += thresholds[count + step - 1] < v ? step : 0;
    return count;
}

static void parameters(const float *gain, const float *log_scale, const float *thresholds, size_t channels, const float *raw, float *mean, ptrdiff_t mean_step,
                       uint8_t *index, size_t positions) {
    for (size_t p = 0; p < positions; p++, raw += 2 * channels, mean += mean_step, index += channels) {
        for (size_t c = 0; c < channels; c++) mean[c] = raw[c] * gain[c];
        for (size_t c = 0; c < channels; c++) index[c] = (uint8_t)count_below(thresholds, raw[channels + c] + log_scale[c]);
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

/* SPDX-License-Identifier: Apache-2.0 */
/* Lattice quantization: change of basis and rounding. */

enum {
    LATTICE_DIMENSION = 64,
    LATTICE_SUMS = 168 * NCK_LANES // 168, 84, 56 or 42 positions of 1 to 4 blocks: multiples of the tiles of avx512.c
};

/* Element I of each record of N lanes, in all lanes of the record. */
#define SPREAD_2(X, I) __builtin_shufflevector(X, X, I, I, 2 + I, 2 + I, 4 + I, 4 + I, 6 + I, 6 + I, 8 + I, 8 + I, 10 + I, 10 + I, 12 + I, 12 + I, 14 + I, 14 + I)
#define SPREAD_4(X, I) __builtin_shufflevector(X, X, I, I, I, I, 4 + I, 4 + I, 4 + I, 4 + I, 8 + I, 8 + I, 8 + I, 8 + I, 12 + I, 12 + I, 12 + I, 12 + I)
#define SPREAD_8(X, I) __builtin_shufflevector(X, X, I, I, I, I, I, I, I, I, 8 + I, 8 + I, 8 + I, 8 + I, 8 + I, 8 + I, 8 + I, 8 + I)

/* Vectors of 2, 4 or 8 without gaps, as many as fill registers; returns how many that is. Few dimensions waste no lanes this way. n is a constant at every call. */
INLINE size_t lattice_records(const int n, const float *matrix, const float *in, float *out, size_t count) {
    const size_t together = NCK_LANES / (size_t)n;
    vector row[8]; // each row of the matrix for all records of a register
    for (int i = 0; i < n; i++)
        for (int lane = 0; lane < NCK_LANES; lane++) row[i][lane] = matrix[i * n + lane % n];
    size_t v = 0;
    for (; v + together <= count; v += together, in += NCK_LANES, out += NCK_LANES) {
        const vector x = load(in);
        vector sum = splat(0.0f);
        if (n == 2) {
            sum = fused(SPREAD_2(x, 0), row[0], sum);
            sum = fused(SPREAD_2(x, 1), row[1], sum);
        } else if (n == 4) {
            sum = fused(SPREAD_4(x, 0), row[0], sum);
            sum = fused(SPREAD_4(x, 1), row[1], sum);
            sum = fused(SPREAD_4(x, 2), row[2], sum);
            sum = fused(SPREAD_4(x, 3), row[3], sum);
        } else {
            sum = fused(SPREAD_8(x, 0), row[0], sum);
            sum = fused(SPREAD_8(x, 1), row[1], sum);
            sum = fused(SPREAD_8(x, 2), row[2], sum);
            sum = fused(SPREAD_8(x, 3), row[3], sum);
            sum = fused(SPREAD_8(x, 4), row[4], sum);
            sum = fused(SPREAD_8(x, 5), row[5], sum);
            sum = fused(SPREAD_8(x, 6), row[6], sum);
            sum = fused(SPREAD_8(x, 7), row[7], sum);
        }
        store(out, sum);
    }
    return v;
}

/* Any dimension: the matrix, filled up with zero columns, is a pointwise convolution's weights. */
static void lattice_product(const float *matrix, size_t n, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t count) {
    float weights[LATTICE_DIMENSION * LATTICE_DIMENSION], sums[LATTICE_SUMS];
    static const float zeros[LATTICE_DIMENSION];
    static const ptrdiff_t here[1];
    const size_t columns = (n + NCK_LANES - 1) / NCK_LANES * NCK_LANES, chunk = LATTICE_SUMS / columns;
    for (size_t j = 0; j < columns; j++)
        for (size_t i = 0; i < n; i++) weights[(j / NCK_LANES * n + i) * NCK_LANES + j % NCK_LANES] = j < n ? matrix[i * n + j] : 0.0f;
    const nck_convolution product = {weights, zeros, here, NULL, 1, n, columns};
    for (size_t v = 0; v < count; v += chunk) {
        const size_t some = count - v < chunk ? count - v : chunk;
        convolve(&product, in, in_step, sums, (ptrdiff_t)columns, some, (nck_epilogue){0});
        for (size_t k = 0; k < some; k++) {
            float *to = out + (ptrdiff_t)k * out_step;
            const float *sum = sums + k * columns;
            if (n < NCK_LANES) {
                memcpy(to, sum, n * sizeof *to);
                continue;
            }
            for (size_t j = 0; j + NCK_LANES <= n; j += NCK_LANES) store(to + j, load(sum + j));
            store(to + n - NCK_LANES, load(sum + n - NCK_LANES)); // the rest, with some again
        }
        in += (ptrdiff_t)chunk * in_step, out += (ptrdiff_t)chunk * out_step;
    }
}

static void lattice_transform(const float *matrix, size_t n, const float *in, ptrdiff_t in_step, float *out, ptrdiff_t out_step, size_t count) {
    size_t done = 0;
    if (in_step == (ptrdiff_t)n && out_step == (ptrdiff_t)n) {
        if (n == 2) done = lattice_records(2, matrix, in, out, count);
        if (n == 4) done = lattice_records(4, matrix, in, out, count);
        if (n == 8) done = lattice_records(8, matrix, in, out, count);
    }
    if (done < count) lattice_product(matrix, n, in + (ptrdiff_t)done * in_step, in_step, out + (ptrdiff_t)done * out_step, out_step, count - done);
}

static void babai_round(size_t n, const float *in, ptrdiff_t in_step, int32_t *indices, float *rounded, ptrdiff_t rounded_step, size_t count) {
    if (in_step == (ptrdiff_t)n && rounded_step == (ptrdiff_t)n) n *= count, count = 1; // one long row
    for (size_t v = 0; v < count; v++, in += in_step, rounded += rounded_step, indices += n)
        for (size_t i = 0; i < n; i++) {
            float index = round_symbol(in[i]);
            indices[i] = (int32_t)index;
            rounded[i] = index;
        }
}

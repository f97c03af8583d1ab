/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nearest of any codewords c: the least |c|^2 / 2 - x.c, which orders them as |x - c|^2 does. Vectors of lanes run across codewords, so that any number of
 * dimensions fills them. The codebook is read once for a group of vectors, in parts that stay in the first-level cache while tile after tile of the group meets them.
 */

#if TILE_ROWS_4
enum { CODEBOOK_ROWS = TILE_ROWS_4, CODEBOOK_BLOCKS = 4 };
#else
enum { CODEBOOK_ROWS = TILE_ROWS_1, CODEBOOK_BLOCKS = 1 };
#endif
enum { CODEBOOK_GROUP = 48, CODEBOOK_SMALL_GROUP = 12, CODEBOOK_SMALL_FROM = 128, CODEBOOK_PART = 16384 /* bytes */ };
static_assert(CODEBOOK_GROUP % CODEBOOK_ROWS == 0 && CODEBOOK_SMALL_GROUP % CODEBOOK_ROWS == 0 && CODEBOOK_GROUP % NCK_LANES == 0);

/* A group's vectors, negated, and for each and every lane the best of the codewords of that lane so far: its criterion and its block. */
typedef struct {
    float minus_x[CODEBOOK_GROUP * CODEBOOK_SMALL_FROM];
    vector least[CODEBOOK_GROUP];
    mask block[CODEBOOK_GROUP];
} codebook_group;
static_assert(CODEBOOK_SMALL_GROUP * NCK_CODEBOOK_DIMENSION <= CODEBOOK_GROUP * CODEBOOK_SMALL_FROM);

/* CODEBOOK_ROWS vectors from the group's `first` against `blocks` of 16 codewords. Each sum starts from |c|^2 / 2 and takes the coordinates in ascending order. */
INLINE void codebook_tile(const int blocks, const float *packed, size_t n, int32_t block, codebook_group *group, size_t first) {
    vector sum[CODEBOOK_ROWS * blocks];
    const float *minus_x = group->minus_x + first * n;
    const size_t stride = (n + 1) * NCK_LANES;
#pragma clang loop unroll(full)
    for (int b = 0; b < blocks; b++) {
        const vector half = load(packed + (size_t)b * stride);
#pragma clang loop unroll(full)
        for (int m = 0; m < CODEBOOK_ROWS; m++) sum[m * blocks + b] = half;
    }
    for (size_t i = 0; i < n; i++) {
        vector codewords[blocks];
        packed += NCK_LANES;
#pragma clang loop unroll(full)
        for (int b = 0; b < blocks; b++) codewords[b] = load(packed + (size_t)b * stride);
#pragma clang loop unroll(full)
        for (int m = 0; m < CODEBOOK_ROWS; m++) {
            const vector value = splat(minus_x[(size_t)m * n + i]);
#pragma clang loop unroll(full)
            for (int b = 0; b < blocks; b++) sum[m * blocks + b] = fused(value, codewords[b], sum[m * blocks + b]);
        }
    }
#pragma clang loop unroll(full)
    for (int m = 0; m < CODEBOOK_ROWS; m++) {
        vector least = group->least[first + (size_t)m], where = (vector)group->block[first + (size_t)m];
#pragma clang loop unroll(full)
        for (int b = 0; b < blocks; b++) {
            const mask nearer = sum[m * blocks + b] < least;
            least = choose(nearer, sum[m * blocks + b], least);
            where = choose(nearer, (vector)((mask){} + (block + b)), where);
        }
        group->least[first + (size_t)m] = least;
        group->block[first + (size_t)m] = (mask)where;
    }
}

static void codebook_tiles(const float *packed, size_t n, size_t block, size_t blocks, codebook_group *group, size_t size) {
    const size_t stride = (n + 1) * NCK_LANES;
    for (size_t first = 0; first < size; first += CODEBOOK_ROWS) {
        size_t b = block;
        for (; b + CODEBOOK_BLOCKS <= block + blocks; b += CODEBOOK_BLOCKS) codebook_tile(CODEBOOK_BLOCKS, packed + b * stride, n, (int32_t)b, group, first);
        for (; b < block + blocks; b++) codebook_tile(1, packed + b * stride, n, (int32_t)b, group, first);
    }
}

/* The best of the sixteen lanes of sixteen vectors; of equal ones the lower index. */
INLINE mask codebook_winners(const vector *least, const mask *block) {
    vector distance[NCK_LANES], where[NCK_LANES];
#pragma clang loop unroll(full)
    for (int k = 0; k < NCK_LANES; k++) distance[k] = least[k], where[k] = (vector)block[k];
    transpose(distance);
    transpose(where);
    vector best = distance[0];
    mask index = (mask)where[0] * NCK_LANES;
#pragma clang loop unroll(full)
    for (int lane = 1; lane < NCK_LANES; lane++) {
        const mask other = (mask)where[lane] * NCK_LANES + lane, better = (distance[lane] < best) | ((distance[lane] == best) & (other < index));
        best = choose(better, distance[lane], best);
        index = (mask)choose(better, (vector)other, (vector)index);
    }
    return index;
}

INLINE float codebook_value(float v) {
    v = v == v ? v : 0.0f;
    v = v < -NCK_CODEBOOK_BOUND ? -NCK_CODEBOOK_BOUND : v;
    return v > NCK_CODEBOOK_BOUND ? NCK_CODEBOOK_BOUND : v;
}

static void codebook(const nck_codebook *codebook, const float *in, int32_t *indices, float *points, float *distances, size_t count) {
    const size_t n = codebook->n, most = n <= CODEBOOK_SMALL_FROM ? CODEBOOK_GROUP : CODEBOOK_SMALL_GROUP;
    const size_t blocks = (codebook->codewords + NCK_LANES - 1) / NCK_LANES;
    const size_t fitting = CODEBOOK_PART / ((n + 1) * sizeof(vector)), part = fitting < CODEBOOK_BLOCKS ? CODEBOOK_BLOCKS : fitting / CODEBOOK_BLOCKS * CODEBOOK_BLOCKS;
    codebook_group group;
    for (size_t done = 0; done < count; done += most) {
        const size_t some = count - done < most ? count - done : most, size = (some + CODEBOOK_ROWS - 1) / CODEBOOK_ROWS * CODEBOOK_ROWS;
        for (size_t i = 0; i < some * n; i++) group.minus_x[i] = -codebook_value(in[done * n + i]);
        memset(group.minus_x + some * n, 0, (size - some) * n * sizeof *group.minus_x);
        for (size_t v = 0; v < CODEBOOK_GROUP; v++) group.least[v] = splat(__builtin_inff()), group.block[v] = (mask){};
        for (size_t b = 0; b < blocks; b += part) codebook_tiles(codebook->packed, n, b, blocks - b < part ? blocks - b : part, &group, size);
        int32_t winners[CODEBOOK_GROUP];
        for (size_t v = 0; v < some; v += NCK_LANES) {
            const mask index = codebook_winners(group.least + v, group.block + v);
            memcpy(winners + v, &index, sizeof index);
        }
        if (indices) memcpy(indices + done, winners, some * sizeof *winners);
        for (size_t v = 0; v < some && (points || distances); v++) {
            const float *c = codebook->rows + (size_t)winners[v] * n, *minus_x = group.minus_x + v * n;
            if (distances) {
                float sum = 0.0f;
                for (size_t i = 0; i < n; i++) sum = __builtin_elementwise_fma(c[i] + minus_x[i], c[i] + minus_x[i], sum);
                distances[done + v] = sum;
            }
            if (points) memcpy(points + (done + v) * n, c, n * sizeof *c);
        }
    }
}

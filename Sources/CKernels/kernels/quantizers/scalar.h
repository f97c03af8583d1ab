/* SPDX-License-Identifier: Apache-2.0 */
/* Uniform scalar quantization with a dead zone; without offset and dead zone, the lattice Z^n. */

INLINE vector scalar_index(const nck_scalar q, vector x) {
    const vector t = bounded((x - splat(q.offset)) / splat(q.step));
    return choose(absolute(t) <= splat(q.dead_zone), splat(0.0f), rounded(t));
}

INLINE vector scalar_point(const nck_scalar q, vector index) { return index * splat(q.step) + splat(q.offset); }

static void scalar(const nck_scalar *quantizer, const float *in, float *points, int32_t *indices, size_t count) {
    const nck_scalar q = *quantizer;
    const size_t rest = count % NCK_LANES, whole = count - rest;
    for (size_t i = 0; i < whole; i += NCK_LANES) {
        const vector index = scalar_index(q, load(in + i));
        const mask integer = __builtin_convertvector(index, mask);
        if (points) store(points + i, scalar_point(q, index));
        if (indices) memcpy(indices + i, &integer, sizeof integer);
    }
    if (!rest) return;
    const vector index = scalar_index(q, load_first(in + whole, rest, 0.0f));
    const mask integer = __builtin_convertvector(index, mask);
    if (points) store_first(points + whole, scalar_point(q, index), rest);
    if (indices) memcpy(indices + whole, &integer, rest * sizeof *indices);
}

static void scalar_points(const nck_scalar *quantizer, const int32_t *indices, float *points, size_t count) {
    const nck_scalar q = *quantizer;
    for (size_t i = 0; i < count; i += NCK_LANES) {
        const size_t some = count - i < NCK_LANES ? count - i : NCK_LANES;
        mask index = {0};
        if (some == NCK_LANES) { // a size known to the compiler
            memcpy(&index, indices + i, sizeof index);
            store(points + i, scalar_point(q, __builtin_convertvector(index, vector)));
        } else {
            memcpy(&index, indices + i, some * sizeof *indices);
            store_first(points + i, scalar_point(q, __builtin_convertvector(index, vector)), some);
        }
    }
}

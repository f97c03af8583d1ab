/* SPDX-License-Identifier: Apache-2.0 */
/* Attention within windows. Both of its products are pointwise convolutions of packed operands, so the convolution's tiles compute them. */

INLINE size_t whole_lanes(size_t count) { return (count + NCK_LANES - 1) / NCK_LANES * NCK_LANES; }

/* Sixteen channels of a token, or the fewer that the head has left; the others are zero. */
INLINE vector load_channels(const float *p, size_t left) { return left < NCK_LANES ? load_first(p, left, 0.0f) : load(p); }

/* The keys as weights: [16 keys][channel][16], missing keys zero. */
static void pack_keys(const nck_attention *a, const float *keys, const uint16_t *members, size_t count, float *out) {
    for (size_t block = 0; block < count; block += NCK_LANES)
        for (size_t c = 0; c < a->channels; c += NCK_LANES) {
            vector v[NCK_LANES];
            const size_t left = a->channels - c;
#pragma clang loop unroll(full)
            for (size_t l = 0; l < NCK_LANES; l++)
                v[l] = block + l < count ? load_channels(keys + a->in_offsets[members[block + l]] + c, left) : splat(0.0f);
            deinterleave(NCK_LANES, v);
#pragma clang loop unroll(full)
            for (size_t l = 0; l < NCK_LANES; l++)
                if (l < left) store(out + l * NCK_LANES, v[l]);
            out += (left < NCK_LANES ? left : NCK_LANES) * NCK_LANES;
        }
}

/* The values as weights: [16 channels][token][16], missing channels zero. */
static void pack_values(const nck_attention *a, const float *values, const uint16_t *members, size_t count, float *out) {
    for (size_t c = 0; c < a->channels; c += NCK_LANES)
        for (size_t s = 0; s < count; s++, out += NCK_LANES) store(out, load_channels(values + a->in_offsets[members[s]] + c, a->channels - c));
}

/* Attention of some of the window's tokens, in ascending order, to each other. */
static void attend(const nck_attention *a, const float *qkv, float *out, float *scratch, const uint16_t *members, size_t count) {
    static const float zeros[NCK_MOST_TOKENS > NCK_MOST_HEAD_CHANNELS ? NCK_MOST_TOKENS : NCK_MOST_HEAD_CHANNELS];
    static const ptrdiff_t here[1];
    const size_t keys = whole_lanes(count), columns = whole_lanes(a->channels);
    float *queries = scratch, *scores = queries + count * columns, *k = scores + count * keys, *v = k + keys * columns, *gathered = v + count * columns;
    for (size_t t = 0; t < count; t++) {
        const float *query = qkv + a->in_offsets[members[t]];
        for (size_t c = 0; c < a->channels; c++) queries[t * columns + c] = query[c] * a->scale;
    }
    pack_keys(a, qkv + a->k_offset, members, count, k);
    pack_values(a, qkv + a->v_offset, members, count, v);

    nck_epilogue plus_bias = {a->bias, (ptrdiff_t)a->tokens, NCK_ADD_BEFORE, {NCK_IDENTITY, 0}};
    if (a->bias && (count != a->tokens || count % NCK_LANES)) { // some of its rows and columns, or rows that do not fill vectors
        for (size_t t = 0; t < count; t++)
            for (size_t s = 0; s < keys; s++) gathered[t * keys + s] = s < count ? a->bias[members[t] * a->tokens + members[s]] : 0.0f;
        plus_bias.operand = gathered, plus_bias.operand_step = (ptrdiff_t)keys;
    }
    convolve(&(nck_convolution){k, zeros, here, NULL, 1, a->channels, keys}, queries, (ptrdiff_t)columns, scores, (ptrdiff_t)keys, count, plus_bias);
    float sums[NCK_MOST_TOKENS];
    for (size_t t = 0; t < count; t++) sums[t] = exponentials(1, count, scores + t * keys, scores + t * keys);

    float *products = queries; // which have served
    convolve(&(nck_convolution){v, zeros, here, NULL, 1, count, columns}, scores, (ptrdiff_t)keys, products, (ptrdiff_t)columns, count, (nck_epilogue){0});
    for (size_t t = 0; t < count; t++) {
        float *to = out + a->out_offsets[members[t]];
        for (size_t c = 0; c < a->channels; c += NCK_LANES) {
            const vector result = load(products + t * columns + c) / splat(sums[t]);
            if (a->channels - c < NCK_LANES)
                store_first(to + c, result, a->channels - c);
            else
                store(to + c, result);
        }
    }
}

/* Regions do not see each other, so each is a window of its own: no masked key enters any sum. */
static void attention(const nck_attention *a, const float *qkv, float *out, float *scratch) {
    uint16_t members[NCK_MOST_TOKENS];
    size_t count = 0;
    if (!a->region) {
        for (; count < a->tokens; count++) members[count] = (uint16_t)count;
        return attend(a, qkv, out, scratch, members, count);
    }
    uint8_t done[256] = {0};
    for (size_t first = 0; first < a->tokens; first++) {
        if (done[a->region[first]]) continue;
        done[a->region[first]] = 1;
        count = 0;
        for (size_t t = first; t < a->tokens; t++)
            if (a->region[t] == a->region[first]) members[count++] = (uint16_t)t;
        attend(a, qkv, out, scratch, members, count);
    }
}

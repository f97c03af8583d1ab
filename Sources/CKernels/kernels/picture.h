/* SPDX-License-Identifier: Apache-2.0 */
/* Between pixels and feature maps, for samples of 8 and of 16 bits. */

/* Sixteen values, clamped to 0...top (NaN: 0) and rounded, and one. */
INLINE mask whole_of(vector v, float top) {
    v = choose(v == v, v, splat(0.0f));
    v = choose(v < splat(0.0f), splat(0.0f), v);
    v = choose(v > splat(top), splat(top), v);
    return __builtin_convertvector((v + splat(NCK_ROUND_MAGIC)) - splat(NCK_ROUND_MAGIC), mask);
}

INLINE int32_t whole_number(float v, float top) {
    v = v == v ? v : 0.0f;
    v = v < 0.0f ? 0.0f : v;
    v = v > top ? top : v;
    return (int32_t)((v + NCK_ROUND_MAGIC) - NCK_ROUND_MAGIC);
}

/* Pixels have 1 channel (gray), 2 (gray, alpha), 3 (colours) or 4 (colours, alpha); alpha is neither read nor written. */
INLINE size_t colours_of(size_t channels) { return channels < 3 ? 1 : 3; }

#define EVERY_THIRD(V, I)                                                                                                          \
    __builtin_shufflevector(V, V, I, I + 3, I + 6, I + 9, I + 12, I + 15, I + 18, I + 21, I + 24, I + 27, I + 30, I + 33, I + 36, I + 39, I + 42, \
                            I + 45)
#define EVERY_FOURTH(V, I)                                                                                                          \
    __builtin_shufflevector(V, V, I, I + 4, I + 8, I + 12, I + 16, I + 20, I + 24, I + 28, I + 32, I + 36, I + 40, I + 44, I + 48, I + 52, I + 56, \
                            I + 60)

#define SAMPLE uint8_t
#define SIZED(NAME) NAME
#define UNIT 0x1.010102p-8f /* 1 / 255 */
#define FULL 255.0f
#include "picture_samples.h"
#undef SAMPLE
#undef SIZED
#undef UNIT
#undef FULL

#define SAMPLE uint16_t
#define SIZED(NAME) NAME##_16
#define UNIT 0x1.0001p-16f /* 1 / 65535 */
#define FULL 65535.0f
#include "picture_samples.h"
#undef SAMPLE
#undef SIZED
#undef UNIT
#undef FULL

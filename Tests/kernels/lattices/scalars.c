// SPDX-License-Identifier: Apache-2.0
// The scalar quantizer against its formula, in the C library's own rounding.
#include "lattices.h"
#include <math.h>
#include <string.h>

enum { COUNT = 1003 };

static float expected_index(nck_scalar q, float x) {
    float t = (x - q.offset) / q.step;
    if (t != t) t = 0;
    t = fmaxf(-0x1p20f, fminf(0x1p20f, t));
    return fabsf(t) <= q.dead_zone ? 0 : rintf(t);
}

static void check_one(nck_scalar q, float size) {
    static float in[COUNT], points[COUNT], again[COUNT];
    static int32_t indices[COUNT], repeated[COUNT];
    fill(in, COUNT, -size, size);
    for (size_t i = 0; i < COUNT / 2; i++) in[i] = roundf(2 * in[i]) / 2 * q.step + q.offset;
    in[5] = NAN, in[6] = INFINITY, in[7] = -INFINITY, in[8] = 3e38f, in[9] = -0.0f, in[10] = q.offset;
    quantizers->scalar(&q, in, points, indices, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const float index = expected_index(q, in[i]);
        volatile float product = index * q.step; // rounded, whatever the compiler would fuse
        const float point = product + q.offset;
        CHECK(indices[i] == (int32_t)index && points[i] == point, "scalar: %g became %d and %g, not %g and %g", in[i], indices[i], points[i], index, point);
    }
    quantizers->scalar_points(&q, indices, again, COUNT);
    CHECK(memcmp(points, again, sizeof points) == 0, "scalar: dequantized points differ");
    quantizers->scalar(&q, in, NULL, repeated, COUNT);
    CHECK(memcmp(indices, repeated, sizeof indices) == 0, "scalar: indices alone differ");
    quantizers->scalar(&q, in, in, NULL, COUNT);
    CHECK(memcmp(points, in, sizeof points) == 0, "scalar: points alone, in place, differ");
}

void check_scalar(void) {
    const float steps[] = {1, 0.1f, 3, 0x1p-20f}, offsets[] = {0, 0.3f, -2}, zones[] = {0, 0.5f, 0.6f, 1, 2.5f, INFINITY};
    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++)
        for (size_t o = 0; o < sizeof offsets / sizeof *offsets; o++)
            for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) check_one((nck_scalar){steps[s], offsets[o], zones[z]}, s == 3 ? 1 : 20);
}

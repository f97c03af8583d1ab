// SPDX-License-Identifier: Apache-2.0
// The stated sides of ties: earlier cosets, lower indices, and up where there is no error.
#include "lattices.h"
#include <string.h>

static void expect(lattice l, const float *x, const float *p) {
    float point[MOST];
    quantizers->nearest(l.kind, l.n, 1.0f, x, point, NULL, 1);
    CHECK(memcmp(point, p, l.n * sizeof *p) == 0, "%s: (%g, %g, %g ...) became (%g, %g, %g ...)", name_of(l), x[0], x[1], x[2], point[0], point[1], point[2]);
}

void check_ties(void) {
    const lattice z = {NCK_LATTICE_ZN, 4}, d = {NCK_LATTICE_DN, 4}, d9 = {NCK_LATTICE_DN, 9}, e = {NCK_LATTICE_E8, 8}, w = {NCK_LATTICE_BW16, 16};
    expect(z, (float[]){0.5f, 1.5f, -0.5f, -1.5f}, (float[]){0, 2, 0, -2});
    expect(d, (float[]){1, 0, 0, 0}, (float[]){2, 0, 0, 0});
    expect(d, (float[]){0, 1, 0, 0}, (float[]){1, 1, 0, 0});
    expect(d, (float[]){-0.0f, 1, 0, 0}, (float[]){1, 1, 0, 0});
    expect(d, (float[]){0, -1, 0.25f, -0.25f}, (float[]){0, -1, 1, 0});
    expect(d, (float[]){0, -1, -0.25f, 0.25f}, (float[]){0, -1, -1, 0});
    expect(d, (float[]){0.5f, 0.5f, 0.5f, 0.5f}, (float[]){0, 0, 0, 0});
    expect(d, (float[]){1.5f, 0.5f, 0.5f, 1}, (float[]){1, 0, 0, 1});
    expect(d9, (float[9]){0, 0, 1}, (float[9]){1, 0, 1});
    expect(e, (float[8]){1}, (float[8]){2});
    expect(e, (float[8]){0.5f, 0.5f}, (float[8]){0});                 // D8 first: both are 1/2 away
    expect(e, (float[8]){0.5f, 0.5f, 0.5f, 0.5f}, (float[8]){0}); // both are 1 away
    expect(e, (float[]){0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0}, (float[]){0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f});
    expect(e, (float[]){0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, -0.5f, 0}, (float[]){0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, -0.5f, -0.5f});
    expect(e, (float[]){0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, -0.5f}, (float[]){1.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, -0.5f});
    expect(e, (float[]){1.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f}, (float[]){2.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f});
    expect(w, (float[16]){2}, (float[16]){4});
    expect(w, (float[16]){0, 0, 0, 0, 0, 2}, (float[16]){2, 0, 0, 0, 0, 2});
    expect(w, (float[16]){1}, (float[16]){0});
    expect(w, (float[16]){1, 1, 1, 1}, (float[16]){0}); // 4 away from it, and from words of eight ones
    expect(w, (float[]){1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3}, (float[]){3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3});
    expect(w, (float[]){1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1}, (float[]){3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1});
}

// SPDX-License-Identifier: Apache-2.0
// Bases and volumes of the classical lattices: the same code on every path.
#include "strict.h"
#include "kernels/vector.h"
#include "kernels/quantizers/leech_basis.h"
#include "kernels/quantizers/root_a_frame.h"

int nck_lattice_exists(nck_lattice kind, size_t n) {
    switch (kind) {
    case NCK_LATTICE_ZN:
    case NCK_LATTICE_AN:
    case NCK_LATTICE_DN: return n >= 1 && n <= NCK_MOST_LATTICE_DIMENSIONS;
    case NCK_LATTICE_E8: return n == 8;
    case NCK_LATTICE_BW16: return n == 16;
    case NCK_LATTICE_LEECH: return n == 24;
    default: return 0;
    }
}

// Row i has `own` at i and `first` at 0.
static void set_row(float *basis, size_t n, size_t i, float own, float first) {
    basis[i * n] = first;
    basis[i * n + i] = own;
}

static void barnes_wall_basis(float *basis) {
    static const size_t words[] = {7, 11, 13, 14, 15};
    set_row(basis, 16, 0, 4.0f, 4.0f);
    for (size_t i = 1; i < 15; i++) set_row(basis, 16, i, 2.0f, 2.0f);
    for (size_t k = 0; k < 5; k++) // 15 - 2^b: the coordinates without bit b
        for (size_t i = 0; i < 16; i++) basis[words[k] * 16 + i] = ((15 - words[k]) & i) == 0 ? 1.0f : 0.0f;
}

void nck_lattice_basis(nck_lattice kind, size_t n, float *basis) {
    for (size_t i = 0; i < n * n; i++) basis[i] = 0.0f;
    if (kind == NCK_LATTICE_ZN)
        for (size_t i = 0; i < n; i++) basis[i * n + i] = 1.0f;
    if (kind == NCK_LATTICE_AN) {
        root_a_frame frame;
        root_a_make(&frame, n);
        for (size_t k = 1; k <= n; k++) {
            basis[(k - 1) * n + k - 1] = frame.grown[k];
            if (k > 1) basis[(k - 1) * n + k - 2] = -frame.wide[k - 1];
        }
    }
    if (kind == NCK_LATTICE_DN || kind == NCK_LATTICE_E8) {
        set_row(basis, n, 0, 2.0f, 2.0f);
        for (size_t i = 1; i < n; i++) set_row(basis, n, i, 1.0f, 1.0f);
    }
    if (kind == NCK_LATTICE_E8)
        for (size_t i = 0; i < 8; i++) basis[7 * 8 + i] = 0.5f;
    if (kind == NCK_LATTICE_BW16) barnes_wall_basis(basis);
    if (kind == NCK_LATTICE_LEECH)
        for (size_t i = 0; i < 24 * 24; i++) basis[i] = leech_basis[i / 24][i % 24];
}

double nck_lattice_volume(nck_lattice kind, size_t n) {
    switch (kind) {
    case NCK_LATTICE_AN: return __builtin_elementwise_sqrt((double)n + 1.0);
    case NCK_LATTICE_DN: return 2.0;
    case NCK_LATTICE_BW16: return 0x1p12;
    case NCK_LATTICE_LEECH: return 0x1p36;
    default: return 1.0;
    }
}

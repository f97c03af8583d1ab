/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closest points of lattices and codebooks, for vectors of binary32 values that follow one another without gaps. Included by CKernels.h.
 *
 * Common to the classical lattices: t = x / scale, rounded once; NaN and -0 count as 0 and |t| is clamped to 2^20; p is the lattice point closest to t in the
 * Euclidean distance as the stated binary32 operations compute it, a tie going to a stated side; points = p * scale, rounded once. p has small integer or
 * half-integer entries (or, for A_n, is u B), so dequantizing the coordinates gives the same bits. Coordinates are the integers u with p = u B for the lattice's
 * basis B, whose rows span it (nck_lattice_basis). `points` or `coordinates` may be null; `points` may be `in`. A scale is finite and positive.
 */
#ifndef CQUANTIZERS_H
#define CQUANTIZERS_H

#include <stddef.h>
#include <stdint.h>
#include "CCodebook.h"

/* Ties between cosets go to the earlier one, between coordinates to the lower index; a coordinate with no error that has to move for the parity goes up. */
typedef enum nck_lattice {
    NCK_LATTICE_ZN,    /* all integer vectors; n in 1...64, as for the next two */
    NCK_LATTICE_AN,    /* integer vectors of n + 1 coordinates with sum zero, in an orthonormal frame of their hyperplane: kernels/quantizers/root_a.h */
    NCK_LATTICE_DN,    /* integer vectors with an even sum */
    NCK_LATTICE_E8,    /* D8 and D8 + 1/2; n = 8 */
    NCK_LATTICE_BW16,  /* Barnes-Wall: integer, modulo 2 a word of the Reed-Muller code RM(1,4), sum divisible by 4 (minimal norm 8); n = 16 */
    NCK_LATTICE_LEECH, /* integer, minimal norm 32; n = 24; definition, order of ties: kernels/quantizers/leech.h */
    NCK_LATTICES       /* their number */
} nck_lattice;

enum { NCK_MOST_LATTICE_DIMENSIONS = 64 };

/* 1 if there is such a lattice in n dimensions; the other functions expect one. Same code on every path. */
int nck_lattice_exists(nck_lattice kind, size_t n);
/* The rows of B, n * n values, lower triangular. Same code on every path. */
void nck_lattice_basis(nck_lattice kind, size_t n, float *basis);
/* |det B|, the volume of a cell; multiply by scale^n. Same code on every path. */
double nck_lattice_volume(nck_lattice kind, size_t n);

/* A uniform scalar quantizer. */
typedef struct nck_scalar {
    float step, offset;  /* the point of index i is i * step + offset, product then sum */
    float dead_zone;     /* the zero cell ends at this many steps from the offset, included; up to 1/2: no dead zone */
} nck_scalar;

typedef struct nck_quantizers {
    /* t = (x - offset) / step; NaN counts as 0 and |t| is clamped to 2^20; index = 0 if |t| <= dead_zone, else t rounded, halves to even;
     * points = index * step + offset, product then sum. `points` or `indices` may be null; `points` may be `in`. */
    void (*scalar)(const nck_scalar *quantizer, const float *in, float *points, int32_t *indices, size_t count);

    /* The points of indices. */
    void (*scalar_points)(const nck_scalar *quantizer, const int32_t *indices, float *points, size_t count);

    /* The closest points of `count` vectors of n values, and their coordinates. */
    void (*nearest)(nck_lattice kind, size_t n, float scale, const float *in, float *points, int32_t *coordinates, size_t count);

    /* The points of coordinates: u B * scale. u B is computed in integers modulo 2^32, which is exact for all coordinates that `nearest` gives (for A_n:
     * p[i] = fma(u[i+1], B[i+1][i], u[i] * B[i][i])). */
    void (*lattice_points)(nck_lattice kind, size_t n, float scale, const int32_t *coordinates, float *points, size_t count);

    /* The nearest codeword c of `count` vectors x: the least |c|^2 / 2 - x.c, as packed and then fma(-x[i], c[i], sum) over ascending coordinates; of equal ones
     * the lower index. NaN counts as 0 and |x| is clamped to NCK_CODEBOOK_BOUND. points are the codewords; distances are squared, fma(x[i] - c[i], x[i] - c[i], sum)
     * over ascending coordinates from +0. Any of the three may be null; `points` may be `in`. */
    void (*codebook)(const nck_codebook *codebook, const float *in, int32_t *indices, float *points, float *distances, size_t count);
} nck_quantizers;

#endif

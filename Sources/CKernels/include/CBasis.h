/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantization on a lattice given by any basis: the rows of B span it, a point is u B with integer coordinates u. Scalar code in strict binary64, the same on
 * every path, so that an encoder's choice is the same everywhere. Nothing is allocated. Included by CKernels.h.
 *
 * What a model's files depend on is the kernels' Babai rounding (lattice_transform with `inverse`, babai_round, lattice_transform with `rows`); nearest plane and
 * the exact search are an encoder's better choices of u for the same decoder.
 */
#ifndef CBASIS_H
#define CBASIS_H

#include <stddef.h>
#include <stdint.h>

enum { NCK_BASIS_DIMENSION = 64 };

typedef enum nck_basis_status {
    NCK_BASIS_PREPARED = 0,
    NCK_BASIS_BAD_DIMENSION,    /* not in 1...64 */
    NCK_BASIS_NOT_FINITE,       /* an entry is NaN or infinite */
    NCK_BASIS_SINGULAR,         /* a row is in the span of those before it, but for what the rounding of binary32 entries can account for (2^-23 of its length) */
    NCK_BASIS_ILL_CONDITIONED,  /* singular values more than 2^20 apart */
    NCK_BASIS_OUT_OF_RANGE      /* a singular value outside 2^-100...2^100 */
} nck_basis_status;

/* B = triangle * axes: the Gram-Schmidt process, axes orthonormal rows, triangle lower with a positive diagonal. */
typedef struct nck_frame {
    const double *rows;         /* B */
    const double *triangle;
    const double *axes_across;  /* axes transposed: the k-th row holds the k-th coordinate of every axis */
} nck_frame;

/* A prepared basis. It points into the memory that was given for it, which stays where it is; any number of threads may use it at once. */
typedef struct nck_basis {
    size_t n;
    double volume;              /* |det B|, infinite or 0 where binary64 does not reach */
    double side;                /* volume^(1/n), always finite */
    double defect;              /* orthogonality defect: product of the rows' lengths / volume; 1 for orthogonal rows */
    double reduced_defect;      /* the same of the reduced basis */
    double condition;           /* the greatest singular value of B / the smallest */
    double reach;               /* no coordinate of x B^-1 exceeds 2^20 where no |x| exceeds this */
    const float *rows;          /* B as given */
    const float *inverse;       /* B^-1, computed in binary64, then rounded */
    const double *precise_inverse;
    const int64_t *transform;   /* T, unimodular: reduced basis = T B */
    nck_frame given, reduced;   /* of B and of T B, the latter reduced by LLL with delta 0.99 */
    const double *reduced_columns; /* the columns of reduced.triangle, each divided by its entry on the diagonal */
} nck_basis;

/* Bytes for a prepared basis, and of scratch for one call of the functions below. n in 1...64. Both blocks are aligned for a double. */
size_t nck_basis_size(size_t n);
size_t nck_basis_scratch(size_t n);

/* Checks and prepares a basis of n rows of n. On success *prepared is in `memory`. Takes milliseconds in 32 dimensions, tens of them in 64. */
nck_basis_status nck_basis_prepare(const float *rows, size_t n, void *memory, const nck_basis **prepared);

/*
 * Common to both searches, for `count` vectors of n without gaps: NaN counts as 0; where a coordinate of x B^-1 exceeds 2^20 it is clamped to that first, and so
 * are the coordinates found. |u| <= 2^20 always.
 */

/* Babai's nearest plane: from the last row of the frame (basis->given or basis->reduced) to the first, u_i = the integer nearest to the i-th coordinate of what is
 * left, half to even; that many rows are taken away. The coordinates are those of the basis as given, for both frames. */
void nck_basis_nearest_plane(const nck_basis *basis, const nck_frame *frame, const float *in, int32_t *coordinates, size_t count, void *scratch);

/*
 * The closest point, by Schnorr-Euchner enumeration on the reduced basis. Ties: the search starts with the nearest plane's point on the reduced basis; then, from
 * the last row to the first, integers are tried from the nearest outwards (first the even one of two equally near, then alternately on both sides). A point takes
 * the place of the best so far if its squared distance, as computed, is less than (1 - 2^-40) of the best's: two nearer to each other than that count as equal.
 *
 * node_limit bounds the integers tried for each vector; 0: no bound. proven (may be null) becomes 1 where the point is the closest, 0 where the limit ended the
 * search (the best found so far, never worse than the nearest plane's on the reduced basis) or a coordinate was clamped. Returns the number of integers tried.
 */
uint64_t nck_basis_closest(const nck_basis *basis, const float *in, uint64_t node_limit, int32_t *coordinates, uint8_t *proven, size_t count, void *scratch);

struct nck_kernels;
/* points = u B as lattice_transform computes it on float(u): binary32, rows ascending, by fma. */
void nck_basis_points(const struct nck_kernels *kernels, const nck_basis *basis, const int32_t *coordinates, float *points, size_t count);

#endif

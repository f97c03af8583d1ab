/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the coordinates u of a basis' points are distributed, each given those that were coded before it: what the entropy coder of indices needs of a lattice that
 * has no model of its own. The vectors are Gaussian, of covariance diag(s) R diag(s). Strict binary64 (additions, multiplications, divisions and square roots in a
 * stated order), the same on every path; what leaves here are integers. docs/quantizers.md, "The chain of a basis", is the specification. Included by CKernels.h.
 */
#ifndef CCHAIN_H
#define CCHAIN_H

#include <stddef.h>
#include <stdint.h>
#include "CBasis.h"
#include "CLatticeCoding.h"

enum { NCK_CHAIN_MOST = 1 << 19 }; /* the greatest magnitude of a coordinate, and of a prediction */

/* The cell of the search, as the model sees it, and with it the coordinates that are coded. */
typedef enum nck_cell {
    NCK_CELL_ROUNDING,  /* that of Babai's rounding: u is x B^-1, rounded */
    NCK_CELL_GIVEN,     /* the nearest plane's, a box along the Gram-Schmidt axes of the basis as given */
    NCK_CELL_REDUCED    /* that of the reduced basis, whose coordinates are coded */
} nck_cell;

/* Points into the memory that was given for it; any number of threads may use it at once. */
typedef struct nck_chain {
    size_t n;
    const double *frame;        /* row x: what coordinate x of a vector adds to each coordinate, in steps, where those after it are 0 */
    const double *ratios;       /* row j: what coordinate j of 1 takes from the means of those before it */
    const double *correlation;  /* R; null: the unit matrix */
    const double *covariance;   /* of x * frame where all deviations are 1: the lower triangle */
    double most;                /* deviations count as at most this: larger ones are beyond any coordinate */
    float thresholds[NCK_SCALES - 1];
} nck_chain;

/* Bytes for a chain. */
size_t nck_chain_size(size_t n);

/* correlation: n * n values, or null. `memory` is aligned for a double. */
const nck_chain *nck_chain_prepare(const nck_basis *basis, nck_cell cell, const float *correlation, void *memory);

/* One vector's chain: what a call works with. */
typedef struct nck_chain_state {
    int known;                              /* whether the rest belongs to `deviations` */
    double deviations[NCK_BASIS_DIMENSION];
    double means[NCK_BASIS_DIMENSION];      /* of each coordinate, given those after it that were noted */
    uint8_t scales[NCK_BASIS_DIMENSION];    /* index of the deviation of each, given those after it */
    double factors[];                       /* n * n; row j: what the error of coordinate j's mean says about those before it */
} nck_chain_state;

size_t nck_chain_state_size(size_t n); /* zeros are a state to begin with */

/* Begins a vector whose deviations are scales[i * stride]; NaN and what is negative count as 0. Factorizes the covariance, unless the vector before had the same ones. */
void nck_chain_begin(const nck_chain *chain, const float *scales, size_t stride, nck_chain_state *state);

/* Where a coordinate is expected: near the integer `nearest`, shift / 32 further, -16 to 16; `scale` is the index of its deviation. */
typedef struct nck_place {
    int32_t nearest, shift;
    size_t scale;
} nck_place;

/* Of coordinate i, after those from i + 1 to n - 1 were noted. */
nck_place nck_chain_place(const nck_chain_state *state, size_t i);

/* Coordinate i is `value`. */
void nck_chain_note(const nck_chain *chain, nck_chain_state *state, size_t i, int32_t value);

#endif

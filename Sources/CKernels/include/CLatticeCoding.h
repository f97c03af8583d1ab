/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables for the entropy coder of integers and lattice points: frequencies and shares as integers, computed in strict binary64 (additions, multiplications,
 * divisions and square roots in a stated order, no library function), so that they are the same on every machine. docs/quantizers.md, "Coding lattice points",
 * says what they are for. Same code on every path. Included by CKernels.h.
 *
 * Two grids of standard deviations, both logarithmic:
 *   scales, which callers name by an index: 2^((index - 37) / 10), from 0.077 to 512;
 *   widths of discrete Gaussians, which the model of lattice points uses: 2^((width - 112) / 32), from 0.088 to 512.
 */
#ifndef CLATTICECODING_H
#define CLATTICECODING_H

#include <stddef.h>
#include <stdint.h>

enum {
    NCK_SCALES = 128,
    NCK_WIDTHS = 401,
    NCK_WIDTH_OCTAVE = 32,    /* this many widths further, everything is twice as wide */
    NCK_TABLE_WIDTHS = 369,   /* tables exist for the widths to 256 */
    NCK_MOST_FREQUENCIES = 4610,
    NCK_NOISE_LEVELS = 19,
    NCK_MOST_SHIFTS = 32
};

/* Between scales: the 127 binary32 values nearest to 2^((2 index - 73) / 20). The index of a scale is the number of these strictly below it (0 for NaN). */
void nck_scale_thresholds(float *thresholds);

/* The indices of the scales scales[i] / step, a division in binary32, with those thresholds. */
void nck_scale_indices(const float *thresholds, const float *scales, float step, size_t count, uint8_t *indices);

/* Both: frequencies of offset, offset + 1, ... and of the escape, each at least 1, their sum 2^16. Returns how many, at most NCK_MOST_FREQUENCIES. */

/* Integers that are a Gaussian of a scale, of mean shift / 32 (0 to 16), rounded: probability of k in proportion to the integral over k - 1/2 ... k + 1/2. */
size_t nck_rounded_frequencies(size_t scale, int shift, int32_t *offset, int32_t *frequencies);

/* Into how many parts the step between integers is divided for the means of a scale: 32 below 1, half as many for every octave from there on, and 1 from 16 on. The
 * error of a mean is then at most 1/32 of the deviation from 1/2 on, and 1/64 of the step below. */
size_t nck_shifts(size_t scale);

/* A discrete Gaussian on a shifted grid: probability of k in proportion to the density at k + eighths / 8. width below NCK_TABLE_WIDTHS. */
size_t nck_discrete_frequencies(int eighths, size_t width, int32_t *offset, int32_t *frequencies);

/* With g(S) the sum of a discrete Gaussian's density over the numbers S; in units of 2^-48, at least 2^18 (for the least likely) and at most 2^48. */
typedef struct nck_shares {
    uint64_t half;         /* g(Z + 1/2) / g(Z) */
    uint64_t odd;          /* g(2Z + 1) / g(Z) */
    uint64_t quarter;      /* g(Z + 1/4) / g(Z) */
    uint64_t odd_quarter;  /* g(2Z + 5/4) / g(Z + 1/4) */
} nck_shares;

/* width at least NCK_WIDTH_OCTAVE. */
void nck_width_shares(size_t width, nck_shares *shares);

/*
 * widths[scale * NCK_NOISE_LEVELS + level] = the width nearest, in the logarithm, to sqrt(scale^2 + noise[level] / 10000 * 2^(exponent / divisor)) / unit;
 * 2^(exponent / divisor) is the squared side of a cube as large as a lattice's cell.
 */
void nck_lattice_widths(const uint16_t *noise, int exponent, int divisor, int unit, uint16_t *widths);

#endif

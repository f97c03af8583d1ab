/* SPDX-License-Identifier: Apache-2.0 */
/*
 * General vector quantization: codebooks, packed for the search (nck_quantizers.codebook), and their training by Linde, Buzo and Gray's algorithm (1980), which is
 * k-means. Included by CQuantizers.h. The functions below are the same code on every path and allocate nothing.
 */
#ifndef CCODEBOOK_H
#define CCODEBOOK_H

#include <stddef.h>
#include <stdint.h>

enum { NCK_CODEBOOK_DIMENSION = 512, NCK_MOST_CODEWORDS = 1 << 24 };
#define NCK_CODEBOOK_BOUND 0x1p50f /* of a codeword's values; those of vectors are clamped to it, and NaN counts as 0 */

typedef struct nck_codebook {
    size_t n, codewords;
    const float *rows;          /* codewords * n, as given */
    const float *packed;        /* [block of 16 codewords][half the squared length, then the n values][16]; the last block ends with codewords infinitely far away */
} nck_codebook;

typedef enum nck_codebook_status {
    NCK_CODEBOOK_PACKED = 0,
    NCK_CODEBOOK_BAD_DIMENSION, /* not in 1...512 */
    NCK_CODEBOOK_BAD_COUNT,     /* of codewords, not in 1...2^24 */
    NCK_CODEBOOK_OUT_OF_RANGE   /* a value is NaN or beyond the bound */
} nck_codebook_status;

/* Floats of a packed codebook. */
size_t nck_codebook_size(size_t n, size_t codewords);

/* Checks and packs; *codebook then points to both. half = sum of (c * c) / 2: fma(c, c, half) over ascending coordinates from +0, then halved. */
nck_codebook_status nck_codebook_pack(const float *rows, size_t n, size_t codewords, float *packed, nck_codebook *codebook);

/*
 * Training, for `count` vectors of n values, one after the other. All of it but the search runs on one thread in a fixed order, so the result is the same whatever
 * number of threads searches:
 *
 *     nck_codebook_draw(..., rows); do { pack; search: indices; distortion = nck_codebook_improve(..., rows); } while (distortion falls by enough);
 */

/* `codewords` different ones of the vectors, in their order, drawn with this seed. Needs count >= codewords; returns 0 and draws nothing otherwise. */
int nck_codebook_draw(const float *vectors, size_t count, size_t n, size_t codewords, uint64_t seed, float *rows);

/* Bytes of scratch, aligned for a double, for the next function. */
size_t nck_codebook_improve_scratch(size_t n, size_t codewords);

/* Each codeword becomes the mean of the vectors that have its index, summed in binary64. One that no vector has takes the farthest vector of a cell: the first such
 * codeword of the cell with the greatest sum of squared errors, the next of the next cell (equal ones: the lower index first; a cell has to have an error), those
 * that find none stay. Returns the sum of the squared errors before, which does not rise from one call to the next but for the rounding of codewords and search to
 * binary32. *moved (may be null): the number of codewords moved to a cell. */
double nck_codebook_improve(const float *vectors, const int32_t *indices, size_t count, size_t n, size_t codewords, float *rows, void *scratch, size_t *moved);

#endif

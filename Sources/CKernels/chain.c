// SPDX-License-Identifier: Apache-2.0
// The chain of a basis: conditional means and deviations of coordinates, from the last to the first. One sequence of IEEE operations in binary64.
#include "strict.h"
#include <string.h>

/* The variance that rounding to integers adds. */
static const double noise = 1.0 / 12.0;

size_t nck_chain_size(size_t n) { return sizeof(nck_chain) + 4 * n * n * sizeof(double); }

size_t nck_chain_state_size(size_t n) { return sizeof(nck_chain_state) + n * n * sizeof(double); }

/* The lower triangle of the covariance of x * frame, x having those deviations: the sum over x of its row, times what x and all that is correlated with it add. */
static void add_up(const nck_chain *chain, const double *deviations, double *covariance) {
    const size_t n = chain->n;
    double own[NCK_BASIS_DIMENSION], all[NCK_BASIS_DIMENSION];
    memset(covariance, 0, n * n * sizeof *covariance);
    for (size_t x = 0; x < n; x++) {
        for (size_t i = 0; i < n; i++) own[i] = deviations[x] * chain->frame[x * n + i];
        memcpy(all, own, n * sizeof *all);
        for (size_t y = 0; chain->correlation && y < n; y++) {
            const double weight = y == x ? 0 : chain->correlation[x * n + y] * deviations[y];
            for (size_t i = 0; i < n; i++) all[i] += weight * chain->frame[y * n + i];
        }
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j <= i; j++) covariance[i * n + j] += own[i] * all[j];
    }
}

const nck_chain *nck_chain_prepare(const nck_basis *basis, nck_cell cell, const float *correlation, void *memory) {
    const size_t n = basis->n, square = n * n;
    nck_chain *chain = memory;
    double *frame = (double *)(chain + 1), *ratios = frame + square, *kept = ratios + square, *covariance = kept + square;
    const nck_frame *axes = cell == NCK_CELL_REDUCED ? &basis->reduced : &basis->given;
    double widest = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            const size_t place = i * n + j;
            const double side = axes->triangle[j * n + j], entry = axes->rows[place];
            frame[place] = cell == NCK_CELL_ROUNDING ? basis->precise_inverse[place] : axes->axes_across[place] / side;
            ratios[place] = cell == NCK_CELL_ROUNDING || j >= i ? 0 : axes->triangle[place] / side;
            kept[place] = !correlation ? 0 : i == j ? 1 : 0.5 * ((double)correlation[place] + (double)correlation[j * n + i]);
            if ((entry < 0 ? -entry : entry) > widest) widest = entry < 0 ? -entry : entry;
        }
    *chain = (nck_chain){.n = n, .frame = frame, .ratios = ratios, .correlation = correlation ? kept : NULL, .covariance = covariance, .most = 0x1p26 * widest};
    nck_scale_thresholds(chain->thresholds);
    double ones[NCK_BASIS_DIMENSION];
    for (size_t i = 0; i < n; i++) ones[i] = 1;
    add_up(chain, ones, covariance);
    return chain;
}

/* From the last coordinate to the first: its deviation given those after it, and what its error says about those before it, which is then taken from the covariance.
 * No variance can be less than that of the noise; where rounding has left less, that is what counts. */
static void factorize(const nck_chain *chain, double *covariance, uint8_t *scales) {
    const size_t n = chain->n;
    double part[NCK_BASIS_DIMENSION];
    for (size_t j = n; j-- > 0;) {
        double *row = covariance + j * n;
        const double variance = row[j] + noise > noise ? row[j] + noise : noise;
        const float deviation = (float)__builtin_elementwise_sqrt(variance - noise);
        nck_scale_indices(chain->thresholds, &deviation, 1, 1, scales + j);
        memcpy(part, row, j * sizeof *part);
        for (size_t i = 0; i < j; i++) row[i] = part[i] / variance;
        for (size_t i = 0; i < j; i++)
            for (size_t k = 0; k <= i; k++) covariance[i * n + k] -= row[i] * part[k];
    }
}

void nck_chain_begin(const nck_chain *chain, const float *scales, size_t stride, nck_chain_state *state) {
    const size_t n = chain->n;
    double deviations[NCK_BASIS_DIMENSION];
    int equal = 1;
    for (size_t i = 0; i < n; i++) {
        const double scale = scales[i * stride];
        deviations[i] = scale > chain->most ? chain->most : scale > 0 ? scale : 0;
        equal &= deviations[i] == deviations[0];
    }
    memset(state->means, 0, n * sizeof *state->means);
    if (state->known && memcmp(deviations, state->deviations, n * sizeof *deviations) == 0) return;
    memcpy(state->deviations, deviations, n * sizeof *deviations);
    state->known = 1;
    if (equal) {
        const double square = deviations[0] * deviations[0];
        for (size_t i = 0; i < n * n; i++) state->factors[i] = square * chain->covariance[i];
    } else {
        add_up(chain, deviations, state->factors);
    }
    factorize(chain, state->factors, state->scales);
}

/* The mean itself, or 0 where it is out of reach (or no number, which takes deviations that no vector has). */
static double mean_of(const nck_chain_state *state, size_t i) {
    const double mean = state->means[i];
    return mean > -NCK_CHAIN_MOST && mean < NCK_CHAIN_MOST ? mean : 0;
}

nck_place nck_chain_place(const nck_chain_state *state, size_t i) {
    const size_t scale = state->scales[i], parts = nck_shifts(scale);
    const double magic = 0x1.8p52, place = (mean_of(state, i) * (double)parts + magic) - magic; // the nearest multiple of 1 / parts, half to even
    const int32_t units = (int32_t)place, half = (int32_t)parts / 2;
    const int32_t above = units + half + NCK_CHAIN_MOST * (int32_t)parts, nearest = above / (int32_t)parts - NCK_CHAIN_MOST; // of numbers that are not negative
    return (nck_place){nearest, (units - nearest * (int32_t)parts) * (int32_t)(NCK_MOST_SHIFTS / parts), scale};
}

void nck_chain_note(const nck_chain *chain, nck_chain_state *state, size_t i, int32_t value) {
    const double *factors = state->factors + i * chain->n, *ratios = chain->ratios + i * chain->n;
    const double error = value - mean_of(state, i);
    for (size_t j = 0; j < i; j++) state->means[j] += factors[j] * error - ratios[j] * value;
}

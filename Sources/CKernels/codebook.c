// SPDX-License-Identifier: Apache-2.0
// Codebooks: packing, and the parts of their training that run in one order (Linde, Buzo and Gray 1980).
#include "strict.h"
#include <math.h>
#include <string.h>

size_t nck_codebook_size(size_t n, size_t codewords) { return (codewords + NCK_LANES - 1) / NCK_LANES * (n + 1) * NCK_LANES; }

nck_codebook_status nck_codebook_pack(const float *rows, size_t n, size_t codewords, float *packed, nck_codebook *codebook) {
    if (n < 1 || n > NCK_CODEBOOK_DIMENSION) return NCK_CODEBOOK_BAD_DIMENSION;
    if (codewords < 1 || codewords > NCK_MOST_CODEWORDS) return NCK_CODEBOOK_BAD_COUNT;
    for (size_t i = 0; i < codewords * n; i++)
        if (!(rows[i] >= -NCK_CODEBOOK_BOUND && rows[i] <= NCK_CODEBOOK_BOUND)) return NCK_CODEBOOK_OUT_OF_RANGE;
    *codebook = (nck_codebook){n, codewords, rows, packed};
    for (size_t first = 0; first < codewords; first += NCK_LANES)
        for (size_t lane = 0; lane < NCK_LANES; lane++) {
            float *to = packed + first * (n + 1) + lane, half = 0.0f;
            const float *row = first + lane < codewords ? rows + (first + lane) * n : NULL;
            for (size_t i = 0; i < n; i++) {
                const float c = row ? row[i] : 0.0f;
                to[(i + 1) * NCK_LANES] = c;
                half = fmaf(c, c, half);
            }
            to[0] = row ? half * 0.5f : __builtin_inff();
        }
    return NCK_CODEBOOK_PACKED;
}

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t random_of(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* What the search makes of a value. */
static float clean(float v) {
    v = v == v ? v : 0.0f;
    v = v < -NCK_CODEBOOK_BOUND ? -NCK_CODEBOOK_BOUND : v;
    return v > NCK_CODEBOOK_BOUND ? NCK_CODEBOOK_BOUND : v;
}

int nck_codebook_draw(const float *vectors, size_t count, size_t n, size_t codewords, uint64_t seed, float *rows) {
    if (count < codewords) return 0;
    // Selection sampling: each vector is taken with the probability that leaves every choice of the rest equally likely.
    for (size_t v = 0; codewords; v++, vectors += n) {
        if (random_of(&seed) % (count - v) >= codewords) continue;
        for (size_t i = 0; i < n; i++) *rows++ = clean(vectors[i]);
        codewords--;
    }
    return 1;
}

/* The vectors that have one codeword. */
typedef struct {
    size_t count, farthest;     /* vector with the greatest error */
    double error, greatest;     /* squared: the sum, the farthest's */
} cell;

size_t nck_codebook_improve_scratch(size_t n, size_t codewords) { return codewords * (n * sizeof(double) + sizeof(cell) + sizeof(size_t)); }

/* A cell that has more to gain from another codeword comes first. */
static int before(const cell *cells, size_t a, size_t b) { return cells[a].error > cells[b].error || (cells[a].error == cells[b].error && a < b); }

/* Lets heap[place] sink to where no cell below comes before it. */
static void sink(const cell *cells, size_t *heap, size_t size, size_t place) {
    for (size_t child; (child = 2 * place + 1) < size; place = child) {
        if (child + 1 < size && before(cells, heap[child + 1], heap[child])) child++;
        if (!before(cells, heap[child], heap[place])) return;
        const size_t v = heap[child];
        heap[child] = heap[place], heap[place] = v;
    }
}

/* Gives the codewords without vectors something to do. */
static size_t fill_empty_cells(const cell *cells, size_t *heap, const float *vectors, size_t n, size_t codewords, float *rows) {
    size_t size = 0, moved = 0;
    for (size_t k = 0; k < codewords; k++)
        if (cells[k].error > 0) heap[size++] = k;
    for (size_t place = size / 2; place-- > 0;) sink(cells, heap, size, place);
    for (size_t k = 0; k < codewords && size; k++) {
        if (cells[k].count) continue;
        const float *from = vectors + cells[heap[0]].farthest * n;
        for (size_t i = 0; i < n; i++) rows[k * n + i] = clean(from[i]);
        heap[0] = heap[--size];
        sink(cells, heap, size, 0);
        moved++;
    }
    return moved;
}

double nck_codebook_improve(const float *vectors, const int32_t *indices, size_t count, size_t n, size_t codewords, float *rows, void *scratch, size_t *moved) {
    double *const sums = scratch;
    cell *const cells = (cell *)(sums + codewords * n);
    size_t *const heap = (size_t *)(cells + codewords);
    memset(scratch, 0, codewords * (n * sizeof *sums + sizeof *cells));
    for (size_t v = 0; v < count; v++) {
        const size_t k = (size_t)indices[v];
        double *sum = sums + k * n, error = 0;
        for (size_t i = 0; i < n; i++) {
            const double x = clean(vectors[v * n + i]), e = x - rows[k * n + i];
            sum[i] += x;
            error += e * e;
        }
        cell *c = &cells[k];
        c->count++;
        c->error += error;
        if (error > c->greatest) c->greatest = error, c->farthest = v;
    }
    double total = 0;
    for (size_t k = 0; k < codewords; k++) {
        total += cells[k].error;
        for (size_t i = 0; i < n && cells[k].count; i++) rows[k * n + i] = (float)(sums[k * n + i] / (double)cells[k].count);
    }
    const size_t filled = fill_empty_cells(cells, heap, vectors, n, codewords, rows);
    if (moved) *moved = filled;
    return total;
}

// SPDX-License-Identifier: Apache-2.0
// A lattice basis, checked and prepared for searches: inverse, volume, condition, Gram-Schmidt frames, and the reduction of Lenstra, Lenstra and Lovasz (1982).
#include "basis.h"
#include <string.h>

size_t nck_basis_size(size_t n) {
    return sizeof(nck_basis) + 8 * n * n * sizeof(double) + n * n * sizeof(int64_t) + 2 * n * n * sizeof(float);
}

static double product(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static double length(const double *a, size_t n) { return __builtin_elementwise_sqrt(product(a, a, n)); }

/* row -= factor * other */
static void take_away(double *row, double factor, const double *other, size_t n) {
    for (size_t i = 0; i < n; i++) row[i] -= factor * other[i];
}

/* Row k of the triangle, from row k of the basis and the axes before it; what is left of the row, of length triangle[k], becomes axis k. A second pass takes
 * away what rounding has left of the earlier axes. */
static void add_axis(const double *row, size_t k, size_t n, double *axes, double *triangle) {
    double *axis = axes + k * n;
    memcpy(axis, row, n * sizeof *axis);
    memset(triangle, 0, n * sizeof *triangle);
    for (int pass = 0; pass < 2; pass++)
        for (size_t j = 0; j < k; j++) {
            const double part = product(axis, axes + j * n, n);
            take_away(axis, part, axes + j * n, n);
            triangle[j] += part;
        }
    triangle[k] = length(axis, n);
    if (triangle[k] > 0)
        for (size_t i = 0; i < n; i++) axis[i] /= triangle[k];
}

/* Gram-Schmidt of all rows: 0 if one lies in the span of those before it. */
static int orthogonalize(const double *rows, size_t n, double *axes, double *triangle) {
    for (size_t k = 0; k < n; k++) {
        add_axis(rows + k * n, k, n, axes, triangle + k * n);
        if (!(triangle[k * n + k] > 0x1p-23 * length(rows + k * n, n))) return 0;
    }
    return 1;
}

/* Turns the rows until they are orthogonal (one-sided Jacobi, Hestenes 1958): their lengths are then the singular values. */
static void singular_values(double *rows, size_t n, double *least, double *greatest) {
    int turned = 1;
    for (int sweep = 0; turned && sweep < 60; sweep++) {
        turned = 0;
        for (size_t p = 0; p + 1 < n; p++)
            for (size_t q = p + 1; q < n; q++) {
                double *a = rows + p * n, *b = rows + q * n;
                const double aa = product(a, a, n), bb = product(b, b, n), ab = product(a, b, n);
                if (ab * ab <= 0x1p-100 * aa * bb) continue;
                const double zeta = (bb - aa) / (2 * ab), size = (zeta < 0 ? -zeta : zeta) + __builtin_elementwise_sqrt(1 + zeta * zeta);
                const double tangent = (zeta < 0 ? -1 : 1) / size, cosine = 1 / __builtin_elementwise_sqrt(1 + tangent * tangent), sine = cosine * tangent;
                for (size_t i = 0; i < n; i++) {
                    const double v = a[i];
                    a[i] = cosine * v - sine * b[i];
                    b[i] = sine * v + cosine * b[i];
                }
                turned = 1;
            }
    }
    *least = *greatest = length(rows, n);
    for (size_t p = 1; p < n; p++) {
        const double value = length(rows + p * n, n);
        if (value < *least) *least = value;
        if (value > *greatest) *greatest = value;
    }
}

/* B^-1 = axes transposed * triangle^-1, row by row: y triangle = a column of the axes. */
static void invert(const nck_frame *frame, size_t n, double *inverse) {
    memcpy(inverse, frame->axes_across, n * n * sizeof *inverse);
    for (size_t r = 0; r < n; r++) {
        double *y = inverse + r * n;
        for (size_t i = n; i-- > 0;) {
            y[i] /= frame->triangle[i * n + i];
            take_away(y, y[i], frame->triangle + i * n, i);
        }
    }
}

static void transpose_square(const double *in, double *out, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) out[j * n + i] = in[i * n + j];
}

/* Size reduction of row k by the rows before it, until nothing changes; the transform's row goes along. 0 where the transform gets too large. */
static int shorten(size_t k, size_t n, double *rows, int64_t *transform, double *axes, double *triangle) {
    enum { MOST_ROUNDS = 64 };
    const double most = 0x1p32, enough = 0.5 + 0x1p-20; // a ratio of 1/2 but for rounding would change its sign for ever
    for (int round = 0; round < MOST_ROUNDS; round++) {
        int changed = 0;
        double *part = triangle + k * n;
        add_axis(rows + k * n, k, n, axes, part);
        for (size_t j = k; j-- > 0;) {
            const double ratio = part[j] / triangle[j * n + j], times = nearest_integer(ratio);
            if (ratio >= -enough && ratio <= enough) continue;
            if (!(times > -most && times < most)) return 0;
            take_away(rows + k * n, times, rows + j * n, n);
            take_away(part, times, triangle + j * n, j + 1);
            for (size_t i = 0; i < n; i++) {
                transform[k * n + i] -= (int64_t)times * transform[j * n + i];
                if (transform[k * n + i] > 0x10000000 || transform[k * n + i] < -0x10000000) return 0;
            }
            changed = 1;
        }
        if (!changed) return 1;
    }
    return 0;
}

/* Row `from` goes to place `to`, before it; those between move down. */
static void move_up(void *rows, size_t row_size, size_t from, size_t to) {
    char row[NCK_BASIS_DIMENSION * sizeof(double)], *place = (char *)rows + to * row_size;
    memcpy(row, (char *)rows + from * row_size, row_size);
    memmove(place + row_size, place, (from - to) * row_size);
    memcpy(place, row, row_size);
}

/*
 * Lenstra, Lenstra and Lovasz (1982), delta 0.99, on rows that start as the basis, with transform the unit matrix. A row moves up to the first place where it is
 * shorter than the row there, both projected, not only past its neighbour (deep insertion, Schnorr and Euchner 1994): a quarter less to search in 32 dimensions.
 * No bound on its time is known that is any good, so after many steps neighbours have to do. The axes are computed anew from the rows at every step, so that
 * errors do not pile up; the rows themselves are sums of few multiples and nearly always exact.
 */
static int reduce(size_t n, double *rows, int64_t *transform, double *axes, double *triangle) {
    enum { DEEP_STEPS = 1 << 14, MOST_STEPS = 1 << 20 }; // up to a few thousand, in practice
    for (size_t k = 0, steps = 0; k < n; steps++) {
        if (steps == MOST_STEPS || !shorten(k, n, rows, transform, axes, triangle)) return 0;
        const double *row = triangle + k * n;
        size_t place = steps < DEEP_STEPS || k == 0 ? 0 : k - 1;
        double projected = product(row + place, row + place, k + 1 - place);
        for (; place < k && projected >= 0.99 * triangle[place * n + place] * triangle[place * n + place]; place++) projected -= row[place] * row[place];
        if (place == k) {
            k++;
            continue;
        }
        move_up(rows, n * sizeof *rows, k, place);
        move_up(transform, n * sizeof *transform, k, place);
        k = place;
    }
    return 1;
}

/* mantissa * 2^exponent, mantissa in [1, 2). */
typedef struct {
    double mantissa;
    int exponent;
} large;

static large times(large a, double b) {
    a.mantissa *= b;
    for (; a.mantissa >= 2; a.exponent++) a.mantissa *= 0.5;
    for (; a.mantissa < 1; a.exponent--) a.mantissa *= 2;
    return a;
}

static double scaled(double v, int exponent) {
    for (; exponent > 0 && v < 0x1p1000; exponent--) v *= 2;
    for (; exponent < 0 && v > 0; exponent++) v *= 0.5;
    return exponent > 0 ? v * 0x1p1000 : v;
}

/* a^(1/n), by halving an interval. */
static double root(large a, int n) {
    int quotient = a.exponent / n, rest = a.exponent % n;
    if (rest < 0) rest += n, quotient--;
    const double value = scaled(a.mantissa, rest);
    double low = 1, high = 2;
    for (int bit = 0; bit < 53; bit++) {
        const double middle = 0.5 * (low + high);
        double power = 1;
        for (int i = 0; i < n; i++) power *= middle;
        if (power <= value) low = middle;
        else high = middle;
    }
    return scaled(low, quotient);
}

/* Product of the rows' lengths / volume, factor by factor: each is at least 1. */
static double defect(const nck_frame *frame, size_t n) {
    double result = 1;
    for (size_t i = 0; i < n; i++) result *= length(frame->triangle + i * n, n) / frame->triangle[i * n + i];
    return result;
}

static void measure(nck_basis *basis) {
    const size_t n = basis->n;
    large volume = {1, 0};
    double widest = 0;
    for (size_t i = 0; i < n; i++) volume = times(volume, basis->given.triangle[i * n + i]);
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t r = 0; r < n; r++) {
            const double v = basis->precise_inverse[r * n + i];
            sum += v < 0 ? -v : v;
        }
        if (sum > widest) widest = sum;
    }
    basis->volume = scaled(volume.mantissa, volume.exponent);
    basis->side = root(volume, (int)n);
    basis->defect = defect(&basis->given, n);
    basis->reduced_defect = defect(&basis->reduced, n);
    basis->reach = NCK_BASIS_MOST / widest;
}

nck_basis_status nck_basis_prepare(const float *rows, size_t n, void *memory, const nck_basis **prepared) {
    if (n < 1 || n > NCK_BASIS_DIMENSION) return NCK_BASIS_BAD_DIMENSION;
    if (!nck_all_finite(rows, n * n)) return NCK_BASIS_NOT_FINITE;
    const size_t square = n * n;
    nck_basis *basis = memory;
    double *given = (double *)(basis + 1), *triangle = given + square, *across = triangle + square, *precise = across + square;
    double *reduced = precise + square, *reduced_triangle = reduced + square, *reduced_across = reduced_triangle + square, *columns = reduced_across + square;
    int64_t *transform = (int64_t *)(columns + square);
    float *kept = (float *)(transform + square), *inverse = kept + square;
    double *const axes = columns; // until the columns are known

    for (size_t i = 0; i < square; i++) given[i] = reduced[i] = rows[i];
    if (!orthogonalize(given, n, axes, triangle)) return NCK_BASIS_SINGULAR;
    double least, greatest;
    singular_values(reduced, n, &least, &greatest);
    if (greatest > 0x1p20 * least) return NCK_BASIS_ILL_CONDITIONED;
    if (least < 0x1p-100 || greatest > 0x1p100) return NCK_BASIS_OUT_OF_RANGE;
    *basis = (nck_basis){.n = n, .condition = greatest / least, .rows = kept, .inverse = inverse, .precise_inverse = precise, .transform = transform,
                         .given = {given, triangle, across}, .reduced = {reduced, reduced_triangle, reduced_across}, .reduced_columns = columns};
    memcpy(kept, rows, square * sizeof *rows);
    transpose_square(axes, across, n);
    invert(&basis->given, n, precise);
    for (size_t i = 0; i < square; i++) inverse[i] = (float)precise[i];

    memcpy(reduced, given, square * sizeof *given);
    for (size_t i = 0; i < square; i++) transform[i] = i % (n + 1) == 0;
    if (!reduce(n, reduced, transform, axes, reduced_triangle)) return NCK_BASIS_ILL_CONDITIONED;
    transpose_square(axes, reduced_across, n);
    transpose_square(reduced_triangle, columns, n);
    for (size_t i = 0; i < square; i++) columns[i] /= reduced_triangle[i / n * (n + 1)];
    measure(basis);
    *prepared = basis;
    return NCK_BASIS_PREPARED;
}

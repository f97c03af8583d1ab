// SPDX-License-Identifier: Apache-2.0
// Tables for coding integers and lattice points. Everything here is one sequence of IEEE operations in binary64, without any function of the C library.
#include "strict.h"
#include "CLatticeCoding.h"
#include <string.h>

enum { TOTAL = 1 << 16, BISECTIONS = 16 };

// exp by 2^n * p(r), |r| <= ln 2 / 2: Cody-Waite reduction (n times the high part is exact) and the Taylor terms up to degree 13. |x| <= 700, or less than -700: 0.
static double exp_strict(double x) {
    static const double terms[] = {
        1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0, 1.0 / 40320.0, 1.0 / 5040.0,
        1.0 / 720.0,        1.0 / 120.0,       1.0 / 24.0,       1.0 / 6.0,       0.5,            1.0,           1.0,
    };
    if (x < -700.0) return 0.0;
    const double magic = 0x1.8p52, n = (x * 0x1.71547652b82fep+0 + magic) - magic;
    const double r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
    double p = terms[0];
    for (size_t i = 1; i < sizeof terms / sizeof *terms; i++) p = p * r + terms[i];
    const uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
    double power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

// 2^(exponent / divisor).
static double power_of_two(int exponent, int divisor) { return exp_strict((double)exponent / (double)divisor * 0x1.62e42fefa39efp-1); }

static double scale_of(size_t scale) { return power_of_two((int)scale - 37, 10); }

static double width_of(size_t width) { return power_of_two((int)width - 112, 32); }

void nck_scale_thresholds(float *thresholds) {
    for (int i = 0; i < NCK_SCALES - 1; i++) thresholds[i] = (float)power_of_two(2 * i - 73, 20);
}

void nck_scale_indices(const float *thresholds, const float *scales, float step, size_t count, uint8_t *indices) {
    for (size_t i = 0; i < count; i++) {
        const float scale = scales[i] / step;
        unsigned index = 0;
        for (unsigned part = NCK_SCALES / 2; part > 0; part /= 2) index += thresholds[index + part - 1] < scale ? part : 0;  // never true of a NaN
        indices[i] = (uint8_t)index;
    }
}

// The integer not above x, and the one not below.
static int32_t integer_below(double x) { return (int32_t)x - ((double)(int32_t)x > x); }
static int32_t integer_above(double x) { return -integer_below(-x); }

static int64_t allocated(const double *weights, size_t count, double rate, int32_t *frequencies) {
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        const int32_t f = (int32_t)(weights[i] * rate + 0.5);
        frequencies[i] = f < 1 ? 1 : f;
        sum += frequencies[i];
    }
    return sum;
}

/*
 * Frequencies of nearly the least expected code length: the greatest rate for which max(1, floor(weight * rate + 1/2)) do not sum to more than 2^16, by bisection.
 * (Raising a frequency from f - 1 to f saves weight * log(f / (f - 1)), close to weight / (f - 1/2): the last unit given to each saves the same.) Rounding adds
 * between -1/2 and 3/2 to each, hence the bounds. What is left, a few units, goes to `likeliest`.
 */
static void allocate(const double *weights, size_t count, size_t likeliest, int32_t *frequencies) {
    double total = 0;
    for (size_t i = 0; i < count; i++) total += weights[i];
    double low = (TOTAL - 1.5 * (double)count) / total, high = (TOTAL + (double)count) / total;
    for (int i = 0; i < BISECTIONS; i++) {
        const double middle = 0.5 * (low + high);
        if (allocated(weights, count, middle, frequencies) > TOTAL) high = middle;
        else low = middle;
    }
    const int64_t sum = allocated(weights, count, low, frequencies);
    frequencies[likeliest] += (int32_t)(TOTAL - sum);
}

// Beyond 4.5 standard deviations there is less than half a unit of 2^-16; nothing worth adding up lies beyond 9.
static const double reach = 4.5, end = 9.0;

// The integral of exp(-t^2 / 2) over start / scale ... (start + length) / scale, times scale: Gauss-Legendre with 4 nodes on `pieces` parts.
static double cell(double start, double length, double inverse, int pieces) {
    static const double nodes[] = {-0x1.b8e6dbcf63985p-1, -0x1.5c23fd9dd3dfcp-2, 0x1.5c23fd9dd3dfcp-2, 0x1.b8e6dbcf63985p-1};
    static const double weights[] = {0x1.64340f7e7b66bp-2, 0x1.4de5f840c24cap-1, 0x1.4de5f840c24cap-1, 0x1.64340f7e7b66bp-2};
    const double half = length / (2 * pieces);
    double sum = 0;
    for (int piece = 0; piece < pieces; piece++)
        for (int i = 0; i < 4; i++) {
            const double t = (start + half * (2 * piece + 1 + nodes[i])) * inverse;
            sum += weights[i] * exp_strict(-0.5 * t * t);
        }
    return sum * half;
}

size_t nck_shifts(size_t scale) { return scale < 37 ? NCK_MOST_SHIFTS : scale < 77 ? NCK_MOST_SHIFTS / 2 >> (scale - 37) / 10 : 1; }

size_t nck_rounded_frequencies(size_t scale, int shift, int32_t *offset, int32_t *frequencies) {
    const double sigma = scale_of(scale), inverse = 1.0 / sigma, mean = (double)shift / NCK_MOST_SHIFTS;
    const int32_t first = -integer_above(reach * sigma - 0.5 - mean), last = integer_above(reach * sigma - 0.5 + mean), further = integer_above(end * sigma) + 1 - last;
    const int pieces = integer_above(4.0 * inverse);
    const size_t count = (size_t)(last - first) + 2;
    double weights[NCK_MOST_FREQUENCIES], beyond = 0;
    weights[-first] = cell(0, 0.5 - mean, inverse, pieces) + cell(0, 0.5 + mean, inverse, pieces);
    for (int32_t k = 1; k <= last; k++) weights[k - first] = cell(k - 0.5 - mean, 1, inverse, pieces);
    for (int32_t k = 1; k <= -first; k++) weights[-k - first] = cell(k - 0.5 + mean, 1, inverse, pieces);
    for (int32_t k = 1; k <= further; k++) beyond += cell(last + k - 0.5 - mean, 1, inverse, pieces) + cell(k - first - 0.5 + mean, 1, inverse, pieces);
    weights[count - 1] = beyond;
    allocate(weights, count, (size_t)-first, frequencies);
    *offset = first;
    return count;
}

static double density(double x, double inverse) {
    const double t = x * inverse;
    return exp_strict(-0.5 * t * t);
}

size_t nck_discrete_frequencies(int eighths, size_t width, int32_t *offset, int32_t *frequencies) {
    const double sigma = width_of(width), inverse = 1.0 / sigma, shift = 0.125 * eighths;
    // As unlikely, compared with the likeliest, as what lies at the reach of a Gaussian on the integers is to 0.
    const double nearest = eighths > 4 ? 1 - shift : shift, span = __builtin_elementwise_sqrt(nearest * nearest + reach * sigma * (reach * sigma));
    const int32_t first = integer_above(-span - shift), last = integer_below(span - shift), further = integer_above((end - reach) * sigma) + 1;
    const size_t count = (size_t)(last - first) + 2;
    double weights[NCK_MOST_FREQUENCIES], beyond = 0;
    for (int32_t k = first; k <= last; k++) weights[k - first] = density(k + shift, inverse);
    for (int32_t k = 1; k <= further; k++) beyond += density(first - k + shift, inverse) + density(last + k + shift, inverse);
    weights[count - 1] = beyond;
    allocate(weights, count, (size_t)((eighths > 4 ? -1 : 0) - first), frequencies);
    *offset = first;
    return count;
}

// The sum of the density over step * Z + shift.
static double summed(double step, double shift, double inverse) {
    const int32_t furthest = integer_above(end / (inverse * step)) + 1;
    double sum = density(shift, inverse);
    for (int32_t k = 1; k <= furthest; k++) sum += density(shift - k * step, inverse) + density(shift + k * step, inverse);
    return sum;
}

static uint64_t share(double part, double whole) {
    const double units = part / whole * 0x1p48 + 0.5;
    const uint64_t least = 1 << 18, most = (uint64_t)1 << 48, value = (uint64_t)units;
    return value < least ? least : value > most ? most : value;
}

void nck_width_shares(size_t width, nck_shares *shares) {
    // From 8 on the shares are 1 and 1/2 to the last bit.
    const double inverse = 1.0 / width_of(width < 208 ? width : 208);
    const double even = summed(2, 0, inverse), odd = summed(2, 1, inverse), quarter = summed(2, 0.25, inverse), odd_quarter = summed(2, 1.25, inverse);
    const double whole = even + odd;
    shares->half = share(summed(1, 0.5, inverse), whole);
    shares->odd = share(odd, whole);
    shares->quarter = share(quarter + odd_quarter, whole);
    shares->odd_quarter = share(odd_quarter, quarter + odd_quarter);
}

void nck_lattice_widths(const uint16_t *noise, int exponent, int divisor, int unit, uint16_t *widths) {
    double bounds[NCK_WIDTHS - 1]; // squares, between two widths
    for (int i = 0; i < NCK_WIDTHS - 1; i++) bounds[i] = power_of_two(2 * i - 223, 32);
    const double side = power_of_two(exponent, divisor), inverse = 1.0 / ((double)unit * (double)unit);
    for (size_t scale = 0; scale < NCK_SCALES; scale++)
        for (size_t level = 0; level < NCK_NOISE_LEVELS; level++) {
            const double sigma = scale_of(scale), square = (sigma * sigma + (double)noise[level] / 10000.0 * side) * inverse;
            size_t width = 0;
            for (size_t step = 256; step; step >>= 1)
                if (width + step <= NCK_WIDTHS - 1 && bounds[width + step - 1] < square) width += step;
            widths[scale * NCK_NOISE_LEVELS + level] = (uint16_t)width;
        }
}

// SPDX-License-Identifier: Apache-2.0
//     lattices          every proof; exit status 1 if one fails
//     lattices --bench  vectors a second
//     lattices leech    the proofs of the Leech lattice
//     lattices bases    the proofs of bases and codebooks; with --bench times of the searches on random bases
#include "lattices.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int failures;

void fail(int *printed, const char *file, int line, const char *format, ...) {
    va_list arguments;
    failures++;
    if ((*printed)++ > 3) return;
    printf("%s:%d: ", file, line);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

const nck_quantizers *quantizers;

const char *name_of(lattice l) {
    static const char *const names[] = {"Z", "A", "D", "E8", "Barnes-Wall", "Leech"};
    static char name[32];
    snprintf(name, sizeof name, l.kind <= NCK_LATTICE_DN ? "%s%d" : "%s", names[l.kind], (int)l.n);
    return name;
}

// SplitMix64 (Steele, Lea and Flood 2014).
double uniform(void) {
    static uint64_t state = 1;
    uint64_t x = state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (double)((x ^ x >> 31) >> 11) * 0x1p-53;
}

void fill(float *out, size_t count, double low, double high) {
    for (size_t i = 0; i < count; i++) out[i] = (float)(low + (high - low) * uniform());
}

// Formulas of Conway and Sloane, SPLAG, chapter 21, in units of V^(2/n).
static double moment_a(double n) { return pow(n + 1, -1 / n) * (1.0 / 12 + 1 / (6 * (n + 1))); }
static double moment_d(double n) { return pow(4, -1 / n) * (1.0 / 12 + 1 / (2 * n * (n + 1))); }

int main(int argc, char **argv) {
    const nck_kernels *kernels;
    if (nck_select(NULL, &kernels) != NCK_SELECTED) return 2;
    quantizers = &kernels->quantizers;
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        speed();
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "leech") == 0) {
        check_leech();
        printf(failures ? "%d failures\n" : "all proofs hold\n", failures);
        return failures != 0;
    }
    if (argc > 2 && strcmp(argv[1], "bases") == 0 && strcmp(argv[2], "--bench") == 0) {
        bases_speed();
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "bases") == 0) {
        check_bases();
        check_codebooks();
        printf(failures ? "%d failures\n" : "all proofs hold\n", failures);
        return failures != 0;
    }
    check_scalar();
    check_ties();
    const size_t dimensions[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 33, 48, 63, 64};
    for (size_t i = 0; i < sizeof dimensions / sizeof *dimensions; i++)
        for (nck_lattice kind = NCK_LATTICE_ZN; kind <= NCK_LATTICE_DN; kind++) check_definition((lattice){kind, dimensions[i]});
    check_definition((lattice){NCK_LATTICE_E8, 8});
    check_definition((lattice){NCK_LATTICE_BW16, 16});
    for (size_t n = 1; n <= 4; n++)
        for (nck_lattice kind = NCK_LATTICE_ZN; kind <= NCK_LATTICE_DN; kind++) check_search((lattice){kind, n});
    check_shells();
    const size_t million = 1000000;
    check_moment((lattice){NCK_LATTICE_ZN, 3}, 1.0 / 12, 0.894 / sqrt(3), million);
    for (size_t n = 2; n <= 64; n = n < 4 ? n + 1 : n * 2) {
        check_moment((lattice){NCK_LATTICE_AN, n}, moment_a((double)n), 0, million / n);
        if (n > 2) check_moment((lattice){NCK_LATTICE_DN, n}, moment_d((double)n), 0, million / n);
    }
    check_moment((lattice){NCK_LATTICE_AN, 2}, 5 / (36 * sqrt(3)), 0, million);
    check_moment((lattice){NCK_LATTICE_DN, 4}, 13 / (120 * sqrt(2)), 0, million);
    check_moment((lattice){NCK_LATTICE_E8, 8}, 929.0 / 12960, 0.220, million);
    check_moment((lattice){NCK_LATTICE_BW16, 16}, 0.0682976, 0.132, million);
    printf(failures ? "%d failures\n" : "all proofs hold\n", failures);
    return failures != 0;
}

// SPDX-License-Identifier: Apache-2.0
// Checks every kernel of every path this machine supports against the portable twin, byte for byte, on random and on hostile input, and prints one
// hash a kernel, which must be the same on every architecture. With --bench it then times every path of every kernel.
//
//     kernelcheck            check; exit status 1 on a difference
//     kernelcheck --bench    check, then a table of times, and one line of JSON
#include "CKernels.h"
#include "kernelcheck.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const path_names[] = {"portable", "avx2", "avx512", "neon"};
enum { PATHS = sizeof path_names / sizeof *path_names };


float *floats_of(size_t count) {
    float *p = malloc((count + GUARD_FLOATS) * sizeof *p);
    if (!p) abort();
    for (size_t i = 0; i < count + GUARD_FLOATS; i++) p[i] = random_float();
    return p;
}

static uint64_t state = 0x9e3779b97f4a7c15u;

void seed_random(uint64_t seed) { state = seed * 2 + 1; }

uint32_t random_bits(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

static int hostile;

void set_hostile(int on) { hostile = on; }

float random_float(void) {
    static const uint32_t edges[] = {0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x7f7fffff,
                                     0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x3f000000, 0xbf000000, 0x49800000};
    uint32_t bits = random_bits();
    if (hostile && bits % 4 == 0) {
        uint32_t edge = edges[random_bits() % (sizeof edges / sizeof *edges)];
        float value;
        memcpy(&value, &edge, sizeof value);
        return value;
    }
    return (float)(int32_t)(bits >> 8) * 0x1p-22f - 2.0f;
}

// NaNs differ between architectures and between fused and separate forms in their bits only: all count as one.
void canonicalize(float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (values[i] != values[i]) {
            const uint32_t bits = 0x7fc00000;
            memcpy(&values[i], &bits, sizeof bits);
        }
}

size_t positions_of(uint64_t round) { return 1 + round % 33; }

uint64_t hash_floats(float *values, size_t count) {
    canonicalize(values, count + GUARD_FLOATS);
    return hash_bytes(HASH_START, values, (count + GUARD_FLOATS) * sizeof *values);
}

uint64_t hash_bytes(uint64_t hash, const void *data, size_t size) {
    const uint8_t *p = data;
    for (size_t i = 0; i < size; i++) hash = (hash ^ p[i]) * 0x100000001b3u;
    return hash;
}

// Prints the kernel's hash.
static int equal_on_all(const check *c, const nck_kernels *const *paths, size_t count) {
    uint64_t hash = HASH_START;
    int equal = 1;
    for (int mode = 0; mode < 2; mode++)
        for (uint64_t round = 0; round < 40; round++) {
            uint64_t first = 0;
            for (size_t p = 0; p < count; p++) {
                set_hostile(mode);
                seed_random(round * 2 + (uint64_t)mode);
                uint64_t result = c->run(paths[p], round);
                if (p == 0) first = result;
                if (result == first) continue;
                printf("%s: %s differs from %s (round %d, %s input)\n", c->name, paths[p]->name, paths[0]->name, (int)round, mode ? "hostile" : "random");
                equal = 0;
            }
            hash = hash_bytes(hash, &first, sizeof first);
        }
    printf("%-20s %016llx %s\n", c->name, (unsigned long long)hash, equal ? "equal on all paths" : "DIFFERENT");
    return equal;
}

int main(int argc, char **argv) {
    const nck_kernels *paths[PATHS];
    size_t count = 0;
    for (size_t i = 0; i < PATHS; i++)
        if (nck_select(path_names[i], &paths[count]) == NCK_SELECTED) count++;
    if (argc > 1 && strcmp(argv[1], "--peak") == 0) return print_peak(paths[count - 1]), 0;
    int failures = 0;
    const check *const families[] = {convolution_checks, elementwise_checks, attention_checks, quantize_checks, layout_checks, lattice_checks, picture_checks};
    for (size_t f = 0; f < sizeof families / sizeof *families; f++)
        for (const check *c = families[f]; c->name; c++) failures += !equal_on_all(c, paths, count);
    printf("paths:");
    for (size_t p = 0; p < count; p++) printf(" %s", paths[p]->name);
    printf("\n");
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) bench(paths, count);
    return failures != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* For checks that compute what a kernel should give from its definition, value by value: paths that share one source could share a bug. */
#ifndef REFERENCE_H
#define REFERENCE_H

#include "kernelcheck.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma STDC FP_CONTRACT OFF

/* Of floats_of(count), guard included. */
static inline float *copy_of(const float *values, size_t count) {
    float *copy = malloc((count + GUARD_FLOATS) * sizeof *copy);
    if (!copy) abort();
    return memcpy(copy, values, (count + GUARD_FLOATS) * sizeof *copy);
}

/* Ends the program when a kernel wrote anything else than it should, guard included. */
static inline void expect_floats(const char *name, const nck_kernels *k, uint64_t round, float *values, float *expected, size_t count) {
    canonicalize(values, count + GUARD_FLOATS), canonicalize(expected, count + GUARD_FLOATS);
    for (size_t i = 0; i < count + GUARD_FLOATS; i++)
        if (memcmp(&values[i], &expected[i], sizeof *values) != 0) {
            printf("%s: %s gives %a at %zu of %zu in round %d, and by definition it is %a\n", name, k->name, (double)values[i], i, count, (int)round, (double)expected[i]);
            exit(1);
        }
}

static inline void expect_bytes(const char *name, const nck_kernels *k, uint64_t round, const void *values, const void *expected, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (((const uint8_t *)values)[i] != ((const uint8_t *)expected)[i]) {
            printf("%s: %s differs from the definition at byte %zu of %zu in round %d\n", name, k->name, i, size, (int)round);
            exit(1);
        }
}

#endif

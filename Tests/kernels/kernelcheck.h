/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELCHECK_H
#define KERNELCHECK_H

#include "CKernels.h"

/* Runs a kernel on input drawn from the seeded generator and returns a hash of everything it wrote, guards included. */
typedef struct check {
    const char *name;
    uint64_t (*run)(const nck_kernels *kernels, uint64_t round);
} check;

extern const check checks[];
extern const size_t check_count;

void bench(const nck_kernels *const *paths, size_t count);

void seed_random(uint64_t seed);
void set_hostile(int on);
uint32_t random_bits(void);
float random_float(void);
/* count random floats and a guard behind them; free with free(). */
float *floats_of(size_t count);
void canonicalize(float *values, size_t count);
uint64_t hash_bytes(uint64_t hash, const void *data, size_t size);

enum { GUARD_FLOATS = 64 };
#define HASH_START 0xcbf29ce484222325u

#endif

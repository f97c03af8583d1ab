/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNELCHECK_H
#define KERNELCHECK_H

#include "CKernels.h"

/* Runs a kernel on input drawn from the seeded generator and returns a hash of everything it wrote, guards included. */
typedef struct check {
    const char *name;
    uint64_t (*run)(const nck_kernels *kernels, uint64_t round);
} check;

/* Each ends with a null name. */
extern const check convolution_checks[], elementwise_checks[], attention_checks[], quantize_checks[], layout_checks[], lattice_checks[], picture_checks[];

void bench(const nck_kernels *const *paths, size_t count);
/* Fused multiply-adds in 10^9 a second of one thread, by processor time, on the path. */
void print_peak(const nck_kernels *kernels);

void seed_random(uint64_t seed);
void set_hostile(int on);
uint32_t random_bits(void);
float random_float(void);
/* count random floats and a guard behind them; free with free(). */
float *floats_of(size_t count);
void canonicalize(float *values, size_t count);
uint64_t hash_bytes(uint64_t hash, const void *data, size_t size);

/* Odd and even numbers of positions, by round. */
size_t positions_of(uint64_t round);
/* Hashes the floats a kernel may have written, and the guard behind them, which it may not. */
uint64_t hash_floats(float *values, size_t count);

enum { GUARD_FLOATS = 64 };
#define HASH_START 0xcbf29ce484222325u

#endif

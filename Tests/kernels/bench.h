/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_H
#define BENCH_H

#include "CKernels.h"
#include <stdio.h>

enum { MOST_PATHS = 8 };

/* Work a second (operations or bytes) of a measurement, and its share of what the machine reached with the yardstick just before each round. */
typedef struct speed {
    double rate, share;
    double low, high; /* quartiles of the share */
} speed;

typedef struct yardstick {
    /* Runs `repeats` times and returns the work done. */
    double (*run)(const nck_kernels *kernels, size_t repeats, void *context);
    void *context;
} yardstick;

/* Medians of `rounds`, in each of which yardstick and measurement take turns for at least `seconds` each. */
speed measure(const nck_kernels *kernels, yardstick measured, yardstick reference, int rounds, double seconds);

/* A row of a table: name, then rate (times `unit`) and share on each path; and the same as JSON. */
void print_header(const char *title, const nck_kernels *const *paths, size_t count);
void print_row(FILE *json, const char *group, const char *name, const nck_kernels *const *paths, const speed *speeds, size_t count);

/* Random floats, well aligned; free with free(). */
float *aligned_floats(size_t count);

int is_portable(const nck_kernels *kernels);

/* Fused multiply-adds in registers only: what the path's instructions can do at most. */
double run_peak(const nck_kernels *kernels, size_t repeats, void *unused);

void bench_products(const nck_kernels *const *paths, size_t count, FILE *json);
void bench_streams(const nck_kernels *const *paths, size_t count, FILE *json);

#endif

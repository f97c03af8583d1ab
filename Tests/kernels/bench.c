// SPDX-License-Identifier: Apache-2.0
// Times: convolutions as a share of the peak of fused multiply-adds measured in the same run, the rest as a share of measured copy bandwidth.
#define _GNU_SOURCE
#include "bench.h"
#include "kernelcheck.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_ROUNDS = 31, ALIGNMENT = 128 }; // pairs of cache lines, which processors fetch together

// Processor time of this thread: the turns of other processes do not count.
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int is_portable(const nck_kernels *kernels) { return strcmp(kernels->name, "portable") == 0; }

// Repeats that take `seconds`.
static size_t repeats_for(const nck_kernels *kernels, yardstick y, double seconds) {
    for (size_t repeats = 1;; repeats *= 2) {
        double start = now();
        y.run(kernels, repeats, y.context);
        double taken = now() - start;
        if (taken > seconds / 8) return 1 + (size_t)((double)repeats * seconds / taken);
    }
}

static double rate_of(const nck_kernels *kernels, yardstick y, size_t repeats) {
    double start = now(), work = y.run(kernels, repeats, y.context);
    return work / (now() - start);
}

speed measure(const nck_kernels *kernels, yardstick measured, yardstick reference, int rounds, double seconds) {
    double rates[MOST_ROUNDS], shares[MOST_ROUNDS];
    size_t repeats = repeats_for(kernels, measured, seconds), reference_repeats = repeats_for(kernels, reference, seconds);
    for (int i = 0; i < rounds; i++) {
        double peak = rate_of(kernels, reference, reference_repeats);
        rates[i] = rate_of(kernels, measured, repeats);
        shares[i] = rates[i] / peak;
    }
    qsort(rates, (size_t)rounds, sizeof *rates, by_value);
    qsort(shares, (size_t)rounds, sizeof *shares, by_value);
    return (speed){rates[rounds / 2], shares[rounds / 2], shares[rounds / 4], shares[rounds - 1 - rounds / 4]};
}

float *aligned_floats(size_t count) {
    float *p = aligned_alloc(ALIGNMENT, (count * sizeof *p + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
    if (!p) abort();
    for (size_t i = 0; i < count; i++) p[i] = random_float();
    return p;
}

void print_header(const char *title, const nck_kernels *const *paths, size_t count) {
    printf("\n%-34s", title);
    for (size_t p = 0; p < count; p++) printf("%26s", paths[p]->name);
    printf("\n");
}

void print_row(FILE *json, const char *group, const char *name, const nck_kernels *const *paths, const speed *speeds, size_t count) {
    printf("%-34s", name);
    for (size_t p = 0; p < count; p++) {
        const speed s = speeds[p];
        printf("%10.*f %4.0f%% (%3.0f-%3.0f)", s.rate < 10e9 ? 2 : 1, s.rate * 1e-9, 100 * s.share, 100 * s.low, 100 * s.high);
        fprintf(json, "%s{\"group\":\"%s\",\"name\":\"%s\",\"path\":\"%s\",\"giga_per_s\":%.3f,\"share\":%.4f,\"low\":%.4f,\"high\":%.4f}",
                ftell(json) > 1 ? "," : "", group, name, paths[p]->name, s.rate * 1e-9, s.share, s.low, s.high);
    }
    printf("\n");
    fflush(stdout);
}

void print_peak(const nck_kernels *kernels) {
    const yardstick peak = {run_peak, NULL};
    printf("%.3f\n", measure(kernels, peak, peak, 9, 0.1).rate * 1e-9);
}

void bench(const nck_kernels *const *paths, size_t count) {
    set_hostile(0);
    seed_random(1);
    char *text;
    size_t size;
    FILE *json = open_memstream(&text, &size);
    if (!json) abort();
    fputc('[', json);
    bench_products(paths, count, json);
    bench_streams(paths, count, json);
    fputc(']', json);
    fclose(json);
    printf("%s\n", text);
    free(text);
}

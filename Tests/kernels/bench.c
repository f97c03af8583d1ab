// SPDX-License-Identifier: Apache-2.0
// Times: convolutions as a share of the peak of fused multiply-adds measured in the same run, the rest as a share of measured copy bandwidth.
#define _GNU_SOURCE
#include "kernelcheck.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

#pragma clang diagnostic ignored "-Wpsabi" // vectors stay inside their functions

typedef struct {
    const char *name;
    size_t inputs, outputs, taps, positions;
} shape;

// The default model's convolutions: a span of 64 positions, operands in the second-level cache.
static const shape shapes[] = {
    {"embed 768-320", 768, 320, 1, 64},   {"block 320-320", 320, 320, 1, 64}, {"block 320-640", 320, 640, 1, 64}, {"block 640-320", 640, 320, 1, 64},
    {"hidden 96-320 3x3", 96, 320, 9, 64}, {"hyper 96-96 3x3", 96, 96, 9, 64}, {"parameters 320-1024", 320, 1024, 1, 64}, {"unembed 512-48", 512, 48, 1, 64},
    {"render 80-32 3x3", 80, 32, 9, 64},  {"render 32-64", 32, 64, 1, 64},    {"render 32-48 3x3", 32, 48, 9, 64},
};

typedef float vector __attribute__((vector_size(4 * NCK_LANES)));

// Fused multiply-adds in registers only, ACCUMULATORS independent chains of 16 lanes: what the path's instructions can do at most.
#define PEAK_LOOP(NAME, ATTRIBUTE, ACCUMULATORS)                                                                   \
    ATTRIBUTE static double NAME(size_t repeats, float seed) {                                                     \
        vector sum[ACCUMULATORS], x = {seed}, w = {seed};                                                          \
        for (int i = 0; i < ACCUMULATORS; i++) sum[i] = x + (float)i;                                              \
        double start = now();                                                                                      \
        for (size_t r = 0; r < repeats; r++) {                                                                     \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < ACCUMULATORS; i++) sum[i] = __builtin_elementwise_fma(x, w, sum[i]); \
            __asm__ volatile("" : "+m"(seed)); /* the loop is not to be computed in advance */                     \
        }                                                                                                          \
        double seconds = now() - start;                                                                            \
        for (int i = 1; i < ACCUMULATORS; i++) sum[0] += sum[i];                                                   \
        volatile float used = sum[0][0];                                                                           \
        (void)used;                                                                                                \
        return (double)repeats * ACCUMULATORS * NCK_LANES / seconds * 1e-9;                                        \
    }

PEAK_LOOP(peak_portable, , 4)
#ifdef __x86_64__
PEAK_LOOP(peak_avx2, __attribute__((target("avx2,fma"))), 6)
PEAK_LOOP(peak_avx512, __attribute__((target("avx512f"))), 16)
#endif

static double peak_of(const nck_kernels *k) {
    double best = 0;
    for (int i = 0; i < 9; i++) {
        double speed;
#ifdef __x86_64__
        if (strcmp(k->name, "avx512") == 0)
            speed = peak_avx512(4000000, 0.5f);
        else if (strcmp(k->name, "avx2") == 0)
            speed = peak_avx2(4000000, 0.5f);
        else
#endif
            speed = peak_portable(40000, 0.5f);
        if (speed > best) best = speed;
    }
    return best;
}

static double gmac_per_second(const nck_kernels *k, const shape *s) {
    float *weights = floats_of(s->outputs * s->inputs * s->taps), *bias = floats_of(s->outputs);
    float *in = floats_of((s->positions + 2) * s->inputs * 3), *out = floats_of(s->positions * s->outputs);
    ptrdiff_t offsets[9] = {0};
    for (size_t t = 0; t < s->taps; t++) offsets[t] = (ptrdiff_t)((t / 3) * (s->positions + 2) * s->inputs + (t % 3) * s->inputs);
    const nck_convolution c = {weights, bias, offsets, NULL, s->taps, s->inputs, s->outputs};
    const nck_epilogue e = {NULL, 0, NCK_ADD_BEFORE, {NCK_LEAKY_RELU, 0.1f}};
    const double work = (double)(s->inputs * s->outputs * s->taps * s->positions);
    double times[9];
    for (int i = 0; i < 9; i++) {
        int repeats = 1 + (int)(2e8 / work / (strcmp(k->name, "portable") == 0 ? 100 : 1));
        double start = now();
        for (int r = 0; r < repeats; r++) k->convolve(&c, in, (ptrdiff_t)s->inputs, out, (ptrdiff_t)s->outputs, s->positions, e);
        times[i] = (now() - start) / repeats;
    }
    qsort(times, 9, sizeof *times, by_value);
    free(weights), free(bias), free(in), free(out);
    return work / times[4] * 1e-9;
}

void bench(const nck_kernels *const *paths, size_t count) {
    set_hostile(0);
    seed_random(1);
    printf("\n%-22s", "GMAC/s, share of peak");
    for (size_t p = 0; p < count; p++) printf("%20s", paths[p]->name);
    double peak[8];
    printf("\n%-22s", "registers only");
    for (size_t p = 0; p < count; p++) printf("%20.1f", peak[p] = peak_of(paths[p]));
    printf("\n");
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        printf("%-22s", shapes[s].name);
        for (size_t p = 0; p < count; p++) {
            double speed = gmac_per_second(paths[p], &shapes[s]);
            printf("%13.1f %5.1f%%", speed, 100 * speed / peak[p]);
        }
        printf("\n");
        fflush(stdout);
    }
}

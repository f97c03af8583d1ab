/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantizers give the same bytes with any number of threads, on every instruction-set path of this machine, and in any floating-point mode of the host; each of
 * their allocations may fail, and all memory comes back to the allocator. Prints a checksum of everything, which is the same on every machine.
 */
#include <math.h>

#include "check.h"
#include "counting_allocator.h"
#include "float_modes.h"

/* ---- Everything that quantizers compute. No floating-point operation of this program runs in the host's mode, whose flags it would change ---- */

/* More than one part for each of 8 threads at the smallest part, and ends that are not whole blocks. */
enum { values = 80000 - 5, answer_size = 1 << 24 };

enum { learnable_count = 160 };

static float input[values], bases[2][12 * 12], learnable[learnable_count * 4];
static uint8_t answer[answer_size], first_answer[answer_size];
static size_t used;

static void make_input(void)
{
    static const float special[] = {NAN, INFINITY, -INFINITY, 3e38f, -1e25f, 1e-42f, -0.0f, 0x1p20f, -0x1p21f, 0.5f, 1.5f, -2.5f, 7, -3};
    uint32_t noise = 1;
    for (size_t i = 0; i < values; i++) {
        noise = noise * 1664525u + 1013904223u;
        input[i] = (float)(int32_t)(noise & ~0xffu) * 0x1p-28f;
        if (noise % 64 < 8) input[i] = rintf(2 * input[i]) / 2;  /* integers and half-integers: ties */
        if (noise % 4096 < 2) input[i] = special[noise / 4096 % (sizeof special / sizeof *special)];
    }
    for (size_t i = 30000; i < 31500; i++) input[i] = isfinite(input[i]) && fabsf(input[i]) < 100 ? input[i] : 1;  /* codewords */
    for (size_t i = 0; i < learnable_count * 4; i++) {
        noise = noise * 1664525u + 1013904223u;
        learnable[i] = (float)(int32_t)(noise & ~0xffu) * 0x1p-28f + (i % 4 ? learnable[i - 1] : 0);
    }
    for (size_t n = 3; n <= 12; n += 9)
        for (size_t i = 0; i < n * n; i++) bases[n == 12][i] = (float)((i * 37 + 11) % 23) / 16 - 0.7f + (i % (n + 1) == 0);
}

static void keep(const void *data, size_t size)
{
    CHECK(used + size <= answer_size);
    memcpy(answer + used, data, size);
    used += size;
}

/* Takes over a quantizer that may have failed to open; keeps what it says of itself and of the input. */
static nc_status use(nc_status status, nc_quantizer **opened, size_t length, uint32_t threads)
{
    static float points[values], again[values];
    static int32_t indices[values];
    static uint8_t proven[values];
    if (status != NC_OK) return status;
    nc_quantizer *quantizer = *opened;
    nc_quantizer_info info = {.struct_size = sizeof info};
    CHECK(nc_quantizer_get_info(quantizer, &info) == NC_OK);
    size_t count = length / info.dimension, rows = info.codewords ? info.codewords : info.dimension;
    length = count * info.dimension;
    CHECK(nc_quantizer_get_basis(quantizer, again, rows * info.dimension) == NC_OK);
    keep(again, 4 * rows * info.dimension);
    keep(&info.volume, sizeof info.volume);
    status = nc_quantizer_quantize(quantizer, input, length, points, indices, proven, threads);
    if (status == NC_OK) status = nc_quantizer_dequantize(quantizer, indices, count * info.index_count, again, threads);
    if (status == NC_OK) {
        CHECK(memcmp(points, again, 4 * length) == 0);
        keep(points, 4 * length);
        keep(indices, 4 * count * info.index_count);
        keep(proven, count);
    }
    nc_quantizer_close(opened);
    return status;
}

/* Learns a lattice for each search; keeps its basis and the figures, all of them binary64. */
static nc_status learned(size_t length, uint32_t threads)
{
    nc_lattice_learning_options options;
    nc_lattice_learning_options_init(&options);
    options.scale = 0.7, options.steps = 6, options.batch = 40, options.threads = threads;
    for (int search = 0; search <= 2; search++) {
        options.search = (nc_search)search;
        options.model = search == 1 ? NC_COORDINATE_LAPLACE : NC_COORDINATE_GAUSSIAN;
        nc_quantizer *quantizer = NULL;
        nc_lattice_learning_report report = {.struct_size = sizeof report};
        nc_status status = nc_quantizer_learn(learnable, learnable_count, 4, &options, &quantizer, &report);
        if (status == NC_OK) keep(&report.scalar, (size_t)((char *)&report.start - (char *)&report.scalar));
        status = use(status, &quantizer, length / 4, threads);
        if (status != NC_OK) return status;
    }
    return NC_OK;
}

static nc_status everything(size_t length, uint32_t threads)
{
    static const struct {
        const char *name;
        size_t dimension;
    } lattices[] = {{"scalar", 1}, {"zn", 3}, {"a2", 2}, {"an", 5}, {"an", 64}, {"d4", 4}, {"dn", 17}, {"e8", 8}, {"barnes-wall", 16}, {"leech", 24}};
    nc_quantizer *quantizer = NULL;
    used = 0;
    nc_quantizer_options options;
    nc_quantizer_options_init(&options);
    options.scale = 0.7;
    for (size_t k = 0; k < sizeof lattices / sizeof *lattices; k++) {
        options.offset = k == 0 ? 0.3 : 0, options.dead_zone = k == 0 ? 0.6 : 0;
        nc_status status = use(nc_quantizer_create(lattices[k].name, lattices[k].dimension, &options, &quantizer), &quantizer, length, threads);
        if (status != NC_OK) return status;
    }
    for (size_t n = 3; n <= 12; n += 9)
        for (int search = 0; search <= 2; search++) {
            options.search = (nc_search)search;
            nc_status status = use(nc_quantizer_create_basis(bases[n == 12], n, &options, &quantizer), &quantizer, length / 4, threads);
            if (status != NC_OK) return status;
        }
    nc_status status = use(nc_quantizer_create_codebook(input + 30000, 300, 5, &options, &quantizer), &quantizer, length, threads);
    if (status != NC_OK) return status;
    nc_codebook_options training;
    nc_codebook_options_init(&training);
    training.rounds = 4;
    training.threads = threads;
    status = use(nc_quantizer_train_codebook(input, length / 4, 4, 40, &training, &quantizer), &quantizer, length / 2, threads);
    return status == NC_OK && length == values ? learned(length, threads) : status; /* hundreds of allocations, which the Swift tests let fail */
}

static void check_same(size_t size, const char *what)
{
    if (used != size || memcmp(answer, first_answer, size) != 0) fprintf(stderr, "other bytes with %s\n", what);
    CHECK(used == size && memcmp(answer, first_answer, size) == 0);
}

int main(void)
{
    nc_allocator custom = {.struct_size = sizeof custom, .allocate = allocate, .deallocate = deallocate};
    CHECK(nc_set_allocator(&custom) == NC_OK);
    make_input();
    CHECK(everything(values, 1) == NC_OK);
    size_t size = used;
    memcpy(first_answer, answer, size);
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < size; i++) sum = (sum ^ answer[i]) * 1099511628211u;
    printf("%016llx\n", (unsigned long long)sum);

    const uint32_t threads[] = {2, 3, 8, 0};
    for (int i = 0; i < 4; i++) {
        CHECK(everything(values, threads[i]) == NC_OK);
        check_same(size, "another number of threads");
    }
    const char *paths[] = {"portable", "avx2", "avx512", "neon"};
    int tried = 0;
    for (int i = 0; i < 4; i++) {
        CHECK(setenv("NEURALCODEC_ISA", paths[i], 1) == 0);
        nc_status status = everything(values, 2);
        if (status == NC_CPU_UNSUPPORTED) continue;
        CHECK(status == NC_OK);
        check_same(size, paths[i]);
        tried++;
    }
    CHECK(tried >= 1);
    setenv("NEURALCODEC_ISA", "nonsense", 1);
    FAILS(everything(values, 2), NC_CPU_UNSUPPORTED);
    unsetenv("NEURALCODEC_ISA");

    uint64_t before = get_mode();
    for (size_t i = 0; i < mode_count; i++) {
        set_mode(modes[i]);
        nc_status status = everything(values, 2);
        uint64_t after = get_mode();
        set_mode(before);
        CHECK(status == NC_OK && after == modes[i]);
        check_same(size, "another floating-point mode");
    }

    CHECK(live == 0);
    long failures = 0;
    for (long k = 1;; k++) {
        fail_at = calls + k;
        nc_status status = everything(3000, 2);
        int reached = calls >= fail_at;
        fail_at = -1;
        CHECK(live == 0);
        if (!reached) {
            CHECK(status == NC_OK);
            break;
        }
        CHECK(status == NC_OK || (status == NC_OUT_OF_MEMORY && nc_last_error()[0]));  /* a thread that cannot start is done without */
        failures += status == NC_OUT_OF_MEMORY;
    }
    CHECK(failures > 20);
    return 0;
}

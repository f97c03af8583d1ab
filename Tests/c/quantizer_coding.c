/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entropy coding of quantizers' indices: what comes back, how many bytes it takes, misuse, damage, failing allocations and the host's floating-point modes.
 * Prints a checksum of all coded data, which is the same on every machine.
 */
#include <math.h>

#include "check.h"
#include "counting_allocator.h"
#include "float_modes.h"

enum { count = 4800 };  /* a multiple of every dimension here */

static float vectors[count], scales[count];
static uint64_t sum = 14695981039346656037u;

static void add(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) sum = (sum ^ data[i]) * 1099511628211u;
}

static void make_input(void)
{
    uint32_t noise = 1;
    for (size_t i = 0; i < count; i++) {
        float value = 0;
        for (int k = 0; k < 8; k++) noise = noise * 1664525u + 1013904223u, value += (float)(int32_t)(noise & ~0xffu) * 0x1p-31f;
        scales[i] = (float)(i / 24 % 7 + 1) * 0.25f;  /* the same in all vectors' coordinates */
        vectors[i] = value * 0.612f * scales[i];      /* a variance of about scale^2 */
    }
}

/* A lattice by name; the name of a search stands for a skewed basis with it, of coordinates that correlate. */
static nc_status opening(const char *name, size_t dimension, double scale, nc_quantizer **quantizer)
{
    static const char *const searches[] = {"babai", "nearest-plane", "exact"};
    nc_quantizer_options options;
    nc_quantizer_options_init(&options);
    options.scale = scale;
    for (int search = 0; search < 3; search++) {
        if (strcmp(name, searches[search])) continue;
        float rows[144], correlation[144];
        for (size_t i = 0; i < dimension; i++)
            for (size_t j = 0; j < dimension; j++) {
                rows[i * dimension + j] = i == j ? 1 : j < i ? (float)((i * 5 + j * 3) % 7) * 0.25f - 0.75f : 0;
                correlation[i * dimension + j] = i == j ? 1 : i + 1 == j || j + 1 == i ? 0.5f : 0.25f;
            }
        options.search = (nc_search)search;
        options.correlation = correlation;
        return nc_quantizer_create_basis(rows, dimension, &options, quantizer);
    }
    return nc_quantizer_create(name, dimension, &options, quantizer);
}

static nc_quantizer *opened(const char *name, size_t dimension, double scale)
{
    nc_quantizer *quantizer = NULL;
    CHECK(opening(name, dimension, scale, &quantizer) == NC_OK);
    return quantizer;
}

static const struct {
    const char *name;
    size_t dimension;
} lattices[] = {{"scalar", 1}, {"zn", 3}, {"a2", 2}, {"an", 5}, {"d4", 4}, {"dn", 6}, {"e8", 8}, {"barnes-wall", 16}, {"leech", 24},
                {"babai", 3}, {"nearest-plane", 12}, {"exact", 8}};
enum { lattice_count = sizeof lattices / sizeof *lattices };

static void round_trips(void)
{
    for (size_t k = 0; k < lattice_count; k++) {
        static int32_t indices[count], again[count];
        static double bits[count];
        const size_t n = lattices[k].dimension;
        nc_quantizer *quantizer = opened(lattices[k].name, n, 0.4);
        CHECK(nc_quantizer_quantize(quantizer, vectors, count, NULL, indices, NULL, 0) == NC_OK);
        uint8_t *data = NULL, *same = NULL;
        size_t size = 0, same_size = 0;
        double rate = -1, total = 0, whole = -1;
        CHECK(nc_quantizer_encode(quantizer, indices, count, scales, count, &data, &size) == NC_OK && nc_last_error()[0] == 0);
        CHECK(nc_quantizer_rate(quantizer, indices, count, scales, count, bits, &rate) == NC_OK);
        CHECK(nc_quantizer_rate(quantizer, indices, count, scales, count, NULL, &whole) == NC_OK && whole == rate);
        for (size_t v = 0; v < count / n; v++) {
            CHECK(bits[v] > 0);
            total += bits[v];
        }
        CHECK(fabs(total - rate) < 1e-6 * rate);
        CHECK(8 * (double)size < 1.0005 * rate + 8 * 36 && 8 * (double)size > 0.9995 * rate + 8 * 15);
        CHECK(nc_quantizer_decode(quantizer, data, size, scales, count, again, count) == NC_OK && memcmp(again, indices, sizeof indices) == 0);
        add(data, size);
        nc_free(data);

        /* One scale for all is the same as one for each vector. */
        static float one[count];
        for (size_t i = 0; i < count; i++) one[i] = 0.75f;
        CHECK(nc_quantizer_encode(quantizer, indices, count, one, 1, &data, &size) == NC_OK);
        CHECK(nc_quantizer_encode(quantizer, indices, count, one, count / n, &same, &same_size) == NC_OK);
        CHECK(size == same_size && memcmp(data, same, size) == 0);
        CHECK(nc_quantizer_decode(quantizer, data, size, one, count, again, count) == NC_OK && memcmp(again, indices, sizeof indices) == 0);
        nc_free(data), nc_free(same);

        /* Scales that are no numbers count as 0, negative ones too; infinite ones are the largest there are. */
        const float odd[] = {NAN, -NAN, -1, -INFINITY, 0}, large[] = {INFINITY, 3e38f};
        CHECK(nc_quantizer_encode(quantizer, indices, count, odd, 1, &data, &size) == NC_OK);
        for (int i = 0; i < 5; i++) {
            CHECK(nc_quantizer_encode(quantizer, indices, count, odd + i, 1, &same, &same_size) == NC_OK && size == same_size && memcmp(data, same, size) == 0);
            nc_free(same);
            memset(again, 1, sizeof again);
            CHECK(nc_quantizer_decode(quantizer, data, size, odd + i, 1, again, count) == NC_OK && memcmp(again, indices, sizeof indices) == 0);
        }
        add(data, size);
        nc_free(data);
        CHECK(nc_quantizer_encode(quantizer, indices, count, large, 1, &data, &size) == NC_OK);
        CHECK(nc_quantizer_decode(quantizer, data, size, large + 1, 1, again, count) == NC_OK && memcmp(again, indices, sizeof indices) == 0);
        nc_free(data);

        /* Nothing at all. */
        CHECK(nc_quantizer_rate(quantizer, NULL, 0, NULL, 0, NULL, &rate) == NC_OK && rate == 0);
        CHECK(nc_quantizer_encode(quantizer, NULL, 0, NULL, 0, &data, &size) == NC_OK && size == 32);
        CHECK(nc_quantizer_decode(quantizer, data, size, scales, 1, NULL, 0) == NC_OK);
        nc_free(data);
        nc_quantizer_close(&quantizer);
    }
}

static void misuse(void)
{
    nc_quantizer *e8 = opened("e8", 0, 1);
    int32_t indices[24] = {0}, again[24];
    uint8_t *data = (uint8_t *)16, *coded = NULL;
    size_t size = 99, coded_size = 0;
    double rate = 99, bits[3] = {99, 99, 99};
    CHECK(nc_quantizer_encode(e8, indices, 24, scales, 3, &coded, &coded_size) == NC_OK);
    memset(again, 9, sizeof again);
#define RATE(...) FAILS(nc_quantizer_rate(__VA_ARGS__), NC_INVALID_ARGUMENT)
#define ENCODE(...) FAILS(nc_quantizer_encode(__VA_ARGS__), NC_INVALID_ARGUMENT)
#define DECODE(...) FAILS(nc_quantizer_decode(__VA_ARGS__), NC_INVALID_ARGUMENT)
    RATE(NULL, indices, 24, scales, 3, bits, &rate);
    RATE(e8, NULL, 24, scales, 3, bits, &rate);
    RATE(e8, indices, 24, NULL, 3, bits, &rate);
    RATE(e8, indices, 24, scales, 3, bits, NULL);
    ENCODE(NULL, indices, 24, scales, 3, &data, &size);
    ENCODE(e8, NULL, 24, scales, 3, &data, &size);
    ENCODE(e8, indices, 24, NULL, 3, &data, &size);
    ENCODE(e8, indices, 24, scales, 3, NULL, &size);
    ENCODE(e8, indices, 24, scales, 3, &data, NULL);
    DECODE(NULL, coded, coded_size, scales, 3, again, 24);
    DECODE(e8, NULL, coded_size, scales, 3, again, 24);
    DECODE(e8, coded, coded_size, NULL, 3, again, 24);
    DECODE(e8, coded, coded_size, scales, 3, NULL, 24);
    const size_t wrong[] = {7, 23, SIZE_MAX, SIZE_MAX - 7, SIZE_MAX / 2, SIZE_MAX / 4 + 1};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        RATE(e8, indices, wrong[i], scales, 3, bits, &rate);
        ENCODE(e8, indices, wrong[i], scales, 3, &data, &size);
        DECODE(e8, coded, coded_size, scales, 3, again, wrong[i]);
        RATE(e8, indices, 24, scales, wrong[i], bits, &rate);
        ENCODE(e8, indices, 24, scales, wrong[i], &data, &size);
        DECODE(e8, coded, coded_size, scales, wrong[i], again, 24);
    }
    ENCODE(e8, indices, 24, NULL, 0, &data, &size);
    DECODE(e8, coded, SIZE_MAX, scales, 3, again, 24);

    /* Points that are too far away, one of them so far that 32 bits would not show it. */
    const int32_t far[] = {1 << 22, -(1 << 22), INT32_MAX, INT32_MIN};
    for (int i = 0; i < 4; i++)
        for (int where = 16; where < 24; where += 7) {
            indices[where] = far[i];
            ENCODE(e8, indices, 24, scales, 3, &data, &size);
            CHECK(strstr(nc_last_error(), "vector 2"));
            RATE(e8, indices, 24, scales, 3, bits, &rate);
            indices[where] = 0;
        }

    /* A correlation is for a basis, and comes back. */
    const float unit[] = {1, 0, 0, 1}, wrong_correlation[] = {1, 0.5f, 0.4f, 1}, right[] = {1, 0.5f, 0.5f, 1};
    float found[65];
    nc_quantizer_options options;
    nc_quantizer_options_init(&options);
    CHECK(options.correlation == NULL);
    nc_quantizer *basis = NULL;
    options.correlation = wrong_correlation;
    FAILS(nc_quantizer_create_basis(unit, 2, &options, &basis), NC_INVALID_ARGUMENT);
    options.correlation = right;
    FAILS(nc_quantizer_create("a2", 2, &options, &basis), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_create_codebook(unit, 2, 2, &options, &basis), NC_INVALID_ARGUMENT);
    CHECK(basis == NULL && nc_quantizer_create_basis(unit, 2, &options, &basis) == NC_OK);
    found[4] = 77;
    CHECK(nc_quantizer_get_correlation(basis, found, 4) == NC_OK && memcmp(found, right, sizeof right) == 0 && found[4] == 77);
    FAILS(nc_quantizer_get_correlation(basis, found, 3), NC_BUFFER_TOO_SMALL);
    FAILS(nc_quantizer_get_correlation(basis, NULL, 4), NC_INVALID_ARGUMENT);
    FAILS(nc_quantizer_get_correlation(NULL, found, 4), NC_INVALID_ARGUMENT);
    CHECK(nc_quantizer_get_correlation(e8, found, 65) == NC_OK && found[0] == 1 && found[1] == 0 && found[63] == 1);
    nc_quantizer_close(&basis);

    const float codewords[] = {0, 0, 1, 1};
    nc_quantizer *codebook = NULL;
    CHECK(nc_quantizer_create_codebook(codewords, 2, 2, NULL, &codebook) == NC_OK);
    FAILS(nc_quantizer_get_correlation(codebook, found, 65), NC_UNSUPPORTED);
    FAILS(nc_quantizer_rate(codebook, indices, 24, scales, 1, NULL, &rate), NC_UNSUPPORTED);
    FAILS(nc_quantizer_encode(codebook, indices, 24, scales, 1, &data, &size), NC_UNSUPPORTED);
    FAILS(nc_quantizer_decode(codebook, coded, coded_size, scales, 1, again, 24), NC_UNSUPPORTED);
    nc_quantizer_close(&codebook);

    for (int i = 0; i < 24; i++) CHECK(again[i] == 0x09090909);
    CHECK(data == (uint8_t *)16 && size == 99 && rate == 99 && bits[0] == 99 && bits[2] == 99);
    nc_free(coded);
    nc_quantizer_close(&e8);
}

static void damage(void)
{
    for (size_t k = 0; k < lattice_count; k++) {
        static int32_t indices[count], again[count];
        nc_quantizer *quantizer = opened(lattices[k].name, lattices[k].dimension, 0.4);
        const size_t length = 240, n = lattices[k].dimension;
        CHECK(nc_quantizer_quantize(quantizer, vectors, length, NULL, indices, NULL, 0) == NC_OK);
        uint8_t *data = NULL;
        size_t size = 0;
        CHECK(nc_quantizer_encode(quantizer, indices, length, scales, length, &data, &size) == NC_OK);
        memset(again, 9, sizeof again);
        for (size_t shorter = 0; shorter < size; shorter++) {
            uint8_t *part = malloc(shorter ? shorter : 1);  /* of this size, for the sanitizer */
            CHECK(part);
            memcpy(part, data, shorter);
            FAILS(nc_quantizer_decode(quantizer, part, shorter, scales, length, again, length), NC_BAD_STREAM);
            free(part);
        }
        FAILS(nc_quantizer_decode(quantizer, data, size, scales, length - n, again, length - n), NC_BAD_STREAM);
        FAILS(nc_quantizer_decode(quantizer, data, size, scales + 100, 1, again, length), NC_BAD_STREAM);
        for (size_t i = 0; i < count; i++) CHECK(again[i] == 0x09090909);
        int noticed = 0;
        for (size_t i = 0; i < size; i++) {
            data[i] ^= 0x15;
            nc_status status = nc_quantizer_decode(quantizer, data, size, scales, length, again, length);
            CHECK(status == NC_BAD_STREAM || status == NC_OK);
            double rate = 0;
            if (status == NC_OK) CHECK(nc_quantizer_rate(quantizer, again, length, scales, length, NULL, &rate) == NC_OK);
            noticed += status != NC_OK;
            data[i] ^= 0x15;
        }
        CHECK((size_t)noticed > size / 2);
        nc_free(data);
        nc_quantizer_close(&quantizer);
    }
}

/* ---- Every allocation may fail ---- */

/* Encodes and decodes with a quantizer that is new each time; the status of what failed first. */
static nc_status both(const char *name, size_t dimension)
{
    static int32_t indices[48], again[48];
    nc_quantizer *quantizer = NULL;
    uint8_t *data = NULL;
    size_t size = 0;
    nc_status status = opening(name, dimension, 1, &quantizer);
    if (status == NC_OK) status = nc_quantizer_encode(quantizer, indices, 48, scales, 1, &data, &size);
    if (status == NC_OK) status = nc_quantizer_decode(quantizer, data, size, scales, 1, again, 48);
    if (status == NC_OK) CHECK(memcmp(indices, again, sizeof indices) == 0);
    nc_free(data);
    nc_quantizer_close(&quantizer);
    return status;
}

static void failing_allocations(const char *name, size_t dimension)
{
    long failures = 0;
    for (int tables = 1; tables >= 0; tables--) {
        /* First with the tables, which stay once they are there; then without. */
        for (long k = 1;; k++) {
            const long before = live;
            fail_at = calls + k;
            nc_status status = both(name, dimension);
            const int reached = calls >= fail_at;
            fail_at = -1;
            if (!tables) CHECK(live == before);
            CHECK(status == (reached ? NC_OUT_OF_MEMORY : NC_OK));
            if (!reached) break;
            CHECK(nc_last_error()[0] == 0 || strstr(nc_last_error(), "memory"));
            failures++;
        }
    }
    CHECK(failures > 10);
}

static void float_modes(const char *name, size_t dimension)
{
    static int32_t indices[count], again[count];
    nc_quantizer *quantizer = opened(name, dimension, 0.4);
    CHECK(nc_quantizer_quantize(quantizer, vectors, count, NULL, indices, NULL, 0) == NC_OK);
    uint8_t *expected = NULL, *data = NULL;
    size_t expected_size = 0, size = 0;
    double rate = 0, other = 0;
    CHECK(nc_quantizer_encode(quantizer, indices, count, scales, count, &expected, &expected_size) == NC_OK);
    CHECK(nc_quantizer_rate(quantizer, indices, count, scales, count, NULL, &rate) == NC_OK);
    uint64_t before = get_mode();
    for (size_t i = 0; i < mode_count; i++) {
        set_mode(modes[i]);
        nc_status encoded = nc_quantizer_encode(quantizer, indices, count, scales, count, &data, &size);
        nc_status decoded = nc_quantizer_decode(quantizer, data, size, scales, count, again, count);
        nc_status rated = nc_quantizer_rate(quantizer, indices, count, scales, count, NULL, &other);
        uint64_t after = get_mode();
        set_mode(before);
        CHECK(encoded == NC_OK && decoded == NC_OK && rated == NC_OK && after == modes[i]);
        CHECK(size == expected_size && memcmp(data, expected, size) == 0 && memcmp(again, indices, sizeof indices) == 0 && other == rate);
        nc_free(data);
    }
    nc_free(expected);
    nc_quantizer_close(&quantizer);
}

int main(void)
{
    nc_allocator custom = {.struct_size = sizeof custom, .allocate = allocate, .deallocate = deallocate};
    CHECK(nc_set_allocator(&custom) == NC_OK);
    make_input();
    failing_allocations("leech", 24), failing_allocations("exact", 8);  /* before anything else has made the tables */
    round_trips();
    const long tables = live;
    misuse();
    damage();
    float_modes("e8", 8), float_modes("nearest-plane", 12);
    CHECK(live == tables);
    printf("%016llx\n", (unsigned long long)sum);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nic-quantize: what a lattice gains. Quantizes random Gaussian vectors with E8 and with a scalar quantizer whose cells have the same volume, so that both
 * need about the same bytes where cells are small, entropy-codes the indices, decodes them, and prints bytes and errors of both.
 *
 * The steps every quantizing program has: nc_quantizer_create, nc_quantizer_quantize, nc_quantizer_encode; nc_quantizer_decode, nc_quantizer_dequantize,
 * nc_quantizer_close.
 */
#include <getopt.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <neuralcodec.h>

enum { success = 0, failure = 1, bad_usage = 2 };  /* exit codes */

static const char usage[] =
    "usage: nic-quantize [options]\n"
    "  -s, --scale S    scale of the lattice and of the scalar quantizer; 0.5\n"
    "  -n, --count N    number of vectors; 100000\n"
    "  -h, --help       this text\n";

static int fail(const char *what)
{
    fprintf(stderr, "nic-quantize: %s\n", what);
    return failure;
}

/* Uniform in 0...1, both excluded: a linear congruential generator is random enough for an example. */
static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return ((double)(*state >> 12) + 0.5) * 0x1p-52;
}

/* Pairs of independent normal values, by Box and Muller. */
static void fill_with_gaussians(float *values, size_t count)
{
    uint64_t state = 1;
    for (size_t i = 0; i < count; i += 2) {
        double radius = sqrt(-2 * log(uniform(&state))), angle = 2 * 3.14159265358979323846 * uniform(&state);
        values[i] = (float)(radius * cos(angle));
        if (i + 1 < count) values[i + 1] = (float)(radius * sin(angle));
    }
}

typedef struct {
    double error;  /* mean squared, of a value */
    double bits;   /* a value, of the coded data */
} figures;

/* What a sender does: indices of the nearest points, and from them bytes for nc_free. The values have a standard deviation of 1. */
static nc_status encode(const nc_quantizer *quantizer, const float *values, int32_t *indices, size_t length, uint8_t **data, size_t *size)
{
    const float deviation = 1;
    nc_status status = nc_quantizer_quantize(quantizer, values, length, NULL, indices, NULL, 0);
    return status == NC_OK ? nc_quantizer_encode(quantizer, indices, length, &deviation, 1, data, size) : status;
}

/* What a receiver does, who knows the quantizer, the standard deviation and the number of values. */
static nc_status decode(const nc_quantizer *quantizer, const uint8_t *data, size_t size, int32_t *indices, float *points, size_t length)
{
    const float deviation = 1;
    nc_status status = nc_quantizer_decode(quantizer, data, size, &deviation, 1, indices, length);
    return status == NC_OK ? nc_quantizer_dequantize(quantizer, indices, length, points, 0) : status;
}

/* Sends `length` values by the quantizer of that name and dimension. */
static int measure(const char *name, size_t dimension, double scale, const float *values, size_t length, figures *result)
{
    nc_quantizer_options options;
    nc_quantizer_options_init(&options);
    options.scale = scale;
    nc_quantizer *quantizer = NULL;
    if (nc_quantizer_create(name, dimension, &options, &quantizer) != NC_OK) return fail(nc_last_error());

    float *points = malloc(length * sizeof *points);
    int32_t *indices = malloc(length * sizeof *indices);
    uint8_t *data = NULL;
    size_t size = 0;
    int code = success;
    if (!points || !indices) {
        code = fail("no memory");
    } else if (encode(quantizer, values, indices, length, &data, &size) != NC_OK || decode(quantizer, data, size, indices, points, length) != NC_OK) {
        code = fail(nc_last_error());
    } else {
        double sum = 0;
        for (size_t i = 0; i < length; i++) sum += ((double)values[i] - points[i]) * ((double)values[i] - points[i]);
        result->error = sum / (double)length;
        result->bits = 8 * (double)size / (double)length;
    }
    nc_free(data);
    free(points);
    free(indices);
    nc_quantizer_close(&quantizer);
    return code;
}

int main(int count, char **arguments)
{
    static const struct option long_options[] = {
        {"scale", required_argument, NULL, 's'}, {"count", required_argument, NULL, 'n'}, {"help", no_argument, NULL, 'h'}, {0},
    };
    double scale = 0.5, vectors = 100000;
    for (int option; (option = getopt_long(count, arguments, "s:n:h", long_options, NULL)) != -1;) {
        char *end = NULL;
        switch (option) {
        case 's': scale = strtod(optarg, &end); break;
        case 'n': vectors = strtod(optarg, &end); break;
        case 'h': fputs(usage, stdout); return success;
        default: break;
        }
        if (!end || end == optarg || *end) {
            fputs(usage, stderr);
            return bad_usage;
        }
    }
    if (optind != count || !(vectors >= 1 && vectors <= 1e8)) {
        fputs(usage, stderr);
        return bad_usage;
    }

    size_t length = (size_t)vectors * 8;
    float *values = malloc(length * sizeof *values);
    if (!values) return fail("no memory");
    fill_with_gaussians(values, length);
    figures e8, scalar;
    /* A cell of E8 has the volume scale^8, that of the scalar quantizer the volume scale in each of 8 dimensions. */
    int code = measure("e8", 8, scale, values, length, &e8);
    if (code == success) code = measure("scalar", 1, scale, values, length, &scalar);
    free(values);
    if (code != success) return code;
    printf("e8      scale %g, mean squared error %.6f, %.4f bits a value\n", scale, e8.error, e8.bits);
    printf("scalar  scale %g, mean squared error %.6f, %.4f bits a value\n", scale, scalar.error, scalar.bits);
    printf("gain    %.3f dB\n", 10 * log10(scalar.error / e8.error));
    return success;
}

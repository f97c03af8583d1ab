/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nic-encode: PNG in, .nic out.
 *
 * The steps every encoding program has: fill nc_encode_options, describe the pixels with an nc_image, call nc_encode, use the bytes, nc_free them.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <neuralcodec.h>
#include <png.h>

enum { success = 0, failure = 1, bad_usage = 2 };  /* exit codes */

static const char usage[] =
    "usage: nic-encode [options] input.png output.nic\n"
    "  -q, --quality Q      0 (smallest) to 100 (best); 75 when no target is given\n"
    "  -s, --target-size N  best quality in at most N bytes\n"
    "  -p, --target-psnr D  smallest file of at least D dB\n"
    "  -j, --threads N      0 (all cores) to 1024; the output does not depend on it\n"
    "  -h, --help           this text\n";

static int fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("nic-encode: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return code;
}

/* Reads a number of low...high from the whole of the text; with `whole` an integer. */
static int parse(const char *text, int whole, double low, double high, double *value)
{
    char *end;
    *value = strtod(text, &end);
    if (end != text && *end == '\0' && *value >= low && *value <= high && (!whole || *value == (double)(uint64_t)*value)) return success;
    return fail(bad_usage, "\"%s\" is not %s from %g to %.16g", text, whole ? "a whole number" : "a number", low, high);
}

/* Reads an 8-bit PNG into *image, whose pixels the caller frees. libpng expands palettes, 1, 2 and 4 bit gray, and transparent colours. */
static int read_png(const char *path, nc_image *image)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    if (!png_image_begin_read_from_file(&png, path)) return fail(failure, "%s: %s", path, png.message);

    /* The library codes 16 bits too, but this way of reading PNG would change the samples. */
    if (png.format & PNG_FORMAT_FLAG_LINEAR) {
        png_image_free(&png);
        return fail(failure, "%s: unsupported: the picture has 16-bit samples", path);
    }
    png.format &= PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA;
    void *pixels = malloc(PNG_IMAGE_SIZE(png));
    if (!pixels) {
        png_image_free(&png);
        return fail(failure, "%s: no memory for %lu x %lu pixels", path, (unsigned long)png.width, (unsigned long)png.height);
    }
    if (!png_image_finish_read(&png, NULL, pixels, 0, NULL)) {  /* frees png itself */
        free(pixels);
        return fail(failure, "%s: %s", path, png.message);
    }
    *image = (nc_image){.pixels = pixels, .width = png.width, .height = png.height, .channels = PNG_IMAGE_SAMPLE_CHANNELS(png.format)};
    return success;
}

/* Writes to a temporary file beside the target and renames it, so that the target is either whole or as it was. */
static int write_file(const char *path, const uint8_t *data, size_t size)
{
    struct stat existing;
    if (stat(path, &existing) == 0 && !S_ISREG(existing.st_mode)) return fail(failure, "%s: not a regular file", path);

    char temporary[4096];
    int length = snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof temporary) return fail(failure, "the output name is too long");
    FILE *file = fopen(temporary, "wbx");
    if (!file) return fail(failure, "%s: %s", temporary, strerror(errno));
    int written = fwrite(data, 1, size, file) == size;
    written = (fclose(file) == 0) && written;
    if (written && rename(temporary, path) == 0) return success;
    int code = fail(failure, "%s: %s", path, strerror(errno));
    remove(temporary);
    return code;
}

int main(int count, char **arguments)
{
    static const struct option long_options[] = {
        {"quality", required_argument, NULL, 'q'}, {"target-size", required_argument, NULL, 's'}, {"target-psnr", required_argument, NULL, 'p'},
        {"threads", required_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0},
    };
    nc_encode_options options;
    nc_encode_options_init(&options);
    double number;
    for (int option; (option = getopt_long(count, arguments, "q:s:p:j:h", long_options, NULL)) != -1;) {
        switch (option) {
        case 'q': if (parse(optarg, 0, 0, 100, &number)) return bad_usage; options.quality = number; break;
        case 's': if (parse(optarg, 1, 1, 1e15, &number)) return bad_usage; options.target_size = (size_t)number; break;
        case 'p': if (parse(optarg, 0, 1, 200, &number)) return bad_usage; options.target_psnr = number; break;
        case 'j': if (parse(optarg, 1, 0, 1024, &number)) return bad_usage; options.threads = (uint32_t)number; break;
        case 'h': fputs(usage, stdout); return success;
        default: fputs(usage, stderr); return bad_usage;
        }
    }
    if (count - optind != 2) {
        fputs(usage, stderr);
        return bad_usage;
    }
    const char *input = arguments[optind], *output = arguments[optind + 1];

    nc_image image;
    if (read_png(input, &image)) return failure;

    uint8_t *data = NULL;
    size_t size = 0;
    nc_status status = nc_encode(NULL, &image, &options, &data, &size, NULL);
    free((void *)image.pixels);
    if (status == NC_INVALID_ARGUMENT) return fail(bad_usage, "%s", nc_last_error());
    if (status != NC_OK) return fail(failure, "%s: %s", input, nc_last_error());

    int code = write_file(output, data, size);
    nc_free(data);
    return code;
}

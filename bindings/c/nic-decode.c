/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nic-decode: .nic in, PNG out.
 *
 * The steps every decoding program has: fill nc_decode_options, hand the bytes to nc_decode, use the pixels that nc_info describes, nc_free them.
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
    "usage: nic-decode [options] input.nic output.png\n"
    "  -j, --threads N      0 (all cores) to 1024; the output does not depend on it\n"
    "  -h, --help           this text\n";

static int fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("nic-decode: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return code;
}

/* Reads a whole file into *data, which the caller frees. */
static int read_file(const char *path, uint8_t **data, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file) return fail(failure, "%s: %s", path, strerror(errno));
    uint8_t *bytes = NULL;
    size_t used = 0, capacity = 0;
    do {
        if (used == capacity) {
            capacity = capacity ? 2 * capacity : 1 << 16;
            uint8_t *larger = realloc(bytes, capacity);
            if (!larger) break;
            bytes = larger;
        }
        used += fread(bytes + used, 1, capacity - used, file);
    } while (!feof(file) && !ferror(file));

    int complete = feof(file) && !ferror(file), reason = errno;
    fclose(file);
    if (!complete) {
        free(bytes);
        return fail(failure, "%s: %s", path, strerror(reason));
    }
    *data = bytes;
    *size = used;
    return success;
}

/* Writes to a temporary file beside the target and renames it, so that the target is either whole or as it was. */
static int write_png(const char *path, const uint8_t *pixels, const nc_info *info)
{
    struct stat existing;
    if (stat(path, &existing) == 0 && !S_ISREG(existing.st_mode)) return fail(failure, "%s: not a regular file", path);

    char temporary[4096];
    int length = snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof temporary) return fail(failure, "the output name is too long");

    static const png_uint_32 formats[] = {PNG_FORMAT_GRAY, PNG_FORMAT_GA, PNG_FORMAT_RGB, PNG_FORMAT_RGBA};
    png_image png = {.version = PNG_IMAGE_VERSION, .width = (png_uint_32)info->width, .height = (png_uint_32)info->height, .format = formats[info->channels - 1]};
    if (!png_image_write_to_file(&png, temporary, 0, pixels, 0, NULL)) return fail(failure, "%s: %s", path, png.message);  /* removes its file */
    if (rename(temporary, path) == 0) return success;
    int code = fail(failure, "%s: %s", path, strerror(errno));
    remove(temporary);
    return code;
}

int main(int count, char **arguments)
{
    static const struct option long_options[] = {{"threads", required_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    nc_decode_options options;
    nc_decode_options_init(&options);
    options.bit_depth = 8;  /* whatever the file has */
    for (int option; (option = getopt_long(count, arguments, "j:h", long_options, NULL)) != -1;) {
        switch (option) {
        case 'j': {
            char *end;
            long threads = strtol(optarg, &end, 10);
            if (end == optarg || *end || threads < 0 || threads > 1024) return fail(bad_usage, "\"%s\" is not a number from 0 to 1024", optarg);
            options.threads = (uint32_t)threads;
            break;
        }
        case 'h': fputs(usage, stdout); return success;
        default: fputs(usage, stderr); return bad_usage;
        }
    }
    if (count - optind != 2) {
        fputs(usage, stderr);
        return bad_usage;
    }
    const char *input = arguments[optind], *output = arguments[optind + 1];

    uint8_t *data = NULL, *pixels = NULL;
    size_t size = 0;
    if (read_file(input, &data, &size)) return failure;

    nc_info info = {.struct_size = sizeof info};
    nc_status status = nc_decode(NULL, data, size, &options, &pixels, &info);
    free(data);
    if (status != NC_OK) return fail(failure, "%s: %s", input, nc_last_error());

    int code = write_png(output, pixels, &info);
    nc_free(pixels);
    return code;
}

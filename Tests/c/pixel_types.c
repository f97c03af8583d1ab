/* SPDX-License-Identifier: Apache-2.0 */
/* Gray and RGB, with and without alpha, of 8 and 16 bits, with metadata: exact alpha, depth and bytes, and programs that know the structures as they once were. */
#include "check.h"

enum { width = 83, height = 61, most = width * height * 4 * 2 };

/* The picture of check.h with a disc as alpha; 16 bits have noise in the lower byte. */
static nc_image make(uint8_t *pixels, size_t channels, size_t bytes)
{
    static uint8_t plain[width * height * 4];
    make_picture(plain, width, height, channels);
    for (size_t i = 0; i < width * height * channels; i++) {
        long x = (long)(i / channels % width), y = (long)(i / channels / width), d = (2 * x - width) * (2 * x - width) + (2 * y - height) * (2 * y - height);
        long value = channels % 2 == 0 && i % channels == channels - 1 ? (d < 6000 ? 255 - d / 24 : 0) : plain[i];
        uint8_t sample[2] = {(uint8_t)value, (uint8_t)value};
        if (bytes == 2) {
            uint16_t wide = (uint16_t)(256 * value + (long)(i * 7919 % 251));
            memcpy(sample, &wide, 2);
        }
        memcpy(pixels + i * bytes, sample, bytes);
    }
    return (nc_image){.pixels = pixels, .width = width, .height = height, .channels = channels};
}

static long sample(const uint8_t *pixels, size_t index, size_t bytes)
{
    uint16_t wide;
    memcpy(&wide, pixels + index * bytes, bytes);
    return bytes == 2 ? wide : pixels[index];
}

static const char icc[] = "a profile", exif[] = "MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\7\0\0\0\0\0\0", xmp[] = "<x:xmpmeta/>";

static void check_metadata(const uint8_t *file, size_t size)
{
    nc_metadata found = {.struct_size = sizeof found};
    CHECK(nc_read_metadata(file, size, &found) == NC_OK);
    CHECK(found.icc_size == sizeof icc && memcmp(found.icc, icc, sizeof icc) == 0);
    CHECK(found.exif_size == sizeof exif && memcmp(found.exif, exif, sizeof exif) == 0);
    CHECK(found.xmp_size == sizeof xmp && memcmp(found.xmp, xmp, sizeof xmp) == 0);
    const uint8_t *start = found.icc;
    CHECK(start > file && start < file + size); /* nothing was allocated */
}

static void round_trip(size_t channels, size_t bytes, int stored)
{
    static uint8_t source[most], into[most + 1];
    const size_t row = width * channels * bytes, count = width * height * channels;
    nc_image image = make(source, channels, bytes);
    nc_metadata metadata = {.struct_size = sizeof metadata, .icc = icc, .icc_size = sizeof icc, .exif = exif, .exif_size = sizeof exif, .xmp = xmp, .xmp_size = sizeof xmp};
    nc_encode_options options;
    nc_encode_options_init(&options);
    options.quality = stored ? -1 : 85;
    options.target_size = stored ? 1 << 20 : 0;
    options.bit_depth = bytes == 2 ? 16 : channels % 2 ? 0 : 8;
    options.metadata = &metadata;
    uint8_t *file, *pixels;
    size_t size;
    CHECK(nc_encode(NULL, &image, &options, &file, &size, NULL) == NC_OK);
    check_metadata(file, size);

    nc_info info = {.struct_size = sizeof info}, of_file = {.struct_size = sizeof of_file};
    CHECK(nc_decode(NULL, file, size, NULL, &pixels, &info) == NC_OK && nc_read_info(file, size, &of_file) == NC_OK);
    CHECK(info.channels == of_file.channels && info.bit_depth == of_file.bit_depth && info.alpha_size == of_file.alpha_size && info.payload_size == of_file.payload_size);
    CHECK(info.width == width && info.height == height && info.channels == channels && info.bit_depth == 8 * bytes && info.stored == stored);
    CHECK(info.alpha == (channels % 2 == 0) && (info.alpha_size != 0) == info.alpha && info.orientation == 7);
    CHECK(info.icc_size == sizeof icc && info.exif_size == sizeof exif && info.xmp_size == sizeof xmp);
    double error = 0;
    const double peak = bytes == 2 ? 65535 : 255;
    for (size_t i = 0; i < count; i++) {
        long difference = sample(source, i, bytes) - sample(pixels, i, bytes);
        if (stored || (info.alpha && i % channels == channels - 1)) CHECK(difference == 0);
        error += (double)difference * (double)difference;
    }
    CHECK(error / (double)count < peak * peak / 158); /* 22 dB */

    /* At an odd address. */
    CHECK(nc_decode_into(NULL, file, size, NULL, into + 1, row * height, 0) == NC_OK && memcmp(into + 1, pixels, row * height) == 0);
    FAILS(nc_decode_into(NULL, file, size, NULL, into, row * height - 1, 0), NC_BUFFER_TOO_SMALL);
    FAILS(nc_decode_into(NULL, file, size, NULL, into, row * height, row - 1), NC_BUFFER_TOO_SMALL);

    /* Without alpha, of 8 bits. */
    nc_decode_options reading;
    nc_decode_options_init(&reading);
    reading.alpha = NC_ALPHA_NONE, reading.bit_depth = 8;
    const size_t colours = channels < 3 ? 1 : 3;
    uint8_t *reduced;
    CHECK(nc_decode(NULL, file, size, &reading, &reduced, &info) == NC_OK && info.channels == colours && info.bit_depth == 8 && !info.alpha && info.icc_size);
    for (size_t i = 0; i < width * height * colours; i++) {
        double wide = (double)sample(pixels, i / colours * channels + i % colours, bytes) * (255 / peak);
        CHECK(wide - reduced[i] < 0.51 && wide - reduced[i] > -0.51);
    }
    CHECK(nc_decode_into(NULL, file, size, &reading, into, width * height * colours, 0) == NC_OK && memcmp(into, reduced, width * height * colours) == 0);
    reading.bit_depth = 16;
    if (bytes == 1) FAILS(nc_decode(NULL, file, size, &reading, &reduced, &info), NC_UNSUPPORTED);
    reading.bit_depth = 9;
    FAILS(nc_decode(NULL, file, size, &reading, &reduced, &info), NC_INVALID_ARGUMENT);
    reading.bit_depth = 0, reading.alpha = (nc_alpha)7;
    FAILS(nc_decode(NULL, file, size, &reading, &reduced, &info), NC_INVALID_ARGUMENT);
    nc_free(reduced);

    /* Left out when encoding: the file of the colours alone. */
    if (info.alpha || channels % 2 == 0) {
        static uint8_t opaque[most];
        for (size_t i = 0; i < width * height; i++) memcpy(opaque + i * colours * bytes, source + i * channels * bytes, colours * bytes);
        nc_image plain = image;
        plain.pixels = opaque, plain.channels = colours;
        uint8_t *a, *b;
        size_t a_size, b_size;
        options.alpha = NC_ALPHA_NONE;
        CHECK(nc_encode(NULL, &image, &options, &a, &a_size, NULL) == NC_OK && nc_encode(NULL, &plain, &options, &b, &b_size, NULL) == NC_OK);
        CHECK(a_size == b_size && memcmp(a, b, a_size) == 0 && a_size < size);
        nc_free(a), nc_free(b);
    }
    nc_free(pixels), nc_free(file);
}

/* What programs were compiled with before there were alpha, depth and metadata. */
typedef struct { size_t struct_size; double quality; size_t target_size; double target_psnr; uint32_t threads; nc_limits limits; nc_progress progress; void *user; } old_encode;
typedef struct { size_t struct_size; uint32_t threads; nc_limits limits; nc_progress progress; void *user; } old_decode;
typedef struct {
    size_t struct_size, width, height, channels, bit_depth;
    char model_id[9];
    uint8_t model_hash[8];
    uint16_t rate_parameter;
    int stored;
    uint32_t format_version, arithmetic_version;
    size_t payload_size;
} old_info;

static void earlier_structures(void)
{
    static uint8_t source[most];
    nc_image image = make(source, 3, 1);
    struct { old_encode options; uint8_t after[64]; } encode = {{.struct_size = sizeof(old_encode), .quality = 60}, {0}};
    struct { old_decode options; uint8_t after[64]; } decode = {{.struct_size = sizeof(old_decode)}, {0}};
    struct { old_info info; uint8_t after[64]; } info = {{.struct_size = sizeof(old_info)}, {0}};
    /* What follows is not theirs. */
    memset(encode.after, 0xA5, sizeof encode.after), memset(decode.after, 0xA5, sizeof decode.after), memset(info.after, 0xA5, sizeof info.after);
    nc_encode_options today;
    nc_encode_options_init(&today);
    today.quality = 60;
    uint8_t *file, *same, *pixels;
    size_t size, same_size;
    CHECK(nc_encode(NULL, &image, (const nc_encode_options *)(void *)&encode, &file, &size, NULL) == NC_OK);
    CHECK(nc_encode(NULL, &image, &today, &same, &same_size, NULL) == NC_OK && size == same_size && memcmp(file, same, size) == 0);
    CHECK(nc_decode(NULL, file, size, (const nc_decode_options *)(void *)&decode, &pixels, (nc_info *)(void *)&info) == NC_OK);
    CHECK(info.info.struct_size == sizeof(old_info) && info.info.width == width && info.info.channels == 3 && info.info.payload_size > 0);
    nc_free(pixels);
    CHECK(nc_read_info(file, size, (nc_info *)(void *)&info) == NC_OK && info.info.height == height);
    for (size_t i = 0; i < sizeof info.after; i++) CHECK(info.after[i] == 0xA5);
    nc_free(file), nc_free(same);
}

static void metadata_arguments(void)
{
    static uint8_t source[most];
    nc_image image = make(source, 1, 1);
    uint8_t *file;
    size_t size;
    CHECK(nc_encode(NULL, &image, NULL, &file, &size, NULL) == NC_OK);
    nc_metadata found = {.struct_size = sizeof found, .icc = "x", .icc_size = 1}, bad = {.struct_size = 8};
    CHECK(nc_read_metadata(file, size, &found) == NC_OK && !found.icc && !found.icc_size && !found.exif && !found.xmp);
    FAILS(nc_read_metadata(file, size, NULL), NC_INVALID_ARGUMENT);
    FAILS(nc_read_metadata(NULL, size, &found), NC_INVALID_ARGUMENT);
    FAILS(nc_read_metadata(file, size, &bad), NC_INVALID_ARGUMENT);
    FAILS(nc_read_metadata(file, size - 1, &found), NC_BAD_STREAM);
    nc_free(file);
}

int main(void)
{
    for (size_t channels = 1; channels <= 4; channels++)
        for (size_t bytes = 1; bytes <= 2; bytes++)
            for (int stored = 0; stored <= 1; stored++) round_trip(channels, bytes, stored);
    earlier_structures();
    metadata_arguments();
    return 0;
}

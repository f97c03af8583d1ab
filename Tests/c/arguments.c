/* SPDX-License-Identifier: Apache-2.0 */
/* Misuse of every function: the right status, a message, and untouched outputs. */
#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include "check.h"

enum { width = 60, height = 48 };
static uint8_t pixels[width * height * 4];

static int cancel_at_half(void *user, double fraction)
{
    (void)user;
    return fraction >= 0.5;
}

static void *other_thread(void *unused)
{
    (void)unused;
    CHECK(nc_last_error()[0] == 0);  /* the main thread's error is not ours */
    nc_info info = {.struct_size = sizeof info};
    FAILS(nc_read_info("x", 1, &info), NC_BAD_STREAM);
    return NULL;
}

static void encode_arguments(void)
{
    nc_image image = make_picture(pixels, width, height, 3), bad;
    uint8_t *data = (uint8_t *)16;
    size_t size = 77;
    nc_encode_options options;
    nc_encode_result result = {.struct_size = sizeof result}, bad_result = {.struct_size = 4};
#define FRESH nc_encode_options_init(&options)
#define ENCODE(picture) nc_encode(NULL, picture, &options, &data, &size, &result)
    FRESH;
    FAILS(ENCODE(NULL), NC_INVALID_ARGUMENT);
    FAILS(nc_encode(NULL, &image, &options, NULL, &size, NULL), NC_INVALID_ARGUMENT);
    FAILS(nc_encode(NULL, &image, &options, &data, NULL, NULL), NC_INVALID_ARGUMENT);
    FAILS(nc_encode(NULL, &image, &options, &data, &size, &bad_result), NC_INVALID_ARGUMENT);
    const size_t bad_sizes[] = {0, 1, sizeof options - 1, sizeof options + 1, sizeof options + 8, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++) {
        options.struct_size = bad_sizes[i];
        FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    }
    bad = image, bad.pixels = NULL, FRESH;
    FAILS(ENCODE(&bad), NC_INVALID_ARGUMENT);
    bad = image, bad.width = 0;
    FAILS(ENCODE(&bad), NC_INVALID_ARGUMENT);
    bad = image, bad.height = 0;
    FAILS(ENCODE(&bad), NC_INVALID_ARGUMENT);
    bad = image, bad.stride = width * 3 - 1;
    FAILS(ENCODE(&bad), NC_INVALID_ARGUMENT);
    const size_t bad_channels[] = {0, 5, 6, 255, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad_channels / sizeof *bad_channels; i++) {
        bad = image, bad.channels = bad_channels[i];
        FAILS(ENCODE(&bad), NC_INVALID_ARGUMENT);
    }
    FRESH, options.bit_depth = 12;
    FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    FRESH, options.bit_depth = 16, bad = image, bad.stride = width * 6 - 1;
    FAILS(ENCODE(&bad), NC_INVALID_ARGUMENT);
    FRESH, options.alpha = (nc_alpha)2;
    FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    nc_metadata metadata = {.struct_size = sizeof metadata - 1};
    FRESH, options.metadata = &metadata;
    FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    metadata = (nc_metadata){.struct_size = sizeof metadata, .icc_size = 3};
    FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    metadata = (nc_metadata){.struct_size = sizeof metadata, .xmp = pixels, .xmp_size = SIZE_MAX};
    FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    metadata = (nc_metadata){.struct_size = sizeof metadata, .xmp = pixels, .xmp_size = NC_METADATA_LIMIT + 1};
    FAILS(ENCODE(&image), NC_LIMIT_EXCEEDED);
    metadata = (nc_metadata){.struct_size = sizeof metadata, .exif = "Exif\0\0II*\0", .exif_size = 10};
    FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    /* Sizes whose products overflow, or that a signed word does not hold, are refused before a pixel is read. */
    const size_t huge[] = {SIZE_MAX, SIZE_MAX / 2 + 1, (size_t)1 << 33, SIZE_MAX / 3 + 1};
    for (size_t i = 0; i < sizeof huge / sizeof *huge; i++) {
        FRESH;
        for (int unlimited = 0; unlimited <= 1; unlimited++) {
            if (unlimited) options.limits.max_pixels = options.limits.max_memory = 0;
            bad = image, bad.width = huge[i];
            CHECK(ENCODE(&bad) != NC_OK && nc_last_error()[0]);
            bad = image, bad.width = bad.height = huge[i];
            CHECK(ENCODE(&bad) != NC_OK && nc_last_error()[0]);
        }
        FRESH, bad = image, bad.height = 2, bad.stride = huge[i], bad.width = huge[i] / 3;
        CHECK(ENCODE(&bad) != NC_OK && nc_last_error()[0]);
    }
    FRESH, options.quality = 50, options.target_size = 1000;
    FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    FRESH, options.quality = 50, options.target_psnr = 30;
    FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    FRESH, options.target_size = 1000, options.target_psnr = 30;
    FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    FRESH, options.quality = 100.5;
    FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    FRESH, options.quality = (double)NAN;
    FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    FRESH, options.target_psnr = (double)NAN;
    FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    FRESH, options.threads = 1025;
    FAILS(ENCODE(&image), NC_INVALID_ARGUMENT);
    FRESH, options.limits.max_pixels = width * height - 1;
    FAILS(ENCODE(&image), NC_LIMIT_EXCEEDED);
    FRESH, options.limits.max_memory = 1;
    FAILS(ENCODE(&image), NC_LIMIT_EXCEEDED);
    FRESH, options.progress = cancel_at_half;
    FAILS(ENCODE(&image), NC_CANCELLED);
    CHECK(data == (uint8_t *)16 && size == 77);

    FRESH, options.target_size = 1;
    result.size = 0;
    FAILS(ENCODE(&image), NC_TARGET_UNREACHABLE);
    CHECK(data == (uint8_t *)16 && size == 77 && result.size > 1);
    FRESH, options.limits.max_pixels = width * height;
    CHECK(ENCODE(&image) == NC_OK && nc_last_error()[0] == 0);
    nc_free(data);
}

static void decode_arguments(void)
{
    nc_image image = make_picture(pixels, width, height, 3);
    uint8_t *file, *out = (uint8_t *)16;
    size_t size;
    CHECK(nc_encode(NULL, &image, NULL, &file, &size, NULL) == NC_OK);
    nc_decode_options options;
    nc_info info = {.struct_size = sizeof info}, bad_info = {.struct_size = sizeof info + 8};
    nc_decode_options_init(&options);
    FAILS(nc_decode(NULL, NULL, size, &options, &out, &info), NC_INVALID_ARGUMENT);
    FAILS(nc_decode(NULL, file, size, &options, NULL, &info), NC_INVALID_ARGUMENT);
    FAILS(nc_decode(NULL, file, size, &options, &out, &bad_info), NC_INVALID_ARGUMENT);
    FAILS(nc_read_info(file, size, NULL), NC_INVALID_ARGUMENT);
    FAILS(nc_read_info(NULL, size, &info), NC_INVALID_ARGUMENT);
    FAILS(nc_read_info(file, size, &bad_info), NC_INVALID_ARGUMENT);
    FAILS(nc_read_info(file, 0, &info), NC_BAD_STREAM);
    FAILS(nc_decode(NULL, file, 0, &options, &out, &info), NC_BAD_STREAM);
    options.struct_size += 8;
    FAILS(nc_decode(NULL, file, size, &options, &out, &info), NC_INVALID_ARGUMENT);
    nc_decode_options_init(&options), options.threads = 1025;
    FAILS(nc_decode(NULL, file, size, &options, &out, &info), NC_INVALID_ARGUMENT);
    nc_decode_options_init(&options), options.limits.max_pixels = width * height - 1;
    FAILS(nc_decode(NULL, file, size, &options, &out, &info), NC_LIMIT_EXCEEDED);
    nc_decode_options_init(&options), options.limits.max_memory = 1;
    FAILS(nc_decode(NULL, file, size, &options, &out, &info), NC_LIMIT_EXCEEDED);
    nc_decode_options_init(&options), options.progress = cancel_at_half;
    FAILS(nc_decode(NULL, file, size, &options, &out, &info), NC_CANCELLED);
    CHECK(out == (uint8_t *)16 && info.width == 0);

    static uint8_t buffer[(width * 3 + 5) * height];
    FAILS(nc_decode_into(NULL, file, size, NULL, NULL, sizeof buffer, 0), NC_INVALID_ARGUMENT);
    FAILS(nc_decode_into(NULL, file, size, NULL, buffer, width * 3 * height - 1, 0), NC_BUFFER_TOO_SMALL);
    FAILS(nc_decode_into(NULL, file, size, NULL, buffer, sizeof buffer, width * 3 - 1), NC_BUFFER_TOO_SMALL);
    FAILS(nc_decode_into(NULL, file, size, NULL, buffer, sizeof buffer, SIZE_MAX / 4), NC_BUFFER_TOO_SMALL);
    CHECK(nc_decode_into(NULL, file, size, NULL, buffer, sizeof buffer, SIZE_MAX) != NC_OK && nc_last_error()[0]);
    CHECK(nc_decode_into(NULL, file, size, NULL, buffer, width * 3 * height, 0) == NC_OK);
    /* There need be no gap after the last row. */
    CHECK(nc_decode_into(NULL, file, size, NULL, buffer, (width * 3 + 5) * (height - 1) + width * 3, width * 3 + 5) == NC_OK);
    nc_free(file);

    /* Options are checked whatever the file needs of them: one pixel is stored, not coded. */
    image.width = image.height = 1;
    CHECK(nc_encode(NULL, &image, NULL, &file, &size, NULL) == NC_OK);
    nc_decode_options_init(&options), options.threads = 1025;
    FAILS(nc_decode(NULL, file, size, &options, &out, &info), NC_INVALID_ARGUMENT);
    FAILS(nc_decode_into(NULL, file, size, &options, buffer, sizeof buffer, 0), NC_INVALID_ARGUMENT);
    nc_free(file);
}

static void model_arguments(void)
{
    nc_model *model = NULL;
    nc_model_info info = {.struct_size = sizeof info};
    FAILS(nc_model_open_default(NULL), NC_INVALID_ARGUMENT);
    FAILS(nc_model_open(NULL, &model), NC_INVALID_ARGUMENT);
    FAILS(nc_model_open("no-such-model", &model), NC_MODEL_NOT_FOUND);
    FAILS(nc_model_open_memory(NULL, 5, &model), NC_INVALID_ARGUMENT);
    FAILS(nc_model_open_memory("short", 5, &model), NC_BAD_MODEL);
    CHECK(model == NULL);
    nc_model_close(NULL);
    nc_model_close(&model);
    CHECK(nc_model_open_default(&model) == NC_OK && model);
    FAILS(nc_model_get_info(model, NULL), NC_INVALID_ARGUMENT);
    info.struct_size = 3;
    FAILS(nc_model_get_info(model, &info), NC_INVALID_ARGUMENT);
    info.struct_size = sizeof info;
    CHECK(nc_model_get_info(model, &info) == NC_OK && info.id[0] && strlen(info.id) <= 8);
    CHECK(info.architecture[0] && info.description && info.parameters);
    nc_model_info same = {.struct_size = sizeof same};
    CHECK(nc_model_get_info(NULL, &same) == NC_OK && memcmp(same.hash, info.hash, 32) == 0);
    nc_model_close(&model);
    CHECK(model == NULL);
}

int main(void)
{
    encode_arguments();
    decode_arguments();
    model_arguments();
    CHECK(strcmp(nc_status_string(NC_BAD_STREAM), "bad stream") == 0 && strcmp(nc_status_string((nc_status)99), "unknown status") == 0);
    nc_allocator half = {.struct_size = sizeof half}, unknown = {.struct_size = 1};
    FAILS(nc_set_allocator(&half), NC_INVALID_ARGUMENT);
    FAILS(nc_set_allocator(&unknown), NC_INVALID_ARGUMENT);
    nc_free(NULL);

    nc_info info = {.struct_size = 0};
    FAILS(nc_read_info("x", 1, &info), NC_INVALID_ARGUMENT);
    char message[300];
    snprintf(message, sizeof message, "%s", nc_last_error());
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(strcmp(message, nc_last_error()) == 0);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* nc_analyze: what it answers, against the file that the encoder writes, misuse of every function, and allocations that fail. */
#include <math.h>

#include "check.h"
#include "counting_allocator.h"
#include "progress.h"

enum { width = 150, height = 90, mosts = 1 << 18 };

static uint8_t source[width * height * 4];

static nc_analysis *analyse(const nc_image *image, double quality, size_t window, uint32_t threads)
{
    nc_analysis_options options;
    nc_analysis_options_init(&options);
    CHECK(options.struct_size == sizeof options && options.quality == 75 && options.window == 5 && options.threads == 0);
    options.quality = quality;
    options.window = window;
    options.threads = threads;
    nc_analysis *analysis = NULL;
    CHECK(nc_analyze(NULL, image, &options, &analysis) == NC_OK && analysis && nc_last_error()[0] == 0);
    return analysis;
}

static nc_analysis_info info_of(const nc_analysis *analysis)
{
    nc_analysis_info info = {.struct_size = sizeof info};
    CHECK(nc_analysis_get_info(analysis, &info) == NC_OK);
    return info;
}

/* ---- What it answers ---- */

static void figures(void)
{
    nc_image image = make_picture(source, width, height, 3);
    nc_analysis *analysis = analyse(&image, 60, 7, 1);
    nc_analysis_info info = info_of(analysis);
    CHECK(info.struct_size == sizeof info && info.channels > 0 && info.width == 12 && info.height == 8 && info.window == 7 && info.quality == 60);

    nc_encode_options options;
    nc_encode_options_init(&options);
    options.quality = 60;
    uint8_t *file;
    size_t size;
    CHECK(nc_encode(NULL, &image, &options, &file, &size, NULL) == NC_OK);
    nc_info of_file = {.struct_size = sizeof of_file};
    CHECK(nc_read_info(file, size, &of_file) == NC_OK && !of_file.stored && of_file.rate_parameter == info.rate_parameter);
    nc_free(file);
    double bits = (info.latent_bpp + info.hyperlatent_bpp) * width * height;
    CHECK(fabs(bits - 8.0 * (double)of_file.payload_size) < 256 + 1e-3 * bits);

    double *bpp = malloc(info.channels * sizeof *bpp), sum = 0;
    CHECK(bpp && nc_analysis_get_channel_bpp(analysis, bpp, info.channels) == NC_OK);
    for (size_t i = 0; i < info.channels; i++) sum += bpp[i];
    CHECK(fabs(sum - info.latent_bpp) < 1e-9 * sum);
    free(bpp);

    const float *planes[6];
    for (int plane = 0; plane < 6; plane++) CHECK(nc_analysis_get_plane(analysis, (nc_plane)plane, &planes[plane]) == NC_OK && planes[plane]);
    size_t count = info.channels * info.height * info.width;
    double square = 0;
    for (size_t i = 0; i < count; i++) {
        CHECK(planes[NC_PLANE_NORMALIZED][i] == (planes[NC_PLANE_LATENT][i] - planes[NC_PLANE_MEAN][i]) / planes[NC_PLANE_SCALE][i]);
        square += (double)planes[NC_PLANE_NORMALIZED][i] * planes[NC_PLANE_NORMALIZED][i];
    }

    for (int plane = NC_PLANE_NORMALIZED; plane <= NC_PLANE_QUANTIZED; plane++) {
        double map[49], off = 0;
        CHECK(nc_analysis_get_correlation(analysis, (nc_plane)plane, map, 49) == NC_OK);
        for (int i = 0; i < 49; i++) {
            CHECK(map[i] == map[48 - i]);
            if (i != 24) off += fabs(map[i]);
        }
        double average = plane == NC_PLANE_NORMALIZED ? info.average_correlation : info.average_correlation_quantized;
        CHECK(fabs(off / 48 - average) < 1e-12);
        if (plane == NC_PLANE_NORMALIZED) CHECK(fabs(map[24] - square / (double)count) < 1e-9 * map[24]);
    }

    /* Threads change nothing, and neither does the analysis' own end. */
    nc_analysis *again = analyse(&image, 60, 7, 3);
    for (int plane = 0; plane < 6; plane++) {
        const float *other;
        CHECK(nc_analysis_get_plane(again, (nc_plane)plane, &other) == NC_OK && memcmp(other, planes[plane], count * sizeof *other) == 0);
    }
    nc_analysis_close(&analysis);
    CHECK(analysis == NULL && info_of(again).average_correlation == info.average_correlation);
    nc_analysis_close(&again);
}

/* Samples of 16 bits, gray, and alpha, which is ignored. */
static void kinds_of_pictures(void)
{
    static uint16_t wide[width * height];
    nc_image image = make_picture(source, width, height, 1);
    for (size_t i = 0; i < width * height; i++) wide[i] = (uint16_t)(source[i] * 257);
    nc_analysis *bytes = analyse(&image, 75, 5, 0), *words = NULL;
    nc_analysis_options options;
    nc_analysis_options_init(&options);
    options.bit_depth = 16;
    image.pixels = wide;
    CHECK(nc_analyze(NULL, &image, &options, &words) == NC_OK);
    CHECK(fabs(info_of(bytes).latent_bpp - info_of(words).latent_bpp) < 1e-3 * info_of(bytes).latent_bpp);
    nc_analysis_close(&bytes);
    nc_analysis_close(&words);
    image = make_picture(source, width, height, 4);
    bytes = analyse(&image, 75, 5, 0);
    nc_analysis_close(&bytes);
}

/* ---- Misuse ---- */

static void misuse(void)
{
    nc_image image = make_picture(source, width, height, 3);
    nc_analysis_options options;
    nc_analysis *analysis = NULL;
    nc_analysis_options_init(NULL);
    nc_analysis_options_init(&options);
    FAILS(nc_analyze(NULL, NULL, &options, &analysis), NC_INVALID_ARGUMENT);
    FAILS(nc_analyze(NULL, &image, &options, NULL), NC_INVALID_ARGUMENT);
    size_t windows[] = {0, 1, 2, 6, 33, SIZE_MAX};
    for (size_t i = 0; i < 6; i++) {
        options.window = windows[i];
        FAILS(nc_analyze(NULL, &image, &options, &analysis), NC_INVALID_ARGUMENT);
    }
    nc_analysis_options_init(&options), options.struct_size--;
    FAILS(nc_analyze(NULL, &image, &options, &analysis), NC_INVALID_ARGUMENT);
    nc_analysis_options_init(&options), options.quality = 101;
    FAILS(nc_analyze(NULL, &image, &options, &analysis), NC_INVALID_ARGUMENT);
    nc_analysis_options_init(&options), options.quality = NAN;
    FAILS(nc_analyze(NULL, &image, &options, &analysis), NC_INVALID_ARGUMENT);
    nc_analysis_options_init(&options), options.threads = 1025;
    FAILS(nc_analyze(NULL, &image, &options, &analysis), NC_INVALID_ARGUMENT);
    nc_analysis_options_init(&options), options.bit_depth = 10;
    FAILS(nc_analyze(NULL, &image, &options, &analysis), NC_INVALID_ARGUMENT);
    nc_analysis_options_init(&options), options.limits.max_pixels = width * height - 1;
    FAILS(nc_analyze(NULL, &image, &options, &analysis), NC_LIMIT_EXCEEDED);
    nc_analysis_options_init(&options), options.limits.max_memory = 4096;
    FAILS(nc_analyze(NULL, &image, &options, &analysis), NC_LIMIT_EXCEEDED);
    image.channels = 5;
    FAILS(nc_analyze(NULL, &image, NULL, &analysis), NC_INVALID_ARGUMENT);
    image.channels = 3;
    CHECK(analysis == NULL);

    CHECK(nc_analyze(NULL, &image, NULL, &analysis) == NC_OK);
    nc_analysis_info info = {.struct_size = 3};
    FAILS(nc_analysis_get_info(analysis, &info), NC_INVALID_ARGUMENT);
    FAILS(nc_analysis_get_info(analysis, NULL), NC_INVALID_ARGUMENT);
    FAILS(nc_analysis_get_info(NULL, &info), NC_INVALID_ARGUMENT);
    info = info_of(analysis);
    double map[25];
    static double bpp[mosts];
    const float *values = NULL;
    FAILS(nc_analysis_get_correlation(NULL, NC_PLANE_NORMALIZED, map, 25), NC_INVALID_ARGUMENT);
    FAILS(nc_analysis_get_correlation(analysis, NC_PLANE_NORMALIZED, NULL, 25), NC_INVALID_ARGUMENT);
    FAILS(nc_analysis_get_correlation(analysis, NC_PLANE_NORMALIZED, map, 24), NC_BUFFER_TOO_SMALL);
    FAILS(nc_analysis_get_correlation(analysis, NC_PLANE_NORMALIZED, map, SIZE_MAX), NC_INVALID_ARGUMENT);
    FAILS(nc_analysis_get_correlation(analysis, NC_PLANE_LATENT, map, 25), NC_INVALID_ARGUMENT);
    FAILS(nc_analysis_get_correlation(analysis, (nc_plane)6, map, 25), NC_INVALID_ARGUMENT);
    FAILS(nc_analysis_get_channel_bpp(NULL, bpp, mosts), NC_INVALID_ARGUMENT);
    FAILS(nc_analysis_get_channel_bpp(analysis, NULL, mosts), NC_INVALID_ARGUMENT);
    FAILS(nc_analysis_get_channel_bpp(analysis, bpp, info.channels - 1), NC_BUFFER_TOO_SMALL);
    FAILS(nc_analysis_get_plane(NULL, NC_PLANE_LATENT, &values), NC_INVALID_ARGUMENT);
    FAILS(nc_analysis_get_plane(analysis, (nc_plane)6, &values), NC_INVALID_ARGUMENT);
    FAILS(nc_analysis_get_plane(analysis, NC_PLANE_LATENT, NULL), NC_INVALID_ARGUMENT);
    CHECK(values == NULL);
    nc_analysis_close(&analysis);
    nc_analysis_close(&analysis);
    nc_analysis_close(NULL);
}

/* ---- Allocations that fail, and cancelling ---- */

static void failures(void)
{
    nc_image image = make_picture(source, 40, 30, 3);
    nc_analysis_options options;
    nc_analysis_options_init(&options);
    options.threads = 1;
    nc_analysis *analysis = NULL;
    long failed = 0;
    for (long k = 1;; k++) {
        long before = live;
        fail_at = calls + k;
        nc_status status = nc_analyze(NULL, &image, &options, &analysis);
        int reached = calls >= fail_at;
        fail_at = -1;
        CHECK(status == NC_OK || status == NC_OUT_OF_MEMORY);
        CHECK(status == NC_OK || (analysis == NULL && nc_last_error()[0]));
        if (status == NC_OK) nc_analysis_close(&analysis);
        CHECK(live <= before + 2);  /* a workspace may be kept for the next call */
        if (!reached) break;
        failed += status == NC_OUT_OF_MEMORY;
    }
    CHECK(failed >= 4);  /* otherwise the library allocates elsewhere */
    long steady = live;
    CHECK(nc_analyze(NULL, &image, &options, &analysis) == NC_OK && live > steady);
    nc_analysis_close(&analysis);
    CHECK(live == steady);

    last_fraction = -1;
    options.progress = watch, options.progress_user = &last_fraction;
    CHECK(nc_analyze(NULL, &image, &options, &analysis) == NC_OK && last_fraction > 0.999);
    nc_analysis_close(&analysis);
    options.progress = cancel;
    for (stop_after = 1;; stop_after++) {
        reports = 0;
        nc_status status = nc_analyze(NULL, &image, &options, &analysis);
        if (status == NC_OK) break;
        CHECK(status == NC_CANCELLED && reports == stop_after && analysis == NULL && live == steady);
    }
    CHECK(stop_after > 5);
    nc_analysis_close(&analysis);
}

int main(void)
{
    nc_allocator custom = {.struct_size = sizeof custom, .allocate = allocate, .deallocate = deallocate};
    CHECK(nc_set_allocator(&custom) == NC_OK);
    nc_model *model = NULL;
    CHECK(nc_model_open_default(&model) == NC_OK);  /* stays loaded */
    nc_model_close(&model);
    failures();
    figures();
    kinds_of_pictures();
    misuse();
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A program of somebody else: it knows the installed header and pkg-config, nothing of the source tree. */
#include "check.h"

static int last_fraction_was_one;

static int watch(void *user, double fraction)
{
    double *last = user;
    CHECK(fraction >= *last && fraction <= 1);
    *last = fraction;
    last_fraction_was_one = fraction == 1;
    return 0;
}

int main(void)
{
    enum { width = 61, height = 47, row = 200 };
    CHECK(strcmp(nc_version(), "0.1.0") == 0 && nc_cpu_info()[0]);
    for (size_t channels = 1; channels <= 3; channels += 2) {
        uint8_t source[width * height * 3];
        nc_image image = make_picture(source, width, height, channels);
        for (int neural = 0; neural <= 1; neural++) {
            nc_encode_options options;
            nc_encode_options_init(&options);
            options.quality = neural ? 60 : 90;
            double progress = 0;
            options.progress = watch;
            options.progress_user = &progress;
            uint8_t *file, *pixels;
            size_t size;
            nc_encode_result result = {.struct_size = sizeof result};
            CHECK(nc_encode(NULL, &image, &options, &file, &size, &result) == NC_OK);
            CHECK(last_fraction_was_one && nc_last_error()[0] == 0);
            CHECK(result.size == size && result.quality == options.quality);

            nc_info info = {.struct_size = sizeof info}, again = {.struct_size = sizeof again};
            CHECK(nc_decode(NULL, file, size, NULL, &pixels, &info) == NC_OK);
            CHECK(info.width == width && info.height == height && info.channels == channels && info.bit_depth == 8);
            CHECK(nc_read_info(file, size, &again) == NC_OK && again.width == width && again.rate_parameter == info.rate_parameter);
            double error = 0;
            for (size_t i = 0; i < width * height * channels; i++) error += (source[i] - pixels[i]) * (source[i] - pixels[i]);
            CHECK(error / (double)(width * height * channels) < 400);  /* 22 dB */

            /* The same into a buffer with gaps, which stay as they were. */
            uint8_t buffer[row * height];
            memset(buffer, 0xA5, sizeof buffer);
            CHECK(nc_decode_into(NULL, file, size, NULL, buffer, sizeof buffer, row) == NC_OK);
            for (size_t y = 0; y < height; y++) {
                CHECK(memcmp(buffer + y * row, pixels + y * width * channels, width * channels) == 0);
                for (size_t x = width * channels; x < row; x++) CHECK(buffer[y * row + x] == 0xA5);
            }
            nc_free(pixels);
            nc_free(file);
        }
    }
    return 0;
}

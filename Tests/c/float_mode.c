/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts with an unusual floating-point environment get the same bytes and pixels, and find their environment as they left it. */
#include "check.h"
#include "float_modes.h"

int main(void)
{
    enum { width = 75, height = 52, count = width * height * 3 };
    static uint8_t source[count], pixels_into[count];
    nc_image image = make_picture(source, width, height, 3);
    nc_encode_options options;
    nc_encode_options_init(&options);
    options.threads = 2;
    nc_decode_options decode_options;
    nc_decode_options_init(&decode_options);
    decode_options.threads = 2;

    uint8_t *file, *pixels;
    size_t size;
    CHECK(nc_encode(NULL, &image, &options, &file, &size, NULL) == NC_OK);
    CHECK(nc_decode(NULL, file, size, &decode_options, &pixels, NULL) == NC_OK);
    uint64_t before = get_mode();
    for (size_t i = 0; i < mode_count; i++) {
        uint8_t *other_file, *other_pixels;
        size_t other_size;
        set_mode(modes[i]);
        nc_status encoded = nc_encode(NULL, &image, &options, &other_file, &other_size, NULL);
        uint64_t after_encode = get_mode();
        nc_status decoded = nc_decode(NULL, file, size, &decode_options, &other_pixels, NULL);
        uint64_t after_decode = get_mode();
        nc_status decoded_into = nc_decode_into(NULL, file, size, &decode_options, pixels_into, count, 0);
        uint64_t after_decode_into = get_mode();
        nc_status failed = nc_decode(NULL, file, size / 2, &decode_options, &other_pixels, NULL);
        uint64_t after_failure = get_mode();
        set_mode(before);
        CHECK(encoded == NC_OK && decoded == NC_OK && decoded_into == NC_OK && failed == NC_BAD_STREAM);
        CHECK(after_encode == modes[i] && after_decode == modes[i] && after_decode_into == modes[i] && after_failure == modes[i]);
        CHECK(other_size == size && memcmp(other_file, file, size) == 0);
        CHECK(memcmp(other_pixels, pixels, count) == 0 && memcmp(pixels_into, pixels, count) == 0);
        nc_free(other_file);
        nc_free(other_pixels);
    }
    nc_free(file);
    nc_free(pixels);
    return 0;
}

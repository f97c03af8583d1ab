/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts with an unusual floating-point environment get the same bytes and pixels, and find their environment as they left it. */
#include "check.h"

#if defined(__x86_64__)
#include <immintrin.h>
static void set_mode(uint64_t mode) { _mm_setcsr((unsigned)mode); }
static uint64_t get_mode(void) { return _mm_getcsr(); }
static const uint64_t modes[] = {
    0x1F80 | 0x8000 | 0x0040,           /* flush to zero, denormals are zero */
    0x1F80 | 0x2000,                    /* round down */
    0x1F80 | 0x8000 | 0x0040 | 0x4000,  /* all that, and round up */
    0x1F80 | 0x6000 | 0x003F,           /* round to zero, all sticky flags set */
    0x0000,                             /* every exception traps */
};
#elif defined(__aarch64__)
static void set_mode(uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
static uint64_t get_mode(void)
{
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static const uint64_t modes[] = {1u << 24, 1u << 22, 2u << 22, (3u << 22) | (1u << 24)};  /* flush to zero; round up, down, to zero */
#endif

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
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
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
